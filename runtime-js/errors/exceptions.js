// The exceptions that this code throws, and who hears of rejections that nobody handles.

import { AbortControllerPrototypeAbort, DOMException, Promise, SafeWeakMap } from "../primordials.js";

const failures = new SafeWeakMap();

/**
 * Names who is told when `promise` rejects and nobody handles it.
 * @template T
 * @param {Promise<T>} promise
 * @param {(reason: unknown) => void} fail
 * @returns {Promise<T>} the same promise
 */
export function failingTo(promise, fail) {
  failures.set(promise, fail);
  return promise;
}

/** Who is to be told of this promise's rejection, if anyone in particular. */
export function whoIsTold(promise) {
  return failures.get(promise);
}

/** @returns {DOMException} */
export function domException(name, message) {
  return new DOMException(message, name);
}

/** The error for whatever comes after the end of its exchange or response. */
export function invalidState(message) {
  return domException("InvalidStateError", message);
}

/** Aborts what listens to a controller's signal. The reason is made here, since the web's own code asks globalThis. */
export function abort(controller, reason = domException("AbortError", "The signal has been aborted.")) {
  AbortControllerPrototypeAbort(controller, reason);
}

/** Whether a value is to be waited for. */
export function isPromise(value) {
  return value instanceof Promise || typeof value?.then === "function";
}
