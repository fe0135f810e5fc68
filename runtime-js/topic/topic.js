// liveline:topics: named sequences of messages, which all isolates share.
//
// The host keeps topics, their subscribers and what clients of them receive; this file is how handlers publish and
// follow. A topic outlives the code: after a reload, subscribers are still there.

import {
  op_log_error,
  op_topic_alive,
  op_topic_configure,
  op_topic_content,
  op_topic_create,
  op_topic_delete,
  op_topic_enter,
  op_topic_latest,
  op_topic_leave,
  op_topic_members,
  op_topic_next,
  op_topic_publish,
  op_topic_publish_bytes,
  op_topic_stored,
  op_topic_subscribe,
  op_topic_unsubscribe,
} from "ext:core/ops";
import { currentExchange } from "../exchange.js";
import { encodeJson } from "../answer/values.js";
import { checkOptions } from "../errors/options.js";
import {
  AbortSignalPrototypeGetAborted,
  ArrayBufferIsView,
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  EventTargetPrototypeAddEventListener,
  EventTargetPrototypeRemoveEventListener,
  JSONParse,
  NumberIsInteger,
  ObjectEntries,
  ObjectFreeze,
  PromisePrototypeCatch,
  PromiseResolve,
  RangeError,
  SafeArrayIterator,
  String,
  SymbolAsyncIterator,
  SymbolToStringTag,
  TypeError,
} from "../primordials.js";

/** What the data of a topic is, by the host's numbers. */
const JSON_DATA = 0;
const TEXT_DATA = 1;

const SETTINGS = [
  "bytes",
  "expiry",
  "grace",
  "history",
  "idle",
  "latest",
  "publisherRate",
  "rate",
];
const SUBSCRIBING = ["after", "budget", "fresh", "metadata", "replay", "signal", "slow"];
const PUBLISHING = ["close", "event", "filter", "key", "mode", "producer", "publisher", "retain"];
const STREAMING = [
  "after",
  "anyOrigin",
  "append",
  "budget",
  "create",
  "events",
  "forkFrom",
  "fresh",
  "member",
  "metadata",
  "remove",
  "replay",
  "slow",
];

/**
 * The topic of a name. It exists from its first use, and in all isolates.
 * @param {string} name
 * @param {object} [settings] how it behaves from now on
 */
export function topic(name, settings = undefined) {
  if (typeof name !== "string") throw new TypeError("topic(): the first argument is a name, such as \"/news\".");
  if (settings !== undefined) {
    checkOptions("topic()", settings, SETTINGS);
    op_topic_configure(name, { ...settings });
  }
  return new Topic(name);
}

/** All topics that one of the patterns matches, also later ones. */
export function topics(...patterns) {
  if (patterns.length === 0) throw new TypeError("topics(): the arguments are patterns, such as \"users.*\".");
  return new Topics(ArrayPrototypeMap(patterns, (pattern) => String(pattern)));
}

/** What one topic and several have in common: to be followed, and to be an answer. */
class Followed {
  #target;

  constructor(target) {
    this.#target = target;
  }

