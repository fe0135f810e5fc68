// Cookies as text: what a `Cookie` header or `document.cookie` says, and what sets one.

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
  const values = new Map();
  for (const part of header.split(";")) {
    const at = part.indexOf("=");
    if (at === -1) continue;
    const name = part.slice(0, at).trim();
    if (!values.has(name)) values.set(name, decodeCookie(part.slice(at + 1).trim().replace(/^"(.*)"$/, "$1")));
  }
  return values;
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
