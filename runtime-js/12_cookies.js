// event.cookies: the request's cookies, and those that the answer will set.

import { op_exchange_cookie, op_request_header } from "ext:core/ops";
import { parseCookies, serializeCookie } from "ext:liveline/03_cookie_text.js";
import { KeyVal } from "ext:liveline/14_keyval.js";
import { ArrayPrototypeForEach, SafeSet, String } from "ext:liveline/00_primordials.js";

/** Values are strings; `set()` also takes {@link import("./03_cookie_text.js").CookieOptions}. Only before the answer. */
export class Cookies extends KeyVal {
  constructor(exchange) {
    super("event.cookies", storeOf(exchange), () => exchange.signal);
  }
}

/** @returns {import("./14_keyval.js").Store} */
function storeOf({ id }) {
  const values = parseCookies(op_request_header(id, "cookie") ?? "");
  const watching = new SafeSet();
  const tell = (change) => ArrayPrototypeForEach([...watching.values()], (callback) => callback(change));
  return {
    get: (name) => values.get(name),
    set(name, given) {
      const options = typeof given === "object" && given !== null ? given : { value: given };
      const value = String(options.value);
      op_exchange_cookie(id, name, serializeCookie(name, options));
      values.set(name, value);
      tell({ type: "set", key: name, value });
    },
    delete(name) {
      op_exchange_cookie(id, name, serializeCookie(name, { value: "", maxAge: 0 }));
      const wasThere = values.delete(name);
      if (wasThere) tell({ type: "delete", key: name, value: undefined });
      return wasThere;
    },
    entries: () => [...values.entries()],
    watch(callback) {
      watching.add(callback);
      return () => watching.delete(callback);
    },
  };
}
