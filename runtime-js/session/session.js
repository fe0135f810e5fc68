// event.session: values that the host keeps for a visitor from request to request.

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

/**
 * The prefixes of the keys of each part of a session. The host reads the user's ID, `user/id`: setting it signs the
 * user in.
 */
const SESSION = "session/";
const USER = "user/";
const THREAD = "thread/";

/** The values of a session. The first value that is set begins the session and sets its cookie. */
export class Session extends KeyVal {
  #exchange;

  constructor(exchange) {
    super("event.session", partOf(exchange, SESSION), () => exchange.signal);
    this.#exchange = exchange;
  }

  /** The session's ID; null if there is no session yet. */
  get sessionID() {
    return op_session_id(this.#exchange.id);
  }

  /**
   * Replaces the session's ID and keeps its values; cookies with the old ID are not valid any more. Only before the
   * answer.
   * @returns {Promise<string | null>} the new ID; null if there is no session
   */
  async regenerate() {
    return await op_session_renew(this.#exchange.id);
  }
}

/** For event.user: the user's values, kept in the session under their own prefix. */
export function userStore(exchange) {
  return partOf(exchange, USER);
}

/** For event.thread: threads, kept in the session under their own prefix. */
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
    watch(emit) {
      let watching = null;
      let stopped = false;
      const follow = async () => {
        watching = await op_session_watch(id);
        if (stopped) return op_session_unwatch(watching);
        for (let change; (change = await op_session_change(watching)) !== null;) {
          const { 0: key, 1: json } = change;
          if (stopped || !StringPrototypeStartsWith(key, prefix)) continue;
          const type = json === null ? "delete" : "set";
          emit({ type, key: StringPrototypeSlice(key, prefix.length), value: json === null ? undefined : JSONParse(json) });
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
