// The reply that hooks and handlers get: its head, what it sends, and what becomes of errors.

import { primordials } from "ext:core/mod.js";
import { globalThis, Headers, HeadersPrototypeEntries } from "ext:liveline/primordials.js";
import { codes } from "ext:liveline_fastify/errors.js";
import { runPayloadHooks, runQuietly } from "ext:liveline_fastify/hooks.js";
import { isThenable } from "ext:liveline_fastify/queue.js";
import { rawOf } from "ext:liveline_fastify/raw.js";
import { kContext, kTransport } from "ext:liveline_fastify/request.js";
import { serializerFor } from "ext:liveline_fastify/schemas.js";

const {
  ArrayIsArray,
  ArrayBufferIsView,
  ArrayPrototypeIncludes,
  ArrayPrototypeFind,
  ArrayPrototypePush,
  Error,
  FunctionPrototypeCall,
  JSONStringify,
  NumberIsInteger,
  ObjectDefineProperty,
  ObjectKeys,
  ObjectPrototypeToString,
  PromisePrototypeThen,
  PromiseResolve,
  RegExpPrototypeTest,
  SafeArrayIterator,
  SafeRegExp,
  SafeSet,
  String,
  StringPrototypeIncludes,
  StringPrototypeToLowerCase,
  Symbol,
  TypeError,
} = primordials;

export const kHeaders = Symbol("fastify.reply.headers");
const kStatus = Symbol("fastify.reply.status");
const kHasStatus = Symbol("fastify.reply.hasStatus");
const kIsSent = Symbol("fastify.reply.isSent");
const kIsHijacked = Symbol("fastify.reply.isHijacked");
const kNextHandler = Symbol("fastify.reply.nextErrorHandler");
const kInOnError = Symbol("fastify.reply.isRunningOnErrorHook");
const kSerializer = Symbol("fastify.reply.serializer");
const kTrailers = Symbol("fastify.reply.trailers");
const { performance } = globalThis;
const readClock = performance.now;
/** Milliseconds with fractions. */
const now = () => primordials.ReflectApply(readClock, performance, []);

/** Whether hooks before sending are passed over. */
const kBegan = Symbol("fastify.reply.began");
const kTook = Symbol("fastify.reply.took");
const kRawUsed = Symbol("fastify.reply.raw");

export { kIsHijacked };

/** The names of statuses, by number. */
export let STATUS_CODES = { __proto__: null };

export function setStatusCodes(table) {
  STATUS_CODES = table;
}

export function Reply(transport, request) {
  this[kTransport] = transport;
  this.request = request;
  this[kHeaders] = { __proto__: null };
  this[kStatus] = 200;
  this[kHasStatus] = false;
  this[kIsSent] = false;
  this[kIsHijacked] = false;
  this[kNextHandler] = null;
  this[kInOnError] = false;
  this[kSerializer] = null;
  this[kTrailers] = null;
  this[kBegan] = now();
  this[kTook] = -1;
  this[kRawUsed] = null;
}

function accessor(name, get, set = undefined) {
  ObjectDefineProperty(Reply.prototype, name, { __proto__: null, configurable: true, enumerable: true, get, set });
}

function method(name, value) {
  ObjectDefineProperty(Reply.prototype, name, { __proto__: null, configurable: true, writable: true, value });
}

accessor("server", function () {
  return this.request[kContext].server;
});
accessor("log", function () {
  return this.request.log;
}, function (log) {
  this.request.log = log;
});
accessor("raw", function () {
  return this[kRawUsed] ??= rawOf(this[kTransport]).res;
});
accessor("res", function () {
  return this.raw;
});
accessor("sent", function () {
  return this[kIsSent] || this[kIsHijacked] || (this[kRawUsed] !== null && this[kRawUsed].writableEnded);
});
accessor("statusCode", function () {
  return this[kRawUsed] !== null && !this[kHasStatus] ? this[kRawUsed].statusCode : this[kStatus];
}, function (status) {
  this.code(status);
});
accessor("elapsedTime", function () {
  return this[kTook] !== -1 ? this[kTook] : now() - this[kBegan];
});
accessor("routeOptions", function () {
  return this.request.routeOptions;
});

