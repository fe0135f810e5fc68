// event.user on the server: what is known of the person at the other end, and dialogs with them.

import { userStore } from "ext:liveline/13_session.js";
import { KeyVal } from "ext:liveline/14_keyval.js";
import { User } from "ext:liveline/31_user.js";

/** Values of the user, kept with the session; and the questions of {@link User}. */
export class KnownUser extends KeyVal {
  #dialogs;

  /** @param {import("./10_exchange.js").Exchange} exchange @param {() => EventTarget} client */
  constructor(exchange, client) {
    super("event.user", userStore(exchange), () => exchange.signal);
    this.#dialogs = new User(client);
  }

  /**
   * Whether the user has an id. A callback gets the answer now and whenever it changes; then the result ends that.
   * @param {(isSignedIn: boolean) => void} [callback]
   */
  async isSignedIn(callback = undefined, options = undefined) {
    const isSignedIn = Boolean(await this.get("id"));
    if (callback === undefined) return isSignedIn;
    const stop = options?.once ? () => {} : this.subscribe("id", ({ value }) => callback(Boolean(value)), options);
    callback(isSignedIn);
    return stop;
  }

  /** Requires the user's id, and further keys if the first argument names some. @see KeyVal.require */
  async signIn(...args) {
    const more = typeof args[0] === "string" || Array.isArray(args[0]) ? [args.shift()].flat() : [];
    return await this.require(["id", ...more], ...args);
  }

  /** Forgets everything about the user. */
  async signOut() {
    await this.clear();
  }

  /** @see User.confirm */
  confirm(...args) {
    return this.#dialogs.confirm(...args);
  }

  /** @see User.prompt */
  prompt(...args) {
    return this.#dialogs.prompt(...args);
  }

  /** @see User.alert */
  alert(...args) {
    return this.#dialogs.alert(...args);
  }
}
