// window.webqit.app: the page's end of every line, and the navigation that makes them.

import { whoIsTold } from "../02_exceptions.js";
import { kSink, LiveResponse, setPortOpener } from "../20_live_response.js";
import { LineLostError } from "../33_port_events.js";
import { RemotePort } from "../34_remote_port.js";
import { Observer } from "../60_observer.js";
import { answerDialogs } from "./dialogs.js";
import { interceptMoves } from "./history.js";
import { Hub } from "./hub.js";
import { pageAt } from "./navigation.js";
import { persistent } from "./parts.js";
import { PageState } from "./state.js";
import { tellOfLine, transportFor } from "./transport.js";

const APP = "/app.js";
const WORKER = "/.liveline/worker.js";
const LINE_HEADER = "X-Live-Session";
/** The page that shows a route's state, so that the app sees when a route has another one. */
const PAGE_HEADER = "X-Live-Page";

/** The code of a line that was not closed. */
const LOST = 1006;

/** A line that ends sooner is no reason to ask again at once. */
const SHORT_LIFE_MS = 60_000;
/** The longest pause between two questions whether anybody answers. */
const MAX_PAUSE_MS = 30_000;

/** What a state with a `Location` means to a browser. */
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const MAX_REDIRECTS = 20;

/** What is known of a navigation while it goes on. */
const AT_REST = { requesting: null, origins: [], method: null, error: null, redirecting: null, remotely: false };

class App {
  /** Every line that is open. What comes on any of them is heard here. */
  background = new Hub();
  /** Where the page is; changes are told by the Observer. */
  location = partsOf(new URL(location.href));
  /** What the navigation is doing; changes are told by the Observer. */
  navigator = { ...AT_REST };
  /** What loads the parts that not every page needs. */
  #load;
  /** The page's own handlers, once they are there. @type {Promise<object> | null} */
  #handlers = null;
  #moves = null;
  #state = null;
  /** Of the navigation that is shown or under way. */
  #controller = new AbortController();
  /** The answer that the page came with. */
  #embedded = null;
  /** What pages were got with, and the signals of their navigations. @type {WeakMap<Response, AbortSignal>} */
  #pages = new WeakMap();
  #redirects = 0;
  /** At most how long to wait before a lost page is asked for. */
  #pause = 0;

