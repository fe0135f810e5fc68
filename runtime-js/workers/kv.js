// KV: keys and values, with the interface of Cloudflare's namespaces.

import { op_kv_delete, op_kv_get, op_kv_list, op_kv_put } from "ext:core/ops";
import {
  ArrayBuffer,
  ArrayBufferIsView,
  ArrayBufferViewPrototypeGetBuffer,
  ArrayBufferViewPrototypeGetByteLength,
  ArrayBufferViewPrototypeGetByteOffset,
  ArrayIsArray,
  ArrayPrototypeMap,
  Error,
  globalThis,
  JSONParse,
  JSONStringify,
  Number,
  NumberIsFinite,
  ReadableStream,
  Response,
  ResponsePrototypeArrayBuffer,
  ResponsePrototypeGetBody,
  SafeArrayIterator,
  String,
  TextEncoder,
  TextEncoderPrototypeEncode,
  TypeError,
  Uint8Array,
} from "../primordials.js";

/** The most keys of one call of `get()`. */
const MOST_KEYS = 100;
/** The most keys of a page of `list()`. */
const MOST_LISTED = 1000;

/** The type of values that options name. */
function typeOf(options) {
  const type = typeof options === "string" ? options : options?.type ?? "text";
  if (type !== "text" && type !== "json" && type !== "arrayBuffer" && type !== "stream") {
    throw new TypeError(`Unknown response type. Possible types are "text", "arrayBuffer", "json", and "stream", not "${type}".`);
  }
  const cacheTtl = options?.cacheTtl;
  if (cacheTtl !== undefined && !(cacheTtl >= 30)) {
    throw new Error(`KV GET failed: 400 Invalid cache_ttl of ${cacheTtl}. Cache TTL must be at least 30.`);
  }
  return type;
}

const textOf = (bytes) => new globalThis.TextDecoder().decode(bytes);

function valueOf(bytes, type) {
  switch (type) {
    case "text":
      return textOf(bytes);
    case "json":
      return JSONParse(textOf(bytes));
    case "arrayBuffer":
      return ArrayBufferViewPrototypeGetBuffer(bytes);
    default:
      return ResponsePrototypeGetBody(new Response(bytes));
  }
}

/** What is stored, as bytes. */
async function bytesOf(value) {
  if (typeof value === "string") return TextEncoderPrototypeEncode(new TextEncoder(), value);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBufferIsView(value)) {
    return new Uint8Array(
      ArrayBufferViewPrototypeGetBuffer(value),
      ArrayBufferViewPrototypeGetByteOffset(value),
      ArrayBufferViewPrototypeGetByteLength(value),
    );
  }
  if (value instanceof ReadableStream) {
    return new Uint8Array(await ResponsePrototypeArrayBuffer(new Response(value)));
  }
  if (value === undefined || (typeof value === "object" && value !== null) || typeof value === "function") {
    throw new TypeError("KV put() accepts only strings, ArrayBuffers, ArrayBufferViews, and ReadableStreams as values.");
  }
  return TextEncoderPrototypeEncode(new TextEncoder(), String(value));
}

/** A time in seconds; undefined where it is not given. */
function secondsOf(name, value) {
  if (value === undefined || value === null) return undefined;
  const seconds = Number(value);
  if (!NumberIsFinite(seconds) || seconds <= 0) {
    throw new Error(`KV PUT failed: 400 Invalid ${name} of ${value}. Please specify integer greater than 0.`);
  }
  return seconds;
}

export class KVNamespace {
  #id;

  /** @param {string} id of the namespace in the configuration */
  constructor(id) {
    this.#id = id;
  }

  async #entry(key, type) {
    const entry = await op_kv_get(this.#id, String(key));
    if (entry === null) return { value: null, metadata: null };
    const metadata = entry.metadata === null ? null : JSONParse(entry.metadata);
    return { value: valueOf(entry.value, type), metadata };
  }

  /** The entries of several keys, as a Map. */
  async #entries(keys, options, of) {
    const type = typeOf(options);
    if (type !== "text" && type !== "json") throw new Error(`KV GET_BULK failed: 400 "${type}" is not a valid type. Use "json" or "text"`);
    if (keys.length === 0 || keys.length > MOST_KEYS) {
      throw new Error(`KV GET_BULK failed: 400 You can request a maximum of ${MOST_KEYS} keys, and at least one.`);
    }
    const found = new globalThis.Map();
    for (const key of new SafeArrayIterator(keys)) found.set(key, of(await this.#entry(key, type)));
    return found;
  }

  async get(key, options = undefined) {
    if (ArrayIsArray(key)) return await this.#entries(key, options, ({ value }) => value);
    return (await this.#entry(key, typeOf(options))).value;
  }

  async getWithMetadata(key, options = undefined) {
    if (ArrayIsArray(key)) return await this.#entries(key, options, (entry) => entry.value === null ? null : entry);
    const { value, metadata } = await this.#entry(key, typeOf(options));
    return { value, metadata, cacheStatus: null };
  }

  async put(key, value, options = undefined) {
    const expiration = secondsOf("expiration", options?.expiration);
    const ttl = secondsOf("expiration_ttl", options?.expirationTtl);
    const metadata = options?.metadata ?? null;
    const bytes = await bytesOf(value);
    await op_kv_put(this.#id, String(key), bytes, {
      metadata: metadata === null ? null : JSONStringify(metadata),
      expiration: expiration ?? null,
      ttl: ttl ?? null,
    });
  }

  async delete(key) {
    const keys = ArrayIsArray(key) ? key : [key];
    for (const it of new SafeArrayIterator(keys)) await op_kv_delete(this.#id, String(it));
  }

  async list(options = undefined) {
    const { prefix, cursor, limit } = options ?? {};
    const most = limit === undefined || limit === null || limit === 0 ? MOST_LISTED : Number(limit);
    if (!(most > 0 && most <= MOST_LISTED)) {
      throw new Error(`KV list() failed: 400 Invalid key_count_limit of ${limit}. Please specify an integer less than 1000.`);
    }
    const page = await op_kv_list(this.#id, String(prefix ?? ""), cursor ? String(cursor) : null, most);
    const keys = ArrayPrototypeMap(page.keys, ({ name, expiration, metadata }) => {
      const key = { name };
      if (expiration !== null) key.expiration = expiration;
      if (metadata !== null) key.metadata = JSONParse(metadata);
      return key;
    });
    const result = { keys, list_complete: page.cursor === null, cacheStatus: null };
    if (page.cursor !== null) result.cursor = page.cursor;
    return result;
  }
}
