// The state that an actor's constructor gets: `ctx`.

import {
  op_actor_answered,
  op_actor_automatic,
  op_actor_set_automatic,
  op_actor_sockets,
  op_actor_tags,
} from "ext:core/ops";
import { acceptHibernating, endOf, socketAt } from "./sockets.js";
import { idOf } from "./namespace.js";
import {
  ArrayPrototypeMap,
  Date,
  Error,
  ObjectFreeze,
  String,
  TextEncoder,
  TextEncoderPrototypeEncode,
  TypeError,
} from "../primordials.js";

/** The longest text of an automatic answer, and of what it answers, in bytes. */
const MAX_AUTOMATIC = 2048;

/** The longest time that a hibernating socket's event may take, in milliseconds. */
const MAX_EVENT_TIMEOUT = 604_800_000;

let makeStorage = null;

/** For the storage: makes the `storage` of a state. */
export function setStorage(make) {
  makeStorage = make;
}

/** What an application's module exports, as `ctx.exports`; a dialect sets it. */
let makeExports = () => undefined;

export function setExports(make) {
  makeExports = make;
}

let makeFacets = () => undefined;

export function setFacets(make) {
  makeFacets = make;
}

class DurableObjectState {
  #instance;
  #storage = null;
  #facets = null;
  #eventTimeout = null;

  constructor(instance) {
    this.#instance = instance;
    this.id = idOf(instance.className, instance.id, instance.name);
    this.props = instance.props ?? {};
  }

  get storage() {
    return this.#storage ??= makeStorage?.(this.#instance);
  }

  get exports() {
    return makeExports();
  }

  get facets() {
    return this.#facets ??= makeFacets(this.#instance);
  }

  waitUntil(promise) {
    this.#instance.waitUntil(promise);
  }

  blockConcurrencyWhile(callback) {
    return this.#instance.blockConcurrencyWhile(callback);
  }

  abort(reason = undefined, _options = undefined) {
    const error = reason instanceof Error ? reason : new Error(
      reason === undefined ? "Application called abort() to reset Durable Object." : String(reason),
    );
    error.durableObjectReset = true;
    this.#instance.reset(error);
    throw error;
  }

  acceptWebSocket(socket, tags = []) {
    acceptHibernating(this.#instance, socket, tags);
  }

  getWebSockets(tag = undefined) {
    const ends = op_actor_sockets(this.#instance.number, tag === undefined ? null : String(tag));
    return ArrayPrototypeMap(ends, (end) => socketAt(this.#instance, end));
  }

  getTags(socket) {
    const tags = op_actor_tags(endOf(socket));
    if (tags === null) throw new Error("This WebSocket was not accepted by acceptWebSocket().");
    return tags;
  }

  setWebSocketAutoResponse(pair = undefined) {
    if (pair === undefined || pair === null) return op_actor_set_automatic(this.#instance.number, null, null);
    if (!(pair instanceof WebSocketRequestResponsePair)) {
      throw new TypeError(
        "Failed to execute 'setWebSocketAutoResponse': parameter 1 is not of type 'WebSocketRequestResponsePair'.",
      );
    }
    op_actor_set_automatic(this.#instance.number, pair.request, pair.response);
  }

  getWebSocketAutoResponse() {
    const found = op_actor_automatic(this.#instance.number);
    return found === null ? null : new WebSocketRequestResponsePair(found[0], found[1]);
  }

  getWebSocketAutoResponseTimestamp(socket) {
    const time = op_actor_answered(endOf(socket));
    return time < 0 ? null : new Date(time);
  }

  setHibernatableWebSocketEventTimeout(milliseconds = undefined) {
    if (milliseconds !== undefined && !(milliseconds >= 0 && milliseconds <= MAX_EVENT_TIMEOUT)) {
      throw new Error(`Event timeout should be within 0 and ${MAX_EVENT_TIMEOUT} milliseconds.`);
    }
    this.#eventTimeout = milliseconds ?? null;
  }

  getHibernatableWebSocketEventTimeout() {
    return this.#eventTimeout;
  }
}

/** The state of an actor, for its constructor. */
export function stateOf(instance) {
  return new DurableObjectState(instance);
}

/** A message, and the answer that the host sends to it without the actor. */
export class WebSocketRequestResponsePair {
  #request;
  #response;

  constructor(request, response) {
    if (arguments.length < 2) throw new TypeError("WebSocketRequestResponsePair takes a request and a response.");
    this.#request = checked("Request", request);
    this.#response = checked("Response", response);
    ObjectFreeze(this);
  }

  get request() {
    return this.#request;
  }

  get response() {
    return this.#response;
  }
}

function checked(what, given) {
  const text = String(given);
  const { length } = TextEncoderPrototypeEncode(new TextEncoder(), text);
  if (length > MAX_AUTOMATIC) {
    throw new Error(`${what} cannot be larger than ${MAX_AUTOMATIC} bytes. A ${what} of size ${length} was provided.`);
  }
  return text;
}
