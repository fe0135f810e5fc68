// The event that a handler gets: its request, its answer, its client, and what keeps all that open.

import { op_log_error, op_request_peer } from "ext:core/ops";
import { print, WARNING } from "../log.js";
import { abort, invalidState, isPromise } from "../errors/exceptions.js";
import { checkOptions } from "../errors/options.js";
import { defineAbsent } from "../errors/absent.js";
import { kEnded } from "../exchange.js";
import { requestOfEvent } from "../request.js";
import { Cookies } from "../cookies/cookies.js";
import { Session } from "../session/session.js";
import { States } from "../live_response/states.js";
import { Responder } from "../answer/answer.js";
import { redirectTo } from "../answer/values.js";
import { discard } from "../answer/discard.js";
import { BaseEvent, kKind } from "./base.js";
import { ClientPort, kTap } from "../port/client_port.js";
import { User } from "../session/user.js";
import { answerTopic, isByLine, isTopic, statesOfTopic } from "../topic/answer.js";
import { relay } from "../port/relay.js";
import { Thread, THREAD_PARAMETER } from "../session/thread.js";
import { checkWait } from "./wait.js";
import { waited } from "./waiting.js";
import {
  AbortController,
  AbortControllerPrototypeGetSignal,
  ArrayPrototypeFilter,
  ArrayPrototypeJoin,
  ArrayPrototypePush,
  EventTargetPrototypeAddEventListener,
  Promise,
  PromisePrototypeCatch,
  PromisePrototypeThen,
  PromiseReject,
  PromiseResolve,
  Request,
  RequestPrototypeClone,
  RequestPrototypeGetUrl,
  Response,
  StringPrototypeSlice,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
  Symbol,
  TypeError,
  URL,
  URLPrototypeGetHash,
  URLPrototypeGetHref,
  URLPrototypeGetOrigin,
  URLPrototypeGetPathname,
  URLPrototypeGetSearch,
} from "../primordials.js";

/** For the host: the exchange behind the event. */
export const kExchange = Symbol("exchange");

/** What an event has that was made of another one by {@link HttpEvent.spawn}. */
class Step {
  abort = null;
  onResponse = null;

  constructor(parent, makeRequest) {
    this.parent = parent;
    this.makeRequest = makeRequest;
  }
}

