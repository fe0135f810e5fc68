// The browser's history: navigations are intercepted, and the app's requests are added as entries when they are
// answered. As without an app, the address changes only then.

import { formMove, isWithinPage, navigateMove } from "./navigation.js";

/** @typedef {import("./app.js").Move} Move */

/** Marks a traversal back, after a traversal failed. */
const BACK = "liveline:back";
/** Whether the app has started a navigation that the browser handles. */
let isOurs = false;

/** Intercepts navigations by the Navigation API. */
export class ModernHistory {
  #go;

  /** @param {(move: Move) => Promise<unknown>} go @param {() => void} moved the page's URL changed without a request */
  constructor(go, moved) {
    this.#go = go;
    navigation.addEventListener("navigate", (event) => this.#onNavigate(event));
    navigation.addEventListener("currententrychange", moved);
  }

  /** Sends a request of the app. */
  request(move) {
    if (isWithinPage(move.url, new URL(location.href)) && move.init.method === undefined) {
      return void location.assign(move.url);
    }
    return this.#go(move);
  }

  #onNavigate(event) {
    if (isOurs || event.info === BACK) return;
    const move = navigateMove(event, new URL(location.href));
    if (move === null) return;
    if (event.navigationType !== "traverse") {
      event.preventDefault();
      this.#go({ ...move, isReplacing: event.navigationType === "replace" }).catch(() => {});
      return;
    }
    const { key } = navigation.currentEntry;
    event.intercept({
      scroll: "after-transition",
      focusReset: "after-transition",
      handler: () => this.#go({ ...move, isThere: true }).catch(() => {
        navigation.traverseTo(key, { info: BACK }).committed.catch(() => {});
      }),
    });
  }
}

/**
 * Sets the page's URL.
 * @param {URL} url @param {Move} move
 * @returns {() => void} to be called when the state is shown: scrolls to the fragment or to the top
 */
export function setAddress(url, { isThere, isReplacing, form }) {
  const isSame = url.href === location.href;
  if (!isSame) history[isThere || isReplacing ? "replaceState" : "pushState"](isThere ? history.state : null, "", url);
  return () => {
    // After a form was sent, the user stays at it.
    if (isThere || form !== undefined) return;
    const target = url.hash === "" ? null : document.getElementById(decodeURIComponent(url.hash.slice(1)));
    if (target !== null) target.scrollIntoView();
    else scrollTo(0, 0);
  };
}

/** Loads a URL as a document. @returns {false} the app shows nothing */
export function loadDocument(url, { isThere, isReplacing }) {
  const isSame = url.href.split("#")[0] === location.href.split("#")[0];
  // With a fragment the page would only be scrolled.
  if (isSame) url.hash = "";
  isOurs = true;
  location[isSame || isReplacing || isThere ? "replace" : "assign"](url);
  isOurs = false;
  return false;
}

/**
 * Intercepts forms. They are read from the document, because browsers support only some of the methods.
 * @param {(move: Move) => Promise<boolean>} send @param {import("./app.js").Load} load
 */
export function interceptForms(send, load) {
  /** Forms whose request is not answered yet. */
  const busy = new WeakSet();
  addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    const form = event.target;
    const move = formMove(form, event.submitter, new URL(location.href));
    if (move === null) return;
    event.preventDefault();
    if (busy.has(form)) return;
    // A GET form may be sent again meanwhile.
    if (move.init.method !== undefined) busy.add(form);
    const sent = send({ ...move, form });
    sent.catch(() => {}).finally(() => busy.delete(form));
    load("forms").then(({ follow }) => follow(form, event.submitter, move, sent)).catch(() => {});
  });
}
