// event.thread: what one request hands to the one that it redirects to, by a name in the URL's `_thread`.
//
// A thread is kept with the visitor's session, so no other visitor can read it. The request that bears its name removes
// it from there when its handler first reads a value: a reload of the page finds it empty. `extend()` puts it back.

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
  PromisePrototypeThen,
  RegExpPrototypeTest,
  SafeArrayIterator,
  String,
  TypeError,
  URL,
  URLPrototypeGetSearch,
  URLSearchParams,
} from "../primordials.js";

/** The query parameter that names a request's thread. */
export const THREAD_PARAMETER = "_thread";
/** A session keeps so many; with one more the oldest is forgotten. */
const MAX_THREADS = 16;

/** Lists of values by key. */
export class Thread {
  #exchange;
  #store;
  #threadID;
  /** Whether the values are kept for the request to come. */
  #isKept;
  /** The values, once they were asked for. @type {Promise<Record<string, unknown[]>> | null} */
  #values = null;
  /** The last write: they are done one after the other. */
  #written = PromiseResolve();

  /** @param {string | null} threadID null for a new one */
  constructor(exchange, threadID = null, isKept = false) {
    this.#exchange = exchange;
    this.#store = threadStore(exchange);
    this.#isKept = isKept;
    this.#threadID = threadID ?? op_crypto_uuid();
    if (threadID === null) this.#values = PromiseResolve({});
  }

  /** The thread that a request's URL names, or a new one. */
  static of(exchange) {
    const given = new URLSearchParams(URLPrototypeGetSearch(new URL(exchange.url))).get(THREAD_PARAMETER);
    const isName = given !== null && RegExpPrototypeTest(/^[0-9a-f-]{36}$/, given);
    return new Thread(exchange, isName ? given : null);
  }

  get threadID() {
    return this.#threadID;
  }

  /** Whether the values stay for the next request with this thread's name. */
  get extended() {
    return this.#isKept;
  }

  /** Adds a value to those of a key. */
  async append(key, value) {
    const values = await this.#load();
    const name = String(key);
    const list = ObjectHasOwn(values, name) ? values[name] : [];
    ArrayPrototypePush(list, value);
    const property = { __proto__: null, configurable: true, enumerable: true, value: list, writable: true };
    ObjectDefineProperty(values, name, property);
    await this.#save();
  }

  /** Adds a value to each key of an object. */
  async appendEach(entries) {
    if (entries === null || typeof entries !== "object") throw new TypeError("appendEach() takes an object of values.");
    for (const { 0: key, 1: value } of new SafeArrayIterator(ObjectEntries(entries))) await this.append(key, value);
  }

  async keys() {
    return ObjectKeys(await this.#load());
  }

  /** Whether a key has a value, or one for which `filter` gives something true. */
  async has(key, filter = null) {
    const list = await this.#list(key);
    return typeof filter === "function" ? ArrayPrototypeFindIndex(list, filter) !== -1 : list.length > 0;
  }

  /** The last value of a key; with `true` all of them, with a function the first for which that gives something true. */
  async get(key, filter = null) {
    const list = await this.#list(key);
    if (filter === true) return ArrayPrototypeSlice(list);
    return typeof filter === "function" ? ArrayPrototypeFind(list, filter) : list[list.length - 1];
  }

  /** The same, and takes out what it gives. */
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

  /** Keeps the values for the next request with this thread's name, or with `false` no longer. */
  async extend(isKept = true) {
    await this.#load();
    this.#isKept = isKept;
    if (isKept) await this.#save();
    else await this.#write(() => this.#store.delete(this.#threadID));
  }

  /** Another thread, whose values are kept for a request to come. */
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
    this.#written = PromisePrototypeThen(this.#written, write, write);
    await this.#written;
  }
}