method("code", function (given) {
  const status = typeof given === "number" ? given : +given;
  if (!NumberIsInteger(status) || status < 100 || status > 599) throw new codes.FST_ERR_BAD_STATUS_CODE(String(given));
  this[kStatus] = status;
  this[kHasStatus] = true;
  if (this[kRawUsed] !== null) this[kRawUsed].statusCode = status;
  return this;
});
method("status", function (status) {
  return this.code(status);
});
method("header", function (name, value = "") {
  const key = StringPrototypeToLowerCase(String(name));
  const headers = this[kHeaders];
  if (key === "set-cookie" && headers[key] !== undefined) {
    const known = ArrayIsArray(headers[key]) ? headers[key] : [headers[key]];
    const more = ArrayIsArray(value) ? value : [value];
    headers[key] = [...new SafeArrayIterator(known), ...new SafeArrayIterator(more)];
  } else {
    headers[key] = value;
  }
  return this;
});
method("headers", function (all) {
  for (const name of new SafeArrayIterator(ObjectKeys(all))) this.header(name, all[name]);
  return this;
});
method("getHeader", function (name) {
  const key = StringPrototypeToLowerCase(name);
  return this[kHeaders][key] ?? this[kRawUsed]?.getHeader(key);
});
method("getHeaders", function () {
  return primordials.ObjectAssign({}, this[kRawUsed]?.getHeaders(), this[kHeaders]);
});
method("hasHeader", function (name) {
  return this[kHeaders][StringPrototypeToLowerCase(name)] !== undefined;
});
method("removeHeader", function (name) {
  delete this[kHeaders][StringPrototypeToLowerCase(name)];
  return this;
});
method("type", function (type) {
  return this.header("content-type", type);
});
method("redirect", function (url, status = undefined) {
  // Before Fastify 5 the status came first.
  if (typeof url === "number") return this.redirect(status, url);
  this.header("location", url);
  this.code(status ?? (this[kHasStatus] ? this.statusCode : 302));
  return this.send();
});
method("serializer", function (serialize) {
  this[kSerializer] = serialize;
  return this;
});
method("hijack", function () {
  this[kIsHijacked] = true;
  return this;
});
method("trailer", function (name, value) {
  const key = StringPrototypeToLowerCase(name);
  if (ArrayPrototypeIncludes(["transfer-encoding", "content-length", "host", "cache-control", "authorization", "set-cookie",
    "content-encoding", "content-type", "content-range", "trailer"], key)) {
    throw new codes.FST_ERR_BAD_TRAILER_NAME(key);
  }
  if (typeof value !== "function") throw new codes.FST_ERR_BAD_TRAILER_VALUE(key, typeof value);
  (this[kTrailers] ??= { __proto__: null })[key] = value;
  return this;
});
method("hasTrailer", function (name) {
  return this[kTrailers]?.[StringPrototypeToLowerCase(name)] !== undefined;
});
method("removeTrailer", function (name) {
  if (this[kTrailers] !== null) this[kTrailers][StringPrototypeToLowerCase(name)] = undefined;
  return this;
});
method("serialize", function (payload) {
  if (this[kSerializer] !== null) return this[kSerializer](payload);
  const context = this.request[kContext];
  if (context.replySerializer) return context.replySerializer(payload, this.statusCode);
  return serialized(context, payload, this.statusCode, this[kHeaders]["content-type"]);
});
method("getSerializationFunction", function (schemaOrStatus, type) {
  const context = this.request[kContext];
  if (typeof schemaOrStatus !== "object") return serializerFor(context, schemaOrStatus, type);
  return context.compiled.get(schemaOrStatus);
});
method("compileSerializationSchema", function (schema, httpStatus = null, contentType = null) {
  const context = this.request[kContext];
  const known = context.compiled.get(schema);
  if (known !== undefined) return known;
  const { method: verb, url } = this.request.routeOptions;
  const compiled = context.serializerCompiler({ schema, method: verb, url, httpStatus, contentType });
  context.compiled.set(schema, compiled);
  return compiled;
});
method("serializeInput", function (input, schema, httpStatus, contentType) {
  let serialize = this.getSerializationFunction(schema, httpStatus);
  if (typeof schema === "object" && serialize === undefined) serialize = this.compileSerializationSchema(schema, httpStatus, contentType);
  if (serialize === undefined) throw new codes.FST_ERR_MISSING_SERIALIZATION_FN(schema);
  return serialize(input);
});
method("getDecorator", function (name) {
  if (!(name in this)) throw new codes.FST_ERR_DEC_UNDECLARED(name, "reply");
  const value = this[name];
  return typeof value === "function" ? primordials.FunctionPrototypeBind(value, this) : value;
});
method("callNotFound", function () {
  const { isNotFound, server } = this.request[kContext];
  if (isNotFound) {
    this.log.warn("Trying to send a NotFound error inside a 404 handler. Sending basic 404 response.");
    this.code(404).send("404 Not Found");
  } else {
    server.callNotFound(this.request, this);
  }
  return this;
});
method("writeEarlyHints", function (_, callback) {
  // The host sends no interim answers.
  callback?.();
  return this;
});
method("then", function (fulfilled, rejected) {
  if (this.sent && this[kTook] !== -1) return fulfilled();
  this[kTransport].whenDone((error) => {
    if (!error) fulfilled();
    else if (rejected) rejected(error);
    else this.log.warn("unhandled rejection on reply.then");
  });
});

