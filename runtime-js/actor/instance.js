// The actors that this isolate runs: an object of the class, the events that it handles, and when it leaves.

import {
  op_actor_alarm_begin,
  op_actor_alarm_end,
  op_actor_alarm_lost,
  op_actor_durable,
  op_actor_idle,
  op_actor_is_open,
  op_actor_leave,
  op_actor_reset,
  op_actor_start,
  op_log_error,
} from "ext:core/ops";
import { core } from "ext:core/mod.js";
import { kEnded } from "../exchange.js";
import { classNamed, envOf, hasClass, supportsRpc } from "./classes.js";
import { inActor } from "./context.js";
import { hostError } from "./errors.js";
import { decodeRequest, encodeResponse } from "./http.js";
import { answer, callMember, FETCH, handles, inLaterTurn, setHost, signalOf } from "./mail.js";
import { stateOf } from "./state.js";
import { decode, encode } from "./values.js";
import { receiveClose, receiveMessage } from "./sockets.js";
import {
  AbortController,
  AbortControllerPrototypeGetSignal,
  ArrayPrototypePush,
  DateNow,
  Error,
  PromisePrototypeThen,
  PromiseResolve,
  SafeArrayIterator,
  SafeMap,
  SafeSet,
  TypeError,
} from "../primordials.js";

const { clearTimeout, setTimeout } = core.loadExtScript("ext:deno_web/02_timers.js");

/** How long blockConcurrencyWhile() may take, in milliseconds. */
const MAX_BLOCKED = 30_000;

/** An actor without sockets stays in memory this many times as long as one that hibernates. */
const WITHOUT_SOCKETS = 7;

/** By class and id. @type {Map<string, Instance>} */
const instances = new SafeMap();

/** Other code serves by now: actors leave as soon as they are quiet. */
let retires = false;

