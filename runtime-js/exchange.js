// One request's thin handle on the lifecycle engine: the engine decides, this asks and listens.

import { core } from "ext:core/mod.js";
import {
  op_exchange_answered,
  op_exchange_done,
  op_exchange_fail,
  op_exchange_hold,
  op_exchange_lost,
  op_exchange_release,
  op_exchange_returned,
  op_exchange_started,
  op_exchange_unreachable,
  op_log_error,
  op_port_refresh,
  op_request_url,
} from "ext:core/ops";
import { abort, domException, invalidState } from "./errors/exceptions.js";
import { kClosed, LineLostError } from "./port/port.js";
import {
  AbortController,
  AbortControllerPrototypeGetSignal,
  AbortSignalPrototypeGetAborted,
  ArrayPrototypeConcat,
  ArrayPrototypeLastIndexOf,
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  ArrayPrototypeSplice,
  NumberPrototypeToString,
  Promise,
  PromiseResolve,
  PromiseWithResolvers,
  queueMicrotask,
  SafeArrayIterator,
  SafeMap,
  Symbol,
} from "./primordials.js";

/** Exchanges that outlived the turn in which they began, and may hear from the host. */
const open = new SafeMap();

/** The host has more to tell this exchange. */
function keepExchange(exchange) {
  if (exchange.ended) return;
  open.set(exchange.id, exchange);
  exchange.kept = true;
}

/** The exchange whose first turn runs. The host may stop that turn, and then has to find it. */
let beginning = null;

/** Runs the first turn of an exchange, after which the host may have more to tell it. */
export function beginExchange(exchange, run) {
  beginning = exchange;
  inContextOf(exchange, run);
  beginning = null;
  keepExchange(exchange);
}

/** Exchanges whose listeners are being told of their end. */
const ending = [];

/** The host stopped a turn. Whatever its code was in the middle of comes to an end. */
export function exchangesStopped() {
  if (beginning !== null) keepExchange(beginning);
  beginning = null;
  const stopped = ArrayPrototypeSplice(ending, 0);
  for (let i = 0; i < stopped.length; i++) {
    const exchange = stopped[i];
    queueMicrotask(() => inContextOf(exchange, () => exchange.goOnEnding()));
  }
}

/** @returns {Exchange | undefined} */
export function findExchange(id) {
  return open.get(id);
}

/** For who listens to an exchange's end: it has ended. */
export const kEnded = Symbol("ended");

/** What one request is to JavaScript. Events of the same request share it. */
export class Exchange {
  #abort = null;
  #ended = false;
  #onEnd = null;

  /**
   * @param {number} id the engine's name for it
   * @param {string} method
   * @param {number} page the page that shows the answer; -1 where a program gets it
   * @param {number} show how a state leaves; see page/page.js
   * @param {boolean} canJoin whether the client can join a line; if not it gets the last state alone
   */
  constructor(id, method, page, show, canJoin) {
    this.id = id;
    this.method = method;
    this.page = page;
    this.show = show;
    this.canJoin = canJoin;
    /** What events of this exchange share, made when first used. */
    this.port = null;
    /** The client has joined the line. */
    this.joined = false;
    this.user = null;
    this.cookies = null;
    this.session = null;
    this.thread = null;
    this.channels = null;
    /** The socket that is served as the answer. */
    this.socket = null;
    /** The event of its first handler. */
    this.event = null;
    /** It is among those that the host can name. */
    this.kept = false;
    /** LiveResponses that are published on the client's port. */
    this.publications = 0;
    /** Its client has sent messages before a listener for them was added. */
    this.hasEarly = false;
    this.#answered = false;
  }

  /** Something was sent, so HTTP's answer is decided. Who enters a channel and says nothing is answered all the same. */
  get answered() {
    return this.#answered ||= this.channels !== null && op_exchange_answered(this.id);
  }

  set answered(_) {
    this.#answered = true;
    this.#settleWaiting("live");
  }
  #answered;

