// event.cookies and event.session in a browser, for values that scripts can access.

import { AsyncMap } from "../async_map.js";
import { cookieToDelete, cookieToSet } from "../cookies/rules.js";

/** The cookies that scripts may see. */
export class PageCookies extends AsyncMap {
  constructor() {
    super({ get: (name) => readCookies().get(name), entries: () => [...readCookies()] });
  }

  /** Arguments as for `event.cookies.set()` of the server. */
  async set(name, value, options) {
    if (typeof name !== "object" && value === undefined) await this.delete(name, options);
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

function readCookies() {
  if (globalThis.document === undefined) throw noPage("event.cookies");
  const values = new Map();
  for (const part of document.cookie.split("; ")) {
    const at = part.indexOf("=");
    const name = part.slice(0, at);
    if (at !== -1 && !values.has(name)) values.set(name, decode(part.slice(at + 1).replace(/^"(.*)"$/, "$1")));
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

/** The text that sets a cookie. Scripts cannot set httpOnly cookies. */
function textOf({ name, value, path, domain, maxAge, expires, httpOnly, secure, sameSite, partitioned }) {
  if (httpOnly) throw new TypeError(`The cookie "${name}" cannot be httpOnly here: a page's scripts set it. A server can.`);
  let text = `${name}=${value}; SameSite=${sameSite}; Path=${path}`;
  if (domain !== undefined) text += `; Domain=${domain}`;
  if (maxAge !== undefined) text += `; Max-Age=${maxAge}`;
  if (expires !== undefined) text += `; Expires=${new Date(expires).toUTCString()}`;
  return text + (secure ? "; Secure" : "") + (partitioned ? "; Partitioned" : "");
}

/** The key in the tab's storage of its values, as one JSON text. */
const SESSION_KEY = "liveline:session";

/** Values that are kept for this tab. */
export class TabSession extends AsyncMap {
  constructor() {
    super({ get: (key) => readSession().get(key), entries: () => [...readSession()] });
  }

  async set(key, value) {
    writeSession(readSession().set(key, value));
  }

  async delete(key) {
    const values = readSession();
    const had = values.delete(key);
    writeSession(values);
    return had;
  }
}

function readSession() {
  if (globalThis.sessionStorage === undefined) throw noPage("event.session");
  return new Map(Object.entries(JSON.parse(sessionStorage.getItem(SESSION_KEY) ?? "{}")));
}

function writeSession(values) {
  sessionStorage.setItem(SESSION_KEY, JSON.stringify(Object.fromEntries(values)));
}

/** A service worker has neither a tab nor a document. */
function noPage(what) {
  return new TypeError(`${what} is for handlers of pages and of the server; a service worker has the request's headers.`);
}
