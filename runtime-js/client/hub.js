// app.background: all open lines of this page, as one port.

import { invalidState } from "../errors/exceptions.js";
import { kReach, Port, readRequestArguments } from "../port/port.js";

/** Dispatches the messages of all its ports, and sends to all of them. */
export class Hub extends Port {
  #ports = new Set();

  /** The number of lines. */
  get length() {
    return this.#ports.size;
  }

  [Symbol.iterator]() {
    return [...this.#ports].values();
  }

  /**
   * Adds a port, until it closes.
   * @template {import("../port/remote_port.js").RemotePort} P
   * @param {P} port
   * @returns {P} the same port
   */
  add(port) {
    port.parent = this;
    this.#ports.add(port);
    this.#settle();
    port.readyStateChange("open").then(() => this.#settle());
    port.readyStateChange("close").then(() => {
      this.#ports.delete(port);
      this.#settle();
    });
    return port;
  }

  /** Sends a message on every line. */
  postMessage(data, options = undefined) {
    for (const port of this) port.postMessage(data, options);
  }

  /**
   * Sends a request on every line.
   * @returns {Promise<PortMessageEvent>} the first reply; rejects if none comes
   */
  async postRequest(data, callback = undefined, options = undefined) {
    if (this.length === 0) throw invalidState("The line is closed, so nobody can answer.");
    ({ callback, options } = readRequestArguments(callback, options));
    const answer = await Promise.any([...this].map((port) => port.postRequest(data, options)));
    callback?.(answer);
    return answer;
  }

  /** Closes every line. */
  close(code = undefined, reason = undefined) {
    for (const port of this) port.close(code, reason);
  }

  /** The hub is open if any line is, and closed when the last one has closed. */
  #settle() {
    const states = [...this.#ports].map((port) => port.readyState);
    const state = states.includes("open") ? "open" : states.length > 0 ? "connecting" : "closed";
    if (state !== this.readyState) this[kReach](state);
  }
}
