// window.webqit.app: the page's end of every line, and the navigation that makes them.

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
import { transportFor } from "./transport.js";

const LINE_HEADER = "X-Live-Session";
/** The page that shows a state: of a request the one that is there, of an answer the one that belongs to it. */
const PAGE_HEADER = "X-Live-Page";

/** The code of a line that was not closed. */
const LOST = 1006;


/** What is known of a navigation while it goes on. */
const AT_REST = { requesting: null, origins: [], method: null, error: null, redirecting: null, remotely: false };

class App {
  /** Every line that is open. What comes on any of them is heard here. */
  background = new Hub();
  /** Where the page is; changes are told by the Observer. */
  location = partsOf(new URL(location.href));
  /** What the navigation is doing; changes are told by the Observer. */
  navigator = { ...AT_REST };
  /** The part that every page gets, but not before it is shown. */
  #later;
  /** Whether the browser is online, as `status`; changes are told by the Observer. */
  network = watched(["online", "offline"], () => ({ status: navigator.onLine }));
  /** The page's size in CSS pixels; changes are told by the Observer. */
  viewport = watched(["resize"], () => ({ width: innerWidth, height: innerHeight }));
  /** What loads the parts that not every page needs. */
  #load;
  /** The page's own handlers, once they are there. @type {Promise<object> | null} */
  #handlers = null;
  #moves = null;
  #state = null;
  /** Of what is shown, and of the request that is under way. */
  #controller = new AbortController();
  #pending = this.#controller;
  /** Whether what is shown is the answer to a request that is not to be sent again. */
  #isPosted = false;
  /** The answer that the page came with. */
  #embedded = null;
  /** What pages were got with, and the signals of their navigations. @type {WeakMap<Response, AbortSignal>} */
  #pages = new WeakMap();

  /** @param {Manifest} manifest @param {Load} load */
  constructor(manifest, load) {
    this.#load = load;
    /** What the browser may do. @type {typeof import("./device.js")} */
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
        // A listener of the page may have been added after this one, and answers on `event.ports[0]` itself.
        await null;
        if (!event.defaultPrevented) (await load("dialogs")).answerDialog(event);
      });
    }
    addEventListener("unhandledrejection", (event) => {
      const told = whoIsTold(event.promise);
      if (told === undefined) return;
      event.preventDefault();
      told(event.reason);
    });
    const start = () => this.#start(manifest);
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start, { once: true });
    else start();
  }

  /**
   * Goes to a URL of this app, or asks it for something.
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
    // A page that the browser kept and shows again has lost its lines.
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
    const handlers = await this.#handlers;
    // Without a state the page is a file, and the app has nothing to say unless a handler of its own has.
    if (this.#embedded === null && !handlers?.cover(location.pathname)) return;
    this.#go({ ...here(), isFirst: true }).catch(() => {});
  }

  // -- navigation --------------------------------------------------------------------------------------------------

  /**
   * Runs the handlers for a request and shows what they answer.
   * @param {Move} move
   * @returns {Promise<boolean>} whether a state of success is shown
   */
  async #go(move) {
    const { url, init, isFirst = false } = move;
    const page = shownPage();
    const request = new Request(url, { ...init, headers: withOwnHeaders(init.headers, page) });
    const { method } = request;
    if (this.#pending !== this.#controller) this.#pending.abort();
    const controller = this.#pending = new AbortController();
    const { signal } = controller;
    const lines = [...this.background];
    const report = (error) => {
      // Where a page's line is lost, it is asked for again.
      const isMended = method === "GET" && !this.#isPosted && error instanceof LineLostError && error.code === LOST;
      if (!isMended) this.#failed(error, controller);
    };
    /** Leaves what was shown before. */
    const leave = () => {
      if (!isFirst) for (const port of lines) port.postMessage({ ...partsOf(url), method }, { type: "navigate" });
    };
    Observer.set(this.navigator, { ...AT_REST, requesting: url.href, method });
    try {
      const handlers = await this.#handlers;
      // What handlers of the page answer says nothing of the page that it belongs to.
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
      // What was made here has no URL.
      if (answer instanceof Response && answer.url !== "") {
        // As without an app, the page stays.
        const isReset = answer.status === 205;
        if (isReset || answer.status === 204) return isReset;
        if (answer.redirected) target = new URL(answer.url);
        if (answer.headers.get(PAGE_HEADER) !== page) {
          return !isFirst && this.#leaveTo(answer, target, move, controller, leave);
        }
      }
      leave();
      const live = answer instanceof LiveResponse ? answer : LiveResponse.from(answer);
      // A generator or a live function has no follower left.
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
      report(error);
      throw error;
    } finally {
      if (this.#pending === controller) Observer.set(this.navigator, { requesting: null, remotely: false });
    }
  }

  /** Past the last client handler: the answer that the page came with, or the server's. */
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
    // Handlers below get this very request, also where a handler above asks twice.
    return await fetch(request.clone(), { signal, cache: "no-store" });
  }

  /**
   * An answer that is no state of the page: the browser loads it as a document. Where the request must not be sent
   * again, the host keeps the answer for that.
   */
  #leaveTo(answer, target, move, controller, leave) {
    const { status, headers } = answer;
    const code = headers.get("X-Redirect-Code");
    answer.body?.cancel();
    if (code !== null) target = pageAt(headers.get("location"), answer.url);
    // A page that has something to say about the error prevents the default.
    if (status >= 400 && !this.#failed(statusError(answer), controller, status)) return false;
    // What is downloaded leaves the page where it is.
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
   * Errors are never silent: the navigator has them, and the document hears of them.
   * @param {number} [status] of the answer, where one came
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
    // Where the line of what is shown is lost for good, the page is asked for again.
    const start = Date.now();
    port.addEventListener("close", ({ code, reason }) => {
      if (code === LOST) this.#later.then(({ mend }) => mend(start, reason, signal, () => this.#go(here())));
    });
    return port;
  }
}

