// Requests and Responses that pass between isolates.

import { core } from "ext:core/mod.js";
import { isEncoded } from "../answer/encoding.js";
import { exportBody, importBody } from "./bodies.js";
import { exportSocket, importSocket, socketOf } from "../websocket/pair.js";
import {
  HeadersPrototypeEntries,
  Request,
  RequestPrototypeGetHeaders,
  RequestPrototypeGetMethod,
  RequestPrototypeGetUrl,
  Response,
  ResponsePrototypeGetBodyUsed,
  ResponsePrototypeGetHeaders,
  ResponsePrototypeGetStatus,
  ResponsePrototypeGetStatusText,
  StringPrototypeIndexOf,
  StringPrototypeSlice,
  TypeError,
} from "../primordials.js";

const requests = () => core.loadExtScript("ext:deno_fetch/23_request.js");
const responses = () => core.loadExtScript("ext:deno_fetch/23_response.js");

/** A Request as data. Its body is used afterwards. */
export function encodeRequest(request) {
  if (request.bodyUsed) throw new TypeError("The Request's body was read already, so it cannot be sent.");
  return {
    method: RequestPrototypeGetMethod(request),
    url: withoutFragment(RequestPrototypeGetUrl(request)),
    headers: HeadersPrototypeEntries(RequestPrototypeGetHeaders(request)),
    body: exportBody(requests().toInnerRequest(request).body),
    redirect: request.redirect,
  };
}

/** A fragment is the client's own. */
function withoutFragment(url) {
  const at = StringPrototypeIndexOf(url, "#");
  return at < 0 ? url : StringPrototypeSlice(url, 0, at);
}

/** @param {AbortSignal} [signal] */
export function decodeRequest(isolate, { method, url, headers, body, redirect }, signal = undefined) {
  return new Request(url, { method, headers, body: importBody(isolate, body), redirect, signal, duplex: "half" });
}

/** A Response as data, with its socket. Its body is used afterwards. */
export function encodeResponse(response) {
  if (ResponsePrototypeGetBodyUsed(response)) {
    throw new TypeError("The Response's body was read already, so it cannot be sent.");
  }
  const socket = socketOf(response);
  return {
    status: ResponsePrototypeGetStatus(response),
    statusText: ResponsePrototypeGetStatusText(response),
    headers: HeadersPrototypeEntries(ResponsePrototypeGetHeaders(response)),
    body: exportBody(responses().toInnerResponse(response).body),
    socket: socket === null ? -1 : exportSocket(socket),
    encodeBody: isEncoded(response) ? "manual" : "automatic",
  };
}

export function decodeResponse(isolate, { status, statusText, headers, body, socket, encodeBody }) {
  const webSocket = socket === -1 ? null : importSocket(socket);
  return new Response(importBody(isolate, body), { status, statusText, headers, webSocket, encodeBody });
}
