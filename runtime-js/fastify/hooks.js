// The hooks of an application: which there are, how they are checked, and how each kind is run.

import { core, primordials } from "ext:core/mod.js";
import { codes } from "ext:liveline_fastify/errors.js";
import { isAsync, isThenable } from "ext:liveline_fastify/queue.js";
import { clearTimeout, setTimeout } from "ext:liveline/timers.js";

const {
  ArrayPrototypeIncludes,
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  FunctionPrototypeCall,
  ObjectPrototypeToString,
  Promise,
  PromisePrototypeThen,
  SafeArrayIterator,
} = primordials;

/** Hooks of a request, in the order in which they run. */
export const OF_REQUEST = [
  "onRequest",
  "preParsing",
  "preValidation",
  "preSerialization",
  "preHandler",
  "onResponse",
  "onSend",
  "onError",
  "onTimeout",
  "onRequestAbort",
];
/** Hooks of the application. */
const OF_APPLICATION = ["onRoute", "onRegister", "onReady", "onListen", "preClose", "onClose"];

/** How many parameters an async hook has at most. */
const MOST = { __proto__: null, onRequest: 2, onResponse: 2, preValidation: 2, preHandler: 2, onTimeout: 2, preParsing: 3,
  preSerialization: 3, onSend: 3, onError: 3, onRequestAbort: 1, onReady: 0, onListen: 0, preClose: 0, onClose: 1 };

export function emptyHooks() {
  const hooks = { __proto__: null };
  for (const name of new SafeArrayIterator(OF_REQUEST)) hooks[name] = [];
  for (const name of new SafeArrayIterator(OF_APPLICATION)) hooks[name] = [];
  return hooks;
}

/** The hooks of an encapsulated instance, to begin with. */
export function copyOf(hooks) {
  const copy = { __proto__: null };
  for (const name of new SafeArrayIterator(OF_REQUEST)) copy[name] = ArrayPrototypeSlice(hooks[name]);
  for (const name of new SafeArrayIterator(["onRoute", "onRegister"])) copy[name] = ArrayPrototypeSlice(hooks[name]);
  for (const name of new SafeArrayIterator(["onReady", "onListen", "preClose", "onClose"])) copy[name] = [];
  return copy;
}

/** Whether instances below another one also have its hooks of this name. */
export function isInherited(name) {
  return name === "onRegister" || ArrayPrototypeIncludes(OF_REQUEST, name);
}

export function checkHook(name, hook) {
  if (typeof name !== "string") throw new codes.FST_ERR_HOOK_INVALID_TYPE();
  const isKnown = ArrayPrototypeIncludes(OF_REQUEST, name) || ArrayPrototypeIncludes(OF_APPLICATION, name);
  if (!isKnown) throw new codes.FST_ERR_HOOK_NOT_SUPPORTED(name);
  checkFunction(name, hook);
}

export function checkFunction(name, hook) {
  if (typeof hook !== "function") {
    throw new codes.FST_ERR_HOOK_INVALID_HANDLER(name, ObjectPrototypeToString(hook));
  }
  if (MOST[name] !== undefined && hook.length > MOST[name] && isAsync(hook)) throw new codes.FST_ERR_HOOK_INVALID_ASYNC_HANDLER();
}

/**
 * Runs hooks of `(request, reply, done)` one after the other. `end` gets the error that one of them ended with; it is
 * not called if one of them has answered.
 */
export function runHooks(hooks, server, request, reply, end, offset = 0) {
  for (let i = offset; i < hooks.length; i++) {
    const call = new HookCall(hooks, server, request, reply, end, i);
    const outcome = call.run();
    if (outcome === LATER) return;
    const outer = core.getAsyncContext();
    if (call.context !== outer) return runWithin(call, outcome, outer);
    if (outcome === FAILED) return end(call.failure);
    if (reply.sent) return;
  }
  end(null);
}

/** Goes on in the context in which a hook has called `done`: `onRequest: (request, reply, done) => store.run(value, done)`. */
function runWithin({ hooks, server, request, reply, end, index, failure, context }, outcome, outer) {
  core.setAsyncContext(context);
  try {
    if (outcome === FAILED) end(failure);
    else if (!reply.sent) runHooks(hooks, server, request, reply, end, index + 1);
  } finally {
    core.setAsyncContext(outer);
  }
}

