// liveline:shared: a state that is made once for all its viewers, in all isolates.
//
// Each isolate with viewers requests the lead of a name. The isolate that has it runs the source, outside of exchanges,
// and stores each state in the host, which keeps the latest for all isolates. When the last viewer in that isolate
// leaves, another isolate becomes the lead; when the last viewer of all leaves, the source ends.

import { core } from "ext:core/mod.js";
import {
  op_log_error,
  op_shared_close,
  op_shared_lead,
  op_shared_next,
  op_shared_open,
  op_shared_put,
} from "ext:core/ops";
import { currentExchange } from "../exchange.js";
import { clearTimeout, setTimeout } from "../timers.js";
import { abort } from "../errors/exceptions.js";
import { encodeJson } from "../answer/values.js";
import { checkOptions } from "../errors/options.js";
import {
  AbortController,
  AbortControllerPrototypeGetSignal,
  Error,
  IteratorPrototypeNext,
  IteratorPrototypeReturn,
  JSONParse,
  Number,
  ObjectFreeze,
  Promise,
  PromisePrototypeCatch,
  PromiseResolve,
  RangeError,
  SafeMap,
  String,
  SymbolAsyncIterator,
  TypeError,
} from "../primordials.js";

/** Milliseconds between the end of one run of a source and the beginning of the next. */
const EVERY = 1000;

/** The sources of this isolate, by name. */
const sources = new SafeMap();

/**
 * Shares the states that `make` makes.
 * @param {string} name the same in all isolates
 * @param {(signal: AbortSignal) => unknown} make a state, a promise of one, or a generator of states
 * @param {{ every?: number }} [options] milliseconds until `make` is called again, also after a generator failed
 */
export function shared(name, make, options = undefined) {
  checkOptions("shared()", options, ["every"]);
  const { every = EVERY } = options ?? { __proto__: null };
  if (typeof name !== "string" || name === "") throw new TypeError("shared(): the first argument is a name.");
  if (typeof make !== "function") throw new TypeError("shared(): the second argument makes the state, a function.");
  if (!(Number(every) >= 1)) throw new RangeError("shared(): every is a number of milliseconds, 1 or more.");
  if (sources.has(name)) throw new TypeError(`shared(): there is a "${name}" already; a name is for one state.`);
  const source = new Source(name, make, Number(every));
  sources.set(name, source);
  return ObjectFreeze({ __proto__: null, states: () => source.states() });
}

/** For the host: it terminated code that ran for no exchange. That may have been any source's, so all are restarted. */
export function sourcesStopped() {
  for (const { 1: source } of sources.entries()) source.restart();
}

/** A shared state in this isolate. */
class Source {
  #name;
  #make;
  #every;
  #viewers = 0;
  #run = null;

  constructor(name, make, every) {
    this.#name = name;
    this.#make = make;
    this.#every = every;
  }

