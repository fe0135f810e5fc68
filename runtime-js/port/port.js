// The common part of both ends of a line: events, options, ready states, and requests that wait for replies.

import { domException } from "../errors/exceptions.js";
import { checkOptions, wrongState } from "../errors/options.js";
import {
  AbortSignalPrototypeGetAborted,
  AbortSignalPrototypeGetReason,
  ArrayIsArray,
  CloseEvent,
  Error,
  Event,
  EventPrototypeGetDefaultPrevented,
  EventPrototypeStopImmediatePropagation,
  EventPrototypeStopPropagation,
  EventTarget,
  EventTargetPrototypeAddEventListener,
  EventTargetPrototypeRemoveEventListener,
  Number,
  ObjectFreeze,
  Promise,
  PromisePrototypeThen,
  PromiseResolve,
  SafeArrayIterator,
  SafeMap,
  String,
  Symbol,
  SymbolToPrimitive,
  TypeError,
} from "../primordials.js";

/** Options of messages and of requests. */
const OPTIONS = ["type", "eventID", "live", "bubbles", "signal"];

/** Options of a message, flat or in the older nested form. */
export function readOptions(options) {
  const { wqEventOptions, transfer, ...flat } = ArrayIsArray(options) ? { transfer: options } : options ?? {};
  if (transfer?.length > 0) {
    throw new TypeError("Ports are not transferred: use postRequest().");
  }
  checkOptions("postMessage()", flat, OPTIONS);
  checkOptions("postMessage()", wqEventOptions, OPTIONS);
  const { type = "message", eventID, live = false, bubbles = false, signal } = wqEventOptions ?? flat;
  if (typeof type !== "string" || type === "") throw new TypeError("A message has a non-empty type.");
  return { type, eventID, live, bubbles, signal };
}

/** The last two arguments of a request, of which the callback may be omitted. */
export function readRequestArguments(callback, options) {
  return typeof callback === "function" ? { callback, options } : { callback: undefined, options: callback ?? options };
}

/** A message from the other end. It converts to its data where a primitive value is needed. */
export class PortMessageEvent extends Event {
  #stopped = false;

  constructor(type, { data, eventID, ports = [], cancelable = true }) {
    super(type, { cancelable });
    this.data = data;
    this.eventID = eventID;
    /** Ports to reply on, if the sender requested replies. */
    this.ports = ObjectFreeze(ports);
  }

  /** Replies on every port. */
  respondWith(data) {
    for (const port of new SafeArrayIterator(this.ports)) port.postMessage(data);
    return this.ports.length > 0;
  }

  /** Whether a listener stopped the event's propagation. */
  get isStopped() {
    return this.#stopped;
  }

  stopPropagation() {
    this.#stopped = true;
    EventPrototypeStopPropagation(this);
  }

  stopImmediatePropagation() {
    this.#stopped = true;
    EventPrototypeStopImmediatePropagation(this);
  }

  /** The same message for another target. */
  copy() {
    const { type, data, eventID, ports } = this;
    return new PortMessageEvent(type, { data, eventID, ports: [...new SafeArrayIterator(ports)] });
  }

  [SymbolToPrimitive](hint) {
    const { data } = this;
    if (hint === "number") return Number(data);
    return hint === "string" || (data !== null && typeof data === "object") ? String(data) : data;
  }

  toJSON() {
    return this.data;
  }
}

/** The event of a line that closed. */
export class PortCloseEvent extends CloseEvent {
  get isStopped() {
    return false;
  }

  /** The same event for another target. */
  copy() {
    const { type, code, reason, wasClean } = this;
    return new PortCloseEvent(type, { code, reason, wasClean });
  }
}

/** The error of a line to an upstream that closed before the last state. */
export class LineLostError extends Error {
  constructor(code, reason) {
    super(`The line to the upstream closed with ${code}${reason === "" ? "" : ` (${reason})`} before it was done.`);
    this.name = "LineLostError";
    this.code = code;
    this.reason = reason;
  }
}

/** For the host: sets a port's ready state. */
export const kReach = Symbol("reach");
/** For the host: relays a message that no listener has stopped. */
export const kPassOn = Symbol("pass on");

