// event.client: the handler's end of the line, known as Port A.

import { core } from "ext:core/mod.js";
import {
  op_early_find,
  op_early_listen,
  op_early_repeat,
  op_early_take,
  op_early_type,
  op_port_close,
  op_port_message,
} from "ext:core/ops";
import { invalidState } from "../errors/exceptions.js";
import { defineAbsent } from "../errors/absent.js";
import { inContextOf, kEnded } from "../exchange.js";
import { follow } from "../answer/answer.js";
import { encodeJson } from "../answer/values.js";
import { Channels } from "../channel.js";
import {
  kClosed,
  kPassOn,
  kReach,
  kListens,
  kRelay,
  Port,
  PortCloseEvent,
  PortMessageEvent,
  readOptions,
  readRequestArguments,
  Requests,
} from "./port.js";
import {
  ArrayFrom,
  ArrayPrototypeConcat,
  ArrayPrototypePush,
  EventPrototypeGetDefaultPrevented,
  EventTargetPrototypeAddEventListener,
  FunctionPrototypeCall,
  EventTargetPrototypeDispatchEvent,
  JSONParse,
  Promise,
  PromiseReject,
  PromiseResolve,
  queueMicrotask,
  SafeArrayIterator,
  String,
  StringPrototypeIncludes,
  Symbol,
  URL,
  URLPrototypeGetPathname,
} from "../primordials.js";

/**
 * @typedef {object} MessageOptions
 * @property {string} [type] event type at the receiver, `message` by default
 * @property {string} [eventID] the message's name, made up by default
 * @property {boolean} [live] later changes of the data travel as deltas
 * @property {AbortSignal} [signal] ends that; of a request, the wait for its answer
 * @property {boolean} [bubbles]
 */

const { listenerCount } = core.loadExtScript("ext:deno_web/02_event.js");

/** A copy of a message within the server, as it would arrive over a line. */
function copyOf(value) {
  clone ??= core.loadExtScript("ext:deno_web/13_message_port.js").structuredClone;
  return clone(value);
}

let clone = null;

const NOTHING = [];

/** Which early messages are wanted: those of a listener's type, of a channel, or all of them. */
const TYPE = 0;
const CHANNEL = 1;
const ALL = 2;

/** How the host has sent a message. The client is far behind. */
const BEHIND = 1;
/** The exchange is over. */
const DROPPED = 2;

/** Makes the far end of a client port, for handlers that read what is sent there. */
export const kTap = Symbol("tap");
/** Opens a client port: the client has joined. */
export const kOpened = Symbol("opened");
/** Begins to publish a LiveResponse on a client port; returns what ends that. */
export const kPublish = Symbol("publish");
/** Whether a client port has a listener for messages of a type. */
export const kTakes = Symbol("takes");
/** Dispatches a message on a client port. */
export const kReceive = Symbol("receive");
/** Settles a request of a client port with its reply. */
export const kReply = Symbol("reply");
/** As it is before any handler runs. */
const relayOfPort = Port.prototype[kRelay];

/** The same as {@link kReceive}, with the ports on which the message is answered. */
const kHear = Symbol("hear");

export class ClientPort extends Port {
  #exchange;
  /** Made when the first is asked. */
  #requests = null;
  #taps = null;
  /** The client is far behind with what was sent last. */
  #isCongested = false;
  /** Relays the messages that no listener keeps. */
  #onward = null;
  /** Types of which what came early is about to be delivered; null for all. */
  #due = NOTHING;

  constructor(exchange) {
    super();
    this.#exchange = exchange;
    if (exchange.ended) this[kReach]("closed");
    else if (exchange.joined) this[kReach]("open");
    exchange.onEnd(this);
  }

