// Routes: what is declared, what each is made of when the application is ready, and those of paths that nobody answers.

import { primordials } from "ext:core/mod.js";
import { codes } from "ext:liveline_fastify/errors.js";
import { checkFunction, OF_REQUEST } from "ext:liveline_fastify/hooks.js";

import { at } from "ext:liveline_fastify/queue.js";
import { completeSchema, compileSchemas } from "ext:liveline_fastify/schemas.js";

const {
  ArrayIsArray,
  ArrayPrototypeIncludes,
  ArrayPrototypeMap,
  ArrayPrototypePush,
  FunctionPrototypeCall,
  NumberIsInteger,
  ObjectAssign,
  ObjectKeys,
  SafeArrayIterator,
  SafeMap,

  SafeWeakMap,

  StringPrototypeEndsWith,
  StringPrototypeSlice,
  StringPrototypeStartsWith,
  StringPrototypeToUpperCase,
  Symbol,
} = primordials;

export const kState = Symbol("fastify.state");
const kAddedByHost = Symbol("fastify.addedByHost");

export const METHODS = ["GET", "HEAD", "TRACE", "DELETE", "OPTIONS", "PATCH", "PUT", "POST", "QUERY"];

/** What a route needs while it answers, made of its options and of the instance that it belongs to. */
export class Context {
  onRequest = null;
  preParsing = null;
  preValidation = null;
  preHandler = null;
  preSerialization = null;
  onSend = null;
  onResponse = null;
  onError = null;
  onTimeout = null;
  onRequestAbort = null;
  validators = { __proto__: null };
  hasValidators = false;
  serializers = null;
  compiled = new SafeWeakMap();
  isNotFound = false;
  isDefault = false;
  /** @type {Function | null} answers sockets */
  wsHandler = null;

  constructor(server, route, handler) {
    this.server = server;
    this.route = route;
    this.handler = handler;
    this.config = ObjectAssign({}, route.config, { url: route.url, method: route.method });
    this.constraints = route.constraints === undefined || ObjectKeys(route.constraints).length === 0 ? null : route.constraints;
    this.schema = route.schema;
    this.attachValidation = route.attachValidation === true;
    this.logLevel = route.logLevel ?? server[kState].logLevel;
    this.logSerializers = route.logSerializers;
    this.bodyLimit = route.bodyLimit ?? server[kState].app.options.bodyLimit;
    this.handlerTimeout = route.handlerTimeout ?? server[kState].app.options.handlerTimeout ?? 0;
  }

  /** Takes over what the instance has by now. */
  complete() {
    const { server, route } = this;
    const state = server[kState];
    for (const name of new SafeArrayIterator(OF_REQUEST)) {
      const own = route[name];
      const more = own === undefined || own === null ? [] : ArrayIsArray(own) ? own : [own];
      const hooks = [...new SafeArrayIterator(state.hooks[name]), ...new SafeArrayIterator(more)];
      this[name] = hooks.length === 0 ? null : hooks;
    }
    this.parsers = state.parsers;
    this.bodyless = state.app.bodyless;
    this.Request = state.Request;
    this.Reply = state.Reply;
    this.errorHandler = route.errorHandler === undefined
      ? state.errorHandler
      : { func: route.errorHandler, server, outer: state.errorHandler };
    this.replySerializer = state.replySerializer;
    this.schemaErrorFormatter = route.schemaErrorFormatter ?? state.schemaErrorFormatter ?? state.app.options.schemaErrorFormatter;
    this.validatorCompiler = route.validatorCompiler ?? state.validatorCompiler ?? state.app.compilers.validator(state.bucket);
    this.serializerCompiler = route.serializerCompiler ?? state.serializerCompiler ?? state.app.compilers.serializer(state.bucket);
    this.childLoggerFactory = route.childLoggerFactory ?? state.childLoggerFactory;
    this.genReqId = state.genReqId;
    this.schema = route.schema === undefined ? undefined : completeSchema(route.schema);
    compileSchemas(this, ArrayIsArray(route.method) ? route.method[0] : route.method, route.url);
    this.hasValidators = ObjectKeys(this.validators).length > 0;
  }

  loggerFor(request) {
    const { server } = this;
    const options = {};
    if (this.logLevel) options.level = this.logLevel;
    if (this.logSerializers) options.serializers = this.logSerializers;
    const { requestIdLogLabel } = server[kState].app.options;
    const make = this.childLoggerFactory;
    if (make) return FunctionPrototypeCall(make, server, server.log, { [requestIdLogLabel]: request.id }, options, request.raw);
    return server.log.child({ [requestIdLogLabel]: request.id }, options);
  }
}

