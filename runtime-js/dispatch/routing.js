// How a request goes through the handlers of a layer: the walk along the steps of its path, `next()` and re-routes. The
// server, a page and a service worker are such layers.

import { fetchFor, handlerFor, MAX_REROUTES, readTarget, requestTo, segmentsOf, StepContext } from "./steps.js";
import {
  ArrayPrototypeJoin,
  ArrayPrototypeSlice,
  FunctionPrototypeCall,
  Promise,
  PromisePrototypeThen,
  RangeError,
  Request,
  RequestPrototypeGetMethod,
  RequestPrototypeGetUrl,
  String,
  TypeError,
  URLPrototypeGetHref,
  URLPrototypeGetOrigin,
} from "../primordials.js";

/**
 * A handler on the way to a path. A layer may add what it needs.
 * @typedef {object} Step
 * @property {number} depth how many segments of the path lead to it
 * @property {string} dirname its folder, as a route
 * @property {string} [filename] its file, on the server
 */

/**
 * A path with the handlers that are asked for it. A layer may add what it needs.
 * @typedef {object} Path
 * @property {string} pathname still percent-encoded
 * @property {number} length how many segments it has
 * @property {Step[]} steps root first
 * @property {number} skipDepth steps up to this depth ran already; -1 for none
 */

/**
 * What a layer adds to the walk.
 * @typedef {object} Layer
 * @property {(step: Step) => object | Promise<object>} load the step's module
 * @property {(event: HttpEvent, trail: Trail, step: Step, handler: Function, run: () => unknown) => unknown} answer
 *   calls `run`, or answers with what goes before the handler
 * @property {(event: HttpEvent, trail: Trail) => unknown} pastTheLastStep answers where no handler is left
 * @property {(child: HttpEvent, trail: Trail, index: number) => unknown} descend walks on for an event of `next()`
 * @property {(event: HttpEvent) => Request} requestOf what requests of `next()` inherit from
 * @property {(event: HttpEvent, origin: string) => boolean} isOwn whether another origin is this host's, too
 * @property {(event: HttpEvent, trail: Trail, depth: number, target: string) =>
 *   Path & { destination: string | URL, isElsewhere: boolean }} resolve where `next(target)` leads from a depth; fails
 *   by {@link isElsewhere}
 */

/** A request's way along a path. */
export class Trail {
  #segments = null;

  /**
   * @param {Path} path
   * @param {string} method
   * @param {number} [reroutes] how often the request was re-routed to come here
   */
  constructor(path, method, reroutes = 0) {
    this.path = path;
    this.method = method;
    this.reroutes = reroutes;
  }

  /** The same path for another method. */
  asking(method) {
    return new Trail(this.path, method, this.reroutes);
  }

  get segments() {
    return this.#segments ??= segmentsOf(this.path.pathname);
  }
}

/**
 * Runs the first step from `index` on that has a handler for the method.
 * @param {Layer} layer
 * @param {HttpEvent} event
 * @param {Trail} trail
 * @returns {unknown} the handler's result, or what the layer has past the last step
 */
export function walk(layer, event, trail, index) {
  const { steps, skipDepth } = trail.path;
  for (; index < steps.length; index++) {
    if (steps[index].depth <= skipDepth) continue;
    const module = layer.load(steps[index]);
    if (module instanceof Promise) {
      return PromisePrototypeThen(module, (module) => {
        const handler = handlerFor(module, trail.method);
        if (handler === undefined) return walk(layer, event, trail, index + 1);
        return visit(layer, event, trail, index, handler);
      });
    }
    const handler = handlerFor(module, trail.method);
    if (handler !== undefined) return visit(layer, event, trail, index, handler);
  }
  return layer.pastTheLastStep(event, trail);
}

function visit(layer, event, trail, index, handler) {
  const step = trail.path.steps[index];
  const { depth, dirname, filename } = step;
  const next = nextFor(layer, event, trail, index);
  const own = fetchFor(
    event,
    (target, init) => reroute(layer, event, trail, depth, target, init, null),
    (origin) => layer.isOwn(event, origin),
  );
  const context = new StepContext(trail.path.pathname, depth, dirname, filename);
  return layer.answer(event, trail, step, handler, () => FunctionPrototypeCall(handler, context, event, next, own));
}

/** The function that a handler calls to delegate, with what is left of the path. */
function nextFor(layer, event, trail, index) {
  const { path } = trail;
  const { depth } = path.steps[index];
  const next = (target, init) => {
    const asked = readTarget("next()", target, init);
    if (asked === null) return layer.descend(event.spawn(), trail, index + 1);
    const from = layer.requestOf(event);
    if (asked.target !== undefined) return reroute(layer, event, trail, depth, asked.target, asked.init, from);
    const request = requestTo(RequestPrototypeGetUrl(event.request), from, asked.init);
    return layer.descend(event.spawn({ request }), trail.asking(RequestPrototypeGetMethod(request)), index + 1);
  };
  const isLast = depth >= path.length;
  next.stepname = isLast ? undefined : trail.segments[depth];
  next.pathname = isLast ? "" : ArrayPrototypeJoin(ArrayPrototypeSlice(trail.segments, depth), "/");
  return next;
}

/** Runs the handlers for another path of this origin. What `init` does not name is that of `from`, if not null. */
async function reroute(layer, event, trail, depth, target, init, from) {
  const isRequest = target instanceof Request;
  const given = isRequest ? RequestPrototypeGetUrl(target) : String(target);
  if (trail.reroutes >= MAX_REROUTES) {
    throw new RangeError(`next(): more than ${MAX_REROUTES} re-routes for one request; the last was to ${given}`);
  }
  const path = layer.resolve(event, trail, depth, given);
  const { destination } = path;
  let request;
  if (isRequest) {
    // A request by another name of this origin gets the name that the client used.
    request = path.isElsewhere ? new Request(destination, target) : target;
    if (init !== undefined) request = new Request(request, init);
  } else {
    request = requestTo(destination, from, init);
  }
  const onward = new Trail(path, RequestPrototypeGetMethod(request), trail.reroutes + 1);
  return await layer.descend(event.spawn({ request }), onward, 0);
}

/** Whether `url` has another origin than the event. Fails where that is not this host's, too. */
export function isElsewhere(layer, event, url) {
  const origin = URLPrototypeGetOrigin(url);
  if (origin === URLPrototypeGetOrigin(event.url)) return false;
  if (layer.isOwn(event, origin)) return true;
  throw new TypeError(`next() cannot make outbound calls: ${URLPrototypeGetHref(url)} is another origin. Use fetch().`);
}
