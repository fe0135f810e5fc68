// What a handler's result or a Response's body stands for: data, text, bytes.

import {
  ArrayBuffer,
  ArrayBufferIsView,
  ArrayBufferPrototypeGetByteLength,
  ArrayIsArray,
  Blob,
  encodeURIComponent,
  FormData,
  FormDataPrototypeEntries,
  Headers,
  HeadersPrototypeGet,
  HeadersPrototypeHas,
  HeadersPrototypeSet,
  JSONStringify,
  ObjectFromEntries,
  ObjectGetPrototypeOf,
  ObjectKeys,
  ObjectPrototype,
  ReadableStream,
  RegExpPrototypeTest,
  Response,
  ResponsePrototypeArrayBuffer,
  ResponsePrototypeBlob,
  ResponsePrototypeFormData,
  ResponsePrototypeGetBody,
  ResponsePrototypeGetHeaders,
  ResponsePrototypeJson,
  ResponsePrototypeText,
  SafeArrayIterator,
  SafeMap,
  SafeRegExp,
  String,
  StringPrototypeEndsWith,
  StringPrototypeReplace,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
  StringPrototypeToLowerCase,
  StringPrototypeTrim,
  TypeError,
  Uint8Array,
  URLSearchParams,
} from "../primordials.js";

export const EMPTY = 0;
export const JSON_BODY = 1;
export const TEXT_BODY = 2;

/** A body on the line: JSON, and nothing that JSON cannot represent. An error names the place, `place` being the value's. */
export function encodeJson(value, what, place = "$") {
  try {
    return JSONStringify(value);
  } catch (error) {
    const culprit = findCulprit(value, place, new SafeMap());
    throw new TypeError(`${what} cannot be sent as JSON: ${culprit ?? error.message}`, { cause: error });
  }
}

/** The place where JSON fails, or null where it is not for a BigInt or a cycle. */
function findCulprit(value, path, above) {
  if (typeof value === "bigint") return `${path} is a BigInt; send it as a string.`;
  if (value === null || typeof value !== "object" || typeof value.toJSON === "function") return null;
  if (above.has(value)) return `${path} leads back to ${above.get(value)}, a circular structure.`;
  // A path of more than 256 keys would not be readable.
  if (above.size > 256) return null;
  above.set(value, path);
  for (const key of new SafeArrayIterator(ObjectKeys(value))) {
    const culprit = findCulprit(value[key], `${path}.${key}`, above);
    if (culprit !== null) return culprit;
  }
  above.delete(value);
  return null;
}

/** JSON, text, nothing, or -1 for what `Response` has its own way of sending. */
export function plainKind(body) {
  if (body === undefined || body === null) return EMPTY;
  switch (typeof body) {
    case "string":
      return TEXT_BODY;
    case "function":
    case "symbol":
      throw new TypeError(`A handler cannot answer with a ${typeof body}.`);
    case "object":
      return isPlain(body) ? JSON_BODY : -1;
    default:
      return JSON_BODY;
  }
}

/** Data, as opposed to bytes, streams and forms. */
export function isPlain(value) {
  if (value === null || typeof value !== "object") return false;
  const prototype = ObjectGetPrototypeOf(value);
  if (prototype === ObjectPrototype || prototype === null || ArrayIsArray(value)) return true;
  return !(ArrayBufferIsView(value) || value instanceof ArrayBuffer || value instanceof Blob ||
    value instanceof ReadableStream || value instanceof FormData || value instanceof URLSearchParams);
}

/** A Response that carries `body`. */
export function responseOf(body, { status, statusText, headers }) {
  const kind = plainKind(body);
  if (kind === EMPTY) return new Response(null, { status, statusText, headers });
  if (kind !== JSON_BODY) return new Response(body, { status, statusText, headers });
  const all = new Headers(headers);
  if (!HeadersPrototypeHas(all, "content-type")) HeadersPrototypeSet(all, "content-type", "application/json");
  return new Response(encodeJson(body, "The response's body"), { status, statusText, headers: all });
}

/** How a form's names and values become an object. Pages without handlers do without the code that makes trees of names. */
let readForm = ObjectFromEntries;

/** From now on forms are read by another function. @param {(entries: Iterable<[string, unknown]>) => object} read */
export function readFormsBy(read) {
  readForm = read;
}

/** The value that a Response's body stands for. Bytes of an unknown type stay bytes. */
export async function valueOf(response) {
  const given = HeadersPrototypeGet(ResponsePrototypeGetHeaders(response), "content-type") ?? "";
  const type = StringPrototypeToLowerCase(StringPrototypeTrim(StringPrototypeSplit(given, ";")[0]));
  if (ResponsePrototypeGetBody(response) === null) return null;
  if (type === "application/json" || StringPrototypeEndsWith(type, "+json")) return await ResponsePrototypeJson(response);
  if (type === "multipart/form-data" || type === "application/x-www-form-urlencoded") {
    return readForm(FormDataPrototypeEntries(await ResponsePrototypeFormData(response)));
  }
  if (StringPrototypeStartsWith(type, "text/") || RegExpPrototypeTest(/xml$|javascript$/, type)) return await ResponsePrototypeText(response);
  if (RegExpPrototypeTest(/^(image|audio|video|application)\//, type)) return await ResponsePrototypeBlob(response);
  const bytes = await ResponsePrototypeArrayBuffer(response);
  return type === "" && ArrayBufferPrototypeGetByteLength(bytes) === 0 ? null : new Uint8Array(bytes);
}

/** The init of a response that leads to `url`, from a status or an init. */
export function redirectTo(url, init) {
  const { status = 302, headers, ...rest } = typeof init === "number" ? { __proto__: null, status: init } : init;
  const all = new Headers(headers);
  HeadersPrototypeSet(all, "Location", addressOf(url));
  return { ...rest, status, headers: all };
}

/** An address as a header can have it: what is not ASCII is escaped, escapes stay as they are. */
export function addressOf(url) {
  return StringPrototypeReplace(String(url), NOT_OF_ADDRESSES, encodeURIComponent);
}

const NOT_OF_ADDRESSES = new SafeRegExp(/[^!-~]+/gu);
