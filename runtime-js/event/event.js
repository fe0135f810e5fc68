// The event that a handler gets: its request, its answer, its client, and what keeps all that open.

import { op_log_error, op_request_peer } from "ext:core/ops";
import { print, WARNING } from "../globals.js";
import { abort, domException, invalidState, isPromise } from "../errors/exceptions.js";
import { checkOptions } from "../errors/options.js";
import { defineAbsent } from "../errors/absent.js";
import { kEnded } from "../exchange.js";
import { requestOf } from "../request.js";
import { Cookies } from "../cookies/cookies.js";
import { Session } from "../session/session.js";
import { failureOf, isClosed, kSink, onReplace, recorder, respond, stop } from "../live_response/live_response.js";
import { kConnect, kReturned, Responder } from "../answer/answer.js";
import { redirectTo } from "../answer/values.js";
import { discard } from "../answer/discard.js";
import { fetchPlusClasses } from "../fetch/fetch_plus.js";
import { eventUrl } from "./url.js";
import { ClientPort, kTap } from "../port/client_port.js";
import { User } from "../session/user.js";
import { relay } from "../port/relay.js";
import { Thread, THREAD_PARAMETER } from "../session/thread.js";
import { checkWait, waited } from "./waiting.js";
import {
  AbortController,
  AbortControllerPrototypeGetSignal,
  Promise,
  PromisePrototypeThen,
  PromisePrototypeCatch,
  PromiseReject,
  PromiseResolve,
  Request,
  RequestPrototypeClone,
  RequestPrototypeGetUrl,
  Response,
  Symbol,
  SymbolToStringTag,
  TypeError,
  URL,
  URLPrototypeGetHash,
  URLPrototypeGetHref,
  URLPrototypeGetOrigin,
  URLPrototypeGetPathname,
  URLPrototypeGetSearch,
} from "../primordials.js";

/** For the host: the response that respondWith() has begun, or null. */
export const kResponse = Symbol("response");
/** For the host: the exchange behind the event. */
export const kExchange = Symbol("exchange");

/** Everything about one request, for one handler. A step further in has an event of its own: see {@link spawn}. */
export class HttpEvent {
  #exchange;
  #parent;
  #makeRequest;
  #request = null;
  #url = null;
  #abort = null;
  #response = null;
  #onResponse = null;
  #returned = false;

  /**
   * @param {import("../exchange.js").Exchange} exchange
   * @param {HttpEvent | null} [parent]
   * @param {(() => Request) | null} [makeRequest] where it is not the exchange's own
   */
  constructor(exchange, parent = null, makeRequest = null) {
    this.#exchange = exchange;
    this.#parent = parent;
    this.#makeRequest = makeRequest;
  }

  get [SymbolToStringTag]() {
    return "HttpEvent";
  }

  get [kExchange]() {
    return this.#exchange;
  }

  get [kResponse]() {
    return this.#response;
  }

  get type() {
    return "navigate";
  }

