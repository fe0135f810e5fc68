// Which handlers run for a request, in what order, and what becomes of what they return.

import { op_asks_for_rest, op_file_before, op_request_is_own, op_route } from "ext:core/ops";
import { print, WARNING } from "../globals.js";
import { isPromise } from "../errors/exceptions.js";
import { beginExchange, COMPLETE, currentExchange, Exchange, WAITING } from "../exchange.js";
import { Answered } from "../keyval.js";
import {
  hasPort,
  isAttached,
  kindOf,
  LiveResponse,
  readyStateOf,
  setBackground,
} from "../live_response/live_response.js";
import { answerAtOnce, answerPlain, isUntouched } from "../answer/answer.js";
import { discard } from "../answer/discard.js";
import { staticResponse } from "../files.js";
import { kTap } from "../port/client_port.js";
import { HttpEvent, kExchange, kResponse } from "../event/event.js";
import {
  fetchFor,
  handlerFor,
  MAX_REROUTES,
  methodsOf,
  readTarget,
  requestTo,
  segmentsOf,
  StepContext,
} from "./steps.js";
import {
  ArrayPrototypeFindLast,
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  FunctionPrototypeCall,
  FunctionPrototypeToString,
  Promise,
  PromisePrototypeThen,
  PromiseResolve,
  RangeError,
  RegExpPrototypeTest,
  Request,
  RequestPrototypeGetMethod,
  RequestPrototypeGetUrl,
  Response,
  ResponseJson,
  ResponsePrototypeGetStatus,
  SafeArrayIterator,
  SafeMap,
  SafeSet,
  String,
  TypeError,
  URL,
  URLPrototypeGetHref,
  URLPrototypeGetOrigin,
  URLPrototypeGetPathname,
  URLPrototypeGetSearch,
} from "../primordials.js";

/** What browsers ask for by themselves, at a path that no site means by its root. */
const FAVICON = "/favicon.ico";
/** The exports that may answer. */
const EXPORTS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "default"];

/**
 * Module namespaces of the handlers, by id, and which of their functions do not ask for what is left of the path.
 * @type {Map<number, { module: object, dirname: string, filename: string, greedy: Set<Function> }>}
 */
const handlers = new SafeMap();
/**
 * Where a path can end.
 * @typedef {object} Node
 * @property {{ handler: number, depth: number }[]} steps the handlers asked for it, root first
 * @property {number} ownPage how many segments lead to a folder that has a page of its own; -1 for others
 */

/** @type {Node[]} */
let nodes = [];

/** For the host: one handler file was loaded. */
export function addHandler(id, dirname, filename, module) {
  for (const name of new SafeArrayIterator(["SETUP", "render"])) {
    if (typeof module[name] !== "function") continue;
    print(`${filename} exports ${name}(), which nothing calls on this host.`, WARNING);
  }
  const greedy = new SafeSet();
  for (const name of new SafeArrayIterator(EXPORTS)) {
    const handler = module[name];
    if (typeof handler !== "function") continue;
    if (!op_asks_for_rest(FunctionPrototypeToString(handler), dirname === "/")) greedy.add(handler);
  }
  handlers.set(id, { module, dirname, filename, greedy });
}

/** For the host: the tree of steps, as `[ownPage, handler, depth, handler, depth]` for each node. */
export function setNodes(tree) {
  nodes = ArrayPrototypeMap(tree, (flat) => {
    const steps = [];
    for (let i = 1; i < flat.length; i += 2) ArrayPrototypePush(steps, { handler: flat[i], depth: flat[i + 1] });
    return { steps, ownPage: flat[0] };
  });
}

/**
 * For the host: a request came. `pathname` is still percent-encoded, `length` is how many segments it has; `page` is
 * what shows the answer, -1 for none; `show` is how a state leaves.
 */
export function dispatch(id, node, pathname, length, method, page, show, canJoin) {
  const exchange = new Exchange(id, method, page, show, canJoin);
  return beginExchange(exchange, () => {
    const event = exchange.event = new HttpEvent(exchange);
    try {
      const isUser = pathname === USER && method === "GET";
      const result = isUser ? whoIsThere(event) : walk(event, new Trail(node, pathname, length, method), 0);
      if (isPromise(result) && !(result instanceof LiveResponse)) {
        PromisePrototypeThen(PromiseResolve(result), finishCurrent, throwCurrent);
      } else {
        finish(event, result);
      }
    } catch (error) {
      thrown(event, error);
    }
  });
}

/** Where pages learn what is known of the user. */
const USER = "/.liveline/user";

/** The values of `event.user`, for the user's own pages. */
async function whoIsThere(event) {
  return ResponseJson(await event.user.json(), { headers: { "Cache-Control": "no-store" } });
}

