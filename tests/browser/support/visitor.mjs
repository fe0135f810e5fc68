// A person at a browser: windows, what they show, and what goes over their lines.

import assert from "node:assert/strict";
import { Lines } from "./lines.mjs";
import { refuseSockets } from "./no_sockets.mjs";
import { Changing, PATIENCE } from "./patience.mjs";

/** The same for what the page asked while the network was down, and for a line that it asked for in vain. */
const UNREACHABLE = /net::ERR_|occurred when fetching the script|the server responded with a status of 4(?:04|26)/;

/** How lines are carried. The name is what a test is called by. */
export const TRANSPORTS = ["WebSocket", "server-sent events"];

/** What Chromium itself says when the proxy refuses the socket; the page cannot prevent it. */
const REFUSED = /WebSocket connection to .* failed/;
/** The same for what was posted to a line while its last events were on their way. */
const CROSSED = /the server responded with a status of 404/;

/** One window with cookies and a profile of its own. */
export class Window extends Changing {
  /** Playwright's page. */
  page;
  lines = new Lines();
  /** Every text that the watched element has shown, in one document after the other. */
  texts = [];
  /** Every state that the page was told of. */
  states = [];
  /** What the page was told of its lines. */
  lineStates = [];
  /** Errors of the console and of the page. There must be none. */
  errors = [];
  /** The addresses of all documents that the window has had. */
  documents = [];
  /** How many documents there were when the last of them connected to the host's messages about saves. */
  #following = 0;
  #context;
  #proxy;
  #network;
  #url;

