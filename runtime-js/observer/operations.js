// The operations on observed objects: through their interceptors, with a record of what they did.

import { emit } from "./delivery.js";
import {
  definitions,
  Descriptor,
  forgetCell,
  isIndex,
  isObject,
  nameOf,
  states,
  targetOf,
  unproxy,
} from "./objects.js";
import {
  ArrayFrom,
  ArrayIsArray,
  ArrayPrototypeFilter,
  ArrayPrototypeMap,
  ArrayPrototypePush,
  Boolean,
  MathMax,
  Number,
  ObjectAssign,
  ObjectFromEntries,
  ObjectGetOwnPropertyDescriptor,
  ObjectGetPrototypeOf,
  ObjectHasOwn,
  ObjectIs,
  ObjectKeys,
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
  String,
} from "../primordials.js";

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
  // A data property belongs to the target; only a setter depends on the object through which it is called.
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
