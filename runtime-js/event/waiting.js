// event.waitUntil() with a time limit or a callback that decides when the wait is over.

import { setLongTimeout } from "../timers.js";
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

/** For the callback of a wait: the user has changed. `data` is the new id, undefined after a sign-out. */
class UserEvent extends Event {
  constructor(id) {
    super("user");
    this.data = id;
  }
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
 * is the wait's; with one it is called with an event of the type `timeout`, `abort`, `navigate` or `user`, and with what
 * resolves and what rejects the wait, and the wait goes on until one of these is called.
 * @param {import("./event.js").HttpEvent} event
 * @param {((event: Event, resolve: (value?: unknown) => void, reject: (error: unknown) => void) => unknown)} [callback]
 * @returns {Promise<unknown>}
 */
export function waited(event, promise, timeout, callback) {
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
    if (typeof callback !== "function") {
      setLongTimeout(done, timeout);
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
    const { client, signal } = event;
    EventTargetPrototypeAddEventListener(client, "navigate", tell);
    EventTargetPrototypeAddEventListener(signal, "abort", tell);
    const unsubscribe = event.user.subscribe("id", ({ value }) => tell(new UserEvent(value)));
    stop = () => {
      EventTargetPrototypeRemoveEventListener(client, "navigate", tell);
      EventTargetPrototypeRemoveEventListener(signal, "abort", tell);
      unsubscribe();
    };
    if (typeof timeout === "number") setLongTimeout(() => tell(new Event("timeout")), timeout);
    if (AbortSignalPrototypeGetAborted(signal)) tell(new Event("abort"));
  });
}
