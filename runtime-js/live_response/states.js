// What a LiveResponse is made of: its states, the sources that they come from, and what follows them.
//
// A source is whatever was passed to the constructor or to replaceWith(): a value, a promise, a Response, another
// LiveResponse, a generator, a live program's handle, or a value with a callback that mutates it. Each source puts
// out frames; a new source supersedes the one before it.

import { abort, invalidState, isPromise } from "../errors/exceptions.js";
import { checkOptions } from "../errors/options.js";
import { valueOf } from "../answer/values.js";
import { itemsOf, withItem, withoutItem } from "../few.js";
import { concurrentWith, frameOf, headOf, headOfResponse, LINE_HEADERS, ReplaceEvent, StateFrame, withoutOwn } from "./frame.js";
import { kBind, kFollow, kHold, LineLostError } from "../port/port.js";
import { announce } from "../observer/delivery.js";
import { Observer } from "../observer/observer.js";
import { reactive } from "../observer/reactive.js";
import {
  AbortController,
  AbortControllerPrototypeGetSignal,
  ArrayPrototypeFilter,
  ArrayPrototypeIncludes,
  ArrayPrototypePush,
  ArrayPrototypeSome,
  EventTargetPrototypeDispatchEvent,
  FunctionPrototypeCall,
  Headers,
  HeadersPrototypeHas,
  IteratorPrototypeNext,
  IteratorPrototypeReturn,
  NumberIsInteger,
  Promise,
  PromisePrototypeCatch,
  PromisePrototypeThen,
  PromiseReject,
  PromiseResolve,
  queueMicrotask,
  RangeError,
  Response,
  ResponsePrototypeGetHeaders,
  SafeArrayIterator,
  SafeSet,
  SafeWeakMap,
  String,
  SymbolToStringTag,
  TypeError,
} from "../primordials.js";

/** How a Response's line is opened here. @type {(response: Response) => RemotePort | null} */
let openPort = () => null;
/** What makes the ports that come with other values. @type {WeakMap<object, () => EventTarget>} */
const backgrounds = new SafeWeakMap();
/** Lines of Responses. @type {WeakMap<Response, RemotePort>} */
const ports = new SafeWeakMap();
/** The states that come by these lines, read once for all who follow a Response. @type {WeakMap<Response, States>} */
const lines = new SafeWeakMap();

/**
 * For each environment: sets how the line of a Response is opened. Null: it has none.
 * @param {(response: Response) => import("../port/remote_port.js").RemotePort | null} opener
 */
export function setPortOpener(opener) {
  openPort = opener;
}

/** How a line closes when all is well: done, the other end leaves, the user navigates away. */
export const GOOD_ENDS = new SafeSet([1000, 1001, 4001]);

/** What kind of source `value` is. */
export function kindOf(value) {
  if (statesOf(value) !== undefined) return "LiveResponse";
  if (isProgramHandle(value)) return "LiveProgramHandle";
  if (value instanceof Response) return "Response";
  if (typeof value?.next === "function") return "Generator";
  return "Default";
}

/** For the host: a response of `value` will have what `make` makes as its port. */
export function setBackground(value, make) {
  backgrounds.set(value, make);
  return value;
}

/** Whether a line was attached to a Response, whose headers need not have it. */
export const isAttached = (response) => ports.has(response);

/** Whether a response has a line. */
export function hasPort(response) {
  const states = statesOf(response);
  if (states !== undefined) return states.hasPort;
  if (!(response instanceof Response)) return false;
  if (ports.has(response)) return true;
  const headers = ResponsePrototypeGetHeaders(response);
  return ArrayPrototypeSome(LINE_HEADERS, (name) => HeadersPrototypeHas(headers, name));
}

/** The far end's port of a response, or null. */
export function getPort(response) {
  const states = statesOf(response);
  if (states !== undefined) return states.port;
  if (!ports.has(response)) {
    const port = openPort(response);
    if (port !== null) ports.set(response, port);
  }
  return ports.get(response) ?? null;
}

/** Gives a Response a line that was opened by other means. */
export function attachPort(response, port) {
  ports.set(response, port);
}

/** The states of responses. @type {WeakMap<LiveResponse, States>} */
const all = new SafeWeakMap();
/** Makes the response of states that have none. @type {(states: States) => LiveResponse} */
let responseFor;