  /**
   * The latest state, as soon as there is one, and then each later one; states that are out of date by then are left
   * out.
   */
  states() {
    return latestOf(this.#name, true, {
      begin: () => this.#joined(),
      end: () => this.#left(),
      read(put, isFirst) {
        if (put.error === undefined) return put;
        // A viewer that has a state keeps it while the source fails.
        if (!isFirst) return null;
        throw new Error(put.error);
      },
    });
  }

  restart() {
    if (this.#run === null) return;
    this.#stop();
    this.#start();
  }

  #joined() {
    this.#viewers += 1;
    if (this.#viewers === 1) this.#start();
  }

  #left() {
    this.#viewers -= 1;
    if (this.#viewers === 0) this.#stop();
  }

  #start() {
    const handle = op_shared_open(this.#name, true);
    const run = this.#run = { handle, controller: null, timer: 0, wake: null, over: false };
    outsideOfExchanges(() => {
      PromisePrototypeCatch(this.#lead(run), (error) => op_log_error(`the shared state "${this.#name}"`, error));
    });
  }

  #stop() {
    const run = this.#run;
    this.#run = null;
    run.over = true;
    op_shared_close(run.handle);
    clearTimeout(run.timer);
    run.wake?.();
    if (run.controller !== null) abort(run.controller);
  }

  /** Makes the state again and again, as soon as this isolate has the lead, until the run is over. */
  async #lead(run) {
    if (!await op_shared_lead(run.handle) || run.over) return;
    run.controller = new AbortController();
    while (!run.over) {
      try {
        const made = (0, this.#make)(AbortControllerPrototypeGetSignal(run.controller));
        if (typeof made?.next === "function") {
          if (await this.#drain(run, made)) return;
        } else {
          const state = await made;
          if (!run.over) this.#put(run, { state });
        }
      } catch (error) {
        if (run.over) return;
        op_log_error(`the shared state "${this.#name}"`, error);
        this.#put(run, { error: String(error?.message ?? error) });
      }
      if (run.over) return;
      await new Promise((resolve) => {
        run.wake = resolve;
        run.timer = setTimeout(resolve, this.#every);
      });
    }
  }

  /** Stores the states that a generator yields. Returns true at its end: no state follows the last one. */
  async #drain(run, generator) {
    let last = undefined;
    while (!run.over) {
      const { value, done } = await IteratorPrototypeNext(generator);
      if (run.over) break;
      if (done) {
        this.#put(run, { state: last, done: true });
        return true;
      }
      last = value;
      this.#put(run, { state: value });
    }
    if (typeof generator.return === "function") await IteratorPrototypeReturn(generator);
    return true;
  }

  #put(run, value) {
    op_shared_put(run.handle, encodeJson(value, `The shared state "${this.#name}"`));
  }
}

/**
 * An asynchronous iterator over the values that the host keeps under a name, always the latest. It ends with the
 * exchange that iterates.
 * @typedef {object} Following
 * @property {() => void} [begin] called at the beginning
 * @property {() => void} [end] called at the end
 * @property {unknown} [initial] the first value, returned at once
 * @property {(value: any, isFirst: boolean) => { state: unknown, done?: boolean } | null} read converts a stored value;
 * null: it is left out
 *
 * @param {string} name
 * @param {string} name
 * @param {boolean} ofCode whether the value is shared only among isolates that run the same code
 */
export function latestOf(name, ofCode, { begin, end, initial, read }) {
  let handle = -1;
  let seen = 0;
  let isFirst = true;
  let isOver = false;
  let exchange = undefined;
  const finish = () => {
    if (isOver) return;
    isOver = true;
    exchange?.offEnd(finish);
    if (handle === -1) return;
    op_shared_close(handle);
    end?.();
  };
  const open = () => {
    handle = op_shared_open(name, ofCode);
    begin?.();
    exchange = currentExchange();
    exchange?.onEnd(finish);
  };
  return {
    __proto__: null,
    async next() {
      if (!isOver && handle === -1) {
        open();
        if (initial !== undefined) return { value: initial, done: false };
      }
      while (!isOver) {
        const put = await op_shared_next(handle, seen);
        if (put === null || isOver) break;
        seen = put.version;
        let found;
        try {
          found = read(JSONParse(put.json), isFirst);
        } catch (error) {
          finish();
          throw error;
        }
        if (found === null) continue;
        isFirst = false;
        if (found.done) finish();
        return { value: found.state, done: false };
      }
      finish();
      return { value: undefined, done: true };
    },
    return(value) {
      finish();
      return PromiseResolve({ value, done: true });
    },
    [SymbolAsyncIterator]() {
      return this;
    },
  };
}

/** Runs `callback` so that all that it starts belongs to no exchange, and does not end with one. */
function outsideOfExchanges(callback) {
  const outer = core.getAsyncContext();
  core.setAsyncContext(undefined);
  try {
    return callback();
  } finally {
    core.setAsyncContext(outer);
  }
}
