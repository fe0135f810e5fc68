// Programs that listen themselves: servers of Node's `http`, whatever framework answers on them. The host's listener
// leads to the server that listened first.

import { core, primordials } from "ext:core/mod.js";
import { op_listening, op_request_header, op_request_peer } from "ext:core/ops";
import { ANSWERED } from "ext:liveline/dispatch/dispatch.js";
import { kExchange } from "ext:liveline/event/event.js";
import { connect } from "ext:liveline_node/mount.js";
import { HostTransport, node, targetOf } from "ext:liveline_fastify/transport.js";
import { upgradeSocket } from "ext:liveline_fastify/upgrade.js";

const {
  ArrayPrototypePop,
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  ObjectDefineProperty,
  Promise,
  StringPrototypeIncludes,
  StringPrototypeToLowerCase,
} = primordials;

const ROOT = { pathname: "/" };

/** The servers that listen, in the order in which they began. */
const servers = [];

export function adoptedServers() {
  return servers;
}

/** The address that leads to a server which wanted to listen at `port`: the host's. */
export function addressFor(port) {
  const { 0: address, 1: own } = op_listening();
  if (address === undefined) return { address: "127.0.0.1", family: "IPv4", port };
  return { address, family: StringPrototypeIncludes(address, ":") ? "IPv6" : "IPv4", port: +own };
}

/** Makes a server one of the host's. Called in place of its `listen()`. */
export function adopt(server, given) {
  const parameters = ArrayPrototypeSlice(given);
  const last = parameters[parameters.length - 1];
  const callback = typeof last === "function" ? ArrayPrototypePop(parameters) : undefined;
  const first = parameters[0];
  const asked = first !== null && typeof first === "object" ? first.port : first;
  const port = +asked || 0;
  ArrayPrototypePush(servers, { server, port });
  ObjectDefineProperty(server, "listening", { __proto__: null, configurable: true, value: true, writable: true });
  server.address = () => addressFor(port);
  server.close = (closed) => {
    server.listening = false;
    if (typeof closed === "function") server.once("close", closed);
    core.createLazyLoader("node:process")().default.nextTick(() => server.emit("close"));
    return server;
  };
  if (callback !== undefined) server.once("listening", callback);
  core.createLazyLoader("node:process")().default.nextTick(() => server.emit("listening"));
}

/** Whether a request asks for another protocol. */
function wantsUpgrade(event) {
  const { id, method } = event[kExchange];
  return method === "GET" && StringPrototypeToLowerCase(op_request_header(id, "upgrade") ?? "") === "websocket";
}

/** Answers a request on a server of Node's kind. */
export function answerOn(server, event) {
  const exchange = event[kExchange];
  if (server.listenerCount("upgrade") > 0 && wantsUpgrade(event)) return upgradeOn(server, event);
  return new Promise((resolve, reject) => {
    const place = { url: event.url, address: op_request_peer(exchange.id) };
    const { req, res } = connect(event.request, place, ROOT, exchange, resolve, reject);
    if (!server.emit("request", req, res)) {
      res.statusCode = 404;
      res.end();
    }
  });
}

/** Emits `upgrade` with a socket that stands for the connection. */
export function upgradeOn(server, event) {
  const exchange = event[kExchange];
  return new Promise((resolve, reject) => {
    const place = { url: event.url, address: op_request_peer(exchange.id) };
    const transport = new HostTransport(event, exchange, targetOf(exchange.url), (given = ANSWERED) => resolve(given));
    // The objects of Node for the request; its response is not used.
    const { req } = connect(event.request, place, ROOT, { ended: false, onEnd() {} }, () => {}, () => {});
    // The host compresses no frames, so that none of the other side's are.
    delete req.headers["sec-websocket-extensions"];
    const socket = upgradeSocket(transport, place.address);
    try {
      server.emit("upgrade", req, socket, node().Buffer.alloc(0));
    } catch (error) {
      reject(error);
    }
  });
}