// A handler's promise settles in the context that it was waited for in. So these are the same for all requests, and a
// handler that waits keeps no closures.
const finishCurrent = (value) => finish(currentExchange().event, value);
const throwCurrent = (error) => thrown(currentExchange().event, error);

/** The first handler is done; what it returned is the answer's last state. */
function finish(event, value) {
  const exchange = event[kExchange];
  try {
    const isAll = event[kResponse] === null && exchange.publications === 0 && isFinal(value);
    if (isAll && answerAtOnce(exchange, value)) {
      HttpEvent.returnedPlainly(event);
      return;
    }
    const phase = exchange.phase;
    if (phase >= COMPLETE) return discard(value);
    if (isAll && phase === WAITING) {
      HttpEvent.returnedPlainly(event);
      answerPlain(exchange, value);
    } else {
      HttpEvent.returned(event, value);
      exchange.returned();
    }
  } catch (error) {
    exchange.fail(error);
  }
}

/** The first handler threw. */
function thrown(event, error) {
  if (error instanceof Answered) finish(event, error.response);
  else event[kExchange].fail(error);
}

/** Whether a handler's result is all there is: data, or a Response without a line. */
function isFinal(value) {
  if (value === null || typeof value !== "object") return true;
  const kind = kindOf(value);
  if (kind !== "Response") return kind === "Default";
  return isUntouched(value) ? !isAttached(value) : !hasPort(value);
}

/** A path and the steps along it. */
class Trail {
  /** @param {number} length how many segments the path has */
  constructor(node, pathname, length, method, { reroutes = 0, skipDepth = -1, query = null } = {}) {
    this.pathname = pathname;
    /** What follows the path, where it is not what the client asked for. */
    this.query = query;
    this.length = length;
    this.method = method;
    this.node = node;
    this.steps = nodes[node].steps;
    this.ownPage = nodes[node].ownPage;
    /** How often the request was re-routed to come here. */
    this.reroutes = reroutes;
    /** Steps up to this depth ran already. */
    this.skipDepth = skipDepth;
  }

  /** The same path, asked with another method. */
  asking(method) {
    return new Trail(this.node, this.pathname, this.length, method, this.reroutes, this.skipDepth);
  }

  get segments() {
    return this.#segments ??= segmentsOf(this.pathname);
  }
  #segments = null;
}

/** Runs the next step, from `index` on, that has a handler for the method; past the last one, the static layer. */
function walk(event, trail, index) {
  for (; index < trail.steps.length; index++) {
    const { handler: id, depth } = trail.steps[index];
    if (depth <= trail.skipDepth) continue;
    const { module, dirname, filename, greedy } = handlers.get(id);
    const handler = handlerFor(module, trail.method);
    if (handler === undefined) continue;
    const next = nextFor(event, trail, index, depth);
    const own = fetchFor(event, (target, init) => reroute(event, trail, depth, target, init, null), isOwn(event));
    const run = () => FunctionPrototypeCall(handler, new StepContext(trail, depth, dirname, filename), event, next, own);
    const isDeeper = depth < trail.length && greedy.has(handler);
    return isDeeper && goesPast(trail, depth, dirname) ? pastOr(event, trail, run) : run();
  }
  return pastTheLastStep(event, trail);
}

/** Whether the static layer comes before a handler that did not ask for what is left of the path. */
function goesPast(trail, depth, dirname) {
  const isLook = trail.method === "GET" || trail.method === "HEAD";
  return op_file_before(trail.pathname, depth, dirname, isLook) || (isLook && trail.pathname === FAVICON);
}

/** The static layer's answer; where it has none after all, that of the handler. */
async function pastOr(event, trail, run) {
  const response = await staticResponse(event[kExchange], trail.pathname, trail.method, trail.reroutes > 0);
  const isThere = ResponsePrototypeGetStatus(response) !== 404 || trail.pathname === FAVICON;
  return isThere ? response : run();
}

/** What else than the event's own origin leads to this server. */
function isOwn(event) {
  return (origin) => op_request_is_own(event[kExchange].id, origin);
}

async function pastTheLastStep(event, trail) {
  const target = trail.query === null ? trail.pathname : `${trail.pathname}?${trail.query}`;
  const response = await staticResponse(event[kExchange], target, trail.method, trail.reroutes > 0);
  if (ResponsePrototypeGetStatus(response) !== 404) return response;
  // A page for which no handler has a state is shown without.
  const isLook = trail.method === "GET" || trail.method === "HEAD";
  const isPage = event[kExchange].page !== -1 && trail.reroutes === 0 && trail.ownPage === trail.length;
  if (isLook && isPage) return ResponseJson(null);
  const leaf = ArrayPrototypeFindLast(trail.steps, ({ depth }) => depth === trail.length);
  if (leaf === undefined) return response;
  const allowed = methodsOf(handlers.get(leaf.handler).module);
  if (allowed.length === 0 || handlerFor(handlers.get(leaf.handler).module, trail.method) !== undefined) {
    return response;
  }
  return new Response("Method Not Allowed\n", { status: 405, headers: { Allow: ArrayPrototypeJoin(allowed, ", ") } });
}

