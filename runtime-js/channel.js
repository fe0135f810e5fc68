// event.client.enterChannel(): clients that send to each other. Members and delivery are the host's;
// this code runs where a handler listens, annotates or decides.

import {
  op_channel_enter,
  op_channel_heard,
  op_channel_leave,
  op_channel_listen,
  op_channel_members,
  op_channel_post,
  op_channel_relay,
  op_channel_relay_each,
  op_channel_size,
  op_log_error,
} from "ext:core/ops";
import { invalidState } from "./errors/exceptions.js";
import { checkOptions } from "./errors/options.js";
import { encodeJson } from "./answer/values.js";
import { PortMessageEvent, readOptions } from "./port/port.js";
import {
  ArrayIsArray,
  ArrayPrototypeEvery,
  ArrayPrototypeMap,
  Boolean,
  EventTarget,
  EventTargetPrototypeAddEventListener,
  EventTargetPrototypeDispatchEvent,
  JSONParse,
  MathMax,
  ObjectEntries,
  ObjectFreeze,
  SafeArrayIterator,
  SafeMap,
  SafeSet,
  StringPrototypeIncludes,
  StringPrototypeLastIndexOf,
  StringPrototypeSlice,
  TypeError,
} from "./primordials.js";

/** Types of events about members: one that came or went, or the numbers of many. */
const PRESENCE = new SafeSet(["joins", "leaves", "joins-leaves"]);

/**
 * A member of a channel: a visitor with a session and all their pages in it, or one page of a visitor without.
 * @typedef {object} Member
 * @property {string | null} id null before the member has joined
 * @property {unknown} data what it gave as `presence`
 */

/**
 * @typedef {object} ChannelOptions
 * @property {(data: unknown, sender: Member, target: Member | null, about: { id: string, type: string }) => unknown}
 *   [resolveData] what the others get of this client's messages, of its `joins` and of its `leaves`. It runs once for
 *   all of them and `target` is null; a function that declares more than one parameter runs for each member that
 *   gets a message
 * @property {(message: { type: string, data: unknown, eventID: string }, sender: Member) => boolean | Promise<boolean>}
 *   [authorize] whether the others get this client's messages
 * @property {string[]} [allow] the types that this client may send, without the channel; any by default
 * @property {unknown} [presence] what others may know of this member
 * @property {boolean} [announce] whether the others get `joins` and `leaves`; true by default
 */

/** The channels of one exchange. */
export class Channels {
  #exchange;
  #memberships = new SafeMap();
  /** Channels that `event.client` has listeners for. */
  #listened = new SafeSet();

  constructor(exchange) {
    this.#exchange = exchange;
  }