  /**
   * Sends a message. Before anything else was sent it makes the HTTP answer a 202, after which the client joins.
   * @param {unknown} data
   * @param {MessageOptions} [options]
   * @returns {Promise<void> | undefined} something to wait for, where the client is far behind
   */
  postMessage(data, options = undefined) {
    this.#send(data, readOptions(options), 0);
    if (this.#isCongested) return this.#exchange.whenDrained();
  }

  /**
   * Sends a message that asks for an answer.
   * @param {unknown} data
   * @param {((event: PortMessageEvent) => void) | (MessageOptions & { signal?: AbortSignal })} [callback]
   * @param {MessageOptions & { signal?: AbortSignal }} [options]
   * @returns {Promise<PortMessageEvent>} the first reply; rejects when the client leaves first
   */
  postRequest(data, callback = undefined, options = undefined) {
    ({ callback, options } = readRequestArguments(callback, options));
    const exchange = this.#exchange;
    if (exchange.ended) return PromiseReject(invalidState("The line is closed, so nobody can answer."));
    const eventID = this.#send(data, readOptions(options), 1);
    if (eventID === null) return PromiseReject(exchange.unreachable());
    exchange.hold();
    this.#requests ??= new Requests();
    return this.#requests.wait(`${eventID}:0`, callback, options?.signal, () => exchange.release());
  }

  /**
   * Lets the client into a channel: it receives what other members send, and they what it sends, until `leave()` or
   * the end of the line. Like a message it makes the exchange live; it does not keep it open.
   * @param {string} id the channel's name; its messages have the types `<id>:<type>`
   * @param {import("../channel.js").ChannelOptions} [options]
   * @returns {{ channel: import("../channel.js").Channel, leave: () => void }}
   */
  enterChannel(id, options = undefined) {
    const handle = this.#channels().enter(id, options);
    this.#wants(id, CHANNEL);
    return handle;
  }

  addEventListener(type, listener, options = undefined) {
    EventTargetPrototypeAddEventListener(this, type, listener, options);
    this[kListens](String(type));
  }

  [kRelay](callback) {
    const stop = FunctionPrototypeCall(relayOfPort, this, callback);
    this.#onward = callback;
    this.#wants("", ALL);
    return () => {
      stop();
      if (this.#onward === callback) this.#onward = null;
    };
  }

  /** A listener for a type was added. The host is informed of channels: it delivers only what has a listener. */
  [kListens](type) {
    if (StringPrototypeIncludes(type, ":")) this.#channels().listen(type);
    this.#wants(type, TYPE);
  }

  /** Delivers what came early when the code that runs has added all its listeners. */
  #wants(name, scope) {
    const exchange = this.#exchange;
    if (!exchange.hasEarly || exchange.ended) return;
    op_early_listen(exchange.id, name, scope);
    const isFirst = this.#due === NOTHING;
    this.#due = scope !== TYPE || this.#due === null ? null : ArrayPrototypeConcat(this.#due, name);
    if (!isFirst) return;
    queueMicrotask(() => {
      const types = this.#due;
      this.#due = NOTHING;
      inContextOf(exchange, () => this.#deliver(types));
    });
  }

  #channels() {
    return this.#exchange.channels ??= new Channels(this.#exchange);
  }

  /** Delivers what came early of these types, in the order in which it came, as far as there is a listener. */
  #deliver(types) {
    const exchange = this.#exchange;
    for (let at = 0; !exchange.ended;) {
      at = op_early_find(exchange.id, at, types);
      if (at === -1) return;
      const type = op_early_type(exchange.id, at);
      if (exchange.channels?.isIn(type)) {
        op_early_repeat(exchange.id, at);
      } else if (this[kTakes](type)) {
        const { eventId, data, ports } = JSONParse(op_early_take(exchange.id, at));
        this[kReceive](type, eventId, data, ports);
      } else {
        at += 1;
      }
    }
  }