/** For the class of responses, which needs this module. */
export function setResponseMaker(make) {
  responseFor = make;
}

/** Those of a LiveResponse; undefined for anything else. @returns {States | undefined} */
export function statesOf(value) {
  return all.get(value);
}

/**
 * What few responses have, so that those of idle lines do not keep room for it.
 * @typedef {object} Rare
 * @property {object[] | null} waiting the promises of {@link States.reached}; null if there is none
 * @property {{ error: unknown } | null} failure where the last source failed and no other took its place
 * @property {(() => EventTarget) | null} background makes the far end's port
 * @property {EventTarget | null} port
 * @property {RemotePort | null} upstream the line that the current source comes by
 */

/** The states of one response: those of one source after the other, for all who follow it. */
export class States {
  /** Whose states these are; null until anything asks for it, because most have only followers. */
  #response;
  /** The current one. @type {Frame | null} */
  frame = null;
  /** `waiting` for the first state, `live` while more may come, `done` after the last. */
  readyState = "waiting";
  /** Aborts the work of the current source. */
  #source = null;
  /** What follows this response. @type {import("../few.js").Few<object>} */
  #sinks = null;
  /** The last state is known, so that no other may come. */
  isClosed = false;
  /** Frames that came before anything followed; only kept after {@link record}. */
  #recorded = null;
  /** What few responses have. @type {Rare | null} */
  #rare = null;

  /**
   * One is alive when the host keeps the heap. Without it V8 forgets which properties the objects have, and later ones
   * have theirs outside of the object.
   */
  static example = new States();

  /** @param {LiveResponse | null} [response] */
  constructor(response = null) {
    this.#response = response;
    if (response !== null) all.set(response, this);
  }

