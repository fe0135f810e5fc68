// `process.stdout`, `process.stderr` and the file descriptors 1 and 2: what handlers write there is logged.

import { core } from "ext:core/mod.js";
import { INFO, print, WARNING } from "ext:liveline/log.js";
import {
  ArrayBufferViewPrototypeGetByteLength,
  queueMicrotask,
  StringPrototypeEndsWith,
  StringPrototypeSlice,
} from "ext:liveline/primordials.js";

const { decode } = core;

/** One output. The texts of one turn are logged together, since programs write lines in parts. */
class Output {
  #level;
  #waiting = "";

  constructor(level) {
    this.#level = level;
  }

  isTerminal() {
    return false;
  }

  writeSync(bytes) {
    if (this.#waiting === "") queueMicrotask(() => this.#flush());
    this.#waiting += decode(bytes);
    return ArrayBufferViewPrototypeGetByteLength(bytes);
  }

  #flush() {
    const text = this.#waiting;
    this.#waiting = "";
    print(StringPrototypeEndsWith(text, "\n") ? StringPrototypeSlice(text, 0, -1) : text, this.#level);
  }
}

/** The outputs by file descriptor. */
export const outputs = { __proto__: null, 1: new Output(INFO), 2: new Output(WARNING) };