/** What asks for the page again. @returns {Move} */
function here() {
  return { url: new URL(location.href), init: {}, isThere: true };
}

/** The page that is there; "" for a document that is none. */
function shownPage() {
  return document.querySelector('meta[name="liveline-page"]')?.content ?? "";
}

function statusError({ status, statusText }) {
  return new Error(`${status} ${statusText}`.trim());
}

/** What `read` gives, kept so by events of the window. */
function watched(types, read) {
  const state = read();
  for (const type of types) addEventListener(type, () => Observer.set(state, read()));
  return state;
}

/** Functions of a part of the app, which is loaded with the first call. */
function deferred(load, part) {
  return new Proxy({}, {
    get: (_, name) => name === "then" ? undefined : async (...args) => (await load(part))[name](...args),
  });
}

/** The headers that tell the host who asks. */
function withOwnHeaders(headers, page) {
  const all = new Headers(headers);
  if (!all.has("accept")) all.set("Accept", "application/json");
  all.set(PAGE_HEADER, page);
  all.set("X-Accept-Live", "*");
  // A page may not read where other origins lead.
  all.set("X-Redirect-Policy", "manual-when-cross-origin");
  return all;
}

/** Waits until `live` has a state; false where it ends without one. Errors after that go to `report`. */
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

/** The answer that the host wrote into the page, or null. */
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

/** A URL as handlers of `navigate` get it. */
function partsOf({ href, origin, protocol, host, hostname, port, pathname, search, hash }) {
  return { href, origin, protocol, host, hostname, port, pathname, search, hash };
}

/**
 * What the host says of this generation's code.
 * @typedef {object} Manifest
 * @property {[string, string, string?][]} client pattern and module of each client handler, and the page of its folder
 * @property {boolean} worker whether there are handlers for the service worker
 * @property {boolean} [live] whether any of them has a live function
 */

/**
 * Loads a part of the app that not every page needs.
 * @typedef {(part: "binding" | "classic" | "device" | "dialogs" | "events" | "forms" | "handlers" | "later" | "live" |
 *   "session" | "sockets" | "user") => Promise<object>} Load
 */

/**
 * What the app is asked to do, and how its history is to show it.
 * @typedef {import("./navigation.js").Move & {
 *   isThere?: boolean, isReplacing?: boolean, isFirst?: boolean }} Move
 */

/** @param {Manifest} manifest @param {(part: string, query: string) => Promise<object>} load */
export function start(manifest, load) {
  if (globalThis.webqit?.app !== undefined) return;
  globalThis.LiveResponse = LiveResponse;
  // OOHTML keeps its own in a global variable of this name.
  globalThis.Observer ??= Observer;
  globalThis.webqit ??= {};
  globalThis.webqit.app = new App(manifest, persistent(load));
}
