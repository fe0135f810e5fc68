// Start-up of an isolate, and the functions that the host calls.

import { core } from "ext:core/mod.js";
import { op_exchange_navigated } from "ext:core/ops";
import { define } from "ext:liveline/00_globals.js";
import { installErrors, loaded } from "ext:liveline/01_errors.js";
import { currentExchange, exchangesStopped, findExchange, inContextOf } from "ext:liveline/10_exchange.js";
import "ext:liveline/15_timers.js";
import { heard } from "ext:liveline/17_websocket_pair.js";
import { limitSharedMemory } from "ext:liveline/19_shared_memory.js";
import { LiveResponse } from "ext:liveline/20_live_response.js";
import { ClientPort, kOpened, kReceive, kReply } from "ext:liveline/30_port.js";
import { kClosed } from "ext:liveline/33_port_events.js";
import "ext:liveline/36_dial.js";
import { Observer, takeOpen } from "ext:liveline/60_observer.js";
import { live, programsStopped, setProgramOwner } from "ext:liveline/62_live.js";
import { Client, client, openDatabase, SqlError, transactionsStopped } from "ext:liveline/70_sql.js";
import { addHandler, dispatch, setNodes } from "ext:liveline/90_dispatch.js";

installErrors();
define("LiveResponse", LiveResponse);
define("Observer", Observer);
define(Symbol.for("liveline.live"), live);
setProgramOwner((dispose) => currentExchange()?.onEnd(dispose));
// Where the module liveline:sql finds it.
define(Symbol.for("liveline:sql"), { client, Client, openDatabase, SqlError });

/** All handlers are there. */
function start(nodes) {
  setNodes(nodes);
  loaded();
}

/** There is time before the handlers come: what most of them use is made ready. */
function warm() {
  for (const name of ["URL", "Headers", "Request", "Response"]) globalThis[name];
}

/** The client joined the line of an exchange. */
function opened(id) {
  const exchange = findExchange(id);
  if (exchange === undefined) return;
  exchange.joined = true;
  exchange.answered = true;
  inContextOf(exchange, () => exchange.port?.[kOpened]());
}

/** A message came on the line of an exchange. */
function receive(id, type, eventID, json, ports) {
  const exchange = findExchange(id);
  if (exchange === undefined) return;
  const data = json === null ? undefined : JSON.parse(json);
  inContextOf(exchange, () => {
    exchange.port ??= new ClientPort(exchange);
    const prevented = exchange.port[kReceive](type, eventID, data, ports);
    if (type !== "navigate") return;
    if (prevented) {
      console.info("The user navigated away; the handler keeps the line. It has to call event.client.close().");
    } else {
      // Code that hears of the navigation may still say something.
      setTimeout(() => {
        if (exchange.ended) return;
        op_exchange_navigated(id);
        exchange.port[kClosed](4001, "navigated away", true);
        exchange.end();
      }, 0);
    }
  });
}

/** A reply came to a request of the handler. */
function reply(id, request, port, type, json) {
  const exchange = findExchange(id);
  if (exchange === undefined) return;
  const data = json === null ? undefined : JSON.parse(json);
  inContextOf(exchange, () => exchange.port?.[kReply](request, port, type, data));
}

/** The client said something in a channel, and the handler decides who hears what. */
function relay(id, channel, type, eventID, json, member, size) {
  const exchange = findExchange(id);
  if (exchange === undefined) return;
  const data = json === null ? undefined : JSON.parse(json);
  inContextOf(exchange, () => exchange.channels?.relay(channel, { type, data, eventID }, member, size));
}

/** Somebody said something in a channel that the handler listens to. */
function overhear(id, channel, type, eventID, json) {
  const exchange = findExchange(id);
  if (exchange === undefined) return;
  const data = json === null ? undefined : JSON.parse(json);
  inContextOf(exchange, () => exchange.channels?.overhear(channel, { type, data, eventID }));
}

/** What waited for a client that reads slowly is written; perhaps it missed changes. */
function drained(id, stale) {
  const exchange = findExchange(id);
  if (exchange !== undefined) inContextOf(exchange, () => exchange.drained(stale));
}

/** The exchange is over from outside: the line closed, the client left, or time ran out. */
function closed(id, code, reason) {
  const exchange = findExchange(id);
  if (exchange === undefined) return;
  inContextOf(exchange, () => exchange.closed(code, reason));
}

/** The batches and the callbacks of observers that were open are over; who was to hear of something hears of it. */
function observersStopped() {
  const [touched, scope, telling] = takeOpen();
  if (scope?.held === null) scope.open = false;
  const sinks = new Set(touched);
  for (const end of telling.reverse()) sinks.add(end());
  // Each in a turn of its own, so that one that is stopped again holds up no other.
  for (const sink of sinks) queueMicrotask(() => sink.flush());
}

/**
 * The host stopped a turn: no `finally` of what ran was run. What others depend on is brought in order again, and the
 * exchange whose code it was is over; `id` is -1 for none.
 */
function stopped(id, code, reason) {
  // Timers that were due are looked at again; nobody would, where one of them was stopped.
  core.ops.op_timer_schedule(1);
  exchangesStopped();
  observersStopped();
  programsStopped();
  transactionsStopped(id);
  closed(id, code, reason);
}

/** The isolate is to run handlers: nothing of the embedding is left where they could reach it. */
function begin() {
  delete globalThis.__bootstrap;
  delete globalThis.Deno;
  delete globalThis.bootstrap;
  limitSharedMemory();
}

// The host takes this before any other code runs.
globalThis.__liveline = {
  addHandler,
  begin,
  closed,
  dispatch,
  drained,
  heard,
  opened,
  overhear,
  receive,
  relay,
  reply,
  start,
  stopped,
  warm,
};
