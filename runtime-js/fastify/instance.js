// An application and its instances: the root, and one for each plugin that is encapsulated.

import { core, primordials } from "ext:core/mod.js";
import { addressFor } from "ext:liveline_fastify/adopted.js";
import { Application, each } from "ext:liveline_fastify/application.js";
import { alreadyThere, checkDependencies, decorateClass, hasMember, placesOf, put } from "ext:liveline_fastify/decorators.js";
import { codes } from "ext:liveline_fastify/errors.js";
import { checkHook, copyOf, emptyHooks, isInherited, runOnce } from "ext:liveline_fastify/hooks.js";
import { chain, inject } from "ext:liveline_fastify/inject.js";
import { answerNotFound } from "ext:liveline_fastify/lifecycle.js";
import { loggerOf, silent } from "ext:liveline_fastify/logger.js";
import { checkOptions, initialConfigOf, trustOf } from "ext:liveline_fastify/options.js";
import { jsonParser, Parsers, textParser } from "ext:liveline_fastify/parsers.js";
import { checkPlugin } from "ext:liveline_fastify/plugin.js";
import { printed, printedPlugins } from "ext:liveline_fastify/print.js";
import { Boot, isAsync, nameOf, placeOf } from "ext:liveline_fastify/queue.js";
import { defaultErrorHandler, Reply, setStatusCodes } from "ext:liveline_fastify/reply.js";
import { Request } from "ext:liveline_fastify/request.js";
import { addRoute, kState, METHODS, NotFound, usePlaces } from "ext:liveline_fastify/routes.js";
import { Bucket, plainSchema } from "ext:liveline_fastify/schemas.js";
import { injectSocket } from "ext:liveline_fastify/inject_socket.js";

const {
  ArrayIsArray,
  ArrayPrototypeIncludes,
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  Error,
  FunctionPrototypeBind,
  FunctionPrototypeCall,
  ObjectAssign,
  ObjectCreate,
  ObjectDefineProperty,
  ObjectHasOwn,
  Promise,
  PromisePrototypeThen,
  ReflectHas,
  SafeArrayIterator,
  StringPrototypeEndsWith,
  StringPrototypeSlice,
  StringPrototypeStartsWith,
  StringPrototypeToUpperCase,
  SymbolFor,
} = primordials;

export const VERSION = "5.12.8";
const SKIP_OVERRIDE = SymbolFor("skip-override");

usePlaces(placeOf);

/** What one instance has of its own; those below it begin with a copy. */
class State {
  children = [];

  constructor(app, inherited = null, prefix = "", options = {}) {
    this.app = app;
    this.prefix = prefix;
    this.hooks = inherited === null ? emptyHooks() : copyOf(inherited.hooks);
    this.parsers = inherited === null ? Parsers.standard(app.options) : inherited.parsers.copy();
    this.bucket = new Bucket(inherited?.bucket.all());
    this.Request = derived(inherited?.Request ?? Request);
    this.Reply = derived(inherited?.Reply ?? Reply);
    this.errorHandler = inherited?.errorHandler ?? { func: defaultErrorHandler, server: null, outer: undefined };
    this.isErrorHandlerSet = false;
    this.replySerializer = inherited?.replySerializer ?? null;
    this.schemaErrorFormatter = inherited?.schemaErrorFormatter ?? null;
    this.validatorCompiler = inherited?.validatorCompiler ?? null;
    this.serializerCompiler = inherited?.serializerCompiler ?? null;
    this.childLoggerFactory = inherited?.childLoggerFactory ?? app.options.childLoggerFactory ?? null;
    this.genReqId = inherited === null ? app.options.genReqId ?? null : inherited.genReqId;
    this.logLevel = options.logLevel ?? inherited?.logLevel ?? "";
    this.plugins = inherited === null ? [] : ArrayPrototypeSlice(inherited.plugins);
    this.names = inherited === null ? ["fastify"] : ArrayPrototypeSlice(inherited.names);
  }
}

/** A class for the requests or replies of one instance, whose decorators are on its prototype. */
function derived(Parent) {
  function Derived(...parameters) {
    primordials.ReflectApply(Parent, this, parameters);
  }
  Derived.prototype = { __proto__: Parent.prototype };
  return Derived;
}

// -- what instances do -----------------------------------------------------------------------------------------------

const instance = { __proto__: null };

