// event.cookies and event.session in a browser: what the page may read itself.

import { parseCookies, serializeCookie } from "../03_cookie_text.js";

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
    return parseCookies(document.cookie);
  }

  /** @param {string} name @param {string | import("../03_cookie_text.js").CookieOptions} value */
  async set(name, value) {
    const options = typeof value === "object" && value !== null ? value : { value };
    document.cookie = serializeCookie(name, options);
  }

  async delete(name) {
    const had = await this.has(name);
    document.cookie = serializeCookie(name, { value: "", maxAge: 0 });
    return had;
  }
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
