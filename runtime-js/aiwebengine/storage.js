// `sharedStorage`, `personalStorage` and `secretStorage`: strings in SQLite, which outlive the process.

import { op_environment_get, op_script_clear, op_script_get, op_script_remove, op_script_set, op_session_id } from "ext:core/ops";
import { currentExchange } from "ext:liveline/exchange.js";
import { JSONStringify, String, TypeError } from "ext:liveline/primordials.js";

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

/** Values of one script and one visitor. */
export function personalStorageOf(script) {
  return storageIn("personalStorage", () => {
    const exchange = currentExchange();
    if (!exchange) throw new TypeError("personalStorage is used while a request is handled: it belongs to the visitor.");
    const id = op_session_id(exchange.id);
    if (id === null) {
      throw new TypeError(
        "personalStorage: the visitor has no session. A handler of the site begins one by event.session; aiwebengine's " +
          "sign-in does not exist on this host.",
      );
    }
    return `personal ${script.name} ${id}`;
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