  /** @param {Manifest} manifest @param {Load} load */
  constructor(manifest, load) {
    this.#load = load;
    if (manifest.client.length > 0) {
      const past = (event) => this.#askServer(event);
      const liveFunctions = manifest.live ? load("live").then((part) => part.provideLiveFunctions()) : null;
      this.#handlers = Promise.all([load("handlers"), liveFunctions])
        .then(([{ handlersOf }]) => handlersOf(manifest.client, past));
    }
    setPortOpener((response) => this.#openPort(response));
    answerDialogs(this.background);
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
  navigate(url, init = {}) {
    return this.#request({ url: pageAt(url, location.href), init }, false);
  }

  /** @param {import("./navigation.js").Move} move */
  async #request(move, isReplacing) {
    if (move.url.origin !== location.origin) return location.assign(move.url);
    await this.#moves.request(move, isReplacing);
  }

  // -- the first page ----------------------------------------------------------------------------------------------

  async #start(manifest) {
    this.#state = new PageState();
    const go = (move) => {
      this.#embedded = null;
      return this.#go(move);
    };
    this.#moves = interceptMoves(go, () => this.#moved());
    // A page that the browser kept and shows again has lost its lines.
    addEventListener("pageshow", (event) => {
      if (event.persisted) go({ url: new URL(location.href), init: {} }).catch(() => {});
    });
    serveByWorker(manifest.worker);
    this.#embedded = embeddedAnswer();
    const hasMarkup = document.querySelector("[render],[data-bound]") !== null;
    if (hasMarkup) this.#load("binding").then(({ startBinding }) => startBinding(document)).catch(console.error);
    // Without a state the page is a file, and the app has nothing to say unless a handler of its own has.
    if (this.#embedded === null && !(await this.#handlers)?.cover(location.pathname)) return;
    this.#go({ url: new URL(location.href), init: {} }, true).catch(() => {});
  }

  // -- navigation --------------------------------------------------------------------------------------------------

  /** Runs the handlers for a request and shows what they answer. */
  async #go({ url, init }, isFirst = false) {
    const request = new Request(url, { ...init, headers: withOwnHeaders(init.headers) });
    const { method } = request;
    this.#say({ ...partsOf(url), method });
    this.#controller.abort();
    const controller = this.#controller = new AbortController();
    const report = (error) => {
      // Where a page's line is lost, it is asked for again.
      const isMended = method === "GET" && error instanceof LineLostError && error.code === LOST;
      if (!isMended) this.#failed(error, controller);
    };
    Observer.set(this.navigator, { ...AT_REST, requesting: url.href, method });
    try {
      const handlers = await this.#handlers;
      const answer = handlers === null
        ? await this.#askServer({ request, signal: controller.signal })
        : await handlers.run(request, this.background, { detail: { isFirst }, controller, report });
      if (controller.signal.aborted || this.#isForBrowser(answer, request, isFirst)) return;
      const live = answer instanceof LiveResponse ? answer : LiveResponse.from(answer);
      // A generator or a live function has nobody left to speak to.
      if (live !== answer) controller.signal.addEventListener("abort", () => live.disconnect());
      const hasState = await firstState(live, report);
      if (controller.signal.aborted) return;
      this.#arrived(answer, url);
      if (hasState) this.#show(live, controller);
    } catch (error) {
      report(error);
      throw error;
    } finally {
      if (this.#controller === controller) Observer.set(this.navigator, { requesting: null, remotely: false });
    }
  }

  /** Tells every handler that is still on the line where the user goes. */
  #say(parts) {
    if (this.background.length > 0) this.background.postMessage(parts, { type: "navigate" });
  }

  /** Past the last client handler: the answer that the page came with, or the server's. */
  async #askServer({ request, signal }) {
    const response = await this.#answer(request, signal);
    if (request.method === "GET") this.#pages.set(response, signal);
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

  /** Whether the browser has to load an answer as a page of its own; then it does. */
  #isForBrowser(answer, request, isFirst) {
    if (answer instanceof Response && answer.headers.has("X-Redirect-Code")) {
      location.assign(pageAt(answer.headers.get("location"), answer.url));
      return true;
    }
    if (!(answer instanceof Response) || request.method !== "GET") return false;
    const page = answer.headers.get(PAGE_HEADER);
    const shown = document.querySelector('meta[name="liveline-page"]')?.content;
    const type = answer.headers.get("content-type") ?? "";
    const isData = page !== null || type === "" || /[/+]json\b/.test(type) || LiveResponse.hasPort(answer);
    // A page that nothing answers has no state that could be fetched.
    const isState = isData && answer.status !== 405;
    if (isState && (page === null || shown === undefined || page === shown)) return false;
    // The page that is there is all there is.
    if (isFirst) return true;
    const url = answer.redirected ? answer.url : request.url;
    if (url === location.href) location.reload();
    else location.replace(url);
    return true;
  }

