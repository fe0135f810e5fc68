// The host's own `@webqit/observer`: changes of plain objects and arrays, told synchronously to whoever observes them.
//
// A change is seen when it goes through this API, through a proxy of it, or through an accessorized property; a plain
// assignment to the raw object is not. All state is in weak maps beside the objects, so that frozen objects can be
// observed too and nothing shows on them. A change takes three steps: it is performed (through interceptors), every
// listener collects it, and then every listener is told; a batch only postpones the last step. Because all collect
// before any is told, each listener gets changes in the order in which they happened, even those made by listeners.
//
// No host API is needed, so that this also runs in Node and in browsers. Trees of objects and proxies are the matter of
// observer/reactive.js; the two files name each other's functions, and neither calls the other while it loads.

import { abort, isPromise } from "../errors/exceptions.js";
import { proxy, subscribe, TreeListener, unproxy } from "./reactive.js";
import {
  AbortController,
  AbortControllerPrototypeGetSignal,
  AbortSignalPrototypeGetAborted,
  ArrayFrom,
  ArrayIsArray,
  ArrayPrototypeAt,
  ArrayPrototypeFilter,
  ArrayPrototypeFindIndex,
  ArrayPrototypeFlat,
  ArrayPrototypeForEach,
  ArrayPrototypeIncludes,
  ArrayPrototypeIndexOf,
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  ArrayPrototypePop,
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  ArrayPrototypeSome,
  ArrayPrototypeSplice,
  Boolean,
  EventTargetPrototypeAddEventListener,
  EventTargetPrototypeRemoveEventListener,
  FunctionPrototypeCall,
  MathMax,
  Number,
  ObjectAssign,
  ObjectFreeze,
  ObjectFromEntries,
  ObjectGetOwnPropertyDescriptor,
  ObjectGetPrototypeOf,
  ObjectHasOwn,
  ObjectIs,
  ObjectKeys,
  ObjectPrototypePropertyIsEnumerable,
  PromisePrototypeFinally,
  PromisePrototypeThen,
  PromiseResolve,
  ReflectApply,
  ReflectConstruct,
  ReflectDefineProperty,
  ReflectDeleteProperty,
  ReflectGet,
  ReflectGetOwnPropertyDescriptor,
  ReflectGetPrototypeOf,
  ReflectHas,
  ReflectIsExtensible,
  ReflectOwnKeys,
  ReflectPreventExtensions,
  ReflectSet,
  ReflectSetPrototypeOf,
  SafeArrayIterator,
  SafeMap,
  SafeSet,
  SafeWeakMap,
  SafeWeakSet,
  String,
  Symbol,
  SymbolToStringTag,
  TypeError,
} from "../primordials.js";

export { proxy, subscribe, unproxy };

// -- what is known of an object --------------------------------------------------------------------------------------

/**
 * What one object's observers need. `listeners` collect its changes, `snapshot` is their list while nobody comes or
 * goes, `traps` intercept operations, `cells` hold the values of accessorized properties, `hold` is the asynchronous
 * batch that is open on it.
 */
class State {
  listeners = new SafeSet();
  snapshot = null;
  traps = null;
  cells = null;
  hold = null;
}

/** @type {WeakMap<object, State>} */
const states = new SafeWeakMap();
/** Lists of keys that path() made. */
const paths = new SafeWeakSet();

let registrations = 0;

/** For tests and the host: how many listeners are registered on objects right now. */
export function countRegistrations() {
  return registrations;
}

function stateOf(target) {
  let state = states.get(target);
  if (state === undefined) states.set(target, state = new State());
  return state;
}

export function register(target, listener) {
  const state = stateOf(target);
  state.listeners.add(listener);
  state.snapshot = null;
  registrations += 1;
}

export function unregister(target, listener) {
  const state = states.get(target);
  if (!state?.listeners.delete(listener)) return;
  registrations -= 1;
  state.snapshot = null;
  const idle = state.listeners.size === 0 && state.traps === null && state.cells === null && state.hold === null;
  if (idle) states.delete(target);
}

