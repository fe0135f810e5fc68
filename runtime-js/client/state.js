// Where a response's state goes: into `document.bindings` and into the event `liveline:state`.

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

  /** Shows the state that `live` has and those that follow, in place of the response that was shown before. */
  follow(live) {
    this.leave();
    const show = () => {
      // An error without a word must not wipe out what is there.
      const isNothing = live.status >= 400 && (live.body ?? null) === null;
      if (!live.headers.has("location") && !isNothing) this.#show(live.body);
    };
    live.addEventListener("replace", show);
    this.#unfollow = () => live.removeEventListener("replace", show);
    show();
  }

  /** Lets what is shown stay, and follows nothing. */
  leave() {
    this.#unfollow();
    this.#unsubscribe();
  }

  #show(data) {
    this.#unsubscribe();
    // OOHTML has a way of its own.
    if (typeof document.bind === "function") document.bind({ data }, { diff: true });
    else Observer.set(document.bindings, "data", data);
    const isTree = data !== null && typeof data === "object";
    this.#unsubscribe = isTree ? subscribe(data, () => this.#changed(data)) : () => {};
    tell(data);
  }

  /** Several changes in one turn are told once. */
  #changed(data) {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      tell(data);
    });
  }
}

function tell(data) {
  document.dispatchEvent(new CustomEvent("liveline:state", { detail: { data } }));
}
