// Frames of a line as text: envelopes, states of a response, and deltas.

import { kHasHeaders } from "../live_response/frame.js";
import { encodeJson } from "../answer/values.js";
import {
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  HeadersPrototypeEntries,
  JSONStringify,
  SafeArrayIterator,
} from "../primordials.js";

/** One text frame. With a `data` of undefined it has no `message`, as the protocol requires. */
export function encodeEnvelope(data, { type, eventID, live = false, bubbles = false, numPorts = 0 }) {
  return encodeJson({ message: data, ".wq": { type, eventID, live, bubbles, numPorts } }, `The "${type}" message`);
}

/** The frame by which a client requests the first frames. */
export function encodeConnect(eventID) {
  return JSONStringify({ ".wq": { type: "message", eventID, numPorts: 1 }, ping: "connect" });
}

/** A state of a response, as the payload of `response.replace`. */
export function encodeFrame({ body, status, statusText, headers, [kHasHeaders]: hasHeaders, type, concurrent }) {
  const plain = {};
  if (hasHeaders) {
    // Cookies are set by HTTP answers only.
    for (const { 0: name, 1: value } of new SafeArrayIterator(HeadersPrototypeEntries(headers))) {
      if (name !== "set-cookie") plain[name] = value;
    }
  }
  // The URL that a state was fetched from is not sent: for the client it comes from the client's own request.
  const frame = { body: body ?? null, status, statusText, headers: plain, type, url: null, concurrent };
  return encodeJson(frame, "The response's body");
}

/**
 * Changes of a body or of a live message in the protocol's format; `prefix` is the key of the observed value in what
 * was sent.
 */
export function encodeRecords(records, prefix) {
  const wire = ArrayPrototypeMap(records, ({ type, key, value, isUpdate, path }) => ({
    type,
    key,
    value,
    isUpdate,
    operation: type === "delete" ? "deleteProperty" : "set",
    path: prefix === null ? path : [prefix, ...new SafeArrayIterator(path)],
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