/** For the host: sets the callback to which a {@link Port} relays its messages. */
export const kRelay = Symbol("relay");
/** A listener for a type of messages was added to a port. */
export const kListens = Symbol("listens");
/** For the host: the line of a port has closed. */
export const kClosed = Symbol("closed");
/** For a LiveResponse: follows the states that a port receives. */
export const kFollow = Symbol("follow");
/** For a LiveResponse: applies the deltas that a port receives to a state. */
export const kBind = Symbol("bind");
/** For a LiveResponse: holds up the frames that a port is to receive. */
export const kHold = Symbol("hold");

/** One end of a line. */
export class Port extends EventTarget {
  #readyState = "connecting";
  /** The promises of the ready states `open` and `closed`, made for the first that waits, each with its `resolve`. */
  #opening = null;
  #open = null;
  #closing = null;
  #close = null;
  #onmessage = null;
  #relay = null;

  /** `connecting` until the other end has joined, then `open`, at last `closed`. */
  get readyState() {
    return this.#readyState;
  }

  /** Resolves when the port reaches `state`: `open` or `closed`, which `close` means, too. */
  readyStateChange(state) {
    const wrong = wrongState(state, ["open", "closed", "close"]);
    if (wrong !== null) return wrong;
    const isOpen = state === "open";
    if ((isOpen && this.#readyState === "open") || this.#readyState === "closed") return PromiseResolve(this);
    if (!isOpen) return this.#closing ??= new Promise((resolve) => this.#close = resolve);
    return this.#opening ??= new Promise((resolve) => this.#open = resolve);
  }

  [kReach](state) {
    this.#readyState = state;
    this.#open?.(this);
    this.#opening = this.#open = null;
    if (state !== "closed") return;
    this.#close?.(this);
    // A hub opens again with its next line.
    this.#closing = this.#close = null;
  }

  get onmessage() {
    return this.#onmessage;
  }

  set onmessage(handler) {
    if (this.#onmessage !== null) EventTargetPrototypeRemoveEventListener(this, "message", this.#onmessage);
    this.#onmessage = typeof handler === "function" ? handler : null;
    if (this.#onmessage === null) return;
    EventTargetPrototypeAddEventListener(this, "message", this.#onmessage);
    this[kListens]("message");
  }

  /** A listener for messages of this type was added. */
  [kListens](_type) {}

  /**
   * For the host: calls `callback` with each message that no listener has stopped.
   * @param {(event: PortMessageEvent, live: boolean) => void} callback
   * @returns {() => void} a function that ends that
   */
  [kRelay](callback) {
    this.#relay = callback;
    return () => {
      if (this.#relay === callback) this.#relay = null;
    };
  }

  [kPassOn](event, live = false) {
    if (!EventPrototypeGetDefaultPrevented(event) && !event.isStopped) this.#relay?.(event, live);
  }

  /** Answers messages of one type with what `handler` returns. */
  addRequestListener(type, handler, options = undefined) {
    EventTargetPrototypeAddEventListener(this, type, async (event) => event.respondWith(await handler(event)), options);
    this[kListens](String(type));
  }
}

/** Requests that wait for their first reply, by the address `<eventID>:<port>` of the reply. */
export class Requests {
  #waiting = new SafeMap();

  /**
   * @param {((event: PortMessageEvent) => void) | undefined} callback called with the reply, too
   * @param {() => void} [settled] called when the wait is over, for any reason
   * @returns {Promise<PortMessageEvent>}
   */
  wait(address, callback, signal, settled = () => {}) {
    const answer = new Promise((resolve, reject) => {
      const settle = (finish, value) => {
        if (!this.#waiting.delete(address)) return;
        if (signal) EventTargetPrototypeRemoveEventListener(signal, "abort", onAbort);
        settled();
        finish(value);
      };
      const onAbort = () => settle(reject, AbortSignalPrototypeGetReason(signal));
      this.#waiting.set(address, {
        receive: (event) => settle(resolve, event),
        close: () => settle(reject, domException("AbortError", "The line is closed, so nobody can answer.")),
      });
      if (!signal) return;
      if (AbortSignalPrototypeGetAborted(signal)) onAbort();
      else EventTargetPrototypeAddEventListener(signal, "abort", onAbort);
    });
    // An error of the callback does not end the line.
    if (callback !== undefined) PromisePrototypeThen(answer, callback, () => {});
    return answer;
  }

  has(address) {
    return this.#waiting.has(address);
  }

  /** A reply came; it is dropped if no request waits for it. */
  receive(address, event) {
    this.#waiting.get(address)?.receive(event);
  }

  /** The line has closed: no reply will come. */
  close() {
    for (const { close } of new SafeArrayIterator([...this.#waiting.values()])) close();
  }
}
