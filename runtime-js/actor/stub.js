// Stubs: objects whose methods are called elsewhere. A call returns a promise on which further calls can be made before
// it has settled.

import {
  globalThis,
  ObjectHasOwn,
  PromisePrototypeCatch,
  PromisePrototypeFinally,
  PromisePrototypeThen,
  PromiseReject,
  Proxy,
  ReflectApply,
  SafeArrayIterator,
  SafeWeakMap,
  TypeError,
} from "../primordials.js";

/** `Symbol.dispose`, where the engine has it. */
const { dispose: kDispose } = globalThis.Symbol;

// The classes by which libraries recognize what the host makes; they have no members.

export class RpcStub {}
export class RpcPromise {}
export class RpcProperty {}

/**
 * What is behind a stub.
 * @typedef {object} StubRecord
 * @property {(path: string[], args: unknown[] | null) => Promise} send calls the method at a path, or reads the property
 *   there if `args` is null
 * @property {object} [actor] the actor that it is of
 * @property {() => void} [release] the stub is not used any more
 * @property {() => object} [dup] makes another stub of the same, which is released by itself
 */

/** @type {WeakMap<object, StubRecord>} */
const records = new SafeWeakMap();

/** What is behind a value, if that is a stub. @returns {StubRecord | undefined} */
export function recordOf(value) {
  return records.get(value);
}

/**
 * Makes a stub.
 * @param {StubRecord} record
 * @param {object} own members that are not called elsewhere
 * @param {boolean} isFunction the stub is called itself
 */
export function stubOf(record, own, isFunction = false) {
  const stub = new Proxy(isFunction ? function () {} : { __proto__: own.__proto__ ?? RpcStub.prototype }, {
    __proto__: null,
    get(target, key) {
      if (ObjectHasOwn(own, key)) return own[key];
      if (key === kDispose || key === "dispose") return () => record.release?.();
      if (key === "dup") return () => record.dup?.() ?? stub;
      // A stub is no promise: it can be returned by asynchronous functions.
      if (typeof key === "symbol" || key === "then") return target[key];
      return property(record, [key]);
    },
    has: (_target, key) => typeof key === "string" && key !== "then",
    set() {
      throw new TypeError("A stub has no properties of its own.");
    },
    apply: (_target, _receiver, args) => resultOf(started(record, [], args)),
  });
  records.set(stub, record);
  return stub;
}

/** Begins a call. What cannot be sent rejects, as what fails elsewhere does. */
function started(record, path, args) {
  try {
    const result = record.send(path, args);
    // The caller may not wait for it.
    PromisePrototypeCatch(result, () => {});
    return result;
  } catch (error) {
    return PromiseReject(error);
  }
}

/** A member of a stub: it can be called, and awaited, which reads it. */
function property(record, path) {
  let value = null;
  const read = () => value ??= started(record, path, null);
  return new Proxy(function () {}, {
    __proto__: null,
    get: (target, key) => promiseMember(key, read) ?? member(target, key, () => property(record, [...new SafeArrayIterator(path), key])),
    apply: (_target, _receiver, args) => resultOf(started(record, path, args)),
  });
}

/** The result of a call. */
function resultOf(promise) {
  const send = (path, args) => PromisePrototypeThen(promise, (value) => useOf(value, path, args));
  return new Proxy(function () {}, {
    __proto__: null,
    get(target, key) {
      if (key === kDispose) return () => PromisePrototypeThen(promise, (value) => value?.[kDispose]?.(), () => {});
      return promiseMember(key, () => promise) ?? member(target, key, () => property({ send }, [key]));
    },
    apply: (_target, _receiver, args) => resultOf(send([], args)),
  });
}

/** Calls or reads a member of a result that has arrived. */
function useOf(value, path, args) {
  let receiver = undefined, found = value;
  for (let i = 0; i < path.length; i++) {
    receiver = found;
    found = found?.[path[i]];
  }
  if (args === null) return found;
  if (typeof found !== "function") {
    throw new TypeError(`The RPC result does not implement the method "${path[path.length - 1] ?? ""}".`);
  }
  return ReflectApply(found, receiver, args);
}

/** `then` and its like of a promise; null for other keys. */
function promiseMember(key, promise) {
  switch (key) {
    case "then":
      return (fulfilled, rejected) => PromisePrototypeThen(promise(), fulfilled, rejected);
    case "catch":
      return (rejected) => PromisePrototypeCatch(promise(), rejected);
    case "finally":
      return (callback) => PromisePrototypeFinally(promise(), callback);
    default:
      return null;
  }
}

function member(target, key, make) {
  return typeof key === "symbol" ? target[key] : make();
}
