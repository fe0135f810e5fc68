// `@fastify/sensible`: errors by their names, and short forms for headers of caches.

import { core, primordials } from "ext:core/mod.js";

const {
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  ArrayPrototypePush,
  ArrayPrototypeReverse,
  ArrayPrototypeSome,
  Error,
  ErrorCaptureStackTrace,
  ObjectAssign,
  ObjectKeys,
  PromisePrototypeThen,
  PromiseResolve,
  RegExpPrototypeExec,
  SafeArrayIterator,
  SafeRegExp,
  String,
  StringPrototypeEndsWith,
  StringPrototypeIndexOf,
  StringPrototypeReplace,
  StringPrototypeSlice,
  StringPrototypeSplit,
  StringPrototypeToLowerCase,
  StringPrototypeToUpperCase,
  StringPrototypeTrim,
  SymbolFor,
  TypeError,
} = primordials;

/** The statuses that have a function of their name. */
const NAMES = {
  __proto__: null,
  badRequest: 400,
  unauthorized: 401,
  paymentRequired: 402,
  forbidden: 403,
  notFound: 404,
  methodNotAllowed: 405,
  notAcceptable: 406,
  proxyAuthenticationRequired: 407,
  requestTimeout: 408,
  conflict: 409,
  gone: 410,
  lengthRequired: 411,
  preconditionFailed: 412,
  payloadTooLarge: 413,
  uriTooLong: 414,
  unsupportedMediaType: 415,
  rangeNotSatisfiable: 416,
  expectationFailed: 417,
  imateapot: 418,
  misdirectedRequest: 421,
  unprocessableEntity: 422,
  locked: 423,
  failedDependency: 424,
  tooEarly: 425,
  upgradeRequired: 426,
  preconditionRequired: 428,
  tooManyRequests: 429,
  requestHeaderFieldsTooLarge: 431,
  unavailableForLegalReasons: 451,
  internalServerError: 500,
  notImplemented: 501,
  badGateway: 502,
  serviceUnavailable: 503,
  gatewayTimeout: 504,
  httpVersionNotSupported: 505,
  variantAlsoNegotiates: 506,
  insufficientStorage: 507,
  loopDetected: 508,
  bandwidthLimitExceeded: 509,
  notExtended: 510,
  networkAuthenticationRequired: 511,
};

export class HttpError extends Error {}

const statuses = () => core.createLazyLoader("node:http")().default.STATUS_CODES;
const NOT_WORD = new SafeRegExp("[^a-z]", "gi");

/** `createError(status?, message or error?, properties?)`, in any order. */
function createError(...given) {
  let error, message, status = 500, properties = {};
  for (let i = 0; i < given.length; i++) {
    const value = given[i];
    if (value instanceof Error) error = value;
    else if (typeof value === "number") status = value;
    else if (typeof value === "string") message = value;
    else if (value !== null && typeof value === "object") properties = value;
    else if (value !== undefined) throw new TypeError(`argument #${i + 1} unsupported type ${typeof value}`);
  }
  if (status < 400 || status > 599) status = 500;
  if (error === undefined) {
    const reason = statuses()[status];
    error = new HttpError(message ?? reason);
    ErrorCaptureStackTrace(error, createError);
    const words = ArrayPrototypeMap(StringPrototypeSplit(reason ?? "Error", " "), (word) => {
      const letters = StringPrototypeReplace(word, NOT_WORD, "");
      return StringPrototypeToUpperCase(StringPrototypeSlice(letters, 0, 1)) + StringPrototypeSlice(letters, 1);
    });
    const name = ArrayPrototypeJoin(words, "");
    error.name = StringPrototypeEndsWith(name, "Error") ? name : `${name}Error`;
    primordials.ObjectDefineProperty(error, "name", { __proto__: null, configurable: true, enumerable: false, value: error.name, writable: true });
  }
  if (error.status === undefined || error.statusCode !== status) {
    error.expose = status < 500;
    error.status = error.statusCode = status;
  }
  for (const key of new SafeArrayIterator(ObjectKeys(properties))) {
    if (key !== "status" && key !== "statusCode") error[key] = properties[key];
  }
  return error;
}

