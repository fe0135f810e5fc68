// The functions of `functions/`: which of them answers a path, the middleware before it, and the context that they get.

import { environmentOf } from "./environment.js";
import { ExecutionContext } from "./context.js";
import { answerByAssets, missingAsset } from "./assets.js";
import { currentUrl, partsOf } from "./url.js";
import {
  ArrayIsArray,
  ArrayPrototypeFilter,
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  ArrayPrototypeSort,
  decodeURIComponent,
  Error,
  Request,
  RequestPrototypeGetMethod,
  RequestPrototypeGetUrl,
  Response,
  SafeArrayIterator,
  SafeMap,
  StringPrototypeSplit,
  TypeError,
  URL,
} from "../primordials.js";

/**
 * A module of `functions/`.
 * @typedef {object} Module
 * @property {string} filename
 * @property {({ literal: string } | { one: string } | { rest: string })[]} segments
 * @property {Record<string, Function[]>} handlers by method, `*` for all others
 * @property {string} pattern
 */

/** Those that answer, the most specific first. @type {Module[]} */
let functions = [];
/** Those that run before others, the outermost first. @type {Module[]} */
let middleware = [];

const METHODS = { Get: "GET", Post: "POST", Put: "PUT", Patch: "PATCH", Delete: "DELETE", Options: "OPTIONS", Head: "HEAD" };

/** Adds a module. */
export function addFunction({ part, segments, pattern }, namespace, filename) {
  const module = { filename, segments, pattern, handlers: handlersOf(namespace, filename) };
  if (part === "middleware") {
    ArrayPrototypePush(middleware, module);
    ArrayPrototypeSort(middleware, (a, b) => a.segments.length - b.segments.length);
  } else {
    ArrayPrototypePush(functions, module);
    ArrayPrototypeSort(functions, bySpecificity);
  }
}

/** The functions of a module by the method that they answer, as a chain each. */
function handlersOf(namespace, filename) {
  const handlers = { __proto__: null };
  for (const suffix in METHODS) {
    const handler = namespace[`onRequest${suffix}`];
    if (handler !== undefined) handlers[METHODS[suffix]] = chainOf(handler, `onRequest${suffix}`, filename);
  }
  if (namespace.onRequest !== undefined) handlers["*"] = chainOf(namespace.onRequest, "onRequest", filename);
  const own = namespace.default;
  if (handlers["*"] === undefined && own !== undefined) {
    // The default export takes the request first, and a Worker's object has a method of that kind.
    if (typeof own === "function") handlers["*"] = [(context) => own(context.request, context)];
    else if (typeof own?.fetch === "function") {
      handlers["*"] = [(context) => own.fetch(context.request, context.env, context.ctx)];
    } else throw new TypeError(`${filename}: its default export is neither a function nor an object with fetch().`);
  }
  return handlers;
}

function chainOf(handler, name, filename) {
  const chain = ArrayIsArray(handler) ? handler : [handler];
  for (const step of new SafeArrayIterator(chain)) {
    if (typeof step !== "function") throw new TypeError(`${filename}: ${name} is no function, and no list of functions.`);
  }
  return chain;
}

