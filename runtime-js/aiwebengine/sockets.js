// `registerWebSocket(path, handler)`, which aiwebengine's author has on the list of wishes: the handler gets an accepted
// WebSocket and the context.

import { op_request_header } from "ext:core/ops";
import { acceptPaired } from "ext:liveline/websocket/pair.js";
import { globalThis, Response, SafeMap, StringPrototypeToLowerCase, TypeError } from "ext:liveline/primordials.js";
import { checkPath } from "ext:liveline_aiwebengine/registry.js";
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

/** The place whose WebSocket a request asks for. */
export function socketPlace(exchange, pathname) {
  const place = places.get(pathname);
  return place !== undefined && isUpgrade(exchange) ? place : undefined;
}

/** A pair of sockets: the accepted end, and the answer that sends the other to the client. */
export function socketAnswer(headers = undefined) {
  const pair = new WebSocketPair();
  const { 0: client, 1: server } = pair;
  const response = new Response(null, { status: 101, webSocket: client, headers });
  return { server, response };
}

export function answerSocket(exchange, place) {
  const { server, response } = socketAnswer();
  acceptPaired(server);
  place.script.resolve(place.handler, `the WebSocket ${place.path}`)(server, contextOf(exchange, undefined, "webSocket"));
  return response;
}