const isStream = (value) => typeof value.pipe === "function";
const tagOf = (value) => ObjectPrototypeToString(value);

method("send", function (payload) {
  if (this[kInOnError]) throw new codes.FST_ERR_SEND_INSIDE_ONERR();
  if (this.sent) {
    this.log.warn({ err: new codes.FST_ERR_REP_ALREADY_SENT(this.request.url, this.request.method) });
    return this;
  }
  if (payload !== null && typeof payload === "object" && isErrorObject(payload)) {
    sendError(this, payload);
    return this;
  }
  if (payload === undefined) {
    beforeSending(this, payload);
    return this;
  }
  const headers = this[kHeaders];
  const type = headers["content-type"];
  if (payload !== null) {
    if (typeof payload === "object") {
      if (isStream(payload) || tagOf(payload) === "[object ReadableStream]" || tagOf(payload) === "[object Response]") {
        beforeSending(this, payload);
        return this;
      }
      if (ArrayBufferIsView(payload)) {
        if (type === undefined) headers["content-type"] = "application/octet-stream";
        beforeSending(this, this[kTransport].bytesOf(payload));
        return this;
      }
    } else if (typeof payload === "string") {
      if (type === undefined) headers["content-type"] = "text/plain; charset=utf-8";
      else if (StringPrototypeIncludes(type, "json") && !StringPrototypeIncludes(type, "charset")) {
        headers["content-type"] = `${type}; charset=utf-8`;
      }
      if (this[kSerializer] === null) {
        beforeSending(this, payload);
        return this;
      }
    }
  }
  if (this[kSerializer] !== null) {
    serializeThenSend(this, payload);
    return this;
  }
  if (typeof payload !== "string" && (type === undefined || StringPrototypeIncludes(type, "json"))) {
    if (type === undefined) headers["content-type"] = "application/json; charset=utf-8";
    else if (!StringPrototypeIncludes(type, "charset")) headers["content-type"] = `${type}; charset=utf-8`;
    serializeThenSend(this, payload);
    return this;
  }
  beforeSending(this, payload);
  return this;
});

/** Runs the hooks before serialization, then serializes. */
function serializeThenSend(reply, payload) {
  const context = reply.request[kContext];
  const hooks = context.preSerialization;
  const goOn = (error, value) => {
    if (error) return sendError(reply, error);
    let text;
    try {
      text = reply.serialize(value);
    } catch (failure) {
      return sendError(reply, failure);
    }
    beforeSending(reply, text);
  };
  if (hooks === null) return goOn(null, payload);
  runPayloadHooks(hooks, context.server, reply.request, reply, payload, goOn);
}

