// fetch() with `Upgrade: websocket`: the Response has the socket, as in Workers. A handler accepts it, or answers with it.

import { op_socket_close, op_socket_dial, op_socket_send, op_socket_send_bytes } from "ext:core/ops";
import { currentExchange } from "../exchange.js";
import { writeHeaders } from "../request.js";
import { hasSocketScheme, listen } from "./client.js";
import { WebSocketPair } from "./pair.js";
import {
  ArrayBufferViewPrototypeGetBuffer,
  ArrayPrototypeFilter,
  EventTargetPrototypeAddEventListener,
  HeadersPrototypeEntries,
  HeadersPrototypeGet,
  Promise,
  RequestPrototypeGetHeaders,
  RequestPrototypeGetUrl,
  Response,
  SafeSet,
  StringPrototypeSlice,
  StringPrototypeStartsWith,
  StringPrototypeToLowerCase,
  TypeError,
  URL,
  URLPrototypeGetHref,
} from "../primordials.js";

/** What may wait for the other server to read, in bytes. */
const MAX_UNSENT = 32 * 1024 * 1024;

/** Headers of one connection, which the new one has itself. */
const OF_CONNECTION = new SafeSet(["connection", "content-length", "host", "keep-alive", "upgrade"]);

/** Whether a request asks for a WebSocket. @param {Headers} headers */
export function asksForSocket(headers) {
  const upgrade = HeadersPrototypeGet(headers, "upgrade");
  return upgrade !== null && StringPrototypeToLowerCase(upgrade) === "websocket";
}

/**
 * Asks another server for a WebSocket.
 * @param {Request} request
 * @returns {Promise<Response>} 101 with a `webSocket`, or what the server answers instead
 */
export function openUpgrade(request) {
  const url = new URL(RequestPrototypeGetUrl(request));
  if (!hasSocketScheme(url)) throw new TypeError(`${RequestPrototypeGetUrl(request)} has no scheme of HTTP.`);
  url.hash = "";
  const headers = ArrayPrototypeFilter(HeadersPrototypeEntries(RequestPrototypeGetHeaders(request)), isPassedOn);
  const socket = op_socket_dial(URLPrototypeGetHref(url), writeHeaders(headers), MAX_UNSENT);
  const { 0: client, 1: server } = new WebSocketPair();
  currentExchange()?.onEnd(() => op_socket_close(socket, 1001, "the exchange that opened the socket has ended"));
  return new Promise((resolve, reject) => {
    listen(socket, {
      opened({ headers }) {
        server.binaryType = "arraybuffer";
        server.accept();
        EventTargetPrototypeAddEventListener(server, "message", ({ data }) => {
          if (typeof data === "string") op_socket_send(socket, data);
          else op_socket_send_bytes(socket, data);
        });
        EventTargetPrototypeAddEventListener(server, "close", ({ code, reason }) => {
          op_socket_close(socket, isSent(code) ? code : 0, reason);
        });
        resolve(new Response(null, { status: 101, webSocket: client, headers: ArrayPrototypeFilter(headers, isPassedOn) }));
      },
      refused({ status, headers, body }) {
        const isEmpty = status === 204 || status === 205 || status === 304;
        resolve(new Response(isEmpty ? null : body, { status, headers }));
      },
      text: ({ data }) => server.send(data),
      binary: ({ data }) => server.send(ArrayBufferViewPrototypeGetBuffer(data)),
      closed({ code, reason }) {
        // Settled before, unless there was no connection.
        reject(new TypeError(`${RequestPrototypeGetUrl(request)}: ${reason}`));
        if (server.readyState < 2) server.close(isSent(code) ? code : undefined, isSent(code) ? reason : undefined);
      },
    });
  });
}

function isPassedOn({ 0: name }) {
  return !OF_CONNECTION.has(name) &&
    (!StringPrototypeStartsWith(name, "sec-websocket-") || StringPrototypeSlice(name, 14) === "protocol");
}

/** Whether a close frame may have this code. */
function isSent(code) {
  return code === 1000 || (code >= 3000 && code < 5000);
}
