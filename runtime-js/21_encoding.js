// Frames of a response, as HTTP answers and as frames on the line.

import { core } from "ext:core/mod.js";
import {
  op_answer,
  op_answer_data,
  op_answer_file,
  op_answer_stream,
  op_port_delta,
  op_port_frame,
  op_stream_end,
  op_stream_write,
} from "ext:core/ops";
import { fileOf } from "ext:liveline/40_static.js";
import { subscribe } from "ext:liveline/60_observer.js";

const EMPTY = 0;
const JSON_BODY = 1;
const TEXT_BODY = 2;

/**
 * Sends the frames of a response to the client of `exchange`: the first over HTTP, later ones on the line, and
 * what changes inside a body in between as deltas.
 */
export class Responder {
  #exchange;
  /** Ends the observation of bodies that may still change. */
  #observed = [];

  constructor(exchange) {
    this.#exchange = exchange;
    exchange.onEnd(() => this.#forgetBodies());
  }

  /** Whether a Response can go out as it is, its stream unread. */
  takesResponse() {
    return !this.#exchange.answered;
  }

  frame(frame, last) {
    const exchange = this.#exchange;
    if (exchange.ended) return;
    if (!frame.concurrent) this.#forgetBodies();
    if (exchange.answered) {
      const eventID = exchange.nextEventID("response.replace");
      op_port_frame(exchange.id, eventID, encodeFrame(frame), last);
      if (!last) this.#observe(frame.body, eventID, "body");
    } else {
      exchange.answered = true;
      answer(exchange, frame, last);
      this.observeFirst(frame.body);
    }
  }

  done() {
    this.#exchange.responseDone();
  }

  /** Follows the body that HTTP carried. */
  observeFirst(body) {
    this.#observe(body, "initial_response", null);
  }

  #observe(body, source, prefix) {
    if (!isPlain(body)) return;
    const { id } = this.#exchange;
    const send = (records) => op_port_delta(id, `${source}.mutate`, encodeRecords(records, prefix));
    this.#observed.push(subscribe(body, send));
  }

  #forgetBodies() {
    for (const unsubscribe of this.#observed) unsubscribe();
    this.#observed.length = 0;
  }
}

/**
 * Answers with data that is final as far as the handler goes. What holds the exchange open is known after
 * `returned()`; only then is it worth following the data's changes.
 */
export function answerPlain(exchange, body, returned) {
  exchange.answered = true;
  answer(exchange, plainFrame(body), true);
  returned();
  if (!exchange.ended && isPlain(body)) new Responder(exchange).observeFirst(body);
}

function plainFrame(body) {
  return { body, raw: undefined, status: 200, statusText: "", headers: null, hasHeaders: false };
}

/** A body on the line: JSON, and nothing that JSON cannot say. */
export function encodeJson(value, what) {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw new TypeError(`${what} cannot be sent as JSON: ${error.message}`, { cause: error });
  }
}

function encodeFrame({ body, status, statusText, headers, hasHeaders, type, url, concurrent }) {
  const plain = {};
  if (hasHeaders) {
    // Cookies are HTTP's alone.
    for (const [name, value] of headers) { if (name !== "set-cookie") plain[name] = value; }
  }
  const frame = { body: body ?? null, status, statusText, headers: plain, type, url, concurrent };
  return encodeJson(frame, "The response's body");
}

function encodeRecords(records, prefix) {
  const wire = records.map(({ type, key, value, isUpdate, path }) => ({
    type,
    key,
    value,
    isUpdate,
    operation: type === "delete" ? "deleteProperty" : "set",
    path: prefix === null ? path : [prefix, ...path],
  }));
  return encodeJson(wire, "A change of the response's body");
}

// -- HTTP ------------------------------------------------------------------------------------------------------------

