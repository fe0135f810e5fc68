// Timers belong to the exchange whose code started them, and end with it, and those of an actor with its object. Those
// of modules run on. Intervals of a Fastify application end with its tree.
//
// When all of an exchange is done, nothing waits for its timers, and they are cleared. When it ends otherwise, because
// its client left or a handler failed, code may still be waiting in a timeout: that one fires, so that the code sees the
// aborted signal and runs its `finally`. Intervals are cleared, and no other timer starts. One that was stopped because
// it filled the memory loses all.
//
// The timeouts of packages run on, as under Node: a pool that is shared by all requests sets them in the course of one
// request, to connect again or to close an idle connection.

import { core } from "ext:core/mod.js";
import { op_timer_has_packages, op_timer_of_package } from "ext:core/ops";
import { define } from "./globals.js";
import { report } from "./errors/errors.js";
import { arrivalOf, currentActor } from "./actor/context.js";
import { currentExchange } from "./exchange.js";
import {
  globalThis,
  Number,
  ObjectDefineProperty,
  ReflectApply,
  SafeArrayIterator,
  SafeMap,
  SafeWeakMap,
  SymbolFor,
} from "./primordials.js";

const {
  clearTimeout: cancel,
  setInterval: repeat,
  setTimeout: start,
} = core.loadExtScript("ext:deno_web/02_timers.js");

/** The timers of each exchange, made with its first. @type {WeakMap<Exchange, Timers>} */
const started = new SafeWeakMap();

/** What a timer belongs to: an exchange, or an actor's object. @type {Map<number, Exchange | Instance>} */
const owned = new SafeMap();

/**
 * @typedef {{ repeats: boolean, cancel: (id: number) => void }} Kind
 * @typedef {Map<number, Kind>} Timers by their numbers
 */

/** The kinds of the web's timers. */
const TIMEOUT = { repeats: false, cancel: (id) => cancel(id) };
const INTERVAL = { repeats: true, cancel: (id) => cancel(id) };

/** Node's timers, where this build has them. */
let node = null;

/**
 * Sets what the global functions do when a package calls them.
 * @param {{ isUsed(): boolean, load(): typeof import("node:timers") }} timers
 */
export function useForPackages(timers) {
  node = timers;
}

/** What the timers of the running code belong to: an exchange, or an actor's object. */
const owner = () => currentExchange() ?? currentActor();

export function setTimeout(callback, delay = 0, ...args) {
  const exchange = owner();
  const isOfPackage = (exchange !== undefined || node !== null) && op_timer_has_packages() && op_timer_of_package();
  if (isOfPackage && node !== null) return node.load().setTimeout(callback, delay, ...new SafeArrayIterator(args));
  if (exchange === undefined || typeof callback !== "function" || isOfPackage) {
    return start(callback, delay, ...new SafeArrayIterator(args));
  }
  // The watchdog may stop this turn between the start and the assignment.
  let id = 0;
  const arrives = arrivalOf();
  id = start(() => {
    disown(id);
    arrives(() => run(callback, args));
  }, delay);
  return own(exchange, id, TIMEOUT);
}

/** Runs a timer's callback. An error is reported while the exchange is known whose code threw it. */
function run(callback, args) {
  try {
    ReflectApply(callback, globalThis, args);
  } catch (error) {
    report(error);
  }
}

function setInterval(callback, delay = 0, ...args) {
  if (node !== null && op_timer_of_package()) {
    return node.load().setInterval(callback, delay, ...new SafeArrayIterator(args));
  }
  const exchange = owner() ?? core.getAsyncContext()?.tree;
  if (exchange === undefined || typeof callback !== "function") {
    return own(exchange, repeat(callback, delay, ...new SafeArrayIterator(args)), INTERVAL);
  }
  const arrives = arrivalOf();
  return own(exchange, repeat(() => arrives(() => run(callback, args)), delay), INTERVAL);
}

export function clearTimeout(id = 0) {
  if (node?.isUsed()) {
    node.load().clearTimeout(id);
    // An object is a timer of Node's.
    if (typeof id === "object") return;
  }
  cancel(id);
  disown(Number(id));
}

/**
 * Makes a timer end with an exchange, if there is one.
 * @param {Exchange | undefined} exchange
 * @param {number} id
 * @param {Kind} kind
 */
export function own(exchange, id, kind) {
  if (exchange === undefined) return id;
  if (exchange.ended) {
    kind.cancel(id);
    return id;
  }
  let timers = started.get(exchange);
  if (timers === undefined) {
    started.set(exchange, timers = new SafeMap());
    exchange.onEnd(() => clear(exchange, timers));
  }
  timers.set(id, kind);
  owned.set(id, exchange);
  exchange.timerBegan?.();
  return id;
}

function clear(exchange, timers) {
  for (const { 0: id, 1: kind } of timers.entries()) if (kind.repeats || exchange.completed) stop(id, kind);
}

function stop(id, kind) {
  kind.cancel(id);
  disown(id);
}

/** Clears all timers of an exchange, also those that something waits for. */
export function dropTimers(exchange) {
  const timers = exchange && started.get(exchange);
  if (timers !== undefined) for (const { 0: id, 1: kind } of timers.entries()) stop(id, kind);
}

/** A timer fired for the last time, or was cleared. */
export function disown(id) {
  const exchange = owned.get(id);
  if (exchange === undefined) return;
  owned.delete(id);
  started.get(exchange).delete(id);
  exchange.timerEnded?.();
}

/** `util.promisify(setTimeout)` resolves after the delay. */
ObjectDefineProperty(setTimeout, SymbolFor("nodejs.util.promisify.custom"), {
  __proto__: null,
  configurable: true,
  get: () => node?.load().promises.setTimeout,
});

define("clearInterval", clearTimeout);
define("clearTimeout", clearTimeout);
define("setInterval", setInterval);
define("setTimeout", setTimeout);
