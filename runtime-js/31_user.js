// event.user: the person at the other end: what is known of them, and dialogs with them.

import { userStore } from "ext:liveline/13_session.js";
import { KeyVal } from "ext:liveline/14_keyval.js";

/** Values of the user, kept with the session, and questions to them, through whatever the client shows for it. */
export class User extends KeyVal {
  #client;

  /** @param {() => import("./30_port.js").ClientPort} client */
  constructor(exchange, client) {
    super("event.user", userStore(exchange), () => exchange.signal);
    this.#client = client;
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

  /**
   * A yes-or-no question. The answer's `data` is true or false.
   * @param {{ message: string, details?: string } | string} question
   */
  confirm(question, callback = undefined, options = undefined) {
    return this.#ask("confirm", question, callback, options);
  }

  /** A question with a free answer, which is the answer's `data`. */
  prompt(question, callback = undefined, options = undefined) {
    return this.#ask("prompt", question, callback, options);
  }

  /** Something to take note of; settles when the user did. */
  alert(message, callback = undefined, options = undefined) {
    return this.#ask("alert", message, callback, options);
  }

  #ask(type, question, callback, options) {
    if (typeof callback !== "function") [callback, options] = [undefined, callback ?? options];
    const data = typeof question === "string" ? { message: question } : question;
    return this.#client().postRequest(data, callback, { ...options, type });
  }
}
