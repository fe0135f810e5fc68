// event.cookies: the request's cookies, and those that the answer will set.

import { op_exchange_cookie, op_request_header } from "ext:core/ops";
import { KeyVal } from "ext:liveline/14_keyval.js";

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

/** Values are strings; `set()` also takes {@link CookieOptions}. Only before the answer. */
export class Cookies extends KeyVal {
  constructor(exchange) {
    super("event.cookies", storeOf(exchange), () => exchange.signal);
  }
}

/** @returns {import("./14_keyval.js").Store} */
function storeOf({ id }) {
  const values = parse(op_request_header(id, "cookie") ?? "");
  const watching = new Set();
  const tell = (change) => [...watching].forEach((callback) => callback(change));
  return {
    get: (name) => values.get(name),
    set(name, given) {
      const options = typeof given === "object" && given !== null ? given : { value: given };
      const value = String(options.value);
      op_exchange_cookie(id, name, serialize(name, options));
      values.set(name, value);
      tell({ type: "set", key: name, value });
    },
    delete(name) {
      op_exchange_cookie(id, name, serialize(name, { value: "", maxAge: 0 }));
      const wasThere = values.delete(name);
      if (wasThere) tell({ type: "delete", key: name, value: undefined });
      return wasThere;
    },
    entries: () => [...values],
    watch(callback) {
      watching.add(callback);
      return () => watching.delete(callback);
    },
  };
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
