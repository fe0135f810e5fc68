// fetch() with `Upgrade: websocket`: the Response has the socket, as in Workers. A handler accepts it, or answers with it.

import { op_socket_close, op_socket_dial, op_socket_next, op_socket_send, op_socket_send_bytes } from "ext:core/ops";
import { currentActor } from "../actor/context.js";
import { currentExchange } from "../exchange.js";
import { BODY_HEADERS } from "../fetch/body_headers.js";
import { writeHeaders } from "../request.js";
import { hasSocketScheme, readyStateOf, takesBuffers } from "./client.js";
import { abandonSocket, acceptPaired, closePaired, sendPaired, WebSocketPair, whenRoomFor } from "./pair.js";
import {
  ArrayBufferViewPrototypeGetBuffer,
  ArrayBufferViewPrototypeGetByteLength,
  ArrayPrototypeFilter,
  EventTargetPrototypeAddEventListener,
  EventTargetPrototypeRemoveEventListener,
  HeadersPrototypeEntries,
  HeadersPrototypeGet,
  Promise,
  PromiseReject,
  RequestPrototypeGetHeaders,
  RequestPrototypeGetUrl,
  Response,
  SafeArrayIterator,
  SafeSet,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
  StringPrototypeToLowerCase,
  StringPrototypeTrim,
  TypeError,
  URL,
  URLPrototypeGetHref,
} from "../primordials.js";

/** What may wait for the other server to read, in bytes. Beyond it both sides close with 1013. */
const MAX_UNSENT = 32 * 1024 * 1024;

/** Headers of one connection (RFC 9110 section 7.6.1); the handshake writes its own. */
const OF_CONNECTION = [
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

const TOO_SLOW = 1013;
/** The close code of a proxy whose other connection was lost (IANA's registry of close codes). */
const BAD_GATEWAY = 1014;

/** Whether a request asks for a WebSocket. @param {Headers} headers */
export function asksForSocket(headers) {
  const upgrade = HeadersPrototypeGet(headers, "upgrade");
  return upgrade !== null && StringPrototypeToLowerCase(upgrade) === "websocket";
}

/**
 * Asks another server for a WebSocket.
 * @param {Request} request
 * @returns {Promise<Response>} 101 with a `webSocket`; or the status and headers of what the server answers instead
 */
export function openUpgrade(request) {
  const address = RequestPrototypeGetUrl(request);
  const url = new URL(address);
  if (!hasSocketScheme(url)) throw new TypeError(`${address} has no scheme of HTTP.`);
  const { signal } = request;
  if (signal.aborted) return PromiseReject(signal.reason);
  url.hash = "";
  const headers = passedOn(HeadersPrototypeEntries(RequestPrototypeGetHeaders(request)), []);
  const socket = op_socket_dial(URLPrototypeGetHref(url), writeHeaders(headers), MAX_UNSENT);
  const { 0: client, 1: server } = new WebSocketPair();
  let response = null;
  const owner = currentActor() ?? currentExchange();
  const abandon = () => {
    op_socket_close(socket, 1001, "the code that opened the socket has ended");
    if (response !== null) abandonSocket(response);
  };
  owner?.onEnd(abandon);
  return new Promise((resolve, reject) => {
    const aborted = () => {
      op_socket_close(socket, 1001, "the request was aborted");
      reject(signal.reason);
    };
    EventTargetPrototypeAddEventListener(signal, "abort", aborted);
    const settle = (make) => {
      EventTargetPrototypeRemoveEventListener(signal, "abort", aborted);
      try {
        resolve(make());
      } catch (error) {
        // Its head makes no Response: a status below 200, for example.
        op_socket_close(socket, 1002, "the answer cannot be passed on");
        reject(error);
      }
    };
    follow(socket, {
      opened: ({ headers }) => settle(() => {
        response = new Response(null, { status: 101, webSocket: client, headers: passedOn(headers, []) });
        join(server, socket);
        return response;
      }),
      refused: ({ status, headers }) => settle(() => new Response(null, { status, headers: passedOn(headers, BODY_HEADERS) })),
      text: ({ data }) => sendOn(server, data, 3 * data.length),
      binary: ({ data }) =>
        sendOn(server, ArrayBufferViewPrototypeGetBuffer(data), ArrayBufferViewPrototypeGetByteLength(data)),
      closed({ code, reason, wasClean }) {
        EventTargetPrototypeRemoveEventListener(signal, "abort", aborted);
        owner?.offEnd(abandon);
        // This has no effect if the promise is settled.
        reject(new TypeError(`${address}: ${reason}`));
        // Nobody has the pair.
        if (response === null) return;
        if (wasClean) closeWith(server, code, reason);
        else closeWith(server, BAD_GATEWAY, "the connection to the other server was lost");
      },
    });
  });
}

/** Passes on what comes from the near end of a pair to a socket of the host. */
function join(server, socket) {
  takesBuffers(server);
  acceptPaired(server);
  EventTargetPrototypeAddEventListener(server, "message", ({ data }) => {
    try {
      if (typeof data === "string") op_socket_send(socket, data);
      else op_socket_send_bytes(socket, data);
    } catch {
      op_socket_close(socket, TOO_SLOW, "");
      closeWith(server, TOO_SLOW, "the other server reads too slowly");
    }
  });
  EventTargetPrototypeAddEventListener(server, "close", ({ code, reason }) => {
    op_socket_close(socket, isSent(code) ? code : 0, reason);
  });
}

/** Dispatches the events of a dialled socket. While a message waits for room no more is read from the other server. */
async function follow(socket, listeners) {
  let event;
  while ((event = await op_socket_next(socket)) !== null) await listeners[event.type](event);
}

/** @param {number} length of the message in bytes, at most */
async function sendOn(server, data, length) {
  await whenRoomFor(server, length);
  // Its client may have left.
  if (readyStateOf(server) === 1) sendPaired(server, data);
}

function closeWith(server, code, reason) {
  if (readyStateOf(server) >= 2) return;
  if (isSent(code)) closePaired(server, code, reason);
  else closePaired(server);
}

/** The headers that pass from one connection to another, without those of `more`. */
function passedOn(headers, more) {
  const dropped = new SafeSet([...new SafeArrayIterator(OF_CONNECTION), ...new SafeArrayIterator(more)]);
  for (let i = 0; i < headers.length; i++) {
    if (headers[i][0] !== "connection") continue;
    for (const name of new SafeArrayIterator(StringPrototypeSplit(headers[i][1], ","))) {
      dropped.add(StringPrototypeToLowerCase(StringPrototypeTrim(name)));
    }
  }
  return ArrayPrototypeFilter(headers, ({ 0: name }) =>
    !dropped.has(name) && (!StringPrototypeStartsWith(name, "sec-websocket-") || name === "sec-websocket-protocol"));
}

/** Whether a close frame may have this code (RFC 6455 section 7.4). */
function isSent(code) {
  return code >= 1000 && code < 5000 && code !== 1004 && code !== 1005 && code !== 1006 && code !== 1015;
}
