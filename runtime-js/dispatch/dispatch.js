// Which handlers run for a request, in what order, and what becomes of what they return.

import { op_file_before, op_handler_parameters, op_request_is_own, op_request_path, op_route } from "ext:core/ops";
import { isPromise } from "../errors/exceptions.js";
import { beginExchange, COMPLETE, currentExchange, Exchange, WAITING } from "../exchange.js";
import { Answered } from "../keyval.js";
import { LiveResponse } from "../live_response/live_response.js";
import { isAttached, kindOf, setBackground, statesOf } from "../live_response/states.js";
import { answerAtOnce, answerPlain, genuine, hasLine, isImitation, isUntouched } from "../answer/answer.js";
import { discard } from "../answer/discard.js";
import { staticResponse } from "../files.js";
import { kTap } from "../port/client_port.js";
import { answerTopic, isByLine, isTopic, statesOfTopic } from "../topic/answer.js";
import { BaseEvent } from "../event/base.js";
import { HttpEvent, kExchange } from "../event/event.js";
import { load } from "./dialects.js";
import { isElsewhere, Trail, walk } from "./routing.js";
import { handlerFor, methodsOf } from "./steps.js";
import { noteThrower, throwerOf } from "./throwers.js";
import {
  ArrayPrototypeFindLast,
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  ArrayPrototypePush,
  FunctionPrototypeToString,
  ObjectGetPrototypeOf,
  ObjectPrototype,
  Promise,
  PromisePrototypeThen,
  PromiseResolve,
  RegExpPrototypeTest,
  Response,
  ResponseJson,
  ResponsePrototypeGetStatus,
  SafeArrayIterator,
  SafeMap,
  SafeSet,
  Symbol,
  URL,
  URLPrototypeGetHref,
  URLPrototypeGetPathname,
  URLPrototypeGetSearch,
} from "../primordials.js";

/** What browsers ask for by themselves, at a path that no site means by its root. */
const FAVICON = "/favicon.ico";
/** The exports that may answer. */
const EXPORTS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "default"];
/** What op_handler_parameters finds, added up. */
const ASK_FOR_REST = 1;
const TAKE_ONLY_EVENT = 2;

/**
 * A handler's file: its module's namespace, which of its functions do not ask for what is left of the path, and which
 * are called with the event alone.
 * @typedef {object} Handler
 * @property {object} module
 * @property {string} dirname
 * @property {string} filename
 * @property {Set<Function>} greedy
 * @property {Set<Function>} ofEvent
 */

/** By id. @type {Map<number, Handler>} */
const handlers = new SafeMap();
/**
 * Where a path can end.
 * @typedef {object} Node
 * @property {(Handler & { depth: number })[]} steps the handlers asked for it, root first
 * @property {number} ownPage how many segments lead to a folder that has a page of its own; -1 for others
 */

/** @type {Node[]} */
let nodes = [];

/** What a handler returns that has answered by itself. */
export const ANSWERED = Symbol("answered");

/**
 * For the host: the file of a handler was evaluated, which has the conventions of a dialect. Returns a promise if the
 * dialect has to wait for the handler.
 */
export function addHandler(dialect, id, dirname, filename, namespace) {
  const loaded = load(dialect, namespace, filename);
  if (!isPromise(loaded)) return add(id, dirname, filename, loaded);
  return PromisePrototypeThen(loaded, (module) => add(id, dirname, filename, module));
}

function add(id, dirname, filename, module) {
  const greedy = new SafeSet();
  const ofEvent = new SafeSet();
  for (const name of new SafeArrayIterator(EXPORTS)) {
    const handler = module[name];
    if (typeof handler !== "function") continue;
    const source = FunctionPrototypeToString(handler);
    const parameters = op_handler_parameters(source, dirname === "/");
    if (!(parameters & ASK_FOR_REST)) greedy.add(handler);
    if (parameters & TAKE_ONLY_EVENT) ofEvent.add(handler);
  }
  handlers.set(id, { module, dirname, filename, greedy, ofEvent });
}

/** For the host, once all handlers are loaded: each node of the tree, as `[ownPage, handler, depth, handler, depth]`. */
export function setNodes(tree) {
  nodes = ArrayPrototypeMap(tree, (flat) => {
    const steps = [];
    for (let i = 1; i < flat.length; i += 2) {
      ArrayPrototypePush(steps, { ...handlers.get(flat[i]), depth: flat[i + 1] });
    }
    return { steps, ownPage: flat[0] };
  });
}

/** The handlers and nodes so far get no more requests. */
export function forgetHandlers() {
  handlers.clear();
  nodes = [];
}

