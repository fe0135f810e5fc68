// Which client handlers are asked for a path, and what they get: the same rules as on the server.

import {
  fetchFor,
  handlerFor,
  isRelative,
  MAX_REROUTES,
  readTarget,
  requestTo,
  segmentsOf,
  StepContext,
} from "../dispatch/steps.js";
import { kAnsweredBy } from "./event.js";

/** The folder that stands for any one segment. */
const WILDCARD = "-";

/** The name of a folder that a segment means, or null for what no folder can be called. */
function folderName(segment) {
  let name;
  try {
    // A `%` that no two hex digits follow stands for itself.
    name = decodeURIComponent(segment.replace(/%(?![0-9a-f]{2})/gi, "%25"));
  } catch {
    return null;
  }
  return name === "." || name === ".." ? null : name;
}

/**
 * A folder with handlers, in itself or below.
 * @typedef {object} Folder
 * @property {Map<string, Folder>} folders
 * @property {{ dirname: string, load: () => object | Promise<object> } | null} handler
 */

/** The handlers of one layer as a tree of folders. */
export class StepTree {
  /** @type {Folder} */
  #root = { folders: new Map(), handler: null };

  /** @param {[string, () => object | Promise<object>][]} handlers pattern and loader of each */
  constructor(handlers) {
    for (const [dirname, load] of handlers) {
      let folder = this.#root;
      for (const name of segmentsOf(dirname)) {
        if (!folder.folders.has(name)) folder.folders.set(name, { folders: new Map(), handler: null });
        folder = folder.folders.get(name);
      }
      folder.handler = { dirname, load };
    }
  }

  /** The handlers to ask, root first, each with how many segments are behind it. */
  resolve(pathname) {
    const segments = segmentsOf(pathname);
    const steps = [];
    let folder = this.#root;
    for (let depth = 0; folder !== undefined; depth += 1) {
      if (folder.handler !== null) steps.push({ ...folder.handler, depth });
      folder = below(folder, segments[depth], segments[depth + 1]);
    }
    return steps;
  }
}

/** The folder of a segment: the one with a handler, else the one that leads on; the name before the wildcard. */
function below(folder, segment, following) {
  const [literal, wildcard] = candidates(folder, segment);
  if (literal === undefined || wildcard === undefined) return literal ?? wildcard;
  if (literal.handler !== null) return literal;
  if (wildcard.handler !== null) return wildcard;
  const leadsOn = (candidate) => candidates(candidate, following).some((next) => next !== undefined);
  return !leadsOn(literal) && leadsOn(wildcard) ? wildcard : literal;
}

function candidates({ folders }, segment) {
  const name = segment === undefined ? null : folderName(segment);
  if (name === null) return [undefined, undefined];
  return [folders.get(name), folders.get(WILDCARD)];
}

/** What documents are, and what scripts ask for. */
const NO_PARTS = new Set(["", "document", "embed", "frame", "iframe", "object"]);

/** Whether a request is for a part of a page, such as its style or an image. Only service workers get such. */
function isPartOfPage({ destination, method }) {
  return method === "GET" && !NO_PARTS.has(destination ?? "");
}

/** Whether a handler may look at what is left of the path. The server reads its source more closely. */
function asksForRest(handler) {
  return handler.length > 1 || /\barguments\b|\.\.\.|\[native code\]|^[^)]*,/.test(String(handler));
}

/** Runs events through the handlers of a layer. */
export class Router {
  #tree;
  #pastTheLastStep;

  /**
   * @param {StepTree} tree
   * @param {(event: import("./event.js").ClientEvent) => Promise<Response>} pastTheLastStep
   */
  constructor(tree, pastTheLastStep) {
    this.#tree = tree;
    this.#pastTheLastStep = pastTheLastStep;
  }

  /** What the first handler answers; the same kinds of values as on the server. */
  run(event) {
    const { pathname } = event.url;
    return this.#walk(event, { pathname, steps: this.#tree.resolve(pathname), reroutes: 0, skipDepth: -1 }, 0);
  }

  async #walk(event, trail, index) {
    for (; index < trail.steps.length; index++) {
      const { dirname, depth, load } = trail.steps[index];
      if (depth <= trail.skipDepth) continue;
      const handler = handlerFor(await load(), event.request.method);
      if (handler === undefined) continue;
      // Whether that is a file, the server knows.
      const isDeeper = depth < segmentsOf(trail.pathname).length;
      if (isDeeper && isPartOfPage(event.request) && !asksForRest(handler)) break;
      const next = this.#nextFor(event, trail, index, depth);
      const context = new StepContext(trail, depth, dirname);
      const own = fetchFor(event, (target, init) => this.#reroute(event, trail, depth, target, init, null));
      return await event[kAnsweredBy](() => handler.call(context, event, next, own));
    }
    return await this.#pastTheLastStep(event);
  }

  #nextFor(event, trail, index, depth) {
    const next = async (target = undefined, init = undefined) => {
      const asked = readTarget("next()", target, init);
      if (asked === null) return await this.#walk(event.spawn(), trail, index + 1);
      if (asked.target !== undefined) {
        return await this.#reroute(event, trail, depth, asked.target, asked.init, event.request);
      }
      const request = requestTo(event.request.url, ordinary(event.request), asked.init);
      return await this.#walk(event.spawn(request), trail, index + 1);
    };
    const rest = segmentsOf(trail.pathname).slice(depth);
    next.stepname = rest[0];
    next.pathname = rest.join("/");
    return next;
  }

  /** Runs the handlers for another path: from the root, or, for a relative one, from what both paths share. */
  async #reroute(event, trail, depth, target, init, from) {
    const given = target instanceof Request ? target.url : String(target);
    if (trail.reroutes >= MAX_REROUTES) {
      throw new RangeError(`next(): more than ${MAX_REROUTES} re-routes for one request; the last was to ${given}`);
    }
    const behind = segmentsOf(trail.pathname).slice(0, depth);
    const url = new URL(given, new URL(`/${behind.map((segment) => `${segment}/`).join("")}`, event.url));
    if (url.origin !== event.url.origin) {
      throw new TypeError(`next() cannot make outbound calls: ${url.href} is another origin. Use fetch().`);
    }
    const arrived = segmentsOf(url.pathname);
    const shared = behind.findIndex((segment, at) => folderName(segment) !== folderName(arrived[at] ?? ""));
    const skipDepth = !isRelative(target) ? -1 : shared === -1 ? behind.length : shared;
    const isRequest = target instanceof Request;
    const request = !isRequest ? requestTo(url, ordinary(from), init) : init === undefined ? target : new Request(target, init);
    const { pathname } = url;
    const onward = { pathname, steps: this.#tree.resolve(pathname), reroutes: trail.reroutes + 1, skipDepth };
    return await this.#walk(event.spawn(request), onward, 0);
  }
}

/** A request that others can be made of: only browsers make those for documents. */
function ordinary(request) {
  return request?.mode === "navigate" ? new Request(request.clone(), { mode: "same-origin", redirect: "follow" }) : request;
}