  /** A second call for the same channel gives what the first one gave. */
  enter(id, options) {
    const known = this.#memberships.get(id);
    if (known !== undefined) return known.handle;
    const exchange = this.#exchange;
    if (exchange.ended) throw invalidState("enterChannel() after the end: the exchange has already ended.");
    const membership = new Membership(exchange, id, readChannelOptions(options), () => this.#memberships.delete(id));
    this.#memberships.set(id, membership);
    if (this.#listened.has(id)) membership.listen("client");
    return membership.handle;
  }

  /** Whether a message of this type belongs to a channel that the client is in. */
  isIn(type) {
    return this.#memberships.has(channelOf(type));
  }

  /** `event.client` has a listener for messages of this type. */
  listen(type) {
    const id = channelOf(type);
    if (this.#listened.has(id)) return;
    this.#listened.add(id);
    this.#memberships.get(id)?.listen("client");
  }

  // -- what the host calls -----------------------------------------------------------------------------------------

  /** The client sent a message: the membership's functions decide what each member gets. */
  relay(id, message, member, size) {
    const membership = this.#memberships.get(id);
    if (membership === undefined) op_channel_heard(this.#exchange.id, size);
    else membership.relay(message, member, size);
  }

  /** A message was sent in a channel that a handler listens to. */
  overhear(id, { type, data, eventID }) {
    const channel = this.#memberships.get(id)?.handle.channel;
    if (channel === undefined) return;
    const tell = (type, data, eventID) => {
      const event = new PortMessageEvent(type, { data, eventID, cancelable: false });
      EventTargetPrototypeDispatchEvent(channel, event);
    };
    // One event of several members stands for events of one member each.
    if (type !== "joins-leaves" || data.events === undefined) return tell(type, data, eventID);
    for (const { event, message, eventID } of new SafeArrayIterator(data.events)) tell(event, message, eventID);
  }
}

/** The channel that a message's type names. */
function channelOf(type) {
  return StringPrototypeSlice(type, 0, MathMax(StringPrototypeLastIndexOf(type, ":"), 0));
}

function readChannelOptions(options) {
  checkOptions("enterChannel()", options, ["resolveData", "authorize", "allow", "presence", "announce"], {
    __proto__: null,
    resolveMessage: "it is called resolveData.",
  });
  const { resolveData, authorize, allow, presence, announce = true } = options ?? { __proto__: null };
  for (const { 0: name, 1: value } of new SafeArrayIterator(ObjectEntries({ resolveData, authorize }))) {
    if (value !== undefined && typeof value !== "function") {
      throw new TypeError(`enterChannel(): ${name} is a function.`);
    }
  }
  if (allow !== undefined && !(ArrayIsArray(allow) && ArrayPrototypeEvery(allow, (type) => typeof type === "string"))) {
    throw new TypeError('enterChannel(): allow is a list of types, such as ["message", "typing"].');
  }
  return { resolveData, authorize, allow, presence, announce: Boolean(announce) };
}

/** One client in one channel. */
class Membership {
  #exchange;
  #id;
  #options;
  #forget;
  #left = false;
  /** The decision over the last message; the next one waits for it, so that they keep their order. */
  #last = null;

  constructor(exchange, id, options, forget) {
    if (typeof id !== "string") throw new TypeError("enterChannel(): the name of a channel is a string.");
    this.#exchange = exchange;
    this.#id = id;
    this.#options = options;
    this.#forget = forget;
    this.handle = ObjectFreeze({ channel: new Channel(exchange, id, this), leave: () => this.#leave() });
    const { resolveData, authorize, allow = null, presence, announce } = options;
    const self = { id: null, data: presence };
    const word = (event) => announce ? encodeJson(this.#word({ event }, self, null, "message"), `"${event}"`) : null;
    op_channel_enter(exchange.id, id, {
      announces: announce,
      joins: word("joins") ?? null,
      leaves: word("leaves") ?? null,
      presence: encodeJson(presence, "The presence in a channel") ?? null,
      allow,
      decides: resolveData !== undefined || authorize !== undefined,
    });
  }

  get left() {
    return this.#left;
  }

  /**
   * The handler receives what its own client sends in the channel, what any member sends, or joins and leaves.
   * @param {"client" | "channel" | "presence"} to
   */
  listen(to) {
    const exchange = this.#exchange;
    if (!exchange.ended) op_channel_listen(exchange.id, this.#id, to);
  }

  relay(message, member, size) {
    this.#last = this.#decide(this.#last, message, { id: member, data: this.#options.presence }, size);
  }

  async #decide(before, message, sender, size) {
    const { authorize } = this.#options;
    try {
      if (authorize !== undefined) {
        await before;
        if (!await authorize({ ...message }, sender)) return;
      }
      this.#pass(message, sender, size);
    } catch (error) {
      op_log_error(`in the channel ${this.#id}`, error);
    } finally {
      op_channel_heard(this.#exchange.id, size);
    }
  }

  #pass({ type, data, eventID }, sender, size) {
    const exchange = this.#exchange;
    const what = `The "${type}" message`;
    if (!(this.#options.resolveData?.length > 1)) {
      const wording = encodeJson(this.#word(data, sender, null, type), what);
      op_channel_relay(exchange.id, this.#id, type, eventID, wording, size);
    } else {
      const wordings = ArrayPrototypeMap(membersOf(exchange, this.#id), (target) => {
        // No echo; what is listed for the sender itself is for handlers that listen.
        const wording = target.isSelf ? data : this.#word(data, sender, target, type);
        return [target.id, encodeJson(wording, what) ?? null];
      });
      op_channel_relay_each(exchange.id, this.#id, type, eventID, wordings, size);
    }
  }

  #word(data, sender, target, type) {
    const { resolveData } = this.#options;
    if (resolveData === undefined) return data;
    const wording = resolveData(data, sender, target, { id: this.#id, type });
    if (typeof wording?.then === "function") throw new TypeError("enterChannel(): resolveData() cannot be async.");
    return wording;
  }

  #leave() {
    if (this.#left) return;
    this.#left = true;
    this.#forget();
    const exchange = this.#exchange;
    if (!exchange.ended) op_channel_leave(exchange.id, this.#id);
  }
}

/**
 * A channel as one handler sees it. A message of a client is an event here, by its type without the channel; so are
 * `joins` and `leaves`. Where so many come and go at a time that they are only counted, the event is `joins-leaves`.
 */
export class Channel extends EventTarget {
  #exchange;
  #id;
  #membership;
  /** What the handler listens to. */
  #listens = new SafeSet();

  constructor(exchange, id, membership) {
    super();
    this.#exchange = exchange;
    this.#id = id;
    this.#membership = membership;
  }

  /** Its name. */
  get id() {
    return this.#id;
  }

  /** How many members it has. A handler's own client is one as soon as there is a line: when its turn has ended. */
  get size() {
    return op_channel_size(this.#id);
  }

  /** Who is in it. @returns {(Member & { isSelf: boolean })[]} */
  members() {
    return membersOf(this.#exchange, this.#id);
  }

  /**
   * Sends to every client in the channel, the handler's own included. They get the type `<channel>:<type>`.
   * So can a handler whose client takes one answer and cannot be in a channel.
   * @param {unknown} data
   * @param {{ type?: string, eventID?: string }} [options]
   */
  postMessage(data, options = undefined) {
    checkOptions("channel.postMessage()", options, ["type", "eventID", "wqEventOptions"]);
    const { type, eventID } = readOptions(options);
    if (StringPrototypeIncludes(type, ":")) throw new TypeError("The type of a message in a channel has no colon.");
    if (this.#membership.left) throw invalidState(`The handler has left the channel ${this.#id}.`);
    const exchange = this.#exchange;
    const payload = encodeJson(data, `The "${type}" message`);
    op_channel_post(exchange.id, this.#id, type, eventID ?? exchange.nextEventID(type), payload);
  }

  addEventListener(type, listener, options = undefined) {
    EventTargetPrototypeAddEventListener(this, type, listener, options);
    const to = PRESENCE.has(type) ? "presence" : "channel";
    if (this.#listens.has(to)) return;
    this.#listens.add(to);
    this.#membership.listen(to);
  }
}

function membersOf(exchange, id) {
  return JSONParse(op_channel_members(exchange.id, id));
}
