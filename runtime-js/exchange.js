// One request in JavaScript. The host keeps its state and decides when it ends; this class reads that state. The host
// reports the end once, after the turn in which it came, and then this class calls the listeners of the end.

import { core } from "ext:core/mod.js";
import {
  op_exchange_attach,
  op_exchange_fail,
  op_exchange_follow,
  op_exchange_input,
  op_exchange_lost,
  op_exchange_phase,
  op_log_error,
  op_port_refresh,
  op_request_url,
} from "ext:core/ops";
import { abort, domException, invalidState } from "./errors/exceptions.js";
import { hasListener, listenersOf, withListener, withoutListener } from "./listeners.js";
import { kClosed, LineLostError } from "./port/port.js";
import {
  AbortController,
  AbortControllerPrototypeGetSignal,
  AbortSignalPrototypeGetAborted,
  ArrayPrototypeLastIndexOf,
  ArrayPrototypePush,
  ArrayPrototypeSplice,
  NumberPrototypeToString,
  Promise,
  PromiseResolve,
  PromiseWithResolvers,
  queueMicrotask,
  SafeArrayIterator,
  Symbol,
  TypeError,
} from "./primordials.js";

/** How far an exchange has come, by the host's numbers. Nothing was sent. */
export const WAITING = 0;
/** The client has joined the line. The number between, 1, means that something was sent. */
const JOINED = 2;
/** Everything is done. */
export const COMPLETE = 3;
/** It failed, or was ended from outside. */
const OVER = 4;

/** Of an exchange whose end the host has not reported: no listener waits for the end, or one does. */
const UNFOLLOWED = -2;
const FOLLOWED = -1;

/** Inputs for the host, by its numbers, that decide how long an exchange stays open. */
const STARTED = 0;
const RETURNED = 1;
const HOLD = 2;
const RELEASE = 3;
const DONE = 4;
const WORK_BEGAN = 5;
const WORK_ENDED = 6;

/** The exchange whose first turn runs. The host receives its object after that turn, which it may terminate before. */
let beginning = null;

/**
 * Runs the first turn of an exchange, which is `run(exchange, length)`. Returns the exchange to the host, which passes
 * it to later calls.
 */
export function beginExchange(exchange, run, length) {
  beginning = exchange;
  const outer = core.getAsyncContext();
  core.setAsyncContext(new Context(exchange));
  try {
    run(exchange, length);
  } finally {
    core.setAsyncContext(outer);
  }
  beginning = null;
  return exchange;
}

/** Exchanges whose listeners of the end are being called. */
const ending = [];

/**
 * The host terminated a turn. Completes the steps that the turn's code had begun. Returns the exchange that began in
 * the turn.
 */
export function exchangesStopped() {
  const first = beginning;
  if (first !== null) op_exchange_attach(first.id, first);
  beginning = null;
  const stopped = ArrayPrototypeSplice(ending, 0);
  for (let i = 0; i < stopped.length; i++) {
    const exchange = stopped[i];
    queueMicrotask(() => inContextOf(exchange, () => exchange.goOnEnding()));
  }
  return first;
}

/** The method of listener objects that is called at an exchange's end. */
export const kEnded = Symbol("ended");

/** What few exchanges have, so that an idle line does not keep room for it. */
class Rare {
  /** Objects that events of the exchange share, made when first used. */
  user = null;
  cookies = null;
  session = null;
  thread = null;
  channels = null;
  carried = null;
  publications = 0;
  hasEarly = false;
  /** The controller of the exchange's signal. */
  abort = null;
  /** What waits for a ready state. */
  waiting = null;
  /** @type {import("./listeners.js").Listeners<{ refresh(): void }>} */
  refreshers = null;
  drained = null;
  onLeave = null;
  unreachable = null;
  /** `{ error }` where the handler failed. */
  failure = null;
  /** `{ code, reason }` of the end. */
  close = null;
}

/** One request. Events of the same request share it. */
export class Exchange {
  /** @type {import("./listeners.js").Listeners<(() => void) | { [kEnded](): void }>} */
  #onEnd = null;
  /** @type {Rare | null} */
  #rare = null;
  /** How it ended, once the host has reported it: `COMPLETE` or `OVER`. Before that, whether the host is to report it. */
  #end = UNFOLLOWED;