  /** As for every port; but a client that takes one answer never opens it, so this does not wait. */
  readyStateChange(state) {
    if (state !== "close" && !this.#exchange.canJoin) return PromiseResolve(this);
    return super.readyStateChange(state);
  }

  /** Ends the line normally. */
  close() {
    op_port_close(this.#exchange.id);
  }

  /** Resolves when the user navigates to this page again. */
  navigatedIn() {
    return new Promise((resolve) => EventTargetPrototypeAddEventListener(this, "navigatein", resolve, { once: true }));
  }

  /** Resolves when the user navigates away. */
  navigatedAway() {
    return new Promise((resolve) => EventTargetPrototypeAddEventListener(this, "navigateaway", resolve, { once: true }));
  }

  /** Sends a message and returns its name, or null where the client should answer it and cannot. */
  #send(data, { type, eventID, live, bubbles, signal }, ports) {
    const exchange = this.#exchange;
    if (this.readyState === "closed") return undefined;
    eventID ??= exchange.nextEventID(type);
    if (this.#isKept(type, data, eventID, ports)) return eventID;
    if (exchange.canJoin) this.#write(data, { type, eventID, live, bubbles, ports, signal });
    else if (ports > 0) return null;
    return eventID;
  }

  /** Whether a handler that taps the port kept a message from going on to the client. */
  #isKept(type, data, eventID, portCount) {
    let isKept = false;
    for (const tap of new SafeArrayIterator(this.#taps ?? [])) {
      const answer = (value) => this[kReply](eventID, 0, "message", copyOf(value));
      const ports = ArrayFrom({ length: portCount }, () => new LocalPort(answer));
      const event = new PortMessageEvent(type, { data, eventID, ports });
      EventTargetPrototypeDispatchEvent(tap, event);
      isKept ||= EventPrototypeGetDefaultPrevented(event) || event.isStopped;
    }
    return isKept;
  }

  #write(data, { type, eventID, live, bubbles, ports, signal }) {
    const exchange = this.#exchange;
    const payload = encodeJson(data, `The "${type}" message`);
    const sent = op_port_message(exchange.id, type, eventID, payload, live, bubbles, ports);
    this.#isCongested = sent === BEHIND;
    if (sent === DROPPED) return;
    exchange.isLive();
    if (live && data !== null && typeof data === "object") follow(exchange, eventID, data, signal);
  }

  /** The far end of this port, for handlers that read what is sent here. */
  [kTap]() {
    const tap = new BackgroundPort(this);
    ArrayPrototypePush((this.#taps ??= []), tap);
    return tap;
  }

  // -- what the host calls -----------------------------------------------------------------------------------------

  /** The client has joined. */
  [kOpened]() {
    if (this.readyState === "connecting") this[kReach]("open");
  }

  /** The response is not done before what is published here is. */
  [kPublish]() {
    const exchange = this.#exchange;
    exchange.publications += 1;
    return () => exchange.published();
  }

  [kTakes](type) {
    return this.#onward !== null || listenerCount(this, type) > 0;
  }

  /** A message came. Returns whether a listener prevented its default. */
  [kReceive](type, eventID, data, portCount) {
    const ports = ArrayFrom({ length: portCount }, (_, index) => new ReplyPort(this.#exchange, `${eventID}:${index}`));
    return this[kHear](type, eventID, data, ports);
  }

  /** The same, with the ports on which it is answered. */
  [kHear](type, eventID, data, ports) {
    if (type === "navigate") return this.#navigate(data, eventID);
    const event = new PortMessageEvent(type, { data, eventID, ports });
    EventTargetPrototypeDispatchEvent(this, event);
    this[kPassOn](event);
    return false;
  }

  /** A reply to one of this port's requests came. */
  [kReply](request, port, type, data) {
    if (data?.[".wq"] !== undefined) return;
    this.#requests?.receive(`${request}:${port}`, new PortMessageEvent(type, { data, eventID: request }));
  }

  #navigate(data, eventID) {
    const pathname = typeof data?.pathname === "string" ? data.pathname : "";
    const here = URLPrototypeGetPathname(new URL(this.#exchange.url)) === pathname;
    const derived = new PortMessageEvent(here ? "navigatein" : "navigateaway", { data, eventID });
    const kept = !EventTargetPrototypeDispatchEvent(this, derived);
    const main = new PortMessageEvent("navigate", { data, eventID });
    return kept || !EventTargetPrototypeDispatchEvent(this, main);
  }

  /** The line is gone. */
  [kClosed](code, reason, wasClean) {
    if (this.readyState === "closed") return;
    this[kReach]("closed");
    EventTargetPrototypeDispatchEvent(this, new PortCloseEvent("close", { code, reason, wasClean }));
    for (const tap of new SafeArrayIterator(this.#taps ?? [])) tap[kClosed](code, reason, wasClean);
  }

  /** The line is over: no reply will come. */
  [kEnded]() {
    this.#requests?.close();
  }
}

defineAbsent(ClientPort.prototype, "event.client", {
  broadcast: "clients are reached together in a channel: enterChannel(id).",
  channel: "use enterChannel(id).",
  portID: "a line has no public name.",
  projectMutations: "use postMessage(object, { live: true }).",
  query: 'use postRequest(data, { type: "query" }).',
  relay: "return what next() or fetch() gave: its messages are passed on.",
  start: "a port starts by itself.",
});

/** A port on which the client's request is answered. */
class ReplyPort {
  #exchange;
  #address;

  constructor(exchange, address) {
    this.#exchange = exchange;
    this.#address = address;
  }

  postMessage(data, options = undefined) {
    const type = `${this.#address}:${readOptions(options).type}`;
    const payload = encodeJson(data, "The reply");
    op_port_message(this.#exchange.id, type, this.#exchange.nextEventID(type), payload, false, false, 0);
  }

  close() {}
}

/** Where a message from within the server is answered. Answers come in a later turn, as those from afar do. */
class LocalPort {
  #answer;

  constructor(answer) {
    this.#answer = answer;
  }

  postMessage(data) {
    queueMicrotask(() => this.#answer(data));
  }

  close() {}
}

/**
 * Port B inside the server: receives what a handler sends to its client, before the client does, and can send to that
 * handler. Like at a line's far end, a listener keeps a message from going on by preventing its default.
 */
export class BackgroundPort extends Port {
  #client;
  #requests = new Requests();
  #names = 0;

  constructor(client) {
    super();
    this.#client = client;
    this[kReach]("open");
  }

  /** Sends to the handler as its client would. */
  postMessage(data, options = undefined) {
    this.#post(data, readOptions(options), []);
  }

  /** Asks the handler. @returns {Promise<PortMessageEvent>} */
  postRequest(data, callback = undefined, options = undefined) {
    ({ callback, options } = readRequestArguments(callback, options));
    const { type, eventID = `${type}-b${this.#names += 1}` } = readOptions(options);
    const address = `${eventID}:0`;
    const receive = (answer) => {
      this.#requests.receive(address, new PortMessageEvent("message", { data: copyOf(answer), eventID }));
    };
    this.#post(data, { type, eventID }, [new LocalPort(receive)]);
    return this.#requests.wait(address, callback, options?.signal);
  }

  #post(data, { type, eventID = type }, ports) {
    this.#client[kHear](type, eventID, copyOf(data), ports);
  }

  close() {
    this.#client.close();
  }

  /** The line is gone, and with it the conversation. */
  [kClosed](code, reason, wasClean) {
    this[kReach]("closed");
    this.#requests.close();
    EventTargetPrototypeDispatchEvent(this, new PortCloseEvent("close", { code, reason, wasClean }));
  }
}
