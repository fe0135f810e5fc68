// What the waitUntil() of a server's event and of a page's event have in common.

import { isPromise } from "../errors/exceptions.js";
import {
  AbortSignalPrototypeGetAborted,
  Event,
  EventTargetPrototypeAddEventListener,
  EventTargetPrototypeRemoveEventListener,
  Promise,
  PromisePrototypeThen,
  PromiseResolve,
  TypeError,
} from "../primordials.js";

/** The longest time that a timer takes, in milliseconds. */
const LONGEST = 2 ** 31 - 1;

/** Calls back by `start(callback, delay)` after a time that may be longer than a timer's; never after `Infinity`. */
export function startLong(start, callback, delay) {
  if (delay <= LONGEST) start(callback, delay);
  else if (delay !== Infinity) start(() => startLong(start, callback, delay - LONGEST), LONGEST);
}

/** Fails for arguments of waitUntil() that mean nothing. */
export function checkWait(promise, timeout, callback) {
  if (typeof promise === "function") {
    throw new TypeError("waitUntil() takes a promise; call the function and give what it returns.");
  }
  if (timeout !== undefined && timeout !== null && !(typeof timeout === "number" && timeout >= 0)) {
    throw new TypeError("waitUntil(promise, timeout, callback): the timeout is a number of milliseconds.");
  }
  if (callback !== undefined && callback !== null && typeof callback !== "function") {
    throw new TypeError("waitUntil(promise, timeout, callback): the callback is a function.");
  }
}

/**
 * Settles with `promise`, after `timeout` milliseconds, or when `callback` ends it. Without a callback the time's end
 * is the wait's; with one it is called with an event, and with what resolves and what rejects the wait, and the wait goes
 * on until one of these is called.
 * @param {((event: Event, resolve: (value?: unknown) => void, reject: (error: unknown) => void) => unknown)} [callback]
 * @param {AbortSignal} signal the end, of which the callback is told
 * @param {(callback: () => void, delay: number) => void} start starts a timer
 * @param {(tell: (event: Event) => void) => () => void} [follow] passes what else happens to `tell`; returns what ends that
 * @returns {Promise<unknown>}
 */
export function waitFor(promise, timeout, callback, signal, start, follow = () => () => {}) {
  return new Promise((resolve, reject) => {
    let stop = null;
    const ending = (settle) => (value) => {
      stop?.();
      stop = null;
      settle(value);
    };
    const done = ending(resolve);
    const failed = ending(reject);
    PromisePrototypeThen(PromiseResolve(promise), done, failed);
    const hasTimeout = typeof timeout === "number";
    if (typeof callback !== "function") {
      if (hasTimeout) startLong(start, done, timeout);
      return;
    }
    const tell = (happened) => {
      if (stop === null) return;
      try {
        const result = callback(happened, done, failed);
        if (isPromise(result)) PromisePrototypeThen(PromiseResolve(result), undefined, failed);
      } catch (error) {
        failed(error);
      }
    };
    const unfollow = follow(tell);
    EventTargetPrototypeAddEventListener(signal, "abort", tell);
    stop = () => {
      EventTargetPrototypeRemoveEventListener(signal, "abort", tell);
      unfollow();
    };
    if (hasTimeout) startLong(start, () => tell(new Event("timeout")), timeout);
    if (AbortSignalPrototypeGetAborted(signal)) tell(new Event("abort"));
  });
}