  /**
   * @param {number} id the host's number of it
   * @param {number} node where the handlers of its path are; see dispatch/dispatch.js
   * @param {string} method
   * @param {number} page the page that shows the answer; -1 if the client is a program
   * @param {number} show the format in which states are sent; see page/page.js
   * @param {boolean} canJoin whether the client can join a line; if not, it receives only the last state
   */
  constructor(id, node, method, page, show, canJoin) {
    this.id = id;
    this.node = node;
    this.method = method;
    this.page = page;
    this.show = show;
    this.canJoin = canJoin;
    /** The port that events of this exchange share, made when first used. */
    this.port = null;
    /** The socket that is the answer. */
    this.socket = null;
    /** The event of its first handler. */
    this.event = null;
    /** The async context in which later messages run. */
    this.context = null;
  }

  static #some(exchange) {
    return exchange.#rare ??= new Rare();
  }

  get user() {
    return this.#rare === null ? null : this.#rare.user;
  }

  set user(user) {
    Exchange.#some(this).user = user;
  }

  get cookies() {
    return this.#rare === null ? null : this.#rare.cookies;
  }

  set cookies(cookies) {
    Exchange.#some(this).cookies = cookies;
  }

  get session() {
    return this.#rare === null ? null : this.#rare.session;
  }

  set session(session) {
    Exchange.#some(this).session = session;
  }

  get thread() {
    return this.#rare === null ? null : this.#rare.thread;
  }

  set thread(thread) {
    Exchange.#some(this).thread = thread;
  }

  get channels() {
    return this.#rare === null ? null : this.#rare.channels;
  }

  set channels(channels) {
    Exchange.#some(this).channels = channels;
  }

  /** Settles when the host has answered with a topic. @returns {Promise<void> | null} */
  get carried() {
    return this.#rare === null ? null : this.#rare.carried;
  }

  set carried(carried) {
    Exchange.#some(this).carried = carried;
  }

  /** LiveResponses that are published on the client's port. */
  get publications() {
    return this.#rare === null ? 0 : this.#rare.publications;
  }

  set publications(publications) {
    Exchange.#some(this).publications = publications;
  }

  /** Whether its client sent messages before a listener for them was added. */
  get hasEarly() {
    return this.#rare !== null && this.#rare.hasEarly;
  }

  set hasEarly(hasEarly) {
    Exchange.#some(this).hasEarly = hasEarly;
  }

  /**
   * Later messages run in the async context of the running code, which waits for them: so AsyncLocalStorage keeps its
   * store as long as the line lives.
   */
  keepContext() {
    const context = core.getAsyncContext();
    if (context?.owner === this) this.context = context;
  }

  /** How far it has come, as the host has it; the end does not change any more. */
  get phase() {
    return this.#end >= COMPLETE ? this.#end : op_exchange_phase(this.id);
  }

  /** Whether something was sent, so that the HTTP answer is decided. */
  get answered() {
    return this.phase !== WAITING;
  }

  /** Whether the client has joined the line, and the exchange has not ended. */
  get joined() {
    return this.phase === JOINED;
  }

  /** Whether everything is done, or it was ended. */
  get ended() {
    return this.phase >= COMPLETE;
  }

  /** Whether it ended because everything was done, and not by a failure or from outside. */
  get completed() {
    return this.phase === COMPLETE;
  }

  /** Closes a port at the end. */
  closes(port) {
    this.port = port;
    Exchange.#follow(this);
  }

  /** Makes a socket without envelopes the answer; the socket is closed at the end. */
  serves(socket) {
    this.canJoin = false;
    this.socket = socket;
    Exchange.#follow(this);
  }

  /** Asks the host to report the end. Returns false if the end was reported already. */
  static #follow(exchange) {
    if (exchange.#end === UNFOLLOWED && op_exchange_follow(exchange.id)) exchange.#end = FOLLOWED;
    return exchange.#end === FOLLOWED;
  }

  /** The URL as the client sent it. */
  get url() {
    return this.#url ??= op_request_url(this.id);
  }
  #url = null;

  /** Resolves with `value` when the exchange is `live` or `done`. */
  readyStateChange(state, value) {
    if (!Exchange.#follow(this) || (state === "live" && this.answered)) return PromiseResolve(value);
    const waiting = Exchange.#some(this).waiting ??= [];
    return new Promise((resolve) => ArrayPrototypePush(waiting, { state, resolve: () => resolve(value) }));
  }

  /** Something was sent, or the client has joined: resolves the promises that wait for the ready state "live". */
  becomeLive() {
    Exchange.#settleWaiting(this, "live");
  }

  static #settleWaiting(exchange, state) {
    if (exchange.#rare === null || exchange.#rare.waiting === null) return;
    for (const waiting of new SafeArrayIterator(exchange.#rare.waiting)) {
      if (waiting.state === state || exchange.#end >= COMPLETE) waiting.resolve();
    }
  }

  /** A new ID for a message of this exchange, to which replies and deltas refer. */
  nextEventID(type) {
    this.#events += 1;
    return `${type}-${NumberPrototypeToString(this.#events, 36)}`;
  }
  #events = 0;

  /** Aborts when the exchange is over, however it ends. */
  get signal() {
    const rare = Exchange.#some(this);
    if (rare.abort === null) {
      rare.abort = new AbortController();
      if (!Exchange.#follow(this)) abort(rare.abort, overError());
    }
    return AbortControllerPrototypeGetSignal(rare.abort);
  }

  /**
   * Calls `listener` when the exchange has ended; at once if it has. What ends earlier calls {@link offEnd}, so that a
   * long exchange does not keep it.
   * @param {(() => void) | { [kEnded](): void }} listener an object that exists anyway costs less than a callback
   */
  onEnd(listener) {
    if (!Exchange.#follow(this)) callAtEnd(listener);
    else this.#onEnd = withListener(this.#onEnd, listener);
  }

  /** Calls a listener of {@link onEnd} no more. */
  offEnd(listener) {
    this.#onEnd = withoutListener(this.#onEnd, listener);
  }

  // -- a client that reads slowly ----------------------------------------------------------------------------------

  /**
   * Calls `listener.refresh()` when the client needs the whole value that it follows, until {@link offRefresh}.
   * @param {{ refresh(): void }} listener
   */
  onRefresh(listener) {
    const rare = Exchange.#some(this);
    rare.refreshers = withListener(rare.refreshers, listener);
  }

  offRefresh(listener) {
    const rare = Exchange.#some(this);
    rare.refreshers = withoutListener(rare.refreshers, listener);
  }

  /** Resolves when the client has received everything that was sent, or the exchange has ended. */
  whenDrained() {
    if (!Exchange.#follow(this)) return PromiseResolve();
    const drained = Exchange.#some(this).drained ??= PromiseWithResolvers();
    return drained.promise;
  }

  /** The queue for the client is written. With `stale` the client missed changes, so whole states are sent again. */
  drained(stale) {
    if (stale) {
      op_port_refresh(this.id);
      for (const listener of new SafeArrayIterator(listenersOf(this.#rare?.refreshers ?? null))) {
        try {
          listener.refresh();
        } catch (error) {
          return this.fail(error);
        }
      }
    }
    const rare = this.#rare;
    if (rare === null) return;
    rare.drained?.resolve();
    rare.drained = null;
  }

  /** Keeps the exchange open until {@link release}. */
  hold() {
    if (this.ended) throw invalidState("Event lifecycle already complete: the exchange has ended.");
    op_exchange_input(this.id, HOLD);
  }

  release() {
    op_exchange_input(this.id, RELEASE);
  }

  /** Work begins that the answer does not wait for. Returns false if the exchange has ended. */
  began() {
    if (this.#end >= COMPLETE) return false;
    try {
      op_exchange_input(this.id, WORK_BEGAN);
      return true;
    } catch {
      return false;
    }
  }

  /** Such work has ended. */
  ran() {
    op_exchange_input(this.id, WORK_ENDED);
  }

  /** Calls `listener` if the client leaves before it has the whole answer, or the exchange fails. */
  onLeave(listener) {
    const rare = Exchange.#some(this);
    if (rare.onLeave === null) {
      rare.onLeave = [];
      this.onEnd(() => this.#end === OVER && this.left());
    }
    ArrayPrototypePush(rare.onLeave, listener);
  }

  /** The client has left, and its answer is not complete. */
  left() {
    const rare = this.#rare;
    if (rare === null) return;
    const listeners = rare.onLeave;
    rare.onLeave = null;
    for (const listener of new SafeArrayIterator(listeners ?? [])) {
      try {
        listener();
      } catch (error) {
        op_log_error("when the client left", error);
      }
    }
  }

  /** Counts one more handler that runs for this exchange. */
  started() {
    op_exchange_input(this.id, STARTED);
  }

  /** A handler's promise has settled. */
  returned() {
    op_exchange_input(this.id, RETURNED);
  }

  /**
   * The last frame of the response was sent. LiveResponses that a handler publishes on the port belong to the response.
   */
  responseDone() {
    this.#isDone = true;
    if (this.publications === 0) op_exchange_input(this.id, DONE);
  }

  #isDone = false;

  /** One of the LiveResponses that are published on the client's port has sent its last state. */
  published() {
    this.publications -= 1;
    if (this.#isDone) this.responseDone();
  }

  /** The error of a request to a client that cannot reply. */
  unreachable() {
    return Exchange.#some(this).unreachable ??= domException(
      "NotSupportedError",
      "The client of this request takes one answer, so it cannot be asked. Live clients send X-Accept-Live: *.",
    );
  }

  /**
   * The handler failed: 500, or the line closes with 4002. If the line to an upstream was lost: 502 and 4003.
   * @param {unknown} error
   * @param {{ filename: string, name: string }} [thrower] the file and the export of the handler that threw
   */
  fail(error, thrower) {
    let isLost = false;
    try {
      if (Exchange.#isReported(this, error)) return;
      isLost = error instanceof LineLostError;
    } catch {
      error = new TypeError("A value was thrown of which nothing can be read.");
    }
    const rare = Exchange.#some(this);
    rare.failure = { error };
    if (isLost) return op_exchange_lost(this.id, error.message);
    const isUnreachable = rare.unreachable !== null && error === rare.unreachable;
    op_exchange_fail(this.id, error, isUnreachable, thrower?.filename ?? "", thrower?.name ?? "");
  }

  /** Whether a failure only results from the end, or was reported before. */
  static #isReported(exchange, error) {
    const failure = exchange.#rare === null ? null : exchange.#rare.failure;
    return (failure !== null && error === failure.error) || (error?.name === "AbortError" && exchange.ended);
  }

  /** For the host: the exchange has ended. Its port closes with `code` and `reason`. */
  end(code, reason, isComplete) {
    if (this.#end >= COMPLETE) return;
    this.#end = isComplete ? COMPLETE : OVER;
    Exchange.#some(this).close = { code, reason };
    this.goOnEnding();
  }

  /** Calls every listener that was not called yet: the host may terminate the loop in the middle. */
  goOnEnding() {
    ArrayPrototypePush(ending, this);
    // The port is closed before listeners are called.
    const rare = this.#rare;
    const { code, reason } = rare.close;
    this.port?.[kClosed](code, reason, code !== 1006);
    this.socket?.[kClosed](code, reason, code !== 1006);
    Exchange.#settleWaiting(this, "done");
    rare.drained?.resolve();
    if (rare.abort !== null && !AbortSignalPrototypeGetAborted(AbortControllerPrototypeGetSignal(rare.abort))) {
      abort(rare.abort, rare.failure === null ? overError() : rare.failure.error);
    }
    for (const listener of new SafeArrayIterator(listenersOf(this.#onEnd))) {
      // One that was called earlier may have removed it.
      if (!hasListener(this.#onEnd, listener)) continue;
      this.offEnd(listener);
      callAtEndOf("an exchange", listener);
    }
    ArrayPrototypeSplice(ending, ArrayPrototypeLastIndexOf(ending, this), 1);
  }
}

/** Calls a listener of the end. One that throws does not keep others from being called. */
export function callAtEndOf(what, listener) {
  try {
    callAtEnd(listener);
  } catch (error) {
    op_log_error(`at the end of ${what}`, error);
  }
}

function callAtEnd(listener) {
  if (typeof listener === "function") listener();
  else listener[kEnded]();
}

function overError() {
  return domException("AbortError", "The exchange has ended.");
}

/** An async context. Deno's async variables extend it by copying its own properties. */
class Context {
  constructor(exchange) {
    this.exchange = exchange.id;
    /** The exchange itself, for code that needs its end. */
    this.owner = exchange;
  }
}

/** The exchange whose code is running, ended or not; undefined outside of any, for example while modules load. */
export function currentExchange() {
  return core.getAsyncContext()?.owner;
}

/**
 * Runs `callback` so that all that it starts, timers included, belongs to the exchange. The host reads the context's
 * `exchange` to terminate a handler that never yields.
 */
export function inContextOf(exchange, callback) {
  const outer = core.getAsyncContext();
  core.setAsyncContext(exchange.context ?? new Context(exchange));
  try {
    return callback();
  } finally {
    core.setAsyncContext(outer);
  }
}
