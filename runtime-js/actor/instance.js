// The actors that this isolate runs: an object of the class, and the events that it handles. When an object begins and
// ends, and when it handles which event, is decided by the host (`src/ext/actor/`).

import {
  op_actor_alarm_begin,
  op_actor_alarm_end,
  op_actor_close_gate,
  op_actor_enqueue,
  op_actor_finished,
  op_actor_hold,
  op_actor_name,
  op_actor_open_gate,
  op_actor_reset,
  op_actor_start_failed,
  op_actor_started,
  op_actor_stopped,
  op_log_error,
} from "ext:core/ops";
import { callAtEndOf } from "../exchange.js";
import { listenersOf, withListener, withoutListener } from "../listeners.js";
import { classNamed, envOf, supportsRpc } from "./classes.js";
import { arrivalOf, inActor, inSection } from "./context.js";
import { decodeRequest, encodeResponse } from "./http.js";
import { answer, callMember, failureOf, FETCH, handles, leave, reasonOf, setHost, signalOf } from "./mail.js";
import { stateOf } from "./state.js";
import { decode, encode } from "./values.js";
import { receiveClose, receiveMessage } from "./sockets.js";
import {
  AbortController,
  AbortControllerPrototypeGetSignal,
  Error,
  Promise,
  PromisePrototypeThen,
  PromiseResolve,
  SafeArrayIterator,
  SafeMap,
  SafeSet,
  TypeError,
} from "../primordials.js";

/** By the host's numbers. @type {Map<number, Instance>} */
const instances = new SafeMap();

/** One actor, from its constructor until it leaves the isolate. */
export class Instance {
  /** The async context of its code. */
  context = null;
  /** What was written and what leaves because of it: the end of a chain of promises, null if nothing waits. */
  leaving = null;
  /** Why it was reset. */
  failure = null;
  /** As of an exchange, for its timers. */
  ended = false;
  completed = true;
  /** @type {import("../listeners.js").Listeners<(() => void) | { [kEnded](): void }>} */
  #onEnd = null;
  /** Its sockets that it cannot hibernate with. @type {Set} */
  #sockets = new SafeSet();
  /** The sockets that it may hibernate with and that it has used, by end. */
  hibernating = new SafeMap();
  #object = null;
  /** How many transactions and calls of blockConcurrencyWhile() hold its events back. */
  #gates = 0;
  /** Code that waits until the host lets it run as an event, by number. @type {Map<number, () => unknown>} */
  #waiting = new SafeMap();
  #nextWaiting = 1;

  /**
   * @param {number} number the host's
   * @param {string} className
   * @param {string} id
   * @param {string | undefined} name
   * @param {string} [key] a facet's, which holds the names of the actors that it belongs to
   */
  constructor(number, className, id, name, key = `${className}/${id}`) {
    this.number = number;
    this.className = className;
    this.id = id;
    this.name = name;
    this.key = key;
    instances.set(number, this);
  }

  get object() {
    return this.#object;
  }

  /**
   * Makes the object. The error of its constructor is returned; undefined if there was none.
   * @param {Function} [Class] a facet's; other actors have the class that is registered
   */
  construct(Class = undefined) {
    try {
      handles(this);
      Class ??= classNamed(this.className);
      inActor(this, () => {
        this.#object = new Class(stateOf(this), envOf(this.className));
      });
    } catch (error) {
      // The constructor may have reset it.
      if (!this.ended) {
        const isUnheard = op_actor_start_failed(this.number, reasonOf(error));
        if (isUnheard) op_log_error(`an alarm of an actor of ${this.className}`, error);
        this.#end(error);
      }
      return error;
    }
    if (!this.ended) op_actor_started(this.number);
    return undefined;
  }

  /** Handles an event, which ends when the promise of `run` settles. */
  handle(event, run) {
    handles(this);
    const done = () => {
      if (!this.ended) op_actor_finished(this.number, event);
    };
    inActor(this, () => PromisePrototypeThen(run(this), done, done));
  }

