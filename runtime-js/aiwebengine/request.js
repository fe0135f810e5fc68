// What handlers get: one object that is both the `req` of the first documents and the `context` of later ones.

import {
  op_crypto_uuid,
  op_form_multipart,
  op_form_urlencoded,
  op_request_collect,
  op_request_has_body,
  op_request_header,
  op_request_headers,
} from "ext:core/ops";
import { core } from "ext:core/mod.js";
import { nodeHeaders, readHeaders } from "ext:liveline/request.js";
import {
  ArrayPrototypePush,
  Error,
  ObjectDefineProperty,
  ObjectKeys,
  RegExpPrototypeExec,
  SafeArrayIterator,
  SafeRegExp,
  StringPrototypeStartsWith,
  StringPrototypeToLowerCase,
  StringPrototypeTrim,
  TextEncoder,
  TextEncoderPrototypeEncode,
  TypedArrayPrototypeSubarray,
} from "ext:liveline/primordials.js";
import { objectOf, targetOf } from "ext:liveline_aiwebengine/registry.js";

const { decode } = core;

/** An error with the status of the answer that it makes. */
export class RequestError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const EMPTY_PARAMS = { __proto__: null };
const FIELDS = 6;
const BOUNDARY = new SafeRegExp('boundary=(?:"([^"]+)"|([^;]+))', "i");

/** The id of an event, which is in answers and in the log. */
export const newId = () => op_crypto_uuid();

export const bytesOf = (text) => TextEncoderPrototypeEncode(new TextEncoder(), text);

/** Nobody is signed in: this host has no accounts of aiwebengine. */
function anonymous() {
  return {
    isAuthenticated: false,
    isAdmin: false,
    isEditor: false,
    userId: null,
    userEmail: null,
    userName: null,
    provider: null,
    user: null,
    requireAuth() {
      throw new RequestError(401, "Authentication required");
    },
  };
}

/**
 * Defines properties that are made when they are first read. They are the object's own, as those of a plain object are.
 * @param {object} target
 * @param {Record<string, () => unknown>} makers
 */
function lazily(target, makers) {
  for (const name of new SafeArrayIterator(ObjectKeys(makers))) {
    ObjectDefineProperty(target, name, {
      __proto__: null,
      configurable: true,
      enumerable: true,
      get() {
        const value = makers[name]();
        ObjectDefineProperty(target, name, { __proto__: null, configurable: true, enumerable: true, value, writable: true });
        return value;
      },
      set(value) {
        ObjectDefineProperty(target, name, { __proto__: null, configurable: true, enumerable: true, value, writable: true });
      },
    });
  }
  return target;
}

/** The body of a request, as bytes; null without one. */
async function bodyOf(exchange) {
  if (!op_request_has_body(exchange.id)) return null;
  return op_request_collect(exchange.id);
}

/** Reads the body first, which handlers find without waiting. @returns {Promise<object>} */
export async function contextWithBody(exchange, params, kind) {
  const bytes = await bodyOf(exchange);
  return contextOf(exchange, params, kind, bytes);
}

/** Whether handlers of a method find a body. */
export const hasBody = (exchange) => exchange.method !== "GET" && exchange.method !== "HEAD" && op_request_has_body(exchange.id);

/** The context of a request whose body was read. */
export function contextOf(exchange, params, kind, bytes = null) {
  const { pathname, query } = targetOf(exchange.url);
  const type = StringPrototypeToLowerCase(op_request_header(exchange.id, "content-type") ?? "");
  let parts = null;
  const form = () => parts ??= formOf(bytes, type, op_request_header(exchange.id, "content-type") ?? "");
  const request = lazily({ path: pathname, method: exchange.method, params: params ?? EMPTY_PARAMS }, {
    url: () => exchange.url,
    query: () => query === "" ? {} : objectOf(op_form_urlencoded(bytesOf(query))),
    headers: () => nodeHeaders(readHeaders(op_request_headers(exchange.id))),
    form: () => form().values,
    files: () => form().files,
    body: () => bytes === null ? "" : decode(bytes),
    bytes: () => bytes,
    auth: anonymous,
  });
  const context = { ...about(kind), ...descriptorsOf(request) };
  return lazily(context, {
    ...makersOf(request),
    request: () => request,
    args: () => ({ ...request.query, ...request.form }),
  });
}

/** What every context has. */
function about(kind) {
  return { kind, invocationId: newId(), metadata: {} };
}

/** The context of an event without a request. */
export function plainContext(kind, more) {
  return { ...about(kind), args: {}, request: null, auth: anonymous(), ...more };
}

const descriptorsOf = (request) => ({ path: request.path, method: request.method, params: request.params });

function makersOf(request) {
  const makers = { __proto__: null };
  for (const name of new SafeArrayIterator(["url", "query", "headers", "form", "files", "body", "bytes", "auth"])) {
    makers[name] = () => request[name];
  }
  return makers;
}

/** The values and files of a form; empty for other bodies. */
function formOf(bytes, type, exactType) {
  const values = {}, files = [];
  if (bytes === null) return { values, files };
  if (StringPrototypeStartsWith(type, "application/x-www-form-urlencoded")) {
    return { values: objectOf(op_form_urlencoded(bytes)), files };
  }
  if (!StringPrototypeStartsWith(type, "multipart/form-data")) return { values, files };
  const found = RegExpPrototypeExec(BOUNDARY, exactType);
  const parts = op_form_multipart(bytes, found === null ? "" : StringPrototypeTrim(found[1] ?? found[2]));
  const texts = [];
  for (let i = 0; i < parts.length; i += FIELDS) {
    const name = parts[i], text = parts[i + 1];
    if (text !== null && text !== undefined) {
      ArrayPrototypePush(texts, name);
      ArrayPrototypePush(texts, text);
      continue;
    }
    const content = TypedArrayPrototypeSubarray(bytes, parts[i + 4], parts[i + 5]);
    ArrayPrototypePush(files, lazily(
      { field: name, filename: parts[i + 2], contentType: parts[i + 3], size: content.length, bytes: content },
      { data: () => base64Of(content) },
    ));
  }
  return { values: objectOf(texts), files };
}

/** Bytes as base64. */
function base64Of(bytes) {
  const { forgivingBase64Encode } = core.loadExtScript("ext:deno_web/00_infra.js");
  return forgivingBase64Encode(bytes);
}

/** The bytes of base64. */
export function bytesOfBase64(text) {
  const { forgivingBase64Decode } = core.loadExtScript("ext:deno_web/00_infra.js");
  return forgivingBase64Decode(text);
}
