// History for browsers without the Navigation API, by clicks, `pushState` and `popstate`. The part is loaded only
// there. Unlike with the Navigation API, a traversal that fails is not undone.

import { isInApp, isThisWindow, isWithinPage, LEAVE_ALONE } from "./navigation.js";

/** @typedef {import("./app.js").Move} Move */

/**
 * The URL of a clicked link, or null if the browser handles the click.
 * @param {MouseEvent} event
 * @param {URL} here
 */
export function linkTarget(event, here) {
  const hasModifier = event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
  if (event.defaultPrevented || event.button !== 0 || hasModifier) return null;
  const link = event.composedPath().find((element) => element.localName === "a" && element.hasAttribute("href"));
  if (link === undefined || link.hasAttribute("download") || link.hasAttribute(LEAVE_ALONE)) return null;
  if (!isThisWindow(link.getAttribute("target"))) return null;
  const url = new URL(link.getAttribute("href"), link.baseURI ?? here);
  return isInApp(url, here) ? url : null;
}

export class ClassicHistory {
  #go;
  #moved;
  #url = new URL(location.href);

  /** @param {(move: Move) => Promise<unknown>} go @param {() => void} moved the page's URL changed without a request */
  constructor(go, moved) {
    this.#go = go;
    this.#moved = moved;
    addEventListener("click", (event) => this.#onClick(event));
    addEventListener("popstate", () => this.#onPopState());
    addEventListener("hashchange", moved);
  }

  /** Sends a request of the app. */
  async request(move) {
    if (isWithinPage(move.url, new URL(location.href)) && move.init.method === undefined) {
      location.hash = move.url.hash;
      return;
    }
    const result = await this.#go(move);
    this.#url = new URL(location.href);
    return result;
  }

  #onClick(event) {
    const here = new URL(location.href);
    const url = linkTarget(event, here);
    if (url === null || isWithinPage(url, here)) return;
    event.preventDefault();
    this.request({ url, init: {} }).catch(() => {});
  }

  #onPopState() {
    const url = new URL(location.href);
    const isSame = isWithinPage(url, this.#url) || url.href === this.#url.href;
    this.#url = url;
    this.#moved();
    if (!isSame) this.#go({ url, init: {}, isThere: true }).catch(() => {});
  }
}
