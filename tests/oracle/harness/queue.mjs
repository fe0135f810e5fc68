// Values in the order of their arrival, for one reader.

import { within } from "./patience.mjs";

export class Queue {
  #values = [];
  #waiting = [];

  push(value) {
    const next = this.#waiting.shift();
    if (next) next(value);
    else this.#values.push(value);
  }

  /** The oldest value that was not taken yet, or the next that arrives. */
  take(what) {
    if (this.#values.length > 0) return Promise.resolve(this.#values.shift());
    return within(new Promise((resolve) => this.#waiting.push(resolve)), what);
  }
}