  /** The URL as the client sent it. */
  get url() {
    return this.#url ??= op_request_url(this.id);
  }
  #url = null;

  /** Resolves with `value` when the exchange is `live` or `done`. */
  readyStateChange(state, value) {
    if (this.#ended || (state === "live" && this.answered)) return PromiseResolve(value);
    this.#waiting ??= [];
    return new Promise((resolve) => ArrayPrototypePush(this.#waiting, { state, resolve: () => resolve(value) }));
  }
  #waiting = null;

  #settleWaiting(state) {
    if (this.#waiting === null) return;
    for (const waiting of new SafeArrayIterator(this.#waiting)) {
      if (waiting.state === state || this.#ended) waiting.resolve();
    }
  }

  /** A name for a message of this exchange, so that replies and deltas can refer to it. */
  nextEventID(type) {
    this.#events += 1;
    return `${type}-${NumberPrototypeToString(this.#events, 36)}`;
  }
  #events = 0;

  get ended() {
    return this.#ended;
  }

  /** Aborts when the exchange is over, however it ends. */
  get signal() {
    if (this.#abort === null) {
      this.#abort = new AbortController();
      if (this.#ended) abort(this.#abort, overError());
    }
    return AbortControllerPrototypeGetSignal(this.#abort);
  }

  /**
   * Tells `listener` when the exchange is over; at once if it is.
   * @param {(() => void) | { [kEnded](): void }} listener an object that lasts as long costs less than a callback
   */
  onEnd(listener) {
    if (this.#ended) tellEnd(listener);
    else this.#onEnd = this.#onEnd === null ? [listener] : ArrayPrototypeConcat(this.#onEnd, listener);
  }

  // -- a client that reads slowly ----------------------------------------------------------------------------------

  /** Calls `listener.refresh()` when the client needs in full what it follows. @param {{ refresh(): void }} listener */
  onRefresh(listener) {
    this.#refreshers = this.#refreshers === null ? [listener] : ArrayPrototypeConcat(this.#refreshers, listener);
  }
  #refreshers = null;

  /** Resolves when the client has caught up, or will not. */
  whenDrained() {
    if (this.#ended) return PromiseResolve();
    this.#drained ??= PromiseWithResolvers();
    return this.#drained.promise;
  }
  #drained = null;

  /** What waited for the client is written. Changes that it missed meanwhile are made up for by states in full. */
  drained(stale) {
    if (stale) {
      op_port_refresh(this.id);
      for (const listener of new SafeArrayIterator(this.#refreshers ?? [])) {
        try {
          listener.refresh();
        } catch (error) {
          return this.fail(error);
        }
      }
    }
    this.#drained?.resolve();
    this.#drained = null;
  }

  /** Keeps the exchange open until {@link release}. */
  hold() {
    if (this.#ended) throw invalidState("Event lifecycle already complete: the exchange has ended.");
    op_exchange_hold(this.id);
  }

  release() {
    if (!this.#ended && op_exchange_release(this.id)) this.#complete();
  }

  /** One more handler runs on behalf of this exchange. */
  started() {
    if (!this.#ended) op_exchange_started(this.id);
  }

  /** A handler's promise has settled. */
  returned() {
    if (!this.#ended && op_exchange_returned(this.id)) this.#complete();
  }

  /** A handler returned its one answer, which the host has; `isComplete` is what the host says of that. */
  answeredPlainly(isComplete) {
    this.answered = true;
    if (isComplete) this.#complete();
  }

  /** The response had its last frame. What is published on the client's port by hand belongs to it, too. */
  responseDone() {
    this.#isDone = true;
    if (this.publications === 0 && !this.#ended && op_exchange_done(this.id)) this.#complete();
  }

  #isDone = false;

  /** One of the LiveResponses that are published on the client's port has said all. */
  published() {
    this.publications -= 1;
    if (this.#isDone) this.responseDone();
  }

  /** Whether it ended because everything was done, and not by a failure or from outside. */
  get completed() {
    return this.#completed;
  }
  #completed = false;

  #complete() {
    this.#completed = true;
    this.end();
  }

  /** The error for a question to a client that cannot answer. */
  unreachable() {
    return this.#unreachable ??= domException(
      "NotSupportedError",
      "The client of this request takes one answer, so it cannot be asked. Live clients send X-Accept-Live: *.",
    );
  }
  #unreachable = null;

  /** The handler failed: 500, or the line closes with 4002. A lost upstream makes that 502 and 4003. */
  fail(error) {
    if (this.#isKnown(error)) return;
    this.#failure = { error };
    if (error instanceof LineLostError) {
      op_exchange_lost(this.id, error.message);
      this.#tellClosed(4003, "the upstream was lost", true);
      return this.end(error);
    }
    if (this.#unreachable !== null && error === this.#unreachable) op_exchange_unreachable(this.id);
    op_exchange_fail(this.id, error);
    this.#tellClosed(4002, "the handler failed", true);
    this.end(error);
  }

  /** Whether a failure is only what the end brings about, or was told before. */
  #isKnown(error) {
    return (this.#ended && error?.name === "AbortError") || (this.#failure !== null && error === this.#failure.error);
  }
  #failure = null;

  /** The line closed: the port tells with which code, and the exchange is over. */
  closed(code, reason) {
    this.#tellClosed(code, reason, code !== 1006);
    this.end();
  }

  #tellClosed(code, reason, wasClean) {
    this.port?.[kClosed](code, reason, wasClean);
    this.socket?.[kClosed](code, reason, wasClean);
  }

  /** The exchange is over: calls what waits for that. */
  end(reason = undefined) {
    if (this.#ended) return;
    this.#ended = true;
    this.#reason = reason;
    if (this.kept) open.delete(this.id);
    this.goOnEnding();
  }
  #reason = undefined;

  /** Tells everybody of the end who was not told yet: the host may stop listeners in the middle of it. */
  goOnEnding() {
    ArrayPrototypePush(ending, this);
    // However it ended, the port tells first, unless it did already.
    this.#tellClosed(1000, "done", true);
    this.#settleWaiting("done");
    this.#drained?.resolve();
    if (this.#abort !== null && !AbortSignalPrototypeGetAborted(AbortControllerPrototypeGetSignal(this.#abort))) {
      abort(this.#abort, this.#reason ?? overError());
    }
    while (this.#onEnd !== null) {
      const listener = this.#onEnd[0];
      this.#onEnd = this.#onEnd.length > 1 ? ArrayPrototypeSlice(this.#onEnd, 1) : null;
      try {
        tellEnd(listener);
      } catch (error) {
        op_log_error("at the end of an exchange", error);
      }
    }
    ArrayPrototypeSplice(ending, ArrayPrototypeLastIndexOf(ending, this), 1);
  }
}

function tellEnd(listener) {
  if (typeof listener === "function") listener();
  else listener[kEnded]();
}

function overError() {
  return domException("AbortError", "The exchange has ended.");
}

/** An async context, as Deno's async variables extend it: by copying its own properties. */
class Context {
  constructor(exchange) {
    this.exchange = exchange.id;
    /** The exchange itself, for those who have to know when it ends. */
    this.owner = exchange;
  }
}

/** The exchange whose code is running, ended or not; undefined outside of any, as while modules load. */
export function currentExchange() {
  return core.getAsyncContext()?.owner;
}

/**
 * Runs `callback` so that everything it starts, timers included, is known to belong to the exchange.
 * The host reads the context's `exchange` when it has to end a handler that never yields.
 */
export function inContextOf(exchange, callback) {
  const outer = core.getAsyncContext();
  core.setAsyncContext(new Context(exchange));
  try {
    return callback();
  } finally {
    core.setAsyncContext(outer);
  }
}