/** Gives an instance, and those below it, the method that declares a route of an HTTP method. */
function shortcut(instance, name, method) {
  instance[name] = function (url, options, handler) {
    if (handler === undefined && typeof options === "function") {
      handler = options;
      options = {};
    } else if (typeof handler === "function") {
      if (options === null || typeof options !== "object" || ArrayIsArray(options)) {
        throw new codes.FST_ERR_ROUTE_OPTIONS_NOT_OBJ(method(this), url);
      }
      if (typeof options.handler === "function") throw new codes.FST_ERR_ROUTE_DUPLICATED_HANDLER(method(this), url);
      if (options.handler) throw new codes.FST_ERR_ROUTE_HANDLER_NOT_FN(method(this), url);
    }
    const own = typeof options === "object" && options !== null ? options : {};
    return addRoute(this, ObjectAssign({}, own, { method: method(this), url, path: url, handler: handler ?? own.handler }));
  };
}

for (const name of new SafeArrayIterator(METHODS)) shortcut(instance, primordials.StringPrototypeToLowerCase(name), () => name);
shortcut(instance, "all", (server) => server[kState].app.methods);

function closed(name) {
  return function (check) {
    if (check.isListening) throw new codes.FST_ERR_INSTANCE_ALREADY_LISTENING(`Cannot call "${name}"!`);
    if (check.isReady && name === "addHook") throw new codes.AVV_ERR_ROOT_PLG_BOOTED();
  };
}

/** Adds a hook to an instance and to those below it that exist already. */
function addHookTo(state, name, hook) {
  ArrayPrototypePush(state.hooks[name], hook);
  for (const child of new SafeArrayIterator(state.children)) addHookTo(child[kState], name, hook);
}

