// app.background: every line that is open in this page, as one port.

import { invalidState } from "../errors/exceptions.js";
import { kReach, Port } from "../port/port.js";

/** Hears what comes on any of its ports, and says to all of them what is said to it. */
export class Hub extends Port {
  #ports = new Set();

  /** How many conversations are alive. */
  get length() {
    return this.#ports.size;
  }

  [Symbol.iterator]() {
    return [...this.#ports].values();
  }

  /**
   * Takes a port in until it closes.
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
   * Asks on every line. @returns {Promise<PortMessageEvent>} the first answer; rejects where none comes
   */
  async postRequest(data, callback = undefined, options = callback) {
    if (this.length === 0) throw invalidState("No line is open, so nobody can answer.");
    const answer = await Promise.any([...this].map((port) => port.postRequest(data, options)));
    if (typeof callback === "function") callback(answer);
    return answer;
  }

  /** Ends every conversation. */
  close(code = undefined, reason = undefined) {
    for (const port of this) port.close(code, reason);
  }

  /** Open with the first open line, closed with the last closed one. */
  #settle() {
    const states = [...this.#ports].map((port) => port.readyState);
    const state = states.includes("open") ? "open" : states.length > 0 ? "connecting" : "closed";
    if (state !== this.readyState) this[kReach](state);
  }
}
