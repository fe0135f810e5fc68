// `@fastify/cors`: which pages of other sites may read answers.

import { primordials } from "ext:core/mod.js";
import { isThenable } from "ext:liveline_fastify/queue.js";

const {
  ArrayIsArray,
  ArrayPrototypeIncludes,
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  ArrayPrototypeSome,
  Error,
  FunctionPrototypeCall,
  NumberIsInteger,
  ObjectAssign,
  PromisePrototypeThen,
  PromiseResolve,
  RegExp,
  RegExpPrototypeTest,
  String,
  StringPrototypeSplit,
  StringPrototypeToLowerCase,
  StringPrototypeTrim,
  SymbolFor,
  TypeError,
} = primordials;

const DEFAULTS = {
  origin: "*",
  methods: "GET,HEAD,POST",
  hook: "onRequest",
  preflightContinue: false,
  optionsSuccessStatus: 204,
  credentials: false,
  exposedHeaders: null,
  allowedHeaders: null,
  maxAge: null,
  preflight: true,
  strictPreflight: true,
};

const HOOKS = ["onRequest", "preParsing", "preValidation", "preHandler", "preSerialization", "onSend"];

function settingsOf(options) {
  const settings = ObjectAssign({}, DEFAULTS, options);
  const list = (value) => ArrayIsArray(value) ? ArrayPrototypeJoin(value, ", ") : value;
  settings.exposedHeaders = list(settings.exposedHeaders);
  settings.allowedHeaders = list(settings.allowedHeaders);
  settings.methods = list(settings.methods);
  if (ArrayIsArray(settings.origin) && ArrayPrototypeIncludes(settings.origin, "*")) settings.origin = "*";
  const { cacheControl } = settings;
  if (NumberIsInteger(cacheControl)) settings.cacheControl = `max-age=${cacheControl}`;
  return settings;
}

/** Adds a name to the header `Vary`. */
function vary(reply, name) {
  const known = reply.getHeader("Vary");
  if (!known) return void reply.header("Vary", name);
  const text = ArrayIsArray(known) ? ArrayPrototypeJoin(known, ", ") : String(known);
  if (text === "*") return;
  const names = ArrayPrototypeMap(StringPrototypeSplit(text, ","), (part) => StringPrototypeToLowerCase(StringPrototypeTrim(part)));
  if (name === "*") reply.header("Vary", "*");
  else if (!ArrayPrototypeSome(names, (it) => it === StringPrototypeToLowerCase(name))) reply.header("Vary", `${text}, ${name}`);
}

function matches(origin, allowed) {
  if (ArrayIsArray(allowed)) return ArrayPrototypeSome(allowed, (one) => matches(origin, one));
  if (typeof allowed === "string") return origin === allowed;
  if (allowed instanceof RegExp) {
    allowed.lastIndex = 0;
    return RegExpPrototypeTest(allowed, origin);
  }
  return !!allowed;
}

function originFor(origin, allowed) {
  if (allowed === "*") return "*";
  if (typeof allowed === "string") return allowed;
  if (allowed === true) return origin;
  return matches(origin, allowed) ? origin : false;
}

