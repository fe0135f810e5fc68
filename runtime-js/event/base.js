// What the events of handlers have in common: on the server, in a page and in a service worker.

import { domException, failingTo, invalidState } from "../errors/exceptions.js";
import { defineAbsent } from "../errors/absent.js";
import { redirectTo } from "../answer/values.js";
import { fetchPlusClasses } from "../fetch/fetch_plus.js";
import { eventUrl } from "./url.js";
import { PromiseReject, Symbol, SymbolToStringTag } from "../primordials.js";

/**
 * What a kind of event adds to the base: one object for all events of the kind, which its class has as `kKind`.
 * @typedef {object} Kind
 * @property {(event: BaseEvent) => Request} requestOf
 * @property {(event: BaseEvent) => string} hrefOf the address of `event.url`
 * @property {(event: BaseEvent) => States} makeStates those of the response, for the first respondWith()
 * @property {(event: BaseEvent, states: States) => void} begun the event has its response
 * @property {(event: BaseEvent, args: unknown[]) => Promise<never> | null} refusal of a respondWith() that comes too late
 * @property {(event: BaseEvent, error: unknown) => void} fail a source of the response failed
 * @property {(event: BaseEvent, init: object | undefined) => BaseEvent} spawn
 * @property {(event: BaseEvent, reason: unknown) => void} abort
 */

/** The property of a class of events that has its {@link Kind}. */
export const kKind = Symbol("kind");

export class BaseEvent {
  #request = null;
  #url = null;
  /** The states of the response that respondWith() has begun. @type {States | null} */
  #states = null;
  #hasReturned = false;

  get [SymbolToStringTag]() {
    return "HttpEvent";
  }

  get type() {
    return "navigate";
  }

  /** A Request that reads bodies of any type, and whose headers can be had as structures. @returns {RequestPlus} */
  get request() {
    return this.#request ??= fetchPlusClasses().RequestPlus.upgradeInPlace(this[kKind].requestOf(this));
  }

  /** A URL that can be read as segments and as a tree of query parameters, too. @returns {URL} */
  get url() {
    return this.#url ??= eventUrl(this[kKind].hrefOf(this));
  }

  /**
   * Answers, or replaces what was answered before. Arguments as for `LiveResponse.replaceWith()`.
   *
   * The first state is HTTP's answer; with `{ done: false }`, a promise, a generator or a callback the exchange stays
   * live for the next. @returns {Promise<void>} settles when this state's source has ended
   */
  respondWith(...args) {
    if (this.#hasReturned && this.#states === null) {
      return PromiseReject(invalidState("respondWith() after the end: the handler has already answered by returning."));
    }
    return this[kKind].refusal(this, args) ?? BaseEvent.answer(this, args);
  }

  /** A redirect as the answer, or, on a live line, as its next state. */
  redirect(url, init = 302) {
    return this.respondWith(null, redirectTo(url, init));
  }

  /**
   * An event for a step further in: its own respondWith(), the same client, lifecycle and signal.
   * @param {{ request?: Request, url?: string | URL }} [init]
   */
  spawn(init = undefined) {
    return this[kKind].spawn(this, init);
  }

  /** @see spawn */
  clone(init = undefined) {
    return this.spawn(init);
  }

  /** @see spawn */
  extend(init = undefined) {
    return this.spawn(init);
  }

  /** Gives up on the request. */
  abort(reason = domException("AbortError", "The event was aborted.")) {
    this[kKind].abort(this, reason);
  }

  // -- for the host ------------------------------------------------------------------------------------------------

  /** The states of the response that respondWith() has begun, or null. */
  static statesOf(event) {
    return event.#states;
  }

  /** The response itself, or null. */
  static responseOf(event) {
    return event.#states === null ? null : event.#states.response;
  }

  /** Whether the handler has returned. */
  static hasReturned(event) {
    return event.#hasReturned;
  }

  /** The handler has returned: from now on the event answers only by the response that it has. */
  static returned(event) {
    event.#hasReturned = true;
  }

  /** respondWith(), also after the handler has returned. */
  static answer(event, args) {
    const kind = event[kKind];
    if (event.#states === null) {
      event.#states = kind.makeStates(event);
      kind.begun(event, event.#states);
    }
    // Where nothing handles its failure, the event fails.
    return failingTo(event.#states.put(args), (error) => kind.fail(event, error));
  }
}

defineAbsent(BaseEvent.prototype, "event", { sdk: "import what you need, or use event.user and event.session." });
