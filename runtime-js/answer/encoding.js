// Bodies of Workers whose `Content-Encoding` says what they are to become: they are encoded when they are sent, unless
// `encodeBody: "manual"` says that they are encoded already.

import { core } from "ext:core/mod.js";
import { FunctionPrototypeCall, SafeWeakMap, TypeError } from "../primordials.js";

/** The formats of codings that the host encodes, by their names in headers; null where bodies go out as they are. */
export let formats = null;
let pipeThrough;

/** From now on bodies are encoded. */
export function encodeBodies() {
  formats = { __proto__: null, br: "brotli", gzip: "gzip" };
  ({ pipeThrough } = core.loadExtScript("ext:deno_web/06_streams.js").ReadableStream.prototype);
}

/** Responses whose bodies are encoded already. */
const encoded = new SafeWeakMap();

export const isEncoded = (response) => encoded.has(response);

/** Remembers what `init`, which may be a Response, says of the body of a new Response. */
export function noteEncoding(response, init) {
  const { encodeBody } = init;
  if (encodeBody === "manual" || encoded.has(init)) encoded.set(response, true);
  else if (encodeBody !== undefined && encodeBody !== "automatic") {
    throw new TypeError(`encodeBody: unexpected value: ${encodeBody}`);
  }
}

/** The format in which a Response's body is encoded; undefined where it goes out as it is. */
export function formatFor(response, coding) {
  return coding === null || encoded.has(response) ? undefined : formats[coding];
}

/** A stream's bytes in a format. */
export function encodedStream(stream, format) {
  const { CompressionStream } = core.loadExtScript("ext:deno_web/14_compression.js");
  return FunctionPrototypeCall(pipeThrough, stream, new CompressionStream(format));
}
