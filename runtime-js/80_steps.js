// What a step of a route is: a handler module, the function in it that answers a method, its `this`, and what it has
// to go on to other routes.

/** Methods that may be answered by an export of their name. Other exports are nobody's business. */
const METHODS = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY"]);

/** The export that answers `method`: its own, GET's where only the headers are asked for, or the default. */
export function handlerFor(module, method) {
  const named = METHODS.has(method) ? module[method] : undefined;
  if (typeof named === "function") return named;
  if (method === "HEAD" && typeof module.GET === "function") return module.GET;
  return typeof module.default === "function" ? module.default : undefined;
}

/** The methods that a module answers by name. */
export function methodsOf(module) {
  const methods = [...METHODS].filter((name) => typeof module[name] === "function");
  if (methods.includes("GET") && !methods.includes("HEAD")) methods.push("HEAD");
  return methods.sort();
}

/** Re-routes within one request before it counts as a loop. */
export const MAX_REROUTES = 32;

/** What a re-route takes over from the request it comes from. */
export function inherited(request, init) {
  const method = init?.method?.toUpperCase();
  // A request for something cannot carry the body that was meant for something else.
  if (method === "GET" || method === "HEAD") return { headers: request.headers };
  return request.clone();
}

/**
 * The third argument of a handler: the network for other origins, the routes for the rest.
 * @param {(origin: string) => boolean} [isOwn] whether another origin than the event's leads here, too
 */
export function fetchFor(event, next, isOwn) {
  return (target, init) => {
    if (target === undefined) throw new TypeError("fetch() takes a URL or a Request.");
    const url = new URL(target instanceof Request ? target.url : target, event.url);
    if (url.origin !== event.url.origin && !isOwn?.(url.origin)) return fetch(target, init);
    return next(new Request(target instanceof Request ? target : url, init));
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
    return segmentsOf(this.#trail.pathname).slice(0, this.#depth);
  }

  /** The path up to here. */
  get pathname() {
    return `/${this.#segments.join("/")}`;
  }

  /** The last segment up to here. */
  get stepname() {
    return this.#segments.at(-1);
  }
}

/** The segments of a path, escapes untouched. */
export function segmentsOf(pathname) {
  return pathname.split("/").filter((segment) => segment !== "");
}