export const httpErrors = { __proto__: null };
for (const name of new SafeArrayIterator(ObjectKeys(NAMES))) {
  httpErrors[name] = (message, properties) => createError(NAMES[name], message ?? statuses()[NAMES[name]], properties);
}
ObjectAssign(httpErrors, {
  getHttpError: (status, message) => createError(+status, message ?? statuses()[status]),
  HttpError,
  createError,
});

const UNITS = { __proto__: null, ms: 1 / 1000, s: 1, sec: 1, second: 1, m: 60, min: 60, minute: 60, h: 3600, hr: 3600, hour: 3600,
  d: 86_400, day: 86_400, w: 604_800, week: 604_800, y: 31_557_600, yr: 31_557_600, year: 31_557_600 };
const TIME = new SafeRegExp("^(-?[\\d.]+)\\s*([a-z]+)$", "i");

/** Seconds of a number, or of a text such as `1 day`. */
function seconds(time) {
  if (typeof time !== "string") return time;
  const match = RegExpPrototypeExec(TIME, StringPrototypeTrim(time));
  if (match === null) return +time;
  const unit = StringPrototypeToLowerCase(match[2]);
  const known = UNITS[unit] ?? UNITS[StringPrototypeSlice(unit, 0, -1)];
  return primordials.MathTrunc(+match[1] * known);
}

/** Adds to the header `Cache-Control`. */
function cacheControl(type, time = undefined) {
  const known = this.getHeader("Cache-Control");
  const value = typeof type === "string" && time === undefined
    ? type
    : `${type}=${seconds(time)}`;
  this.header("Cache-Control", known ? `${known}, ${value}` : value);
  return this;
}

const TOKEN = new SafeRegExp("^\\*$|^[!#$%&'*+.^_`|~0-9A-Za-z-]+$");

function vary(field) {
  const fields = primordials.ArrayIsArray(field) ? field : StringPrototypeSplit(field, ",");
  for (const given of new SafeArrayIterator(fields)) {
    const name = StringPrototypeTrim(given);
    if (RegExpPrototypeExec(TOKEN, name) === null) throw new TypeError("field argument contains an invalid header name");
    const known = this.getHeader("Vary");
    if (!known) this.header("Vary", name);
    else {
      const names = StringPrototypeSplit(String(known), ",");
      if (!ArrayPrototypeSome(names, (it) => StringPrototypeToLowerCase(StringPrototypeTrim(it)) === StringPrototypeToLowerCase(name))) {
        this.header("Vary", `${known}, ${name}`);
      }
    }
  }
}

/** Whether the body has one of some types; the type, or false. */
function is(types) {
  const type = this.headers["content-type"];
  if (type === undefined) return false;
  const semicolon = StringPrototypeIndexOf(type, ";");
  const own = StringPrototypeToLowerCase(StringPrototypeTrim(semicolon === -1 ? type : StringPrototypeSlice(type, 0, semicolon)));
  const { 0: main, 1: sub } = StringPrototypeSplit(own, "/");
  for (const wanted of new SafeArrayIterator(primordials.ArrayIsArray(types) ? types : [types])) {
    const whole = SHORT[wanted] ?? wanted;
    if (StringPrototypeIndexOf(whole, "/") === -1) {
      if (whole[0] === "+" ? StringPrototypeEndsWith(own, whole) : sub === whole || StringPrototypeEndsWith(own, `+${whole}`)) return whole[0] === "+" ? own : wanted;
      continue;
    }
    const { 0: a, 1: b } = StringPrototypeSplit(whole, "/");
    const fits = (a === "*" || a === main) && (b === "*" || b === sub || (b[0] === "*" && StringPrototypeEndsWith(sub, StringPrototypeSlice(b, 1))));
    if (fits) return StringPrototypeIndexOf(whole, "*") === -1 ? wanted : own;
  }
  return false;
}
const SHORT = { __proto__: null, json: "application/json", html: "text/html", text: "text/plain", xml: "application/xml",
  urlencoded: "application/x-www-form-urlencoded", multipart: "multipart/*" };