function serialized(context, payload, status, type) {
  const serialize = serializerFor(context, status, type);
  return serialize === undefined ? JSONStringify(payload) : serialize(payload);
}

function beforeSending(reply, payload) {
  const context = reply.request[kContext];
  const hooks = context.onSend;
  if (hooks === null || reply[kTransport].isOver) return write(reply, payload);
  runPayloadHooks(hooks, context.server, reply.request, reply, payload, (error, value) => {
    if (error) sendError(reply, error);
    else write(reply, value);
  });
}

/** Statuses of answers without a body. */
const EMPTY = new SafeSet([204, 304]);

function write(reply, payload) {
  if (reply[kIsSent]) return;
  const invalid = invalidHeader(reply[kHeaders]);
  if (invalid !== null) {
    delete reply[kHeaders][invalid.header];
    return sendError(reply, invalid);
  }
  const transport = reply[kTransport];
  const headers = reply[kHeaders];
  const status = reply.statusCode;
  if (payload !== undefined && payload !== null && typeof payload === "object" && tagOf(payload) === "[object Response]") {
    reply[kIsSent] = true;
    const all = headersOfResponse(payload);
    for (const name of new SafeArrayIterator(ObjectKeys(all))) headers[name] ??= all[name];
    if (!reply[kHasStatus]) reply.code(payload.status);
    if (payload.bodyUsed) {
      reply[kIsSent] = false;
      return sendError(reply, new codes.FST_ERR_REP_RESPONSE_BODY_CONSUMED());
    }
    return payload.body === null ? transport.answer(reply.statusCode, headerList(reply), null) : stream(reply, payload.body);
  }
  if (payload === undefined || payload === null || EMPTY.has(status) || status < 200) {
    if (payload === undefined || payload === null) {
      const isOwnHead = transport.method === "HEAD" && !reply.request[kContext].isAutomatic;
      if (status >= 200 && !EMPTY.has(status) && !isOwnHead) headers["content-length"] ??= "0";
    }
    if (payload !== undefined && payload !== null) {
      if (status !== 304) delete headers["content-type"];
      delete headers["content-length"];
      if (typeof payload === "object" && isStream(payload)) payload.on?.("error", () => {});
    }
    reply[kIsSent] = true;
    return transport.answer(status, headerList(reply), null);
  }
  if (typeof payload === "object" && !ArrayBufferIsView(payload)) {
    if (isStream(payload)) {
      reply[kIsSent] = true;
      return stream(reply, payload);
    }
    if (tagOf(payload) === "[object ReadableStream]") {
      if (payload.locked) return sendError(reply, new codes.FST_ERR_REP_READABLE_STREAM_LOCKED());
      reply[kIsSent] = true;
      return stream(reply, payload);
    }
  }
  if (typeof payload !== "string" && !ArrayBufferIsView(payload)) {
    return sendError(reply, new codes.FST_ERR_REP_INVALID_PAYLOAD_TYPE(typeof payload));
  }
  reply[kIsSent] = true;
  if (transport.method === "HEAD") headers["content-length"] ??= String(transport.lengthOf(payload));
  transport.answer(status, headerList(reply), payload);
}

function stream(reply, source) {
  const transport = reply[kTransport];
  const list = headerList(reply);
  if (transport.method === "HEAD") {
    source.destroy?.();
    return transport.answer(reply.statusCode, list, null);
  }
  transport.answerStream(reply.statusCode, list, source, (error) => {
    // Nothing was sent yet, so that the error is the answer.
    reply[kIsSent] = false;
    sendError(reply, error);
  }, (error) => {
    if (error) reply.log.error({ err: error }, "response terminated with an error with headers already sent");
  });
}

