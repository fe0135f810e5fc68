// What all instances of an application share: its routes, its way from registration to requests, and its end.

import { core, primordials } from "ext:core/mod.js";
import { nodeHeaders } from "ext:liveline/request.js";
import { op_log_error } from "ext:core/ops";
import { codes } from "ext:liveline_fastify/errors.js";
import { runOnce } from "ext:liveline_fastify/hooks.js";
import { dispatch } from "ext:liveline_fastify/lifecycle.js";
import { at, placeOf } from "ext:liveline_fastify/queue.js";
import { Router } from "ext:liveline_fastify/router.js";
import { kState, METHODS } from "ext:liveline_fastify/routes.js";
import { Compilers } from "ext:liveline_fastify/schemas.js";
import { closeSockets, SocketServer } from "ext:liveline_fastify/websocket.js";

const {
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  ObjectAssign,
  ObjectDefineProperty,
  SafeArrayIterator,
  SafeSet,
} = primordials;

/** For how long intervals repeat that the code of an application has started. It owns them as an exchange owns its timers. */
class Lifetime {
  ended = false;
  completed = false;
  #listeners = [];

  onEnd(listener) {
    ArrayPrototypePush(this.#listeners, listener);
  }

  end() {
    if (this.ended) return;
    this.ended = true;
    for (const listener of new SafeArrayIterator(this.#listeners)) listener();
  }
}

/** What all instances of an application share. */
export class Application {
  contexts = [];
  isReady = false;
  isClosing = false;
  isListening = false;
  hasSockets = false;
  socketServer = null;
  methods = ArrayPrototypeSlice(METHODS);
  bodyless = new SafeSet(["GET", "HEAD", "TRACE"]);
  #requests = 0;
  #closing = null;
  #server = null;
  lifetime = new Lifetime();
  /** Where each decorator of an instance was added, for errors. */
  places = new primordials.SafeWeakMap();

  constructor(options) {
    const given = ObjectAssign({}, options, options.routerOptions);
    this.options = ObjectAssign(given, {
      bodyLimit: given.bodyLimit ?? 1024 * 1024,
      exposeHeadRoutes: given.exposeHeadRoutes ?? true,
      pluginTimeout: given.pluginTimeout ?? 10_000,
      requestIdLogLabel: given.requestIdLogLabel ?? "reqId",
      requestIdHeader: given.requestIdHeader === true ? "request-id" : given.requestIdHeader ?? false,
    });
    this.router = new Router(this.options);
    this.compilers = new Compilers(this.options);
    this.logController = new LogController(this);
  }

  get isInHost() {
    return this.options.isInHost === true;
  }

  /**
   * Whether errors go to the host's log, which shows their place: those of an application that the host has made, and
   * those that no logger receives.
   */
  get reportsToHost() {
    return this.isInHost || this.root.log.isLevelEnabled?.("error") === false;
  }

  placeOf(above) {
    return placeOf(above);
  }

  notFoundContextFor(path) {
    return this.notFound.innermost(path);
  }

  /** @param {Function | null} make the function of an instance that names requests */
  nextRequestId(transport, make) {
    const { requestIdHeader } = this.options;
    if (requestIdHeader) {
      const given = transport.header(requestIdHeader);
      if (given) return given;
    }
    if (make !== null) return make(transport.webRequest === undefined ? transport : rawLike(transport));
    this.#requests = (this.#requests + 1) & 2147483647;
    return `req-${primordials.NumberPrototypeToString(this.#requests, 36)}`;
  }

  sockets() {
    return this.socketServer ??= new SocketServer(this);
  }

  checkNotListening() {
    if (this.isListening) throw new codes.FST_ERR_INSTANCE_ALREADY_LISTENING("Cannot add route!");
    if (this.boot.isBooted && this.isReady) throw new codes.AVV_ERR_ROOT_PLG_BOOTED();
  }

  /** Reports an error of the application's code to the host, with its place. */
  report(what, error, request = undefined) {
    if (this.reportsToHost) op_log_error(what, error);
    else (request?.log ?? this.root.log).error({ err: error }, error?.message);
  }

  address() {
    return this.#address ?? null;
  }
  #address = null;

  listenAt(address) {
    this.#address = address;
    this.isListening = true;
  }

  /** Node's server, for code that asks for it. */
  get server() {
    return this.#server ??= makeServer(this);
  }

  get hasServer() {
    return this.#server !== null;
  }

  /** Everything is registered. */
  async beforeReady() {
    for (const context of new SafeArrayIterator(this.contexts)) {
      try {
        context.complete();
      } catch (error) {
        throw at(error, context.place);
      }
    }
    this.notFound.complete();
    this.isReady = true;
    await each(this.root, async (server) => {
      for (const hook of new SafeArrayIterator(server[kState].hooks.onReady)) {
        await runOnce(hook, server, [], this.options.pluginTimeout, "onReady");
      }
    });
  }

  dispatch(transport) {
    dispatch(this, transport);
  }

  /** The async context of its code, in the course of an exchange or of none. */
  context(exchange = undefined) {
    const { lifetime: tree } = this;
    return exchange === undefined ? { tree } : { exchange, tree };
  }

  /** The requests and sockets that are not done, before which the tree is not closed. */
  #unfinished = new SafeSet();
  #whenQuiet = null;

  /** Something has begun: a socket, or a request whose answer is not complete. */
  begun(what) {
    this.#unfinished.add(what);
  }

  finished(what) {
    if (this.#unfinished.delete(what) && this.#unfinished.size === 0) this.#whenQuiet?.();
  }

  /** Calls `listener` when everything has finished that has begun. The application gets no more requests. */
  whenQuiet(listener) {
    this.#whenQuiet = listener;
    if (this.#unfinished.size === 0) return listener();
    // The client of a request may leave, and then its answer is never complete.
    for (const what of this.#unfinished.values()) what.exchange?.onEnd(() => this.finished(what));
  }

  /** Closes it, and ends what it has started. */
  async end() {
    try {
      await this.close();
    } finally {
      this.lifetime.end();
    }
  }

  close() {
    return this.#closing ??= this.#close();
  }

  async #close() {
    try {
      await this.boot.start();
    } catch {
      // What did not start has nothing to close but what it opened.
    }
    this.isClosing = true;
    let failure = null;
    const quietly = async (hook, server, parameters) => {
      try {
        await runOnce(hook, server, parameters);
      } catch (error) {
        failure ??= error;
      }
    };
    await each(this.root, async (server) => {
      for (const hook of new SafeArrayIterator(server[kState].hooks.preClose)) await quietly(hook, server, []);
    });
    await closeSockets(this);
    await eachBackwards(this.root, async (server) => {
      const hooks = server[kState].hooks.onClose;
      for (let i = hooks.length - 1; i >= 0; i--) await quietly(hooks[i], server, [server]);
    });
    this.isListening = false;
    if (failure !== null) throw failure;
  }
}

function rawLike(transport) {
  return {
    method: transport.method,
    url: transport.url,
    get headers() {
      return nodeHeaders(transport.headerList());
    },
  };
}

function makeServer(app) {
  const EventEmitter = core.createLazyLoader("node:events")().default;
  const server = ObjectAssign(new EventEmitter(), {
    address: () => app.address(),
    close(callback) {
      callback?.();
      return this;
    },
    closeAllConnections() {},
    closeIdleConnections() {},
    setTimeout() {
      return this;
    },
    ref() {
      return this;
    },
    unref() {
      return this;
    },
    timeout: 0,
    keepAliveTimeout: 72_000,
    requestTimeout: 0,
    headersTimeout: 60_000,
    maxRequestsPerSocket: 0,
  });
  ObjectDefineProperty(server, "listening", {
    __proto__: null,
    configurable: true,
    enumerable: true,
    get: () => app.isListening,
  });
  return server;
}

export async function each(server, run) {
  await run(server);
  for (const child of new SafeArrayIterator(server[kState].children)) await each(child, run);
}

async function eachBackwards(server, run) {
  const { children } = server[kState];
  for (let i = children.length - 1; i >= 0; i--) await eachBackwards(children[i], run);
  await run(server);
}

/** Which requests are logged. */
class LogController {
  constructor(app) {
    const { disableRequestLogging } = app.options;
    this.app = app;
    this.isOff = disableRequestLogging === true || app.options.logger === undefined || app.options.logger === false;
    if (app.options.loggerInstance && disableRequestLogging !== true) this.isOff = false;
    this.decide = typeof disableRequestLogging === "function" ? disableRequestLogging : null;
  }

  incoming(request, reply) {
    if (this.isOff || this.decide?.(request)) return;
    reply.log.info({ req: request }, "incoming request");
  }

  completed(request, reply) {
    if (this.isOff || this.decide?.(request)) return;
    reply.log.info({ res: reply, responseTime: reply.elapsedTime }, "request completed");
  }

  failed(request, reply, error) {
    if (this.isOff || this.decide?.(request)) return;
    reply.log.error({ res: reply, err: error, responseTime: reply.elapsedTime }, "request errored");
  }

  errored(request, reply, error) {
    if (reply.statusCode < 500) {
      reply.log.info({ res: reply, err: error }, error?.message);
    } else if (this.app.reportsToHost) {
      // The host shows the place of the error.
      op_log_error(`${request.method} ${request.url}`, error);
    } else {
      reply.log.error({ req: request, res: reply, err: error }, error?.message);
    }
  }
}
