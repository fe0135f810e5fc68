// event.cookies: the request's cookies, and those that the answer will set.

import { op_cookie_set, op_cookies } from "ext:core/ops";
import { cookieToDelete, cookieToSet } from "./rules.js";
import { KeyVal } from "../keyval.js";
import {
  ArrayPrototypeFilter,
  ArrayPrototypeForEach,
  ArrayPrototypeMap,
  ArrayPrototypePush,
  decodeURIComponent,
  SafeMap,
  SafeSet,
  String,
} from "../primordials.js";

/**
 * Values are texts. `set()` and `delete()` also take a cookie's attributes, see
 * {@link import("./rules.js").CookieOptions}. Only before the answer.
 */
export class Cookies extends KeyVal {
  #jar;

  constructor(exchange) {
    const jar = new Jar(exchange.id);
    super("event.cookies", jar, () => exchange.signal);
    this.#jar = jar;
  }

  /** `set(name, value)`, `set(name, options)`, `set(name, value, options)` or `set(options)`; undefined as the value deletes. */
  async set(name, value, options) {
    if (typeof name !== "object" && value === undefined) this.#jar.delete(name, options);
    else this.#jar.put(cookieToSet(name, value, options));
  }

  /** `delete(name)`, `delete(name, options)` or `delete(options)`. Returns whether there was such a cookie. */
  async delete(name, options) {
    return this.#jar.delete(name, options);
  }

  /** `[{ name, value }]` of all, or of those with this name. */
  async getAll(name) {
    const of = typeof name === "object" && name !== null ? name.name : name;
    const all = ArrayPrototypeMap(this.#jar.entries(), ({ 0: name, 1: value }) => ({ name, value }));
    return of === undefined ? all : ArrayPrototypeFilter(all, ({ name }) => name === String(of));
  }
}

/** Where they are. @implements {import("../keyval.js").Store} */
class Jar {
  #id;
  #values = new SafeMap();
  #watching = new SafeSet();
  /** The cookies that the handler has set. */
  #given = [];

  constructor(id) {
    this.#id = id;
    const flat = op_cookies(id);
    for (let i = 0; i < flat.length; i += 2) {
      // Where there are several of a name, that of the longest path comes first.
      if (!this.#values.has(flat[i])) this.#values.set(flat[i], flat[i + 1]);
    }
  }

  get(name) {
    return this.#values.get(name);
  }

  put(cookie) {
    op_cookie_set(this.#id, cookie);
    ArrayPrototypePush(this.#given, cookie);
    const value = decodeURIComponent(cookie.value);
    this.#values.set(cookie.name, value);
    this.#tell({ type: "set", key: cookie.name, value });
  }

  delete(name, options) {
    const cookie = cookieToDelete(name, options);
    op_cookie_set(this.#id, cookie);
    if (typeof name !== "object" && options === undefined) {
      // Those that were set just now are meant as well, wherever they were to be.
      ArrayPrototypeForEach(this.#given, ({ name, path, domain, partitioned }) => {
        if (name === cookie.name) op_cookie_set(this.#id, cookieToDelete({ name, path, domain, partitioned }));
      });
    }
    this.#given = ArrayPrototypeFilter(this.#given, ({ name }) => name !== cookie.name);
    const wasThere = this.#values.delete(cookie.name);
    if (wasThere) this.#tell({ type: "delete", key: cookie.name, value: undefined });
    return wasThere;
  }

  entries() {
    return [...this.#values.entries()];
  }

  watch(callback) {
    this.#watching.add(callback);
    return () => this.#watching.delete(callback);
  }

  #tell(change) {
    ArrayPrototypeForEach([...this.#watching.values()], (callback) => callback(change));
  }
}