export function cors(server, options, done) {
  server.decorateRequest("corsPreflightEnabled", false);
  // Options that are a function were called with the instance: what it returned is one for each request.
  const delegator = typeof options === "function" ? options : options.delegator ?? null;
  const { hook = "onRequest", hideOptionsRoute = true, logLevel } = options;
  if (delegator !== null && (typeof delegator !== "function" || delegator.length > 2)) {
    return done(new TypeError("Invalid CORS origin option"));
  }
  if (!ArrayPrototypeSome(HOOKS, (name) => name === hook)) return done(new TypeError("@fastify/cors: Invalid hook option provided."));
  const { cacheControl } = options;
  const isCacheValid = cacheControl === undefined || cacheControl === null || typeof cacheControl === "string" && cacheControl.length > 0 ||
    NumberIsInteger(cacheControl) && cacheControl > 0;
  if (!isCacheValid) {
    server.log.warn("[@fastify/cors] Invalid cacheControl option provided.");
    options = ObjectAssign({}, options, { cacheControl: null });
  }
  const own = typeof options === "object" ? settingsOf(options) : null;
  const run = (request, reply, next) => {
    if (delegator === null) return apply(server, own, request, reply, next);
    const given = (error, chosen) => {
      if (error) return next(error);
      apply(server, ObjectAssign(settingsOf(chosen), { isDecided: true }), request, reply, next);
    };
    const result = FunctionPrototypeCall(delegator, server, request, given);
    if (isThenable(result)) PromisePrototypeThen(PromiseResolve(result), (chosen) => given(null, chosen), given);
  };
  if (hook === "onRequest" || hook === "preValidation" || hook === "preHandler") {
    server.addHook(hook, (request, reply, next) => run(request, reply, next));
  } else {
    server.addHook(hook, (request, reply, payload, next) => run(request, reply, (error) => next(error, payload)));
  }
  // Every path has an answer to a preflight; whether it is one the hook decides.
  server.options("*", { schema: { hide: hideOptionsRoute }, logLevel }, (request, reply) => {
    if (!request.corsPreflightEnabled) {
      reply.callNotFound();
      return;
    }
    reply.send();
  });
  done();
}

/** A route may have settings of its own, or none of this at all. */
function apply(server, shared, request, reply, next) {
  const own = request.routeOptions.config?.cors;
  if (own === false) return next();
  const settings = own === undefined ? shared : settingsOf(ObjectAssign({}, shared, own));
  const { origin } = settings;
  // What is answered depends on the origin of the request.
  if (settings.isDecided || (typeof origin !== "string" && origin !== false)) vary(reply, "Origin");
  decide(server, origin, request, (error, allowed) => {
    if (error !== null) return next(error);
    if (allowed === false) return next();
    if (!allowed) return next(new Error("Invalid CORS origin option"));
    if (settings.preflight && request.method === "OPTIONS") return preflight(settings, allowed, request, reply, next);
    heads(settings, allowed, request, reply);
    next();
  });
}

function decide(server, origin, request, end) {
  if (typeof origin !== "function") return end(null, origin);
  const result = FunctionPrototypeCall(origin, server, request.headers.origin, (error, allowed) => end(error ?? null, allowed));
  if (isThenable(result)) PromisePrototypeThen(PromiseResolve(result), (allowed) => end(null, allowed), (error) => end(error));
}

function heads(settings, allowed, request, reply) {
  const origin = originFor(request.headers.origin, allowed);
  if (origin) reply.header("Access-Control-Allow-Origin", origin);
  if (settings.credentials) reply.header("Access-Control-Allow-Credentials", "true");
  if (settings.exposedHeaders !== null) reply.header("Access-Control-Expose-Headers", settings.exposedHeaders);
}

function preflight(settings, allowed, request, reply, next) {
  heads(settings, allowed, request, reply);
  const isStrict = settings.strictPreflight &&
    (!request.headers.origin || !request.headers["access-control-request-method"]);
  if (isStrict) {
    reply.status(400).type("text/plain").send("Invalid Preflight Request");
    return;
  }
  request.corsPreflightEnabled = true;
  reply.header("Access-Control-Allow-Methods", settings.methods);
  if (settings.allowedHeaders === null) {
    vary(reply, "Access-Control-Request-Headers");
    const asked = request.headers["access-control-request-headers"];
    if (asked !== undefined) reply.header("Access-Control-Allow-Headers", asked);
  } else {
    reply.header("Access-Control-Allow-Headers", settings.allowedHeaders);
  }
  if (settings.maxAge !== null && settings.maxAge !== undefined) reply.header("Access-Control-Max-Age", String(settings.maxAge));
  if (settings.cacheControl) reply.header("Cache-Control", settings.cacheControl);
  if (settings.preflightContinue) return next();
  reply.code(settings.optionsSuccessStatus).header("Content-Length", "0").send();
}

cors[SymbolFor("skip-override")] = true;
cors[SymbolFor("fastify.display-name")] = "@fastify/cors";
cors[SymbolFor("plugin-meta")] = { fastify: "5.x", name: "@fastify/cors" };

