// Calls between isolates: of actors, and of what was passed by reference.

import { core } from "ext:core/mod.js";
import {
  op_actor_again,
  op_actor_call,
  op_actor_durable,
  op_actor_is_open,
  op_actor_post,
  op_actor_post_owner,
  op_actor_reply,
  op_actor_take,
  op_log_error,
} from "ext:core/ops";
import { domException } from "../errors/exceptions.js";
import { arrivalOf, currentActor } from "./context.js";
import { describeError, hostError, rebuildError } from "./errors.js";
import { RpcTarget } from "./classes.js";
import { recordOf } from "./stub.js";
import { decode, deserialize, encode, serialize } from "./values.js";
import { decodeResponse } from "./http.js";
import {
  AbortControllerPrototypeAbort,
  AbortSignalPrototypeGetAborted,
  AbortSignalPrototypeGetReason,
  ArrayPrototypeIncludes,
  DateNow,
  EventTargetPrototypeAddEventListener,
  EventTargetPrototypeRemoveEventListener,
  globalThis,
  ObjectGetPrototypeOf,
  ObjectHasOwn,
  ObjectPrototype,
  Promise,
  PromisePrototypeThen,
  PromiseResolve,
  ReflectApply,
  SafeFinalizationRegistry,
  SafeMap,
  TypeError,
} from "../primordials.js";

/** `Symbol.dispose`, where the engine has it. */
const { dispose: kDispose } = globalThis.Symbol;

/** The kinds of mail, by the host's numbers. */
const START = 0, STOP = 1, CALL_EVENT = 2, LOCAL = 3, ALARM = 4, MESSAGE = 5, CLOSE = 6, PEER = 7, FAILED = 8, GONE = 9;

/** What one isolate sends to another about a call. */
const RESULT = 0, INVOKE = 1, RELEASE = 2, ABORT = 3;

/** What is asked of an actor. */
export const FETCH = 0, CALL = 1;

/** How long mail is handled in one turn, in milliseconds. */
const TURN = 5;

const OVERLOADED = "Durable Object is overloaded. Too many requests queued.";

/** Calls that have no result yet, by number. */
const calls = new SafeMap();
let nextCall = 1;

/** What other isolates may call, by number. */
const targets = new SafeMap();
let nextTarget = 1;

/** Calls of other isolates that run here and can be aborted, by isolate and number. @type {Map<string, AbortController>} */
const abortable = new SafeMap();

/** What receives the mail of actors; `instance.js` sets it. */
let host = null;

export function setHost(functions) {
  host = functions;
}

/** For the host: there is mail. The host calls again for what is left. */
export function mail() {
  const end = DateNow() + TURN;
  do {
    const next = op_actor_take();
    if (next === null) return;
    receive(next);
    // Promises settle before the next event: no other code of an actor runs between a write and what waits for it.
    core.runMicrotasks();
    handling = null;
  } while (DateNow() <= end);
  op_actor_again();
}

function receive(next) {
  switch (next[0]) {
    case START:
      return host.start(next[1], next[2], next[3], next[4]);
    case STOP:
      return host.stop(next[1], next[2]);
    case CALL_EVENT: {
      const { 0: number, 1: kind, 2: event } = deserialize(next[5]);
      return host.event(next[1], next[2], next[4], { from: next[3], number, kind, event });
    }
    case LOCAL:
      return host.local(next[1], next[2], next[3]);
    case ALARM:
      return host.alarm(next[1], next[2], next[3], next[4]);
    case MESSAGE:
      return host.message(next[1], next[2], next[3], next[4]);
    case CLOSE:
      return host.closed(next[1], next[2], next[3], next[4], next[5], next[6]);
    case PEER:
      return receivePeer(next[1], deserialize(next[2]));
    case FAILED:
      return settle(next[1], (call) => call.reject(failureOf(next[2], { overloaded: next[3] })));
    case GONE:
      return isolateGone(next[1]);
  }
}

/** The error of a failed actor: what its code threw, or a text of the host. @param {Uint8Array | string} reason */
export function failureOf(reason, { overloaded = false } = { __proto__: null }) {
  if (typeof reason !== "string") return rebuildError(deserialize(reason));
  return hostError(reason, overloaded ? { overloaded, remote: true } : { retryable: true, remote: true });
}

/** An error for the host, which passes it to those who wait for an actor. */
export function reasonOf(error) {
  return serialize(describeError(error));
}

// -- calls of this isolate -----------------------------------------------------------------------------------------------

/**
 * Does what others can observe as soon as what the running actor has written is durable, in order.
 * @param {() => void} act
 * @param {(error: unknown) => void} [lost] called instead if that is lost, because the actor was reset
 */
