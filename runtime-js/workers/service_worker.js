// Workers in the older format: a script without exports, which listens: `addEventListener("fetch", (event) => ...)`.

import { ExecutionContext } from "./context.js";
import { invalidState } from "../errors/exceptions.js";
import { define, defineLazy } from "../globals.js";
import {
  ArrayPrototypeFilter,
  ArrayPrototypePush,
  Event,
  EventTarget,
  FunctionPrototypeCall,
  globalThis,
  PromiseResolve,
  SafeArrayIterator,
  SafeMap,
  TypeError,
} from "../primordials.js";

const { addEventListener, removeEventListener } = EventTarget.prototype;

/** What listens to the events of Workers, by their type. @type {Map<string, (Function | object)[]>} */
const listeners = new SafeMap([["fetch", []], ["scheduled", []]]);

/** Whether code has asked for an event of this type. */
export const hasListener = (type) => (listeners.get(type)?.length ?? 0) > 0;

/** Keeps the listeners of these events, which no request or time is dispatched to otherwise. */
export function defineListening() {
  define("addEventListener", function (type, listener = null, options = undefined) {
    const known = listeners.get(type);
    if (known === undefined) return FunctionPrototypeCall(addEventListener, this ?? globalThis, type, listener, options);
    if (listener !== null) ArrayPrototypePush(known, listener);
  });
  define("removeEventListener", function (type, listener = null, options = undefined) {
    const known = listeners.get(type);
    if (known === undefined) return FunctionPrototypeCall(removeEventListener, this ?? globalThis, type, listener, options);
    listeners.set(type, ArrayPrototypeFilter(known, (it) => it !== listener));
  });
}

/** What the events of Workers have in common. */
class ExtendableEvent extends Event {
  #ctx;

  constructor(type, ctx) {
    super(type);
    this.#ctx = ctx;
  }

  waitUntil(promise) {
    this.#ctx.waitUntil(promise);
  }
}

class ScheduledEvent extends ExtendableEvent {
  constructor({ cron, scheduledTime }, ctx) {
    super("scheduled", ctx);
    this.cron = cron;
    this.scheduledTime = scheduledTime;
  }
}

class FetchEvent extends ExtendableEvent {
  #request;
  #answer = null;
  #isOver = false;

  constructor(request, ctx) {
    super("fetch", ctx);
    this.#request = request;
  }

  get request() {
    return this.#request;
  }

  respondWith(response) {
    if (this.#isOver) throw invalidState("Too late to call FetchEvent.respondWith(): call it before the listener returns.");
    if (this.#answer !== null) throw invalidState("FetchEvent.respondWith() was called before.");
    this.#answer = PromiseResolve(response);
  }

  passThroughOnException() {}

  /** The answer that listeners gave; null if none did. */
  static dispatch(event) {
    for (const listener of new SafeArrayIterator(listeners.get("fetch"))) {
      call(listener, event);
      if (event.#answer !== null) break;
    }
    event.#isOver = true;
    return event.#answer;
  }
}

function call(listener, event) {
  if (typeof listener === "function") FunctionPrototypeCall(listener, globalThis, event);
  else listener.handleEvent(event);
}

/** Answers a request by the listeners of the script. */
export function answerByListeners(request, exchange, filename) {
  const answer = FetchEvent.dispatch(new FetchEvent(request, new ExecutionContext(exchange)));
  if (answer !== null) return answer;
  throw new TypeError(`No listener in ${filename} has called event.respondWith() before it returned.`);
}

/** Handles a time of a cron expression by the listeners of the script. */
export function scheduleByListeners(controller, ctx) {
  const event = new ScheduledEvent(controller, ctx);
  for (const listener of new SafeArrayIterator(listeners.get("scheduled"))) call(listener, event);
}

/** Makes globals of the bindings, as such a script has them. @param {object} environment `env` */
export function defineBindings(environment, names) {
  for (const name of new SafeArrayIterator(names)) defineLazy(name, () => environment[name]);
}