function listenersOf(target) {
  const state = states.get(target);
  if (state === undefined || state.listeners.size === 0) return null;
  return state.snapshot ??= [...state.listeners.values()];
}

/** The raw object that an argument stands for. */
export function targetOf(value, operation) {
  if (isObject(value)) return unproxy(value);
  throw new TypeError(`Observer.${operation}() takes an object, not ${value === null ? "null" : `a ${typeof value}`}.`);
}

export function isObject(value) {
  return value !== null && (typeof value === "object" || typeof value === "function");
}

export function isIndex(key) {
  return typeof key === "string" && String(key >>> 0) === key && key !== "4294967295";
}

/** Keys as properties have them. */
export function nameOf(key) {
  return typeof key === "symbol" ? key : String(key);
}

export const isEnumerable = (object, key) => ObjectPrototypePropertyIsEnumerable(object, key);

// -- records ---------------------------------------------------------------------------------------------------------

/** One operation on one property, as interceptors and observers see it. */
export class Descriptor {
  constructor(type, target, key, { value, isUpdate, oldValue, related, operation, detail }) {
    this.type = type;
    this.target = target;
    this.key = key;
    this.value = value;
    this.isUpdate = isUpdate;
    this.oldValue = oldValue;
    this.related = related ?? [key];
    this.operation = operation ?? type;
    this.detail = detail;
    this.status = undefined;
    this.path = undefined;
  }

  get [SymbolToStringTag]() {
    return "Descriptor";
  }
}

export function copyOf(record, changes) {
  const copy = ObjectAssign(new Descriptor(record.type, record.target, record.key, record), record, changes);
  const definition = definitions.get(record);
  if (definition !== undefined) definitions.set(copy, definition);
  return copy;
}

/** Says that an array's method was called, to those who want to know. */
export class MethodCall {
  constructor(target, operation, argumentsList) {
    this.operation = operation;
    this.argumentsList = argumentsList;
    this.target = target;
    this.path = undefined;
  }
}

/** For `set` records that came from defineProperty(): the `def` record. @type {WeakMap<Descriptor, Descriptor>} */
const definitions = new SafeWeakMap();

// -- operations ------------------------------------------------------------------------------------------------------

/** Performs an operation through the target's interceptors, the first registered first. */
function through(record, perform) {
  const traps = states.get(record.target)?.traps;
  if (!traps) return perform();
  const name = record.type === "delete" ? "deleteProperty" : record.type === "def" ? "defineProperty" : record.type;
  const named = ArrayPrototypeMap([...traps.values()], (trap) => trap[name]);
  const handlers = ArrayPrototypeFilter(named, (handler) => typeof handler === "function");
  const step = (index, given, result) => {
    if (index === handlers.length) return given ? result : perform();
    // next() goes on; next(result) goes on with a result, and then the operation itself is not performed.
    const next = (...results) => step(index + 1, given || results.length > 0, results.length > 0 ? results[0] : result);
    return handlers[index](record, result, next);
  };
  return step(0, false, undefined);
}

/** For proxies: whether changes of a raw target go through interceptors. */
export function isIntercepted(target) {
  return Boolean(states.get(target)?.traps);
}

/** Performs an operation that changes nothing which observers see. */
function query(type, target, key, perform, extra) {
  if (!states.get(target)?.traps) return perform(extra);
  const record = ObjectAssign(new Descriptor(type, target, key, {}), extra);
  return through(record, () => perform(record));
}