function headersOfResponse({ headers }) {
  const all = { __proto__: null };
  const add = (value, name) => {
    all[name] = all[name] === undefined ? value : [...new SafeArrayIterator(ArrayIsArray(all[name]) ? all[name] : [all[name]]), value];
  };
  if (headers instanceof Headers) {
    for (const { 0: name, 1: value } of new SafeArrayIterator(HeadersPrototypeEntries(headers))) add(value, name);
  } else {
    // The Response of a package.
    primordials.ReflectApply(headers.forEach, headers, [add]);
  }
  return all;
}

/** Names of headers are tokens, and their values have no line breaks (RFC 9110 section 5). */
const NAME = new SafeRegExp("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$");
const INVALID = new SafeRegExp("[^\\t\\x20-\\x7e\\x80-\\xff]");
const LINE_BREAK = new SafeRegExp("[\\r\\n\\0]");

/** The error of the first header that cannot be sent, as Node has it; null if all can. */
export function invalidHeader(headers) {
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined) continue;
    if (!RegExpPrototypeTest(NAME, name)) {
      return refused(name, "ERR_INVALID_HTTP_TOKEN", `Header name must be a valid HTTP token ["${name}"]`);
    }
    // The host escapes addresses.
    const wrong = name === "location" ? LINE_BREAK : INVALID;
    const values = ArrayIsArray(value) ? value : [value];
    for (let i = 0; i < values.length; i++) {
      if (typeof values[i] !== "number" && RegExpPrototypeTest(wrong, String(values[i]))) {
        return refused(name, "ERR_INVALID_CHAR", `Invalid character in header content ["${name}"]`);
      }
    }
  }
  return null;
}

function refused(name, code, message) {
  const error = new TypeError(message);
  error.code = code;
  error.header = name;
  return error;
}

/** The head as a flat list of pairs, with what was set on Node's response. */
function headerList(reply) {
  const headers = reply[kHeaders];
  const list = [];
  const raw = reply[kRawUsed];
  const add = (name, value) => {
    if (value === undefined) return;
    if (ArrayIsArray(value)) {
      for (let i = 0; i < value.length; i++) ArrayPrototypePush(list, [name, String(value[i])]);
    } else {
      ArrayPrototypePush(list, [name, typeof value === "string" ? value : String(value)]);
    }
  };
  if (raw !== null && !raw.headersSent) {
    const set = raw.getHeaders();
    for (const name of new SafeArrayIterator(ObjectKeys(set))) {
      if (headers[name] === undefined) add(name, set[name]);
    }
  }
  for (const name in headers) add(name, headers[name]);
  return list;
}

/** An answer was sent, or could not be. */
export function answered(reply, error) {
  const { request } = reply;
  // A socket is no answer that hooks or the log follow.
  if (reply[kTransport].hasSocket) return;
  const context = request[kContext];
  reply[kTook] = now() - reply[kBegan];
  reply[kIsSent] = true;
  const log = () => {
    if (error) context.server.logController.failed(request, reply, error);
    else context.server.logController.completed(request, reply);
  };
  const hooks = context.onResponse;
  if (hooks === null) return log();
  runQuietly(hooks, context.server, [request, reply], (failure) => {
    reply.log.error({ err: failure }, failure?.message ?? "onResponse failed");
    log();
  }, log);
}

// -- errors ----------------------------------------------------------------------------------------------------------

/** Answers with an error, by the error handlers from the innermost out. */
export function sendError(reply, error) {
  const context = reply.request[kContext];
  const hooks = context.onError;
  // They have run where a handler passes the error on. They run again for what goes wrong with the last answer.
  const isPassedOn = reply[kNextHandler] !== null && reply[kNextHandler] !== LAST_ANSWER;
  if (hooks === null || isPassedOn) return handle(reply, error);
  reply[kInOnError] = true;
  runQuietly(hooks, context.server, [reply.request, reply, error], () => {
    reply[kInOnError] = false;
    handle(reply, error);
  }, () => {
    reply[kInOnError] = false;
    handle(reply, error);
  });
}

