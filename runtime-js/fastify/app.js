// An application of Fastify as the one handler of a project: its modules are loaded, and then its tree is run.

import { core, primordials } from "ext:core/mod.js";
import { op_is_provided, op_request_header } from "ext:core/ops";
import { kExchange } from "ext:liveline/event/event.js";
import { ANSWERED } from "ext:liveline/dispatch/dispatch.js";
import { staticResponse } from "ext:liveline/files.js";
import { INFO, print } from "ext:liveline/log.js";
import { setTimeout } from "ext:liveline/timers.js";
import { adoptedServers, answerOn, upgradeOn } from "ext:liveline_fastify/adopted.js";
import { applicationOf, begin, fastify, listening, refusedListen } from "ext:liveline_fastify/instance.js";
import { autoload } from "ext:liveline_fastify/autoload.js";
import { Logger } from "ext:liveline_fastify/logger.js";
import { placed } from "ext:liveline_fastify/queue.js";
import { HostTransport, targetOf } from "ext:liveline_fastify/transport.js";

const {
  ArrayPrototypePush,
  Error,
  ObjectAssign,
  Promise,
  PromisePrototypeCatch,
  PromisePrototypeThen,
  SafeArrayIterator,
  SafeSet,
  StringPrototypeIndexOf,
  StringPrototypeSlice,
  StringPrototypeToLowerCase,
} = primordials;

/** The options of an application that the host itself makes. */
function optionsOf(module) {
  const given = module.options !== null && typeof module.options === "object" ? module.options : {};
  return ObjectAssign({ logger: undefined }, given, { isInHost: true });
}

/**
 * Runs the tree of an application file, or of a folder of plugins.
 * @param {object} module what the file exports
 * @param {string} file
 * @param {string} folder whose folders of plugins and of routes the file stands for; empty where it is an application
 * @returns {Promise<object>} the functions of the handler
 */
export async function boot(module, file, folder) {
  const exported = module.default;
  const func = typeof exported === "function" ? exported : typeof exported?.default === "function" ? exported.default : undefined;
  isTree = false;
  const handler = await listeningIn(func === undefined);
  if (handler !== null) return handler;
  const own = applicationOf(exported) ?? applicationOf(module.app) ?? applicationOf(module.fastify) ?? applicationOf(module.server);
  if (own !== undefined) {
    await ready(own);
    return handlerOf(own);
  }
  if (func !== undefined && typeof func.handle === "function" && typeof func.use === "function") return mounted(func);
  if (folder !== "") return bootFolder(folder);
  if (func === undefined) {
    throw new Error(
      `${file} exports no plugin, and does not listen within ${PATIENCE / 1000} s: export default async function ` +
        "(fastify, opts) {}, or call listen()",
    );
  }
  if (!op_is_provided("fastify")) return bootInstalled(func, module, file);
  const options = optionsOf(module);
  if (options.logger === undefined) options.loggerInstance = new Logger({ level: "info" });
  if (options.logger === undefined) options.disableRequestLogging = true;
  return bootTree(fastify(options), (server) => server.register(func, ObjectAssign({}, module.options)));
}

/** Runs a tree that the host itself makes. */
async function bootTree(server, register) {
  const app = applicationOf(server);
  isTree = true;
  // What the tree starts ends with it.
  core.setAsyncContext(app.context());
  try {
    register(server);
    await ready(app);
    await begin(app, { address: "127.0.0.1", family: "IPv4", port: 0 });
  } catch (error) {
    // What it has opened, until it failed, is closed.
    PromisePrototypeThen(app.end(), () => {}, () => {});
    throw error;
  }
  return handlerOf(app);
}

/** Whether the application is a tree that the host has made, which can be made again beside itself. */
let isTree = false;

/** For the host: whether the tree can run again in this isolate while the old one still has sockets. */
export function keepsModules() {
  return isTree;
}

/** Runs a plugin in the application that the project's own Fastify makes. */
async function bootInstalled(func, module, file) {
  const make = core.createLazyLoader("node:module")().createRequire(file)("fastify");
  const options = ObjectAssign({}, module.options);
  const server = make(options);
  server.register(func, options);
  await new Promise((resolve, reject) => {
    server.listen({ port: 0 }, (error) => error ? reject(error) : resolve());
  });
  return listeningIn(false);
}

/** How long a program has to listen after its modules were evaluated, in milliseconds. */
const PATIENCE = 5000;

/** The handler of a program that listens; null if the file is none. `isProgram` says that it is nothing else. */
async function listeningIn(isProgram) {
  const found = () => {
    if (listening.length > 0) return { port: listening[0].port, handler: handlerOf(listening[0].app) };
    const servers = adoptedServers();
    return servers.length > 0 ? { port: servers[0].port, handler: serverHandler(servers[0].server) } : null;
  };
  let known = found();
  // A program may listen once its database is open, for example.
  for (let waited = 0; known === null && isProgram && waited < PATIENCE; waited += 20) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    known = found();
    const failure = known === null ? refusedListen() : null;
    if (failure !== null) throw placed(failure.error);
  }
  if (known === null) return null;
  if (known.port !== 0) print(`listen(${known.port}): the host's listener leads to this application`, INFO);
  return known.handler;
}

