// Dialogs with the user at the other end of a line.

import { readRequestArguments } from "./port.js";

/**
 * Shows dialogs to the user, in the form that the client has for them. An answer is an event that converts to its
 * `data` (`answer == true`, `${answer}`, JSON); but like any object it is truthy, so write `if (answer.data)`.
 */
export class Dialogs {
  #client;

  /** @param {() => EventTarget} client */
  constructor(client) {
    this.#client = client;
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

  /** A message to the user; settles when the user has confirmed it. */
  alert(message, callback = undefined, options = undefined) {
    return this.#ask("alert", message, callback, options);
  }

  #ask(type, question, callback, options) {
    ({ callback, options } = readRequestArguments(callback, options));
    const data = typeof question === "string" ? { message: question } : question;
    return this.#client().postRequest(data, callback, { ...options, type });
  }
}
