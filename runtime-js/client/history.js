// The browser's history and its ways to move through it, by the Navigation API or by events that are older.

import { formMove, isWithinPage, linkTarget, navigateMove } from "./navigation.js";

/**
 * What a move asks of the app.
 * @typedef {(move: import("./navigation.js").Move) => Promise<unknown>} Go
 */

/** Moves through the history by the Navigation API. */
class ModernHistory {
  #go;
  /** Moves that the app makes itself, until their event comes. */
  #own = null;

  /** @param {Go} go @param {() => void} moved the page's URL changed without a request */
  constructor(go, moved) {
    this.#go = go;
    navigation.addEventListener("navigate", (event) => this.#onNavigate(event));
    navigation.addEventListener("currententrychange", moved);
  }

  /** Asks for a URL, in a new entry of the history unless it is the page's own. */
  request({ url, init }, isReplacing) {
    const isSame = url.href === location.href;
    return new Promise((resolve, reject) => {
      this.#own = { init, resolve, reject };
      const { committed, finished } = navigation.navigate(url.href, {
        history: isReplacing || isSame ? "replace" : "push",
      });
      this.#own = null;
      committed.catch(reject);
      // A redirect interrupts the navigation that led to it; what counts is how the request went.
      finished.catch(() => {});
    });
  }

  /** Puts another URL in the place of the page's. */
  rename(url) {
    this.#own = { isRename: true };
    history.replaceState(history.state, "", url);
    this.#own = null;
  }

  #onNavigate(event) {
    const own = this.#own;
    if (own?.isRename) return;
    const here = new URL(location.href);
    const move = navigateMove(event, here);
    if (move === null) {
      own?.resolve();
      return;
    }
    const init = own?.init ?? move.init;
    event.intercept({
      scroll: "after-transition",
      focusReset: "after-transition",
      handler: async () => {
        const gone = this.#go({ url: move.url, init });
        if (own !== null) gone.then(own.resolve, own.reject);
        await gone;
      },
    });
  }
}

/** The same with clicks, `pushState` and `popstate`. */
class ClassicHistory {
  #go;
  #moved;
  #url = new URL(location.href);

  constructor(go, moved) {
    this.#go = go;
    this.#moved = moved;
    addEventListener("click", (event) => this.#onClick(event));
    addEventListener("popstate", () => this.#onPopState());
    addEventListener("hashchange", moved);
  }

  request({ url, init }, isReplacing) {
    if (isWithinPage(url, this.#url) && init.method === undefined) {
      location.hash = url.hash;
      return Promise.resolve();
    }
    if (isReplacing || url.href === location.href) history.replaceState(null, "", url);
    else history.pushState(null, "", url);
    this.#arrived();
    const gone = this.#go({ url, init });
    return gone.then(() => scrollToTarget(url));
  }

  rename(url) {
    history.replaceState(history.state, "", url);
    this.#arrived();
  }

  #onClick(event) {
    const url = linkTarget(event, this.#url);
    if (url === null || isWithinPage(url, this.#url)) return;
    event.preventDefault();
    this.request({ url, init: {} }, false).catch(() => {});
  }

  #onPopState() {
    const url = new URL(location.href);
    if (isWithinPage(url, this.#url) || url.href === this.#url.href) return this.#arrived();
    this.#arrived();
    this.#go({ url, init: {} }).catch(() => {});
  }

  #arrived() {
    this.#url = new URL(location.href);
    this.#moved();
  }
}

function scrollToTarget(url) {
  const target = url.hash === "" ? null : document.getElementById(decodeURIComponent(url.hash.slice(1)));
  if (target !== null) target.scrollIntoView();
  else scrollTo(0, 0);
}

/**
 * Begins to intercept what the user does.
 * @param {Go} go @param {() => void} moved
 */
export function interceptMoves(go, moved) {
  const moves = globalThis.navigation === undefined ? new ClassicHistory(go, moved) : new ModernHistory(go, moved);
  // Forms are read from the document, because browsers know only some of the methods.
  addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    const move = formMove(event.target, event.submitter, new URL(location.href));
    if (move === null) return;
    event.preventDefault();
    moves.request(move, false).catch(() => {});
  });
  return moves;
}