/** What became of a hook by the time it returned. */
const RUNNING = 0, CALLED = 1, LATER = 2, FAILED = 3, OVER = 4;

class HookCall {
  failure = null;
  /** That of the call of `done`, or of the error. */
  context = undefined;
  #state = RUNNING;

  constructor(hooks, server, request, reply, end, index) {
    this.hooks = hooks;
    this.server = server;
    this.request = request;
    this.reply = reply;
    this.end = end;
    this.index = index;
  }

  run() {
    const done = (error) => this.#done(error);
    let result;
    try {
      result = FunctionPrototypeCall(this.hooks[this.index], this.server, this.request, this.reply, done);
    } catch (error) {
      this.#state = OVER;
      this.failure = error ?? new codes.FST_ERR_SEND_UNDEFINED_ERR();
      this.context = core.getAsyncContext();
      return FAILED;
    }
    if (this.#state === CALLED) {
      this.#state = OVER;
      return this.failure === null ? CALLED : FAILED;
    }
    if (this.#state === RUNNING) this.#state = LATER;
    if (isThenable(result)) {
      PromisePrototypeThen(primordials.PromiseResolve(result), () => this.#done(),
        (error) => this.#done(error ?? new codes.FST_ERR_SEND_UNDEFINED_ERR()));
    }
    return LATER;
  }

  #done(error) {
    if (this.#state === RUNNING) {
      this.#state = CALLED;
      this.failure = error || null;
      this.context = core.getAsyncContext();
    } else if (this.#state === LATER) {
      this.#state = OVER;
      if (error) return this.end(error);
      if (!this.reply.sent) runHooks(this.hooks, this.server, this.request, this.reply, this.end, this.index + 1);
    }
  }
}

/** Runs hooks of `(request, reply, payload, done)`, each with the payload that the one before has made. */
export function runPayloadHooks(hooks, server, request, reply, payload, end, offset = 0) {
  if (offset === hooks.length) return end(null, payload);
  let isOver = false;
  const next = (error, changed) => {
    if (isOver) return;
    isOver = true;
    if (error) return end(error, payload);
    runPayloadHooks(hooks, server, request, reply, changed === undefined ? payload : changed, end, offset + 1);
  };
  let result;
  try {
    result = FunctionPrototypeCall(hooks[offset], server, request, reply, payload, next);
  } catch (error) {
    return next(error ?? new codes.FST_ERR_SEND_UNDEFINED_ERR());
  }
  if (isThenable(result)) {
    PromisePrototypeThen(primordials.PromiseResolve(result), (changed) => next(null, changed),
      (error) => next(error ?? new codes.FST_ERR_SEND_UNDEFINED_ERR()));
  }
}

/** Runs hooks whose result changes nothing, such as those after the answer. */
export function runQuietly(hooks, server, parameters, failed, end = () => {}, offset = 0) {
  if (offset === hooks.length) return end();
  let isOver = false;
  const next = (error) => {
    if (isOver) return;
    isOver = true;
    if (error) return failed(error);
    runQuietly(hooks, server, parameters, failed, end, offset + 1);
  };
  let result;
  try {
    result = primordials.ReflectApply(hooks[offset], server, [...new SafeArrayIterator(parameters), next]);
  } catch (error) {
    return next(error);
  }
  if (isThenable(result)) PromisePrototypeThen(primordials.PromiseResolve(result), () => next(), next);
}

/** Runs a hook of the application with `parameters`, and a callback where it has a parameter for one. */
export function runOnce(hook, server, parameters, limit = 0, name = "") {
  return new Promise((settle, reject) => {
    let timer;
    const resolve = () => {
      clearTimeout(timer);
      settle();
    };
    const done = (error) => {
      clearTimeout(timer);
      if (error) reject(error);
      else settle();
    };
    if (limit > 0) {
      const shown = hook.name ? ` "${hook.name}"` : "";
      timer = setTimeout(() => reject(new codes.FST_ERR_HOOK_TIMEOUT(name, shown)), limit);
    }
    const takesCallback = hook.length > parameters.length;
    const given = ArrayPrototypeSlice(parameters);
    if (takesCallback) ArrayPrototypePush(given, done);
    const result = primordials.ReflectApply(hook, server, given);
    if (isThenable(result)) PromisePrototypeThen(primordials.PromiseResolve(result), resolve, done);
    else if (!takesCallback) resolve();
  });
}