ObjectAssign(instance, {
  route(options) {
    return addRoute(this, options);
  },
  hasRoute({ method, url, constraints } = {}) {
    const { router } = this[kState].app;
    return router.declared(StringPrototypeToUpperCase(`${method ?? ""}`), url ?? "", constraints ?? {}) !== undefined;
  },
  findRoute({ method, url, constraints } = {}) {
    const { router } = this[kState].app;
    const found = router.declared(StringPrototypeToUpperCase(`${method ?? ""}`), url ?? "", constraints ?? {});
    return found === undefined ? null : { handler: found.handler, params: [], store: found, searchParams: {} };
  },
  addHttpMethod(name, { hasBody = false } = {}) {
    const { app } = this[kState];
    const { METHODS: known } = core.createLazyLoader("node:http")().default;
    if (typeof name !== "string" || !ArrayPrototypeIncludes(known, StringPrototypeToUpperCase(name))) {
      throw new codes.FST_ERR_ROUTE_METHOD_INVALID();
    }
    const method = StringPrototypeToUpperCase(name);
    if (!ArrayPrototypeIncludes(app.methods, method)) ArrayPrototypePush(app.methods, method);
    if (hasBody) app.bodyless.delete(method);
    else app.bodyless.add(method);
    const lower = primordials.StringPrototypeToLowerCase(method);
    if (!ReflectHas(app.root, lower)) shortcut(app.root, lower, () => method);
    return this;
  },

  register(func, options = undefined) {
    const { app } = this[kState];
    app.boot.register(func, options, placeOf(instance.register));
    return this;
  },
  after(func) {
    const result = this[kState].app.boot.after(func);
    return func === undefined ? result : this;
  },
  ready(func) {
    const { boot, root } = this[kState].app;
    if (func === undefined) return boot.ready();
    boot.ready((error, done) => {
      // It gets the error and the application, and nothing waits for it.
      try {
        FunctionPrototypeCall(func, root, error, root);
        done();
      } catch (thrown) {
        done(thrown);
      }
    });
    return this;
  },
  onClose(hook) {
    return this.addHook("onClose", hook);
  },
  close(callback) {
    const { app } = this[kState];
    const closing = app.close();
    if (typeof callback !== "function") {
      return PromisePrototypeThen(closing, () => undefined);
    }
    PromisePrototypeThen(closing, () => callback(), (error) => callback(error));
    return this;
  },

  addHook(name, hook) {
    const state = this[kState];
    closed("addHook")(state.app);
    checkHook(name, hook);
    if (!isInherited(name)) ArrayPrototypePush(state.hooks[name], hook);
    else state.app.boot.inTurn(() => addHookTo(state, name, hook));
    return this;
  },

  // -- decorators ----------------------------------------------------------------------------------------------------

  decorate(name, value, dependencies) {
    const { app } = this[kState];
    if (app.isListening) throw new codes.FST_ERR_DEC_AFTER_START(name);
    const places = placesOf(app, this);
    if (ObjectHasOwn(this, name)) throw alreadyThere(name, places.get(name));
    checkDependencies(name, dependencies, (other) => ReflectHas(this, other));
    places.set(name, placeOf(instance.decorate));
    put(this, name, value);
    return this;
  },
  hasDecorator(name) {
    return ReflectHas(this, name);
  },
  getDecorator(name) {
    if (!ReflectHas(this, name)) throw new codes.FST_ERR_DEC_UNDECLARED(name, "instance");
    const value = this[name];
    return typeof value === "function" ? FunctionPrototypeBind(value, this) : value;
  },
  decorateRequest(name, value, dependencies) {
    decorateClass(this, "request", this[kState].Request, name, value, dependencies, instance.decorateRequest);
    return this;
  },
  hasRequestDecorator(name) {
    return hasMember(this[kState].Request, name);
  },
  decorateReply(name, value, dependencies) {
    decorateClass(this, "reply", this[kState].Reply, name, value, dependencies, instance.decorateReply);
    return this;
  },
  hasReplyDecorator(name) {
    return hasMember(this[kState].Reply, name);
  },

  // -- bodies and schemas --------------------------------------------------------------------------------------------

  addContentTypeParser(type, options, parser) {
    const state = this[kState];
    if (state.app.isListening) throw new codes.FST_ERR_CTP_INSTANCE_ALREADY_STARTED("addContentTypeParser");
    if (typeof options === "function") {
      parser = options;
      options = {};
    }
    for (const one of new SafeArrayIterator(ArrayIsArray(type) ? type : [type])) state.parsers.add(one, options ?? {}, parser);
    return this;
  },
  hasContentTypeParser(type) {
    return this[kState].parsers.has(type);
  },
  removeContentTypeParser(type) {
    const { app, parsers } = this[kState];
    if (app.isListening) throw new codes.FST_ERR_CTP_INSTANCE_ALREADY_STARTED("removeContentTypeParser");
    for (const one of new SafeArrayIterator(ArrayIsArray(type) ? type : [type])) parsers.remove(one);
    return this;
  },
  removeAllContentTypeParsers() {
    this[kState].parsers.removeAll();
    return this;
  },
  getDefaultJsonParser: (onProto, onConstructor) => jsonParser(onProto, onConstructor),
  defaultTextParser: textParser,
  addSchema(given) {
    closed("addSchema")(this[kState].app);
    const schema = plainSchema(given);
    const state = this[kState];
    state.bucket.add(schema);
    const share = (server) => {
      for (const child of new SafeArrayIterator(server[kState].children)) {
        if (child[kState].bucket.get(schema.$id) === undefined) child[kState].bucket.add(schema);
        share(child);
      }
    };
    share(this);
    return this;
  },
  getSchema(id) {
    return this[kState].bucket.get(id);
  },
  getSchemas() {
    return this[kState].bucket.all();
  },
  setValidatorCompiler(compiler) {
    closed("setValidatorCompiler")(this[kState].app);
    this[kState].validatorCompiler = compiler;
    return this;
  },
  setSerializerCompiler(compiler) {
    closed("setSerializerCompiler")(this[kState].app);
    this[kState].serializerCompiler = compiler;
    return this;
  },
  setSchemaController(controller) {
    closed("setSchemaController")(this[kState].app);
    const state = this[kState];
    const { buildValidator, buildSerializer } = controller.compilersFactory ?? {};
    const { ajv, serializerOpts } = state.app.options;
    if (buildValidator) {
      let compiler;
      state.validatorCompiler = (input) => (compiler ??= buildValidator(state.bucket.all(), { customOptions: ajv?.customOptions ?? {}, plugins: ajv?.plugins ?? [] }))(input);
    }
    if (buildSerializer) {
      let compiler;
      state.serializerCompiler = (input) => (compiler ??= buildSerializer(state.bucket.all(), serializerOpts))(input);
    }
    return this;
  },
  setReplySerializer(serializer) {
    closed("setReplySerializer")(this[kState].app);
    this[kState].replySerializer = serializer;
    return this;
  },
  setSchemaErrorFormatter(formatter) {
    closed("setSchemaErrorFormatter")(this[kState].app);
    if (typeof formatter !== "function" || isAsync(formatter)) {
      throw new codes.FST_ERR_SCHEMA_ERROR_FORMATTER_NOT_FN(typeof formatter === "function" ? "AsyncFunction" : typeof formatter);
    }
    this[kState].schemaErrorFormatter = FunctionPrototypeBind(formatter, this);
    return this;
  },
  setGenReqId(make) {
    closed("setGenReqId")(this[kState].app);
    this[kState].genReqId = make;
    return this;
  },
  setChildLoggerFactory(factory) {
    this[kState].childLoggerFactory = factory;
    return this;
  },
  withTypeProvider() {
    return this;
  },

  // -- errors --------------------------------------------------------------------------------------------------------

  setErrorHandler(handler) {
    const state = this[kState];
    closed("setErrorHandler")(state.app);
    if (typeof handler !== "function") throw new codes.FST_ERR_ERROR_HANDLER_NOT_FN();
    if (state.app.options.allowErrorHandlerOverride === false && state.isErrorHandlerSet) {
      throw new codes.FST_ERR_ERROR_HANDLER_ALREADY_SET();
    }
    state.isErrorHandlerSet = true;
    const outer = state.errorHandler.server === this ? state.errorHandler.outer : state.errorHandler;
    state.errorHandler = { func: handler, server: this, outer };
    return this;
  },
  setNotFoundHandler(options, handler) {
    const { app, prefix } = this[kState];
    closed("setNotFoundHandler")(app);
    if (handler === undefined && typeof options === "function") {
      handler = options;
      options = {};
    }
    const bound = handler === undefined ? undefined : FunctionPrototypeBind(handler, this);
    app.notFound.set(this, prefix, bound, options ?? {});
    return this;
  },
  callNotFound(request, reply) {
    const { app } = this[kState];
    answerNotFound(app.notFoundContextFor(request.url), request, reply);
  },

  // -- requests of its own, and the outside --------------------------------------------------------------------------

  inject(options, callback) {
    const { app } = this[kState];
    if (app.isClosing && app.isReady) {
      const error = new codes.FST_ERR_REOPENED_CLOSE_SERVER();
      if (callback === undefined) return primordials.PromiseReject(error);
      return callback(error);
    }
    const send = async (given) => {
      if (!app.isReady) await awaitReady(app);
      return inject((transport) => app.dispatch(transport), given);
    };
    if (options === undefined) return chain(send);
    if (callback === undefined) return chain(send, options);
    PromisePrototypeThen(send(options), (response) => callback(null, response), callback);
  },
  injectWS(path = "/", upgradeContext = {}, options = {}) {
    const { app } = this[kState];
    return PromisePrototypeThen(awaitReady(app), () => injectSocket(app, path, upgradeContext, options));
  },
  routing(req, res) {
    throw new Error(`fastify.routing(): ${req?.url} came from another server than the host's, and ${res ? "its answer goes there" : ""}`);
  },
  listen(options, callback) {
    const { app } = this[kState];
    if (typeof options === "function") {
      callback = options;
      options = {};
    } else if (typeof options === "number" || typeof options === "string") {
      throw new codes.FST_ERR_LISTEN_OPTIONS_INVALID("must be an object");
    }
    if (app.isListening) {
      const error = new codes.FST_ERR_REOPENED_SERVER();
      return callback === undefined ? primordials.PromiseReject(error) : callback(error, null);
    }
    const listening = listen(app, options ?? {});
    if (typeof callback !== "function") return listening;
    PromisePrototypeThen(listening, (address) => callback(null, address), (error) => callback(error, null));
  },
  addresses() {
    const address = this[kState].app.address();
    return address === null ? [] : [address];
  },
  printRoutes(options = {}) {
    return printed(this[kState].app.router, options);
  },
  printPlugins() {
    return printedPlugins(this[kState].app.boot.tree());
  },
  hasPlugin(name) {
    return ArrayPrototypeIncludes(this[kState].plugins, name);
  },
  addConstraintStrategy(strategy) {
    this[kState].app.router.addStrategy(strategy.name, strategy);
    return this;
  },
  hasConstraintStrategy(name) {
    return this[kState].app.router.hasStrategy(name);
  },
});

