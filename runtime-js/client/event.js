// The event that a handler gets in a browser: the page's, or the service worker's.

import { domException } from "../errors/exceptions.js";
import { checkOptions } from "../errors/options.js";
import { defineAbsent } from "../errors/absent.js";
import { LiveResponse, respond } from "../live_response/live_response.js";
import { redirectTo } from "../answer/values.js";
import { fetchPlusClasses } from "../fetch/fetch_plus.js";
import { eventUrl } from "../event/url.js";
import { PageCookies, TabSession } from "./storage.js";
import { PageUser } from "./user.js";

// Where the module @webqit/fetch-plus finds its classes.
globalThis[Symbol.for("liveline:fetch-plus")] ??= fetchPlusClasses;

/**
 * What all events of one request share.
 * @typedef {object} Surroundings
 * @property {object} detail what is known of the navigation
 * @property {AbortController} controller aborts when the user has gone on
 * @property {() => import("../port/remote_port.js").RemotePort} openClient this layer's end of a line downstream
 * @property {(error: unknown) => void} report who hears of errors after the answer
 */

/** For the router: what a handler answers. */
export const kAnsweredBy = Symbol("answered by");
/** For the service worker: whether the handler has taken its line. */
export const kHasClient = Symbol("has client");

export class ClientEvent {
  #request;
  #shared;
  #response = null;
  #onResponse = () => {};
  #onFailure = () => {};
  #returned = false;
  #url = null;
  /** Who waits for another ready state. */
  #waiting = [];

  /** @param {Request} request @param {Surroundings} shared */
  constructor(request, shared) {
    this.#request = fetchPlusClasses().RequestPlus.upgradeInPlace(request);
    this.#shared = shared;
    this.signal.addEventListener("abort", () => this.#waiting.forEach((tell) => tell()));
  }

  get [Symbol.toStringTag]() {
    return "HttpEvent";
  }

  get type() {
    return "navigate";
  }

  /** @returns {Request} */
  get request() {
    return this.#request;
  }

  /** @returns {URL} */
  get url() {
    return this.#url ??= eventUrl(this.#request.url);
  }

  get detail() {
    return this.#shared.detail;
  }

  /** The line downstream, to the page: what is posted here bubbles to `app.background`. */
  get client() {
    return this.#shared.client ??= this.#shared.openClient();
  }

  get [kHasClient]() {
    return this.#shared.client !== undefined;
  }

  /** What the server knows of the person at the page, and dialogs with them. */
  get user() {
    return this.#shared.user ??= new PageUser(() => this.client);
  }

  /** A copy of the page's own state, `document.bindings.state`. */
  get state() {
    return { ...globalThis.document?.bindings?.state };
  }

  /** The cookies that scripts may see. */
  get cookies() {
    return this.#shared.cookies ??= new PageCookies();
  }

  /** Values that stay with this tab. */
  get session() {
    return this.#shared.session ??= new TabSession();
  }

  /** Aborts when the user has gone on to something else. */
  get signal() {
    return this.#shared.controller.signal;
  }

  get readyState() {
    if (this.signal.aborted) return "done";
    return this.#response === null ? "waiting" : "live";
  }

  /** Answers, or replaces what was answered before. Arguments as for `LiveResponse.replaceWith()`. */
  respondWith(...args) {
    if (this.#returned && this.#response === null) {
      return Promise.reject(domException(
        "InvalidStateError",
        "respondWith() after the end: the handler has already answered by returning.",
      ));
    }
    if (this.#response === null) {
      this.#response = new LiveResponse();
      for (const tell of this.#waiting) tell();
      this.#response.addEventListener("replace", () => this.#onResponse(this.#response), { once: true });
      this.signal.addEventListener("abort", () => this.#response.disconnect());
    }
    return respond(this.#response, args, (error) => this.#fail(error));
  }

  /** A redirect as the answer, or as its next state. */
  redirect(url, init = 302) {
    return this.respondWith(null, redirectTo(url, init));
  }

  /**
   * Tells where `promise` goes wrong. In a page nothing ends before the user goes on; so a time limit only says how long
   * the result waits, and `callback` is told of the time's end and of the user's leaving.
   */
  waitUntil(promise, timeout = undefined, callback = undefined) {
    if (typeof promise === "function" || (callback !== undefined && typeof callback !== "function")) {
      throw new TypeError("waitUntil() takes a promise, milliseconds and a callback.");
    }
    const wait = new Promise((resolve, reject) => {
      Promise.resolve(promise).then(resolve, reject);
      const tell = (event) => callback === undefined ? resolve() : callback(event, resolve, reject);
      if (typeof timeout === "number") setTimeout(() => tell(new Event("timeout")), timeout);
      if (callback !== undefined) this.signal.addEventListener("abort", tell);
    });
    return wait.then(() => {}, (error) => this.#shared.report(error));
  }

  /** Resolves when this event is `live` or `done`. */
  async readyStateChange(state) {
    const isReached = () => this.readyState === "done" || this.readyState === state;
    if (!isReached()) await new Promise((resolve) => this.#waiting.push(() => isReached() && resolve()));
    return this;
  }

  /** Never settles: what goes on here goes on until the user leaves. */
  waitUntilNavigate() {
    return new Promise(() => {});
  }

  /**
   * An event for a step further in: its own answer, the rest is shared.
   * @param {Request | { request?: Request, url?: string | URL }} [init]
   */
  spawn(init = undefined) {
    if (init instanceof Request) return new ClientEvent(init, this.#shared);
    checkOptions("event.spawn()", init, ["request", "url"]);
    const { request = this.#request, url } = init ?? {};
    return new ClientEvent(url === undefined ? request : new Request(new URL(url, this.url), request), this.#shared);
  }

  /** @see spawn */
  clone(init = undefined) {
    return this.spawn(init);
  }

  /** @see spawn */
  extend(init = undefined) {
    return this.spawn(init);
  }

  /** Gives up on the request. */
  abort(reason = domException("AbortError", "The event was aborted.")) {
    this.#shared.controller.abort(reason);
  }

  // -- for the router ----------------------------------------------------------------------------------------------

  /**
   * Runs a handler. Resolves with what it returns, or with the response that `respondWith()` began, as soon as that
   * has a first state; the handler may then go on.
   */
  [kAnsweredBy](handler) {
    return new Promise((resolve, reject) => {
      this.#onResponse = resolve;
      this.#onFailure = reject;
      const ran = (async () => await handler())();
      ran.then((value) => {
        this.#returned = true;
        if (this.#response === null) return resolve(value);
        if (value !== undefined && this.#response.readyState !== "done") {
          respond(this.#response, [value], (error) => this.#fail(error));
        }
      }, (error) => this.#fail(error));
    });
  }

  /** The request fails, or, where it was answered already, someone else hears of it. */
  #fail(error) {
    if (this.#response === null || this.#response.readyState === "waiting") this.#onFailure(error);
    else if (!this.signal.aborted) this.#shared.report(error);
  }
}

const SERVER = "it is for handlers of the server: go on with next().";
defineAbsent(ClientEvent.prototype, "event", {
  redirectWith: SERVER,
  sdk: "import what you need, or use event.user and event.session.",
  thread: SERVER,
});
