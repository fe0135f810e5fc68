// event.user: the user at the other end: the user's values, and dialogs with the user.

import { userStore } from "./session.js";
import { KeyVal } from "../keyval.js";
import { Dialogs } from "../port/dialogs.js";
import {
  ArrayIsArray,
  ArrayPrototypeFlat,
  ArrayPrototypeShift,
  Boolean,
  SafeArrayIterator,
} from "../primordials.js";

/** The user's values, kept in the session, and dialogs, in the form that the client has for them. */
export class User extends KeyVal {
  #dialogs;

  /** @param {() => import("../port/client_port.js").ClientPort} client */
  constructor(exchange, client) {
    super("event.user", userStore(exchange), () => exchange.signal);
    this.#dialogs = new Dialogs(client);
  }

  /**
   * Whether the user has an ID. A callback is called with the answer now and after every change; the result then ends
   * that.
   * @param {(isSignedIn: boolean) => void} [callback]
   */
  async isSignedIn(callback = undefined, options = undefined) {
    const isSignedIn = Boolean(await this.get("id"));
    if (callback === undefined) return isSignedIn;
    const stop = options?.once ? () => {} : this.subscribe("id", ({ value }) => callback(Boolean(value)), options);
    callback(isSignedIn);
    return stop;
  }

  /** Requires the user's ID, and further keys if the first argument contains some. @see KeyVal.require */
  async signIn(...args) {
    const namesKeys = typeof args[0] === "string" || ArrayIsArray(args[0]);
    const more = namesKeys ? ArrayPrototypeFlat([ArrayPrototypeShift(args)]) : [];
    return await this.require(["id", ...new SafeArrayIterator(more)], ...new SafeArrayIterator(args));
  }

  /** Deletes all values of the user. */
  async signOut() {
    await this.clear();
  }

  /** @see Dialogs.confirm */
  confirm(...args) {
    return this.#dialogs.confirm(...new SafeArrayIterator(args));
  }

  /** @see Dialogs.prompt */
  prompt(...args) {
    return this.#dialogs.prompt(...new SafeArrayIterator(args));
  }

  /** @see Dialogs.alert */
  alert(...args) {
    return this.#dialogs.alert(...new SafeArrayIterator(args));
  }
}