/** Performs a change; what it did is added to `records`. Returns its status. */
function change(record, perform, records) {
  const { target, key } = record;
  const length = ArrayIsArray(target) ? target.length : -1;
  const isDefinition = record.type === "def";
  const oldValue = isDefinition && record.isUpdate ? target[key] : undefined;
  const value = isDefinition ? record.value.value : record.value;
  const cut = length >= 0 && key === "length" ? itemsFrom(target, value) : [];
  record.status = through(record, perform);
  if (!record.status) return record.status;

  const { related, operation, detail, status } = record;
  const side = (type, key, rest) => {
    const other = new Descriptor(type, target, key, { ...rest, related, operation, detail });
    other.status = status;
    ArrayPrototypePush(records, other);
    return other;
  };
  for (const { 0: index, 1: oldValue } of new SafeArrayIterator(cut)) {
    if (!ObjectHasOwn(target, index)) side("delete", index, { oldValue });
  }
  if (isDefinition) {
    definitions.set(side("set", key, { value: target[key], isUpdate: record.isUpdate, oldValue }), record);
  } else {
    ArrayPrototypePush(records, record);
  }
  const grown = length >= 0 && key !== "length" && target.length !== length;
  if (grown) side("set", "length", { value: target.length, isUpdate: true, oldValue: length });
  return status;
}

/** `[index, value]` of the items that an array loses when its length becomes `start`. */
function itemsFrom(array, start) {
  // Walking the indexes is right for most arrays, and endless for a sparse one.
  const indexes = array.length - start <= 4096
    ? ArrayFrom({ length: MathMax(0, array.length - start) }, (_, offset) => String(Number(start) + offset))
    : ArrayPrototypeFilter(ObjectKeys(array), (key) => isIndex(key) && Number(key) >= start);
  const there = ArrayPrototypeFilter(indexes, (index) => ObjectHasOwn(array, index));
  return ArrayPrototypeMap(there, (index) => [index, array[index]]);
}

function assign(target, key, value, options, records) {
  const isUpdate = ObjectHasOwn(target, key);
  const oldValue = isUpdate ? target[key] : undefined;
  if (options.diff && isUpdate && ObjectIs(oldValue, value)) return undefined;
  const { related, operation = "set", detail } = options;
  const record = new Descriptor("set", target, key, { value, isUpdate, oldValue, related, operation, detail });
  return change(record, () => write(target, key, record.value, options.receiver), records);
}

function write(target, key, value, receiver) {
  const cell = states.get(target)?.cells?.get(nameOf(key));
  if (cell !== undefined) return cell.write(value);
  // A data property belongs to the target; only a setter cares through whom it is called.
  return ReflectSet(target, key, value, receiver !== undefined && hasSetter(target, key) ? receiver : target);
}

function hasSetter(target, key) {
  for (let holder = target; holder !== null; holder = ObjectGetPrototypeOf(holder)) {
    const property = ObjectGetOwnPropertyDescriptor(holder, key);
    if (property !== undefined) return property.set !== undefined;
  }
  return false;
}

function remove(target, key, options, records) {
  if (!ObjectHasOwn(target, key) && !states.get(target)?.traps) return true;
  const { related, operation = "deleteProperty", detail } = options;
  const record = new Descriptor("delete", target, key, { oldValue: target[key], related, operation, detail });
  const perform = () => {
    const status = ReflectDeleteProperty(target, key);
    if (status) forgetCell(target, key);
    return status;
  };
  return change(record, perform, records);
}

function define(target, key, property, options, records) {
  const oldValue = ObjectGetOwnPropertyDescriptor(target, key);
  const { related, operation = "defineProperty", detail } = options;
  const isUpdate = oldValue !== undefined;
  const rest = { value: property, isUpdate, oldValue, related, operation, detail };
  const record = new Descriptor("def", target, key, rest);
  const perform = () => {
    const status = ReflectDefineProperty(target, key, record.value);
    if (status) forgetCell(target, key);
    return status;
  };
  return change(record, perform, records);
}

/** Performs several changes of one target and tells of them at once. */
function changeAll(target, keys, options, perform) {
  const records = [];
  try {
    return ArrayPrototypeMap(keys, (key) => perform(key, { ...options, related: keys }, records));
  } finally {
    emit(target, records);
  }
}

/**
 * Sets one property, or each of a map's. Observers are told even when the value stays the same, unless `diff`.
 * @returns {boolean | undefined | (boolean | undefined)[]} whether it was set; undefined when `diff` found no change
 */
