// What handlers of Workers get besides the request and `env`: `ctx`, and the request itself.

import { op_log_error } from "ext:core/ops";
import { currentExchange } from "../exchange.js";
import { requestOf } from "../request.js";
import { environmentOf } from "./environment.js";
import { entrypoints } from "./entrypoints.js";
import {
  ArrayPrototypeSplice,
  ArrayPrototypePush,
  Error,
  ObjectFreeze,
  PromisePrototypeThen,
  PromiseResolve,
  SymbolToStringTag,
} from "../primordials.js";

/** The request of an event, whose signal aborts only if the client leaves. */
export function requestFor(event, exchange) {
  // A handler before may have made another request of it.
  return exchange.event === event ? requestOf(exchange, true) : event.request;
}

/**
 * Keeps an exchange, and so the isolate of its code, until a promise settles. The answer does not wait.
 * @param {import("../exchange.js").Exchange | null} exchange
 */
export function background(exchange, promise) {
  const isKept = exchange !== null && exchange.began();
  const settled = () => isKept && exchange.ran();
  return PromisePrototypeThen(PromiseResolve(promise), settled, (error) => {
    op_log_error("the promise given to waitUntil()", error);
    settled();
  });
}

/** Promises that an event without a request waits for. */
export class Tasks {
  #waiting = [];

  add(promise) {
    ArrayPrototypePush(this.#waiting, background(null, promise));
  }

  /** Resolves when all are settled, also those that are added meanwhile. */
  async done() {
    while (this.#waiting.length > 0) {
      const waiting = ArrayPrototypeSplice(this.#waiting, 0);
      for (let i = 0; i < waiting.length; i++) await waiting[i];
    }
  }
}

/** The `ctx` of handlers. */
export class ExecutionContext {
  #keeper;
  #props;

  /**
   * @param {import("../exchange.js").Exchange | Tasks} keeper what waits for the promises
   * @param {unknown} [props] what the binding gives along by which the code was called
   */
  constructor(keeper, props = undefined) {
    this.#keeper = keeper;
    this.#props = props;
  }

  waitUntil(promise) {
    if (this.#keeper instanceof Tasks) this.#keeper.add(promise);
    else background(this.#keeper, promise);
  }

  /** There is no origin behind this host that could answer instead. */
  passThroughOnException() {}

  get exports() {
    return entrypoints();
  }

  get props() {
    return this.#props ?? ObjectFreeze({});
  }

  get [SymbolToStringTag]() {
    return "ExecutionContext";
  }

  /** The second argument of handlers that are functions. */
  withEnvironment(request, more = undefined) {
    return {
      request,
      env: environmentOf(),
      params: {},
      waitUntil: (promise) => this.waitUntil(promise),
      passThroughOnException: () => {},
      ctx: this,
      ...more,
    };
  }
}

/** `waitUntil` of `cloudflare:workers`: for the request or event whose code runs. */
export function waitUntil(promise) {
  const exchange = currentExchange();
  if (exchange === undefined) {
    // Code of an actor or of a trigger, which outlives no request.
    background(null, promise);
    return;
  }
  if (typeof exchange.began !== "function") throw new Error("waitUntil() is called while no request is handled.");
  background(exchange, promise);
}