export function leave(act, lost = () => {}) {
  const instance = currentActor();
  if (instance === undefined || instance.ended) return act();
  if (instance.leaving === null && op_actor_is_open(instance.number)) return act();
  const before = instance.leaving ?? PromiseResolve();
  const leaving = instance.leaving = PromisePrototypeThen(before, async () => {
    const isDurable = await op_actor_durable(instance.number);
    if (instance.leaving === leaving) instance.leaving = null;
    if (isDurable) act();
    else lost(instance.failure ?? gone());
  });
}

/**
 * Sends an event to an actor. Resolves with its result.
 * @param {{ className: string, id: string, name: string | undefined }} actor
 * @param {number} kind
 * @param {unknown[]} event
 * @param {AbortSignal | null} [signal] aborts the call
 */
export function callActor(actor, kind, event, signal = null) {
  const number = nextCall;
  nextCall = nextCall % 0x3fffffff + 1;
  const data = serialize([number, kind, event]);
  const { className, id, name = null } = actor;
  return new Promise((resolve, reject) => {
    const arrives = arrivalOf();
    const call = { isolate: -1, isFetch: kind === FETCH, resolve, reject, arrives };
    calls.set(number, call);
    if (signal !== null) {
      if (AbortSignalPrototypeGetAborted(signal)) {
        calls.delete(number);
        return reject(AbortSignalPrototypeGetReason(signal));
      }
      const abort = () => {
        if (!calls.delete(number)) return;
        op_actor_post_owner(className, id, serialize([ABORT, number]));
        reject(AbortSignalPrototypeGetReason(signal));
      };
      const forget = () => EventTargetPrototypeRemoveEventListener(signal, "abort", abort);
      EventTargetPrototypeAddEventListener(signal, "abort", abort, { once: true });
      call.resolve = (value) => {
        forget();
        resolve(value);
      };
      call.reject = (error) => {
        forget();
        reject(error);
      };
    }
    const refused = (error) => settle(number, () => call.reject(error));
    leave(() => {
      if (calls.has(number)) op_actor_call(className, id, name, number, data);
    }, refused);
  });
}

/** Calls, or with `args` null reads, a member of what another isolate has passed by reference. */
export function invoke(isolate, target, path, args) {
  const number = nextCall;
  nextCall = nextCall % 0x3fffffff + 1;
  const data = serialize([INVOKE, number, target, path, args === null ? null : encode(args)]);
  return new Promise((resolve, reject) => {
    calls.set(number, { isolate, isFetch: false, resolve, reject, arrives: arrivalOf() });
    leave(() => {
      if (!op_actor_post(isolate, data)) settle(number, () => reject(gone()));
    }, (error) => settle(number, () => reject(error)));
  });
}

function gone() {
  return hostError("The isolate that ran the Durable Object has ended.", { retryable: true, remote: true });
}

function settle(number, how) {
  const call = calls.get(number);
  if (call === undefined) return;
  calls.delete(number);
  call.arrives(() => how(call));
}

function isolateGone(isolate) {
  for (const { 0: number, 1: call } of calls.entries()) {
    if (call.isolate === isolate) settle(number, () => call.reject(gone()));
  }
}

// -- what others may call ------------------------------------------------------------------------------------------------

/** Lets other isolates call a value. Returns its number. @param {boolean} [isStream] it is released at its end */
export function exportTarget(target, isStream = false) {
  const number = nextTarget;
  nextTarget += 1;
  const instance = currentActor();
  if (isStream) instance?.hold();
  targets.set(number, { target, instance, context: core.getAsyncContext(), isStream });
  return number;
}

function release(number) {
  const exported = targets.get(number);
  if (exported === undefined) return;
  targets.delete(number);
  const { target } = exported;
  try {
    // A stub that passed through is released by whoever has it.
    if (target instanceof RpcTarget && recordOf(target) === undefined) target[kDispose]?.();
  } catch (error) {
    op_log_error("Symbol.dispose of an RPC target", error);
  }
  if (exported.isStream) exported.instance?.unhold();
}

/** Tells an isolate that its target is not used here any more. */
export function releaseFar(isolate, target) {
  op_actor_post(isolate, serialize([RELEASE, target]));
}

/** Releases targets whose stubs nobody has any more. */
const unused = new SafeFinalizationRegistry((release) => release());

export function releaseWhenUnused(stub, release) {
  unused.register(stub, release);
}

// -- what comes ----------------------------------------------------------------------------------------------------------

function receivePeer(from, message) {
  switch (message[0]) {
    case RESULT:
      return settle(message[1], (call) => {
        if (message[2]) return call.reject(rebuildError(message[3]));
        try {
          call.resolve(call.isFetch ? decodeResponse(from, message[3]) : decode(from, message[3]));
        } catch (error) {
          call.reject(error);
        }
      });
    case INVOKE:
      return receiveInvoke(from, message[1], message[2], message[3], message[4]);
    case RELEASE:
      return release(message[1]);
    case ABORT: {
      const controller = abortable.get(`${from}:${message[1]}`);
      if (controller !== undefined) AbortControllerPrototypeAbort(controller, domException("AbortError", "The request was aborted."));
    }
  }
}

