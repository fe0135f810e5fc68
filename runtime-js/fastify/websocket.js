// Sockets of an application: `{ websocket: true }`, `wsHandler`, and what `@fastify/websocket` adds to an instance. Every
// application has them, wherever and whether the plugin is registered.

import { core, primordials } from "ext:core/mod.js";
import { isThenable } from "ext:liveline_fastify/queue.js";
import { invalidHeader, kHeaders, kIsHijacked, sendError } from "ext:liveline_fastify/reply.js";
import { kTransport } from "ext:liveline_fastify/request.js";
import { kState } from "ext:liveline_fastify/routes.js";
import { kAttach, OPEN, socketClass } from "ext:liveline_fastify/socket.js";

const {
  ArrayIsArray,
  ArrayPrototypeMap,
  ArrayPrototypePush,
  Error,
  FunctionPrototypeCall,
  ObjectAssign,
  ObjectKeys,
  Promise,
  PromisePrototypeThen,
  PromiseResolve,
  SafeArrayIterator,
  Set,
  StringPrototypeSplit,
  StringPrototypeTrim,
  SymbolFor,
} = primordials;

/** The largest message of a client, where the application sets no `maxPayload`: 100 MiB, as in the package ws. */
const MAX_PAYLOAD = 100 * 1024 * 1024;

/** The server of an application's sockets. */
export class SocketServer {
  constructor(app) {
    const EventEmitter = core.createLazyLoader("node:events")().default;
    const emitter = new EventEmitter();
    this.emitter = emitter;
    this.clients = new Set();
    this.options = { maxPayload: MAX_PAYLOAD };
    this.errorHandler = null;
    this.preClose = null;
    this.isPluggedIn = false;
    this.app = app;
    const own = this;
    /** What applications see of it. */
    this.face = ObjectAssign(emitter, {
      clients: this.clients,
      options: this.options,
      close(callback) {
        own.isClosed = true;
        if (typeof callback === "function") primordials.queueMicrotask(() => callback());
        emitter.emit("close");
      },
      address: () => app.address(),
      shouldHandle: () => true,
    });
    this.isClosed = false;
  }
}

/** `@fastify/websocket`: its options for the sockets of the application. */
export function plugin(server, options, done) {
  const { app } = server[kState];
  const sockets = app.sockets();
  const { options: given = {}, errorHandler, preClose } = options;
  if (errorHandler !== undefined && typeof errorHandler !== "function") {
    return done(new Error("invalid errorHandler function"));
  }
  if (given.noServer) return done(new Error("fastify-websocket doesn't support the ws noServer option. If you want to create a websocket server detatched from fastify, use the ws library directly."));
  if (given.path) server.log.warn("ws server path option shouldn't be provided, use a route instead");
  if (preClose !== undefined && typeof preClose !== "function") return done(new Error("invalid preClose function"));
  ObjectAssign(sockets.options, given);
  sockets.isPluggedIn = true;
  sockets.server = server;
  app.hasSockets = true;
  if (errorHandler !== undefined) sockets.errorHandler = errorHandler;
  if (preClose !== undefined) sockets.preClose = preClose;
  done();
}
primordials.ObjectDefineProperty(plugin, "name", { __proto__: null, value: "fastifyWebsocket" });
plugin[SymbolFor("skip-override")] = true;
plugin[SymbolFor("fastify.display-name")] = "@fastify/websocket";
plugin[SymbolFor("plugin-meta")] = { fastify: "5.x", name: "@fastify/websocket" };

/** Closes the sockets of an application that stops. */
export async function closeSockets(app) {
  const sockets = app.socketServer;
  if (sockets === null) return;
  if (sockets.preClose !== null) {
    const { preClose, server } = sockets;
    await new Promise((resolve, reject) => {
      const result = FunctionPrototypeCall(preClose, server, (error) => error ? reject(error) : resolve());
      if (isThenable(result)) PromisePrototypeThen(PromiseResolve(result), () => resolve(), reject);
      else if (preClose.length === 0) resolve();
    });
    return;
  }
  for (const socket of new SafeArrayIterator([...sockets.clients.values()])) socket.close();
}

function offered(request) {
  const value = request.header("sec-websocket-protocol");
  if (value === undefined || value === "") return [];
  return ArrayPrototypeMap(StringPrototypeSplit(value, ","), (name) => StringPrototypeTrim(name));
}

