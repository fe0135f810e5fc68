// Puts the states of a response into `document.bindings`, and dispatches `liveline:state`.

import { Observer } from "../observer/observer.js";
import { subscribe } from "../observer/reactive.js";

/** Shows the states of one response at a time. */
export class PageState {
  #unsubscribe = () => {};
  #unfollow = () => {};
  #isDue = false;

  constructor() {
    document.bindings ??= {};
  }

  /** Shows the current state of `live` and later ones, in place of the response that was shown before. */
  follow(live) {
    this.leave();
    const show = () => {
      // An error without a body must not replace the state that is shown.
      const isNothing = live.status >= 400 && (live.body ?? null) === null;
      if (!live.headers.has("location") && !isNothing) this.#show(live.body);
    };
    live.addEventListener("replace", show);
    this.#unfollow = () => live.removeEventListener("replace", show);
    show();
  }

  /** Stops following the response; its state stays. */
  leave() {
    this.#unfollow();
    this.#unsubscribe();
  }

  #show(data) {
    this.#unsubscribe();
    // OOHTML has its own way to set bindings.
    if (typeof document.bind === "function") document.bind({ data }, { diff: true });
    else Observer.set(document.bindings, "data", data);
    const isTree = data !== null && typeof data === "object";
    this.#unsubscribe = isTree ? subscribe(data, () => this.#changed(data)) : () => {};
    dispatchState(data);
  }

  /** Several changes in one turn are one event. */
  #changed(data) {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      dispatchState(data);
    });
  }
}

function dispatchState(data) {
  document.dispatchEvent(new CustomEvent("liveline:state", { detail: { data } }));
}