/**
 * For the host: a request came. `length` is how many segments its path has, or {@link USER}; `page` is what shows the
 * answer, -1 for none; `show` is how a state leaves.
 */
export function dispatch(id, node, length, method, page, show, canJoin) {
  return beginExchange(new Exchange(id, node, method, page, show, canJoin), runHandlers, length);
}

/** In place of a length: the page reads the values of the user. The number is the host's, too. */
const USER = -1;

function runHandlers(exchange, length) {
  const event = exchange.event = new HttpEvent(exchange);
  try {
    const result = length === USER ? userValues(event) : resultOf(exchange, event, length);
    if (isPromise(result) && !(result instanceof LiveResponse)) {
      PromisePrototypeThen(PromiseResolve(result), finishCurrent, throwCurrent);
    } else {
      finish(event, result);
    }
  } catch (error) {
    thrown(event, error);
  }
}

/** Walks along the steps of the request's path. Most first handlers need nothing of that walk but the event. */
function resultOf(exchange, event, length) {
  const { id, node, method } = exchange;
  const { steps } = nodes[node];
  for (let i = 0; i < steps.length; i++) {
    const { depth, greedy, module, ofEvent } = steps[i];
    const handler = handlerFor(module, method);
    if (handler === undefined) continue;
    const isAfterFiles = depth < length && greedy.has(handler);
    if (ofEvent.has(handler) && !isAfterFiles) return handler(event);
    break;
  }
  return walk(SERVER, event, new Trail(pathTo(node, op_request_path(id), length, null, -1), method), 0);
}

/** The values of `event.user`, for the user's own pages. */
async function userValues(event) {
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
    if (value === ANSWERED) {
      BaseEvent.returned(event);
      return exchange.returned();
    }
    const isResponse = value instanceof Response;
    if (exchange.carried !== null || (!isResponse && mayBeTopic(value))) {
      if (exchange.carried !== null || !isByLine(exchange)) return finishTopic(event, exchange, value);
      value = statesOfTopic(exchange, value);
    } else if (isResponse && isImitation(value)) {
      value = genuine(value);
    }
    const isAll = BaseEvent.statesOf(event) === null && exchange.publications === 0 && isFinal(value);
    if (isAll && answerAtOnce(exchange, value)) {
      BaseEvent.returned(event);
      return;
    }
    const phase = exchange.phase;
    if (phase >= COMPLETE) return discard(value);
    if (isAll && phase === WAITING) {
      BaseEvent.returned(event);
      answerPlain(exchange, value);
      // A socket may last for long, and the host does not need the event of its request again.
      if (exchange.socket !== null) exchange.event = null;
    } else {
      HttpEvent.ended(event, value);
      exchange.returned();
    }
  } catch (error) {
    exchange.fail(error);
  }
}

/** Whether a result that is no Response is a topic. Plain data is told by its prototype, which costs less. */
function mayBeTopic(value) {
  if (value === null || typeof value !== "object") return false;
  return ObjectGetPrototypeOf(value) !== ObjectPrototype && isTopic(value);
}

/** The host answers with a topic; the handler counts as running until then. */
function finishTopic(event, exchange, value) {
  exchange.carried ??= answerTopic(exchange, value);
  const done = () => {
    BaseEvent.returned(event);
    exchange.returned();
  };
  PromisePrototypeThen(exchange.carried, done, throwCurrent);
}

/** The first handler threw. */
function thrown(event, error) {
  if (Answered.isOne(error)) return finish(event, error.response);
  const exchange = event[kExchange];
  exchange.fail(error, throwerIn(error, nodes[exchange.node].steps, 0, -1, exchange.method));
}

/** The file and the export of the handler that threw: unless a handler further in did, the first from step `index` on. */
function throwerIn(error, steps, index, skipDepth, method) {
  for (; index < steps.length && throwerOf(error) === undefined; index++) {
    const { depth, filename, module } = steps[index];
    const handler = depth > skipDepth ? handlerFor(module, method) : undefined;
    if (handler === undefined) continue;
    const name = handler === module[method] ? method : handler === module.default ? "default" : "GET";
    noteThrower(error, filename, name);
    if (throwerOf(error) === undefined) return undefined;
  }
  return throwerOf(error);
}

/** Whether a handler's result is all there is: data, or a Response without a line. */
function isFinal(value) {
  if (value === null || typeof value !== "object") return true;
  const kind = kindOf(value);
  if (kind !== "Response") return kind === "Default";
  return isUntouched(value) ? !isAttached(value) : !hasLine(value);
}

