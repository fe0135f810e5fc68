// The client handlers of a path, and their arguments: the same rules as on the server.

import { isElsewhere, Trail, walk } from "../dispatch/routing.js";
import { isRelative, segmentsOf } from "../dispatch/steps.js";
import { kAnsweredBy } from "./event.js";

/** The name of a folder that matches any one segment. */
const WILDCARD = "-";

/** The name of a segment's folder, or null if no folder can have it. */
function folderName(segment) {
  let name;
  try {
    // A `%` without two hex digits behind it is literal.
    name = decodeURIComponent(segment.replace(/%(?![0-9a-f]{2})/gi, "%25"));
  } catch {
    return null;
  }
  return name === "." || name === ".." ? null : name;
}

/**
 * A folder with handlers in it or below.
 * @typedef {object} Folder
 * @property {Map<string, Folder>} folders
 * @property {{ dirname: string, load: () => object | Promise<object> } | null} handler
 */

/** The handlers of one layer as a tree of folders. */
export class StepTree {
  /** @type {Folder} */
  #root = { folders: new Map(), handler: null };

  /** @param {[string, () => object | Promise<object>][]} handlers pattern and loader of each handler */
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

  /** The handlers of a path, root first, each with the number of segments above it. */
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

/** The folder of a segment: one with a handler first, then one that leads on; a literal name before the wildcard. */
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

/** The `destination` of requests for documents, and of requests by scripts. */
const NO_PARTS = new Set(["", "document", "embed", "frame", "iframe", "object"]);

/**
 * Whether a request is for a part of a page, such as its style or an image. Only service workers receive such requests.
 */
function isPartOfPage({ destination, method }) {
  return method === "GET" && !NO_PARTS.has(destination ?? "");
}

/** Whether a handler may read the rest of the path. The server analyses its source more closely. */
function asksForRest(handler) {
  return handler.length > 1 || /\barguments\b|\.\.\.|\[native code\]|^[^)]*,/.test(String(handler));
}

/** Runs events through the handlers of a layer. @implements {import("../dispatch/routing.js").Layer} */
export class Router {
  #tree;

  /**
   * @param {StepTree} tree
   * @param {(event: import("./event.js").ClientEvent) => Promise<Response>} pastTheLastStep
   */
  constructor(tree, pastTheLastStep) {
    this.#tree = tree;
    this.pastTheLastStep = pastTheLastStep;
  }

  /** The first handler's answer, of the same types as on the server. */
  async run(event) {
    return await this.descend(event, new Trail(this.#pathTo(event.url.pathname, -1), event.request.method), 0);
  }

  #pathTo(pathname, skipDepth) {
    return { pathname, length: segmentsOf(pathname).length, steps: this.#tree.resolve(pathname), skipDepth };
  }

  load(step) {
    return step.load();
  }

  answer(event, trail, { depth }, handler, run) {
    // Only the server can check whether the rest of the path is a file.
    const isDeeper = depth < trail.path.length;
    const isForServer = isDeeper && isPartOfPage(event.request) && !asksForRest(handler);
    return isForServer ? this.pastTheLastStep(event) : event[kAnsweredBy](run);
  }

  async descend(event, trail, index) {
    return await walk(this, event, trail, index);
  }

  /** Scripts cannot make requests with the mode "navigate", so a copy with another mode is made. */
  requestOf({ request }) {
    const isDocument = request.mode === "navigate";
    return isDocument ? new Request(request.clone(), { mode: "same-origin", redirect: "follow" }) : request;
  }

  isOwn() {
    return false;
  }

  /** An absolute target begins at the root, a relative one at the part that both paths share. */
  resolve(event, trail, depth, given) {
    const behind = trail.segments.slice(0, depth);
    const destination = new URL(given, new URL(`/${behind.map((segment) => `${segment}/`).join("")}`, event.url));
    isElsewhere(this, event, destination);
    const arrived = segmentsOf(destination.pathname);
    const shared = behind.findIndex((segment, at) => folderName(segment) !== folderName(arrived[at] ?? ""));
    const skipDepth = !isRelative(given) ? -1 : shared === -1 ? behind.length : shared;
    return { ...this.#pathTo(destination.pathname, skipDepth), destination, isElsewhere: false };
  }
}
