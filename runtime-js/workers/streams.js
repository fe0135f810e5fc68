// What the streams of Workers have besides the web's.

import { core } from "ext:core/mod.js";
import { bytesOf } from "../answer/chunks.js";
import { defineLazy } from "../globals.js";
import {
  ArrayBufferIsView,
  ArrayBufferViewPrototypeGetBuffer,
  ArrayBufferViewPrototypeGetByteLength,
  ArrayBufferViewPrototypeGetByteOffset,
  FunctionPrototypeCall,
  MathTrunc,
  Number,
  ObjectDefineProperty,
  TransformStreamDefaultControllerPrototypeEnqueue,
  TypeError,
  Uint8Array,
} from "../primordials.js";

/** The greatest length that a number holds exactly, in bytes. */
const LONGEST = 2 ** 53 - 1;

/** The length of a stream, from what code gives. */
function lengthOf(given) {
  const length = MathTrunc(Number(given));
  if (length >= 0 && length <= LONGEST) return length;
  throw new TypeError("FixedLengthStream requires an integer expected length less than 2^53.");
}

/** The bytes that code writes. */
function written(chunk) {
  const bytes = bytesOf(chunk);
  if (bytes !== null) return bytes;
  throw new TypeError(
    "This TransformStream is being used as a byte stream, but received an object of non-ArrayBuffer/ArrayBufferView type on its writable side.",
  );
}

/** Streams that pass bytes on. */
function makeStreams() {
  const { TransformStream } = core.loadExtScript("ext:deno_web/06_streams.js");
  const { staticBodyLength } = core.loadExtScript("ext:deno_fetch/22_body.js");
  const pass = (chunk, controller) => TransformStreamDefaultControllerPrototypeEnqueue(controller, written(chunk));
  class IdentityTransformStream extends TransformStream {
    constructor() {
      super({ transform: pass });
    }
  }
  class FixedLengthStream extends TransformStream {
    /** @param {number | bigint} length how many bytes are written, neither more nor fewer */
    constructor(length) {
      const whole = lengthOf(length);
      let left = whole;
      super({
        transform(chunk, controller) {
          const bytes = written(chunk);
          left -= ArrayBufferViewPrototypeGetByteLength(bytes);
          if (left < 0) throw new TypeError(`Attempt to write too many bytes through a FixedLengthStream of ${whole}.`);
          TransformStreamDefaultControllerPrototypeEnqueue(controller, bytes);
        },
        flush() {
          if (left > 0) throw new TypeError(`FixedLengthStream did not see all expected bytes before close(): ${left} of ${whole} are missing.`);
        },
      });
      staticBodyLength.set(this.readable, whole);
    }
  }
  return { FixedLengthStream, IdentityTransformStream };
}

/** The reader that fills buffers of its caller, with `readAtLeast()`. */
function makeReader() {
  const { ReadableStreamBYOBReader } = core.loadExtScript("ext:deno_web/06_streams.js");
  const { read } = ReadableStreamBYOBReader.prototype;
  /**
   * Reads until as many bytes are there, the buffer is full or the stream ends.
   * @param {number} least in bytes, whatever the class of the view
   * @param {ArrayBufferView} view its buffer passes to the result
   */
  async function readAtLeast(least = undefined, view = undefined) {
    if (!ArrayBufferIsView(view)) {
      throw new TypeError(
        "Failed to execute 'readAtLeast' on 'ReadableStreamBYOBReader': parameter 2 is not of type 'ArrayBufferView'.",
      );
    }
    const length = ArrayBufferViewPrototypeGetByteLength(view);
    const wanted = MathTrunc(Number(least));
    if (!(wanted >= 1)) throw new TypeError(`Requested invalid minimum number of bytes to read (${wanted}).`);
    if (wanted > length) throw new TypeError(`Minimum bytes to read (${wanted}) exceeds size of buffer (${length}).`);
    const offset = ArrayBufferViewPrototypeGetByteOffset(view);
    let buffer = ArrayBufferViewPrototypeGetBuffer(view);
    let filled = 0;
    while (true) {
      const free = new Uint8Array(buffer, offset + filled, length - filled);
      const { value, done } = await FunctionPrototypeCall(read, this, free);
      // A stream that was cancelled gives no buffer back.
      if (value === undefined) return { value, done };
      buffer = ArrayBufferViewPrototypeGetBuffer(value);
      filled += ArrayBufferViewPrototypeGetByteLength(value);
      if (done || filled >= wanted) return { value: new Uint8Array(buffer, offset, filled), done: filled === 0 };
    }
  }
  ObjectDefineProperty(ReadableStreamBYOBReader.prototype, "readAtLeast", {
    __proto__: null,
    configurable: true,
    enumerable: true,
    value: readAtLeast,
    writable: true,
  });
}

export function defineStreams() {
  makeReader();
  let made = null;
  defineLazy("FixedLengthStream", () => (made ??= makeStreams()).FixedLengthStream);
  defineLazy("IdentityTransformStream", () => (made ??= makeStreams()).IdentityTransformStream);
}
