// `sharedStorage`, `personalStorage` and `secretStorage`: strings in SQLite, which outlive the process.

import {
  op_cookie_set,
  op_cookies,
  op_environment_get,
  op_script_clear,
  op_script_get,
  op_script_remove,
  op_script_set,
} from "ext:core/ops";
import { cookieToSet } from "ext:liveline/cookies/rules.js";
import { currentExchange } from "ext:liveline/exchange.js";
import {
  JSONStringify,
  RegExpPrototypeTest,
  SafeRegExp,
  SafeWeakMap,
  String,
  TypeError,
} from "ext:liveline/primordials.js";
import { newId } from "ext:liveline_aiwebengine/request.js";

/** Where values of a kind are. */
function storageIn(call, spaceOf) {
  return {
    __proto__: null,
    getItem: (key) => op_script_get(spaceOf(), String(key)),
    setItem(key, value) {
      if (value === undefined) throw new TypeError(`${call}.setItem("${String(key)}"): there is no value.`);
      op_script_set(spaceOf(), String(key), typeof value === "string" ? value : JSONStringify(value));
      return `Item '${String(key)}' stored`;
    },
    removeItem: (key) => op_script_remove(spaceOf(), String(key)),
    clear() {
      op_script_clear(spaceOf());
      return "Storage cleared";
    },
  };
}

/** Values of one script. */
export const sharedStorageOf = (script) => storageIn("sharedStorage", () => `shared ${script.name}`);

/** The cookie with the id of a visitor, and how long it lasts, in seconds. */
const COOKIE = "liveline_visitor";
const LIFETIME = 31_536_000;
/** Ids as they are made here. */
const ID = new SafeRegExp("^[0-9a-f-]{36}$");

/** The ids of visitors that were given in the answers of exchanges. @type {WeakMap<object, string>} */
const given = new SafeWeakMap();

/** The id of the visitor whose request is handled. A new one gets a cookie. */
function visitorOf(exchange) {
  const known = given.get(exchange);
  if (known !== undefined) return known;
  const cookies = op_cookies(exchange.id);
  for (let i = 0; i < cookies.length; i += 2) {
    if (cookies[i] === COOKIE && RegExpPrototypeTest(ID, cookies[i + 1])) return cookies[i + 1];
  }
  const id = newId();
  const attributes = { httpOnly: true, maxAge: LIFETIME, path: "/", sameSite: "Lax" };
  op_cookie_set(exchange.id, cookieToSet(COOKIE, id, attributes));
  given.set(exchange, id);
  return id;
}

/** Values of one script and one visitor. */
export function personalStorageOf(script) {
  return storageIn("personalStorage", () => {
    const exchange = currentExchange();
    if (!exchange) throw new TypeError("personalStorage is used while a request is handled: it belongs to the visitor.");
    return `personal ${script.name} ${visitorOf(exchange)}`;
  });
}

const SECRETS = "secrets";

/** The value of a secret: one that was set, or a variable of the environment; null if there is none. */
export const secretOf = (name) => op_script_get(SECRETS, name) ?? op_environment_get(name) ?? null;

/** Scripts set secrets and ask whether they exist; only headers of `fetch()` have their values. */
export const secretStorage = {
  __proto__: null,
  exists: (name) => secretOf(String(name)) !== null,
  setSecret(name, value) {
    op_script_set(SECRETS, String(name), String(value));
    return `Secret '${String(name)}' stored`;
  },
  removeSecret: (name) => op_script_remove(SECRETS, String(name)),
  clear: () => op_script_clear(SECRETS),
};