/** An event of an actor. @typedef {{ run(instance: Instance): Promise, fail(error: unknown): void }} ActorEvent */

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
  #onEnd = [];
  /** Streams that others read of it. */
  streams = 0;
  /** Its sockets that it cannot hibernate with. @type {Set} */
  sockets = new SafeSet();
  /** The sockets that it may hibernate with and that it has used, by end. */
  hibernating = new SafeMap();
  /** Timers that its code has started. */
  timers = 0;
  /** The class of a facet. */
  #Class = null;
  #state = null;
  #object = null;
  /** Events that wait until nothing blocks them. @type {ActorEvent[]} */
  #held = [];
  #blocks = 0;
  /** @type {Set<ActorEvent>} */
  #running = new SafeSet();
  #waiting = 0;
  #lastActive = DateNow();

  /**
   * @param {string} className
   * @param {string} id
   * @param {string | undefined} name
   * @param {{ number: number, Class: Function, key: string } | null} [facet] what a facet of another actor is made of
   */
  constructor(className, id, name, facet = null) {
    this.className = className;
    this.id = id;
    this.name = name;
    this.key = facet?.key ?? `${className}/${id}`;
    this.number = facet?.number ?? op_actor_start(className, id);
    this.#Class = facet?.Class ?? null;
    instances.set(this.key, this);
    sweepLater();
  }

  get object() {
    return this.#object;
  }

  /** Handles an event: now, or when nothing blocks it any more. */
  receive(event) {
    this.#lastActive = DateNow();
    if (this.#object === null && !this.#construct(event)) return;
    if (this.#blocks > 0) ArrayPrototypePush(this.#held, event);
    else this.#start(event);
  }

  /** Makes the object. Returns whether that worked; if not, the event has failed. */
  #construct(event) {
    try {
      const Class = this.#Class ?? classNamed(this.className);
      inActor(this, () => {
        this.#state = stateOf(this);
        this.#object = new Class(this.#state, envOf(this.className));
      });
      return true;
    } catch (error) {
      this.reset(error);
      event.fail(error);
      return false;
    }
  }

  #start(event) {
    this.#running.add(event);
    handles(this);
    const done = () => {
      if (!this.#running.delete(event)) return;
      this.quiet();
    };
    inActor(this, () => PromisePrototypeThen(event.run(this), done, done));
  }

  /** Holds other events back until `callback` is done. */
  async exclusively(callback) {
    this.#blocks += 1;
    try {
      return await callback();
    } finally {
      this.#blocks -= 1;
      if (this.#blocks === 0) this.#resume();
    }
  }

  /** Like {@link exclusively}, for the start of an actor: a failure resets it. */
  async blockConcurrencyWhile(callback) {
    const timeout = setTimeout(() => {
      this.reset(
        new Error(
          "A call to blockConcurrencyWhile() in a Durable Object waited for too long. The call was canceled and the " +
            "Durable Object was reset.",
        ),
      );
    }, MAX_BLOCKED);
    try {
      return await this.exclusively(callback);
    } catch (error) {
      this.reset(error);
      throw error;
    } finally {
      clearTimeout(timeout);
    }
  }

  /** Each event that was held back has a turn of its own. */
  #resume() {
    const held = this.#held;
    this.#held = [];
    for (const event of new SafeArrayIterator(held)) {
      this.#waiting += 1;
      inLaterTurn(() => {
        this.#waiting -= 1;
        if (this.ended) event.fail(this.failure ?? hostError("The Durable Object was reset.", { retryable: true }));
        else this.receive(event);
      });
    }
  }

  /** Keeps the actor in memory until the promise settles. */
  waitUntil(promise) {
    this.#waiting += 1;
    const done = () => {
      this.#waiting -= 1;
      this.quiet();
    };
    PromisePrototypeThen(PromiseResolve(promise), done, (error) => {
      op_log_error(`waitUntil() of an actor of ${this.className}`, error);
      done();
    });
  }

  streamEnded() {
    this.streams -= 1;
    this.quiet();
  }

  /** Ends this object. What runs fails, and the next event makes another object. */
  reset(error) {
    if (this.ended) return;
    this.failure = error;
    const events = [...this.#running.values(), ...new SafeArrayIterator(this.#held)];
    this.#running.clear();
    this.#held = [];
    for (const event of new SafeArrayIterator(events)) event.fail(error);
    for (const socket of this.sockets.values()) socket.abandon(1011, "The Durable Object was reset.");
    if (!op_actor_leave(this.number)) op_actor_reset(this.number);
    this.#end();
  }

  #end() {
    this.ended = true;
    if (instances.get(this.key) === this) instances.delete(this.key);
    const listeners = this.#onEnd;
    this.#onEnd = [];
    for (const listener of new SafeArrayIterator(listeners)) {
      if (typeof listener === "function") listener();
      else listener[kEnded]();
    }
    this.#object = null;
    this.#state = null;
  }

  /** Calls `listener` when the object is no longer in use. */
  onEnd(listener) {
    if (this.ended) listener();
    else ArrayPrototypePush(this.#onEnd, listener);
  }

  /** Something of it has ended. An actor of old code leaves as soon as nothing runs. */
  quiet() {
    this.#lastActive = DateNow();
    if (!retires || !this.#isQuiet()) return;
    if (op_actor_is_open(this.number)) this.evict();
    // What was written is not durable yet.
    else PromisePrototypeThen(op_actor_durable(this.number), () => this.quiet());
  }

  #isQuiet() {
    return !this.ended && this.#running.size === 0 && this.#held.length === 0 && this.#blocks === 0 &&
      this.#waiting === 0 && this.streams === 0 && this.sockets.size === 0 && this.leaving === null;
  }

  /** Leaves the isolate, unless an event is on its way. */
  evict() {
    if (op_actor_leave(this.number)) this.#end();
  }

  /** Leaves if it was idle for long enough. */
  sweep(now, idle) {
    const limit = this.hibernating.size > 0 ? idle : idle * WITHOUT_SOCKETS;
    if (this.timers === 0 && now - this.#lastActive >= limit && this.#isQuiet() &&
      op_actor_is_open(this.number)) this.evict();
  }
}

let sweeping = false;

function sweepLater() {
  if (sweeping) return;
  sweeping = true;
  const idle = op_actor_idle();
  inActor(undefined, () => {
    setTimeout(() => {
      sweeping = false;
      const now = DateNow();
      for (const instance of instances.values()) instance.sweep(now, idle);
      if (instances.size > 0) sweepLater();
    }, idle / 2);
  });
}

/** The actor, which begins to run here if it does not. */
export function instanceOf(className, id, name = undefined) {
  const found = instances.get(`${className}/${id}`);
  if (found === undefined) return new Instance(className, id, name);
  found.name ??= name;
  return found;
}

setHost({
  __proto__: null,
  event(className, id, name, { from, number, kind, event, fail }) {
    const instance = instanceOf(className, id, name);
    const run = kind === FETCH ? fetchEvent : callEvent;
    instance.receive({ fail, run: (it) => run(it, from, number, event) });
  },
  message(end, className, id, data) {
    receiveMessage(end, className === undefined ? undefined : instanceOf(className, id), data);
  },
  closed(end, className, id, code, reason, wasClean) {
    receiveClose(end, className === undefined ? undefined : instanceOf(className, id), code, reason, wasClean);
  },
  alarm(className, id) {
    if (!hasClass(className)) {
      const error = new Error(`An alarm is due for an actor of ${className}, and no class has this name. It is kept.`);
      return op_log_error("an alarm", error);
    }
    instanceOf(className, id).receive({
      fail(error) {
        op_log_error(`alarm() of an actor of ${className}`, error);
        op_actor_alarm_lost(className, id);
      },
      run: alarmEvent,
    });
  },
  broken(number, className, id, message) {
    const instance = instances.get(`${className}/${id}`);
    if (instance?.number === number) instance.reset(hostError(message, { retryable: true }));
  },
  retire() {
    retires = true;
    for (const instance of instances.values()) instance.quiet();
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
    return await object.fetch(decodeRequest(from, request, signal));
  }, encodeResponse);
  done?.();
}

/** Runs the alarm's handler, unless the alarm was deleted or set to another time. */
async function alarmEvent(instance) {
  const { className, number, object } = instance;
  const failures = op_actor_alarm_begin(number);
  if (failures < 0) return;
  let hasFailed = false;
  try {
    if (typeof object.alarm !== "function") throw new TypeError(`The class ${className} has no alarm() handler.`);
    await object.alarm({ retryCount: failures, isRetry: failures > 0 });
  } catch (error) {
    hasFailed = true;
    op_log_error(`alarm() of an actor of ${className}`, error);
  }
  // If the actor was reset meanwhile, its alarm is tried again.
  if (instance.ended) return;
  if (op_actor_alarm_end(number, hasFailed)) {
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