function awaitReady(app) {
  return new Promise((resolve, reject) => {
    PromisePrototypeThen(app.boot.ready(), () => resolve(), reject);
  });
}

function accessor(name, get) {
  ObjectDefineProperty(instance, name, { __proto__: null, configurable: true, enumerable: false, get });
}

accessor("then", function () {
  return this[kState].app.boot.then;
});
accessor("prefix", function () {
  return this[kState].prefix;
});
accessor("pluginName", function () {
  return primordials.ArrayPrototypeJoin(this[kState].names, " -> ");
});
accessor("version", () => VERSION);
accessor("errorHandler", function () {
  return this[kState].errorHandler.func;
});
accessor("validatorCompiler", function () {
  return this[kState].validatorCompiler;
});
accessor("serializerCompiler", function () {
  return this[kState].serializerCompiler;
});
accessor("genReqId", function () {
  const { app, genReqId } = this[kState];
  return genReqId ?? ((raw) => app.nextRequestId(raw, null));
});
accessor("childLoggerFactory", function () {
  return this[kState].childLoggerFactory;
});
accessor("supportedMethods", function () {
  return ArrayPrototypeSlice(this[kState].app.methods);
});
accessor("listeningOrigin", function () {
  const address = this[kState].app.address();
  if (address === null) return "";
  return `http://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
});
accessor("server", function () {
  return this[kState].app.server;
});
accessor("websocketServer", function () {
  const { app } = this[kState];
  return app.isInHost || app.hasSockets ? app.sockets().face : undefined;
});
accessor("initialOptions", function () {
  return this[kState].app.options;
});
accessor("trustProxy", function () {
  return this[kState].app.trustProxy;
});
accessor("logController", function () {
  return this[kState].app.logController;
});

/** Applications that listen: nowhere of their own; the host's listener leads to the first. */
export const listening = [];

/** Why an application that was to listen does not; null where none has failed. @type {{ error: unknown } | null} */
let listenFailure = null;

/** For the host, which reports it: the program may end without a word, as it would end its process. */
export function refusedListen() {
  return listenFailure;
}

async function listen(app, options) {
  try {
    if (app.isClosing) throw new codes.FST_ERR_REOPENED_CLOSE_SERVER();
    await awaitReady(app);
  } catch (error) {
    listenFailure = { error };
    throw error;
  }
  const port = +options.port || 0;
  const address = addressFor(port);
  ArrayPrototypePush(listening, { app, port });
  await begin(app, address);
  const isEvery = address.address === "0.0.0.0" || address.address === "::";
  const host = isEvery ? "127.0.0.1" : address.family === "IPv6" ? `[${address.address}]` : address.address;
  const text = `http://${host}:${address.port}`;
  app.root.log.info(`Server listening at ${text}`);
  app.server.emit("listening");
  return text;
}

/** From now on requests come to an application, and nothing can be added to it. */
export async function begin(app, address) {
  app.listenAt(address);
  await each(app.root, async (server) => {
    for (const hook of new SafeArrayIterator(server[kState].hooks.onListen)) {
      try {
        await runOnce(hook, server, []);
      } catch (error) {
        server.log.error({ err: error }, error?.message);
      }
    }
  });
}

// -- making them -----------------------------------------------------------------------------------------------------

function prefixOf(parent, options) {
  let { prefix } = options;
  if (!prefix) return parent;
  if (StringPrototypeEndsWith(parent, "/") && StringPrototypeStartsWith(prefix, "/")) prefix = StringPrototypeSlice(prefix, 1);
  else if (!StringPrototypeStartsWith(prefix, "/") && !StringPrototypeEndsWith(parent, "/")) prefix = `/${prefix}`;
  return parent + prefix;
}

/** The instance in which a plugin runs. */
function instanceFor(app, parent, func, options, written) {
  const state = parent[kState];
  const isShared = func[SKIP_OVERRIDE] === true;
  const name = nameOf(func, options);
  checkPlugin(parent, func, state);
  const meta = func[SymbolFor("plugin-meta")];
  const named = meta?.name ?? func[SymbolFor("fastify.display-name")];
  if (named) ArrayPrototypePush(state.plugins, named);
  if (isShared) {
    ArrayPrototypePush(state.names, name);
    return parent;
  }
  const child = ObjectCreate(parent);
  const own = new State(app, state, prefixOf(state.prefix, options ?? {}), options ?? {});
  own.names = [name];
  ObjectDefineProperty(child, kState, { __proto__: null, value: own });
  ArrayPrototypePush(state.children, child);
  if (options?.logLevel || options?.logSerializers) {
    child.log = parent.log.child({}, { level: own.logLevel || undefined, serializers: options.logSerializers });
  }
  for (const hook of new SafeArrayIterator(state.hooks.onRegister)) FunctionPrototypeCall(hook, parent, child, written);
  return child;
}

/** Makes an application; returns its root instance. */
export function fastify(options = {}) {
  checkOptions(options);
  setStatusCodes(core.createLazyLoader("node:http")().default.STATUS_CODES);
  const app = new Application(options);
  const root = ObjectCreate(instance);
  app.root = root;
  app.trustProxy = trustOf(app.options.trustProxy);
  ObjectDefineProperty(root, kState, { __proto__: null, value: new State(app) });
  root.log = app.options.loggerInstance ?? loggerOf(app.options.logger, silent);
  root.initialConfig = initialConfigOf(app.options);
  app.notFound = new NotFound(root);
  app.boot = new Boot(root, app.options.pluginTimeout, {
    instanceFor: (parent, func, given, written) => instanceFor(app, parent, func, given, written),
    beforeReady: () => app.beforeReady(),
  });
  return root;
}

/** The application of an instance. */
export function applicationOf(server) {
  return server?.[kState]?.app;
}