  /** A Request that reads bodies of any type, and whose headers can be had as structures. @returns {RequestPlus} */
  get request() {
    if (this.#request !== null) return this.#request;
    const request = this.#makeRequest?.() ?? this.#parent?.request ?? requestOf(this.#exchange);
    return this.#request = fetchPlusClasses().RequestPlus.upgradeInPlace(request);
  }

  /** A URL that can be read as segments and as a tree of query parameters, too. @returns {URL} */
  get url() {
    return this.#url ??= eventUrl(
      this.#makeRequest === null ? this.#exchange.url : RequestPrototypeGetUrl(this.request),
    );
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
    if (this.#abort !== null) return AbortControllerPrototypeGetSignal(this.#abort);
    return this.#exchange.signal;
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
   * Answers, or replaces what was answered before. Arguments as for `LiveResponse.replaceWith()`.
   *
   * The first state is HTTP's answer; with `{ done: false }`, a promise, a generator or a callback the exchange stays
   * live for the next. @returns {Promise<void>} settles when this state's source has said all
   */
  respondWith(...args) {
    if (this.#returned && this.#response === null) {
      return PromiseReject(invalidState("respondWith() after the end: the handler has already answered by returning."));
    }
    if (this.#exchange.ended) {
      discard(args[0]);
      const refused = PromiseReject(invalidState("respondWith() after the end: the exchange has already ended."));
      // Where the client has left, nobody is without an answer: a handler that does not wait for it has nothing to mend.
      if (!this.#exchange.completed) PromisePrototypeCatch(refused, () => {});
      return refused;
    }
    return this.#respond(args);
  }

  /** A redirect as the answer, or, on a live line, as its next state. */
  redirect(url, init = 302) {
    return this.respondWith(null, redirectTo(url, init));
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
    return this.respondWith(this.#giveAlong(target, data, init));
  }

  async #giveAlong(target, data, init) {
    const thread = this.thread.spawn();
    const values = { back: URLPrototypeGetPathname(this.url) + URLPrototypeGetSearch(this.url), ...data };
    await thread.appendEach(values);
    target.searchParams.set(THREAD_PARAMETER, thread.threadID);
    const path = URLPrototypeGetPathname(target) + URLPrototypeGetSearch(target) + URLPrototypeGetHash(target);
    return new Response(null, redirectTo(path, init));
  }

  /**
   * Keeps the exchange open until `promise` settles, at most for a time, or until a callback ends it.
   * @param {Promise<unknown>} promise
   * @param {number} [timeout] milliseconds
   * @param {(event: Event, resolve: () => void, reject: (error: unknown) => void) => unknown} [callback] is told of
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

  /**
   * An event for a step further in: its own respondWith(), the same client, lifecycle and signal.
   * @param {{ request?: Request, url?: string | URL }} [init]
   */
  spawn(init = undefined) {
    checkOptions("event.spawn()", init, ["request", "url"]);
    const { request, url } = init ?? { __proto__: null };
    const makeRequest = request !== undefined
      ? () => request
      : url !== undefined
      ? () => new Request(new URL(url, this.url), RequestPrototypeClone(this.request))
      : null;
    return new HttpEvent(this.#exchange, this, makeRequest ?? this.#makeRequest);
  }

  /** @see spawn */
  clone(init = undefined) {
    return this.spawn(init);
  }

  /** @see spawn */
  extend(init = undefined) {
    return this.spawn(init);
  }

  /** Gives up: aborts this event's signal, and where it is the request's first event, ends the exchange. */
  abort(reason = domException("AbortError", "The event was aborted.")) {
    if (this.#parent === null) {
      this.client.close();
    } else {
      this.#abort ??= new AbortController();
      abort(this.#abort, reason);
    }
  }

  // -- for the host ------------------------------------------------------------------------------------------------

  /** The handler returned `value`: the last state, unless respondWith() said all. */
  static returned(event, value) {
    const used = event.#response !== null;
    if (value !== undefined || !used) {
      if (used && isClosed(event.#response)) {
        if (value !== undefined) print("The handler's result is ignored: its response was already done.", WARNING);
        discard(value);
      } else {
        event.#respond([value]);
      }
    }
    event.#returned = true;
    // A source that failed before, and that nothing took the place of, was the handler's last word.
    const failure = used ? failureOf(event.#response) : null;
    if (failure !== null && event.#parent === null) event.#exchange.fail(failure.error);
  }

  /** The handler returned, and its result went its way without a LiveResponse. */
  static returnedPlainly(event) {
    event.#returned = true;
  }

  /** Calls back when respondWith() has its first state. */
  static onResponse(event, callback) {
    event.#onResponse = callback;
  }

  #respond(args) {
    const exchange = this.#exchange;
    if (isPromise(args[0]) && !exchange.ended) {
      // What it resolves with may come too late.
      PromisePrototypeThen(PromiseResolve(args[0]), (value) => exchange.ended && discard(value), () => {});
    }
    if (this.#response === null) {
      const response = recorder(this.#parent === null ? null : () => this.client[kTap]());
      this.#response = response;
      exchange.onEnd(this);
      if (this.#parent === null) response[kSink](new Responder(exchange, this));
      else onReplace(response, () => this.#onResponse?.(response));
    }
    return respond(this.#response, args, (error) => exchange.fail(error));
  }

  [kEnded]() {
    stop(this.#response);
  }

  get [kReturned]() {
    return this.#returned;
  }

  [kConnect](upstream) {
    return relay(this.client, upstream, (error) => this.#exchange.fail(error));
  }
}

defineAbsent(HttpEvent.prototype, "event", {
  lifeCycleComplete: 'use event.readyState, or event.readyStateChange("done").',
  poll: "use setInterval() and event.respondWith(state, { done: false }), or a live query of liveline:sql.",
  realtime: "it is called event.client.",
  sdk: "import what you need, or use event.user and event.session.",
  storage: "use event.session.",
  stream: "return a generator, or a Response with a ReadableStream.",
  with: "use event.spawn({ url, request }).",
});