export function set(target, key, value, options = {}) {
  target = targetOf(target, "set");
  if (isObject(key)) {
    const perform = (name, ...rest) => assign(target, name, key[name], ...new SafeArrayIterator(rest));
    return changeAll(target, ObjectKeys(key), value ?? {}, perform);
  }
  const records = [];
  const status = assign(target, key, value, options, records);
  emit(target, records);
  return status;
}

/** Deletes a property, or several as deleteProperties() does. Nothing is told of what was not there. */
export function deleteProperty(target, key, options = {}) {
  if (ArrayIsArray(key)) return deleteProperties(target, key, options);
  target = targetOf(target, "deleteProperty");
  const records = [];
  const status = remove(target, key, options, records);
  emit(target, records);
  return status;
}

/** Deletes several properties in one emission. */
export function deleteProperties(target, keys, options = {}) {
  target = targetOf(target, "deleteProperties");
  return changeAll(target, keys, options, (key, ...rest) => remove(target, key, ...new SafeArrayIterator(rest)));
}

/** Defines a property. Observers get a `set` record with its value, or a `def` record if they ask for those. */
export function defineProperty(target, key, property, options = {}) {
  target = targetOf(target, "defineProperty");
  const records = [];
  const status = define(target, key, property, options, records);
  emit(target, records);
  return status;
}

/** Defines several properties in one emission. */
export function defineProperties(target, properties, options = {}) {
  target = targetOf(target, "defineProperties");
  const perform = (key, ...rest) => define(target, key, properties[key], ...new SafeArrayIterator(rest));
  return changeAll(target, ReflectOwnKeys(properties), options, perform);
}

/** Reads a property, or a list of them. A function as third argument gets the value and gives the result. */
export function get(target, key, receive, options = {}) {
  target = targetOf(target, "get");
  if (typeof receive !== "function") return get(target, key, (value) => value, receive ?? options);
  const receiver = options.receiver ?? target;
  if (!ArrayIsArray(key)) return receive(read(target, key, receiver));
  return receive(ArrayPrototypeMap(key, (key) => read(target, key, receiver)));
}

/** For proxies: get() of one key, for a raw target. */
export function read(target, key, receiver) {
  const state = states.get(target);
  if (state === undefined) return ReflectGet(target, key, receiver);
  const perform = () => {
    const cell = state.cells?.get(nameOf(key));
    return cell !== undefined ? cell.read() : ReflectGet(target, key, receiver);
  };
  return query("get", target, key, perform);
}

/** Whether the target has a property, or which of a list. */
export function has(target, key) {
  target = targetOf(target, "has");
  const test = (key) => query("has", target, key, () => ReflectHas(target, key));
  return ArrayIsArray(key) ? ArrayPrototypeMap(key, test) : test(key);
}

export function getOwnPropertyDescriptor(target, key) {
  target = targetOf(target, "getOwnPropertyDescriptor");
  const perform = () => ReflectGetOwnPropertyDescriptor(target, key);
  return query("getOwnPropertyDescriptor", target, key, perform);
}

export function getOwnPropertyDescriptors(target) {
  return ObjectFromEntries(ArrayPrototypeMap(ownKeys(target), (key) => [key, getOwnPropertyDescriptor(target, key)]));
}

export function ownKeys(target) {
  target = targetOf(target, "ownKeys");
  return query("ownKeys", target, undefined, () => ReflectOwnKeys(target));
}

export function getPrototypeOf(target) {
  target = targetOf(target, "getPrototypeOf");
  return query("getPrototypeOf", target, undefined, () => ReflectGetPrototypeOf(target));
}

export function setPrototypeOf(target, value) {
  target = targetOf(target, "setPrototypeOf");
  return query("setPrototypeOf", target, undefined, (now) => ReflectSetPrototypeOf(target, now.value), { value });
}

export function isExtensible(target) {
  target = targetOf(target, "isExtensible");
  return query("isExtensible", target, undefined, () => ReflectIsExtensible(target));
}

