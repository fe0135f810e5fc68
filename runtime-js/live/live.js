// The runtime of live functions: what compiled code calls (src/script/live/), and the State that a call returns.
//
// A live function is a program of effects. Each statement is one; it runs in the order of the text, and runs again when
// something that it read has changed. A change reaches only what stands below the statement that made it, and each
// effect runs at most once for it. A statement that holds others (a block, a loop) gives up what it holds when it runs
// again. How a block ends (a return, a break) is kept for each effect, so that when one stops returning, what stands
// below it begins to run, and the other way round.

import { abort, isPromise } from "../errors/exceptions.js";
import { ARRAY_METHODS } from "../port/deltas.js";
import { isObject, MethodCall, nameOf, register, unproxy, unregister } from "../observer/objects.js";
import { Observer } from "../observer/observer.js";
import { proxy } from "../observer/reactive.js";
import { Attempt, Block, Items, Iteration, Keys, Rounds, Steps } from "./blocks.js";
import {
  ArrayIsArray,
  ArrayPrototypeAt,
  ArrayPrototypeEvery,
  ArrayPrototypeFindIndex,
  ArrayPrototypeFindLast,
  ArrayPrototypeIncludes,
  ArrayPrototypePop,
  ArrayPrototypePush,
  ArrayPrototypeShift,
  ArrayPrototypeSlice,
  ArrayPrototypeSplice,
  BigInt,
  globalThis,
  MathMin,
  Number,
  Object,
  ObjectAssign,
  ObjectDefineProperties,
  ObjectDefineProperty,
  ObjectHasOwn,
  ObjectIs,
  ObjectPrototypePropertyIsEnumerable,
  ObjectSetPrototypeOf,
  PromisePrototypeThen,
  PromiseResolve,
  queueMicrotask,
  ReflectApply,
  ReflectDefineProperty,
  ReflectDeleteProperty,
  ReflectSet,
  ReflectSetPrototypeOf,
  SafeArrayIterator,
  SafeMap,
  SafeSet,
  String,
  Symbol,
  SymbolAsyncIterator,
  SymbolIterator,
  SymbolToStringTag,
  TypeError,
} from "../primordials.js";

// -- programs --------------------------------------------------------------------------------------------------------

/** Effects whose code runs right now, the innermost last. */
const active = [];

/** Programs that run what has to run again, the innermost last. */
const running = [];

/** For the host: it stopped the code that ran. The programs that were running go on with what is left to run. */
export function programsStopped() {
  active.length = 0;
  for (const program of new SafeArrayIterator(ArrayPrototypeSplice(running, 0))) {
    program.stopped();
    queueMicrotask(() => program.flush());
  }
}

/** Called with each new program: its owner disposes of it. Returns what is called when the program ends earlier. */
let adopt = () => {};

/** For the host: `adopt(dispose)` is called for each program that begins on its own, and returns what releases it. */
export function setProgramOwner(adopter) {
  adopt = adopter;
}

/** What a call of a live function returns: `value` is what the function returns now. */
export class State {
  #program;

  constructor(program) {
    this.#program = program;
    ObjectDefineProperty(this, "value", { __proto__: null, value: undefined, enumerable: true, configurable: true });
  }

  get [SymbolToStringTag]() {
    return "LiveProgramHandle";
  }

  /** Ends the program: nothing of it runs again. */
  dispose() {
    this.#program.dispose();
  }

  /** The same as {@link dispose}. */
  abort() {
    this.dispose();
  }
}

/** One run of a live function. It is the sink of all observations that its effects make. */
class Program {
  held = 0;
  mutedBy = null;
  disposed = false;
  /** Effects that wait for an `await` of theirs. */
  pending = new SafeSet();
  /** Objects whose properties were read. @type {Map<object, Watch>} */
  watches = new SafeMap();
  /** What has to run again, in the order of the text. */
  #queue = [];
  #running = false;
  #failures = [];
  #state = new State(this);
  #release = undefined;

  constructor(closure, isAsync) {
    this.isAsync = isAsync;
    this.parent = ArrayPrototypeAt(active, -1) ?? null;
    this.depth = this.parent === null ? 0 : this.parent.program.depth + 1;
    this.root = new Effect(this, null, 0, closure);
    if (this.parent === null) this.#release = adopt(() => this.dispose());
    else this.parent.onStop(() => this.dispose());
  }