/** Everything about one request, for one handler. A step further in has an event of its own: see {@link spawn}. */
export class HttpEvent extends BaseEvent {
  /** @type {import("./base.js").Kind} */
  static #KIND = {
    requestOf: (event) => event.#step === null ? requestOfEvent(event.#exchange) : requestOfStep(event.#step),
    hrefOf: (event) =>
      HttpEvent.#makeRequest(event) === null ? event.#exchange.url : RequestPrototypeGetUrl(event.request),
    makeStates(event) {
      const states = new States();
      states.record(event.#step === null ? null : () => event.client[kTap]());
      return states;
    },
    begun(event, states) {
      const exchange = event.#exchange;
      exchange.onEnd(event);
      if (event.#step === null) return void states.follow(new EventResponder(exchange, event));
      const { response } = states;
      EventTargetPrototypeAddEventListener(response, "replace", () => event.#step.onResponse?.(response), { once: true });
    },
    refusal(event, args) {
      const exchange = event.#exchange;
      if (exchange.ended) {
        discard(args[0]);
        const refused = PromiseReject(invalidState("respondWith() after the end: the exchange has already ended."));
        // A client that has left misses no answer: a handler that does not wait for this one has nothing to mend.
        if (!exchange.completed) PromisePrototypeCatch(refused, () => {});
        return refused;
      }
      discardLate(exchange, args[0]);
      return isTopic(args[0]) ? HttpEvent.#respondWithTopic(event, args) : null;
    },
    fail: (event, error) => event.#exchange.fail(error),
    spawn(event, init) {
      checkOptions("event.spawn()", init, ["request", "url"]);
      const { request, url } = init ?? { __proto__: null };
      const makeRequest = request !== undefined
        ? () => request
        : url !== undefined
        ? () => new Request(new URL(url, event.url), RequestPrototypeClone(event.request))
        : null;
      return new HttpEvent(event.#exchange, event, makeRequest ?? HttpEvent.#makeRequest(event));
    },
    abort(event, reason) {
      // The first event of a request ends the exchange.
      if (event.#step === null) return event.client.close();
      event.#step.abort ??= new AbortController();
      abort(event.#step.abort, reason);
    },
  };

  get [kKind]() {
    return HttpEvent.#KIND;
  }

  #exchange;
  /** @type {Step | null} */
  #step = null;

  /**
   * @param {import("../exchange.js").Exchange} exchange
   * @param {HttpEvent | null} [parent] the event that this one was made of by {@link spawn}
   * @param {(() => Request) | null} [makeRequest] where it is not the exchange's own
   */
  constructor(exchange, parent = null, makeRequest = null) {
    super();
    this.#exchange = exchange;
    if (parent !== null) this.#step = new Step(parent, makeRequest);
  }

  /** A topic as the answer: its states on the line, or what the host makes of it. */
  static #respondWithTopic(event, { 0: value, 1: init }) {
    const exchange = event.#exchange;
    if (event.#step !== null) {
      return PromiseReject(new TypeError("respondWith() with a topic: return the topic, as this handler runs for another."));
    }
    if (isByLine(exchange)) return BaseEvent.answer(event, [statesOfTopic(exchange, value), init]);
    return exchange.carried ??= answerTopic(exchange, value);
  }

  get [kExchange]() {
    return this.#exchange;
  }

  static #makeRequest(event) {
    return event.#step === null ? null : event.#step.makeRequest;
  }

  /** The line to the client, known as Port A. @returns {ClientPort} */
  get client() {
    return this.#exchange.port ??= new ClientPort(this.#exchange);
  }

  /** The person at the client: what is known of them, and dialogs with them. */
  get user() {
    return this.#exchange.user ??= new User(this.#exchange, () => this.client);
  }

  get cookies() {
    return this.#exchange.cookies ??= new Cookies(this.#exchange);
  }

  /** Values that stay with the visitor. */
  get session() {
    return this.#exchange.session ??= new Session(this.#exchange);
  }

  /** What the request that redirected here gave along. @returns {Thread} */
  get thread() {
    return this.#exchange.thread ??= Thread.of(this.#exchange);
  }

  /** The page's own state is the page's: here it is always empty. */
  get state() {
    return {};
  }

  /** What only the server knows of the request. */
  get detail() {
    return { request: this.request, ipAddress: op_request_peer(this.#exchange.id) };
  }

  /** Aborts on every way out: answered for good, closed by either side, navigated away, failed, timed out. */
  get signal() {
    const own = this.#step?.abort ?? null;
    return own === null ? this.#exchange.signal : AbortControllerPrototypeGetSignal(own);
  }

  /** `waiting` until something is sent, `live` while the line may carry more, `done` at the end. */
  get readyState() {
    if (this.#exchange.ended) return "done";
    return this.#exchange.answered ? "live" : "waiting";
  }

  /** Resolves when the exchange is `live` or `done`. */
  readyStateChange(state) {
    return this.#exchange.readyStateChange(state, this);
  }

  /**
   * A redirect that gives values along: the request that follows it finds them in its `event.thread`, with the path of
   * this one as `back`.
   * @param {string | URL} url of this site
   * @param {object} data
   * @param {number | object} [init] a status or an init
   */
  redirectWith(url, data, init = 302) {
    const base = this.url;
    const target = new URL(url, URLPrototypeGetHref(base));
    if (URLPrototypeGetOrigin(target) !== URLPrototypeGetOrigin(base)) {
      throw new TypeError(`redirectWith() leads to this site alone; use redirect() for ${URLPrototypeGetHref(target)}.`);
    }
    if (data === null || typeof data !== "object") throw new TypeError("redirectWith() takes an object of values second.");
    return this.respondWith(HttpEvent.#giveAlong(this, target, data, init));
  }

  static async #giveAlong(event, target, data, init) {
    const thread = event.thread.spawn();
    const values = { back: URLPrototypeGetPathname(event.url) + URLPrototypeGetSearch(event.url), ...data };
    await thread.appendEach(values);
    // Not by searchParams.set(), which calls a method that handlers may replace.
    const given = StringPrototypeSplit(StringPrototypeSlice(URLPrototypeGetSearch(target), 1), "&");
    const isOther = (pair) => pair !== "" && !StringPrototypeStartsWith(pair, `${THREAD_PARAMETER}=`);
    const pairs = ArrayPrototypeFilter(given, isOther);
    ArrayPrototypePush(pairs, `${THREAD_PARAMETER}=${thread.threadID}`);
    const path = `${URLPrototypeGetPathname(target)}?${ArrayPrototypeJoin(pairs, "&")}${URLPrototypeGetHash(target)}`;
    return new Response(null, redirectTo(path, init));
  }

  /**
   * Keeps the exchange open until `promise` settles, at most for a time, or until a callback ends it.
   * @param {Promise<unknown>} promise
   * @param {number} [timeout] milliseconds
   * @param {(event: Event, resolve: () => void, reject: (error: unknown) => void) => unknown} [callback] is called at
   *   the time's end, of navigations, of another user and of the exchange's end; see {@link waited}
   */
  waitUntil(promise, timeout = undefined, callback = undefined) {
    checkWait(promise, timeout, callback);
    const exchange = this.#exchange;
    exchange.hold();
    const release = () => exchange.release();
    const isPlain = (timeout ?? callback ?? undefined) === undefined;
    const wait = isPlain ? PromiseResolve(promise) : waited(this, promise, timeout, callback);
    return PromisePrototypeThen(wait, release, (error) => {
      // What ends because the exchange did is no failure.
      if (!exchange.ended || error?.name !== "AbortError") op_log_error("the promise given to waitUntil()", error);
      release();
    });
  }

  /** Keeps the exchange open until the client navigates away or either side closes. */
  waitUntilNavigate() {
    // A client that waits for one answer is not going to navigate.
    if (this.#exchange.canJoin) this.#exchange.hold();
    return new Promise(() => {});
  }

  // -- for the host ------------------------------------------------------------------------------------------------

  /** The handler returned `value`: the last state, unless respondWith() was called with the last one. */
  static ended(event, value) {
    const before = BaseEvent.statesOf(event);
    if (value !== undefined || before === null) {
      if (before?.isClosed) {
        if (value !== undefined) print("The handler's result is ignored: its response was already done.", WARNING);
        discard(value);
      } else {
        discardLate(event.#exchange, value);
        BaseEvent.answer(event, [value]);
      }
    }
    BaseEvent.returned(event);
    // A source that failed before, and that no other one replaced, was the handler's last word.
    const failure = before?.failure ?? null;
    if (failure !== null && event.#step === null) event.#exchange.fail(failure.error);
  }

  /** Calls back when respondWith() has its first state. */
  static onResponse(event, callback) {
    if (event.#step !== null) event.#step.onResponse = callback;
  }

  [kEnded]() {
    BaseEvent.statesOf(this).stop();
  }
}

/** Sends the response of an event's handler. */
class EventResponder extends Responder {
  #event;

  /** @see States.example */
  static example = new EventResponder(null, null);

  constructor(exchange, event) {
    super(exchange);
    this.#event = event;
  }

  isReplaceable() {
    return !BaseEvent.hasReturned(this.#event);
  }

  relay(upstream, report) {
    return relay(this.#event.client, upstream, report);
  }
}

function requestOfStep({ parent, makeRequest }) {
  return makeRequest === null ? parent.request : makeRequest();
}

/** Discards what a promise resolves with after the exchange has ended. */
function discardLate(exchange, value) {
  if (!isPromise(value) || exchange.ended) return;
  PromisePrototypeThen(PromiseResolve(value), (result) => exchange.ended && discard(result), () => {});
}

defineAbsent(HttpEvent.prototype, "event", {
  lifeCycleComplete: 'use event.readyState, or event.readyStateChange("done").',
  poll: "use setInterval() and event.respondWith(state, { done: false }), or a live query of liveline:sql.",
  realtime: "it is called event.client.",
  storage: "use event.session.",
  stream: "return a generator, or a Response with a ReadableStream.",
  with: "use event.spawn({ url, request }).",
});
