// Start-up of an isolate, and the functions that the host calls.

import { core } from "ext:core/mod.js";
import { op_early_keep, op_exchange_navigated } from "ext:core/ops";
import { define } from "./globals.js";
import { INFO, mirrorConsole, print } from "./log.js";
import { installErrors, loaded, rejectedInLoad } from "./errors/errors.js";
import { currentExchange, exchangesStopped, inContextOf } from "./exchange.js";
import { environment } from "./environment.js";
import { prepareRequests } from "./request.js";
import { dropTimers, setTimeout } from "./timers.js";
import { WebSocket } from "./websocket/client.js";
import { receiveFromClient } from "./websocket/pair.js";
import { module as actorsModule } from "./actor/actors.js";
import { mail, mailStopped } from "./actor/mail.js";
import { countMemory } from "./wasm.js";
import { LiveResponse } from "./live_response/live_response.js";
import { explainLosses } from "./answer/losses.js";
import { fetchPlusClasses } from "./fetch/fetch_plus.js";
import { ClientPort, kOpened, kReceive, kReply, kTakes } from "./port/client_port.js";
import { Port } from "./port/port.js";
import "./fetch/dial.js";
import "./live_response/publish.js";
import { forgetPage, renderPage } from "./page/page.js";
import { bindingsOf } from "./page/binding_problems.js";
import { BaseEvent } from "./event/base.js";
import { HttpEvent } from "./event/event.js";
import { takeOpen } from "./observer/delivery.js";
import { Observer } from "./observer/observer.js";
import { live, programsStopped, setProgramOwner } from "./live/live.js";
import { Client, client, openDatabase, SqlError, transactionsStopped } from "./sql.js";
import { shared, sourcesStopped } from "./shared/shared.js";
import { progressOf, track } from "./shared/upload.js";
import { topic, topics } from "./topic/topic.js";
import { hash, verify } from "./password.js";
import {
  configure,
  dispose,
  forgetModules,
  keepsModules,
  listedRoutes,
  modulesStopped,
  problems,
  requiredFiles,
  started,
} from "./dispatch/dialects.js";
import { addHandler, dispatch, forgetHandlers, setNodes } from "./dispatch/dispatch.js";
import {
  ArrayPrototypeFilter,
  ArrayPrototypeMap,
  ArrayPrototypePush,
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
// Frozen, because compiled code of every handler calls its methods.
for (let object = live; object !== ObjectPrototype; object = ObjectGetPrototypeOf(object)) ObjectFreeze(object);
setProgramOwner((dispose) => {
  const exchange = currentExchange();
  exchange?.onEnd(dispose);
  return () => exchange?.offEnd(dispose);
});
// Read by the module @webqit/fetch-plus; the classes are made together with the web's.
define(SymbolFor("liveline:fetch-plus"), fetchPlusClasses);
// Read by the statement that sets `import.meta.env` of a module.
define(SymbolFor("liveline:env"), environment);
// Read by the modules liveline:actors, liveline:sql, liveline:shared, liveline:topics, liveline:upload and
// liveline:password.
define(SymbolFor("liveline:actors"), actorsModule);
define(SymbolFor("liveline:sql"), { client, Client, openDatabase, SqlError });
define(SymbolFor("liveline:shared"), { shared });
define(SymbolFor("liveline:topics"), { topic, topics });
define(SymbolFor("liveline:upload"), { progressOf, track });
define(SymbolFor("liveline:password"), { hash, verify });

/** For the host: all handlers are loaded. */
function start(nodes) {
  setNodes(nodes);
  loaded();
  started();
}

/** For the host, which calls it before it loads handlers: loads the web's classes, which most handlers use. */
function warm() {
  if (isWarm) return;
  isWarm = true;
  prepareRequests();
  takeWeb();
  pinWeb();
  fetchPlusClasses();
}

let isWarm = false;

/** For the host, while an isolate waits for its code: takes a part of the way that handlers take when they are loaded. */
function prepareLoad() {
  problems();
}

/**
 * For the host, before it keeps the heap: these modules are handlers until {@link rehearsed}, each of a node of its own;
 * with the last two, the next node is that of a path.
 */
function rehearse(modules) {
  pin();
  for (let i = 0; i < modules.length; i++) addHandler("webflo", i, "/", "ext:liveline/rehearsal.js", modules[i]);
  const nodes = ArrayPrototypeMap(modules, (_module, i) => [-1, i, 0]);
  ArrayPrototypePush(nodes, [-1, modules.length - 2, 0, modules.length - 1, 1]);
  setNodes(nodes);
  // Neither has an effect here: they are called so that the kept heap has their code.
  countMemory();
  problems();
  started();
}

/** For the host: the requests of the rehearsal are over; `page` is the page that it had. */
function rehearsed(page) {
  forgetHandlers();
  forgetPage(page);
}

/** For the host: the client joined the line of an exchange. */
function opened(exchange) {
  exchange.becomeLive();
  inContextOf(exchange, () => exchange.port?.[kOpened]());
}

/** For the host: a message came on the line of an exchange. */
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
      // Listeners of the navigation may still send messages.
      setTimeout(() => op_exchange_navigated(exchange.id), 0);
    }
  });
}