  #some() {
    return this.#rare ??= { waiting: null, failure: null, background: null, port: null, upstream: null };
  }

  /** `{ error }` where the last source failed and no other took its place. */
  get failure() {
    return this.#rare === null ? null : this.#rare.failure;
  }

  /** The response with these states. @returns {LiveResponse} */
  get response() {
    if (this.#response === null) {
      this.#response = responseFor(this);
      all.set(this.#response, this);
    }
    return this.#response;
  }

  get hasPort() {
    return this.#rare !== null && this.#rare.background !== null;
  }

  /** The far end's port, or null. */
  get port() {
    const rare = this.#rare;
    if (rare === null) return null;
    return rare.port ??= rare.background?.() ?? null;
  }

  /** Keeps every frame until something follows. @param {(() => EventTarget) | null} background makes the port */
  record(background) {
    this.#recorded = [];
    this.#comesWith(background);
  }

  /** Puts out the first source of a response, whose failure is its own. Throws for arguments that mean nothing. */
  begin(args) {
    readArguments(args);
    PromisePrototypeCatch(this.put(args), (error) => {
      // No state follows on a line that is lost.
      if (error instanceof LineLostError) this.#reach("done");
    });
  }

  /** Stops following the current source; the states so far stay. With `dispose` no other may come. */
  disconnect(dispose) {
    this.#supersede();
    if (dispose) this.#finish();
  }

  /** The exchange of the response is over: its source has no one left to send to. */
  stop() {
    this.#supersede();
    this.#sinks = null;
    this.isClosed = true;
    this.#reach("done");
  }

  /**
   * The state at the time of the call. Where its source is still at work, the first state that comes of that, also if
   * another source takes its place meanwhile. @returns {Promise<Frame>}
   */
  async now() {
    const source = this.#source;
    if (source === null || source.hasFrame) {
      if (this.frame === null) await this.reached("live");
      return this.frame;
    }
    source.first ??= newPromise();
    return await source.first.promise;
  }

  /** Resolves with the response when it is `live`, `now` meaning the same, or `done`. */
  reached(state) {
    const reached = state === "done" ? this.readyState === "done" : this.readyState !== "waiting";
    if (reached) return PromiseResolve(this.#response);
    const waiting = this.#some().waiting ??= [];
    return new Promise((resolve) => ArrayPrototypePush(waiting, { done: state === "done", resolve }));
  }

  /**
   * Sends every frame to `sink`, those kept included. Returns what stops that.
   * @param {{ frame(frame: Frame): void, done(): void, failed(error: unknown): void,
   *   connected?(upstream: RemotePort): void, disconnected?(): void }} sink
   */
  follow(sink) {
    this.#sinks = withItem(this.#sinks, sink);
    const upstream = this.#rare === null ? null : this.#rare.upstream;
    if (upstream !== null) sink.connected?.(upstream);
    const recorded = this.#recorded ?? (this.frame === null ? [] : [this.frame]);
    this.#recorded = null;
    for (const frame of new SafeArrayIterator(recorded)) sink.frame(frame);
    if (this.failure !== null) sink.failed(this.failure.error);
    else if (this.#finished) sink.done();
    return () => this.#sinks = withoutItem(this.#sinks, sink);
  }

  // -- sources -----------------------------------------------------------------------------------------------------

  put(args) {
    if (this.readyState === "done" || this.isClosed) {
      return PromiseReject(invalidState("Response already done."));
    }
    let body, callback, init;
    try {
      ({ 0: body, 1: callback, 2: init } = readArguments(args));
    } catch (error) {
      return PromiseReject(error);
    }
    this.#supersede();
    if (this.#rare !== null) this.#rare.failure = null;
    this.#ending = null;
    const source = newSource();
    this.#source = source;
    let work;
    try {
      work = this.#run(source, body, callback, init);
    } catch (error) {
      work = PromiseReject(error);
    }
    if (work === undefined) {
      // A plain value: done at once, or open for the next.
      if (this.#source === source) this.#source = null;
      if (init.done) this.#finishSoon();
      return PromiseResolve();
    }
    return PromisePrototypeThen(
      work,
      () => {
        source.first?.resolve(this.frame);
        if (!source.stopped && init.done) this.#finish();
      },
      (error) => {
        source.first?.reject(error);
        if (!source.stopped) this.#failed(error);
        throw error;
      },
    );
  }

  /** Puts out the frames of one source. Returns a promise where that takes time. */
  #run(source, body, callback, init) {
    if (isPromise(body) && statesOf(body) === undefined) {
      return PromisePrototypeThen(PromiseResolve(body), (value) => {
        if (!source.stopped) return this.#run(source, value, callback, init);
        // It is for calls of now() alone.
        const { status, statusText, headers } = init;
        if (source.first === null) return;
        const late = new States();
        late.begin([value, { status, statusText, headers }]);
        source.first.resolve(late.now());
      });
    }
    if (isTrackable(body)) this.#comesWith(backgrounds.get(body) ?? null);
    const kind = kindOf(body);
    if (callback !== undefined && kind !== "Default") {
      throw new TypeError(`A callback needs plain data, not a ${kind}.`);
    }
    switch (kind) {
      case "LiveResponse":
        return this.#follow(source, statesOf(body), init);
      case "LiveProgramHandle":
        return this.#followHandle(source, body, init);
      case "Response":
        return this.#emitResponse(source, body, init);
      case "Generator":
        return this.#drain(source, body, init);
    }
    if (callback === undefined) {
      this.#emit(frameOf(body, init));
      return undefined;
    }
    const data = isTrackable(body) ? reactive(body) : body;
    this.#emit(frameOf(body, init));
    const controller = new AbortController();
    source.controller = controller;
    const signal = AbortControllerPrototypeGetSignal(controller);
    return (async () => await FunctionPrototypeCall(callback, this.response, data, signal))();
  }

  #follow(source, upstream, init) {
    if (upstream.hasPort) this.#comesWith(upstream.#rare.background);
    return new Promise((resolve, reject) => {
      const unfollow = upstream.follow({
        frame: (frame) => {
          if (!source.stopped) this.#emit(init.concurrent ? concurrentWith(frame) : frame);
        },
        done: resolve,
        failed: reject,
        connected: (port) => this.#connect(port),
        disconnected: () => this.#disconnect(),
      });
      source.onStop = () => {
        unfollow();
        source.first?.resolve(upstream.now());
        resolve();
      };
    });
  }

  #followHandle(source, handle, init) {
    const nested = { __proto__: null, ...init, done: false, nested: true };
    return new Promise((resolve, reject) => {
      let current = null;
      // A value may be a source itself, such as a Response.
      const put = (value) => {
        if (current !== null) this.#stop(current);
        const now = current = newSource();
        const failed = (error) => now.stopped || reject(error);
        try {
          const work = this.#run(now, value, undefined, nested);
          if (work !== undefined) PromisePrototypeCatch(work, failed);
        } catch (error) {
          failed(error);
        }
      };
      put(handle.value);
      const watch = Observer.observe(handle, "value", (record) => put(record.value));
      source.onStop = () => {
        this.#stop(current);
        abort(watch);
        const stop = handle.abort ?? handle.dispose;
        if (typeof stop === "function") FunctionPrototypeCall(stop, handle);
        resolve();
      };
    });
  }

  #emitResponse(source, response, init) {
    const port = getPort(response);
    if (port !== null) {
      if (!lines.has(response)) {
        const line = new States();
        lines.set(response, line);
        ignoreRejection(line.put([response]));
      }
      const line = lines.get(response);
      return line === this ? this.#followPort(source, response, port, init) : this.#follow(source, line, init);
    }
    const plain = headOfResponse(response);
    // A line that cannot be opened here is not passed on for others to open.
    const isElsewhere = hasPort(response);
    const head = { ...init, ...plain };
    if (isElsewhere) head.headers = withoutOwn(plain.headers);
    if (!isElsewhere && ArrayPrototypeSome(itemsOf(this.#sinks), (sink) => sink.takesResponse?.())) {
      this.#emit(new StateFrame(undefined, head, response));
      return undefined;
    }
    return PromisePrototypeThen(valueOf(response), (body) => {
      this.#emit(frameOf(body, head), source);
    });
  }

  /** Follows the line that came with a Response: its body, further states, and changes of them. */
  async #followPort(source, response, port, init) {
    this.#connect(port);
    const head = headOfResponse(response);
    head.headers = withoutOwn(head.headers);
    const ended = new Promise((resolve, reject) => {
      const unfollow = port[kFollow]({
        replace: (state) => this.#emitLate(frameOf(state.body, { ...init, ...headOf(state) }), reject),
        done: resolve,
        closed: (code, reason) => GOOD_ENDS.has(code) ? resolve() : reject(new LineLostError(code, reason)),
      });
      source.onStop = () => {
        unfollow();
        resolve();
      };
    });
    // It is awaited below.
    ignoreRejection(ended);
    const reading = valueOf(response);
    port[kHold](reading);
    const body = await reading;
    if (source.stopped) return this.#emit(frameOf(body, { ...init, ...head }), source);
    // After a 202 without a body the first state comes over the line.
    if (head.status !== 202 || (body !== null && body !== "")) {
      port[kBind]("initial_response", body);
      this.#emit(frameOf(body, { ...init, ...head }));
    }
    await ended;
  }

  async #drain(source, generator, init) {
    let running = false;
    source.onStop = () => {
      // A generator that is running ends at its next yield: the loop below sees that it was stopped.
      if (!running) close(generator);
    };
    const nested = { ...init, nested: true };
    while (!source.stopped) {
      running = true;
      const step = IteratorPrototypeNext(generator);
      running = isPromise(step);
      const { value, done } = await step;
      running = false;
      const body = await value;
      if (source.stopped) {
        this.#emit(frameOf(body, init), source);
        if (!done) close(generator);
        return;
      }
      if (done) {
        // A generator that returns nothing has yielded its last state already.
        if (body !== undefined) await this.#run(source, body, undefined, nested);
        source.onStop = null;
        return;
      }
      // A frame that takes time of its own is complete before the next one is requested.
      await this.#run(source, body, undefined, nested);
    }
  }

  /** What makes the far end's port, unless that is known already. */
  #comesWith(background) {
    if (background === null) return;
    const rare = this.#some();
    rare.background ??= background;
  }

  /** The current source comes by a line; followers that relay messages connect to it. */
  #connect(port) {
    this.#comesWith(() => port);
    this.#some().upstream = port;
    for (const sink of new SafeArrayIterator(itemsOf(this.#sinks))) sink.connected?.(port);
  }

  #disconnect() {
    if (this.#rare === null || this.#rare.upstream === null) return;
    this.#rare.upstream = null;
    for (const sink of new SafeArrayIterator(itemsOf(this.#sinks))) sink.disconnected?.();
  }

  #supersede() {
    const source = this.#source;
    this.#source = null;
    if (source !== null) this.#stop(source);
  }

  #stop(source) {
    this.#disconnect();
    source.stopped = true;
    if (source.controller !== null) abort(source.controller);
    source.onStop?.();
  }

  // -- states ------------------------------------------------------------------------------------------------------

  #emit(frame, source = this.#source) {
    // Where another source took its place, only now() asks for what comes.
    if (source?.stopped) return source.first?.resolve(frame);
    // A frame that a follower cannot send does not become the current state.
    for (const sink of new SafeArrayIterator(itemsOf(this.#sinks))) sink.frame(frame);
    if (this.#sinks === null && this.#recorded !== null) ArrayPrototypePush(this.#recorded, frame);
    const former = this.frame;
    this.frame = frame;
    if (this.#source !== null) {
      this.#source.hasFrame = true;
      this.#source.first?.resolve(frame);
    }
    if (this.readyState === "waiting") this.#reach("live");
    const response = this.#response;
    if (response === null) return;
    EventTargetPrototypeDispatchEvent(response, new ReplaceEvent(frame));
    announce(response, () => ({ body: former?.body, status: former?.status, headers: former?.headers }));
  }

  /** The same for a frame of the line, which no call waits for: `fail` gets its failure. */
  #emitLate(frame, fail) {
    try {
      this.#emit(frame);
    } catch (error) {
      fail(error);
    }
  }

  /** Code that runs right after the call may still look at a live response, and replace its state. */
  #finishSoon() {
    const ending = this.#ending = {};
    queueMicrotask(() => {
      if (this.#ending === ending) this.#finish();
    });
  }
  /** Names the end that is about to come, unless there is another state before. */
  #ending = null;

  #finish() {
    this.isClosed = true;
    this.#finished = true;
    for (const sink of new SafeArrayIterator(itemsOf(this.#sinks))) sink.done();
    this.#reach("done");
  }
  /** The last source has ended. */
  #finished = false;

  #reach(state) {
    if (this.readyState === "done") return;
    this.readyState = state;
    const rare = this.#rare;
    if (rare === null || rare.waiting === null) return;
    const reached = ArrayPrototypeFilter(rare.waiting, ({ done }) => !done || state === "done");
    rare.waiting = ArrayPrototypeFilter(rare.waiting, (waiting) => !ArrayPrototypeIncludes(reached, waiting));
    for (const { resolve } of new SafeArrayIterator(reached)) resolve(this.#response);
  }

  #failed(error) {
    this.#some().failure = { error };
    for (const sink of new SafeArrayIterator(itemsOf(this.#sinks))) sink.failed(error);
  }
}

/** Options of a state. */
const INIT = ["status", "statusText", "headers", "done", "concurrent", "type", "redirected", "url"];

/** @returns {[unknown, Function | undefined, object]} */
function readArguments(args) {
  const body = args[0];
  let callback;
  let init = { __proto__: null };
  for (let i = 1; i < args.length; i++) {
    const argument = args[i];
    if (typeof argument === "function") callback = argument;
    else if (argument !== null && typeof argument === "object") init = argument;
    else if (argument !== undefined) throw new TypeError(`replaceWith() takes a callback or an init, not ${argument}`);
  }
  checkOptions("A response's init", init, INIT);
  const { statusText = "", headers, done = true, concurrent = false, type, redirected, url } = init;
  // A Location without a status is a redirect.
  const leads = () => headers !== undefined && HeadersPrototypeHas(new Headers(headers), "location");
  const status = init.status ?? (leads() ? 302 : 200);
  if (!NumberIsInteger(status) || status < 200 || status > 599) {
    throw new RangeError(`A status is from 200 to 599, not ${String(status)}`);
  }
  return [body, callback, { status, statusText, headers, done, concurrent, type, redirected, url, nested: false }];
}

/** What is known of a source at work: what aborts its callback, and what ends it. */
function newSource() {
  return { controller: null, stopped: false, onStop: null, hasFrame: false, first: null };
}

/** A promise, with what settles it. Its rejection may stay unhandled. */
function newPromise() {
  const pending = {};
  pending.promise = new Promise((resolve, reject) => {
    pending.resolve = resolve;
    pending.reject = reject;
  });
  ignoreRejection(pending.promise);
  return pending;
}

function isProgramHandle(value) {
  return value !== null && typeof value === "object" && value[SymbolToStringTag] === "LiveProgramHandle";
}

function isTrackable(value) {
  return value !== null && typeof value === "object";
}

function close(generator) {
  if (typeof generator.return === "function") ignoreRejection(IteratorPrototypeReturn(generator));
}

function ignoreRejection(promise) {
  if (isPromise(promise)) PromisePrototypeCatch(PromiseResolve(promise), () => {});
}
