// Waiting: for something that happens, never for time.

/** How long anything may take before a test fails and says what it has seen so far, in milliseconds. */
export const PATIENCE = 30_000;

/** Something that changes, and those who wait for a certain state of it. */
export class Changing {
  #waiting = new Set();

  /** Tells everybody who waits to look again. */
  changed() {
    for (const look of this.#waiting) look();
  }

  /** What `look` gives as soon as that is something; `describe` says what there was instead when it never is. */
  until(look, describe) {
    return new Promise((resolve, reject) => {
      const finish = (settle, value) => {
        clearTimeout(timer);
        this.#waiting.delete(again);
        settle(value);
      };
      const again = () => {
        const found = look();
        if (found) finish(resolve, found);
      };
      const timer = setTimeout(() => finish(reject, new Error(describe())), PATIENCE);
      this.#waiting.add(again);
      again();
    });
  }
}