export function preventExtensions(target) {
  target = targetOf(target, "preventExtensions");
  return query("preventExtensions", target, undefined, () => ReflectPreventExtensions(target));
}

/** Calls `target` with `new`. */
export function construct(target, argumentsList, newTarget = target) {
  target = targetOf(target, "construct");
  const perform = (now) => ReflectConstruct(target, now.argumentsList, unproxy(now.newTarget));
  return query("construct", target, undefined, perform, { argumentsList, newTarget });
}

/** Calls `target`. What the call does to `thisArgument` is observed only if that is a proxy. */
export function apply(target, thisArgument, argumentsList = []) {
  target = targetOf(target, "apply");
  const perform = (now) => ReflectApply(target, now.thisArgument, now.argumentsList);
  return query("apply", target, undefined, perform, { thisArgument, argumentsList });
}

// -- telling ---------------------------------------------------------------------------------------------------------

/** Sinks to flush when the open batch ends; null when none is open. */
let touched = null;
/** The innermost open batch. */
let scope = null;
/** How to end the callbacks that run, the innermost last. Each returns its observation. */
const telling = [];

/** For the host, which stopped the code that ran: what was open, and is no more. */
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

/** Tells every sink, whatever the others throw. */
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
 * Runs `callback`; each observer hears of everything it changed in one emission at its end. When the callback is
 * asynchronous, this holds to the end of its promise for the observers of `target`, and for all others to its first
 * await. Observers added meanwhile hear nothing of the batch.
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
class Observation {
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
    if (typeof callback !== "function") throw new TypeError("Observer.observe() takes a callback after the keys.");
    if (!ArrayPrototypeIncludes(RECURSIONS, options.recursions)) {
      const known = ArrayPrototypeJoin(ArrayPrototypeSlice(RECURSIONS, 1), ", ");
      throw new TypeError(`Unknown recursions "${options.recursions}"; there are ${known}.`);
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

  /** What the callback gets next: all that waits, but the news of a method call always alone. */
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

// -- observing -------------------------------------------------------------------------------------------------------

export const SUBTREE = Symbol("subtree");

/** A path of keys to observe or reduce; `any()` stands for every key, and `subtree()` at its end for all below. */
export function path(...keys) {
  const early = ArrayPrototypeIndexOf(keys, SUBTREE);
  if (keys.length === 0) throw new TypeError("Observer.path() takes at least one key.");
  if (early !== -1 && early < keys.length - 1) throw new TypeError("In Observer.path(), subtree() comes last or not.");
  const list = ObjectFreeze(ArrayPrototypeMap(keys, (key) => key === SUBTREE || key === Infinity ? key : nameOf(key)));
  paths.add(list);
  return list;
}

/** In a path: every key of an object. */
export function any() {
  return Infinity;
}

/** What to observe to hear of changes at every depth. */
export function subtree() {
  return SUBTREE;
}

/**
 * Calls `callback` synchronously for each change of `target`: with one record when `keys` is one key or a path, with a
 * list of records when it is a list of keys, `subtree()`, or left out.
 * @returns {AbortController} what ends the observation
 */
export function observe(target, keys, callback, options) {
  if (typeof keys === "function") return observe(target, Infinity, keys, callback);
  target = targetOf(target, "observe");
  options ??= {};
  const isPath = paths.has(keys);
  const pattern = isPath ? keys : keys === SUBTREE ? [SUBTREE] : null;
  const isOne = isPath
    ? ArrayPrototypeAt(keys, -1) !== SUBTREE
    : !ArrayIsArray(keys) && keys !== Infinity && keys !== SUBTREE;
  const observation = new Observation(target, callback, isOne, options);
  if (pattern !== null) {
    return controllerOf(options.signal, () => {
      const tree = new TreeListener(target, pattern, observation);
      return () => tree.close();
    });
  }
  if (ArrayIsArray(keys) && ArrayPrototypeSome(keys, (key) => isObject(key) || key === SUBTREE)) {
    throw new TypeError("Observer.observe() takes a list of keys, or one path.");
  }
  const names = keys === Infinity ? null : new SafeSet(ArrayPrototypeMap(ArrayPrototypeFlat([keys]), nameOf));
  const collect = names === null
    ? (records) => observation.offer(records)
    : (records) => {
      const isNamed = (record) => "key" in record && names.has(nameOf(record.key));
      observation.offer(ArrayPrototypeFilter(records, isNamed));
    };
  const listener = { sink: observation, collect };
  return controllerOf(options.signal, () => {
    register(target, listener);
    return () => {
      unregister(target, listener);
      observation.close();
    };
  });
}

/** Starts something that an AbortController ends, unless `signal` says that it is over already. */
function controllerOf(signal, start) {
  const controller = new AbortController();
  if (signal && AbortSignalPrototypeGetAborted(signal)) {
    abort(controller);
    return controller;
  }
  const over = () => abort(controller);
  const stop = start();
  EventTargetPrototypeAddEventListener(AbortControllerPrototypeGetSignal(controller), "abort", () => {
    if (signal) EventTargetPrototypeRemoveEventListener(signal, "abort", over);
    stop();
  }, { once: true });
  if (signal) EventTargetPrototypeAddEventListener(signal, "abort", over, { once: true });
  return controller;
}

/**
 * Lets `traps`, or one function for the operation of that name, stand between callers and operations on `target`. A
 * trap gets `(descriptor, previous, next)`; `next()` goes on, `next(result)` goes on in place of the operation.
 * @returns {AbortController} what ends the interception
 */
export function intercept(target, traps, handler, options) {
  if (isObject(traps)) options = handler;
  else traps = { [traps]: handler };
  target = targetOf(target, "intercept");
  const own = { ...traps };
  return controllerOf(options?.signal, () => {
    const state = stateOf(target);
    (state.traps ??= new SafeSet()).add(own);
    return () => {
      state.traps?.delete(own);
      if (state.traps?.size === 0) state.traps = null;
    };
  });
}

// -- properties that tell of plain assignments -----------------------------------------------------------------------

/**
 * Turns properties (one key, a list, or all) into accessors, so that plain assignments to them are observed.
 * @returns {boolean | boolean[]} whether that was possible, for each key of a list
 */
export function accessorize(target, keys) {
  target = targetOf(target, "accessorize");
  return forKeys(keys ?? ObjectKeys(target), (key) => {
    const state = stateOf(target);
    const name = nameOf(key);
    if (state.cells?.has(name)) return true;
    const original = ReflectGetOwnPropertyDescriptor(target, key);
    const accessor = {
      get: () => read(target, key, target),
      set: (value) => {
        if (set(target, key, value) === false) throw new TypeError(`The property "${String(key)}" is read-only.`);
      },
      enumerable: original?.enumerable ?? true,
      __proto__: null,
      configurable: true,
    };
    if (original?.configurable === false || !ReflectDefineProperty(target, key, accessor)) return false;
    (state.cells ??= new SafeMap()).set(name, cellOf(target, original));
    return true;
  });
}

/** Turns accessorized properties into what they were, with the values that they have now. */
export function unaccessorize(target, keys) {
  target = targetOf(target, "unaccessorize");
  const { cells } = stateOf(target);
  return forKeys(keys ?? (cells === null ? [] : [...cells.keys()]), (key) => {
    const cell = cells?.get(nameOf(key));
    if (cell === undefined || !ReflectDefineProperty(target, key, cell.property())) return false;
    forgetCell(target, key);
    return true;
  });
}

/** What a property is that was not there. */
const NEW_PROPERTY = { __proto__: null, value: undefined, writable: true, enumerable: true, configurable: true };

/** Where the value of an accessorized property is kept. */
function cellOf(target, original = NEW_PROPERTY) {
  if (original.get !== undefined || original.set !== undefined) {
    return {
      read: () => original.get === undefined ? undefined : FunctionPrototypeCall(original.get, target),
      write: (value) => {
        if (original.set !== undefined) FunctionPrototypeCall(original.set, target, value);
        return original.set !== undefined;
      },
      property: () => original,
    };
  }
  let { value } = original;
  return {
    read: () => value,
    write: (next) => {
      if (original.writable) value = next;
      return original.writable;
    },
    property: () => ({ ...original, value }),
  };
}

function forgetCell(target, key) {
  const state = states.get(target);
  if (!state?.cells?.delete(nameOf(key))) return;
  if (state.cells.size === 0) state.cells = null;
}

function forKeys(keys, perform) {
  return ArrayIsArray(keys) ? ArrayPrototypeMap(keys, perform) : perform(keys);
}

// -- from one object to another --------------------------------------------------------------------------------------

/**
 * Walks a path: `receive(object, key, next)` is called for each of its keys, `next(value)` goes one step deeper, and
 * `final(value)` gives the result. `get` and `observe` can be passed as `receive`.
 */
export function reduce(target, path, receive, final = (value) => value) {
  const step = (object, level) => {
    return receive(object, path[level], (result) => {
      if (level + 1 === path.length) return final(result);
      return step(result instanceof Descriptor ? result.value : result, level + 1);
    });
  };
  return step(target, 0);
}

/**
 * Copies properties from `source` to `destination` and keeps them so: all of them, `only` some, or all `except` some.
 * With `spread`, items of an array close up where others are left out.
 * @returns {AbortController} what ends the mirroring
 */
export function map(source, destination, { only, except = [], spread = false, ...options } = {}) {
  source = targetOf(source, "map");
  destination = targetOf(destination, "map");
  const wantedNames = only === undefined ? null : ArrayPrototypeMap(only, nameOf);
  const leftOut = new SafeSet(ArrayPrototypeMap(except, nameOf));
  const closesUp = spread && ArrayIsArray(source) && ArrayIsArray(destination);
  const bothArrays = ArrayIsArray(source) && ArrayIsArray(destination);
  const isWanted = (name) => (wantedNames === null || ArrayPrototypeIncludes(wantedNames, name)) && !leftOut.has(name);
  const indexOf = (index) => {
    if (wantedNames !== null) return ArrayPrototypeFilter(wantedNames, (name) => isIndex(name) && Number(name) < index).length;
    return index - ArrayPrototypeFilter([...leftOut.values()], (name) => isIndex(name) && Number(name) < index).length;
  };
  const placeOf = (name) => (closesUp && isIndex(name) ? String(indexOf(Number(name))) : name);
  const mirror = ({ type, key, value }) => {
    const name = nameOf(key);
    if (bothArrays && name === "length") {
      if (wantedNames === null) set(destination, "length", closesUp ? indexOf(value) : value);
    } else if (isWanted(name)) {
      if (type === "delete") deleteProperty(destination, placeOf(name));
      else set(destination, placeOf(name), value);
    }
  };
  batch(destination, () => {
    for (const key of new SafeArrayIterator(ReflectOwnKeys(source))) {
      if (isEnumerable(source, key)) mirror({ type: "set", key, value: source[key] });
    }
  });
  return observe(source, (records) => batch(destination, () => ArrayPrototypeForEach(records, mirror)), options);
}

// -- the whole API ---------------------------------------------------------------------------------------------------

/** Everything above, as one object. */
export const Observer = ObjectFreeze({
  observe,
  intercept,
  set,
  get,
  has,
  deleteProperty,
  deleteProperties,
  defineProperty,
  defineProperties,
  getOwnPropertyDescriptor,
  getOwnPropertyDescriptors,
  ownKeys,
  getPrototypeOf,
  setPrototypeOf,
  isExtensible,
  preventExtensions,
  construct,
  apply,
  batch,
  map,
  reduce,
  path,
  subtree,
  any,
  accessorize,
  unaccessorize,
  proxy,
  unproxy,
});

export default Observer;
