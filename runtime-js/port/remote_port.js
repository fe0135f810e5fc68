// The client's end of a line, Port B in the protocol, over any transport.

import { domException, invalidState } from "../errors/exceptions.js";
import { encodeConnect, encodeEnvelope } from "./frames.js";
import {
  kBind,
  kFollow,
  kHold,
  kPassOn,
  kReach,
  Port,
  PortCloseEvent,
  PortMessageEvent,
  readOptions,
  readRequestArguments,
  Requests,
} from "./port.js";
import { applyRecords } from "./deltas.js";
import {
  ArrayFrom,
  ArrayPrototypePush,
  EventPrototypeGetDefaultPrevented,
  EventPrototypePreventDefault,
  EventTarget,
  EventTargetPrototypeAddEventListener,
  EventTargetPrototypeDispatchEvent,
  JSONParse,
  MathMax,
  MathMin,
  NumberIsInteger,
  NumberPrototypeToString,
  PromisePrototypeThen,
  PromiseReject,
  queueMicrotask,
  SafeArrayIterator,
  SafeFinalizationRegistry,
  SafeMap,
  SafeSet,
  SafeWeakRef,
  StringPrototypeEndsWith,
  StringPrototypeLastIndexOf,
  StringPrototypeSlice,
} from "../primordials.js";

/**
 * A transport: sends text, and can be closed.
 * @typedef {object} Transport
 * @property {(text: string) => void} send
 * @property {(code: number, reason: string) => void} close
 */

/**
 * The callbacks of a transport.
 * @typedef {object} Receiver
 * @property {() => void} opened text can be sent
 * @property {(text: string) => void} frame a frame came
 * @property {(code: number, reason: string, wasClean: boolean) => void} closed the last call
 */

/**
 * A follower of the states of the response that came with a port.
 * @typedef {object} Follower
 * @property {(state: object) => void} replace a new state, in the protocol's format
 * @property {() => void} done the last state has come
 * @property {(code: number, reason: string) => void} closed
 */

/** The most that may be queued until the line opens, in UTF-16 units. */
const MAX_QUEUE = 1 << 20;
/** The most reply ports of one message. */
const MAX_PORTS = 16;
/** Types of a port's own events, which messages may not have. */
const OWN_EVENTS = new SafeSet(["close", "error", "open"]);

