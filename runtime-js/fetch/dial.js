// Lines to other servers: a fetch() whose requests can be answered with one, and the sockets that carry them.

import { core } from "ext:core/mod.js";
import { op_socket_close, op_socket_dial, op_socket_send } from "ext:core/ops";
import { define } from "../globals.js";
import { unwrapRefusal } from "../errors/errors.js";
import { currentActor } from "../actor/context.js";
import { currentExchange } from "../exchange.js";
import { writeHeaders } from "../request.js";
import { hasSocketScheme, listen, NO_STATUS } from "../websocket/client.js";
import { asksForSocket, openUpgrade } from "../websocket/upgrade.js";
import { LINE_HEADERS, urlOf } from "../live_response/frame.js";
import { hasPort, setPortOpener } from "../live_response/states.js";
import { RemotePort } from "../port/remote_port.js";
import {
  ArrayPrototypeFilter,
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  EventTargetPrototypeAddEventListener,
  HeadersPrototypeGet,
  HeadersPrototypeGetSetCookie,
  HeadersPrototypeHas,
  HeadersPrototypeSet,
  queueMicrotask,
  Request,
  RequestPrototypeGetHeaders,
  RequestPrototypeGetUrl,
  ResponsePrototypeGetHeaders,
  SafeArrayIterator,
  SafeMap,
  SafeRegExp,
  SafeWeakMap,
  StringPrototypeIncludes,
  StringPrototypeReplace,
  StringPrototypeSlice,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
  StringPrototypeTrim,
  URL,
  URLCanParse,
  URLPrototypeGetHref,
  URLPrototypeGetOrigin,
} from "../primordials.js";

/** The credentials of a fetched response, with which its line is opened. @type {WeakMap<Response, Identity>} */
const identities = new SafeWeakMap();

/**
 * @typedef {object} Identity
 * @property {string} cookie
 * @property {string} authorization
 */

const ANYBODY = { cookie: "", authorization: "" };

/** The web's fetch(), with the header by which servers like this one keep their answers on a line. */
async function fetch(input, init = undefined) {
  const { fetch } = core.loadExtScript("ext:deno_fetch/26_fetch.js");
  // `init` may be a Request, whose parts no copy of its properties would have.
  const request = new Request(input, init);
  const headers = RequestPrototypeGetHeaders(request);
  if (!HeadersPrototypeHas(headers, "X-Accept-Live")) HeadersPrototypeSet(headers, "X-Accept-Live", "*");
  headersOfFetch?.sent(headers);
  const send = () => asksForSocket(headers) ? openUpgrade(request) : fetch(request);
  const actor = currentActor();
  let response;
  try {
    response = await (actor === undefined ? send() : actor.fetched(send));
  } catch (error) {
    throw unwrapRefusal(error);
  }
  headersOfFetch?.received(response);
  if (hasPort(response)) {
    identities.set(response, identityOf(response, headers, RequestPrototypeGetUrl(request)));
  }
  return response;
}

/** What headers of messages are, where they are no byte strings. @type {HeadersOfFetch | null} */
let headersOfFetch = null;

/**
 * @typedef {object} HeadersOfFetch
 * @property {(headers: Headers) => void} sent makes byte strings of what a handler sends
 * @property {(response: Response) => void} received makes texts of what came
 */

/** @param {HeadersOfFetch} headers */
export function useHeadersOfFetch(headers) {
  headersOfFetch = headers;
}

/** The credentials that the handler sent, unless a redirect led elsewhere, and the cookies of the answer. */
function identityOf(response, headers, asked) {
  const isThere = originOf(asked) === originOf(urlOf(response));
  const given = isThere ? HeadersPrototypeGet(headers, "cookie") ?? "" : "";
  const jar = new SafeMap();
  const set = HeadersPrototypeGetSetCookie(ResponsePrototypeGetHeaders(response));
  const fresh = ArrayPrototypeMap(set, (line) => StringPrototypeSplit(line, ";")[0]);
  const cookies = StringPrototypeSplit(given, ";");
  for (const cookie of new SafeArrayIterator([...new SafeArrayIterator(cookies), ...new SafeArrayIterator(fresh)])) {
    if (!StringPrototypeIncludes(cookie, "=")) continue;
    jar.set(StringPrototypeTrim(StringPrototypeSplit(cookie, "=")[0]), StringPrototypeTrim(cookie));
  }
  const authorization = isThere ? HeadersPrototypeGet(headers, "authorization") ?? "" : "";
  return { cookie: ArrayPrototypeJoin([...jar.values()], "; "), authorization };
}

/** Opens the line of a response; it ends with the exchange that opened it. */
function openLine(response) {
  const url = lineOf(response);
  const exchange = currentExchange();
  if (url === null || exchange?.ended) return null;
  const from = originOf(urlOf(response) || "null:");
  const isSameOrigin = StringPrototypeReplace(URLPrototypeGetOrigin(url), "ws", "http") === from;
  const identity = isSameOrigin ? identities.get(response) ?? ANYBODY : ANYBODY;
  const port = new RemotePort((receiver) => dial(URLPrototypeGetHref(url), identity, receiver));
  if (exchange === undefined) return port;
  const close = () => port.close(1001, "the exchange that followed this line has ended");
  exchange.onEnd(close);
  EventTargetPrototypeAddEventListener(port, "close", () => exchange.offEnd(close), { once: true });
  return port;
}

function originOf(url) {
  return URLPrototypeGetOrigin(new URL(url));
}

/** Where a response's line is, or null. @returns {URL | null} */
function lineOf(response) {
  const headers = ResponsePrototypeGetHeaders(response);
  const { 0: today, 1: older } = ArrayPrototypeMap(LINE_HEADERS, (name) => HeadersPrototypeGet(headers, name) ?? "");
  const address = StringPrototypeStartsWith(today, "socket://")
    ? StringPrototypeSlice(today, "socket://".length)
    : StringPrototypeStartsWith(older, "ws:")
    ? StringPrototypeReplace(StringPrototypeSlice(older, "ws:".length), LEADING_SLASHES, "/")
    : null;
  const base = urlOf(response) || undefined;
  if (address === null || !URLCanParse(address, base)) return null;
  const url = new URL(address, base);
  return hasSocketScheme(url) ? url : null;
}

const LEADING_SLASHES = new SafeRegExp(/^\/*/);

/** @returns {import("../port/remote_port.js").Transport} */
function dial(url, { cookie, authorization }, receiver) {
  let socket;
  try {
    const headers = [["cookie", cookie], ["authorization", authorization]];
    socket = op_socket_dial(url, writeHeaders(ArrayPrototypeFilter(headers, ({ 1: value }) => value !== "")), MAX_UNSENT);
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
