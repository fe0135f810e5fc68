// Headers of Responses about bodies that are not theirs, and where Responses redirect to.
//
// The body of an upstream's answer is decoded, and handlers give it, or what they make of it, to a Response with the
// same headers: `new Response(res.body, res)`. Its client would look for a coding and a length that are not there.

import { core } from "ext:core/mod.js";
import { defineLazy } from "../globals.js";
import { currentExchange } from "../exchange.js";
import { addressOf } from "./values.js";
import {
  ArrayPrototypeFilter,
  ArrayPrototypeFind,
  ArrayPrototypeForEach,
  ArrayPrototypeIncludes,
  FunctionPrototypeCall,
  HeadersPrototypeDelete,
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptor,
  ObjectSetPrototypeOf,
  ReadableStream,
  ReflectConstruct,
  RegExpPrototypeTest,
  Response,
  ResponsePrototypeGetHeaders,
  ResponsePrototypeGetStatus,
  SafeRegExp,
  SafeWeakMap,
  String,
  StringPrototypeToLowerCase,
  TypeError,
} from "../primordials.js";

/** What Deno's Responses are made of, by the headers and the bodies that handlers took out of them, and by copies of these headers. */
const owners = new SafeWeakMap();

/** The web's Headers. A copy is known to be one. */
defineLazy("Headers", () => {
  const { Headers: Plain } = core.loadExtScript("ext:deno_fetch/20_headers.js");
  function Headers(init = undefined) {
    if (new.target === undefined) throw new TypeError("Headers is a class: new Headers(...)");
    const headers = new.target === Headers ? new Plain(init) : ReflectConstruct(Plain, [init], new.target);
    const owner = typeof init === "object" && init !== null ? owners.get(init) : undefined;
    if (owner !== undefined) owners.set(headers, owner);
    return headers;
  }
  ObjectSetPrototypeOf(Headers, Plain);
  ObjectDefineProperty(Headers, "prototype", { value: Plain.prototype, writable: false });
  ObjectDefineProperty(Plain.prototype, "constructor", { configurable: true, value: Headers, writable: true });
  return Headers;
});

/**
 * Keeps in mind whose the headers and bodies are that handlers take out of Responses. Of a body that was decoded on its
 * way here, its coding and its length are removed, so that no copy of the headers has them.
 */
export function followHeads(Plain) {
  const { toInnerResponse } = core.loadExtScript("ext:deno_fetch/23_response.js");
  ArrayPrototypeForEach(["headers", "body"], (name) => {
    const { get, ...property } = ObjectGetOwnPropertyDescriptor(Plain.prototype, name);
    const read = function () {
      const inner = toInnerResponse(this);
      if (inner.bodyDecoded) {
        inner.headerList = ArrayPrototypeFilter(
          inner.headerList,
          ({ 0: name }) => !ArrayPrototypeIncludes(OF_ENCODED_BODIES, StringPrototypeToLowerCase(name)),
        );
        inner.bodyDecoded = false;
      }
      const value = FunctionPrototypeCall(get, this);
      if (value !== null) owners.set(value, inner);
      return value;
    };
    ObjectDefineProperty(read, "name", { __proto__: null, configurable: true, value: `get ${name}` });
    ObjectDefineProperty(Plain.prototype, name, { __proto__: null, ...property, get: read });
  });
  return toInnerResponse;
}

const OF_ENCODED_BODIES = ["content-encoding", "content-length", "transfer-encoding"];

/**
 * Takes out of a new Response the length of another Response's body, unless that is its own body, too. A length that its
 * handler gave it stays.
 * @param {Response} response made of `body` and `init`
 * @param {(response: Response) => object} toInnerResponse what {@link followHeads} gave
 */
export function dropStaleLength(response, body, init, Plain, toInnerResponse) {
  if (!(body instanceof ReadableStream)) return;
  const owner = init instanceof Plain ? toInnerResponse(init) : owners.get(init.headers);
  if (owner === undefined || owners.get(body) === owner) return;
  const { headerList } = toInnerResponse(response);
  const said = lengthIn(headerList);
  if (said !== undefined && said === lengthIn(owner.headerList)) {
    HeadersPrototypeDelete(ResponsePrototypeGetHeaders(response), "content-length");
  }
}

function lengthIn(headerList) {
  const isLength = ({ 0: name }) => StringPrototypeToLowerCase(name) === "content-length";
  return ArrayPrototypeFind(headerList, isLength)?.[1];
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
