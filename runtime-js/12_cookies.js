// event.cookies: the request's cookies, and those that the answer will set.

import { op_exchange_cookie, op_request_header } from "ext:core/ops";

/**
 * @typedef {object} CookieOptions
 * @property {string} value
 * @property {string} [path] `/` by default
 * @property {string} [domain]
 * @property {number} [maxAge] seconds
 * @property {Date | string} [expires]
 * @property {boolean} [httpOnly]
 * @property {boolean} [secure]
 * @property {"Strict" | "Lax" | "None"} [sameSite]
 */

/** An asynchronous map over cookies, so that it can stand wherever stored values can. */
export class Cookies {
  #exchange;
  #values;

  constructor(exchange) {
    this.#exchange = exchange;
    this.#values = parse(op_request_header(exchange.id, "cookie") ?? "");
  }

  async get(name) {
    return this.#values.get(name);
  }

  async has(name) {
    return this.#values.has(name);
  }

  /** Before the answer only. @param {string} name @param {string | CookieOptions} value */
  async set(name, value) {
    const options = typeof value === "object" && value !== null ? value : { value };
    op_exchange_cookie(this.#exchange.id, name, serialize(name, options));
    this.#values.set(name, String(options.value));
  }

  async delete(name) {
    op_exchange_cookie(this.#exchange.id, name, serialize(name, { value: "", maxAge: 0 }));
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

function parse(header) {
  const values = new Map();
  for (const part of header.split(";")) {
    const at = part.indexOf("=");
    if (at === -1) continue;
    const name = part.slice(0, at).trim();
    if (!values.has(name)) values.set(name, decode(part.slice(at + 1).trim().replace(/^"(.*)"$/, "$1")));
  }
  return values;
}

function decode(value) {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

/** RFC 6265 section 4.1. */
function serialize(name, { value, path = "/", domain, maxAge, expires, httpOnly, secure, sameSite = "Lax" }) {
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)) throw new TypeError(`"${name}" cannot name a cookie.`);
  const parts = [`${name}=${encodeURIComponent(value)}`];
  const attribute = (key, text) => {
    if (/[;\r\n]/.test(text)) throw new TypeError(`A cookie's ${key} cannot hold ";" or a line break.`);
    parts.push(`${key}=${text}`);
  };
  attribute("Path", path);
  if (domain !== undefined) attribute("Domain", domain);
  if (maxAge !== undefined) attribute("Max-Age", String(Math.trunc(maxAge)));
  if (expires !== undefined) attribute("Expires", expires instanceof Date ? expires.toUTCString() : String(expires));
  if (httpOnly) parts.push("HttpOnly");
  if (secure) parts.push("Secure");
  attribute("SameSite", sameSite);
  return parts.join("; ");
}