/** Whether the application admits the client: `verifyClient`. Calls `end` if so. */
function verify(verifyClient, request, reply, end) {
  const info = {
    origin: request.header("origin") ?? request.header("sec-websocket-origin"),
    secure: request.protocol === "https",
    req: request.raw,
  };
  const decide = (isAllowed, code = 401, message = undefined, headers = undefined) => {
    if (isAllowed) return end();
    if (headers !== undefined) reply.headers(headers);
    reply.code(code).type("text/html").send(message ?? "Unauthorized");
  };
  if (verifyClient.length === 2) return verifyClient(info, decide);
  decide(verifyClient(info));
}

/** Answers a request for a socket: the hooks have run. */
export function upgrade(context, request, reply) {
  const app = context.server[kState].app;
  const sockets = app.sockets();
  const { verifyClient } = sockets.options;
  if (typeof verifyClient !== "function") return open(context, request, reply, sockets);
  try {
    verify(verifyClient, request, reply, () => open(context, request, reply, sockets));
  } catch (error) {
    sendError(reply, error);
  }
}

function open(context, request, reply, sockets) {
  const transport = request[kTransport];
  const { app } = sockets;
  const names = offered(request);
  let protocol = names[0] ?? "";
  const { handleProtocols, maxPayload } = sockets.options;
  if (typeof handleProtocols === "function") {
    try {
      protocol = names.length === 0 ? "" : handleProtocols(new Set(names), request.raw) || "";
    } catch (error) {
      return sendError(reply, error);
    }
  }
  const invalid = invalidHeader(reply[kHeaders]);
  if (invalid !== null) {
    delete reply[kHeaders][invalid.header];
    return sendError(reply, invalid);
  }
  const Socket = socketClass();
  const socket = new Socket();
  const list = [];
  const headers = reply[kHeaders];
  for (const name of new SafeArrayIterator(ObjectKeys(headers))) {
    const values = ArrayIsArray(headers[name]) ? headers[name] : [headers[name]];
    for (const value of new SafeArrayIterator(values)) ArrayPrototypePush(list, [name, `${value}`]);
  }
  if (protocol !== "") ArrayPrototypePush(list, ["sec-websocket-protocol", protocol]);
  reply[kIsHijacked] = true;
  const carrier = transport.openSocket(socket, list, maxPayload ?? MAX_PAYLOAD);
  if (carrier === null) return;
  if (sockets.options.clientTracking !== false) sockets.clients.add(socket);
  app.begun(socket);
  socket.on("close", () => {
    sockets.clients.delete(socket);
    app.finished(socket);
  });
  const fail = (error) => failed(context, request, reply, socket, sockets, error);
  socket[kAttach](carrier, protocol, (error) => listenerFailed(request, socket, error));
  socket.on("error", (error) => fail(error));
  // Node's request is made only where somebody wants it.
  if (sockets.emitter.listenerCount("connection") > 0) sockets.emitter.emit("connection", socket, request.raw);
  run(context, request, socket, fail);
}

function run(context, request, socket, fail) {
  const { wsHandler } = context;
  if (wsHandler === null) {
    request.log.info({ path: request.url }, "closed incoming websocket connection for path with no websocket handler");
    return socket.close();
  }
  let result;
  try {
    result = FunctionPrototypeCall(wsHandler, context.server, socket, request);
  } catch (error) {
    return fail(error);
  }
  if (isThenable(result)) PromisePrototypeThen(PromiseResolve(result), () => {}, fail);
}

/** A handler threw, or the connection failed: the application's error handler for sockets decides. */
function failed(context, request, reply, socket, sockets, error) {
  if (sockets.errorHandler !== null) {
    try {
      const result = FunctionPrototypeCall(sockets.errorHandler, context.server, error, socket, request, reply);
      if (isThenable(result)) PromisePrototypeThen(PromiseResolve(result), () => {}, (thrown) => request.log.error({ err: thrown }));
    } catch (thrown) {
      request.log.error({ err: thrown });
      socket.terminate();
    }
    return;
  }
  context.server[kState].app.report("a websocket handler", error, request);
  socket.terminate();
}

/** A listener threw: only its own socket closes. */
function listenerFailed(request, socket, error) {
  request.server[kState].app.report("a listener of a socket", error, request);
  if (socket.readyState === OPEN) socket.close(1011);
}
