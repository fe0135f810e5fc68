// Bodies of requests and responses that pass between isolates: at once if they are there, else chunk by chunk.

import { nativeStream } from "../request.js";
import { exportTarget, invoke } from "./mail.js";
import {
  ArrayBufferIsView,
  PromisePrototypeThen,
  ReadableStreamDefaultReaderPrototypeCancel,
  ReadableStreamDefaultReaderPrototypeRead,
  ReadableStreamPrototypeGetReader,
  TextEncoder,
  TextEncoderPrototypeEncode,
  TypeError,
} from "../primordials.js";

/** A body as data: null, its text, its bytes, or the number of what reads it. Used afterwards. */
export function exportBody(inner) {
  if (inner === null || inner === undefined) return null;
  const source = inner.streamOrStatic;
  if ((typeof source.body === "string" || ArrayBufferIsView(source.body)) && !source.consumed) {
    const { body } = source;
    source.consumed = true;
    return body;
  }
  return { stream: exportBytes(inner.stream) };
}

/** Lets another isolate read a stream of bytes. Returns the number of what does that. */
function exportBytes(stream) {
  const reader = ReadableStreamPrototypeGetReader(stream);
  return exportTarget({
    __proto__: null,
    async next() {
      const { value, done } = await ReadableStreamDefaultReaderPrototypeRead(reader);
      if (done) return null;
      const bytes = typeof value === "string" ? TextEncoderPrototypeEncode(new TextEncoder(), value) : value;
      if (!ArrayBufferIsView(bytes)) throw new TypeError("The stream of a body yields Uint8Arrays or strings.");
      return bytes;
    },
    async cancel(reason) {
      await ReadableStreamDefaultReaderPrototypeCancel(reader, reason);
    },
  }, true);
}

/** The body that {@link exportBody} has made data, for `new Response()`. */
export function importBody(isolate, body) {
  if (body === null || typeof body === "string" || ArrayBufferIsView(body)) return body;
  const { stream } = body;
  return nativeStream(
    () => invoke(isolate, stream, ["next"], []),
    (reason) => PromisePrototypeThen(invoke(isolate, stream, ["cancel"], [reason]), () => {}),
  );
}