export class RemotePort extends Port {
  #transport = null;
  #isConnected = false;
  /** Frames that wait for the line to open. */
  #queue = [];
  #queued = 0;
  /** The ID of the hello, the frame by which this end requests the first frames; null until it is sent. */
  #hello = null;
  /** The promise that the hello waits for. */
  #ready = null;
  #names = 0;
  #requests = new Requests();
  /** Reply ports with a listener, by address. */
  #replyPorts = new SafeMap();
  /** Values to which deltas are applied, by the ID that the deltas have. */
  #bound = new SafeMap();
  #forgotten = new SafeFinalizationRegistry((name) => {
    if (this.#bound.get(name)?.ref.deref() === undefined) this.#bound.delete(name);
  });
  #follower = null;

  /** @param {(receiver: Receiver) => Transport} open starts the transport */
  constructor(open) {
    super();
    /** A second target for every event of this port. @type {EventTarget | null} */
    this.parent = null;
    this.#transport = open({
      opened: () => {
        this.#isConnected = true;
        this.#greet();
      },
      frame: (text) => {
        try {
          this.#receive(text);
        } catch (error) {
          // An observer of the data may throw; the line stays open.
          queueMicrotask(() => {
            throw error;
          });
        }
      },
      closed: (code, reason, wasClean) => this.#closed(code, reason, wasClean),
    });
    this.#greet();
  }

  /** Sends the hello only after `promise` has settled, so that no frame comes before. */
  [kHold](promise) {
    const go = () => {
      if (this.#ready !== held) return;
      this.#ready = null;
      this.#greet();
    };
    const held = this.#ready = PromisePrototypeThen(promise, go, go);
  }

  /** Sends a message; until the line is open it is queued. */
  postMessage(data, options = undefined) {
    this.#post(data, readOptions(options), 0);
  }

  /**
   * Sends a message that requests a reply.
   * @param {unknown} data
   * @param {((event: PortMessageEvent) => void) | object} [callback]
   * @param {object} [options] of the message; its `signal` ends the wait
   * @returns {Promise<PortMessageEvent>} the first reply; rejects if the line closes first
   */
  postRequest(data, callback = undefined, options = undefined) {
    ({ callback, options } = readRequestArguments(callback, options));
    return this.#request(data, readOptions(options), callback, options?.signal);
  }

  /** Ends the line. */
  close(code = 1000, reason = "") {
    if (this.readyState === "closed") return;
    this.#transport.close(code, reason);
    this.#closed(code, reason, true);
  }

  // -- for LiveResponse --------------------------------------------------------------------------------------------

  /** @param {Follower} follower @returns {() => void} a function that ends that */
  [kFollow](follower) {
    this.#follower = follower;
    return () => {
      if (this.#follower === follower) this.#follower = null;
    };
  }

  /**
   * Applies deltas to a state of the response, until a state comes that is not concurrent with it.
   * @param {string} name `initial_response`, or the ID of the message with the state
   * @param {string | null} [prefix] the key of the body in what was sent
   */
  [kBind](name, body, prefix = null) {
    this.#bind(name, body, { prefix, isState: true });
  }

  #bind(name, value, { prefix = null, isState = false } = {}) {
    if (value === null || typeof value !== "object") return;
    this.#bound.set(name, { ref: new SafeWeakRef(value), prefix, isState });
    this.#forgotten.register(value, name);
  }

  // -- out ---------------------------------------------------------------------------------------------------------

  #post(data, { type, eventID = this.#newName(type), live, bubbles }, numPorts) {
    this.#send(encodeEnvelope(data, { type, eventID, live, bubbles, numPorts }));
    return eventID;
  }

  #request(data, options, callback, signal) {
    if (this.readyState === "closed") {
      return PromiseReject(invalidState("The line is closed, so nobody can answer."));
    }
    try {
      return this.#requests.wait(`${this.#post(data, options, 1)}:0`, callback, signal);
    } catch (error) {
      return PromiseReject(error);
    }
  }

  /** A new ID, which the other end does not generate. */
  #newName(type) {
    this.#names += 1;
    return `${type}-c${NumberPrototypeToString(this.#names, 36)}`;
  }

  #send(text) {
    if (this.readyState === "closed") return;
    if (this.readyState === "open") return this.#transport.send(text);
    if (this.#queued + text.length > MAX_QUEUE) {
      throw domException("QuotaExceededError", `More than ${MAX_QUEUE} characters wait for the line.`);
    }
    ArrayPrototypePush(this.#queue, text);
    this.#queued += text.length;
  }

  #greet() {
    if (!this.#isConnected || this.#transport === null || this.#ready !== null) return;
    if (this.#hello !== null || this.readyState === "closed") return;
    this.#hello = this.#newName("message");
    this.#transport.send(encodeConnect(this.#hello));
  }

  #opened() {
    if (this.readyState !== "connecting") return;
    this[kReach]("open");
    const queue = this.#queue;
    this.#queue = [];
    for (const text of new SafeArrayIterator(queue)) this.#transport.send(text);
  }

  // -- in ----------------------------------------------------------------------------------------------------------

  #receive(text) {
    if (this.readyState === "closed") return;
    let frame;
    try {
      frame = JSONParse(text);
    } catch {
      return;
    }
    const meta = frame?.[".wq"];
    if (meta === null || typeof meta !== "object") return this.#receiveMessage("message", "", frame, {});
    const { type = "message", eventID = "", numPorts } = meta;
    if (typeof type !== "string" || typeof eventID !== "string") return;
    if (frame.ping !== undefined) {
      if (frame.ping === "connect") this.#answerPing(eventID);
      return;
    }
    const data = frame.message;
    if (OWN_EVENTS.has(type) || this.#receiveReply(type, eventID, data, numPorts)) return;
    if (StringPrototypeEndsWith(type, ":joins-leaves") && data?.events) {
      // Several joins and leaves in one frame: each is dispatched as a message of its own.
      const single = `${StringPrototypeSlice(type, 0, -12)}message`;
      for (const { eventID, message } of new SafeArrayIterator(data.events)) this.#receiveMessage(single, eventID, message, meta);
    } else {
      this.#receiveMessage(type, eventID, data, meta);
    }
  }

  #receiveMessage(type, eventID, data, { numPorts, live }) {
    const isState = this.#receiveState(type, eventID, data);
    const isLive = live === true && !isState;
    if (isLive) this.#bind(eventID, data);
    const event = new PortMessageEvent(type, { data, eventID, ports: this.#portsOf(eventID, numPorts) });
    this.#dispatch(event);
    if (!isState) this[kPassOn](event, isLive);
  }

  #answerPing(eventID) {
    const type = `${eventID}:0:message`;
    this.#transport.send(encodeEnvelope({ isOpen: true }, { type, eventID: this.#newName(type) }));
    this.#opened();
  }

  /** Receives a reply. Returns whether it was one: types of channels may look the same. */
  #receiveReply(type, eventID, data, numPorts) {
    const end = StringPrototypeLastIndexOf(type, ":");
    const address = StringPrototypeSlice(type, 0, MathMax(end, 0));
    const kind = StringPrototypeSlice(type, end + 1);
    if (this.#hello !== null && address === `${this.#hello}:0`) {
      this.#opened();
      return true;
    }
    const port = this.#replyPorts.get(address);
    if (port === undefined && !this.#requests.has(address)) return false;
    // The other end's library closes its side of a port by such a message.
    if (data?.[".wq"] !== undefined) return true;
    const event = new PortMessageEvent(kind, { data, eventID, ports: this.#portsOf(eventID, numPorts) });
    if (port !== undefined) EventTargetPrototypeDispatchEvent(port, event);
    this.#requests.receive(address, event);
    return true;
  }

  /** Receives a state or a delta of the response. Returns whether it was one. */
  #receiveState(type, eventID, data) {
    if (StringPrototypeEndsWith(type, ".mutate")) this.#mutate(StringPrototypeSlice(type, 0, -".mutate".length), data);
    else if (type === "response.replace") this.#replace(eventID, data);
    else if (type === "response.done") this.#follower?.done();
    else return false;
    return true;
  }

  #mutate(name, records) {
    const { ref, prefix } = this.#bound.get(name) ?? {};
    const value = ref?.deref();
    if (value !== undefined) applyRecords(value, records, prefix);
  }

  #replace(eventID, state) {
    if (state === null || typeof state !== "object") return;
    if (state.concurrent !== true) {
      for (const { 0: name, 1: { isState } } of this.#bound.entries()) if (isState) this.#bound.delete(name);
    }
    this[kBind](eventID, state.body, "body");
    this.#follower?.replace(state);
  }

  /** Dispatches an event at this port and at the parent, where listeners may prevent its default as well. */
  #dispatch(event) {
    EventTargetPrototypeDispatchEvent(this, event);
    if (this.parent === null || event.isStopped) return;
    const copy = event.copy();
    if (EventPrototypeGetDefaultPrevented(event)) EventPrototypePreventDefault(copy);
    if (!EventTargetPrototypeDispatchEvent(this.parent, copy)) EventPrototypePreventDefault(event);
    if (copy.isStopped) event.stopPropagation();
  }

  #portsOf(eventID, numPorts) {
    const count = NumberIsInteger(numPorts) ? MathMin(MathMax(numPorts, 0), MAX_PORTS) : 0;
    return ArrayFrom({ length: count }, (_, index) => {
      const address = `${eventID}:${index}`;
      return new ReplyPort({
        post: (data, options) => this.#post(data, under(address, options), 0),
        request: (data, options, ...rest) => this.#request(data, under(address, options), ...new SafeArrayIterator(rest)),
        listen: (port) => this.#replyPorts.set(address, port),
        close: () => this.#replyPorts.delete(address),
      });
    });
  }

  #closed(code, reason, wasClean) {
    if (this.readyState === "closed") return;
    this[kReach]("closed");
    this.#queue = [];
    this.#bound.clear();
    this.#replyPorts.clear();
    this.#requests.close();
    this.#follower?.closed(code, reason);
    this.#dispatch(new PortCloseEvent("close", { code, reason, wasClean }));
  }
}

/** Options of a message on a reply port. */
function under(address, options) {
  return { ...options, type: `${address}:${options.type}` };
}

/** A port for replies to a message from the other end; it also receives messages that are sent in return. */
class ReplyPort extends EventTarget {
  #line;

  constructor(line) {
    super();
    this.#line = line;
  }

  postMessage(data, options = undefined) {
    this.#line.post(data, readOptions(options));
  }

  /** @returns {Promise<PortMessageEvent>} */
  postRequest(data, options = undefined) {
    return this.#line.request(data, readOptions(options), undefined, options?.signal);
  }

  addEventListener(...args) {
    EventTargetPrototypeAddEventListener(this, ...new SafeArrayIterator(args));
    this.#line.listen(this);
  }

  close() {
    this.#line.close();
  }
}
