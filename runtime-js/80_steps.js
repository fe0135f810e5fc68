// What a step of a route is: a handler module, the function in it that answers a method, its `this`, and what it has
// to go on to other routes.

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
  Request,
  RequestPrototypeClone,
  RequestPrototypeGetHeaders,
  RequestPrototypeGetUrl,
  SafeSet,
  StringPrototypeSplit,
  StringPrototypeToUpperCase,
  TypeError,
  URL,
  URLPrototypeGetHref,
  URLPrototypeGetOrigin,
} from "./00_primordials.js";

/** Methods that may be answered by an export of their name. Other exports are nobody's business. */
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
export function inherited(request, init) {
  const method = typeof init?.method === "string" ? StringPrototypeToUpperCase(init.method) : undefined;
  // A request for something cannot carry the body that was meant for something else.
  if (method === "GET" || method === "HEAD") return { headers: HeadersPrototypeEntries(RequestPrototypeGetHeaders(request)) };
  return RequestPrototypeClone(request);
}

/**
 * The third argument of a handler: the network for other origins, the routes for the rest.
 * @param {(origin: string) => boolean} [isOwn] whether another origin than the event's leads here, too
 */
export function fetchFor(event, next, isOwn) {
  return (target, init) => {
    if (target === undefined) throw new TypeError("fetch() takes a URL or a Request.");
    const isRequest = target instanceof Request;
    const url = new URL(isRequest ? RequestPrototypeGetUrl(target) : target, URLPrototypeGetHref(event.url));
    const origin = URLPrototypeGetOrigin(url);
    if (origin !== URLPrototypeGetOrigin(event.url) && !isOwn?.(origin)) return fetch(target, init);
    return next(new Request(isRequest ? target : URLPrototypeGetHref(url), init));
  };
}

/** What `this` is in a handler. */
export class StepContext {
  #trail;
  #depth;

  /**
   * @param {{ pathname: string }} trail the path
   * @param {number} depth how many segments of it lead here
   */
  constructor(trail, depth, dirname) {
    this.#trail = trail;
    this.#depth = depth;
    /** The folder of the handler, as a route: `/products/-`. */
    this.dirname = dirname;
  }

  get #segments() {
    return ArrayPrototypeSlice(segmentsOf(this.#trail.pathname), 0, this.#depth);
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
