// event.session: values that stay with a visitor from request to request, kept by the host.

import { op_session_clear, op_session_delete, op_session_entries, op_session_get, op_session_set } from "ext:core/ops";

/** An asynchronous map. The session begins, and its cookie is set, with the first value. */
export class Session {
  #exchange;

  constructor(exchange) {
    this.#exchange = exchange;
  }

  async get(key) {
    const json = op_session_get(this.#exchange.id, key);
    return json === null ? undefined : JSON.parse(json);
  }

  async has(key) {
    return op_session_get(this.#exchange.id, key) !== null;
  }

  async set(key, value) {
    const json = JSON.stringify(value);
    if (json === undefined) return await this.delete(key);
    op_session_set(this.#exchange.id, key, json);
  }

  async delete(key) {
    return op_session_delete(this.#exchange.id, key);
  }

  async clear() {
    op_session_clear(this.#exchange.id);
  }

  async keys() {
    return (await this.entries()).map(([key]) => key);
  }

  async values() {
    return (await this.entries()).map(([, value]) => value);
  }

  async entries() {
    const flat = op_session_entries(this.#exchange.id);
    const entries = [];
    for (let i = 0; i < flat.length; i += 2) entries.push([flat[i], JSON.parse(flat[i + 1])]);
    return entries;
  }

  async count() {
    return (await this.entries()).length;
  }

  async json() {
    return Object.fromEntries(await this.entries());
  }
}