/** The function that a handler calls to delegate, with what is left of the path. */
function nextFor(event, trail, index, depth) {
  const next = (target, init) => {
    const asked = readTarget("next()", target, init);
    if (asked === null) return runChild(event.spawn(), trail, index + 1);
    if (asked.target !== undefined) return reroute(event, trail, depth, asked.target, asked.init, event.request);
    const request = requestTo(RequestPrototypeGetUrl(event.request), event.request, asked.init);
    return runChild(event.spawn({ request }), trail.asking(RequestPrototypeGetMethod(request)), index + 1);
  };
  const isLast = depth >= trail.length;
  next.stepname = isLast ? undefined : trail.segments[depth];
  next.pathname = isLast ? "" : ArrayPrototypeJoin(ArrayPrototypeSlice(trail.segments, depth), "/");
  return next;
}

/** Runs the routes again for another path of this server. What `init` does not say is that of `from`, if not null. */
async function reroute(event, trail, depth, target, init, from) {
  if (trail.reroutes >= MAX_REROUTES) {
    throw new RangeError(`next(): more than ${MAX_REROUTES} re-routes for one request; the last was to ${target}`);
  }
  const given = target instanceof Request ? RequestPrototypeGetUrl(target) : String(target);
  const url = RegExpPrototypeTest(/^[a-z][a-z0-9+.-]*:/i, given) ? new URL(given) : null;
  const isElsewhere = url !== null && URLPrototypeGetOrigin(url) !== URLPrototypeGetOrigin(event.url);
  if (isElsewhere && !isOwn(event)(URLPrototypeGetOrigin(url))) {
    const href = URLPrototypeGetHref(url);
    throw new TypeError(`next() cannot make outbound calls: ${href} is another origin. Use fetch().`);
  }
  const path = url === null ? given : URLPrototypeGetPathname(url) + URLPrototypeGetSearch(url);
  const route = op_route(trail.pathname, depth, path);
  const relative = route.path + (route.query === null ? "" : `?${route.query}`);
  const destination = URLPrototypeGetHref(new URL(relative, URLPrototypeGetHref(event.url)));
  // By whichever name of this server it was asked for, it has the origin of the first.
  const own = !(target instanceof Request) ? null : isElsewhere ? new Request(destination, target) : target;
  const request = own === null
    ? requestTo(destination, from, init)
    : init === undefined
    ? own
    : new Request(own, init);
  const child = event.spawn({ request });
  const { node, length, skipDepth, query } = route;
  const further = { reroutes: trail.reroutes + 1, skipDepth, query };
  const onward = new Trail(node, route.path, length, RequestPrototypeGetMethod(request), further);
  return await runChild(child, onward, 0);
}

/** Data from a step further in comes with a port, too, which has little to tell. */
function withBackground(child, value) {
  const isObject = value !== null && typeof value === "object" && !(value instanceof LiveResponse);
  return isObject ? setBackground(value, () => child.client[kTap]()) : value;
}

/** Runs a step further in. Resolves with what it returns, or with its LiveResponse once that has a first state. */
function runChild(child, trail, index) {
  const exchange = child[kExchange];
  const result = walk(child, trail, index);
  if (!isPromise(result) && child[kResponse] === null) {
    HttpEvent.returnedPlainly(child);
    return withBackground(child, result);
  }
  exchange.started();
  return new Promise((resolve, reject) => {
    let resolved = false;
    const resolveOnce = (value) => {
      resolved = true;
      resolve(value);
    };
    HttpEvent.onResponse(child, resolveOnce);
    if (child[kResponse] !== null && readyStateOf(child[kResponse]) !== "waiting") resolveOnce(child[kResponse]);
    PromisePrototypeThen(
      PromiseResolve(result),
      (value) => {
        if (child[kResponse] === null) {
          HttpEvent.returnedPlainly(child);
          resolveOnce(withBackground(child, value));
        } else {
          HttpEvent.returned(child, value);
          resolveOnce(child[kResponse]);
        }
        exchange.returned();
      },
      (error) => {
        if (resolved) exchange.fail(error);
        else reject(error);
        exchange.returned();
      },
    );
  });
}
