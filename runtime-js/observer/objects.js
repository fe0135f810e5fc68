// What is known of an observed object, and the records of what happens to it.
//
// All of it is in weak maps beside the objects, so that frozen objects can be observed too and nothing shows on them.

import {
  ObjectAssign,
  ObjectPrototypePropertyIsEnumerable,
  SafeSet,
  SafeWeakMap,
  String,
  Symbol,
  SymbolToStringTag,
  TypeError,
} from "../primordials.js";

/**
 * What one object's observers need. `listeners` collect its changes, `snapshot` is their list until one is added or
 * removed, `traps` intercept operations, `cells` hold the values of accessorized properties, `hold` is the asynchronous
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
export const states = new SafeWeakMap();
/** What a proxy of ours stands for. @type {WeakMap<object, { target: object, handler: Handler }>} */
export const proxies = new SafeWeakMap();

/** The key of a path that stands for all keys at every depth. */
export const SUBTREE = Symbol("subtree");

let registrations = 0;

/** For tests and the host: how many listeners are registered on objects right now. */
export function countRegistrations() {
  return registrations;
}

export function stateOf(target) {
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

export function listenersOf(target) {
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

/** Drops the value of a property that is no longer accessorized. */
export function forgetCell(target, key) {
  const state = states.get(target);
  if (!state?.cells?.delete(nameOf(key))) return;
  if (state.cells.size === 0) state.cells = null;
}

/** The raw object behind a proxy; any other value is returned as it is. */
export function unproxy(value) {
  return proxies.get(value)?.target ?? value;
}

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

/** The record of an array's method that was called, for observers that ask for such. */
export class MethodCall {
  constructor(target, operation, argumentsList) {
    this.operation = operation;
    this.argumentsList = argumentsList;
    this.target = target;
    this.path = undefined;
  }
}

/** For `set` records that came from defineProperty(): the `def` record. @type {WeakMap<Descriptor, Descriptor>} */
export const definitions = new SafeWeakMap();
