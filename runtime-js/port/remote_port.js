// The client's end of a line, known as Port B, over whatever transport is at hand.

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
 * What a transport calls.
 * @typedef {object} Receiver
 * @property {() => void} opened text can be sent
 * @property {(text: string) => void} frame a frame came
 * @property {(code: number, reason: string, wasClean: boolean) => void} closed nothing follows
 */

/**
 * Who follows the states of the response that came with a port.
 * @typedef {object} Follower
 * @property {(state: object) => void} replace a new state, as the wire has it
 * @property {() => void} done the last state has come
 * @property {(code: number, reason: string) => void} closed
 */

/** What may wait for the line to open, in UTF-16 units. */
const MAX_QUEUE = 1 << 20;
/** Reply ports that one message may bring. */
const MAX_PORTS = 16;
/** Types that are states of a port, not messages. */
const OWN_EVENTS = new SafeSet(["close", "error", "open"]);

export class RemotePort extends Port {
  #transport = null;
  #isConnected = false;
  /** Frames that wait for the line to open. */
  #queue = [];
  #queued = 0;
  #hello = null;
  /** What the hello waits for. */
  #ready = null;
  #names = 0;
  #requests = new Requests();
  /** Reply ports with a listener, by address. */
  #replyPorts = new SafeMap();
  /** What later deltas change, by the name that they use. */
  #bound = new SafeMap();
  #forgotten = new SafeFinalizationRegistry((name) => {
    if (this.#bound.get(name)?.ref.deref() === undefined) this.#bound.delete(name);
  });
  #follower = null;

  /** @param {(receiver: Receiver) => Transport} open starts the transport */
  constructor(open) {
    super();
    /** Where every event of this port is dispatched, too. @type {EventTarget | null} */
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
          // An observer of the data may throw; the line goes on.
          queueMicrotask(() => {
            throw error;
          });
        }
      },
      closed: (code, reason, wasClean) => this.#closed(code, reason, wasClean),
    });
    this.#greet();
  }

  /** Sends the hello only after `promise` has settled, so that nothing comes before that. */
  [kHold](promise) {
    const go = () => {
      if (this.#ready !== held) return;
      this.#ready = null;
      this.#greet();
    };
    const held = this.#ready = PromisePrototypeThen(promise, go, go);
  }

  /** Sends a message; before the line is open it waits. */
  postMessage(data, options = undefined) {
    this.#post(data, readOptions(options), 0);
  }

  /**
   * Sends a message that asks for an answer.
   * @param {unknown} data
   * @param {((event: PortMessageEvent) => void) | object} [callback]
   * @param {object} [options] of the message, and `signal`
   * @returns {Promise<PortMessageEvent>} the first reply; rejects when the line closes first
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

  /** @param {Follower} follower @returns {() => void} what stops it */
  [kFollow](follower) {
    this.#follower = follower;
    return () => {
      if (this.#follower === follower) this.#follower = null;
    };
  }

  /**
   * Lets deltas change a state of the response, until a state comes that is not concurrent with it.
   * @param {string} name `initial_response`, or the message's that carried it
   * @param {string | null} [prefix] where the body stands in what was sent
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

  /** A name that the other end does not use. */
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
    if (meta === null || typeof meta !== "object") return this.#hear("message", "", frame, {});
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
      for (const { eventID, message } of new SafeArrayIterator(data.events)) this.#hear(single, eventID, message, meta);
    } else {
      this.#hear(type, eventID, data, meta);
    }
  }

  #hear(type, eventID, data, { numPorts, live }) {
    const isState = this.#receiveState(type, eventID, data);
    const isLive = live === true && !isState;
    if (isLive) this.#bind(eventID, data);
    const event = new PortMessageEvent(type, { data, eventID, ports: this.#portsOf(eventID, numPorts) });
    this.#tell(event);
    if (!isState) this[kPassOn](event, isLive);
  }

  #answerPing(eventID) {
    const type = `${eventID}:0:message`;
    this.#transport.send(encodeEnvelope({ isOpen: true }, { type, eventID: this.#newName(type) }));
    this.#opened();
  }

  /** Receives a reply. Returns whether it was one: the types of channels may look the same. */
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
    // The other end's library closes its side of a port like this.
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

  /** Dispatches an event here and at the parent, where preventing its default counts as well. */
  #tell(event) {
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
    this.#tell(new PortCloseEvent("close", { code, reason, wasClean }));
  }
}

/** Options of a message on a reply port. */
function under(address, options) {
  return { ...options, type: `${address}:${options.type}` };
}

/** A port on which a message from the other end is answered; replies to that come here, too. */
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
