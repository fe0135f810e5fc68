// What handlers return, as answers; and answers of the host itself, which are JSON with an id of the request.

import { op_exchange_plain, op_log_error } from "ext:core/ops";
import { isTopic } from "ext:liveline/topic/answer.js";
import { LiveResponse } from "ext:liveline/live_response/live_response.js";
import {
  ArrayBufferIsView,
  ArrayIsArray,
  ArrayPrototypeEvery,
  ArrayPrototypeIncludes,
  Date,
  DatePrototypeToISOString,
  JSONStringify,
  MathRound,
  NumberIsInteger,
  ObjectAssign,
  ObjectKeys,
  Response,
  String,
  SymbolAsyncIterator,
  SymbolIterator,
} from "ext:liveline/primordials.js";
import { bytesOfBase64, newId, RequestError } from "ext:liveline_aiwebengine/request.js";
import { nameOf, targetOf } from "ext:liveline_aiwebengine/registry.js";

const TEXT = "text/plain; charset=UTF-8";
const JSON_TYPE = "application/json";

/** The members of an object that is an answer; an object without any of them is the body. */
const MEMBERS = ["status", "body", "bodyBase64", "contentType", "headers"];

const CODES = {
  __proto__: null,
  400: ["BAD_REQUEST", "Bad request"],
  401: ["UNAUTHORIZED", "Authentication required"],
  404: ["NOT_FOUND", "The requested resource was not found"],
  405: ["METHOD_NOT_ALLOWED", "The method is not allowed for this path"],
  413: ["PAYLOAD_TOO_LARGE", "The request body is too large"],
  426: ["UPGRADE_REQUIRED", "This path is for WebSockets"],
  429: ["TOO_MANY_REQUESTS", "Too many messages; try again later"],
  500: ["INTERNAL_SERVER_ERROR", "The handler failed; the log has the error under this request id"],
};

/** An answer of the host. */
export function failure(exchange, status, { message = undefined, id = newId(), headers = undefined } = { __proto__: null }) {
  op_exchange_plain(exchange.id);
  const { 0: code, 1: usual } = CODES[status] ?? CODES[500];
  const error = {
    code,
    message: message ?? usual,
    request_id: id,
    timestamp: DatePrototypeToISOString(new Date()),
    path: targetOf(exchange.url).pathname,
    method: exchange.method,
  };
  const body = JSONStringify({ error, status });
  const all = ObjectAssign({ "content-type": JSON_TYPE, "x-request-id": id }, headers);
  return new Response(exchange.method === "HEAD" ? null : body, { status, headers: all });
}

/** The answer for an error of a handler, which is logged unless it is the client's. */
export function failed(exchange, route, error) {
  if (error instanceof RequestError) return failure(exchange, error.status, { message: error.message });
  if (error?.name === "QuotaExceededError") {
    const isRate = error.retryAfter !== undefined;
    const seconds = isRate ? MathRound(error.retryAfter / 1000) || 1 : 1;
    return failure(exchange, isRate ? 429 : 413, { message: error.message, headers: isRate ? { "retry-after": `${seconds}` } : undefined });
  }
  const id = newId();
  op_log_error(`${route.method} ${route.path} of ${route.script.name} (request id ${id})`, error);
  return failure(exchange, 500, { id });
}

/** Whether a result is for the host itself: a Response, a live one, a topic, states from a generator. */
function isNative(value) {
  return value instanceof Response || value instanceof LiveResponse || isTopic(value) ||
    (typeof value[SymbolAsyncIterator] === "function") ||
    (typeof value[SymbolIterator] === "function" && !ArrayIsArray(value) && !ArrayBufferIsView(value));
}

/** Data may have a `body`, too, among other members. */
function isAnswer(value) {
  if (typeof value.status === "number") return true;
  const names = ObjectKeys(value);
  return names.length > 0 && ArrayPrototypeEvery(names, (name) => ArrayPrototypeIncludes(MEMBERS, name));
}

/** A handler's result as what the host answers with. */
export function answerOf(exchange, route, value) {
  if (value instanceof Response || value === null || typeof value !== "object" || !isNative(value)) op_exchange_plain(exchange.id);
  if (typeof value === "string") return text(200, value, TEXT);
  if (value === undefined || value === null) return new Response(null, { status: 204 });
  if (typeof value !== "object") return text(200, String(value), TEXT);
  if (isNative(value)) return value;
  if (!isAnswer(value)) return text(200, JSONStringify(value), JSON_TYPE);
  const status = value.status ?? 200;
  if (!NumberIsInteger(status) || status < 200 || status > 599) {
    throw new RequestError(500, `${nameOf(route.handler)} of ${route.script.name} returned the status ${String(status)}; it is a number from 200 to 599`);
  }
  const headers = ObjectAssign({ __proto__: null }, value.headers);
  const isEmpty = status === 204 || status === 205 || status === 304;
  if (value.bodyBase64 !== undefined && value.bodyBase64 !== null) {
    headers["content-type"] = value.contentType ?? headers["content-type"] ?? "application/octet-stream";
    return new Response(isEmpty ? null : bytesOfBase64(String(value.bodyBase64)), { status, headers });
  }
  const { body } = value;
  const isData = body !== null && typeof body === "object" && !ArrayBufferIsView(body);
  const type = value.contentType ?? contentTypeOf(headers) ?? (isData ? JSON_TYPE : TEXT);
  setType(headers, type);
  if (isEmpty) return new Response(null, { status, headers });
  const content = isData ? JSONStringify(body) : ArrayBufferIsView(body) ? body : body === undefined || body === null ? "" : String(body);
  return new Response(content, { status, headers });
}

function contentTypeOf(headers) {
  return headers["content-type"] ?? headers["Content-Type"];
}

function setType(headers, type) {
  delete headers["Content-Type"];
  headers["content-type"] = String(type);
}

function text(status, body, type) {
  return new Response(body, { status, headers: { "content-type": type } });
}

/** `ResponseBuilder`: the answers that scripts return. */
export const ResponseBuilder = {
  __proto__: null,
  json: (data, status = 200) => ({ status, body: JSONStringify(data), contentType: JSON_TYPE }),
  text: (body, status = 200) => ({ status, body: String(body), contentType: TEXT }),
  html: (body, status = 200) => ({ status, body: String(body), contentType: "text/html; charset=UTF-8" }),
  /** The arguments come in both orders. */
  error(first, second = undefined) {
    const isStatus = typeof first === "number";
    const status = isStatus ? first : second ?? 500;
    return { status, body: JSONStringify({ error: isStatus ? second ?? "" : first }), contentType: JSON_TYPE };
  },
  noContent: () => ({ status: 204, body: "" }),
  redirect: (location, status = 302) => ({ status, body: "", headers: { location: String(location) } }),
};