function answer(exchange, frame, last) {
  const { body, raw, status, hasHeaders } = frame;
  if (raw !== undefined) return answerResponse(exchange, raw, last);
  const kind = plainKind(body);
  if (kind === -1) return answerResponse(exchange, responseOf(body, frame), last);
  const text = kind === EMPTY ? "" : kind === TEXT_BODY ? body : encodeJson(body, "The handler's result");
  const cookies = exchange.cookies?.changes() ?? [];
  if (status === 200 && !hasHeaders && frame.statusText === "" && cookies.length === 0) {
    op_answer_data(exchange.id, kind, text, last);
  } else {
    const headers = frame.headers === null ? [] : flatten(frame.headers);
    if (kind !== EMPTY && !frame.headers?.has("content-type")) headers.push("content-type", CONTENT_TYPES[kind]);
    for (const cookie of cookies) headers.push("set-cookie", cookie);
    op_answer(exchange.id, status, frame.statusText, headers, text, last);
  }
}

const CONTENT_TYPES = [null, "application/json", "text/plain;charset=UTF-8"];

function answerResponse(exchange, response, last) {
  const { getInnerResponse, wireHeaderList } = core.loadExtScript("ext:deno_fetch/23_response.js");
  if (response.bodyUsed) throw new TypeError("The Response's body was read already, so it cannot be sent.");
  const { status, statusText } = response;
  const file = fileOf(response);
  const inner = getInnerResponse(response);
  // Reading `headers` first makes the inner list complete.
  const headers = response.headers === null ? [] : wireHeaderList(inner).flat();
  for (const cookie of exchange.cookies?.changes() ?? []) headers.push("set-cookie", cookie);
  if (file !== undefined) return op_answer_file(exchange.id, status, headers, file, last);
  if (inner.body === null) return op_answer(exchange.id, status, statusText, headers, "", last);
  const { streamOrStatic } = inner.body;
  if (!(streamOrStatic instanceof ReadableStream)) {
    return op_answer(exchange.id, status, statusText, headers, streamOrStatic.body, last);
  }
  const stream = op_answer_stream(exchange.id, status, statusText, headers, last);
  pump(inner.body.stream, stream);
}

/** Moves a stream's chunks to the client, as fast as the client takes them. */
async function pump(source, stream) {
  const reader = source.getReader();
  try {
    while (true) {
      const { value, done } = await reader.read();
      if (done) break;
      const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
      if (!ArrayBuffer.isView(bytes)) throw new TypeError("A response's stream yields Uint8Arrays or strings.");
      if (!await op_stream_write(stream, bytes)) {
        await reader.cancel("The client left.");
        break;
      }
    }
    op_stream_end(stream, null);
  } catch (error) {
    op_stream_end(stream, error);
  }
}

// -- values and Responses --------------------------------------------------------------------------------------------

/** JSON, text, nothing, or -1 for what `Response` has its own way of sending. */
function plainKind(body) {
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
function isPlain(value) {
  if (value === null || typeof value !== "object") return false;
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null || Array.isArray(value)) return true;
  return !(ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof Blob ||
    value instanceof ReadableStream || value instanceof FormData || value instanceof URLSearchParams);
}

/** A Response that carries `body`. */
export function responseOf(body, { status, statusText, headers }) {
  const kind = plainKind(body);
  if (kind === EMPTY) return new Response(null, { status, statusText, headers });
  if (kind !== JSON_BODY) return new Response(body, { status, statusText, headers });
  const all = new Headers(headers);
  if (!all.has("content-type")) all.set("content-type", "application/json");
  return new Response(encodeJson(body, "The response's body"), { status, statusText, headers: all });
}

/** The value that a Response's body stands for. */
export async function valueOf(response) {
  const type = (response.headers.get("content-type") ?? "").split(";")[0].trim().toLowerCase();
  if (response.body === null) return null;
  if (type === "application/json" || type.endsWith("+json")) return await response.json();
  if (type === "multipart/form-data" || type === "application/x-www-form-urlencoded") {
    return Object.fromEntries(await response.formData());
  }
  if (type.startsWith("text/") || type === "" || /xml$|javascript$/.test(type)) return await response.text();
  if (/^(image|audio|video|application)\//.test(type)) return await response.blob();
  return new Uint8Array(await response.arrayBuffer());
}

/** `[name, value, name, value]`. */
function flatten(headers) {
  const flat = [];
  for (const [name, value] of headers) flat.push(name, value);
  return flat;
}
