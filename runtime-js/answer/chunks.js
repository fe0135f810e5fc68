// Chunks of streams as bytes.

import { core } from "ext:core/mod.js";
import {
  ArrayBuffer,
  ArrayBufferIsView,
  ArrayBufferViewPrototypeGetBuffer,
  ArrayBufferViewPrototypeGetByteLength,
  ArrayBufferViewPrototypeGetByteOffset,
  Uint8Array,
} from "../primordials.js";

const { encode } = core;

/** The bytes of a chunk, which are not copied, or of a text; null for what has none. @returns {Uint8Array | null} */
export function bytesOf(chunk) {
  if (chunk instanceof Uint8Array) return chunk;
  if (typeof chunk === "string") return encode(chunk);
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  if (!ArrayBufferIsView(chunk)) return null;
  const offset = ArrayBufferViewPrototypeGetByteOffset(chunk);
  return new Uint8Array(ArrayBufferViewPrototypeGetBuffer(chunk), offset, ArrayBufferViewPrototypeGetByteLength(chunk));
}
