// window.webqit.app: the page's end of every line, and the navigation that opens them.

import { whoIsTold } from "../errors/exceptions.js";
import { LiveResponse } from "../live_response/live_response.js";
import { setPortOpener, statesOf } from "../live_response/states.js";
import { LineLostError } from "../port/port.js";
import { RemotePort } from "../port/remote_port.js";
import { Observer } from "../observer/observer.js";
import { interceptForms, loadDocument, ModernHistory, setAddress } from "./history.js";
import { Hub } from "./hub.js";
import { pageAt } from "./navigation.js";
import { persistent } from "./parts.js";
import { PageState } from "./state.js";
import { isLost, transportFor } from "./transport.js";

const LINE_HEADER = "X-Live-Session";
/** The name of a page: in a request of the shown page, in an answer of the page that shows its state. */
const PAGE_HEADER = "X-Live-Page";


/** The state of the navigation while none is under way. */
const AT_REST = { requesting: null, origins: [], method: null, error: null, redirecting: null, remotely: false };

class App {
  /** All open lines. Messages of all of them are dispatched here. */
  background = new Hub();
  /** The page's URL; observable. */
  location = partsOf(new URL(location.href));
  /** The state of the navigation; observable. */
  navigator = { ...AT_REST };
  /** The part that every page loads after it is shown. */
  #later;
  /** Whether the browser is online, as `status`; observable. */
  network = watched(["online", "offline"], () => ({ status: navigator.onLine }));
  /** The page's size in CSS pixels; observable. */
  viewport = watched(["resize"], () => ({ width: innerWidth, height: innerHeight }));
  /** Loads the parts that not every page needs. */
  #load;
  /** The page's own handlers, once they are loaded. @type {Promise<object> | null} */
  #handlers = null;
  #moves = null;
  #state = null;
  /** The controllers of what is shown, and of the request that is under way. */
  #controller = new AbortController();
  #pending = this.#controller;
  /** Whether the page shows the answer to a request that must not be sent again. */
  #isPosted = false;
  /** The answer that is embedded in the page. */
  #embedded = null;
  /**
   * The responses to GET requests for pages, with the signals of their navigations.
   * @type {WeakMap<Response, AbortSignal>}
   */
  #pages = new WeakMap();

  /** @param {Manifest} manifest @param {Load} load */
  constructor(manifest, load) {
    this.#load = load;
    /** The browser's capabilities. @type {typeof import("./device.js")} */
    this.capabilities = deferred(load, "device");
    /** The values of this tab. @type {typeof import("./session.js")} */
    this.session = deferred(load, "session");
    if (manifest.client.length > 0) {
      const past = (event) => this.#askServer(event);
      const liveFunctions = manifest.live ? load("live").then((part) => part.provideLiveFunctions()) : null;
      this.#handlers = Promise.all([load("handlers"), liveFunctions])
        .then(([{ handlersOf }]) => handlersOf(manifest.client, past));
    }
    setPortOpener((response) => this.#openPort(response));
    for (const type of ["alert", "confirm", "prompt"]) {
      this.background.addEventListener(type, async (event) => {
        // A listener of the page may have been added after this one; it replies on `event.ports[0]` itself.
        await null;
        if (!event.defaultPrevented) (await load("dialogs")).answerDialog(event);
      });
    }
    addEventListener("unhandledrejection", (event) => {
      const report = whoIsTold(event.promise);
      if (report === undefined) return;
      event.preventDefault();
      report(event.reason);
    });
    const start = () => this.#start(manifest);
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start, { once: true });
    else start();
  }

  /**
   * Navigates to a URL of this app, or sends it another request.
   * @param {string | URL} url
   * @param {RequestInit} [init]
   * @returns {Promise<void>} settles when the first state is shown
   */
  async navigate(url, init = {}) {
    await this.#request({ url: pageAt(url, location.href), init });
  }

  /** @param {Move} move */
  async #request(move) {
    if (move.url.origin !== location.origin) return location.assign(move.url);
    return await (await this.#moves).request(move);
  }

  // -- the first page ----------------------------------------------------------------------------------------------

