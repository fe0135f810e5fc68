// How records reach observers: each collects them, and gets them in one emission; a batch postpones that.

import { isPromise } from "../errors/exceptions.js";
import { copyOf, definitions, Descriptor, listenersOf, MethodCall, stateOf, states, targetOf } from "./objects.js";
import {
  ArrayPrototypeFilter,
  ArrayPrototypeFindIndex,
  ArrayPrototypeIncludes,
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  ArrayPrototypePop,
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  ArrayPrototypeSplice,
  MathMax,
  ObjectAssign,
  ObjectIs,
  ObjectKeys,
  PromisePrototypeFinally,
  PromisePrototypeThen,
  PromiseResolve,
  SafeArrayIterator,
  SafeSet,
  TypeError,
} from "../primordials.js";

/** Sinks to flush when the open batch ends; null when none is open. */
let touched = null;
/** The innermost open batch. */
let scope = null;
/** How to end the callbacks that run, the innermost last. Each returns its observation. */
const telling = [];

/** For the host, which stopped the code that ran: takes the open batches and callbacks. */
export function takeOpen() {
  const open = [touched, scope, ArrayPrototypeSplice(telling, 0)];
  touched = scope = null;
  return open;
}

export function emit(target, records) {
  if (records.length === 0) return;
  const listeners = listenersOf(target);
  if (listeners === null) return;
  for (let i = 0; i < listeners.length; i++) listeners[i].collect(records);
  if (touched === null) flush(ArrayPrototypeMap(listeners, ({ sink }) => sink));
  else for (let i = 0; i < listeners.length; i++) touched.add(listeners[i].sink);
}

/** For the host: properties of `target` are others now by themselves; `before` gives their former values. */
export function announce(target, before) {
  if (listenersOf(target) === null) return;
  const previous = before();
  const changed = ArrayPrototypeFilter(ObjectKeys(previous), (key) => !ObjectIs(previous[key], target[key]));
  emit(target, ArrayPrototypeMap(changed, (key) => {
    const rest = { value: target[key], isUpdate: true, oldValue: previous[key], related: changed };
    return ObjectAssign(new Descriptor("set", target, key, rest), { status: true });
  }));
}

/** Flushes every sink, whatever the others throw. */
function flush(sinks) {
  let failed = false;
  let failure;
  for (const sink of new SafeArrayIterator(sinks)) {
    try {
      sink.flush();
    } catch (error) {
      if (!failed) failure = error;
      failed = true;
    }
  }
  if (failed) throw failure;
}

/**
 * Runs `callback`; each observer gets everything that it changed in one emission at its end. When the callback is
 * asynchronous, this holds to the end of its promise for the observers of `target`, and for all others to its first
 * await. Observers added meanwhile get nothing of the batch.
 */
export function batch(target, callback) {
  target = targetOf(target, "batch");
  const outer = { touched, scope };
  const own = { open: true, held: null };
  touched ??= new SafeSet();
  scope = own;
  try {
    const result = callback(target);
    if (!isPromise(result)) return result;
    hold(target, own);
    return PromisePrototypeFinally(PromiseResolve(result), () => release(target, own));
  } finally {
    scope = outer.scope;
    if (own.held === null) own.open = false;
    if (outer.touched === null) {
      const sinks = touched;
      touched = null;
      flush([...sinks.values()]);
    }
  }
}

function hold(target, own) {
  const all = ArrayPrototypeMap(listenersOf(target) ?? [], ({ sink }) => sink);
  const sinks = ArrayPrototypeFilter(all, (sink) => sink.mutedBy !== own);
  own.held = new SafeSet(sinks);
  for (const sink of own.held.values()) sink.held += 1;
  stateOf(target).hold = own;
}

function release(target, own) {
  own.open = false;
  const state = states.get(target);
  if (state?.hold === own) state.hold = null;
  for (const sink of own.held.values()) sink.held -= 1;
  flush([...own.held.values()]);
}

/** One observer's callback, and the records that wait for it. */
export class Observation {
  held = 0;
  mutedBy;
  #callback;
  #single;
  #options;
  #waiting = [];
  /** The records that the callback has now, or null while it does not run. */
  #current = null;
  #closed = false;

  /** @param {boolean} single whether the callback takes one record at a time */
  constructor(target, callback, single, options) {
    if (typeof callback !== "function") throw new TypeError("Observer.observe() takes keys, then a callback.");
    if (!ArrayPrototypeIncludes(RECURSIONS, options.recursions)) {
      const known = ArrayPrototypeJoin(ArrayPrototypeSlice(RECURSIONS, 1), ", ");
      throw new TypeError(`recursions "${options.recursions}": there are ${known}`);
    }
    this.mutedBy = scope ?? states.get(target)?.hold ?? null;
    this.#callback = callback;
    this.#single = single;
    this.#options = options;
  }

  offer(records) {
    const { recursions } = this.#options;
    if (this.#closed || this.mutedBy?.open) return;
    if (this.#current !== null && recursions === undefined) return;
    const injects = recursions === "inject" && this.#current !== null && !this.#single;
    const list = injects ? this.#current : this.#waiting;
    for (const record of new SafeArrayIterator(records)) {
      const shown = this.#show(record);
      if (shown !== null) ArrayPrototypePush(list, shown);
    }
  }

  /** The record as this observer wants it, or null. */
  #show(record) {
    if (record instanceof MethodCall) return this.#options.withArrayMethodDescriptors && !this.#single ? record : null;
    if (this.#options.diff && record.type !== "delete" && ObjectIs(record.value, record.oldValue)) return null;
    if (!this.#options.withPropertyDescriptors) return record;
    const definition = definitions.get(record);
    return definition === undefined ? record : copyOf(definition, { path: record.path });
  }

  flush() {
    if (this.#waiting.length === 0 || this.held > 0 || this.#closed) return;
    const running = this.#current;
    if (running !== null) {
      const { recursions } = this.#options;
      if (recursions === "force-async") PromisePrototypeThen(PromiseResolve(), () => this.flush());
      // All others wait for the callback to return, which is when the loop below looks again.
      if (recursions !== "force-sync") return;
    }
    do {
      this.#current = this.#takeEmission();
      ArrayPrototypePush(telling, () => (this.#current = running, this));
      try {
        if (this.#single) this.#tellEach(this.#current);
        else this.#callback(this.#current);
      } finally {
        ArrayPrototypePop(telling)();
      }
    } while (this.#waiting.length > 0 && !this.#closed && this.#options.recursions !== "force-async");
  }

  /** What the callback gets next: all that waits, but the record of a method call always alone. */
  #takeEmission() {
    const call = ArrayPrototypeFindIndex(this.#waiting, (record) => record instanceof MethodCall);
    const count = call === -1 ? this.#waiting.length : MathMax(call, 1);
    return ArrayPrototypeSplice(this.#waiting, 0, count);
  }

  #tellEach(records) {
    for (const record of new SafeArrayIterator(records)) if (!this.#closed) this.#callback(record);
  }

  close() {
    this.#closed = true;
    this.#waiting = [];
  }
}

const RECURSIONS = [undefined, "inject", "defer", "force-sync", "force-async"];
