// Stored values as handlers see them: one asynchronous map over cookies, the session, and what is known of the user.

import { op_log_error } from "ext:core/ops";
import { AsyncMap } from "./async_map.js";
import { domException } from "./errors/exceptions.js";
import { checkOptions } from "./errors/options.js";
import { addressOf } from "./answer/values.js";
import {
  AbortSignalPrototypeGetAborted,
  ArrayIsArray,
  ArrayPrototypeFilter,
  ArrayPrototypeFlat,
  ArrayPrototypePush,
  ArrayPrototypeSome,
  Error,
  EventTargetPrototypeAddEventListener,
  EventTargetPrototypeRemoveEventListener,
  JSONStringify,
  ObjectEntries,
  ObjectHasOwn,
  ObjectSetPrototypeOf,
  Proxy,
  Response,
  SafeArrayIterator,
  SafeMap,
  String,
  TypeError,
  URL,
} from "./primordials.js";

/** Thrown in place of going on: the request has another answer than its handler's. */
export class Answered extends Error {
  name = "Answered";
  #brand = true;

  /** Whether a thrown value is one. Nothing of the value runs for that. */
  static isOne(value) {
    return typeof value === "object" && value !== null && #brand in value;
  }

  /** @param {Response} response the answer */
  constructor(response, message) {
    super(message);
    this.response = response;
  }
}

/**
 * Where the values are, and what changes them. Everything may be asynchronous.
 * @typedef {import("./async_map.js").Source & Changes} Store
 * @typedef {object} Changes
 * @property {(key: string, value: unknown) => void} set
 * @property {(key: string) => boolean} delete whether there was one
 * @property {(changed: (change: Change) => void) => () => void} watch calls back until the returned function is called
 */

/**
 * @typedef {object} Change
 * @property {"set" | "delete"} type
 * @property {string} key
 * @property {unknown} value undefined for deletions
 */

/** An asynchronous map that can be changed and watched, and whose values can be required. */
export class KeyVal extends AsyncMap {
  #name;
  #store;
  #signal;
  /** What to do where require() misses a key. @type {Map<string, string | URL | ((values: KeyVal) => unknown)>} */
  #handlers = new SafeMap();

  /**
   * @param {string} name for errors
   * @param {Store} store
   * @param {() => AbortSignal} signal ends subscriptions
   */
  constructor(name, store, signal) {
    super(store);
    this.#name = name;
    this.#store = store;
    this.#signal = signal;
  }

  static {
    // A value that is assigned to a property would be lost with the request.
    const refuseProperty = (_prototype, property, _value, values) => {
      const key = JSONStringify(String(property));
      const name = #name in values ? values.#name : "these values";
      throw new TypeError(`${name} stores no properties: write await ${name}.set(${key}, value), and read it by get(${key}).`);
    };
    ObjectSetPrototypeOf(AsyncMap.prototype, new Proxy({}, { __proto__: null, set: refuseProperty }));
  }

  /** Sets a value; undefined deletes it. */
  async set(key, value) {
    if (value === undefined) await this.delete(key);
    else await this.#store.set(String(key), value);
  }

  async delete(key) {
    return await this.#store.delete(String(key));
  }

  /** Sets each value of an object; with `replace`, deletes all others. */
  async patch(values, options = undefined) {
    checkOptions("patch()", options, ["replace"]);
    const replace = options?.replace ?? false;
    if (values === null || typeof values !== "object") throw new TypeError("patch() takes an object of values.");
    for (const key of new SafeArrayIterator(replace ? await this.keys() : [])) {
      if (!ObjectHasOwn(values, key)) await this.delete(key);
    }
    for (const { 0: key, 1: value } of new SafeArrayIterator(ObjectEntries(values))) await this.set(key, value);
  }

  /**
   * Calls back on each change, from any request: of all keys, or of one. It ends with the exchange.
   * @param {string | ((change: Change) => void)} key
   * @param {(change: Change) => void} [callback]
   * @param {{ once?: boolean, signal?: AbortSignal }} [options]
   * @returns {() => void} what ends the subscription
   */
  subscribe(key, callback, options = undefined) {
    if (typeof key === "function") return this.subscribe(null, key, callback);
    if (typeof callback !== "function") throw new TypeError("subscribe() takes a callback.");
    checkOptions("subscribe()", options, ["once", "signal"]);
    const signals = ArrayPrototypeFilter([this.#signal(), options?.signal], (signal) => signal !== undefined);
    if (ArrayPrototypeSome(signals, (signal) => AbortSignalPrototypeGetAborted(signal))) return () => {};
    const stop = () => {
      for (const signal of new SafeArrayIterator(signals)) {
        EventTargetPrototypeRemoveEventListener(signal, "abort", stop);
      }
      unwatch();
    };
    const unwatch = this.#store.watch((change) => {
      if (key !== null && change.key !== String(key)) return;
      if (options?.once) stop();
      // One subscriber's failure does not keep others from the change.
      try {
        callback(change);
      } catch (error) {
        op_log_error(`a subscriber of ${this.#name}`, error);
      }
    });
    for (const signal of new SafeArrayIterator(signals)) {
      EventTargetPrototypeAddEventListener(signal, "abort", stop, { once: true });
    }
    return stop;
  }

  /**
   * Sets what require() does where `key` has no value: sends the user to a URL, or calls a function. A Response that
   * the function gives becomes the answer; anything else is taken for the value.
   */
  defineHandler(key, handler) {
    if (typeof handler !== "function" && typeof handler !== "string" && !(handler instanceof URL)) {
      throw new TypeError("defineHandler() takes a URL or a function, which may return a redirect.");
    }
    this.#handlers.set(String(key), handler);
  }

  /**
   * The values of some keys. Where one is missing its handler is called; with a Response from there it throws
   * an {@link Answered}, so that the caller goes no further and the Response becomes the answer.
   * @param {string | string[]} keys
   * @param {(...values: unknown[]) => unknown} [callback] gets the values; its result is the result
   * @param {{ noNulls?: boolean }} [options] `noNulls`: null counts as missing
   */
  async require(keys, callback = undefined, options = undefined) {
    if (typeof callback !== "function") {
      options = callback ?? options;
      callback = undefined;
    }
    checkOptions("require()", options, ["noNulls"]);
    const values = [];
    for (const key of new SafeArrayIterator(ArrayPrototypeFlat([keys]))) {
      let value = await this.get(key);
      if (value === undefined || (value === null && options?.noNulls)) value = await this.#handle(String(key));
      ArrayPrototypePush(values, value);
    }
    if (callback !== undefined) return await callback(...new SafeArrayIterator(values));
    return ArrayIsArray(keys) ? values : values[0];
  }

  async #handle(key) {
    const handler = this.#handlers.get(key);
    if (handler === undefined) {
      throw domException("NotFoundError", `${this.#name} has no "${key}", and no handler is defined for it.`);
    }
    const given = typeof handler === "function"
      ? await handler(this)
      : new Response(null, { status: 302, headers: { Location: addressOf(handler) } });
    if (!(given instanceof Response)) return given;
    throw new Answered(given, `${this.#name} has no "${key}", and the handler defined for it answered.`);
  }
}