  /** Runs the function. @returns {State | Promise<State>} */
  start() {
    const failed = (error) => {
      this.dispose();
      throw error;
    };
    const started = attempt(() => this.root.run(), failed);
    return after(started, () => {
      this.#publish();
      this.flush();
      return this.#state;
    });
  }

  /** Something that a task depends on has changed. Effects flow down: what stands above the cause is not touched. */
  enqueue(task) {
    if (task.queued || task.disposed || this.disposed) return;
    const cause = ArrayPrototypeFindLast(active, ({ program }) => program === this);
    if (cause !== undefined && !task.follows(cause)) return;
    this.add(task);
  }

  add(task) {
    task.queued = true;
    let low = 0;
    let high = this.#queue.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(this.#queue[middle].path, task.path) <= 0) low = middle + 1;
      else high = middle;
    }
    ArrayPrototypeSplice(this.#queue, low, 0, task);
  }

  /** Runs what has to run again, outer programs first: they may give this one up. */
  flush() {
    this.parent?.program.flush();
    if (this.#running || this.held > 0 || this.disposed) return;
    this.#running = true;
    ArrayPrototypePush(running, this);
    try {
      for (let task = this.#next(); task !== undefined; task = this.#next()) this.#perform(task);
    } finally {
      ArrayPrototypePop(running);
      this.#running = false;
    }
    if (this.#queue.length === 0 && this.pending.size === 0) this.#publish();
    if (this.#failures.length > 0) throw ArrayPrototypeShift(this.#failures);
  }

  /** The host stopped what it ran. */
  stopped() {
    this.#running = false;
  }

  /** The first task that need not wait for an effect before it, or around which it is. */
  #next() {
    const isReady = ({ path }) => {
      for (const { path: other } of this.pending.values()) {
        if (!contains(other, path) && compare(path, other) > 0) return false;
        if (contains(path, other)) return false;
      }
      return true;
    };
    const index = ArrayPrototypeFindIndex(this.#queue, (task) => task.disposed || isReady(task));
    if (index === -1) return undefined;
    const { 0: task } = ArrayPrototypeSplice(this.#queue, index, 1);
    task.queued = false;
    return task;
  }

  #perform(task) {
    if (task.disposed) return;
    const failed = (error) => this.#failed(task, error);
    const performed = attempt(() => task.perform(), failed);
    // What fails after an await has no caller left.
    if (isPromise(performed)) PromisePrototypeThen(performed, () => this.flush());
  }

  #failed(task, error) {
    for (let effect = task.effect ?? task; effect.parent !== null; effect = effect.parent) {
      if (effect.owner.catches?.(effect)) return effect.owner.caught(error);
    }
    ArrayPrototypePush(this.#failures, error);
    return undefined;
  }

  #publish() {
    const { completion } = this.root;
    const value = completion?.type === "return" ? completion.value : undefined;
    if (this.disposed || ObjectIs(value, this.#state.value)) return;
    Observer.defineProperty(this.#state, "value", { __proto__: null, value, enumerable: true, configurable: true });
  }

  /** What follows the properties of an object. */
  watch(object) {
    let watch = this.watches.get(object);
    if (watch === undefined) this.watches.set(object, watch = new Watch(this, object));
    return watch;
  }

  dispose() {
    if (this.disposed) return;
    this.disposed = true;
    this.#queue = [];
    this.#release?.();
    this.root.dispose();
  }
}

/** Lists of indexes, from the outermost block to the innermost, are in the order of the text. */
function compare(a, b) {
  const length = MathMin(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

function contains(outer, inner) {
  return outer.length < inner.length && ArrayPrototypeEvery(outer, (index, depth) => index === inner[depth]);
}

/** Goes on with a value, or when it is a promise, with what that becomes. */
export function after(value, next) {
  return isPromise(value) ? PromisePrototypeThen(value, next) : next(value);
}

/** Runs something that may fail now or later. */
export function attempt(run, failed) {
  try {
    const result = run();
    return isPromise(result) ? PromisePrototypeThen(result, undefined, failed) : result;
  } catch (error) {
    return failed(error);
  }
}

// -- what effects follow ---------------------------------------------------------------------------------------------

/** Something that changes, and the tasks that run again when it does. */
class Source {
  tasks = new SafeSet();
  #empty;

  constructor(empty = undefined) {
    this.#empty = empty;
  }

  remove(task) {
    this.tasks.delete(task);
    if (this.tasks.size === 0) this.#empty?.();
  }
}

/** Cells of variables that were assigned: what follows them runs again, each once. */
function changed(cells) {
  const programs = new SafeSet();
  for (const { tasks } of new SafeArrayIterator(cells)) {
    for (const task of tasks.values()) {
      task.program.enqueue(task);
      programs.add(task.program);
    }
  }
  for (const program of programs.values()) program.flush();
}

export const ALL = Symbol("all");

/** Listens to one object on behalf of a program. */
class Watch {
  /** @type {Map<string | symbol, Source>} */
  #sources = new SafeMap();

  constructor(program, object) {
    this.sink = program;
    this.object = object;
    register(object, this);
  }

  /** A property of the object, or all of it. */
  source(name) {
    let source = this.#sources.get(name);
    if (source === undefined) {
      source = new Source(() => {
        this.#sources.delete(name);
        if (this.#sources.size > 0) return;
        this.sink.watches.delete(this.object);
        unregister(this.object, this);
      });
      this.#sources.set(name, source);
    }
    return source;
  }

  collect(records) {
    for (const record of new SafeArrayIterator(records)) {
      if (record instanceof MethodCall) continue;
      this.#tell(nameOf(record.key));
      this.#tell(ALL);
    }
  }

  #tell(name) {
    const source = this.#sources.get(name);
    if (source === undefined) return;
    for (const task of source.tasks.values()) this.sink.enqueue(task);
  }
}

// -- what changes things ---------------------------------------------------------------------------------------------

/** Functions that change their first argument. */
const MUTATORS = new SafeSet([
  ObjectAssign,
  ObjectDefineProperties,
  ObjectDefineProperty,
  ObjectSetPrototypeOf,
  ReflectDefineProperty,
  ReflectDeleteProperty,
  ReflectSet,
  ReflectSetPrototypeOf,
]);
/** A shallow proxy that is the same for the same object. */
const SHALLOW = { membrane: Symbol("live") };

/** Makes changes and emits them. Code that is not live calls these as they are; effects are named as their cause. */
class Writer {
  tell(change) {
    return change();
  }

  /** A variable was assigned. */
  wrote(cell, value) {
    this.tell(() => changed([cell]));
    return value;
  }

  /** Several variables were assigned at once. */
  wroteAll(...cells) {
    this.tell(() => changed(cells));
  }

  wroteGlobal(name, value) {
    this.tell(() => Observer.set(globalThis, name, globalThis[name]));
    return value;
  }

  constant() {
    throw new TypeError("Assignment to constant variable.");
  }

  set(object, key, value) {
    return this.tell(() => {
      // The language has its own words for what has no properties.
      if (!isObject(object)) object[key] = value;
      else if (Observer.set(object, key, unproxy(value)) === false) {
        throw new TypeError(`Cannot assign to read only property '${String(key)}' of object`);
      }
      return value;
    });
  }

  delete(object, key) {
    if (!isObject(object)) return delete object[key];
    if (this.tell(() => Observer.deleteProperty(object, key)) === false) {
      throw new TypeError(`Cannot delete property '${String(key)}' of object`);
    }
    return true;
  }

  increment(object, key) {
    return this.set(object, key, step(numeric(object[key]), 1));
  }

  decrement(object, key) {
    return this.set(object, key, step(numeric(object[key]), -1));
  }

  incrementLater(object, key) {
    const value = numeric(object[key]);
    this.set(object, key, step(value, 1));
    return value;
  }

  decrementLater(object, key) {
    const value = numeric(object[key]);
    this.set(object, key, step(value, -1));
    return value;
  }

  call(object, key, args) {
    const method = object[key];
    if (typeof method !== "function") throw new TypeError(`${String(key)} is not a function`);
    return this.tell(() => {
      if (ArrayIsArray(object) && ARRAY_METHODS.has(key) && unproxy(object) === object) {
        return unproxy(ReflectApply(proxy(object, SHALLOW)[key], proxy(object, SHALLOW), args));
      }
      if (MUTATORS.has(method) && isObject(args[0])) {
        const rest = ArrayPrototypeSlice(args, 1);
        return unproxy(method(proxy(args[0], SHALLOW), ...new SafeArrayIterator(rest)));
      }
      return ReflectApply(method, object, args);
    });
  }
}

function numeric(value) {
  return typeof value === "bigint" ? value : Number(value);
}

function step(value, by) {
  return typeof value === "bigint" ? value + BigInt(by) : value + by;
}

// -- effects ---------------------------------------------------------------------------------------------------------

/**
 * How a statement ended, where that is not at its end.
 * @typedef {{ type: "return" | "break" | "continue", label?: string, value?: unknown }} Completion
 */

/** One statement of a live function while it is in force. Its methods are what the compiled statement calls. */
export class Effect extends Writer {
  queued = false;
  disposed = false;
  /** @type {Completion | undefined} */
  completion = undefined;
  #closure;
  #argument;
  #sources = new SafeSet();
  /** What the statement holds: a block, rounds, a try. */
  #holds = null;
  #labels = [];
  #takesBreaks = false;
  #cleanups = [];
  /** Counts runs, so that one that goes on after an await knows whether it still is in force. */
  #run = 0;

  /** @param {object | null} owner what holds this effect */
  constructor(program, parent, index, closure, owner = null, argument = undefined) {
    super();
    this.program = program;
    this.parent = parent;
    this.path = parent === null ? [] : [...new SafeArrayIterator(parent.path), index];
    this.owner = owner;
    this.#closure = closure;
    this.#argument = argument;
  }

  /** Whether a change that `cause` makes reaches this. */
  follows(cause) {
    return compare(this.path, cause.path) > 0 && !contains(cause.path, this.path);
  }

  tell(change) {
    if (ArrayPrototypeAt(active, -1) === this) return change();
    ArrayPrototypePush(active, this);
    try {
      return change();
    } finally {
      ArrayPrototypePop(active);
    }
  }

  /** Runs the statement. Returns a promise where that takes time. */
  run() {
    this.#stop();
    const before = this.#sources;
    this.#sources = new SafeSet();
    const run = this.#run += 1;
    const finish = (completion) => {
      if (run !== this.#run || this.disposed) return;
      for (const source of before.values()) if (!this.#sources.has(source)) source.remove(this);
      this.completion = this.#absorb(completion);
    };
    let result;
    try {
      result = this.tell(() => this.#closure(this, this.#argument));
    } catch (error) {
      finish(undefined);
      throw error;
    }
    if (!isPromise(result)) return finish(result);
    this.program.pending.add(this);
    const settled = (completion) => {
      this.program.pending.delete(this);
      finish(completion);
    };
    return PromisePrototypeThen(result, settled, (error) => {
      settled(undefined);
      // Its end is no longer awaited.
      if (run === this.#run && !this.disposed) throw error;
    });
  }

  /** Runs it again, because something has changed. */
  perform() {
    const before = this.completion;
    return after(this.run(), () => this.#told(before));
  }

  /** What this holds ends in another way than before. */
  settle(completion) {
    const before = this.completion;
    this.completion = this.#absorb(completion);
    return this.#told(before);
  }

  #told(before) {
    if (this.disposed || (before === undefined && this.completion === undefined)) return undefined;
    return this.owner?.changed(this, before);
  }

  #absorb(completion) {
    if (completion?.type !== "break") return completion;
    const isOurs = completion.label === undefined ? this.#takesBreaks : ArrayPrototypeIncludes(this.#labels, completion.label);
    return isOurs ? undefined : completion;
  }

  onStop(cleanup) {
    ArrayPrototypePush(this.#cleanups, cleanup);
  }

  #stop() {
    this.#holds?.dispose();
    this.#holds = null;
    this.#labels = [];
    this.#takesBreaks = false;
    for (const cleanup of new SafeArrayIterator(ArrayPrototypeSplice(this.#cleanups, 0))) cleanup();
  }

  dispose() {
    if (this.disposed) return;
    this.disposed = true;
    this.program.pending.delete(this);
    this.#stop();
    for (const source of this.#sources.values()) source.remove(this);
    this.#sources.clear();
  }

  // -- reading

  follow(source) {
    if (this.disposed) return;
    this.#sources.add(source);
    source.tasks.add(this);
  }

  /** Follows all that another effect, and what it holds, follow. */
  inherit(effect) {
    for (const source of effect.#sources.values()) this.follow(source);
    for (const child of new SafeArrayIterator(effect.#holds?.children ?? [])) this.inherit(child);
  }

  #followProperty(object, name) {
    if (isObject(object)) this.follow(this.program.watch(unproxy(object)).source(name));
  }

  read(cell, value) {
    this.follow(cell);
    return value;
  }

  global(name, value) {
    // What the platform provides is not enumerable, and does not change.
    if (ObjectPrototypePropertyIsEnumerable(globalThis, name)) this.#followProperty(globalThis, name);
    return value;
  }

  get(object, key) {
    const name = typeof key === "symbol" ? key : String(key);
    this.#followProperty(object, name);
    return object[name];
  }

  /** Everything that an object has. */
  all(object) {
    this.#followProperty(object, ALL);
    return object;
  }

  call(object, key, args) {
    if (ArrayIsArray(object) && !ARRAY_METHODS.has(key)) this.all(object);
    else if (isObject(object) && ObjectHasOwn(object, key)) this.#followProperty(object, nameOf(key));
    return super.call(object, key, args);
  }

  /** What an array pattern takes its items from. */
  items(value, count = Infinity) {
    if (ArrayIsArray(value)) return value;
    const items = [];
    if (count === 0) return items;
    for (const item of value) if (ArrayPrototypePush(items, item) === count) break;
    return items;
  }

  restOfArray(source, except) {
    return this.#rest(source, [], { except, spread: true });
  }

  restOfObject(source, except) {
    return isObject(source) ? this.#rest(source, {}, { except }) : { ...source };
  }

  #rest(source, copy, options) {
    const mirroring = Observer.map(source, copy, options);
    this.onStop(() => abort(mirroring));
    return copy;
  }

  // -- control flow

  return(value) {
    const completion = (value) => ({ type: "return", value });
    return this.program.isAsync && isPromise(value) ? PromisePrototypeThen(PromiseResolve(value), completion) : completion(value);
  }

  break(label) {
    return { type: "break", label };
  }

  continue(label) {
    return { type: "continue", label };
  }

  label(name) {
    ArrayPrototypePush(this.#labels, name);
  }

  /** Whether a `continue` is for the loop that this is. */
  isContinued({ type, label }) {
    return type === "continue" && (label === undefined || ArrayPrototypeIncludes(this.#labels, label));
  }

  #hold(holding) {
    if (this.disposed) return undefined;
    this.#holds?.dispose();
    return this.#holds = holding;
  }

  block(closures) {
    return this.#hold(new Block(this, closures))?.proceed(0);
  }

  switch(closures, start) {
    this.#takesBreaks = true;
    return this.#hold(new Block(this, closures))?.proceed(start);
  }

  try(body, handler, finalizer) {
    return this.#hold(new Attempt(this, body, handler, finalizer))?.start();
  }

  /** A loop that the language runs begins. */
  loop() {
    this.#takesBreaks = true;
    this.#hold(new Rounds(this));
  }

  /** One round of it. Returns whether it was the last. */
  round(closure) {
    return this.#holds instanceof Rounds ? this.#holds.round(closure) : true;
  }

  /** It is over. */
  rounds() {
    return this.#holds?.completion;
  }

  each(iterable, closure) {
    const items = ArrayIsArray(iterable) ? new Items(unproxy(iterable)) : new Steps(iterable[SymbolIterator]());
    return this.#iterate(items, closure);
  }

  keys(object, closure) {
    return this.#iterate(new Keys(isObject(object) ? unproxy(object) : Object(object ?? {})), closure);
  }

  stream(iterable, closure) {
    const iterator = iterable[SymbolAsyncIterator]?.() ?? iterable[SymbolIterator]();
    return this.#iterate(new Steps(iterator, true), closure);
  }

  #iterate(items, closure) {
    this.#takesBreaks = true;
    return this.#hold(new Iteration(this, items, closure))?.start();
  }
}

// -- what compiled code calls ----------------------------------------------------------------------------------------

/** The functions for code that is not live, and for what begins a program. */
class Live extends Writer {
  /** The signal of changes of a variable, which stands beside it. */
  cell() {
    return new Source();
  }

  run(closure) {
    return new Program(closure, false).start();
  }

  runAsync(closure) {
    return new Program(closure, true).start();
  }
}

export const live = new Live();
