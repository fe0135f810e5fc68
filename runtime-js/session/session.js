// event.session: values that stay with a visitor from request to request, kept by the host.

import {
  op_log_error,
  op_session_change,
  op_session_delete,
  op_session_entries,
  op_session_get,
  op_session_id,
  op_session_renew,
  op_session_set,
  op_session_unwatch,
  op_session_watch,
} from "ext:core/ops";
import { KeyVal } from "../keyval.js";
import {
  ArrayPrototypePush,
  JSONParse,
  JSONStringify,
  PromisePrototypeCatch,
  StringPrototypeSlice,
  StringPrototypeStartsWith,
  TypeError,
} from "../primordials.js";

/** What the keys of each part of a session begin with. The host knows the user's id, `user/id`: who sets it signs in. */
const SESSION = "session/";
const USER = "user/";
const THREAD = "thread/";

/** The session begins, and its cookie is set, with the first value. */
export class Session extends KeyVal {
  #exchange;

  constructor(exchange) {
    super("event.session", partOf(exchange, SESSION), () => exchange.signal);
    this.#exchange = exchange;
  }

  /** The session's id; null where there is none yet. */
  get sessionID() {
    return op_session_id(this.#exchange.id);
  }

  /**
   * Gives the session a new id and keeps what it holds; cookies with the one before are worth nothing any more. Before
   * the answer only. @returns {Promise<string | null>} the new id; null where there is no session
   */
  async regenerate() {
    return await op_session_renew(this.#exchange.id);
  }
}

/** For event.user: what is known of the user is kept with the session, under keys of its own. */
export function userStore(exchange) {
  return partOf(exchange, USER);
}

/** For event.thread: threads are kept with the session, under keys of their own. */
export function threadStore(exchange) {
  return partOf(exchange, THREAD);
}

/** @returns {import("../keyval.js").Store} */
function partOf({ id }, prefix) {
  return {
    async get(key) {
      const json = await op_session_get(id, prefix + key);
      return json === null ? undefined : JSONParse(json);
    },
    async set(key, value) {
      const json = JSONStringify(value);
      if (json === undefined) throw new TypeError(`"${key}" cannot be stored: a ${typeof value} has no JSON.`);
      await op_session_set(id, prefix + key, json);
    },
    delete: (key) => op_session_delete(id, prefix + key),
    async entries() {
      const flat = await op_session_entries(id, prefix);
      const entries = [];
      for (let i = 0; i < flat.length; i += 2) {
        ArrayPrototypePush(entries, [StringPrototypeSlice(flat[i], prefix.length), JSONParse(flat[i + 1])]);
      }
      return entries;
    },
    watch(tell) {
      let watching = null;
      let stopped = false;
      const follow = async () => {
        watching = await op_session_watch(id);
        if (stopped) return op_session_unwatch(watching);
        for (let change; (change = await op_session_change(watching)) !== null;) {
          const { 0: key, 1: json } = change;
          if (stopped || !StringPrototypeStartsWith(key, prefix)) continue;
          const type = json === null ? "delete" : "set";
          tell({ type, key: StringPrototypeSlice(key, prefix.length), value: json === null ? undefined : JSONParse(json) });
        }
      };
      PromisePrototypeCatch(follow(), (error) => {
        if (!stopped) op_log_error("subscribing to the session", error);
      });
      return () => {
        stopped = true;
        if (watching !== null) op_session_unwatch(watching);
      };
    },
  };
}
