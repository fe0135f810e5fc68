// An application of Fastify as the one handler of a project: its modules are loaded, and then its tree is run.

import { core, primordials } from "ext:core/mod.js";
import { op_request_header } from "ext:core/ops";
import { kExchange } from "ext:liveline/event/event.js";
import { ANSWERED } from "ext:liveline/dispatch/dispatch.js";
import { staticResponse } from "ext:liveline/files.js";
import { applicationOf, fastify, setAdoption } from "ext:liveline_fastify/instance.js";
import { autoload } from "ext:liveline_fastify/autoload.js";
import { Logger } from "ext:liveline_fastify/logger.js";
import { setProject } from "ext:liveline_fastify/schemas.js";
import { HostTransport, targetOf } from "ext:liveline_fastify/transport.js";

const {
  ArrayPrototypePush,
  Error,
  ObjectAssign,
  Promise,
  PromisePrototypeThen,
  SafeArrayIterator,
  StringPrototypeIndexOf,
  StringPrototypeSlice,
  StringPrototypeToLowerCase,
} = primordials;

/** Applications of this isolate that are listening, in the order in which they began. */
const listening = [];

setAdoption((app, options) => {
  ArrayPrototypePush(listening, { app, port: options.port ?? 0 });
  return { address: "127.0.0.1", family: "IPv4", port: options.port ?? 0 };
});

/** The options of an application that the host itself makes. */
function optionsOf(module) {
  const given = module.options !== null && typeof module.options === "object" ? module.options : {};
  return ObjectAssign({ logger: undefined }, given, { isInHost: true });
}

/**
 * Runs the tree of an application file, or of a folder of plugins.
 * @param {object} module what the file exports
 * @param {string} file
 * @returns {Promise<object>} the functions of the handler
 */
export async function boot(module, file) {
  setProject(file);
  const exported = module.default;
  const func = typeof exported === "function" ? exported : typeof exported?.default === "function" ? exported.default : undefined;
  if (listening.length > 0) return handlerOf(listening[0].app);
  const own = applicationOf(exported) ?? applicationOf(module.app) ?? applicationOf(module.fastify) ?? applicationOf(module.server);
  if (own !== undefined) {
    await ready(own);
    return handlerOf(own);
  }
  if (func === undefined) {
    throw new Error(`${file} exports no plugin: export default async function (fastify, opts) {}`);
  }
  const options = optionsOf(module);
  if (options.logger === undefined) options.loggerInstance = new Logger({ level: "info" });
  if (options.logger === undefined) options.disableRequestLogging = true;
  const server = fastify(options);
  server.register(func, { ...(module.options ?? {}) });
  const app = applicationOf(server);
  await ready(app);
  return handlerOf(app);
}

/** Runs a folder of plugins and of routes that has no application file. */
export async function bootFolder(file) {
  setProject(file);
  const path = core.createLazyLoader("node:path")().default, fs = core.createLazyLoader("node:fs")().default;
  const root = path.dirname(file);
  const server = fastify({ isInHost: true, loggerInstance: new Logger({ level: "info" }), disableRequestLogging: true });
  for (const name of new SafeArrayIterator(["plugins", "routes"])) {
    const dir = path.join(root, name);
    if (fs.existsSync(dir)) server.register(autoload, { dir });
  }
  const app = applicationOf(server);
  await ready(app);
  return handlerOf(app);
}

function ready(app) {
  return new Promise((resolve, reject) => PromisePrototypeThen(app.boot.ready(), () => resolve(), reject));
}

let generation = [];

/** For the host: the generation gets no more requests. */
export function dispose() {
  const apps = generation;
  generation = [];
  for (const app of new SafeArrayIterator(apps)) {
    PromisePrototypeThen(app.close(), () => {}, (error) => app.report("onClose", error));
  }
}

function handlerOf(app) {
  ArrayPrototypePush(generation, app);
  // The name of the second parameter tells the host that this function answers for what is left of the path.
  return { default: (event, next) => answer(app, event, next) };
}

function answer(app, event) {
  const exchange = event[kExchange];
  // Code of an application runs on after the answer, as it does under Node: nothing of it ends with the exchange.
  const context = exchange.context = { exchange: exchange.id };
  const outer = core.getAsyncContext();
  core.setAsyncContext(context);
  try {
    return begin(app, event, exchange);
  } finally {
    core.setAsyncContext(outer);
  }
}

function begin(app, event, exchange) {
  let isAnswered = false, response = ANSWERED, wake = null;
  const transport = new HostTransport(event, exchange, targetOf(exchange.url), (given = ANSWERED) => {
    isAnswered = true;
    response = given;
    wake?.(given);
  });
  if (exchange.method === "GET" && (app.hasSockets || app.socketServer !== null)) {
    const asked = op_request_header(exchange.id, "upgrade");
    transport.isUpgrade = asked !== null && StringPrototypeToLowerCase(asked) === "websocket";
  }
  transport.fallThrough = (otherwise) => fallThrough(transport, exchange, otherwise);
  app.dispatch(transport);
  if (isAnswered) return response;
  return new Promise((resolve) => wake = resolve);
}

/** A path without a route may be a file of `public/`. */
function fallThrough(transport, exchange, otherwise) {
  const { method, url } = transport;
  if ((method !== "GET" && method !== "HEAD") || transport.isUpgrade) return otherwise();
  const end = StringPrototypeIndexOf(url, "?");
  const found = staticResponse(exchange, end === -1 ? url : StringPrototypeSlice(url, 0, end), method, false);
  PromisePrototypeThen(found, (response) => {
    if (response.status === 404) otherwise();
    else transport.respond(response);
  }, () => otherwise());
}

/** The routes of the handler's application, for `liveline routes`: `[methods, path, kind]`. */
export function listed() {
  const rows = [];
  for (const app of new SafeArrayIterator(generation)) {
    for (const { method, path, route } of new SafeArrayIterator(app.router.routes)) {
      const kind = route.wsHandler === null ? "http" : route.handler === null ? "ws" : "http+ws";
      ArrayPrototypePush(rows, [method, path, kind]);
    }
  }
  return rows;
}