  /**
   * Opens a path of a host, and waits until the page was loaded. `watch` is a selector for `texts`; `network` is the
   * way to the host, where it is not the direct one; with `touch` the screen is one; with `serviceWorkers: "block"` the page
   * cannot register any, so that all its requests pass `page.route()`.
   */
  static async open(browser, host, path, options = {}) {
    const { transport = TRANSPORTS[0], watch, javaScript = true, network, touch, serviceWorkers } = options;
    const window = new Window();
    window.#context = await browser.newContext({
      javaScriptEnabled: javaScript,
      hasTouch: touch,
      serviceWorkers,
      viewport: { width: 900, height: 760 },
    });
    window.page = await window.#context.newPage();
    window.page.setDefaultTimeout(PATIENCE);
    window.#noteErrors();
    if (transport === TRANSPORTS[0]) {
      window.#noteSockets();
      window.#network = network;
      window.#url = (network ?? host).url;
    } else {
      window.#proxy = await refuseSockets(host.url, window.lines);
      window.#url = window.#proxy.url;
    }
    await window.page.exposeFunction("tellTest", (list, value) => window.#note(list, value));
    await window.page.addInitScript(watchPage, watch);
    await window.goto(path);
    return window;
  }

  /** Loads a path as if it was typed into the browser's bar. Gives the answer. */
  async goto(path) {
    return await this.page.goto(this.#url + path, { waitUntil: "load" });
  }

  /** The address in the browser's bar, from the path on. */
  get path() {
    return this.page.url().slice(this.#url.length);
  }

  /** Waits until the address is this path. */
  async at(path) {
    await this.page.waitForURL(this.#url + path);
  }

  /** Waits until an element shows this text. */
  async shows(selector, text) {
    const shown = ([selector, text]) => document.querySelector(selector)?.textContent.trim() === text;
    try {
      await this.page.waitForFunction(shown, [selector, text]);
    } catch (cause) {
      const now = await this.page.evaluate((it) => document.querySelector(it)?.textContent, selector);
      throw new Error(`${selector} shows ${JSON.stringify(now)}, not ${JSON.stringify(text)}\n${this}`, { cause });
    }
  }

  /**
   * Checks what the watched element has shown: all of these texts in this order, except that frames which arrive
   * together are shown at once, as the last of them.
   */
  showedInOrder(texts) {
    const order = this.texts.map((text) => texts.indexOf(text));
    const isInOrder = order.every((place, index) => place > (order[index - 1] ?? -1));
    const hasEnds = this.texts[0] === texts[0] && this.texts.at(-1) === texts.at(-1);
    assert.ok(isInOrder && hasEnds, `${JSON.stringify(this.texts)} is not ${JSON.stringify(texts)}`);
  }

  /** Waits until the page was told this of a line, `count` times. */
  async told(state, count = 1) {
    const isTold = () => this.lineStates.filter((told) => told === state).length >= count;
    await this.until(isTold, () => `"${state}" was not told ${count} times, but ${this.lineStates}\n${this}`);
  }

  /** Waits until the watched element has shown this text, even if it was for a moment. */
  async showed(text) {
    await this.until(() => this.texts.includes(text), () => `"${text}" was not shown, but ${JSON.stringify(this.texts)}`);
  }

  /** Waits until the document has connected to the messages about saves that `liveline dev` sends. */
  async followed() {
    await this.until(() => this.#following === this.documents.length, () => `no messages about saves are sent to\n${this}`);
  }

  /** Waits until a line of the page is open. */
  async connected() {
    await this.page.waitForFunction(() => window.webqit.app.background.readyState === "open");
  }

  /** Says something on every line of the page, once there is one. */
  async says(type, data = null) {
    await this.page.waitForFunction(() => window.webqit.app.background.length > 0);
    await this.page.evaluate(([data, type]) => window.webqit.app.background.postMessage(data, { type }), [data, type]);
  }

  /** The texts of all elements that match. */
  async all(selector) {
    return await this.page.locator(selector).allInnerTexts();
  }

  async close() {
    await this.#context.close();
    this.#proxy?.stop();
    this.#network?.stop();
  }

  toString() {
    return `${this.page.url()}\nerrors: ${this.errors.join("\n")}\nlines:\n${this.lines}`;
  }

  #note(list, value) {
    this[list].push(value);
    this.changed();
  }

  #noteErrors() {
    this.page.on("pageerror", (error) => this.errors.push(error.stack));
    this.page.on("console", (message) => {
      if (message.type() !== "error" || (this.#proxy && isOfTransport(message))) return;
      if (this.#network && (REFUSED.test(message.text()) || UNREACHABLE.test(message.text()))) return;
      this.errors.push(`${message.text()} (${message.location().url})`);
    });
  }

  #noteSockets() {
    this.page.on("websocket", (socket) => {
      const { pathname } = new URL(socket.url());
      if (pathname === "/.liveline/dev") this.#noteFollowing(socket);
      // Others are of the page's own.
      if (!Lines.isLine(pathname)) return;
      const line = this.lines.at(socket.url());
      socket.on("framereceived", ({ payload }) => line.hear(payload));
      socket.on("framesent", ({ payload }) => line.say(payload));
      socket.on("close", () => line.end());
    });
  }

  #noteFollowing(socket) {
    const count = this.documents.length;
    socket.once("framereceived", () => {
      this.#following = count;
      this.changed();
    });
  }
}

/** Whether an error is Chromium's own note on a transport that works without sockets. */
function isOfTransport(message) {
  const { url } = message.location();
  const text = message.text();
  return REFUSED.test(text) || (CROSSED.test(text) && Lines.isLine(new URL(url).pathname));
}

/** Runs in each document before everything else: tells of what is gone by the time a test looks. */
function watchPage(selector) {
  let last = "";
  const look = () => {
    const text = document.querySelector(selector)?.textContent.trim();
    if (!text || text === last) return;
    last = text;
    window.tellTest("texts", text);
  };
  const everything = { subtree: true, childList: true, characterData: true };
  if (selector) new MutationObserver(look).observe(document, everything);
  if (globalThis === globalThis.top) window.tellTest("documents", location.href);
  document.addEventListener("liveline:state", (e) => window.tellTest("states", e.detail.data));
  document.addEventListener("liveline:line", (e) => window.tellTest("lineStates", e.detail.state));
}
