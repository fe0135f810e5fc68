// `registerWebSocket(path, handler)`, which aiwebengine's author has on the list of wishes: the handler gets an accepted
// WebSocket and the context.

import { op_request_header } from "ext:core/ops";
import { acceptPaired } from "ext:liveline/websocket/pair.js";
import {
  ArrayPrototypePush,
  globalThis,
  Response,
  SafeMap,
  StringPrototypeToLowerCase,
  TypeError,
} from "ext:liveline/primordials.js";
import { checkPath, nameOf } from "ext:liveline_aiwebengine/registry.js";
import { contextOf } from "ext:liveline_aiwebengine/request.js";

/** By path. @type {Map<string, { script: object, handler: string | Function, path: string, method: string }>} */
const places = new SafeMap();

/** Read before any script could replace it. */
const { WebSocketPair } = globalThis;

export function registerSocket(script, path, handler) {
  checkPath("registerWebSocket()", path, "WebSocket");
  if (typeof handler !== "string" && typeof handler !== "function") {
    throw new TypeError(`registerWebSocket(): the handler of ${path} is a function or the name of one.`);
  }
  places.set(path, { script, handler, path, method: "GET" });
  return `WebSocket ${path} registered`;
}

/** Whether a request asks for a WebSocket. */
export const isUpgrade = (exchange) =>
  exchange.method === "GET" && StringPrototypeToLowerCase(op_request_header(exchange.id, "upgrade") ?? "") === "websocket";

/** A pair of sockets: the accepted end, and the answer that sends the other to the client. */
export function socketAnswer(headers = undefined) {
  const pair = new WebSocketPair();
  const { 0: client, 1: server } = pair;
  const response = new Response(null, { status: 101, webSocket: client, headers });
  return { server, response };
}

/** What is registered for a path; undefined if that is nothing. */
export function socketAt(pathname) {
  return places.get(pathname);
}

/** The paths that have a WebSocket. */
export function socketPaths() {
  return [...places.keys()];
}

/** Handlers that were named and that no script declares, as messages. */
export function missingSocketHandlers() {
  const missing = [];
  for (const { script, handler, path } of places.values()) {
    if (script.lookUp(handler) !== undefined) continue;
    ArrayPrototypePush(missing, `${script.name}: the handler ${nameOf(handler)} of the WebSocket ${path} does not exist.`);
  }
  return missing;
}

/** Answers a request for the WebSocket of a place: its handler gets the end that the host has. */
export function answerSocket(exchange, place) {
  const { server, response } = socketAnswer();
  acceptPaired(server);
  place.script.resolve(place.handler, `the WebSocket ${place.path}`)(server, contextOf(exchange, undefined, "webSocket"));
  return response;
}