/** Declares a route of an instance. */
export function addRoute(server, given, isAddedByHost = false) {
  const state = server[kState];
  const { app } = state;
  app.checkNotListening();
  const options = ObjectAssign({}, given);
  if (options.wsHandler !== undefined && options.wsHandler !== null && typeof options.wsHandler !== "function") {
    throw new primordials.TypeError("invalid wsHandler function");
  }
  const { prefix } = state;
  const path = options.url ?? options.path ?? "";
  if (options.method === undefined && !options.handler) throw new codes.FST_ERR_ROUTE_MISSING_HANDLER(options.method, path);
  const list = ArrayIsArray(options.method) ? options.method : [options.method];
  const methods = ArrayPrototypeMap(list, (name) => {
    if (typeof name !== "string") throw new codes.FST_ERR_ROUTE_METHOD_INVALID();
    const upper = StringPrototypeToUpperCase(name);
    if (!ArrayPrototypeIncludes(app.methods, upper)) throw new codes.FST_ERR_ROUTE_METHOD_NOT_SUPPORTED(upper);
    return upper;
  });
  options.method = ArrayIsArray(options.method) ? methods : methods[0];
  const isSocket = options.websocket === true || typeof options.wsHandler === "function";
  // A HEAD cannot become a socket: it is answered with 404.
  if (isSocket && !primordials.ArrayPrototypeEvery(methods, (method) => method === "GET" || method === "HEAD")) {
    throw new primordials.Error("websocket handler can only be declared in GET method");
  }
  if (typeof path !== "string") throw new codes.FST_ERR_INVALID_URL(typeof path);
  const shown = methods.length === 1 ? methods[0] : primordials.ArrayPrototypeJoin(methods, ",");
  if (!options.handler) {
    if (!(typeof options.wsHandler === "function")) throw new codes.FST_ERR_ROUTE_MISSING_HANDLER(shown, path);
  }
  if (options.errorHandler !== undefined && typeof options.errorHandler !== "function") {
    throw new codes.FST_ERR_ROUTE_HANDLER_NOT_FN(shown, path);
  }
  const { bodyLimit } = options;
  if (bodyLimit !== undefined && (!NumberIsInteger(bodyLimit) || bodyLimit <= 0)) {
    throw new codes.FST_ERR_ROUTE_BODY_LIMIT_OPTION_NOT_INT(bodyLimit);
  }
  const { handlerTimeout } = options;
  if (handlerTimeout !== undefined && (!NumberIsInteger(handlerTimeout) || handlerTimeout <= 0)) {
    throw new codes.FST_ERR_ROUTE_HANDLER_TIMEOUT_OPTION_NOT_INT(handlerTimeout);
  }
  for (const method of new SafeArrayIterator(methods)) {
    if (app.bodyless.has(method) && options.schema?.body !== undefined && options.schema.body !== null) {
      throw new codes.FST_ERR_ROUTE_BODY_VALIDATION_SCHEMA_NOT_SUPPORTED(method, path);
    }
  }
  for (const name of new SafeArrayIterator(OF_REQUEST)) {
    const own = options[name];
    if (own === undefined || own === null) continue;
    for (const hook of new SafeArrayIterator(ArrayIsArray(own) ? own : [own])) checkFunction(name, hook);
  }
  if (options.logLevel !== undefined && server.log.levels?.values !== undefined && options.logLevel !== "silent" &&
    server.log.levels.values[options.logLevel] === undefined) {
    throw new codes.FST_ERR_ROUTE_LOG_LEVEL_INVALID(shown, path, options.logLevel);
  }
  const put = (url, isSecond = false) =>
    putRoute(server, ObjectAssign({}, options), url, prefix, methods, isAddedByHost, isSocket, isSecond);
  if (path === "/" && prefix !== "" && methods.length > 0) {
    switch (options.prefixTrailingSlash) {
      case "slash":
        put(path);
        break;
      case "no-slash":
        put("");
        break;
      default:
        put("");
        if (!app.options.ignoreTrailingSlash && !(app.options.ignoreDuplicateSlashes && StringPrototypeEndsWith(prefix, "/"))) {
          put(path, true);
        }
    }
  } else if (StringPrototypeStartsWith(path, "/") && StringPrototypeEndsWith(prefix, "/")) {
    put(StringPrototypeSlice(path, 1));
  } else {
    put(path);
  }
  return server;
}

/** Fails if a path is none. */
function checkPath(url) {
  const why = url === "" ? "The path could not be empty" : "The first character of a path should be `/` or `*`";
  if (url[0] === "/" || url[0] === "*") return;
  const error = new primordials.Error(why);
  error.code = "ERR_ASSERTION";
  throw error;
}