/** A path that ends at a node. `query` follows it where it is not what the client asked for. */
function pathTo(node, pathname, length, query, skipDepth) {
  const { steps, ownPage } = nodes[node];
  return { pathname, length, steps, skipDepth, query, ownPage };
}

/** The layer of the server. @type {import("./routing.js").Layer} */
const SERVER = {
  load: (step) => step.module,
  answer(event, trail, { depth, dirname, greedy }, handler, run) {
    const isDeeper = depth < trail.path.length && greedy.has(handler);
    return isDeeper && goesPast(trail, depth, dirname) ? pastOr(event, trail, run) : run();
  },
  pastTheLastStep,
  descend: runChild,
  requestOf: (event) => event.request,
  isOwn: (event, origin) => op_request_is_own(event[kExchange].id, origin),
  resolve(event, trail, depth, given) {
    const url = RegExpPrototypeTest(/^[a-z][a-z0-9+.-]*:/i, given) ? new URL(given) : null;
    const isFromElsewhere = url !== null && isElsewhere(SERVER, event, url);
    const target = url === null ? given : URLPrototypeGetPathname(url) + URLPrototypeGetSearch(url);
    const { node, path, length, query, skipDepth } = op_route(trail.path.pathname, depth, target);
    const relative = path + (query === null ? "" : `?${query}`);
    const destination = URLPrototypeGetHref(new URL(relative, URLPrototypeGetHref(event.url)));
    return { ...pathTo(node, path, length, query, skipDepth), destination, isElsewhere: isFromElsewhere };
  },
};

/** Whether the static layer comes before a handler that did not ask for what is left of the path. */
function goesPast(trail, depth, dirname) {
  const isLook = trail.method === "GET" || trail.method === "HEAD";
  const { pathname } = trail.path;
  return op_file_before(pathname, depth, dirname, isLook) || (isLook && pathname === FAVICON);
}

/** The static layer's answer; where it has none after all, that of the handler. */
async function pastOr(event, trail, run) {
  const { pathname } = trail.path;
  const response = await staticResponse(event[kExchange], pathname, trail.method, trail.reroutes > 0);
  const isThere = ResponsePrototypeGetStatus(response) !== 404 || pathname === FAVICON;
  return isThere ? response : run();
}

async function pastTheLastStep(event, trail) {
  const { pathname, length, steps, query, ownPage } = trail.path;
  const target = query === null ? pathname : `${pathname}?${query}`;
  const response = await staticResponse(event[kExchange], target, trail.method, trail.reroutes > 0);
  if (ResponsePrototypeGetStatus(response) !== 404) return response;
  // A page for which no handler has a state is shown without.
  const isLook = trail.method === "GET" || trail.method === "HEAD";
  const isPage = event[kExchange].page !== -1 && trail.reroutes === 0 && ownPage === length;
  if (isLook && isPage) return ResponseJson(null);
  const leaf = ArrayPrototypeFindLast(steps, ({ depth }) => depth === length);
  if (leaf === undefined) return response;
  const allowed = methodsOf(leaf.module);
  if (allowed.length === 0 || handlerFor(leaf.module, trail.method) !== undefined) return response;
  return new Response(null, { status: 405, headers: { Allow: ArrayPrototypeJoin(allowed, ", ") } });
}

/** Data from a step further in comes with a port, too, though without states. */
function withBackground(child, value) {
  const isObject = value !== null && typeof value === "object" && !(value instanceof LiveResponse);
  return isObject ? setBackground(value, () => child.client[kTap]()) : value;
}

/** Runs a step further in. Resolves with what it returns, or with its LiveResponse once that has a first state. */
function runChild(child, trail, index) {
  const exchange = child[kExchange];
  const result = walk(SERVER, child, trail, index);
  if (!isPromise(result) && BaseEvent.responseOf(child) === null) {
    BaseEvent.returned(child);
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
    const begun = BaseEvent.responseOf(child);
    if (begun !== null && statesOf(begun).readyState !== "waiting") resolveOnce(begun);
    PromisePrototypeThen(
      PromiseResolve(result),
      (value) => {
        if (BaseEvent.responseOf(child) === null) {
          BaseEvent.returned(child);
          resolveOnce(withBackground(child, value));
        } else {
          HttpEvent.ended(child, value);
          resolveOnce(BaseEvent.responseOf(child));
        }
        exchange.returned();
      },
      (error) => {
        const { steps, skipDepth } = trail.path;
        const thrower = throwerIn(error, steps, index, skipDepth, trail.method);
        if (resolved) exchange.fail(error, thrower);
        else reject(error);
        exchange.returned();
      },
    );
  });
}