export function sensible(server, options, done) {
  const { sharedSchemaId } = options;
  if (sharedSchemaId) {
    server.addSchema({
      $id: sharedSchemaId,
      type: "object",
      properties: {
        statusCode: { type: "number" },
        code: { type: "string" },
        error: { type: "string" },
        message: { type: "string" },
      },
    });
  }
  server.decorate("httpErrors", httpErrors);
  server.decorate("assert", assertion());
  server.decorate("to", (promise) =>
    PromisePrototypeThen(PromiseResolve(promise), (value) => [null, value], (error) => [error, undefined]));
  server.decorateRequest("forwarded", function () {
    const named = this.headers["x-forwarded-for"];
    const list = named === undefined ? [] : ArrayPrototypeReverse(ArrayPrototypeMap(StringPrototypeSplit(named, ","), (it) => StringPrototypeTrim(it)));
    const all = [this.raw.socket.remoteAddress];
    for (const address of new SafeArrayIterator(list)) ArrayPrototypePush(all, address);
    return all;
  });
  server.decorateRequest("proxyaddr", function (trust) {
    const all = this.forwarded();
    let i = 0;
    const trusts = typeof trust === "function" ? trust : (address) => ArrayPrototypeSome(primordials.ArrayIsArray(trust) ? trust : [trust], (it) => it === address);
    while (i + 1 < all.length && trusts(all[i], i)) i += 1;
    return all[i];
  });
  server.decorateRequest("is", is);
  server.decorateReply("vary", vary);
  server.decorateReply("cacheControl", cacheControl);
  server.decorateReply("preventCache", function () {
    this.header("Cache-Control", "no-store, max-age=0, private").header("Pragma", "no-cache").header("Expires", "0");
    return this;
  });
  server.decorateReply("revalidate", function () {
    this.header("Cache-Control", "max-age=0, must-revalidate");
    return this;
  });
  server.decorateReply("staticCache", function (time) {
    this.header("Cache-Control", `public, max-age=${seconds(time)}, immutable`);
    return this;
  });
  server.decorateReply("stale", function (type, time) {
    if (type !== "while-revalidate" && type !== "if-error") throw new Error(`fastify-sensible: Unsupported stale type '${type}'`);
    return this.cacheControl(`stale-${type}`, time);
  });
  server.decorateReply("maxAge", function (time) {
    return this.cacheControl("max-age", time);
  });
  for (const name of new SafeArrayIterator(ObjectKeys(NAMES))) {
    server.decorateReply(name, function (message, properties) {
      this.send(httpErrors[name](message, properties));
      return this;
    });
  }
  server.decorateReply("getHttpError", function (status, message) {
    this.send(httpErrors.getHttpError(status, message));
    return this;
  });
  done();
}

function assertion() {
  const { isDeepStrictEqual } = core.createLazyLoader("node:util")().default;
  const assert = (value, status, message, properties) => {
    if (!value) throw createError(status, message, properties);
  };
  // deno-lint-ignore eqeqeq
  assert.equal = (a, b, ...rest) => assert(a == b, ...new SafeArrayIterator(rest));
  assert.notEqual = (a, b, ...rest) => assert(a != b, ...new SafeArrayIterator(rest));
  assert.strictEqual = (a, b, ...rest) => assert(a === b, ...new SafeArrayIterator(rest));
  assert.notStrictEqual = (a, b, ...rest) => assert(a !== b, ...new SafeArrayIterator(rest));
  assert.deepEqual = (a, b, ...rest) => assert(isDeepStrictEqual(a, b), ...new SafeArrayIterator(rest));
  assert.notDeepEqual = (a, b, ...rest) => assert(!isDeepStrictEqual(a, b), ...new SafeArrayIterator(rest));
  assert.ok = assert;
  return assert;
}

sensible[SymbolFor("skip-override")] = true;
sensible[SymbolFor("fastify.display-name")] = "@fastify/sensible";
sensible[SymbolFor("plugin-meta")] = { fastify: "5.x", name: "@fastify/sensible" };
