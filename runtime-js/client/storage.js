// event.cookies and event.session in a browser: what the page may read itself.

import { cookieToDelete, cookieToSet } from "../cookies/rules.js";

/** The methods that both have, over a map that is read anew each time. */
class AsyncMap {
  async get(name) {
    return this.read().get(name);
  }

  async has(name) {
    return this.read().has(name);
  }

  async clear() {
    for (const name of this.read().keys()) await this.delete(name);
  }

  async keys() {
    return [...this.read().keys()];
  }

  async values() {
    return [...this.read().values()];
  }

  async entries() {
    return [...this.read()];
  }

  async count() {
    return this.read().size;
  }

  async json() {
    return Object.fromEntries(this.read());
  }
}

/** The cookies that scripts may see. */
export class PageCookies extends AsyncMap {
  read() {
    if (globalThis.document === undefined) throw noPage("event.cookies");
    const values = new Map();
    for (const part of document.cookie.split("; ")) {
      const at = part.indexOf("=");
      const name = part.slice(0, at);
      if (at !== -1 && !values.has(name)) values.set(name, decode(part.slice(at + 1).replace(/^"(.*)"$/, "$1")));
    }
    return values;
  }

  /** Arguments as for `event.cookies.set()` of the server. */
  async set(name, value, options) {
    if (typeof name !== "object" && value === undefined && options === undefined) await this.delete(name);
    else document.cookie = textOf(cookieToSet(name, value, options));
  }

  async delete(name, options) {
    const cookie = cookieToDelete(name, options);
    const had = await this.has(cookie.name);
    document.cookie = textOf(cookie);
    return had;
  }

  async getAll(name) {
    const of = name?.name ?? name;
    return (await this.entries()).filter((entry) => of === undefined || entry[0] === of)
      .map(([name, value]) => ({ name, value }));
  }
}

function decode(value) {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

/** What sets a cookie. Scripts cannot hide one from themselves. */
function textOf({ name, value, path, domain, maxAge, expires, httpOnly, secure, sameSite, partitioned }) {
  if (httpOnly) throw new TypeError(`The cookie "${name}" cannot be httpOnly here: a page's scripts set it. A server can.`);
  let text = `${name}=${value}; SameSite=${sameSite}; Path=${path}`;
  if (domain !== undefined) text += `; Domain=${domain}`;
  if (maxAge !== undefined) text += `; Max-Age=${maxAge}`;
  if (expires !== undefined) text += `; Expires=${new Date(expires).toUTCString()}`;
  return text + (secure ? "; Secure" : "") + (partitioned ? "; Partitioned" : "");
}

/** Where a tab's values are kept, as one text. */
const SESSION_KEY = "liveline:session";

/** Values that stay with this tab. */
export class TabSession extends AsyncMap {
  read() {
    if (globalThis.sessionStorage === undefined) throw noPage("event.session");
    return new Map(Object.entries(JSON.parse(sessionStorage.getItem(SESSION_KEY) ?? "{}")));
  }

  async set(key, value) {
    this.#write(this.read().set(key, value));
  }

  async delete(key) {
    const values = this.read();
    const had = values.delete(key);
    this.#write(values);
    return had;
  }

  #write(values) {
    sessionStorage.setItem(SESSION_KEY, JSON.stringify(Object.fromEntries(values)));
  }
}

/** A service worker has neither a tab nor a document. */
function noPage(what) {
  return new TypeError(`${what} is for handlers of pages and of the server; a service worker has the request's headers.`);
}