/** For the host: a reply came to a request of the handler. */
function reply(exchange, request, port, type, json) {
  const data = json === null ? undefined : JSONParse(json);
  inContextOf(exchange, () => exchange.port?.[kReply](request, port, type, data));
}

/** For the host: the client sent a message in a channel, and the handler decides which members receive it. */
function relay(exchange, channel, type, eventID, json, member, size) {
  const data = json === null ? undefined : JSONParse(json);
  inContextOf(exchange, () => exchange.channels?.relay(channel, { type, data, eventID }, member, size));
}

/** For the host: a message was sent in a channel that the handler listens to. */
function overhear(exchange, channel, type, eventID, json) {
  const data = json === null ? undefined : JSONParse(json);
  inContextOf(exchange, () => exchange.channels?.overhear(channel, { type, data, eventID }));
}

/** For the host: the queue for a slow client is written. `stale`: the client may have missed changes. */
function drained(exchange, stale) {
  inContextOf(exchange, () => exchange.drained(stale));
}

/** For the host: the exchange has ended, for any reason. */
function ended(exchange, code, reason, isComplete) {
  inContextOf(exchange, () => exchange.end(code, reason, isComplete));
}

/** Closes the batches and callbacks of observers that were open, and delivers the changes that they held back. */
function observersStopped() {
  const open = takeOpen();
  const touched = open[0], scope = open[1], telling = open[2];
  if (scope?.held === null) scope.open = false;
  const sinks = touched ?? new SafeSet();
  for (let i = telling.length - 1; i >= 0; i -= 1) sinks.add(telling[i]());
  // Each flush has a turn of its own, so that one that is terminated again does not hold up the others.
  for (const sink of sinks.values()) queueMicrotask(() => sink.flush());
}

/**
 * For the host: it terminated a turn, so no `finally` of the running code was executed. Repairs the state that other
 * code depends on. `id` is the exchange whose code ran, -1 for none; `exchange` is its object, where the host has it.
 * With `forMemory` the exchange filled the heap, and its timers are dropped. `hasRequired` says that CommonJS modules may
 * have been running. `context` is the async context of the code.
 */
function stopped(id, exchange, forMemory, hasRequired, context) {
  // Schedules the timers anew: if a timer's callback was terminated, the others that are due would not run.
  core.ops.op_timer_schedule(1);
  const first = exchangesStopped();
  if (forMemory) dropTimers(exchange ?? (first?.id === id ? first : undefined));
  observersStopped();
  programsStopped();
  transactionsStopped(id);
  if (id === -1) sourcesStopped();
  mailStopped(context?.actor);
  if (hasRequired) modulesStopped();
}

/** deno_core wraps asynchronous ops in functions of these names. */
function asynchronousOps() {
  const ops = ArrayPrototypeMap(ObjectKeys(core.ops), (name) => core.ops[name]);
  return ArrayPrototypeFilter(ops, (op) => {
    return typeof op === "function" && StringPrototypeStartsWith(FunctionPrototypeToString(op), "function async_op_");
  });
}

/** Takes in what handlers must not change. */
function pin() {
  if (isPinned) return;
  isPinned = true;
  const pinned = [BaseEvent, ClientPort, HttpEvent, LiveResponse, Port, WebSocket];
  for (const Class of new SafeArrayIterator(pinned)) pinMembers(Class);
  giveOwnCall(asynchronousOps());
}

let isPinned = false;

/** For the host, which calls it before handlers run: removes everything of the embedding that they could reach. */
function begin() {
  // In an isolate from a snapshot this global is enumerable until its first call, in which deno_core defines it again.
  queueMicrotask(() => {});
  countMemory();
  pin();
  delete globalThis.__bootstrap;
  delete globalThis.Deno;
  delete globalThis.bootstrap;
}

// The host reads and deletes this before any other code runs.
globalThis.__liveline = {
  actorMail: mail,
  addHandler,
  begin,
  bindingsOf,
  configure,
  dispatch,
  dispose,
  drained,
  ended,
  explainLosses,
  forgetModules,
  keepsModules,
  listedRoutes,
  mirrorConsole,
  opened,
  overhear,
  prepareLoad,
  problems,
  receive,
  receiveFromClient,
  rejectedInLoad,
  rehearse,
  rehearsed,
  relay,
  render: renderPage,
  reply,
  requiredFiles,
  start,
  stopped,
  warm,
};