/** The functions of a handler that is a server of Node's kind. */
function serverHandler(server) {
  return { default: (event, next) => inOwnContext(null, event, () => next === undefined ? undefined : answerOn(server, event)) };
}

/** An application of Express's kind that listens nowhere. */
function mounted(app) {
  const server = new (core.createLazyLoader("node:http")().default.Server)(app);
  return serverHandler(server);
}

/** Runs a folder of plugins and of routes that has no application file. */
async function bootFolder(root) {
  const path = core.createLazyLoader("node:path")().default, fs = core.createLazyLoader("node:fs")().default;
  const server = fastify({ isInHost: true, loggerInstance: new Logger({ level: "info" }), disableRequestLogging: true });
  return bootTree(server, () => {
    for (const name of new SafeArrayIterator(["plugins", "routes"])) {
      const dir = path.resolve(root, name);
      if (fs.existsSync(dir)) server.register(autoload, { dir });
    }
  });
}

function ready(app) {
  return new Promise((resolve, reject) => {
    PromisePrototypeThen(app.boot.ready(), () => resolve(), (error) => reject(placed(error)));
  });
}

/** The applications that get requests, those that have loaded since, and those that finish what they have begun. */
let serving = [], loaded = [];
const retired = new SafeSet();

/** For the host: the applications that have loaded get requests from now on; those before them finish. */
export function start() {
  const old = serving;
  serving = loaded;
  loaded = [];
  for (const app of new SafeArrayIterator(old)) {
    retired.add(app);
    app.whenQuiet(() => {
      retired.delete(app);
      end(app);
    });
  }
}

/** For the host: nothing of this isolate gets requests any more. */
export function dispose() {
  const apps = [...new SafeArrayIterator(serving), ...new SafeArrayIterator(loaded), ...retired.values()];
  serving = [];
  loaded = [];
  retired.clear();
  for (const app of new SafeArrayIterator(apps)) end(app);
}

function end(app) {
  PromisePrototypeThen(app.end(), () => {}, (error) => app.report("onClose", error));
}

function handlerOf(app) {
  ArrayPrototypePush(loaded, app);
  // The name of the second parameter tells the host that this function answers for what is left of the path.
  return { default: (event, next) => next === undefined ? undefined : answer(app, event) };
}

function answer(app, event) {
  return inOwnContext(app, event, (exchange) => beginRequest(app, event, exchange));
}

function inOwnContext(app, event, run) {
  const exchange = event[kExchange];
  // Code of an application runs on after the answer, as it does under Node: nothing of it ends with the exchange.
  const context = exchange.context = app === null ? { exchange: exchange.id } : app.context(exchange.id);
  const outer = core.getAsyncContext();
  core.setAsyncContext(context);
  try {
    return run(exchange);
  } finally {
    core.setAsyncContext(outer);
  }
}

function beginRequest(app, event, exchange) {
  let isAnswered = false, response = ANSWERED, wake = null;
  const transport = new HostTransport(event, exchange, targetOf(exchange.url), (given = ANSWERED) => {
    isAnswered = true;
    response = given;
    wake?.(given);
  });
  if (exchange.method === "GET" && (app.hasSockets || app.socketServer !== null || app.hasServer)) {
    const asked = op_request_header(exchange.id, "upgrade");
    transport.isUpgrade = asked !== null && StringPrototypeToLowerCase(asked) === "websocket";
  }
  const isForeign = transport.isUpgrade && app.hasServer && app.server.listenerCount("upgrade") > 0;
  if (isForeign) return upgradeOn(app.server, event);
  transport.fallThrough = (otherwise) => fallThrough(transport, exchange, otherwise);
  app.dispatch(transport);
  if (!transport.isDone) {
    app.begun(transport);
    transport.whenDone(() => app.finished(transport));
  }
  if (isAnswered) return response;
  return new Promise((resolve) => wake = resolve);
}

/** A path without a route may be a file of `public/`. */
function fallThrough(transport, exchange, otherwise) {
  const { method, url } = transport;
  if ((method !== "GET" && method !== "HEAD") || transport.isUpgrade) return otherwise();
  const end = StringPrototypeIndexOf(url, "?");
  const found = staticResponse(exchange, end === -1 ? url : StringPrototypeSlice(url, 0, end), method, false);
  const answered = PromisePrototypeThen(found, (response) => {
    if (response.status === 404) otherwise();
    else transport.settleWith(response);
  }, () => otherwise());
  // Not the handler, but what runs before it: a logger, for example.
  PromisePrototypeCatch(answered, (error) => transport.failed(error));
}

/** The routes of the handler's application, for `liveline routes`: `[methods, path, kind]`. */
export function listed() {
  const rows = [];
  for (const app of new SafeArrayIterator([...new SafeArrayIterator(serving), ...new SafeArrayIterator(loaded)])) {
    for (const { method, path, route } of new SafeArrayIterator(app.router.routes)) {
      const isSocket = route.wsHandler !== null && method !== "HEAD";
      // The HEAD that comes with a socket answers nothing.
      if (!isSocket && route.handler === null) continue;
      const kind = !isSocket ? "http" : route.handler === null ? "ws" : "http+ws";
      ArrayPrototypePush(rows, [method, path, kind]);
    }
  }
  return rows;
}
