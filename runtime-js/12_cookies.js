// event.cookies: the request's cookies, and those that the answer will set.

import { op_exchange_cookie, op_request_header } from "ext:core/ops";
import { parseCookies, serializeCookie } from "ext:liveline/03_cookie_text.js";

/** An asynchronous map over cookies, so that it can stand wherever stored values can. */
export class Cookies {
  #exchange;
  #values;

  constructor(exchange) {
    this.#exchange = exchange;
    this.#values = parseCookies(op_request_header(exchange.id, "cookie") ?? "");
  }

  async get(name) {
    return this.#values.get(name);
  }

  async has(name) {
    return this.#values.has(name);
  }

  /** Before the answer only. @param {string} name @param {string | import("./03_cookie_text.js").CookieOptions} value */
  async set(name, value) {
    const options = typeof value === "object" && value !== null ? value : { value };
    op_exchange_cookie(this.#exchange.id, name, serializeCookie(name, options));
    this.#values.set(name, String(options.value));
  }

  async delete(name) {
    op_exchange_cookie(this.#exchange.id, name, serializeCookie(name, { value: "", maxAge: 0 }));
    return this.#values.delete(name);
  }

  async clear() {
    for (const name of [...this.#values.keys()]) await this.delete(name);
  }

  async keys() {
    return [...this.#values.keys()];
  }

  async values() {
    return [...this.#values.values()];
  }

  async entries() {
    return [...this.#values.entries()];
  }

  async count() {
    return this.#values.size;
  }

  async json() {
    return Object.fromEntries(this.#values);
  }
}