/** Literal segments come before parameters, and these before the rest of a path. */
function bySpecificity(a, b) {
  const weight = (segment) => segment === undefined ? 2 : segment.literal !== undefined ? 0 : segment.one !== undefined ? 1 : 3;
  for (let i = 0; i < a.segments.length || i < b.segments.length; i++) {
    const difference = weight(a.segments[i]) - weight(b.segments[i]);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The parameters of a path for a module; null if it is not for that path. With `isPrefix` the path may go on. */
function match(module, names, isPrefix) {
  const params = {};
  for (let i = 0; i < module.segments.length; i++) {
    const { literal, one, rest } = module.segments[i];
    if (rest !== undefined) {
      params[rest] = ArrayPrototypeSlice(names, i);
      return params;
    }
    if (i >= names.length) return null;
    if (literal !== undefined ? literal !== names[i] : names[i] === "") return null;
    if (one !== undefined) params[one] = names[i];
  }
  return isPrefix || module.segments.length === names.length ? params : null;
}

/** The segments of a path, decoded; null where one cannot be decoded. */
function namesOf(pathname) {
  const names = ArrayPrototypeFilter(StringPrototypeSplit(pathname, "/"), (name) => name !== "");
  try {
    return ArrayPrototypeMap(names, (name) => decodeURIComponent(name));
  } catch {
    return null;
  }
}

/** The handlers for a method: HEAD is answered as GET where nothing else is for it. */
function chainFor({ handlers }, method) {
  const own = handlers[method] ?? handlers["*"];
  return own ?? (method === "HEAD" ? handlers.GET : undefined);
}

/**
 * What answers the request of an exchange: the function of its path behind its middleware; null if there is none.
 * @returns {{ run(request: Request, exchange: object, next: () => unknown): Promise<unknown>, filename: string } | null}
 */
export function functionFor(exchange) {
  if (functions.length === 0 && middleware.length === 0) return null;
  const { pathname } = currentUrl(exchange);
  const names = namesOf(pathname);
  if (names === null) return null;
  const steps = [];
  let filename = "";
  for (const module of new SafeArrayIterator(middleware)) {
    const params = match(module, names, true);
    const chain = params === null ? undefined : chainFor(module, exchange.method);
    if (chain === undefined) continue;
    filename = module.filename;
    for (const handler of new SafeArrayIterator(chain)) ArrayPrototypePush(steps, { handler, params, module });
  }
  const allowed = new SafeMap();
  let isAnswered = false;
  for (const module of new SafeArrayIterator(functions)) {
    const params = match(module, names, false);
    if (params === null) continue;
    const chain = chainFor(module, exchange.method);
    if (chain === undefined) {
      for (const method in module.handlers) allowed.set(method, true);
      continue;
    }
    isAnswered = true;
    filename = module.filename;
    for (const handler of new SafeArrayIterator(chain)) ArrayPrototypePush(steps, { handler, params, module });
    break;
  }
  if (!isAnswered && allowed.size > 0) {
    const methods = [];
    for (const method of allowed.keys()) ArrayPrototypePush(methods, method);
    const refusal = () => new Response("Method Not Allowed\n", { status: 405, headers: { Allow: ArrayPrototypeJoin(methods, ", ") } });
    ArrayPrototypePush(steps, { handler: refusal, params: {}, module: { pattern: pathname, filename } });
  }
  if (steps.length === 0) return null;
  return { filename, run: (request, exchange, next) => runFrom(steps, 0, request, exchange, next, {}) };
}

/** An address that a function has written as a path. */
const addressOf = (path, request) => new URL(path, RequestPrototypeGetUrl(request));

/** Runs the handlers from one on. `next()` of the last one is the static files. */
async function runFrom(steps, index, request, exchange, past, data) {
  if (index >= steps.length) {
    const { pathname } = partsOf(new URL(RequestPrototypeGetUrl(request)));
    return await answerByAssets(exchange, request) ?? await missingAsset(exchange, RequestPrototypeGetMethod(request), pathname) ??
      past();
  }
  const { handler, params, module } = steps[index];
  const ctx = new ExecutionContext(exchange);
  const context = ctx.withEnvironment(request, {
    env: environmentOf(),
    params,
    data,
    functionPath: module.pattern,
    next: async (input, init) => {
      const onward = input === undefined ? request : new Request(typeof input === "string" ? addressOf(input, request) : input, init);
      const response = await runFrom(steps, index + 1, onward, exchange, past, context.data);
      if (!(response instanceof Response)) {
        throw new Error(`next() in ${module.filename}: the next handler did not return a Response.`);
      }
      return response;
    },
  });
  return await handler(context);
}
