// Cookies as text: what a `Cookie` header or `document.cookie` says, and what sets one.

import {
  ArrayPrototypeJoin,
  ArrayPrototypePush,
  Date,
  DatePrototypeToUTCString,
  decodeURIComponent,
  encodeURIComponent,
  MathTrunc,
  RegExpPrototypeTest,
  SafeArrayIterator,
  SafeMap,
  String,
  StringPrototypeEndsWith,
  StringPrototypeIndexOf,
  StringPrototypeSlice,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
  StringPrototypeTrim,
  TypeError,
} from "./00_primordials.js";

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

/** The cookies of a header, by name. @returns {Map<string, string>} */
export function parseCookies(header) {
  const values = new SafeMap();
  for (const part of new SafeArrayIterator(StringPrototypeSplit(header, ";"))) {
    const at = StringPrototypeIndexOf(part, "=");
    if (at === -1) continue;
    const name = StringPrototypeTrim(StringPrototypeSlice(part, 0, at));
    const value = StringPrototypeTrim(StringPrototypeSlice(part, at + 1));
    if (!values.has(name)) values.set(name, decodeCookie(unquoted(value)));
  }
  return values;
}

/** A value without the quotes around it. */
function unquoted(value) {
  const isQuoted = value.length > 1 && StringPrototypeStartsWith(value, '"') && StringPrototypeEndsWith(value, '"');
  return isQuoted ? StringPrototypeSlice(value, 1, -1) : value;
}

function decodeCookie(value) {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

/** RFC 6265 section 4.1. @param {string} name @param {CookieOptions} options */
export function serializeCookie(
  name,
  { value, path = "/", domain, maxAge, expires, httpOnly, secure, sameSite = "Lax" },
) {
  if (!RegExpPrototypeTest(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, name)) {
    throw new TypeError(`"${name}" cannot name a cookie.`);
  }
  const parts = [`${name}=${encodeURIComponent(value)}`];
  const attribute = (key, text) => {
    if (RegExpPrototypeTest(/[;\r\n]/, text)) throw new TypeError(`A cookie's ${key} cannot hold ";" or a line break.`);
    ArrayPrototypePush(parts, `${key}=${text}`);
  };
  attribute("Path", path);
  if (domain !== undefined) attribute("Domain", domain);
  if (maxAge !== undefined) attribute("Max-Age", String(MathTrunc(maxAge)));
  if (expires !== undefined) {
    attribute("Expires", expires instanceof Date ? DatePrototypeToUTCString(expires) : String(expires));
  }
  if (httpOnly) ArrayPrototypePush(parts, "HttpOnly");
  if (secure) ArrayPrototypePush(parts, "Secure");
  attribute("SameSite", sameSite);
  return ArrayPrototypeJoin(parts, "; ");
}
