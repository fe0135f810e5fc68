// event.thread: values that one request leaves for the request that it redirects to, by an ID in the URL's `_thread`.
//
// A thread is kept in the visitor's session, so no other visitor can read it. The request with its ID removes it from
// the session when its handler first reads a value: a reload of the page finds it empty. `extend()` puts it back.

import { op_crypto_uuid } from "ext:core/ops";
import { threadStore } from "./session.js";
import {
  ArrayPrototypeFind,
  ArrayPrototypeFindIndex,
  ArrayPrototypeMap,
  ArrayPrototypePop,
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  ArrayPrototypeSort,
  ArrayPrototypeSplice,
  DateNow,
  ObjectDefineProperty,
  ObjectEntries,
  ObjectHasOwn,
  ObjectKeys,
  PromiseResolve,
  RegExpPrototypeTest,
  SafeArrayIterator,
  String,
  TypeError,
  URL,
  URLSearchParamsPrototypeGet,
} from "../primordials.js";

/** The query parameter with the ID of a request's thread. */
export const THREAD_PARAMETER = "_thread";
/** The most threads that a session keeps; one more removes the oldest. */
const MAX_THREADS = 16;

/** Lists of values by key. */
export class Thread {
  #exchange;
  #store;
  #threadID;
  /** Whether the values are kept for a later request. */
  #isKept;
  /** The values, once they are loaded. @type {Promise<Record<string, unknown[]>> | null} */
  #values = null;
  /** The last write: writes are executed one after the other. */
  #written = PromiseResolve();

  /** @param {string | null} threadID null for a new one */
  constructor(exchange, threadID = null, isKept = false) {
    this.#exchange = exchange;
    this.#store = threadStore(exchange);
    this.#isKept = isKept;
    this.#threadID = threadID ?? op_crypto_uuid();
    if (threadID === null) this.#values = PromiseResolve({});
  }

  /** The thread whose ID is in a request's URL, or a new one. */
  static of(exchange) {
    const given = URLSearchParamsPrototypeGet(new URL(exchange.url).searchParams, THREAD_PARAMETER);
    const isName = given !== null && RegExpPrototypeTest(/^[0-9a-f-]{36}$/, given);
    return new Thread(exchange, isName ? given : null);
  }

  get threadID() {
    return this.#threadID;
  }

  /** Whether the values are kept for the next request with this thread's ID. */
  get extended() {
    return this.#isKept;
  }

  /** Appends a value to the values of a key. */
  async append(key, value) {
    const values = await this.#load();
    const name = String(key);
    const list = ObjectHasOwn(values, name) ? values[name] : [];
    ArrayPrototypePush(list, value);
    const property = { __proto__: null, configurable: true, enumerable: true, value: list, writable: true };
    ObjectDefineProperty(values, name, property);
    await this.#save();
  }

  /** Appends one value to each key of an object. */
  async appendEach(entries) {
    if (entries === null || typeof entries !== "object") throw new TypeError("appendEach() takes an object of values.");
    for (const { 0: key, 1: value } of new SafeArrayIterator(ObjectEntries(entries))) await this.append(key, value);
  }

  async keys() {
    return ObjectKeys(await this.#load());
  }

  /** Whether a key has a value, or, with `filter`, one for which that returns something truthy. */
  async has(key, filter = null) {
    const list = await this.#list(key);
    return typeof filter === "function" ? ArrayPrototypeFindIndex(list, filter) !== -1 : list.length > 0;
  }

  /**
   * The last value of a key; with `true` all of them, with a function the first for which that returns something
   * truthy.
   */
  async get(key, filter = null) {
    const list = await this.#list(key);
    if (filter === true) return ArrayPrototypeSlice(list);
    return typeof filter === "function" ? ArrayPrototypeFind(list, filter) : list[list.length - 1];
  }

  /** Like {@link get}, and removes the values that it returns. */
  async consume(key, filter = null) {
    const list = await this.#list(key);
    let taken;
    if (filter === true) {
      taken = ArrayPrototypeSplice(list, 0);
    } else if (typeof filter === "function") {
      const at = ArrayPrototypeFindIndex(list, filter);
      taken = at === -1 ? undefined : ArrayPrototypeSplice(list, at, 1)[0];
    } else {
      taken = ArrayPrototypePop(list);
    }
    if (list.length === 0) delete (await this.#load())[String(key)];
    await this.#save();
    return taken;
  }

  async clear() {
    this.#values = PromiseResolve({});
    await this.#write(() => this.#store.delete(this.#threadID));
  }

  /** Keeps the values for the next request with this thread's ID; with `false` it removes them. */
  async extend(isKept = true) {
    await this.#load();
    this.#isKept = isKept;
    if (isKept) await this.#save();
    else await this.#write(() => this.#store.delete(this.#threadID));
  }

  /** A new thread, whose values are kept for a later request. */
  spawn() {
    return new Thread(this.#exchange, null, true);
  }

  async #list(key) {
    const values = await this.#load();
    return ObjectHasOwn(values, String(key)) ? values[String(key)] : [];
  }

  #load() {
    return this.#values ??= this.#take();
  }

  async #take() {
    const kept = await this.#store.get(this.#threadID);
    if (kept === undefined) return {};
    await this.#store.delete(this.#threadID);
    return kept.values;
  }

  async #save() {
    if (!this.#isKept) return;
    const values = await this.#values;
    await this.#write(async () => {
      await this.#store.set(this.#threadID, { at: DateNow(), values });
      const threads = ArrayPrototypeMap(await this.#store.entries(), ({ 0: name, 1: { at } }) => ({ name, at }));
      ArrayPrototypeSort(threads, (one, other) => other.at - one.at);
      const old = ArrayPrototypeSlice(threads, MAX_THREADS);
      for (const { name } of new SafeArrayIterator(old)) await this.#store.delete(name);
    });
  }

  async #write(write) {
    const written = this.#writeAfter(this.#written, write);
    this.#written = written;
    await written;
  }

  // Not by a callback that returns a promise: the engine would ask that for its `then`.
  async #writeAfter(earlier, write) {
    try {
      await earlier;
    } catch {
      // Who made that write has the error.
    }
    await write();
  }
}
