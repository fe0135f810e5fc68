// The event of a handler in a browser: in a page, or in a service worker.

import { checkOptions } from "../errors/options.js";
import { defineAbsent } from "../errors/absent.js";
import { States } from "../live_response/states.js";
import { fetchPlusClasses } from "../fetch/fetch_plus.js";
import { BaseEvent, kKind } from "../event/base.js";
import { checkWait, waitFor } from "../event/wait.js";
import { PageCookies, TabSession } from "./storage.js";
import { PageUser } from "./user.js";

// Read by the module @webqit/fetch-plus.
globalThis[Symbol.for("liveline:fetch-plus")] ??= fetchPlusClasses;

/**
 * The objects that all events of one request share.
 * @typedef {object} Surroundings
 * @property {object} detail the navigation's details
 * @property {AbortController} controller aborts when the user has navigated away
 * @property {() => import("../port/remote_port.js").RemotePort} openClient this layer's end of a line downstream
 * @property {(error: unknown) => void} report called with errors after the answer
 */

/** For the router: runs a handler and returns its answer. */
export const kAnsweredBy = Symbol("answered by");
/** For the service worker: whether the handler has used its line. */
export const kHasClient = Symbol("has client");

export class ClientEvent extends BaseEvent {
  /** @type {import("../event/base.js").Kind} */
  static #KIND = {
    requestOf: (event) => event.#request,
    hrefOf: (event) => event.#request.url,
    makeStates: () => new States(),
    begun(event, { response }) {
      for (const check of event.#waiting) check();
      response.addEventListener("replace", () => event.#onResponse(response), { once: true });
      event.signal.addEventListener("abort", () => response.disconnect());
    },
    refusal: () => null,
    fail: (event, error) => event.#fail(error),
    spawn(event, init) {
      if (init instanceof Request) return new ClientEvent(init, event.#shared);
      checkOptions("event.spawn()", init, ["request", "url"]);
      const { request = event.request, url } = init ?? {};
      const made = url === undefined ? request : new Request(new URL(url, event.url), request);
      return new ClientEvent(made, event.#shared);
    },
    abort: (event, reason) => event.#shared.controller.abort(reason),
  };

  get [kKind]() {
    return ClientEvent.#KIND;
  }

  #request;
  #shared;
  #onResponse = () => {};
  #onFailure = () => {};
  /** The checks of readyStateChange() calls that wait. */
  #waiting = [];

  /** @param {Request} request @param {Surroundings} shared */
  constructor(request, shared) {
    super();
    this.#request = request;
    this.#shared = shared;
    this.signal.addEventListener("abort", () => this.#waiting.forEach((check) => check()));
  }

  get detail() {
    return this.#shared.detail;
  }

  /** The line to the page: its messages bubble to `app.background`. */
  get client() {
    return this.#shared.client ??= this.#shared.openClient();
  }

  get [kHasClient]() {
    return this.#shared.client !== undefined;
  }

  /** The values that the server has of the user, and dialogs with the user. */
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

  /** Values that are kept for this tab. */
  get session() {
    return this.#shared.session ??= new TabSession();
  }

  /** Aborts when the user has navigated away. */
  get signal() {
    return this.#shared.controller.signal;
  }

  get readyState() {
    if (this.signal.aborted) return "done";
    return BaseEvent.responseOf(this) === null ? "waiting" : "live";
  }

  /**
   * Reports the failure of `promise`. A request in a page does not end before the user navigates away; so a time limit
   * only ends the wait for the result, and `callback` is called after the limit and when the user leaves.
   */
  waitUntil(promise, timeout = undefined, callback = undefined) {
    checkWait(promise, timeout, callback);
    const wait = waitFor(promise, timeout, callback, this.signal, (end, delay) => setTimeout(end, delay));
    return wait.then(() => {}, (error) => this.#shared.report(error));
  }

  /** Resolves when this event is `live` or `done`. */
  async readyStateChange(state) {
    const isReached = () => this.readyState === "done" || this.readyState === state;
    if (!isReached()) await new Promise((resolve) => this.#waiting.push(() => isReached() && resolve()));
    return this;
  }

  /** Never settles: a handler in a browser runs until the user leaves. */
  waitUntilNavigate() {
    return new Promise(() => {});
  }

  // -- for the router ----------------------------------------------------------------------------------------------

  /**
   * Runs a handler. Resolves with its return value, or with the response that `respondWith()` began, as soon as that
   * has a first state; the handler may then go on.
   */
  [kAnsweredBy](handler) {
    return new Promise((resolve, reject) => {
      this.#onResponse = resolve;
      this.#onFailure = reject;
      const ran = (async () => await handler())();
      ran.then((value) => {
        BaseEvent.returned(this);
        const response = BaseEvent.responseOf(this);
        if (response === null) return resolve(value);
        if (value !== undefined && response.readyState !== "done") BaseEvent.answer(this, [value]);
      }, (error) => this.#fail(error));
    });
  }

  /** Fails the request, or, if it was answered already, reports the error. */
  #fail(error) {
    const response = BaseEvent.responseOf(this);
    if (response === null || response.readyState === "waiting") this.#onFailure(error);
    else if (!this.signal.aborted) this.#shared.report(error);
  }
}

const SERVER = "it is for handlers of the server: go on with next().";
defineAbsent(ClientEvent.prototype, "event", {
  redirectWith: SERVER,
  thread: SERVER,
});