  /**
   * Lets code run as an event, when its turn has come. Returns false if too many events wait; then it does not run.
   * @param {() => unknown} run
   * @param {number} [from] the isolate whose call it is
   * @param {number} [call] the number of the call there, which fails if the actor is reset; 0 if it is none
   */
  receive(run, from = 0, call = 0) {
    const number = this.#nextWaiting;
    this.#nextWaiting = number % 0x3fffffff + 1;
    this.#waiting.set(number, run);
    if (op_actor_enqueue(this.number, number, from, call)) return true;
    this.#waiting.delete(number);
    return false;
  }

  /** For the host: code that has waited runs. */
  local(event, number) {
    const run = this.#waiting.get(number);
    this.#waiting.delete(number);
    this.handle(event, async () => await run());
  }

  /**
   * Something that its code has started comes back: see `arrivalOf()`.
   * @param {() => void} callback
   * @param {{ isOpen: boolean } | undefined} section of the code
   */
  arrived(callback, section) {
    if (this.#gates === 0 || this.ended || section?.isOpen === true) callback();
    else if (!this.receive(callback)) callback();
  }

  /**
   * Sends a request elsewhere: when what the actor has written before is durable. The answer arrives as `arrivalOf()`
   * describes.
   * @param {() => Promise} send
   */
  async fetched(send) {
    const arrives = arrivalOf();
    await new Promise((resolve, reject) => leave(resolve, reject));
    try {
      return await send();
    } finally {
      await new Promise((resolve) => arrives(resolve));
    }
  }

  /** Holds other events back until `callback` is done. If that takes too long, the host resets the actor. */
  async exclusively(callback) {
    const gate = op_actor_close_gate(this.number);
    const section = { __proto__: null, isOpen: true };
    this.#gates += 1;
    try {
      return await inSection(section, callback);
    } finally {
      section.isOpen = false;
      this.#gates -= 1;
      if (!this.ended) op_actor_open_gate(this.number, gate);
    }
  }

  /** Like {@link exclusively}, for the start of an actor: a failure resets it. */
  async blockConcurrencyWhile(callback) {
    try {
      return await this.exclusively(callback);
    } catch (error) {
      this.reset(error);
      throw error;
    }
  }

  /** Keeps the actor in the isolate until {@link unhold}. */
  hold() {
    if (!this.ended) op_actor_hold(this.number, false, true);
  }

  unhold() {
    if (!this.ended) op_actor_hold(this.number, false, false);
  }

  /** For `timers.js`: a timer has begun, or has ended. */
  timerBegan() {
    if (!this.ended) op_actor_hold(this.number, true, true);
  }

  timerEnded() {
    if (!this.ended) op_actor_hold(this.number, true, false);
  }

  /** It has a socket that it cannot hibernate with. */
  accepted(socket) {
    this.#sockets.add(socket);
    this.hold();
  }

  lost(socket) {
    if (this.#sockets.delete(socket)) this.unhold();
  }

  /** Keeps the actor in the isolate until the promise settles. */
  waitUntil(promise) {
    this.hold();
    PromisePrototypeThen(PromiseResolve(promise), () => this.unhold(), (error) => {
      op_log_error(`waitUntil() of an actor of ${this.className}`, error);
      this.unhold();
    });
  }

  /** Ends this object. What runs fails, and the next event makes another object. */
  reset(error) {
    if (this.ended) return;
    op_actor_reset(this.number, reasonOf(error));
    this.#end(error);
  }

  /** For the host: ends this object, because of a failure if there is a reason. */
  stop(reason) {
    op_actor_stopped(this.number);
    this.#end(reason === undefined ? null : failureOf(reason));
  }

  #end(failure) {
    this.failure = failure;
    this.ended = true;
    instances.delete(this.number);
    for (const socket of this.#sockets.values()) socket.abandon(1011, "The Durable Object was reset.");
    this.#sockets.clear();
    this.#waiting.clear();
    const listeners = this.#onEnd;
    this.#onEnd = null;
    for (const listener of new SafeArrayIterator(listenersOf(listeners))) callAtEndOf("an actor", listener);
    this.#object = null;
  }

  /** Calls `listener` when the object is no longer in use. */
  onEnd(listener) {
    if (this.ended) listener();
    else this.#onEnd = withListener(this.#onEnd, listener);
  }

  /** Calls a listener of {@link onEnd} no more. */
  offEnd(listener) {
    this.#onEnd = withoutListener(this.#onEnd, listener);
  }
}

setHost({
  __proto__: null,
  start(number, className, id, name) {
    const instance = new Instance(number, className, id, name);
    try {
      // After a restart, the actor's file has the name.
      instance.name ??= op_actor_name(number) ?? undefined;
    } catch {
      // The first use of the storage fails in the same way.
    }
    instance.construct();
  },
  stop(number, reason) {
    instances.get(number)?.stop(reason);
  },
  event(instance, event, name, { from, number, kind, event: data }) {
    const found = instances.get(instance);
    found.name ??= name;
    const run = kind === FETCH ? fetchEvent : callEvent;
    found.handle(event, (it) => run(it, from, number, data));
  },
  local(instance, event, number) {
    instances.get(instance).local(event, number);
  },
  message(instance, event, end, data) {
    receiveMessage(end, instances.get(instance), event, data);
  },
  closed(instance, event, end, code, reason, wasClean) {
    receiveClose(end, instances.get(instance), event, code, reason, wasClean);
  },
  alarm(instance, event, due, failures) {
    alarmEvent(instances.get(instance), event, due, failures);
  },
});

async function fetchEvent(instance, from, number, { 0: request, 1: isAbortable }) {
  const controller = isAbortable ? new AbortController() : null;
  const done = controller === null ? null : signalOf(from, number, controller);
  const signal = controller === null ? undefined : AbortControllerPrototypeGetSignal(controller);
  await answer(instance, from, number, async () => {
    const { object } = instance;
    if (typeof object.fetch !== "function") {
      throw new TypeError("Handler does not export a fetch() function.");
    }
    // Its own fetch(request) does not follow redirects, unless it asks for that.
    request.redirect = "manual";
    return await object.fetch(decodeRequest(from, request, signal));
  }, encodeResponse);
  done?.();
}

/** Runs the alarm's handler, unless the alarm was deleted or set to another time. */
function alarmEvent(instance, event, due, failures) {
  let isDue = false;
  try {
    isDue = op_actor_alarm_begin(instance.number);
  } catch (error) {
    // The file cannot be read: the actor is reset, and the alarm is tried again.
    return op_log_error(`an alarm of an actor of ${instance.className}`, error);
  }
  if (!isDue) return op_actor_finished(instance.number, event);
  runAlarm(instance, event, due, failures);
}

async function runAlarm(instance, event, scheduledTime, failures) {
  const { className, number, object } = instance;
  let hasFailed = false;
  try {
    if (typeof object.alarm !== "function") throw new TypeError(`The class ${className} has no alarm() handler.`);
    handles(instance);
    await inActor(instance, () => object.alarm({ retryCount: failures, isRetry: failures > 0, scheduledTime }));
  } catch (error) {
    hasFailed = true;
    op_log_error(`alarm() of an actor of ${className}`, error);
  }
  // If the actor was reset meanwhile, its alarm is tried again.
  if (instance.ended) return;
  if (op_actor_alarm_end(number, event, hasFailed)) {
    op_log_error(
      `alarm() of an actor of ${className}`,
      new Error(`It has failed ${failures + 1} times and is not tried again; the alarm is dropped.`),
    );
  }
}

async function callEvent(instance, from, number, { 0: path, 1: args }) {
  await answer(instance, from, number, () => {
    if (!supportsRpc(instance.className)) {
      throw new TypeError(
        "The receiving Durable Object does not support RPC, because its class was not declared with `extends " +
          "DurableObject`. In order to enable RPC, make sure your class extends the special class `DurableObject`, " +
          'which can be imported from the module "cloudflare:workers".',
      );
    }
    return callMember(instance.object, path, args === null ? null : decode(from, args), true);
  }, encode);
}

