// Answers of Workers to HEAD: nobody gets the body, but the code that writes it runs as for GET, to its end.

import { background } from "./context.js";
import { discard } from "../answer/discard.js";
import { clearTimeout, setTimeout } from "../timers.js";
import {
  ArrayBufferIsView,
  ArrayBufferViewPrototypeGetByteLength,
  MathMax,
  PromisePrototypeCatch,
  ReadableStreamDefaultReaderPrototypeCancel,
  ReadableStreamDefaultReaderPrototypeRead,
  ReadableStreamPrototypeGetLocked,
  ReadableStreamPrototypeGetReader,
  ResponsePrototypeGetBody,
} from "../primordials.js";

/** How many of these bodies an isolate reads at a time. Others are cancelled. */
const MOST_BODIES = 64;
/** How long one is read, in milliseconds: as long as Cloudflare lets work go on after an answer. */
const LONGEST = 30_000;
/** How much of one is read, in bytes. */
const MOST_BYTES = 10 * 1024 * 1024;
/** What a chunk counts at least, in bytes, because an empty one costs time, too. */
const LEAST_CHUNK = 64;

let reading = 0;

/** Reads the body of a Response that is sent without it. */
export function readUnsent(response, exchange) {
  const body = ResponsePrototypeGetBody(response);
  if (reading >= MOST_BODIES || ReadableStreamPrototypeGetLocked(body)) return discard(response);
  background(exchange, drain(body));
}

async function drain(stream) {
  reading++;
  const reader = ReadableStreamPrototypeGetReader(stream);
  const cancel = () => void PromisePrototypeCatch(ReadableStreamDefaultReaderPrototypeCancel(reader), () => {});
  const timer = setTimeout(cancel, LONGEST);
  try {
    let left = MOST_BYTES;
    while (left > 0) {
      const { value, done } = await ReadableStreamDefaultReaderPrototypeRead(reader);
      if (done) return;
      left -= MathMax(ArrayBufferIsView(value) ? ArrayBufferViewPrototypeGetByteLength(value) : 0, LEAST_CHUNK);
    }
    cancel();
  } catch {
    // Its client has the whole answer.
  } finally {
    clearTimeout(timer);
    reading--;
  }
}
