// Timers belong to the exchange whose code started them, and end with it. Those of modules run on.

import { core } from "ext:core/mod.js";
import { define } from "ext:liveline/00_globals.js";
import { currentExchange } from "ext:liveline/10_exchange.js";

const {
  clearTimeout: cancel,
  setInterval: repeat,
  setTimeout: start,
} = core.loadExtScript("ext:deno_web/02_timers.js");

/** The timers of each exchange, made with its first. @type {WeakMap<Exchange, Set<number>>} */
const started = new WeakMap();
/** The set that a timer is in. @type {Map<number, Set<number>>} */
const owned = new Map();

function setTimeout(callback, delay = 0, ...args) {
  const exchange = currentExchange();
  if (exchange === null || typeof callback !== "function") return own(exchange, start(callback, delay, ...args));
  const id = start(() => {
    disown(id);
    Reflect.apply(callback, globalThis, args);
  }, delay);
  return own(exchange, id);
}

function setInterval(callback, delay = 0, ...args) {
  return own(currentExchange(), repeat(callback, delay, ...args));
}

function clearTimeout(id = 0) {
  cancel(id);
  disown(Number(id));
}

function own(exchange, id) {
  if (exchange === null) return id;
  if (exchange.ended) {
    cancel(id);
    return id;
  }
  let ids = started.get(exchange);
  if (ids === undefined) {
    started.set(exchange, ids = new Set());
    exchange.onEnd(() => ids.forEach(clearTimeout));
  }
  ids.add(id);
  owned.set(id, ids);
  return id;
}

function disown(id) {
  owned.get(id)?.delete(id);
  owned.delete(id);
}

define("clearInterval", clearTimeout);
define("clearTimeout", clearTimeout);
define("setInterval", setInterval);
define("setTimeout", setTimeout);
