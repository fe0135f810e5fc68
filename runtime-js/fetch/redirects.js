// Redirects of what answers inside of this host: files, services and actors.

import { core } from "ext:core/mod.js";
import { isReceived } from "../request.js";
import {
  ArrayPrototypePush,
  HeadersPrototypeDelete,
  HeadersPrototypeGet,
  PromisePrototypeCatch,
  ReadableStreamPrototypeCancel,
  Request,
  RequestPrototypeGetHeaders,
  RequestPrototypeGetMethod,
  RequestPrototypeGetUrl,
  ResponsePrototypeGetBody,
  ResponsePrototypeGetHeaders,
  ResponsePrototypeGetStatus,
  TypeError,
  URL,
  URLCanParse,
  URLPrototypeGetHref,
  URLPrototypeGetOrigin,
  URLPrototypeGetProtocol,
} from "../primordials.js";

const requests = () => core.loadExtScript("ext:deno_fetch/23_request.js");
const responses = () => core.loadExtScript("ext:deno_fetch/23_response.js");

/** The Request that code of this host sends to code of this host. */
export function requestToOwnCode(input, init) {
  const isPassedOn = init?.redirect === undefined && isReceived(input);
  return new Request(input, isPassedOn ? { ...init, redirect: "manual" } : init);
}

/** How many redirects are followed, as in browsers. */
const MOST = 20;

/**
 * Sends a request, and follows the redirects of its answers where the request says so (Fetch, section 4.4).
 * @param {Request} request
 * @param {(request: Request) => Promise<Response>} send answers a request; all are for the same receiver
 * @returns {Promise<Response>}
 */
export async function followRedirects(request, send) {
  const mode = request.redirect;
  const urls = [];
  for (let at = request;;) {
    const url = RequestPrototypeGetUrl(at);
    const method = RequestPrototypeGetMethod(at);
    // The source of the body, from which the next request makes a new one.
    const body = requests().toInnerRequest(at).body?.source ?? null;
    const isStream = body === null && at.body !== null;
    const response = await send(at);
    const status = ResponsePrototypeGetStatus(response);
    const location = isRedirect(status) ? HeadersPrototypeGet(ResponsePrototypeGetHeaders(response), "location") : null;
    ArrayPrototypePush(urls, url);
    if (location === null || mode === "manual") return finished(response, urls, method);
    if (mode === "error") throw new TypeError(`${url} answers with a redirect, which the request does not allow.`);
    if (urls.length > MOST) throw new TypeError(`${url} is the end of more than ${MOST} redirects.`);
    if (!URLCanParse(location, url)) throw new TypeError(`${url} redirects to what is no URL: ${location}`);
    const target = new URL(location, url);
    const scheme = URLPrototypeGetProtocol(target);
    if (scheme !== "http:" && scheme !== "https:") throw new TypeError(`${url} redirects to ${scheme}, which no request has.`);
    const next = URLPrototypeGetHref(target);
    const isGet = (status === 303 && method !== "GET" && method !== "HEAD") ||
      ((status === 301 || status === 302) && method === "POST");
    if (!isGet && isStream) {
      throw new TypeError(`${url} redirects with ${status}, and the body of the request cannot be sent again.`);
    }
    dropBody(response);
    at = requestTo(next, at, isGet ? "GET" : method, isGet ? null : body);
  }
}

function isRedirect(status) {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

/** The request that follows a redirect of `before`. */
function requestTo(url, before, method, body) {
  const request = new Request(url, { method, headers: RequestPrototypeGetHeaders(before), body, signal: before.signal });
  const headers = RequestPrototypeGetHeaders(request);
  if (method !== RequestPrototypeGetMethod(before)) {
    // workerd removes no other header of the body.
    HeadersPrototypeDelete(headers, "content-length");
  }
  if (originOf(url) !== originOf(RequestPrototypeGetUrl(before))) HeadersPrototypeDelete(headers, "authorization");
  return request;
}

const originOf = (url) => URLPrototypeGetOrigin(new URL(url));

function dropBody(response) {
  const stream = ResponsePrototypeGetBody(response);
  if (stream !== null) PromisePrototypeCatch(ReadableStreamPrototypeCancel(stream), () => {});
}

/** The response as its client sees it: with the addresses that led to it, and without a body if it is to HEAD. */
function finished(response, urls, method) {
  const inner = responses().toInnerResponse(response);
  inner.urlList = urls;
  if (method === "HEAD") {
    dropBody(response);
    inner.body = null;
  }
  return response;
}