function receiveInvoke(from, number, target, path, encoded) {
  const exported = targets.get(target);
  if (exported === undefined) {
    return sendError(undefined, from, number, new TypeError("The RPC stub was disposed, or its target is gone."));
  }
  const { instance } = exported;
  const run = () => {
    const args = encoded === null ? null : decode(from, encoded);
    return callMember(exported.target, path, args);
  };
  const isEnd = exported.isStream && path[0] === "cancel";
  const ends = (result) => {
    if (exported.isStream && (isEnd || result === null)) release(target);
  };
  if (instance !== undefined) {
    if (instance.ended) return sendError(undefined, from, number, instance.failure ?? gone());
    if (instance.receive(() => answer(instance, from, number, run, encode, ends), from, number)) return;
    return sendError(undefined, from, number, hostError(OVERLOADED, { overloaded: true, remote: true }));
  }
  const outer = core.getAsyncContext();
  core.setAsyncContext(exported.context);
  answer(undefined, from, number, run, encode, ends);
  core.setAsyncContext(outer);
}

/** Runs a call and sends its result. Resolves when that is done. */
export async function answer(instance, to, number, run, encodeResult, settled = undefined) {
  let data;
  try {
    const result = await run();
    settled?.(result);
    data = serialize([RESULT, number, false, encodeResult(result)]);
  } catch (error) {
    settled?.(null);
    return sendError(instance, to, number, error);
  }
  send(instance, to, number, data);
}

export function sendError(instance, to, number, error) {
  send(instance, to, number, serialize([RESULT, number, true, describeError(error)]));
}

function send(instance, to, number, data) {
  if (instance === undefined || instance.ended) op_actor_post(to, data);
  else op_actor_reply(instance.number, to, number, data);
}

/** A signal that aborts with the call. */
export function signalOf(from, number, controller) {
  const key = `${from}:${number}`;
  abortable.set(key, controller);
  return () => abortable.delete(key);
}

/** Names that no caller reaches. */
const RESERVED = ["constructor", "dup", "then", "connect", "fetch", "alarm", "webSocketMessage", "webSocketClose", "webSocketError"];

/**
 * Calls the method at a path of a target, or reads what is there if `args` is null.
 * @param {boolean} [isActor] the target is an actor's object
 */
export function callMember(target, path, args, isActor = false) {
  const record = recordOf(target);
  if (record !== undefined) return record.send(path, args);
  let receiver = undefined, value = target;
  for (let i = 0; i < path.length; i++) {
    receiver = value;
    value = memberOf(receiver, path[i], isActor && i === 0);
  }
  if (args === null) return value;
  if (typeof value !== "function") {
    throw new TypeError(`"${path[path.length - 1] ?? ""}" is not a function.`);
  }
  return ReflectApply(value, receiver, args);
}

/** A member that callers reach: of objects with a class what the class has, of others their own properties. */
function memberOf(receiver, key, isActor) {
  const missing = () => new TypeError(`The RPC receiver does not implement the method "${key}".`);
  if (receiver === null || (typeof receiver !== "object" && typeof receiver !== "function")) throw missing();
  if (recordOf(receiver) !== undefined) return receiver[key];
  if (isActor && ArrayPrototypeIncludes(RESERVED, key)) {
    throw new TypeError(`'${key}' is a reserved method and cannot be called over RPC.`);
  }
  if (!isActor && !(receiver instanceof RpcTarget)) {
    if (ObjectHasOwn(receiver, key)) return receiver[key];
    throw missing();
  }
  if (key === "constructor" || ObjectHasOwn(receiver, key)) throw missing();
  let prototype = ObjectGetPrototypeOf(receiver);
  while (prototype !== null && prototype !== ObjectPrototype) {
    if (ObjectHasOwn(prototype, key)) return receiver[key];
    prototype = ObjectGetPrototypeOf(prototype);
  }
  throw missing();
}

/** The actor whose event is being handled. */
let handling = null;

/** An event of an actor is handled in this turn. */
export function handles(instance) {
  handling = instance;
}

/**
 * For the host: it terminated a turn. The actor whose code ran is reset.
 * @param {Instance | undefined} running the actor of the code's async context, such as the callback of a timer
 */
export function mailStopped(running) {
  const stopped = running ?? handling;
  handling = null;
  stopped?.reset(hostError("Durable Object exceeded its CPU time limit and was reset.", { remote: true }));
  op_actor_again();
}
