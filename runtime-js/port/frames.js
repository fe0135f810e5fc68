// Frames of a line as text: envelopes, states of a response, and changes of what was sent.

import { kHasHeaders } from "../live_response/frame.js";
import { encodeJson } from "../answer/values.js";
import {
  ArrayPrototypeConcat,
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  HeadersPrototypeEntries,
  JSONStringify,
  SafeArrayIterator,
} from "../primordials.js";

/** One text frame. A `data` of undefined leaves the key out, which is how the wire says it. */
export function encodeEnvelope(data, { type, eventID, live = false, bubbles = false, numPorts = 0 }) {
  return encodeJson({ message: data, ".wq": { type, eventID, live, bubbles, numPorts } }, `The "${type}" message`);
}

/** What a client says to tell that it listens. */
export function encodeConnect(eventID) {
  return JSONStringify({ ".wq": { type: "message", eventID, numPorts: 1 }, ping: "connect" });
}

/** A state of a response, as the payload of `response.replace`. */
export function encodeFrame({ body, status, statusText, headers, [kHasHeaders]: hasHeaders, type, concurrent }) {
  const plain = {};
  if (hasHeaders) {
    // Cookies are HTTP's alone.
    for (const { 0: name, 1: value } of new SafeArrayIterator(HeadersPrototypeEntries(headers))) {
      if (name !== "set-cookie") plain[name] = value;
    }
  }
  // Where a state was fetched from is the server's business; to its client it comes from the client's own request.
  const frame = { body: body ?? null, status, statusText, headers: plain, type, url: null, concurrent };
  return encodeJson(frame, "The response's body");
}

/** Changes of a body or of a live message, as the wire has them; `prefix` is where the observed value stands. */
export function encodeRecords(records, prefix) {
  const wire = ArrayPrototypeMap(records, ({ type, key, value, isUpdate, path }) => ({
    type,
    key,
    value,
    isUpdate,
    operation: type === "delete" ? "deleteProperty" : "set",
    path: prefix === null ? path : ArrayPrototypeConcat([prefix], path),
  }));
  try {
    return JSONStringify(wire);
  } catch (error) {
    for (const { value, path } of new SafeArrayIterator(wire)) {
      encodeJson(value, "A change", ArrayPrototypeJoin(["$", ...new SafeArrayIterator(path)], "."));
    }
    throw error;
  }
}
