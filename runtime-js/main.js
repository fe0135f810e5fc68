// Start-up of an isolate, and the functions that the host calls.

import { core } from "ext:core/mod.js";
import { op_early_keep, op_exchange_navigated } from "ext:core/ops";
import { define } from "./globals.js";
import { INFO, print } from "./log.js";
import { installErrors, loaded } from "./errors/errors.js";
import { currentExchange, exchangesStopped, inContextOf } from "./exchange.js";
import { prepareRequests } from "./request.js";
import { dropTimers, setTimeout } from "./timers.js";
import { WebSocket } from "./websocket/client.js";
import { heard } from "./websocket/pair.js";
import { countMemory } from "./wasm.js";
import { LiveResponse } from "./live_response/live_response.js";
import { fetchPlusClasses } from "./fetch/fetch_plus.js";
import { ClientPort, kOpened, kReceive, kReply, kTakes } from "./port/client_port.js";
import { Port } from "./port/port.js";
import "./fetch/dial.js";
import "./live_response/publish.js";
import { renderPage } from "./page/page.js";
import { bindingsOf } from "./page/binding_problems.js";
import { BaseEvent } from "./event/base.js";
import { HttpEvent } from "./event/event.js";
import { takeOpen } from "./observer/delivery.js";
import { Observer } from "./observer/observer.js";
import { live, programsStopped, setProgramOwner } from "./live/live.js";
import { Client, client, openDatabase, SqlError, transactionsStopped } from "./sql.js";
import { shared, sourcesStopped } from "./shared/shared.js";
import { progressOf, track } from "./shared/upload.js";
import { hash, verify } from "./password.js";
import { dispose } from "./dispatch/dialects.js";
import { addHandler, dispatch, setNodes } from "./dispatch/dispatch.js";
import {
  ArrayPrototypeFilter,
  ArrayPrototypeMap,
  FunctionPrototypeToString,
  giveOwnCall,
  globalThis,
  JSONParse,
  ObjectFreeze,
  ObjectGetPrototypeOf,
  ObjectKeys,
  ObjectPrototype,
  pinMembers,
  pinWeb,
  queueMicrotask,
  SafeArrayIterator,
  SafeSet,
  StringPrototypeStartsWith,
  SymbolFor,
  takeWeb,
} from "./primordials.js";

installErrors();
define("LiveResponse", LiveResponse);
define("Observer", Observer);
define(SymbolFor("liveline.live"), live);
// Compiled code of every handler calls its methods.
for (let object = live; object !== ObjectPrototype; object = ObjectGetPrototypeOf(object)) ObjectFreeze(object);
setProgramOwner((dispose) => currentExchange()?.onEnd(dispose));
// Where the module @webqit/fetch-plus finds its classes, which are made when the web's are.
define(SymbolFor("liveline:fetch-plus"), fetchPlusClasses);
// Where the modules liveline:sql and its like find it.
define(SymbolFor("liveline:sql"), { client, Client, openDatabase, SqlError });
define(SymbolFor("liveline:shared"), { shared });
define(SymbolFor("liveline:upload"), { progressOf, track });
define(SymbolFor("liveline:password"), { hash, verify });

/** All handlers are there. */
function start(nodes) {
  setNodes(nodes);
  loaded();
}

/** There is time before the handlers come: the web's classes, which most of them use, are made ready. */
function warm() {
  if (isWarm) return;
  isWarm = true;
  prepareRequests();
  takeWeb();
  pinWeb();
  fetchPlusClasses();
}

let isWarm = false;

/** The client joined the line of an exchange. */
function opened(exchange) {
  exchange.isLive();
  inContextOf(exchange, () => exchange.port?.[kOpened]());
}

