// What a Response says of a body that it was not said of. The body of an upstream's answer is decoded, and handlers give
// it, or what they make of it, to a Response with the same headers: `new Response(res.body, res)`. Its client would look
// for a coding and a length that are not there.

import { core } from "ext:core/mod.js";
import { currentExchange } from "ext:liveline/10_exchange.js";
import { addressOf } from "ext:liveline/22_values.js";
import {
  ArrayPrototypeForEach,
  FunctionPrototypeCall,
  HeadersPrototypeDelete,
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptor,
  ReadableStream,
  RegExpPrototypeTest,
  Response,
  ResponsePrototypeGetHeaders,
  ResponsePrototypeGetStatus,
  SafeRegExp,
  SafeWeakMap,
  String,
} from "ext:liveline/00_primordials.js";

/** The upstream's answer that headers or a body belong to, by these. */
const upstreams = new SafeWeakMap();

/** Keeps in mind whose the headers and bodies are that handlers take out of Responses. */
export function followHeads(Plain) {
  const { toInnerResponse } = core.loadExtScript("ext:deno_fetch/23_response.js");
  ArrayPrototypeForEach(["headers", "body"], (name) => {
    const { get, ...property } = ObjectGetOwnPropertyDescriptor(Plain.prototype, name);
    const read = function () {
      const value = FunctionPrototypeCall(get, this);
      const inner = toInnerResponse(this);
      if (value !== null && inner.urlList.length > 0) upstreams.set(value, inner);
      return value;
    };
    ObjectDefineProperty(read, "name", { __proto__: null, configurable: true, value: `get ${name}` });
    ObjectDefineProperty(Plain.prototype, name, { __proto__: null, ...property, get: read });
  });
  return (response) => toInnerResponse(response).urlList.length > 0 ? toInnerResponse(response) : undefined;
}

/**
 * Takes out of a new Response what was said of another body.
 * @param {Response} response made of `body` and `init`
 * @param {(response: Response) => object | undefined} upstreamOf what {@link followHeads} gave
 */
export function dropStaleHead(response, body, init, Plain, upstreamOf) {
  const isStream = body instanceof ReadableStream;
  const ofBody = isStream ? upstreams.get(body) : undefined;
  const ofHead = init instanceof Plain ? upstreamOf(init) : upstreams.get(init.headers);
  if (ofBody === undefined && ofHead === undefined) return;
  const isDecoded = (ofBody ?? ofHead).bodyDecoded;
  const headers = ResponsePrototypeGetHeaders(response);
  if (isDecoded) HeadersPrototypeDelete(headers, "content-encoding");
  if (isDecoded || (isStream && ofBody !== ofHead)) HeadersPrototypeDelete(headers, "content-length");
}

const ABSOLUTE = new SafeRegExp(/^\s*[a-z][a-z0-9+.-]*:/i);

/** `Response.redirect()`, with an address that may be relative to that of the request. @param {Function} absolutely */
export function redirectOf(absolutely) {
  return function redirect(url, status = 302) {
    const address = String(url);
    if (RegExpPrototypeTest(ABSOLUTE, address) || currentExchange() === undefined) {
      return FunctionPrototypeCall(absolutely, Response, address, status);
    }
    // It also judges the status.
    const response = FunctionPrototypeCall(absolutely, Response, "http://localhost/", status);
    return new Response(null, { status: ResponsePrototypeGetStatus(response), headers: { Location: addressOf(address) } });
  };
}
