// Questions to the person at the other end of a line.

import { readRequestArguments } from "./port.js";

/**
 * Asks the user, through whatever the client shows for it. An answer is an event; it stands for its `data` where a
 * value is asked of it (`answer == true`, `${answer}`, JSON), but as any object it is truthy: `if (answer.data)`.
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

  /** Something to take note of; settles when the user did. */
  alert(message, callback = undefined, options = undefined) {
    return this.#ask("alert", message, callback, options);
  }

  #ask(type, question, callback, options) {
    ({ callback, options } = readRequestArguments(callback, options));
    const data = typeof question === "string" ? { message: question } : question;
    return this.#client().postRequest(data, callback, { ...options, type });
  }
}