  /** The messages, from now on or from where the options have it. */
  messages(options = undefined) {
    const { signal, ...rest } = checked("messages()", options, SUBSCRIBING);
    const id = op_topic_subscribe({ ...this.#target, ...rest });
    let batch = [];
    let at = 0;
    let isOver = false;
    // What waits for the next message is woken by that.
    const exchange = currentExchange();
    const close = () => {
      if (isOver) return;
      isOver = true;
      exchange?.offEnd(close);
      if (signal !== undefined) EventTargetPrototypeRemoveEventListener(signal, "abort", close);
      op_topic_unsubscribe(id);
    };
    exchange?.onEnd(close);
    if (signal !== undefined) {
      if (AbortSignalPrototypeGetAborted(signal)) close();
      else EventTargetPrototypeAddEventListener(signal, "abort", close, { once: true });
    }
    return {
      __proto__: null,
      async next() {
        if (at === batch.length && !isOver) {
          batch = await op_topic_next(id) ?? [];
          at = 0;
          if (batch.length === 0) close();
        }
        if (isOver) return { value: undefined, done: true };
        at += 1;
        return { value: messageOf(batch[at - 1]), done: false };
      },
      return(value) {
        close();
        return PromiseResolve({ value, done: true });
      },
      [SymbolAsyncIterator]() {
        return this;
      },
    };
  }

  [SymbolAsyncIterator]() {
    return this.messages();
  }

  /** Calls `listener` for every message. Returns what ends that. */
  subscribe(listener, options = undefined) {
    if (typeof listener !== "function") throw new TypeError("subscribe(): the first argument is a function.");
    const messages = this.messages(options);
    const run = async () => {
      while (true) {
        const { value, done } = await messages.next();
        if (done) return;
        await listener(value);
      }
    };
    // An error of the listener fails the exchange, or is logged.
    PromisePrototypeCatch(run(), (error) => {
      messages.return();
      const exchange = currentExchange();
      if (exchange === undefined) op_log_error(`a subscriber of ${describe(this.#target)}`, error);
      else exchange.fail(error);
    });
    return () => {
      messages.return();
    };
  }

  /**
   * The topic as an answer, with what its client may do besides following it.
   * @param {object} [options]
   */
  stream(options = undefined) {
    return new TopicAnswer(this.#target, checked("stream()", options, STREAMING));
  }

  static targetOf(followed) {
    return followed.#target;
  }

  static is(value) {
    return #target in value;
  }
}

const describe = ({ topic, patterns }) => topic ?? ArrayPrototypeJoin(patterns, ", ");

export class Topic extends Followed {
  #name;

  constructor(name) {
    super({ topic: name });
    this.#name = name;
  }

  get [SymbolToStringTag]() {
    return "Topic";
  }

  get name() {
    return this.#name;
  }

  /**
   * Publishes a message: JSON, or what the topic's media type is. Returns its id, which is the first time's if the
   * message has been published before.
   */
  publish(data, options = undefined) {
    const { mode, retain, ...rest } = checked("publish()", options, PUBLISHING);
    if (mode !== undefined && mode !== "subset" && mode !== "overlap") {
      throw new TypeError('publish(): mode is "subset" or "overlap".');
    }
    const all = { ...rest, retain: retain === true, overlaps: mode === "overlap" };
    if (all.filter !== undefined) all.filter = stringsOf(all.filter);
    const kind = op_topic_content(this.#name);
    if (kind === JSON_DATA) {
      const json = data === undefined ? undefined : encodeJson(data, "The message");
      if (json === undefined) {
        if (all.close !== true) throw new TypeError("publish(): undefined is no message; null is.");
        return op_topic_publish(this.#name, null, all);
      }
      return op_topic_publish(this.#name, json, all);
    }
    if (kind === TEXT_DATA) {
      if (typeof data !== "string") throw new TypeError(`publish(): the topic ${this.#name} is of text.`);
      return op_topic_publish(this.#name, data, all);
    }
    if (!ArrayBufferIsView(data)) throw new TypeError(`publish(): the topic ${this.#name} is of bytes: a Uint8Array.`);
    return op_topic_publish_bytes(this.#name, data, all);
  }

  /** Publishes nothing more; subscribers end after what was published. */
  close() {
    op_topic_content(this.#name);
    op_topic_publish(this.#name, null, { close: true });
  }

  /** Creates the topic with a media type. Throws if it exists with another. */
  create(type, options = undefined) {
    const { ttl } = checked("create()", options, ["ttl"]);
    return op_topic_create(this.#name, String(type), ttl === undefined ? null : ttl * 1000);
  }

  /** Removes the topic with its messages; subscribers end. */
  delete() {
    return op_topic_delete(this.#name);
  }

  /** The newest message, or undefined. */
  get latest() {
    const item = op_topic_latest(this.#name);
    return item === null ? undefined : messageOf(item);
  }

  /** Resolves when everything that was published is in the store. */
  stored() {
    return op_topic_stored();
  }

  get presence() {
    return new Presence(this.#name);
  }
}

class Topics extends Followed {
  constructor(patterns) {
    super({ patterns });
  }

  get [SymbolToStringTag]() {
    return "Topics";
  }
}

/** Who is present at a topic. Its messages are the changes: `{ type: "join" | "update" | "leave", id, data }`. */
class Presence extends Followed {
  #name;

  constructor(name) {
    super({ topic: `${name}#presence` });
    this.#name = name;
  }

  get [SymbolToStringTag]() {
    return "Presence";
  }

  /** The members, each with an id and the data that it entered with. */
  get members() {
    return JSONParse(op_topic_members(this.#name));
  }

  /**
   * A member is present, until the exchange ends, or `leave()` is called on the result.
   * @param {string} id the same for all connections of a member
   */
  enter(id, data = null) {
    const handle = op_topic_enter(this.#name, String(id), encodeJson(data, "The member's data"));
    const exchange = currentExchange();
    const lost = () => op_topic_leave(handle, true);
    exchange?.onEnd(lost);
    return ObjectFreeze({
      __proto__: null,
      alive: () => op_topic_alive(handle),
      leave() {
        exchange?.offEnd(lost);
        op_topic_leave(handle, false);
      },
    });
  }
}

/** A topic as the answer of a handler. */
export class TopicAnswer {
  #options;

  constructor(target, options) {
    const { member, ...rest } = options;
    this.#options = { ...target, ...rest };
    if (member === undefined) return;
    const { id, data = null } = typeof member === "string" ? { __proto__: null, id: member } : member;
    this.#options.member = String(id);
    this.#options.data = encodeJson(data, "The member's data");
  }

  get [SymbolToStringTag]() {
    return "TopicAnswer";
  }

  /** For the host: what a result that is a topic asks for; undefined for others. */
  static optionsOf(value) {
    if (value === null || typeof value !== "object") return undefined;
    if (#options in value) return value.#options;
    return Followed.is(value) ? Followed.targetOf(value) : undefined;
  }
}

function checked(what, options, known) {
  if (options === undefined) return { __proto__: null };
  checkOptions(what, options, known);
  const all = { __proto__: null, ...options };
  if (all.replay === "all") all.replay = -1;
  if (all.replay !== undefined && !(NumberIsInteger(all.replay) && all.replay >= -1)) {
    throw new RangeError(`${what}: replay is a number of messages, or "all".`);
  }
  if (all.metadata !== undefined) all.metadata = stringsOf(all.metadata);
  return all;
}

function stringsOf(pairs) {
  const all = { __proto__: null };
  for (const { 0: key, 1: value } of new SafeArrayIterator(ObjectEntries(pairs))) all[key] = String(value);
  return all;
}

/** A message as handlers receive it. */
export function messageOf(item) {
  const { id, topic, event, retained, kind, text, bytes, gap, missed } = item;
  if (gap) return { gap: true, missed, id };
  const data = kind === JSON_DATA ? JSONParse(text) : kind === TEXT_DATA ? text : bytes;
  return { id, topic, event: event ?? undefined, retained, data };
}
