// What Responses say of bodies that are not theirs. The body of an upstream's answer is decoded, and handlers give it, or
// what they make of it, to a Response with the same headers: `new Response(res.body, res)`. Its client would look for a
// coding and a length that are not there. And where Responses redirect to.

import { core } from "ext:core/mod.js";
import { currentExchange } from "ext:liveline/10_exchange.js";
import { addressOf } from "ext:liveline/22_values.js";
import {
  ArrayPrototypeFilter,
  ArrayPrototypeForEach,
  ArrayPrototypeIncludes,
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
  StringPrototypeToLowerCase,
} from "ext:liveline/00_primordials.js";

/** The upstream's answer that headers or a body belong to, by these. */
const upstreams = new SafeWeakMap();

/**
 * Keeps in mind whose the headers and bodies are that handlers take out of Responses. Of a body that was decoded on its
 * way here, neither its coding nor its length are said any more, so that no copy of the headers says them.
 */
export function followHeads(Plain) {
  const { toInnerResponse } = core.loadExtScript("ext:deno_fetch/23_response.js");
  ArrayPrototypeForEach(["headers", "body"], (name) => {
    const { get, ...property } = ObjectGetOwnPropertyDescriptor(Plain.prototype, name);
    const read = function () {
      const inner = toInnerResponse(this);
      if (inner.urlList.length === 0) return FunctionPrototypeCall(get, this);
      if (inner.bodyDecoded) {
        inner.headerList = ArrayPrototypeFilter(
          inner.headerList,
          ({ 0: name }) => !ArrayPrototypeIncludes(OF_ENCODED_BODIES, StringPrototypeToLowerCase(name)),
        );
        inner.bodyDecoded = false;
      }
      const value = FunctionPrototypeCall(get, this);
      if (value !== null) upstreams.set(value, inner);
      return value;
    };
    ObjectDefineProperty(read, "name", { __proto__: null, configurable: true, value: `get ${name}` });
    ObjectDefineProperty(Plain.prototype, name, { __proto__: null, ...property, get: read });
  });
  return toInnerResponse;
}

const OF_ENCODED_BODIES = ["content-encoding", "content-length", "transfer-encoding"];

/**
 * Takes out of a new Response the length of another body than its own.
 * @param {Response} response made of `body` and `init`
 * @param {(response: Response) => object} toInnerResponse what {@link followHeads} gave
 */
export function dropStaleLength(response, body, init, Plain, toInnerResponse) {
  if (!(body instanceof ReadableStream)) return;
  const ofHead = init instanceof Plain ? toInnerResponse(init) : upstreams.get(init.headers);
  if (ofHead !== undefined && ofHead.urlList.length > 0 && upstreams.get(body) !== ofHead) {
    HeadersPrototypeDelete(ResponsePrototypeGetHeaders(response), "content-length");
  }
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