/** In the place of the next handler of errors: no handler is left. */
const NO_HANDLER = { __proto__: null };
/** In the same place: the error was sent as JSON, which hooks before sending may spoil, but only once. */
const LAST_ANSWER = { __proto__: null };

function handle(reply, error) {
  if (reply[kTransport].isOver) return;
  const context = reply.request[kContext];
  const next = reply[kNextHandler];
  const handler = next === null ? context.errorHandler ?? NO_HANDLER : next;
  delete reply[kHeaders]["content-type"];
  delete reply[kHeaders]["content-length"];
  if (handler === LAST_ANSWER) return write(reply, errorText(reply, error));
  if (handler === NO_HANDLER) {
    reply[kNextHandler] = LAST_ANSWER;
    return beforeSending(reply, errorText(reply, error));
  }
  // What the handler throws goes to the one around it.
  reply[kNextHandler] = handler.outer ?? NO_HANDLER;
  let result;
  try {
    result = FunctionPrototypeCall(handler.func, handler.server ?? context.server, error, reply.request, reply);
  } catch (thrown) {
    if (!reply.sent) sendThrown(reply, thrown);
    return;
  }
  if (result === undefined) return;
  if (isThenable(result)) followResult(result, reply);
  else reply.send(result);
}

/** Sends what a handler of errors has thrown, which need not be an error. */
function sendThrown(reply, thrown) {
  if (isErrorObject(thrown)) sendError(reply, thrown);
  else reply.send(thrown);
}

/** Sends what a handler's promise resolves with. */
export function followResult(promise, reply) {
  PromisePrototypeThen(PromiseResolve(promise), (payload) => {
    if (reply[kIsHijacked]) return;
    if (payload === reply || reply.sent || reply[kTransport].isOver) return;
    try {
      reply.send(payload);
    } catch (error) {
      sendError(reply, error);
    }
  }, (error) => {
    if (reply.sent) {
      return reply.log.error({ err: error }, "Promise errored, but reply.sent = true was set");
    }
    sendError(reply, error);
  });
}

/** The handler of errors that nobody else handles. */
export function defaultErrorHandler(error, request, reply) {
  setHeaders(error, reply);
  const own = [error?.statusCode, error?.status, reply[kHasStatus] ? reply.statusCode : 500];
  reply.code(ArrayPrototypeFind(own, (status) => status >= 400 && status <= 599) ?? 500);
  const log = context(reply).server.logController;
  log.errored(request, reply, error);
  sendThrown(reply, error);
}

const isErrorObject = (value) => value instanceof Error || tagOf(value) === "[object Error]";
const context = (reply) => reply.request[kContext];

function setHeaders(error, reply) {
  const headers = error?.headers;
  if (headers === undefined || headers === null || typeof headers !== "object") return;
  for (const name of new SafeArrayIterator(ObjectKeys(headers))) reply.header(name, headers[name]);
}

/** An error as JSON, with the status that the reply has. */
function errorText(reply, error) {
  const status = reply.statusCode;
  reply[kHeaders]["content-type"] ??= "application/json; charset=utf-8";
  let text;
  try {
    const serialize = serializerFor(context(reply), status, reply[kHeaders]["content-type"]);
    if (serialize !== undefined && error !== null && typeof error === "object") {
      const value = { error: STATUS_CODES[status], message: error.message, statusCode: status };
      for (const key of new SafeArrayIterator(ObjectKeys(error))) value[key] ??= error[key];
      value.code = error.code;
      text = serialize(value);
    } else if (error !== null && typeof error === "object") {
      text = JSONStringify({ statusCode: status, code: error.code, error: STATUS_CODES[status], message: error.message ?? "" });
    } else {
      text = JSONStringify(error);
    }
  } catch (failure) {
    reply.log.error({ err: failure, statusCode: status }, "The serializer for the given status code failed");
    reply.code(500);
    const wrapped = new codes.FST_ERR_FAILED_ERROR_SERIALIZATION(failure.message, error?.message);
    text = JSONStringify({ statusCode: 500, code: wrapped.code, error: STATUS_CODES[500], message: wrapped.message });
  }
  return text;
}

