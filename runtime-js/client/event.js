// The event that a handler gets in a browser: the page's, or the service worker's.

import { domException } from "../02_exceptions.js";
import { LiveResponse, respond } from "../20_live_response.js";
import { redirectTo } from "../22_values.js";
import { Dialogs } from "../38_dialogs.js";
import { PageCookies, TabSession } from "./storage.js";

/**
 * What all events of one request share.
 * @typedef {object} Surroundings
 * @property {object} detail what is known of the navigation
 * @property {AbortController} controller aborts when the user has gone on
 * @property {() => import("../34_remote_port.js").RemotePort} openClient this layer's end of a line downstream
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

  /** @param {Request} request @param {Surroundings} shared */
  constructor(request, shared) {
    this.#request = request;
    this.#shared = shared;
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
    return this.#url ??= new URL(this.#request.url);
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

  /** Dialogs with the person at the page. */
  get user() {
    return this.#shared.user ??= new Dialogs(() => this.client);
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
      this.#response.addEventListener("replace", () => this.#onResponse(this.#response), { once: true });
      this.signal.addEventListener("abort", () => this.#response.disconnect());
    }
    return respond(this.#response, args, (error) => this.#fail(error));
  }

  /** A redirect as the answer, or as its next state. */
  redirect(url, init = 302) {
    return this.respondWith(null, redirectTo(url, init));
  }

  /** Tells where `promise` goes wrong. In a page nothing ends before the user goes on. */
  waitUntil(promise) {
    return Promise.resolve(promise).then(() => {}, (error) => this.#shared.report(error));
  }

  /** Never settles: what goes on here goes on until the user leaves. */
  waitUntilNavigate() {
    return new Promise(() => {});
  }

  /** An event for a step further in: its own answer, the rest is shared. */
  spawn(request = this.#request) {
    return new ClientEvent(request, this.#shared);
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
