// The browser's history: what moves through it is intercepted, and gets the app's requests as entries once these are
// answered. As without an app, the address changes when the answer is there and not before.

import { formMove, isWithinPage, navigateMove } from "./navigation.js";

/** @typedef {import("./app.js").Move} Move */

/** A step back, because the way forward failed. */
const BACK = "liveline:back";
/** A navigation that the app leaves to the browser. */
let isOurs = false;

/** Intercepts moves by the Navigation API. */
export class ModernHistory {
  #go;

  /** @param {(move: Move) => Promise<unknown>} go @param {() => void} moved the page's URL changed without a request */
  constructor(go, moved) {
    this.#go = go;
    navigation.addEventListener("navigate", (event) => this.#onNavigate(event));
    navigation.addEventListener("currententrychange", moved);
  }

  /** Asks for a URL. */
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
 * Makes a URL that of the page.
 * @param {URL} url @param {Move} move
 * @returns {() => void} to be called when its state is shown: brings what the user sees to the place
 */
export function setAddress(url, { isThere, isReplacing, form }) {
  const isSame = url.href === location.href;
  if (!isSame) history[isThere || isReplacing ? "replaceState" : "pushState"](isThere ? history.state : null, "", url);
  return () => {
    // Who sends a form goes on with it.
    if (isThere || form !== undefined) return;
    const target = url.hash === "" ? null : document.getElementById(decodeURIComponent(url.hash.slice(1)));
    if (target !== null) target.scrollIntoView();
    else scrollTo(0, 0);
  };
}

/** Has the browser load a URL as a document. @returns {false} the app shows nothing */
export function loadDocument(url, { isThere, isReplacing }) {
  const isSame = url.href.split("#")[0] === location.href.split("#")[0];
  // With a hash this would only move within the page.
  if (isSame) url.hash = "";
  isOurs = true;
  location[isSame || isReplacing || isThere ? "replace" : "assign"](url);
  isOurs = false;
  return false;
}

/**
 * Takes over forms. They are read from the document, because browsers know only some of the methods.
 * @param {(move: Move) => Promise<boolean>} send @param {import("./app.js").Load} load
 */
export function interceptForms(send, load) {
  /** Forms whose answer is not there yet. */
  const busy = new WeakSet();
  addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    const form = event.target;
    const move = formMove(form, event.submitter, new URL(location.href));
    if (move === null) return;
    event.preventDefault();
    if (busy.has(form)) return;
    // What only looks may be asked for anew.
    if (move.init.method !== undefined) busy.add(form);
    const sent = send({ ...move, form });
    sent.catch(() => {}).finally(() => busy.delete(form));
    load("forms").then(({ follow }) => follow(form, event.submitter, move, sent)).catch(() => {});
  });
}
