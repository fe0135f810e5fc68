// What a step of a route is: a handler module, the function in it that answers a method, its `this`, and what it has
// to go on to other routes.

import { checkOptions } from "../errors/options.js";
import { withoutBodyHeaders } from "../fetch/body_headers.js";
import {
  ArrayPrototypeAt,
  ArrayPrototypeFilter,
  ArrayPrototypeIncludes,
  ArrayPrototypeJoin,
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  ArrayPrototypeSort,
  fetch,
  HeadersPrototypeEntries,
  RegExpPrototypeTest,
  Request,
  RequestPrototypeClone,
  RequestPrototypeGetHeaders,
  RequestPrototypeGetUrl,
  SafeSet,
  String,
  StringPrototypeSplit,
  StringPrototypeToUpperCase,
  TypeError,
  URL,
  URLPrototypeGetHref,
  URLPrototypeGetOrigin,
} from "../primordials.js";

/** Methods that may be answered by an export of their name. Other exports are not looked at. */
const METHODS = new SafeSet(["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY"]);

/** The export that answers `method`: its own, GET's where only the headers are asked for, or the default. */
export function handlerFor(module, method) {
  const named = METHODS.has(method) ? module[method] : undefined;
  if (typeof named === "function") return named;
  if (method === "HEAD" && typeof module.GET === "function") return module.GET;
  return typeof module.default === "function" ? module.default : undefined;
}

/** The methods that a module answers by name. */
export function methodsOf(module) {
  const methods = ArrayPrototypeFilter([...METHODS.values()], (name) => typeof module[name] === "function");
  const hasOnlyGet = ArrayPrototypeIncludes(methods, "GET") && !ArrayPrototypeIncludes(methods, "HEAD");
  if (hasOnlyGet) ArrayPrototypePush(methods, "HEAD");
  return ArrayPrototypeSort(methods);
}

/** Re-routes within one request before it counts as a loop. */
export const MAX_REROUTES = 32;

/** What a re-route takes over from the request it comes from. */
function inherited(request, init) {
  const method = typeof init?.method === "string" ? StringPrototypeToUpperCase(init.method) : undefined;
  // A request for something cannot carry the body that was meant for something else.
  if (method === "GET" || method === "HEAD") {
    return { headers: withoutBodyHeaders(HeadersPrototypeEntries(RequestPrototypeGetHeaders(request))) };
  }
  return RequestPrototypeClone(request);
}

/** What a request can be made of. */
const REQUEST_INIT = [
  "method",
  "headers",
  "body",
  "mode",
  "credentials",
  "cache",
  "redirect",
  "referrer",
  "referrerPolicy",
  "integrity",
  "keepalive",
  "signal",
  "duplex",
  "priority",
  "window",
];
const ABSENT = { __proto__: null, live: "follow the result by LiveResponse.from(result)." };

/**
 * What `next()` or the third argument of a handler is called with: null for the next step, as it is; else a target,
 * undefined for the next step, and what to change of the request.
 * @returns {{ target: string | URL | Request | undefined, init: object | undefined } | null}
 */
export function readTarget(call, target, init) {
  if (target === undefined || target === null) {
    if (init === undefined || init === null) return null;
    throw new TypeError(`${call} takes a path, a URL, a Request or { redirect, with } first.`);
  }
  const isTarget = typeof target === "string" || target instanceof URL || target instanceof Request;
  if (!isTarget) {
    if (typeof target !== "object" || (init !== undefined && init !== null)) {
      throw new TypeError(`${call} takes a path, a URL, a Request or { redirect, with }, not ${typeof target}.`);
    }
    checkOptions(call, target, ["redirect", "with"], ABSENT);
    const { redirect, with: changes } = target;
    if (redirect === undefined && changes === undefined) return null;
    checkOptions(`${call}: "with"`, changes, REQUEST_INIT, ABSENT);
    return { target: redirect, init: changes };
  }
  checkOptions(call, init, REQUEST_INIT, ABSENT);
  return { target, init: init ?? undefined };
}

/** The request to `destination` that a re-route or `fetch()` makes; `request` is what it inherits from, or null. */
export function requestTo(destination, request, init) {
  const base = request === null ? new Request(destination) : new Request(destination, inherited(request, init));
  return init === undefined ? base : new Request(base, init);
}

/** Whether a target is a path from where the handler stands. */
export function isRelative(target) {
  return !(target instanceof Request) && !RegExpPrototypeTest(/^(?:[a-z][a-z0-9+.-]*:|[/\\])/i, String(target));
}

/**
 * The third argument of a handler: the network for other origins, the routes for the rest, with nothing of the current
 * request.
 * @param {(target: string | URL | Request, init: object | undefined) => Promise<unknown>} reroute
 * @param {(origin: string) => boolean} isOwn whether another origin than the event's leads here, too
 */
export function fetchFor(event, reroute, isOwn) {
  return (target, init) => {
    if (target === undefined) throw new TypeError("fetch() takes a URL or a Request.");
    if (!isRelative(target)) {
      const isRequest = target instanceof Request;
      const url = new URL(isRequest ? RequestPrototypeGetUrl(target) : target, URLPrototypeGetHref(event.url));
      const origin = URLPrototypeGetOrigin(url);
      if (origin !== URLPrototypeGetOrigin(event.url) && !isOwn(origin)) return fetch(target, init);
    }
    const asked = readTarget("fetch()", target, init);
    return reroute(asked.target, asked.init);
  };
}

/** What `this` is in a handler. */
export class StepContext {
  #path;
  #depth;

  /**
   * @param {string} path still percent-encoded
   * @param {number} depth how many segments of it lead here
   * @param {string} [filename] the handler's file, where that is known
   */
  constructor(path, depth, dirname, filename = undefined) {
    this.#path = path;
    this.#depth = depth;
    /** The folder of the handler, as a route: `/products/-`. */
    this.dirname = dirname;
    /** The handler's file, on the server. */
    this.filename = filename;
  }

  get #segments() {
    return ArrayPrototypeSlice(segmentsOf(this.#path), 0, this.#depth);
  }

  /** The path up to here. */
  get pathname() {
    return `/${ArrayPrototypeJoin(this.#segments, "/")}`;
  }

  /** The last segment up to here. */
  get stepname() {
    return ArrayPrototypeAt(this.#segments, -1);
  }
}

/** The segments of a path, escapes untouched. */
export function segmentsOf(pathname) {
  return ArrayPrototypeFilter(StringPrototypeSplit(pathname, "/"), (segment) => segment !== "");
}
