// The host's own `@webqit/observer`: changes of plain objects and arrays, given synchronously to their observers.
//
// A change is seen when it goes through this API, through a proxy of it, or through an accessorized property; a plain
// assignment to the raw object is not. A change takes three steps: it is performed (by interceptors, operations.js),
// every listener collects it, and then every listener gets it (delivery.js); a batch only postpones the last step.
// Because all collect before any gets it, each listener gets changes in the order in which they happened, even those
// made by listeners. Trees of objects and proxies are in reactive.js.
//
// No host API is needed, so that this also runs in Node and in browsers.

import { abort } from "../errors/exceptions.js";
import { batch, Observation } from "./delivery.js";
import {
  Descriptor,
  forgetCell,
  isEnumerable,
  isIndex,
  isObject,
  nameOf,
  register,
  stateOf,
  SUBTREE,
  targetOf,
  unproxy,
  unregister,
} from "./objects.js";
import {
  apply,
  construct,
  defineProperties,
  defineProperty,
  deleteProperties,
  deleteProperty,
  get,
  getOwnPropertyDescriptor,
  getOwnPropertyDescriptors,
  getPrototypeOf,
  has,
  isExtensible,
  ownKeys,
  preventExtensions,
  read,
  set,
  setPrototypeOf,
} from "./operations.js";
import { proxy, TreeListener } from "./reactive.js";
import {
  AbortController,
  AbortControllerPrototypeGetSignal,
  AbortSignalPrototypeGetAborted,
  ArrayIsArray,
  ArrayPrototypeAt,
  ArrayPrototypeFilter,
  ArrayPrototypeFlat,
  ArrayPrototypeForEach,
  ArrayPrototypeIncludes,
  ArrayPrototypeIndexOf,
  ArrayPrototypeMap,
  ArrayPrototypeSome,
  EventTargetPrototypeAddEventListener,
  EventTargetPrototypeRemoveEventListener,
  FunctionPrototypeCall,
  Number,
  ObjectFreeze,
  ObjectKeys,
  ReflectDefineProperty,
  ReflectGetOwnPropertyDescriptor,
  ReflectOwnKeys,
  SafeArrayIterator,
  SafeMap,
  SafeSet,
  SafeWeakSet,
  String,
  TypeError,
} from "../primordials.js";

/** Lists of keys that path() made. */
const paths = new SafeWeakSet();


/** A path of keys to observe or reduce; `any()` stands for every key, and `subtree()` at its end for all below. */
export function path(...keys) {
  const early = ArrayPrototypeIndexOf(keys, SUBTREE);
  if (keys.length === 0) throw new TypeError("Observer.path() takes keys.");
  if (early !== -1 && early < keys.length - 1) throw new TypeError("Observer.path() takes subtree() last.");
  const list = ObjectFreeze(ArrayPrototypeMap(keys, (key) => key === SUBTREE || key === Infinity ? key : nameOf(key)));
  paths.add(list);
  return list;
}

/** In a path: every key of an object. */
export function any() {
  return Infinity;
}

/** What to observe for changes at every depth. */
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
    throw new TypeError("Observer.observe() takes keys, or one path.");
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

/** Starts something that an AbortController ends, unless `signal` is aborted already. */
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

// -- properties whose plain assignments are observed -----------------------------------------------------------------

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

/** The whole API as one object. */
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

export {
  apply,
  batch,
  construct,
  defineProperties,
  defineProperty,
  deleteProperties,
  deleteProperty,
  get,
  getOwnPropertyDescriptor,
  getOwnPropertyDescriptors,
  getPrototypeOf,
  has,
  isExtensible,
  ownKeys,
  preventExtensions,
  proxy,
  set,
  setPrototypeOf,
  unproxy,
};
export default Observer;
