// event.client: the handler's end of the line, known as Port A.

import { op_port_close, op_port_delta, op_port_message } from "ext:core/ops";
import { domException, invalidState } from "ext:liveline/02_exceptions.js";
import { encodeRecords } from "ext:liveline/21_encoding.js";
import { encodeJson } from "ext:liveline/22_values.js";
import { subscribe } from "ext:liveline/60_observer.js";

/** Options of a message, flat or in the older nested form. */
function readOptions(options) {
  const { type = "message", eventID, live = false, bubbles = false } = options?.wqEventOptions ?? options ?? {};
  if (typeof type !== "string" || type === "") throw new TypeError("The type of a message is a non-empty string.");
  return { type, eventID, live, bubbles };
}

/** A message from the other end. */
export class PortMessageEvent extends MessageEvent {
  constructor(type, { data, eventID, ports = [], cancelable = true }) {
    super(type, { data, cancelable });
    this.eventID = eventID;
    /** Ports to reply on, where the sender asked for replies. */
    this.ports = Object.freeze(ports);
  }

  /** Replies on every port. */
  respondWith(data) {
    for (const port of this.ports) port.postMessage(data);
    return this.ports.length > 0;
  }
}

/** How an exchange's line closed. */
export class PortCloseEvent extends CloseEvent {}

/**
 * @typedef {object} MessageOptions
 * @property {string} [type] event type at the receiver, `message` by default
 * @property {string} [eventID] the message's name, made up by default
 * @property {boolean} [live] later changes of the data travel as deltas
 * @property {boolean} [bubbles]
 */

export class ClientPort extends EventTarget {
  #exchange;
  #readyState = "connecting";
  #waiting = [];
  /** Requests that wait for replies, and ports of requests from the client, by `<eventID>:<port>`. */
  #replies = new Map();
  #taps = null;
  #onmessage = null;