/** A message came on the line of an exchange. */
function receive(exchange, type, eventID, json, ports) {
  inContextOf(exchange, () => {
    if (type !== "navigate" && !exchange.port?.[kTakes](type)) {
      exchange.hasEarly = true;
      return op_early_keep(exchange.id, type, eventID, json, ports);
    }
    const data = json === null ? undefined : JSONParse(json);
    exchange.port ??= new ClientPort(exchange);
    const prevented = exchange.port[kReceive](type, eventID, data, ports);
    if (type !== "navigate") return;
    if (prevented) {
      print("The user navigated away; the handler keeps the line. It has to call event.client.close().", INFO);
    } else {
      // Code that listens to the navigation may still send something.
      setTimeout(() => op_exchange_navigated(exchange.id), 0);
    }
  });
}

/** A reply came to a request of the handler. */
function reply(exchange, request, port, type, json) {
  const data = json === null ? undefined : JSONParse(json);
  inContextOf(exchange, () => exchange.port?.[kReply](request, port, type, data));
}

/** The client sent something in a channel, and the handler decides which members get what. */
function relay(exchange, channel, type, eventID, json, member, size) {
  const data = json === null ? undefined : JSONParse(json);
  inContextOf(exchange, () => exchange.channels?.relay(channel, { type, data, eventID }, member, size));
}

/** Something was sent in a channel that the handler listens to. */
function overhear(exchange, channel, type, eventID, json) {
  const data = json === null ? undefined : JSONParse(json);
  inContextOf(exchange, () => exchange.channels?.overhear(channel, { type, data, eventID }));
}

/** What waited for a client that reads slowly is written; perhaps it missed changes. */
function drained(exchange, stale) {
  inContextOf(exchange, () => exchange.drained(stale));
}

/** The exchange is over, for whichever reason. */
function ended(exchange, code, reason, isComplete) {
  inContextOf(exchange, () => exchange.end(code, reason, isComplete));
}

/** The batches and the callbacks of observers that were open are over; who was to hear of something hears of it. */
function observersStopped() {
  const open = takeOpen();
  const touched = open[0], scope = open[1], telling = open[2];
  if (scope?.held === null) scope.open = false;
  const sinks = touched ?? new SafeSet();
  for (let i = telling.length - 1; i >= 0; i -= 1) sinks.add(telling[i]());
  // Each in a turn of its own, so that one that is stopped again holds up no other.
  for (const sink of sinks.values()) queueMicrotask(() => sink.flush());
}

/**
 * The host stopped a turn: no `finally` of what ran was run. What others depend on is brought in order again. `id` is the
 * exchange whose code it was, -1 for none, and `exchange` its object, where the host has it. If it filled the memory, it
 * keeps none of it.
 */
function stopped(id, exchange, forMemory) {
  // Timers that were due are looked at again; nobody would, where one of them was stopped.
  core.ops.op_timer_schedule(1);
  const first = exchangesStopped();
  if (forMemory) dropTimers(exchange ?? (first?.id === id ? first : undefined));
  observersStopped();
  programsStopped();
  transactionsStopped(id);
  if (id === -1) sourcesStopped();
}

/** deno_core wraps asynchronous ops in functions of these names. */
function asynchronousOps() {
  const ops = ArrayPrototypeMap(ObjectKeys(core.ops), (name) => core.ops[name]);
  return ArrayPrototypeFilter(ops, (op) => {
    return typeof op === "function" && StringPrototypeStartsWith(FunctionPrototypeToString(op), "function async_op_");
  });
}

/** The isolate is to run handlers: nothing of the embedding is left where they could reach it. */
function begin() {
  countMemory();
  const pinned = [BaseEvent, ClientPort, HttpEvent, LiveResponse, Port, WebSocket];
  for (const Class of new SafeArrayIterator(pinned)) pinMembers(Class);
  giveOwnCall(asynchronousOps());
  delete globalThis.__bootstrap;
  delete globalThis.Deno;
  delete globalThis.bootstrap;
}

// The host takes this before any other code runs.
globalThis.__liveline = {
  addHandler,
  begin,
  bindingsOf,
  dispatch,
  dispose,
  drained,
  ended,
  heard,
  opened,
  overhear,
  receive,
  relay,
  render: renderPage,
  reply,
  start,
  stopped,
  warm,
};
