// What `crypto` has in Workers besides the web's: `subtle.timingSafeEqual`, `DigestStream`, and the digest MD5.

import { core } from "ext:core/mod.js";
import { defineLazy } from "../globals.js";
import { domException } from "../errors/exceptions.js";
import {
  ArrayBufferIsView,
  ArrayBufferViewPrototypeGetBuffer,
  ArrayBufferViewPrototypeGetByteLength,
  ArrayBufferViewPrototypeGetByteOffset,
  BigInt,
  globalThis,
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptor,
  Promise,
  PromisePrototypeCatch,
  ReflectApply,
  String,
  StringPrototypeToUpperCase,
  TextEncoder,
  TextEncoderPrototypeEncode,
  TypeError,
  Uint8Array,
} from "../primordials.js";

const loadNodeCrypto = () => core.createLazyLoader("node:crypto")();

/** The digests of DigestStream, by the names of the web, and their names in `node:crypto`. */
const DIGESTS = {
  __proto__: null,
  MD5: "md5",
  "SHA-1": "sha1",
  "SHA-256": "sha256",
  "SHA-384": "sha384",
  "SHA-512": "sha512",
};

/** The name of an algorithm, which is a text or the `name` of an object, in upper case. */
function nameOf(algorithm) {
  const name = typeof algorithm === "object" && algorithm !== null ? algorithm.name : algorithm;
  return StringPrototypeToUpperCase(String(name));
}

function hashOf(algorithm) {
  const digest = DIGESTS[nameOf(algorithm)];
  if (digest === undefined) {
    throw domException("NotSupportedError", `There is no digest ${nameOf(algorithm)}; there are MD5, SHA-1, SHA-256, SHA-384 and SHA-512.`);
  }
  return loadNodeCrypto().createHash(digest);
}

/** The bytes of a buffer or a view on one. */
function bytesOf(source, method) {
  if (ArrayBufferIsView(source)) {
    const buffer = ArrayBufferViewPrototypeGetBuffer(source);
    const offset = ArrayBufferViewPrototypeGetByteOffset(source);
    return new Uint8Array(buffer, offset, ArrayBufferViewPrototypeGetByteLength(source));
  }
  if (!core.isAnyArrayBuffer(source)) throw new TypeError(`${method}: it takes an ArrayBuffer or a view on one.`);
  return new Uint8Array(source);
}

/** An ArrayBuffer with the result of a hash. */
function resultOf(hash) {
  return ArrayBufferViewPrototypeGetBuffer(new Uint8Array(hash.digest()));
}

/** Whether two buffers of one length are equal, found in a time that does not depend on their content. */
function timingSafeEqual(a, b) {
  const { 0: one, 1: other } = [bytesOf(a, "timingSafeEqual()"), bytesOf(b, "timingSafeEqual()")];
  if (one.length !== other.length) throw new TypeError("Input buffers must have the same byte length.");
  return loadNodeCrypto().timingSafeEqual(one, other);
}

/** A stream to write to, whose `digest` is that of what was written. */
function makeDigestStream() {
  return class DigestStream extends globalThis.WritableStream {
    #digest;
    #written = 0;

    constructor(algorithm) {
      const hash = hashOf(algorithm);
      let resolve, reject;
      const digest = new Promise((resolved, rejected) => {
        resolve = resolved;
        reject = rejected;
      });
      // The application may look at the stream only.
      PromisePrototypeCatch(digest, () => {});
      super({
        write: (chunk) => {
          try {
            const bytes = typeof chunk === "string" ? chunk : bytesOf(chunk, "DigestStream");
            hash.update(bytes);
            this.#written += typeof chunk === "string" ? lengthOf(chunk) : bytes.length;
          } catch (error) {
            reject(error);
            throw error;
          }
        },
        close: () => resolve(resultOf(hash)),
        abort: (reason) => reject(reason),
      });
      this.#digest = digest;
    }

    /** An ArrayBuffer, once the stream is closed. @returns {Promise<ArrayBuffer>} */
    get digest() {
      return this.#digest;
    }

    get bytesWritten() {
      return BigInt(this.#written);
    }
  };
}

function lengthOf(text) {
  return TextEncoderPrototypeEncode(new TextEncoder(), text).length;
}

function extend(crypto) {
  const { prototype } = globalThis.SubtleCrypto;
  const { digest } = prototype;
  const method = (value) => ({ __proto__: null, configurable: true, enumerable: true, value, writable: true });
  ObjectDefineProperty(prototype, "timingSafeEqual", method(timingSafeEqual));
  ObjectDefineProperty(prototype, "digest", method(async function (algorithm, data) {
    if (arguments.length < 2 || nameOf(algorithm) !== "MD5") return await ReflectApply(digest, this, arguments);
    return resultOf(hashOf("MD5").update(bytesOf(data, "digest()")));
  }));
  ObjectDefineProperty(crypto, "DigestStream", method(makeDigestStream()));
  return crypto;
}

/** Extends `crypto`, when that is first read. */
export function defineCrypto() {
  const { get, value } = ObjectGetOwnPropertyDescriptor(globalThis, "crypto");
  if (get !== undefined) defineLazy("crypto", () => extend(ReflectApply(get, globalThis, [])));
  else if (value.subtle !== undefined) extend(value);
}