function putRoute(server, options, path, prefix, methods, isAddedByHost, isSocket, isSecond = false) {
  const state = server[kState];
  const { app } = state;
  const url = prefix + path;
  checkPath(url);
  options.url = url;
  options.path = url;
  options.prefix = prefix;
  options.routePath = path;
  options.logLevel = options.logLevel ?? state.logLevel;
  const constraints = options.constraints ?? {};
  options.constraints = constraints;
  if (isSocket) options.schema = ObjectAssign({}, options.schema, { hide: options.handler !== undefined && options.wsHandler !== undefined ? options.schema?.hide : true });
  for (const method of new SafeArrayIterator(methods)) {
    const there = app.router.declared(method, url, constraints);
    if (there !== undefined) {
      if (there.isAutomatic) app.router.remove(there);
      else if (!(isAddedByHost && method === "HEAD")) throw duplicate(method, url, there);
      else return;
    }
  }
  if (!isSecond) {
    for (const hook of new SafeArrayIterator(state.hooks.onRoute)) FunctionPrototypeCall(hook, server, options);
  }
  const { handler } = options;
  const isBound = typeof handler === "function";
  let answer = isBound ? handler : null;
  // Both forms of a path are one route, by the name of the first.
  if (isSecond) options.url = options.path = prefix || "/";
  const context = new Context(server, options, answer);
  context.place = primordials.FunctionPrototypeCall(placeHere, null);
  if (options.websocket === true) {
    context.wsHandler = typeof options.wsHandler === "function" ? options.wsHandler : handler;
    if (typeof options.wsHandler !== "function") context.handler = answer = null;
  } else if (typeof options.wsHandler === "function") {
    context.wsHandler = options.wsHandler;
  }
  if (context.wsHandler !== null) app.hasSockets = true;
  context.isAutomatic = options[kAddedByHost] === true || isAddedByHost;
  for (const method of new SafeArrayIterator(methods)) app.router.add(method, url, context);
  ArrayPrototypePush(app.contexts, context);
  if (app.isReady) context.complete();
  const exposes = options.exposeHeadRoute ?? app.options.exposeHeadRoutes;
  if (exposes && ArrayPrototypeIncludes(methods, "GET") && !isAddedByHost && app.router.declared("HEAD", url, constraints) === undefined) {
    const copy = ObjectAssign({}, options, { method: "HEAD" });
    putRoute(server, copy, path, prefix, ["HEAD"], true, false);
  }
}

/** Where the code stands that declares a route. */
function placeHere() {
  return places.placeOf(placeHere);
}

const places = { placeOf: () => "" };

/** Sets what finds the place of code. */
export function usePlaces(placeOf) {
  places.placeOf = placeOf;
}

function duplicate(method, url, there) {
  const error = new codes.FST_ERR_DUPLICATED_ROUTE(method, url);
  return at(error, "", there.place ?? "");
}

/** The handler of paths without a route that nobody has set. */
function basicNotFound(request, reply) {
  const { url, method } = request;
  const message = `Route ${method}:${url} not found`;
  request.log.info(message);
  reply.code(404).send({ message, error: "Not Found", statusCode: 404 });
}

/** The handlers of paths without a route, by the prefix that each is for. */
export class NotFound {
  #byPrefix = new SafeMap();

  constructor(root) {
    const context = new Context(root, { method: "*", url: "*" }, basicNotFound);
    context.isNotFound = true;
    context.isDefault = true;
    this.#byPrefix.set("", context);
  }

  set(server, prefix, handler, hooks) {
    const key = prefix === "/" ? "" : prefix;
    const known = this.#byPrefix.get(key);
    if (known !== undefined && !known.isDefault) {
      throw new primordials.Error(`Not found handler already set for Fastify instance with prefix: '${prefix || "/"}'`);
    }
    const context = new Context(server, ObjectAssign({ method: "*", url: "*" }, hooks), handler ?? basicNotFound);
    context.isNotFound = true;
    this.#byPrefix.set(key, context);
    return context;
  }

  complete() {
    for (const context of this.#byPrefix.values()) context.complete();
  }

  /** The innermost one for a path. */
  innermost(path) {
    let best = this.#byPrefix.get(""), length = -1;
    if (this.#byPrefix.size === 1) return best;
    for (const { 0: prefix, 1: context } of this.#byPrefix.entries()) {
      const fits = prefix === "" || path === prefix || StringPrototypeStartsWith(path, StringPrototypeEndsWith(prefix, "/") ? prefix : `${prefix}/`);
      if (fits && prefix.length > length) {
        best = context;
        length = prefix.length;
      }
    }
    return best;
  }
}


