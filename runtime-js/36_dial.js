// Lines to other servers: a fetch() that says it can follow one, and the sockets that carry them.

import { core } from "ext:core/mod.js";
import { op_socket_close, op_socket_dial, op_socket_send } from "ext:core/ops";
import { define } from "ext:liveline/00_globals.js";
import { currentExchange } from "ext:liveline/10_exchange.js";
import { listen, NO_STATUS } from "ext:liveline/16_websocket.js";
import { LINE_HEADERS, LiveResponse, setPortOpener } from "ext:liveline/20_live_response.js";
import { RemotePort } from "ext:liveline/34_remote_port.js";

/** As whom a response was fetched: its line is for the same visitor. @type {WeakMap<Response, Identity>} */
const identities = new WeakMap();

/**
 * @typedef {object} Identity
 * @property {string} cookie
 * @property {string} authorization
 */

const ANYBODY = { cookie: "", authorization: "" };

/** The web's fetch(), which tells servers like this one that their answers may stay on the line. */
async function fetch(input, init = undefined) {
  const { fetch } = core.loadExtScript("ext:deno_fetch/26_fetch.js");
  const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined));
  if (!headers.has("X-Accept-Live")) headers.set("X-Accept-Live", "*");
  const response = await fetch(input, { ...init, headers });
  if (LiveResponse.hasPort(response)) {
    identities.set(response, identityOf(response, headers, input instanceof Request ? input.url : String(input)));
  }
  return response;
}

/** What the handler said of itself, unless a redirect led elsewhere, and the cookies that came with the answer. */
function identityOf(response, headers, asked) {
  const isThere = new URL(asked).origin === new URL(response.url).origin;
  const given = isThere ? headers.get("cookie") ?? "" : "";
  const jar = new Map();
  for (const cookie of [...given.split(";"), ...response.headers.getSetCookie().map((line) => line.split(";")[0])]) {
    if (cookie.includes("=")) jar.set(cookie.split("=")[0].trim(), cookie.trim());
  }
  return { cookie: [...jar.values()].join("; "), authorization: isThere ? headers.get("authorization") ?? "" : "" };
}

/** Opens the line of a response; it ends with the exchange that opened it. */
function openLine(response) {
  const url = lineOf(response);
  const exchange = currentExchange();
  if (url === null || exchange?.ended) return null;
  const isSameOrigin = url.origin.replace(/^ws/, "http") === new URL(response.url || "null:").origin;
  const identity = isSameOrigin ? identities.get(response) ?? ANYBODY : ANYBODY;
  const port = new RemotePort((receiver) => dial(url.href, identity, receiver));
  exchange?.onEnd(() => port.close(1001, "the exchange that followed this line has ended"));
  return port;
}

/** Where a response's line is, or null. */
function lineOf(response) {
  const [today, older] = LINE_HEADERS.map((name) => response.headers.get(name));
  const address = today?.startsWith("socket://")
    ? today.slice("socket://".length)
    : older?.startsWith("ws:")
    ? older.slice("ws:".length).replace(/^\/*/, "/")
    : null;
  const base = response.url === "" ? undefined : response.url;
  if (address === null || !URL.canParse(address, base)) return null;
  const url = new URL(address, base);
  // Setting the scheme of a special URL to another special one is what URLs allow.
  if (url.protocol === "http:" || url.protocol === "https:") url.protocol = url.protocol.replace("http", "ws");
  return url.protocol === "ws:" || url.protocol === "wss:" ? url : null;
}

/** @returns {import("./34_remote_port.js").Transport} */
function dial(url, { cookie, authorization }, receiver) {
  let socket;
  try {
    socket = op_socket_dial(url, "", cookie, authorization, MAX_UNSENT);
  } catch (error) {
    queueMicrotask(() => receiver.closed(1006, error.message, false));
    return { send() {}, close() {} };
  }
  listen(socket, {
    opened: () => receiver.opened(),
    text: ({ data }) => receiver.frame(data),
    // Lines have no binary frames.
    binary() {},
    closed: ({ code, reason, wasClean }) => receiver.closed(code === NO_STATUS ? 1000 : code, reason, wasClean),
  });
  return {
    send: (text) => op_socket_send(socket, text),
    close: (code, reason) => op_socket_close(socket, code, reason),
  };
}

/** What may wait for an upstream to read, in bytes. */
const MAX_UNSENT = 1024 * 1024;

define("fetch", fetch);
setPortOpener(openLine);
