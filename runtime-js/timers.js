// Timers belong to the exchange whose code started them, and end with it. Those of modules run on.
//
// When all of an exchange is done, nothing waits for its timers, and they are cleared. When it ends otherwise, because
// its client left or a handler failed, code may still be waiting in a timeout: that one fires, so that the code sees the
// aborted signal and runs its `finally`. Intervals are cleared, and no other timer starts. One that was stopped because
// it filled the memory loses all.
//
// The timeouts of packages run on, as under Node: a pool that is shared by all requests sets them in the course of one
// request, to connect again or to close an idle connection.

import { core } from "ext:core/mod.js";
import { op_timer_of_package } from "ext:core/ops";
import { define } from "./globals.js";
import { currentExchange } from "./exchange.js";
import { Number, ReflectApply, SafeArrayIterator, SafeMap, SafeWeakMap, globalThis } from "./primordials.js";

const {
  clearTimeout: cancel,
  setInterval: repeat,
  setTimeout: start,
} = core.loadExtScript("ext:deno_web/02_timers.js");

/** The timers of each exchange, made with its first, and whether they repeat. @type {WeakMap<Exchange, Timers>} */
const started = new SafeWeakMap();
/** The timers that a timer is among. @type {Map<number, Timers>} */
const owned = new SafeMap();

/** @typedef {Map<number, boolean>} Timers */

export function setTimeout(callback, delay = 0, ...args) {
  const exchange = currentExchange();
  if (exchange === undefined || typeof callback !== "function" || op_timer_of_package()) {
    return start(callback, delay, ...new SafeArrayIterator(args));
  }
  const id = start(() => {
    disown(id);
    ReflectApply(callback, globalThis, args);
  }, delay);
  return own(exchange, id, false);
}

function setInterval(callback, delay = 0, ...args) {
  return own(currentExchange(), repeat(callback, delay, ...new SafeArrayIterator(args)), true);
}

export function clearTimeout(id = 0) {
  cancel(id);
  disown(Number(id));
}

function own(exchange, id, repeats) {
  if (exchange === undefined) return id;
  if (exchange.ended) {
    cancel(id);
    return id;
  }
  let timers = started.get(exchange);
  if (timers === undefined) {
    started.set(exchange, timers = new SafeMap());
    exchange.onEnd(() => clear(exchange, timers));
  }
  timers.set(id, repeats);
  owned.set(id, timers);
  return id;
}

function clear(exchange, timers) {
  for (const { 0: id, 1: repeats } of timers.entries()) if (repeats || exchange.completed) clearTimeout(id);
}

/** Clears all timers of an exchange, also those that something waits for. */
export function dropTimers(exchange) {
  const timers = exchange && started.get(exchange);
  if (timers !== undefined) for (const { 0: id } of timers.entries()) clearTimeout(id);
}

function disown(id) {
  owned.get(id)?.delete(id);
  owned.delete(id);
}

define("clearInterval", clearTimeout);
define("clearTimeout", clearTimeout);
define("setInterval", setInterval);
define("setTimeout", setTimeout);
