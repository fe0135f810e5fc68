// The exceptions that this code throws, and what handles rejections that handlers leave unhandled.

import { AbortControllerPrototypeAbort, DOMException, Promise, SafeWeakMap } from "../primordials.js";

const failures = new SafeWeakMap();

/**
 * Sets what is called when `promise` rejects unhandled.
 * @template T
 * @param {Promise<T>} promise
 * @param {(reason: unknown) => void} fail
 * @returns {Promise<T>} the same promise
 */
export function failingTo(promise, fail) {
  failures.set(promise, fail);
  return promise;
}

/** What {@link failingTo} set for a promise, or undefined. */
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