  constructor(exchange) {
    super();
    this.#exchange = exchange;
    if (exchange.ended) this.#readyState = "closed";
    else if (exchange.joined) this.#readyState = "open";
    exchange.onEnd(() => this.#finish());
  }

  /** `connecting` until the client has spoken, then `open`, at last `closed`. */
  get readyState() {
    return this.#readyState;
  }

  /** Resolves when the port reaches `state`: `open` or `close`. */
  readyStateChange(state) {
    if (this.#readyState === "closed" || (state !== "close" && this.#readyState === "open")) return Promise.resolve(this);
    return new Promise((resolve) => this.#waiting.push({ state, resolve }));
  }

  get onmessage() {
    return this.#onmessage;
  }

  set onmessage(handler) {
    if (this.#onmessage !== null) this.removeEventListener("message", this.#onmessage);
    this.#onmessage = typeof handler === "function" ? handler : null;
    if (this.#onmessage !== null) this.addEventListener("message", this.#onmessage);
  }

  /**
   * Sends a message. Before anything else was sent it makes the HTTP answer a 202, which tells the client to join.
   * @param {unknown} data
   * @param {MessageOptions} [options]
   */
  postMessage(data, options = undefined) {
    this.#send(data, readOptions(options), 0);
  }

  /**
   * Sends a message that asks for an answer.
   * @param {unknown} data
   * @param {((event: PortMessageEvent) => void) | (MessageOptions & { signal?: AbortSignal })} [callback]
   * @param {MessageOptions & { signal?: AbortSignal }} [options]
   * @returns {Promise<PortMessageEvent>} the first reply; rejects when the client leaves first
   */
  postRequest(data, callback = undefined, options = undefined) {
    if (typeof callback !== "function") [callback, options] = [undefined, callback ?? options];
    const { promise, resolve, reject } = Promise.withResolvers();
    const exchange = this.#exchange;
    if (exchange.ended) return Promise.reject(invalidState("The line is closed, so nobody can answer."));
    if (!exchange.canJoin) return Promise.reject(exchange.unreachable());
    const eventID = this.#send(data, readOptions(options), 1);
    const address = `${eventID}:0`;
    const signal = options?.signal;
    const settle = (finish, value) => {
      if (!this.#replies.delete(address)) return;
      signal?.removeEventListener("abort", onAbort);
      exchange.release();
      finish(value);
    };
    const onAbort = () => settle(reject, signal.reason);
    exchange.hold();
    this.#replies.set(address, {
      receive: (event) => {
        settle(resolve, event);
        callback?.(event);
      },
      close: () => settle(reject, domException("AbortError", "The client left before it answered.")),
    });
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort);
    return promise;
  }

  /** Answers messages of one type with what `handler` returns. */
  addRequestListener(type, handler, options = undefined) {
    this.addEventListener(type, async (event) => event.respondWith(await handler(event)), options);
  }

  /** Ends the line normally. */
  close() {
    if (this.#exchange.ended) return;
    op_port_close(this.#exchange.id, false);
    this.#exchange.end();
  }

  /** Resolves when the user navigates to this page again. */
  navigatedIn() {
    return new Promise((resolve) => this.addEventListener("navigatein", resolve, { once: true }));
  }

  /** Resolves when the user navigates away. */
  navigatedAway() {
    return new Promise((resolve) => this.addEventListener("navigateaway", resolve, { once: true }));
  }

  #send(data, { type, eventID, live, bubbles }, ports) {
    const exchange = this.#exchange;
    if (exchange.ended) return undefined;
    eventID ??= exchange.nextEventID(type);
    if (exchange.canJoin) this.#write(data, { type, eventID, live, bubbles, ports });
    this.#taps?.forEach((tap) => tap.dispatchEvent(new PortMessageEvent(type, { data, eventID })));
    return eventID;
  }

  #write(data, { type, eventID, live, bubbles, ports }) {
    const exchange = this.#exchange;
    const payload = encodeJson(data, `The "${type}" message`);
    exchange.answered = true;
    op_port_message(exchange.id, type, eventID, payload, live, bubbles, ports);
    if (live && data !== null && typeof data === "object") {
      const unsubscribe = subscribe(data, (records) => {
        op_port_delta(exchange.id, `${eventID}.mutate`, encodeRecords(records, null));
      });
      exchange.onEnd(unsubscribe);
    }
  }

  /** The far end of this port, for handlers that listen in on what this one says. */
  tap() {
    const tap = new BackgroundPort(this);
    (this.#taps ??= []).push(tap);
    return tap;
  }

  // -- what the host tells -----------------------------------------------------------------------------------------

  /** The client listens. */
  opened() {
    if (this.#readyState !== "connecting") return;
    this.#readyState = "open";
    this.#settleWaiting("open");
  }

  /** A message came. Returns whether a listener prevented its default. */
  receive(type, eventID, data, portCount) {
    const ports = Array.from({ length: portCount }, (_, index) => new ReplyPort(this.#exchange, `${eventID}:${index}`));
    if (type === "navigate") return this.#navigate(data, eventID);
    this.dispatchEvent(new PortMessageEvent(type, { data, eventID, ports }));
    return false;
  }

  /** A reply to one of this port's requests came. */
  reply(request, port, type, data) {
    const waiting = this.#replies.get(`${request}:${port}`);
    if (waiting === undefined || data?.[".wq"] !== undefined) return;
    waiting.receive(new PortMessageEvent(type, { data, eventID: request }));
  }

  #navigate(data, eventID) {
    const pathname = typeof data?.pathname === "string" ? data.pathname : "";
    const here = new URL(this.#exchange.url).pathname === pathname;
    const derived = new PortMessageEvent(here ? "navigatein" : "navigateaway", { data, eventID });
    const kept = !this.dispatchEvent(derived);
    const main = new PortMessageEvent("navigate", { data, eventID });
    return kept || !this.dispatchEvent(main);
  }

  /** The line is gone. */
  closed(code, reason, wasClean) {
    if (this.#readyState === "closed") return;
    this.#readyState = "closed";
    this.dispatchEvent(new PortCloseEvent("close", { code, reason, wasClean }));
  }

  #finish() {
    for (const { close } of [...this.#replies.values()]) close();
    this.#settleWaiting("open");
    this.#settleWaiting("close");
  }

  #settleWaiting(state) {
    const ready = this.#waiting.filter((waiting) => (waiting.state === "close") === (state === "close"));
    this.#waiting = this.#waiting.filter((waiting) => !ready.includes(waiting));
    for (const { resolve } of ready) resolve(this);
  }
}

/** A port on which the client's request is answered. */
class ReplyPort {
  #exchange;
  #address;

  constructor(exchange, address) {
    this.#exchange = exchange;
    this.#address = address;
  }

  postMessage(data, options = undefined) {
    if (this.#exchange.ended) return;
    const type = `${this.#address}:${readOptions(options).type}`;
    const payload = encodeJson(data, "The reply");
    op_port_message(this.#exchange.id, type, this.#exchange.nextEventID(type), payload, false, false, 0);
  }

  close() {}
}

/** Port B inside the server: hears what a handler's client port says, and can speak to that handler. */
export class BackgroundPort extends EventTarget {
  #client;

  constructor(client) {
    super();
    this.#client = client;
  }

  /** Speaks to the handler as its client would. */
  postMessage(data, options = undefined) {
    const { type, eventID = type } = readOptions(options);
    this.#client.receive(type, eventID, structuredClone(data), 0);
  }

  close() {
    this.#client.close();
  }
}
