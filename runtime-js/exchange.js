// One request as JavaScript has it. The host has its state and decides when it ends; this asks for it, and calls what
// waits for the end when the host tells of it, once, after the turn in which it came.

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
  Symbol,
} from "./primordials.js";

/** How far an exchange has come, as the host numbers it. Nothing was sent. */
export const WAITING = 0;
/** The client has joined the line. Before that, from 1 on, something was sent. */
const JOINED = 2;
/** Everything is done. */
export const COMPLETE = 3;
/** It failed, or was ended from outside. */
const OVER = 4;

/** What keeps an exchange open, as the host numbers it. */
const STARTED = 0;
const RETURNED = 1;
const HOLD = 2;
const RELEASE = 3;
const DONE = 4;

/** The exchange whose first turn runs. The host gets it when that is over, and may stop it before. */
let beginning = null;

/** Runs the first turn of an exchange, and gives the exchange to the host, which names it by it from then on. */
export function beginExchange(exchange, run) {
  beginning = exchange;
  inContextOf(exchange, run);
  beginning = null;
  return exchange;
}

/** Exchanges whose listeners are being called at their end. */
const ending = [];

/** The host stopped a turn. What its code was in the middle of comes to an end. Returns the exchange that began in it. */
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

/** Called on listeners of an exchange's end. */
export const kEnded = Symbol("ended");

/** What one request is to JavaScript. Events of the same request share it. */
export class Exchange {
  #abort = null;
  #onEnd = null;
  /** The host tells of the end: something here waits for it. */
  #isFollowed = false;
  /** How it ended, once the host has told: `COMPLETE` or `OVER`. */
  #end = null;

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
    this.user = null;
    this.cookies = null;
    this.session = null;
    this.thread = null;
    this.channels = null;
    /** The socket that is served as the answer. */
    this.socket = null;
    /** The event of its first handler. */
    this.event = null;
    /** LiveResponses that are published on the client's port. */
    this.publications = 0;
    /** Its client has sent messages before a listener for them was added. */
    this.hasEarly = false;
  }

  /** How far it has come. The host knows; what is over stays so. */
  get phase() {
    return this.#end ?? op_exchange_phase(this.id);
  }

  /** Something was sent, so HTTP's answer is decided. */
  get answered() {
    return this.phase !== WAITING;
  }

  /** The client has joined the line, and the exchange is not over. */
  get joined() {
    return this.phase === JOINED;
  }

  /** Everything is done, or it was ended. */
  get ended() {
    return this.phase >= COMPLETE;
  }

  /** Whether it ended because everything was done, and not by a failure or from outside. */
  get completed() {
    return this.phase === COMPLETE;
  }

  /** The answer is a socket without envelopes, which gets the end. */
  serves(socket) {
    this.canJoin = false;
    this.socket = socket;
    this.#follow();
  }

  /** Has the host tell of the end. False where that has come. */
  #follow() {
    if (this.#end !== null) return false;
    return this.#isFollowed ||= op_exchange_follow(this.id);
  }

  /** The URL as the client sent it. */
  get url() {
    return this.#url ??= op_request_url(this.id);
  }
  #url = null;

  /** Resolves with `value` when the exchange is `live` or `done`. */
  readyStateChange(state, value) {
    if (!this.#follow() || (state === "live" && this.answered)) return PromiseResolve(value);
    this.#waiting ??= [];
    return new Promise((resolve) => ArrayPrototypePush(this.#waiting, { state, resolve: () => resolve(value) }));
  }
  #waiting = null;

  /** Something was sent, or the client has joined: it is live for those who wait for that. */
  isLive() {
    this.#settleWaiting("live");
  }

  #settleWaiting(state) {
    if (this.#waiting === null) return;
    for (const waiting of new SafeArrayIterator(this.#waiting)) {
      if (waiting.state === state || this.#end !== null) waiting.resolve();
    }
  }

  /** A name for a message of this exchange, so that replies and deltas can refer to it. */
  nextEventID(type) {
    this.#events += 1;
    return `${type}-${NumberPrototypeToString(this.#events, 36)}`;
  }
  #events = 0;

  /** Aborts when the exchange is over, however it ends. */
  get signal() {
    if (this.#abort === null) {
      this.#abort = new AbortController();
      if (!this.#follow()) abort(this.#abort, overError());
    }
    return AbortControllerPrototypeGetSignal(this.#abort);
  }

  /**
   * Calls `listener` when the exchange is over; at once if it is.
   * @param {(() => void) | { [kEnded](): void }} listener an object that lasts as long costs less than a callback
   */
  onEnd(listener) {
    if (!this.#follow()) callAtEnd(listener);
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
    if (!this.#follow()) return PromiseResolve();
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
    if (this.ended) throw invalidState("Event lifecycle already complete: the exchange has ended.");
    op_exchange_input(this.id, HOLD);
  }

  release() {
    op_exchange_input(this.id, RELEASE);
  }

  /** One more handler runs on behalf of this exchange. */
  started() {
    op_exchange_input(this.id, STARTED);
  }

  /** A handler's promise has settled. */
  returned() {
    op_exchange_input(this.id, RETURNED);
  }

  /** The response had its last frame. What is published on the client's port by hand belongs to it, too. */
  responseDone() {
    this.#isDone = true;
    if (this.publications === 0) op_exchange_input(this.id, DONE);
  }

  #isDone = false;

  /** One of the LiveResponses that are published on the client's port has no further state. */
  published() {
    this.publications -= 1;
    if (this.#isDone) this.responseDone();
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
    if (error instanceof LineLostError) return op_exchange_lost(this.id, error.message);
    op_exchange_fail(this.id, error, this.#unreachable !== null && error === this.#unreachable);
  }

  /** Whether a failure is only what the end brings about, or was reported before. */
  #isKnown(error) {
    return (this.#failure !== null && error === this.#failure.error) || (error?.name === "AbortError" && this.ended);
  }
  #failure = null;

  /** For the host: the exchange is over. Its port gets `code` and `reason`. */
  end(code, reason, isComplete) {
    if (this.#end !== null) return;
    this.#end = isComplete ? COMPLETE : OVER;
    this.#close = { code, reason };
    this.goOnEnding();
  }
  #close = null;

  /** Calls every listener that was not called yet: the host may stop them in the middle. */
  goOnEnding() {
    ArrayPrototypePush(ending, this);
    // However it ended, the port is first.
    const { code, reason } = this.#close;
    this.port?.[kClosed](code, reason, code !== 1006);
    this.socket?.[kClosed](code, reason, code !== 1006);
    this.#settleWaiting("done");
    this.#drained?.resolve();
    if (this.#abort !== null && !AbortSignalPrototypeGetAborted(AbortControllerPrototypeGetSignal(this.#abort))) {
      abort(this.#abort, this.#failure === null ? overError() : this.#failure.error);
    }
    while (this.#onEnd !== null) {
      const listener = this.#onEnd[0];
      this.#onEnd = this.#onEnd.length > 1 ? ArrayPrototypeSlice(this.#onEnd, 1) : null;
      try {
        callAtEnd(listener);
      } catch (error) {
        op_log_error("at the end of an exchange", error);
      }
    }
    ArrayPrototypeSplice(ending, ArrayPrototypeLastIndexOf(ending, this), 1);
  }
}

function callAtEnd(listener) {
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