  async #start(manifest) {
    this.#state = new PageState();
    const { capabilities, location: place, navigator, network, viewport } = this;
    const { bindings } = document;
    const own = { env: "client", state: {}, capabilities, location: place, navigator, network, viewport };
    Object.assign(bindings, { ...own, ...bindings });
    let user;
    Object.defineProperty(bindings, "user", {
      configurable: true,
      enumerable: true,
      get: () => user ??= (this.#load("user").then(({ followUser }) => followUser(user, navigator)), {}),
    });
    const go = (move) => {
      this.#embedded = null;
      return this.#go(move);
    };
    const moved = () => this.#moved();
    this.#moves = globalThis.navigation === undefined
      ? this.#load("classic").then(({ ClassicHistory }) => new ClassicHistory(go, moved))
      : new ModernHistory(go, moved);
    interceptForms((move) => this.#request(move), this.#load);
    // A page from the browser's back/forward cache has lost its lines.
    addEventListener("pageshow", (event) => {
      if (event.persisted && !this.#isPosted) go(here()).catch(() => {});
    });
    this.#embedded = embeddedAnswer();
    this.#isPosted = this.#embedded?.isPosted ?? false;
    this.#later = this.#load("later");
    this.#later.then(({ goOn }) => goOn(this, manifest.worker)).catch(console.error);
    if (document.querySelector("[render],[data-bound]") !== null) {
      this.#load("binding").then(({ startBinding }) => startBinding(document)).catch(console.error);
    }
    const before = this.#pending;
    const handlers = await this.#handlers;
    // The page was left while its handlers were loaded.
    if (this.#pending !== before) return;
    // A page without a state is a file, and the app does nothing unless the page has handlers.
    if (this.#embedded === null && !handlers?.cover(location.pathname)) return;
    this.#go({ ...here(), isFirst: true }).catch(() => {});
  }

  // -- navigation --------------------------------------------------------------------------------------------------

  /**
   * Runs the handlers for a request and shows their answer.
   * @param {Move} move
   * @param {boolean} [isRetried] whether it is no error if the host does not answer
   * @returns {Promise<boolean>} whether a state with a status of success is shown
   */
  async #go(move, isRetried) {
    const { url, init, isFirst = false } = move;
    const page = shownPage();
    const request = new Request(url, { ...init, headers: withOwnHeaders(init.headers, page) });
    const { method } = request;
    if (this.#pending !== this.#controller) this.#pending.abort();
    const controller = this.#pending = new AbortController();
    const { signal } = controller;
    const lines = [...this.background];
    const report = (error) => {
      // If a page's line is lost, the page is requested again.
      const isMended = method === "GET" && !this.#isPosted && error instanceof LineLostError && isLost(error.code);
      if (!isMended) this.#failed(error, controller);
    };
    /** Informs the handlers of the open lines that the page navigates away. */
    const leave = () => {
      if (!isFirst) for (const port of lines) port.postMessage({ ...partsOf(url), method }, { type: "navigate" });
    };
    Observer.set(this.navigator, { ...AT_REST, requesting: url.href, method });
    try {
      const handlers = await this.#handlers;
      // The answers of the page's handlers do not name the page that shows them.
      const isElsewhere = !isFirst && await handlers?.leadElsewhere(url.pathname, page);
      if (signal.aborted) return false;
      if (isElsewhere && method === "GET") {
        leave();
        return loadDocument(url, move);
      }
      const answer = handlers === null
        ? await this.#askServer({ request, signal })
        : await handlers.run(request, this.background, { detail: { isFirst }, controller, report });
      if (signal.aborted) return false;
      let target = url;
      // A Response that a handler made has no URL.
      if (answer instanceof Response && answer.url !== "") {
        // Without a body the page stays, as it would without an app.
        const isReset = answer.status === 205;
        if (isReset || answer.status === 204) return isReset;
        if (answer.redirected) target = new URL(answer.url);
        if (answer.headers.get(PAGE_HEADER) !== page) {
          return !isFirst && this.#leaveTo(answer, target, move, controller, leave);
        }
      }
      leave();
      const live = answer instanceof LiveResponse ? answer : LiveResponse.from(answer);
      // A generator or a live function is stopped, because nothing follows it any more.
      if (live !== answer) signal.addEventListener("abort", () => live.disconnect());
      if (isElsewhere) {
        await firstState(live, report);
        handlers.keepAnswer(url, live);
        return loadDocument(url, move);
      }
      if (controller !== this.#controller) this.#controller.abort();
      this.#controller = controller;
      if (!isFirst) this.#isPosted = method !== "GET";
      const place = setAddress(target, move);
      this.#moved();
      const hasState = await firstState(live, report);
      if (signal.aborted) return false;
      if (hasState) this.#show(live, controller);
      place();
      return live.status < 400;
    } catch (error) {
      if (!isRetried || !error?.isUnanswered) report(error);
      throw error;
    } finally {
      if (this.#pending === controller) Observer.set(this.navigator, { requesting: null, remotely: false });
    }
  }

  /** The answer after the last client handler: the embedded one, or the server's. */
  async #askServer({ request, signal }) {
    const isMendable = request.method === "GET" && !this.#embedded?.isPosted;
    const response = await this.#answer(request, signal);
    if (isMendable) this.#pages.set(response, signal);
    return response;
  }

  async #answer(request, signal) {
    const embedded = this.#embedded;
    this.#embedded = null;
    if (embedded !== null && request.method === "GET" && embedded.url === request.url) return embedded.response;
    Observer.set(this.navigator, { remotely: true });
    // A clone, because handlers may send the same request twice.
    return await fetch(request.clone(), { signal, cache: "no-store" }).catch((error) => {
      error.isUnanswered = true;
      throw error;
    });
  }

  /**
   * Has the browser load an answer that is no state of the page as a document. If the request must not be sent again,
   * the host has kept the answer for that.
   */
  #leaveTo(answer, target, move, controller, leave) {
    const { status, headers } = answer;
    const code = headers.get("X-Redirect-Code");
    answer.body?.cancel();
    if (code !== null) target = pageAt(headers.get("location"), answer.url);
    // A page that shows the error itself prevents the event's default.
    if (status >= 400 && !this.#failed(statusError(answer), controller, status)) return false;
    // A download leaves the page as it is.
    if (!/^attachment/i.test(headers.get("content-disposition"))) leave();
    if (code > 303) this.#load("forms").then(({ sendAgain }) => sendAgain(target, move));
    else loadDocument(target, move);
    return false;
  }

  #moved() {
    Observer.set(this.location, partsOf(new URL(location.href)));
  }

  #show(live, controller) {
    const redirect = () => {
      if (controller.signal.aborted || !live.headers.has("location")) return;
      const go = (url) => {
        Observer.set(this.navigator, "redirecting", url.href);
        return this.#request({ url, init: {}, isReplacing: true }).catch(() => {});
      };
      this.#later.then(({ redirect }) => redirect(live, go)).catch((error) => this.#failed(error, controller));
    };
    live.addEventListener("replace", redirect);
    controller.signal.addEventListener("abort", () => live.removeEventListener("replace", redirect));
    if (live.status >= 400) this.#failed(statusError(live), controller, live.status);
    this.#state.follow(live);
    redirect();
  }

  /**
   * Reports an error: in `navigator.error`, and by an event at the document.
   * @param {number} [status] of the answer, if there is one
   * @returns {boolean} whether no listener prevents the default
   */
  #failed(error, controller, status = 0) {
    if (controller.signal.aborted) return true;
    const { requesting, method } = this.navigator;
    Observer.set(this.navigator, "error", error);
    const detail = { error, status, method, url: requesting ?? location.href };
    const event = new CustomEvent("liveline:error", { detail, bubbles: true, cancelable: true });
    const isLeft = document.dispatchEvent(event);
    if (isLeft) console.error(error);
    return isLeft;
  }

  // -- lines -------------------------------------------------------------------------------------------------------

  #openPort(response) {
    const address = response.headers.get(LINE_HEADER);
    const open = address === null ? null : transportFor(address, response.url || location.href, this.#load);
    if (open === null) return null;
    const port = this.background.add(new RemotePort(open));
    const signal = this.#pages.get(response);
    if (signal === undefined) return port;
    // If the line of the shown page is lost for good, the page is requested again.
    const start = Date.now();
    port.addEventListener("close", ({ code, reason }) => {
      const reload = () => this.#go(here(), true);
      if (isLost(code)) this.#later.then(({ mend }) => mend(start, reason, signal, reload));
    });
    return port;
  }
}

/** A request for the shown page. @returns {Move} */
function here() {
  return { url: new URL(location.href), init: {}, isThere: true };
}

/** The name of the shown page; "" for a document that is none. */
function shownPage() {
  return document.querySelector('meta[name="liveline-page"]')?.content ?? "";
}

function statusError({ status, statusText }) {
  return new Error(`${status} ${statusText}`.trim());
}

/** The value of `read`, updated by events of the window. */
function watched(types, read) {
  const state = read();
  for (const type of types) addEventListener(type, () => Observer.set(state, read()));
  return state;
}

/** The functions of a part of the app, which is loaded by the first call. */
function deferred(load, part) {
  return new Proxy({}, {
    get: (_, name) => name === "then" ? undefined : async (...args) => (await load(part))[name](...args),
  });
}

/** The headers of the app's requests, which the host reads. */
function withOwnHeaders(headers, page) {
  const all = new Headers(headers);
  if (!all.has("accept")) all.set("Accept", "application/json");
  all.set(PAGE_HEADER, page);
  all.set("X-Accept-Live", "*");
  // Scripts cannot read the target of a redirect to another origin.
  all.set("X-Redirect-Policy", "manual-when-cross-origin");
  return all;
}

/** Waits until `live` has a state; false if it ends without one. Later errors are passed to `report`. */
function firstState(live, report) {
  return new Promise((resolve, reject) => {
    let isWaiting = true;
    const settle = (hasState) => {
      isWaiting = false;
      resolve(hasState);
    };
    statesOf(live).follow({
      frame: () => settle(true),
      done: () => settle(false),
      failed: (error) => isWaiting ? reject(error) : report(error),
    });
  });
}

/** The answer that the host has embedded in the page, or null. */
function embeddedAnswer() {
  const state = document.querySelector('script[rel="hydration"][type="application/json"]');
  const line = document.querySelector(`meta[name="${LINE_HEADER}"]`);
  if (state === null && line === null) return null;
  const headers = new Headers({ "Content-Type": "application/json" });
  if (line !== null) headers.set(LINE_HEADER, line.content);
  const url = new URL(location.href);
  const { status = 200, method } = state?.dataset ?? {};
  const response = new Response(state?.textContent || "null", { status: Number(status), headers });
  return { url: url.href, response, isPosted: method !== undefined };
}

/** The parts of a URL, as data of `navigate` messages. */
function partsOf({ href, origin, protocol, host, hostname, port, pathname, search, hash }) {
  return { href, origin, protocol, host, hostname, port, pathname, search, hash };
}

/**
 * The host's data about this generation's code.
 * @typedef {object} Manifest
 * @property {[string, string, string?][]} client the pattern and module of each client handler, and its folder's page
 * @property {boolean} worker whether there are handlers for the service worker
 * @property {boolean} [live] whether any handler has a live function
 */

/**
 * Loads a part of the app that not every page needs.
 * @typedef {(part: "binding" | "classic" | "device" | "dialogs" | "events" | "forms" | "handlers" | "later" | "live" |
 *   "session" | "sockets" | "user") => Promise<object>} Load
 */

/**
 * A request of the app, and how the history shows it.
 * @typedef {import("./navigation.js").Move & {
 *   isThere?: boolean, isReplacing?: boolean, isFirst?: boolean }} Move
 */

/** @param {Manifest} manifest @param {(part: string, query: string) => Promise<object>} load */
export function start(manifest, load) {
  if (globalThis.webqit?.app !== undefined) return;
  globalThis.LiveResponse = LiveResponse;
  // OOHTML sets its own Observer in a global variable of this name.
  globalThis.Observer ??= Observer;
  globalThis.webqit ??= {};
  globalThis.webqit.app = new App(manifest, persistent(load));
}
