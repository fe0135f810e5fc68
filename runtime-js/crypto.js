// The global `crypto`.

import { op_crypto_random, op_crypto_uuid } from "ext:core/ops";
import {
  ArrayBufferIsView,
  ArrayBufferViewPrototypeGetBuffer,
  ArrayBufferViewPrototypeGetByteLength,
  ArrayBufferViewPrototypeGetByteOffset,
  ObjectFreeze,
  RangeError,
  TypeError,
  Uint8Array,
} from "./primordials.js";

/** The part of Web Crypto that handlers most often need: random values and identifiers. */
export const crypto = ObjectFreeze({
  getRandomValues(view) {
    if (!ArrayBufferIsView(view)) {
      throw new TypeError("crypto.getRandomValues() takes an integer typed array");
    }
    const length = ArrayBufferViewPrototypeGetByteLength(view);
    if (length > 65536) {
      throw new RangeError(`crypto.getRandomValues() fills at most 65536 bytes, not ${length}`);
    }
    const offset = ArrayBufferViewPrototypeGetByteOffset(view);
    op_crypto_random(new Uint8Array(ArrayBufferViewPrototypeGetBuffer(view), offset, length));
    return view;
  },
  randomUUID: () => op_crypto_uuid(),
});
