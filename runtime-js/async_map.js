// The methods that read a map whose values may come later: of the server's stored values, and of a page's.

import { ArrayPrototypeMap, ObjectFromEntries, SafeArrayIterator, String } from "./primordials.js";

/**
 * Where the values are. Everything may be asynchronous.
 * @typedef {object} Source
 * @property {(key: string) => unknown} get undefined where there is none
 * @property {() => [string, unknown][]} entries
 */

/** The map without what changes it: subclasses have `delete(key)`. */
export class AsyncMap {
  #source;

  /** @param {Source} source */
  constructor(source) {
    this.#source = source;
  }

  async get(key) {
    return await this.#source.get(String(key));
  }

  async has(key) {
    return (await this.get(key)) !== undefined;
  }

  async clear() {
    for (const key of new SafeArrayIterator(await this.keys())) await this.delete(key);
  }

  async keys() {
    return ArrayPrototypeMap(await this.entries(), ({ 0: key }) => key);
  }

  async values() {
    return ArrayPrototypeMap(await this.entries(), ({ 1: value }) => value);
  }

  async entries() {
    return await this.#source.entries();
  }

  async count() {
    return (await this.entries()).length;
  }

  /** All values as one object. */
  async json() {
    return ObjectFromEntries(await this.entries());
  }
}