  /** Takes over the URL where HTTP's redirects led. */
  #arrived(answer, url) {
    if (answer instanceof Response && answer.redirected && new URL(answer.url).origin === location.origin) {
      if (answer.url !== url.href) this.#moves.rename(answer.url);
    }
    this.#moved();
  }

  #moved() {
    Observer.set(this.location, partsOf(new URL(location.href)));
  }

  #show(live, controller) {
    const redirect = () => {
      if (!controller.signal.aborted) this.#followRedirect(live);
    };
    live.addEventListener("replace", redirect);
    controller.signal.addEventListener("abort", () => live.removeEventListener("replace", redirect));
    if (live.status >= 400) this.#failed(new Error(`${live.status} ${live.statusText}`.trim()), controller);
    this.#state.follow(live);
    redirect();
  }

  /** A state with a `Location` leads elsewhere. */
  #followRedirect(live) {
    const target = live.headers.get("location");
    if (target === null || !REDIRECTS.has(live.status)) {
      this.#redirects = 0;
      return;
    }
    this.#redirects += 1;
    if (this.#redirects > MAX_REDIRECTS) {
      this.#failed(new Error(`More than ${MAX_REDIRECTS} redirects; the last was to ${target}`), this.#controller);
      return;
    }
    try {
      const url = pageAt(target, location.href);
      Observer.set(this.navigator, "redirecting", url.href);
      this.#request({ url, init: {} }, true).catch(() => {});
    } catch (error) {
      this.#failed(error, this.#controller);
    }
  }

  /** Errors are never silent: the navigator has them, and the document hears of them. */
  #failed(error, controller) {
    if (controller.signal.aborted) return;
    Observer.set(this.navigator, "error", error);
    const event = new CustomEvent("liveline:error", { detail: { error }, cancelable: true });
    if (document.dispatchEvent(event)) console.error(error);
  }

  // -- lines -------------------------------------------------------------------------------------------------------

  #openPort(response) {
    const address = response.headers.get(LINE_HEADER);
    const open = address === null ? null : transportFor(address, response.url || location.href, this.#load);
    if (open === null) return null;
    const port = this.background.add(new RemotePort(open));
    const signal = this.#pages.get(response);
    if (signal !== undefined) this.#keep(port, signal);
    return port;
  }

  /** Where the line of what is shown is lost for good, asks for the page again. */
  #keep(port, signal) {
    const start = Date.now();
    let isSaid = false;
    port.addEventListener("response.done", () => isSaid = true);
    port.addEventListener("close", ({ code }) => {
      if (code !== LOST || isSaid) return;
      // A line that never lasts must not make its handler run all the time.
      if (Date.now() - start > SHORT_LIFE_MS) this.#pause = 0;
      this.#reload(signal).catch(() => {});
    });
  }

  async #reload(signal) {
    while (!signal.aborted) {
      const pause = this.#pause * Math.random();
      this.#pause = Math.min(2 * this.#pause + 500, MAX_PAUSE_MS);
      await new Promise((resolve) => setTimeout(resolve, pause));
      // Not the page itself: each request for it runs its handler.
      const answer = await fetch(APP, { method: "HEAD", cache: "no-store" }).catch(() => null);
      if (signal.aborted || !answer?.ok) continue;
      await this.#go({ url: new URL(location.href), init: {} });
      return tellOfLine("reloaded");
    }
  }
}

/** The headers that tell the host who asks. */
function withOwnHeaders(headers) {
  const all = new Headers(headers);
  if (!all.has("accept")) all.set("Accept", "application/json");
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
    live[kSink]({
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
  const status = Number(state?.dataset.status ?? 200);
  return { url: url.href, response: new Response(state?.textContent || "null", { status, headers }) };
}

/** A URL as handlers of `navigate` get it. */
function partsOf({ href, origin, protocol, host, hostname, port, pathname, search, hash }) {
  return { href, origin, protocol, host, hostname, port, pathname, search, hash };
}

/** Registers the service worker where there are handlers for it, and takes it back where there were. */
async function serveByWorker(hasHandlers) {
  const container = globalThis.navigator.serviceWorker;
  // Only a secure context has it.
  if (container === undefined) return;
  try {
    if (hasHandlers) {
      await container.register(WORKER, { type: "module", scope: "/" });
      return;
    }
    const registration = await container.getRegistration("/");
    const script = registration?.active?.scriptURL ?? "";
    if (new URL(script || "/", location.href).pathname === WORKER) await registration.unregister();
  } catch (error) {
    console.warn("The service worker was not registered:", error);
  }
}

/**
 * What the host says of this generation's code.
 * @typedef {object} Manifest
 * @property {[string, string][]} client pattern and module of each client handler
 * @property {boolean} worker whether there are handlers for the service worker
 * @property {boolean} [live] whether any of them has a live function
 */

/**
 * Loads a part of the app that not every page needs.
 * @typedef {(part: "binding" | "events" | "handlers" | "live" | "sockets") => Promise<object>} Load
 */

/** @param {Manifest} manifest @param {(part: string, query: string) => Promise<object>} load */
export function start(manifest, load) {
  if (globalThis.webqit?.app !== undefined) return;
  globalThis.LiveResponse = LiveResponse;
  globalThis.Observer = Observer;
  globalThis.webqit ??= {};
  globalThis.webqit.app = new App(manifest, persistent(load));
}
