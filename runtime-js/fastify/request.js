// The request that hooks and handlers get. What they do not read is not made.

import { primordials } from "ext:core/mod.js";
import { nodeHeaders } from "ext:liveline/request.js";
import { codes } from "ext:liveline_fastify/errors.js";
import { eachChunk } from "ext:liveline_fastify/transport.js";
import { rawOf } from "ext:liveline_fastify/raw.js";

const {
  ArrayPrototypePush,
  ArrayIsArray,
  ObjectDefineProperty,
  SafeArrayIterator,
  StringPrototypeIncludes,
  StringPrototypeIndexOf,
  StringPrototypeLastIndexOf,
  StringPrototypeReplace,
  StringPrototypeSlice,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
  StringPrototypeToLowerCase,
  StringPrototypeTrim,
  Symbol,
  SymbolFor,
  decodeURIComponent,
} = primordials;

export const kTransport = Symbol("fastify.transport");
export const kContext = SymbolFor("fastify.context");
export const kReply = Symbol("fastify.replyOfRequest");
const kQuery = Symbol("query");
const kHeaders = Symbol("headers");
const kAdded = Symbol("headers.added");
const kLog = Symbol("log");
const PLUS = new primordials.SafeRegExp("\\+", "g");

function decoded(text) {
  if (StringPrototypeIncludes(text, "+")) text = StringPrototypeReplace(text, PLUS, " ");
  if (!StringPrototypeIncludes(text, "%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Reads a query; a name that stands there several times has an array. */
function parseQuery(text) {
  const query = { __proto__: null };
  if (text === "") return query;
  const parts = StringPrototypeSplit(text, "&");
  for (let i = 0; i < parts.length; i++) {
    const pair = parts[i];
    if (pair === "") continue;
    const equals = StringPrototypeIndexOf(pair, "=");
    const name = decoded(equals === -1 ? pair : StringPrototypeSlice(pair, 0, equals));
    const value = equals === -1 ? "" : decoded(StringPrototypeSlice(pair, equals + 1));
    const known = query[name];
    if (known === undefined) query[name] = value;
    else if (ArrayIsArray(known)) ArrayPrototypePush(known, value);
    else query[name] = [known, value];
  }
  return query;
}

export function Request(id, params, transport, query, context) {
  this.id = id;
  this[kContext] = context;
  this.params = params;
  this[kTransport] = transport;
  this[kQuery] = query;
  this[kHeaders] = null;
  this[kAdded] = undefined;
  this[kLog] = null;
  this[kReply] = null;
  this.body = undefined;
  this.validationError = undefined;
}

function define(name, get, set = undefined) {
  ObjectDefineProperty(Request.prototype, name, { __proto__: null, configurable: true, enumerable: true, get, set });
}

function method(name, value) {
  ObjectDefineProperty(Request.prototype, name, { __proto__: null, configurable: true, writable: true, value });
}

define("server", function () {
  return this[kContext].server;
});
define("raw", function () {
  return rawOf(this[kTransport]).req;
});
define("req", function () {
  return this.raw;
});
define("method", function () {
  return this[kTransport].method;
});
define("url", function () {
  return this[kTransport].url;
});
define("originalUrl", function () {
  return this[kTransport].originalUrl ?? this[kTransport].url;
});
define("query", function () {
  const query = this[kQuery];
  if (typeof query !== "string") return query;
  const { querystringParser } = this[kContext].server.initialOptions;
  return this[kQuery] = (querystringParser ?? parseQuery)(query);
}, function (value) {
  this[kQuery] = value;
});
define("headers", function () {
  this[kHeaders] ??= nodeHeaders(this[kTransport].headerList());
  return this[kHeaders];
}, function (value) {
  this[kHeaders] = primordials.ObjectAssign({}, this.headers, value);
});
define("log", function () {
  return this[kLog] ??= this[kContext].loggerFor(this);
}, function (value) {
  this[kLog] = value;
});
define("is404", function () {
  return this[kContext].isNotFound;
});
define("socket", function () {
  return this.raw.socket;
});
define("connection", function () {
  return this.raw.socket;
});
define("signal", function () {
  return this[kTransport].signal;
});

/** The addresses that a trusted proxy names, nearest first; null where none is trusted. */
function forwarded(request, name) {
  const trust = request[kContext].server.trustProxy;
  if (!trust) return null;
  const value = request.header(name);
  return value === undefined ? null : primordials.ArrayPrototypeMap(StringPrototypeSplit(value, ","), (part) => StringPrototypeTrim(part));
}

define("ips", function () {
  const trust = this[kContext].server.trustProxy;
  if (!trust) return undefined;
  const list = [this[kTransport].peer, ...new SafeArrayIterator(primordials.ArrayPrototypeReverse(forwarded(this, "x-forwarded-for") ?? []))];
  // As far as each address is a trusted proxy.
  const ips = [list[0]];
  for (let i = 0; i + 1 < list.length && trust(list[i], i); i++) ArrayPrototypePush(ips, list[i + 1]);
  return ips;
});
define("ip", function () {
  const { ips } = this;
  return ips === undefined ? this[kTransport].peer : ips[ips.length - 1];
});
define("host", function () {
  const named = forwarded(this, "x-forwarded-host");
  if (named !== null && this[kContext].server.trustProxy(this[kTransport].peer, 0)) return named[named.length - 1];
  return this.header("host") ?? this.header(":authority") ?? "";
});
define("hostname", function () {
  const { host } = this;
  if (StringPrototypeStartsWith(host, "[")) return StringPrototypeSlice(host, 0, StringPrototypeIndexOf(host, "]") + 1);
  return StringPrototypeSplit(host, ":")[0];
});
define("port", function () {
  const { host } = this;
  const colon = StringPrototypeLastIndexOf(host, ":");
  if (colon === -1 || colon < StringPrototypeIndexOf(host, "]")) return null;
  const port = primordials.NumberParseInt(StringPrototypeSlice(host, colon + 1), 10);
  return primordials.NumberIsNaN(port) ? null : port;
});
define("protocol", function () {
  const named = forwarded(this, "x-forwarded-proto");
  if (named !== null && this[kContext].server.trustProxy(this[kTransport].peer, 0)) return named[named.length - 1];
  return this[kTransport].isSecure ? "https" : "http";
});
define("mediaType", function () {
  const type = this.header("content-type");
  return type === undefined ? undefined : StringPrototypeToLowerCase(StringPrototypeTrim(StringPrototypeSplit(type, ";")[0]));
});
define("routeOptions", function () {
  const context = this[kContext];
  return {
    method: context.route?.method,
    url: context.route?.url,
    bodyLimit: context.bodyLimit,
    handlerTimeout: context.handlerTimeout || undefined,
    attachValidation: context.attachValidation,
    logLevel: context.logLevel,
    exposeHeadRoute: context.route?.exposeHeadRoute ?? context.server.initialOptions.exposeHeadRoutes,
    prefixTrailingSlash: context.route?.prefixTrailingSlash,
    handler: context.handler,
    config: context.config,
    schema: context.schema,
    version: context.route?.constraints?.version,
  };
});

/** One header, without the others where they were not read. */
method("header", function (name) {
  return this[kHeaders] === null ? this[kTransport].header(name) : this[kHeaders][name];
});

/** The whole body as a Buffer; `stream` is what a hook has put in place of it. */
method("collect", async function (stream, limit) {
  if (stream === undefined || stream === null || stream === this[kTransport].raw?.req) {
    return this[kTransport].collect();
  }
  const chunks = [];
  let length = 0;
  await eachChunk(stream, (chunk) => {
    length += chunk.length;
    if (length > limit) throw new codes.FST_ERR_CTP_BODY_TOO_LARGE();
    ArrayPrototypePush(chunks, typeof chunk === "string" ? this[kTransport].bytesOf(chunk) : chunk);
  });
  return this[kTransport].concatenated(chunks);
});

method("getValidationFunction", function (partOrSchema) {
  const context = this[kContext];
  if (typeof partOrSchema === "string") return context.validators[partOrSchema === "query" ? "querystring" : partOrSchema];
  return context.compiled.get(partOrSchema);
});
method("compileValidationSchema", function (schema, httpPart = null) {
  const context = this[kContext];
  const known = context.compiled.get(schema);
  if (known !== undefined) return known;
  const { method: verb, url } = this.routeOptions;
  const compiled = context.validatorCompiler({ schema, method: verb, url, httpPart });
  context.compiled.set(schema, compiled);
  return compiled;
});
method("validateInput", function (input, schema, httpPart) {
  const part = typeof schema === "string" ? schema : httpPart;
  let check = typeof schema === "string" ? this.getValidationFunction(schema) : undefined;
  if (check === undefined && schema !== null && typeof schema === "object") check = this.compileValidationSchema(schema, httpPart ?? null);
  if (check === undefined) throw new codes.FST_ERR_REQ_INVALID_VALIDATION_INVOCATION(part);
  return check(input);
});
method("getDecorator", function (name) {
  if (!(name in this)) throw new codes.FST_ERR_DEC_UNDECLARED(name, "request");
  const value = this[name];
  return typeof value === "function" ? primordials.FunctionPrototypeBind(value, this) : value;
});
method("setDecorator", function (name, value) {
  if (!(name in this)) throw new codes.FST_ERR_DEC_UNDECLARED(name, "request");
  this[name] = value;
});
