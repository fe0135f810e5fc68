// LiveResponse: a response whose state is replaced as long as its source has more to say.
//
// A source is whatever was passed to the constructor or to replaceWith(): a value, a promise, a Response, another
// LiveResponse, a generator, a live program's handle, or a value with a callback that mutates it. Each source puts
// out frames; a new source supersedes the one before it.

import { abort, failingTo, invalidState, isPromise } from "../errors/exceptions.js";
import { checkOptions } from "../errors/options.js";
import { responseOf, valueOf } from "../answer/values.js";
import { kBind, kFollow, kHold, LineLostError } from "../port/port.js";
import { announce, Observer } from "../observer/observer.js";
import { reactive } from "../observer/reactive.js";
import {
  AbortController,
  AbortControllerPrototypeGetSignal,
  AbortSignalPrototypeGetAborted,
  ArrayPrototypeConcat,
  ArrayPrototypeFilter,
  ArrayPrototypeIncludes,
  ArrayPrototypePush,
  ArrayPrototypeShift,
  ArrayPrototypeSome,
  Event,
  EventTarget,
  EventTargetPrototypeAddEventListener,
  EventTargetPrototypeDispatchEvent,
  FunctionPrototypeCall,
  Headers,
  HeadersPrototypeDelete,
  HeadersPrototypeHas,
  HeadersPrototypeSet,
  IteratorPrototypeNext,
  IteratorPrototypeReturn,
  NumberIsInteger,
  ObjectEntries,
  ObjectHasOwn,
  Promise,
  PromisePrototypeCatch,
  PromisePrototypeThen,
  PromiseReject,
  PromiseResolve,
  queueMicrotask,
  RangeError,
  Response,
  ResponsePrototypeGetHeaders,
  ResponsePrototypeGetRedirected,
  ResponsePrototypeGetStatus,
  ResponsePrototypeGetStatusText,
  ResponsePrototypeGetType,
  ResponsePrototypeGetUrl,
  SafeArrayIterator,
  SafeSet,
  SafeWeakMap,
  String,
  Symbol,
  SymbolToStringTag,
  TypeError,
} from "../primordials.js";

/**
 * One state of a response.
 * @typedef {object} Frame
 * @property {unknown} body
 * @property {number} status
 * @property {string} statusText
 * @property {Headers} headers
 * @property {boolean} ok
 * @property {string} type
 * @property {boolean} redirected
 * @property {string | null} url
 * @property {boolean} concurrent
 * @property {boolean} bodyUsed
 */

/** The Response that a frame's state is, where it can go out unread. */
export const kRaw = Symbol("raw");
/** Of a frame with a Response: whether no other state follows it. */
export const kIsLast = Symbol("is last");
/** Whether a frame was given headers; most were not, and a Headers object costs more than the state. */
export const kHasHeaders = Symbol("has headers");
/** Where frames go as they appear: the host's line, or whoever follows this response. */
export const kSink = Symbol("sink");

/** The event that says that a response has a new state, in `data`. */
export class ReplaceEvent extends Event {
  #frame;

  constructor(frame) {
    super("replace");
    this.#frame = frame;
  }

  /** @returns {Frame} */
  get data() {
    return this.#frame;
  }
}

/** How a Response's line is opened here. @type {(response: Response) => RemotePort | null} */
let openPort = () => null;
/** What makes the ports that come with other values. @type {WeakMap<object, () => EventTarget>} */
const backgrounds = new SafeWeakMap();
/** Lines of Responses. @type {WeakMap<Response, RemotePort>} */
const ports = new SafeWeakMap();
/** What these lines say, read once for all who follow a Response. @type {WeakMap<Response, LiveResponse>} */
const lines = new SafeWeakMap();

/**
 * For each environment: says how the line of a Response is opened. Null: it has none.
 * @param {(response: Response) => import("../port/remote_port.js").RemotePort | null} opener
 */
export function setPortOpener(opener) {
  openPort = opener;
}

/** How a line closes when all is well: done, the other end leaves, the user navigates away. */
export const GOOD_ENDS = new SafeSet([1000, 1001, 4001]);

/** Headers that say where a Response's line is, of this time and of an older one. */
export const LINE_HEADERS = ["X-Live-Session", "X-Background-Messaging-Port"];

/** Headers that say how the upstream sent this body to us, or are between it and us alone. */
const OWN_HEADERS = [
  "connection",
  "content-encoding",
  "content-length",
  "keep-alive",
  "set-cookie",
  "transfer-encoding",
  ...new SafeArrayIterator(LINE_HEADERS),
];

/** A response without a source yet, which keeps every frame until someone follows it. @returns {LiveResponse} */
let recorder;
/** replaceWith() whose failure, where nobody handles it, is told to `fail`: `(response, args, fail)`. */
let respond;
/** Why the current source of a response failed, as `{ error }`, or null. */
let failureOf;
/** Whether the last state of a response is known. */
let isClosed;
/** The exchange of a response is over, so no source of it has anyone to talk to. */
let stop;
/** Whether a response has a line. */
let hasPort;
/** The far end's port of a response, or null. */
let getPort;
/** `waiting`, `live` or `done`. */
let readyStateOf;
/** Calls back when a response has its next state. */
let onReplace;
// For the host alone: nobody reaches these through a LiveResponse.
export { failureOf, hasPort, isClosed, onReplace, readyStateOf, recorder, respond, stop };

/** What kind of source `value` is. */
export function kindOf(value) {
  if (value instanceof LiveResponse) return "LiveResponse";
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

/** Whether a Response was given a line, which its headers need not say. */
export const isAttached = (response) => ports.has(response);

export class LiveResponse extends EventTarget {
  /** The header that says where a Response's line is. */
  static xHeaderName = LINE_HEADERS[0];

  #frame = null;
  #state = "waiting";
  /** Aborts the work of the current source. */
  #source = null;
  #waiting = [];
  /** Who follows this response. The list is replaced, never changed, and so no longer than it has to be. */
  #sinks = [];
  /** `{ error }` where the last source failed and no other took its place. */
  #failure = null;
  /** Frames that came before anyone followed; only kept where {@link recorder} made the response. */
  #recorded = null;
  #background = null;
  #backgroundPort = null;
  /** The line that the current source comes by. */
  #upstream = null;

  /**
   * @param {unknown} [body]
   * @param {...unknown} rest callback and init, as in {@link replaceWith}
   */
  constructor(...args) {
    super();
    if (args.length === 0) return;
    readArguments(args);
    PromisePrototypeCatch(this.#replace(args), (error) => {
      // A line that is lost says nothing any more.
      if (error instanceof LineLostError) this.#reach("done");
    });
  }

  /** A LiveResponse for anything; safe to `await` or not. */
  static from(source, ...rest) {
    return new LiveResponse(source, ...new SafeArrayIterator(rest));
  }

  /** Whether a response has a line. */
  static hasPort(response) {
    return hasPort(response);
  }

  /** The far end's port of a response, or null. */
  static getPort(response) {
    return getPort(response);
  }

  /** Gives a Response a line that was opened by other means. */
  static attachPort(response, port) {
    ports.set(response, port);
    return response;
  }

  /** What kind of source `value` is. */
  static test(value) {
    return kindOf(value);
  }

  static {
    recorder = (background) => {
      const response = new LiveResponse();
      response.#recorded = [];
      response.#background = background;
      return response;
    };
    respond = (response, args, fail) => failingTo(response.#replace(args), fail);
    hasPort = (response) => {
      if (response instanceof LiveResponse) return response.#background !== null;
      if (!(response instanceof Response)) return false;
      if (ports.has(response)) return true;
      const headers = ResponsePrototypeGetHeaders(response);
      return ArrayPrototypeSome(LINE_HEADERS, (name) => HeadersPrototypeHas(headers, name));
    };
    getPort = (response) => {
      if (response instanceof LiveResponse) return response.#port();
      if (!ports.has(response)) {
        const port = openPort(response);
        if (port !== null) ports.set(response, port);
      }
      return ports.get(response) ?? null;
    };
    onReplace = (response, listener) => {
      EventTargetPrototypeAddEventListener(response, "replace", listener, { once: true });
    };
    readyStateOf = (response) => response.#state;
    failureOf = (response) => response.#failure;
    isClosed = (response) => response.#closing;
    stop = (response) => {
      response.#supersede();
      response.#sinks = [];
      response.#closing = true;
      response.#reach("done");
    };
  }

  get [SymbolToStringTag]() {
    return "LiveResponse";
  }

  /** `waiting` for the first state, `live` while more may come, `done` after the last. */
  get readyState() {
    return this.#state;
  }

  /** The current state's value, null before the first; not a stream. */
  get body() {
    return this.#frame === null ? null : this.#frame.body;
  }

  get status() {
    return this.#frame?.status ?? 200;
  }

  get statusText() {
    return this.#frame?.statusText ?? "";
  }

  get headers() {
    return this.#frame?.headers ?? (this.#noHeaders ??= new Headers());
  }
  #noHeaders = null;

  get ok() {
    return this.status >= 200 && this.status < 300;
  }

  get type() {
    return this.#frame?.type ?? "basic";
  }

  get redirected() {
    return this.#frame?.redirected ?? false;
  }

  get url() {
    return this.#frame?.url ?? null;
  }

  get concurrent() {
    return this.#frame?.concurrent ?? false;
  }

  /** Always true: the value is read already. */
  get bodyUsed() {
    return true;
  }

  /** The far end's port, where this response came from a handler that talks: messages and replies. */
  get background() {
    return this.#port();
  }

  #port() {
    return this.#backgroundPort ??= this.#background?.() ?? null;
  }

  /** The same as {@link background}. */
  get port() {
    return this.#port();
  }

  /**
   * The state at the time of the call. Where its source is still at work, the first state that comes of that, also if
   * another source takes its place meanwhile. @returns {Promise<Frame>}
   */
  async now() {
    const source = this.#source;
    if (source === null || source.hasFrame) {
      if (this.#frame === null) await this.#reached("live");
      return this.#frame;
    }
    source.first ??= newPromise();
    return await source.first.promise;
  }

  /**
   * Resolves with this response when it has reached `state`.
   * @param {"live" | "now" | "done"} state
   */
  readyStateChange(state) {
    if (state !== "live" && state !== "now" && state !== "done") {
      return PromiseReject(new TypeError(`readyStateChange() takes "live" or "done", not ${String(state)}`));
    }
    return this.#reached(state);
  }

  #reached(state) {
    const reached = state === "done" ? this.#state === "done" : this.#state !== "waiting";
    if (reached) return PromiseResolve(this);
    return new Promise((resolve) => ArrayPrototypePush(this.#waiting, { done: state === "done", resolve }));
  }

  /**
   * Puts a new state, or a source of states, in place of the current one.
   *
   * @param {unknown} body a value, Promise, Response, LiveResponse, generator or live handle
   * @param {...unknown} rest `callback(reactive, signal)` and `init`: `{ status, statusText, headers, done = true,
   *   concurrent = false }`, in either order
   * @returns {Promise<void>} settles when the source has said all, or was superseded
   */
  replaceWith(body, ...rest) {
    return this.#replace([body, ...new SafeArrayIterator(rest)]);
  }

  /** Stops following the current source; what was said stays. */
  disconnect(dispose = false) {
    this.#supersede();
    if (dispose) this.#finish();
  }

  /** A second response that says what this one says from now on. */
  clone(init = undefined) {
    return init === undefined ? new LiveResponse(this) : new LiveResponse(this, init);
  }

  /** The current state as a plain Response: at once, or a promise of the first one. @returns {Response | Promise<Response>} */
  toResponse() {
    if (this.#frame === null) return PromisePrototypeThen(this.#reached("live"), () => this.toResponse());
    const { body, status, statusText, headers, [kRaw]: raw } = this.#frame;
    return raw ?? responseOf(body, { status, statusText, headers });
  }

  /** Every state from the current one on. */
  async *toGenerator({ signal } = {}) {
    const frames = [];
    let isOver = false;
    let wake = null;
    const end = () => {
      isOver = true;
      wake?.();
    };
    const frame = (frame) => {
      ArrayPrototypePush(frames, frame);
      wake?.();
    };
    const stop = this[kSink]({ frame, done: end, failed: end });
    onAbort(signal, end);
    try {
      while (true) {
        while (frames.length > 0) yield ArrayPrototypeShift(frames).body;
        if (isOver) return;
        await new Promise((resolve) => wake = resolve);
      }
    } finally {
      stop();
    }
  }

  /** The current state as a live program's handle: `value` follows the states. */
  toLiveProgramHandle({ signal } = {}) {
    const handle = { [SymbolToStringTag]: "LiveProgramHandle", value: undefined, abort: () => stop() };
    const ignore = () => {};
    const frame = ({ body }) => Observer.set(handle, "value", body);
    const stop = this[kSink]({ frame, done: ignore, failed: ignore });
    onAbort(signal, stop);
    return handle;
  }

  /**
   * For the host: sends every frame to `sink`, those kept included. Returns what stops that.
   * @param {{ frame(frame: Frame): void, done(): void, failed(error: unknown): void,
   *   connected?(upstream: RemotePort): void, disconnected?(): void }} sink
   */
  [kSink](sink) {
    this.#sinks = ArrayPrototypeConcat(this.#sinks, sink);
    if (this.#upstream !== null) sink.connected?.(this.#upstream);
    const recorded = this.#recorded ?? (this.#frame === null ? [] : [this.#frame]);
    this.#recorded = null;
    for (const frame of new SafeArrayIterator(recorded)) sink.frame(frame);
    if (this.#failure !== null) sink.failed(this.#failure.error);
    else if (this.#finished) sink.done();
    return () => this.#sinks = ArrayPrototypeFilter(this.#sinks, (known) => known !== sink);
  }

  // -- sources -----------------------------------------------------------------------------------------------------

  #replace(args) {
    if (this.#state === "done" || this.#closing) {
      return PromiseReject(invalidState("Response already done."));
    }
    let body, callback, init;
    try {
      ({ 0: body, 1: callback, 2: init } = readArguments(args));
    } catch (error) {
      return PromiseReject(error);
    }
    this.#supersede();
    this.#failure = null;
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
        source.first?.resolve(this.#frame);
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
    if (isPromise(body) && !(body instanceof LiveResponse)) {
      return PromisePrototypeThen(PromiseResolve(body), (value) => {
        if (!source.stopped) return this.#run(source, value, callback, init);
        // It came for now() alone.
        const { status, statusText, headers } = init;
        source.first?.resolve(new LiveResponse(value, { status, statusText, headers }).now());
      });
    }
    if (isTrackable(body)) this.#background ??= backgrounds.get(body) ?? null;
    const kind = kindOf(body);
    if (callback !== undefined && kind !== "Default") {
      throw new TypeError(`A callback goes with plain data, not with a ${kind}: it gets a reactive copy of the data.`);
    }
    switch (kind) {
      case "LiveResponse":
        return this.#follow(source, body, init);
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
    return (async () => await FunctionPrototypeCall(callback, this, data, signal))();
  }

  #follow(source, upstream, init) {
    if (upstream.#background !== null) this.#background ??= upstream.#background;
    return new Promise((resolve, reject) => {
      const unfollow = upstream[kSink]({
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
      const say = (value) => {
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
      say(handle.value);
      const watch = Observer.observe(handle, "value", (record) => say(record.value));
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
        const line = new LiveResponse();
        lines.set(response, line);
        ignoreRejection(line.#replace([response]));
      }
      const line = lines.get(response);
      return line === this ? this.#followPort(source, response, port, init) : this.#follow(source, line, init);
    }
    const plain = headOfResponse(response);
    // A line that nobody can open from here is not one that others should try.
    const isElsewhere = hasPort(response);
    const head = { ...init, ...plain };
    if (isElsewhere) head.headers = withoutOwn(plain.headers);
    if (!isElsewhere && ArrayPrototypeSome(this.#sinks, (sink) => sink.takesResponse?.())) {
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
    // Whoever waits for it comes later.
    ignoreRejection(ended);
    const reading = valueOf(response);
    port[kHold](reading);
    const body = await reading;
    if (source.stopped) return this.#emit(frameOf(body, { ...init, ...head }), source);
    // A 202 with nothing in it says that the first state will come over the line.
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
        // A generator that falls off its end has said its last state already.
        if (body !== undefined) await this.#run(source, body, undefined, nested);
        source.onStop = null;
        return;
      }
      // A frame that takes time of its own is said to its end before the next is asked for.
      await this.#run(source, body, undefined, nested);
    }
  }

  /** The current source comes by a line, which whoever follows may care for. */
  #connect(port) {
    this.#background ??= () => port;
    this.#upstream = port;
    for (const sink of new SafeArrayIterator(this.#sinks)) sink.connected?.(port);
  }

  #disconnect() {
    if (this.#upstream === null) return;
    this.#upstream = null;
    for (const sink of new SafeArrayIterator(this.#sinks)) sink.disconnected?.();
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
    // A frame that a follower cannot send was never said.
    for (const sink of new SafeArrayIterator(this.#sinks)) sink.frame(frame);
    if (this.#sinks.length === 0 && this.#recorded !== null) ArrayPrototypePush(this.#recorded, frame);
    const former = this.#frame;
    this.#frame = frame;
    if (this.#source !== null) {
      this.#source.hasFrame = true;
      this.#source.first?.resolve(frame);
    }
    if (this.#state === "waiting") this.#reach("live");
    EventTargetPrototypeDispatchEvent(this, new ReplaceEvent(frame));
    announce(this, () => ({ body: former?.body, status: former?.status, headers: former?.headers }));
  }

  /** The same for a frame that comes when nobody waits for it: its failure is told to `fail`. */
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
    this.#closing = true;
    this.#finished = true;
    for (const sink of new SafeArrayIterator(this.#sinks)) sink.done();
    this.#reach("done");
  }
  /** The last state is known, so that no other may come. */
  #closing = false;
  /** The last source has said all. */
  #finished = false;

  #reach(state) {
    if (this.#state === "done") return;
    this.#state = state;
    const reached = ArrayPrototypeFilter(this.#waiting, ({ done }) => !done || state === "done");
    this.#waiting = ArrayPrototypeFilter(this.#waiting, (waiting) => !ArrayPrototypeIncludes(reached, waiting));
    for (const { resolve } of new SafeArrayIterator(reached)) resolve(this);
  }

  #failed(error) {
    this.#failure = { error };
    for (const sink of new SafeArrayIterator(this.#sinks)) sink.failed(error);
  }
}

/** What may be said of a state. */
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
  // A place to go to without a word on why is a redirect.
  const leads = () => headers !== undefined && HeadersPrototypeHas(new Headers(headers), "location");
  const status = init.status ?? (leads() ? 302 : 200);
  if (!NumberIsInteger(status) || status < 200 || status > 599) {
    throw new RangeError(`A status is a number from 200 to 599, not ${String(status)}`);
  }
  return [body, callback, { status, statusText, headers, done, concurrent, type, redirected, url, nested: false }];
}

/** Where a Response came from. Whoever made it by hand may have given it a property that says so. */
export function urlOf(response) {
  return ObjectHasOwn(response, "url") ? response.url : ResponsePrototypeGetUrl(response);
}

/** What a Response says besides its body. */
function headOfResponse(response) {
  return {
    status: ResponsePrototypeGetStatus(response),
    statusText: ResponsePrototypeGetStatusText(response),
    headers: ResponsePrototypeGetHeaders(response),
    type: ResponsePrototypeGetType(response),
    redirected: ResponsePrototypeGetRedirected(response),
    url: urlOf(response),
  };
}

/** The headers of a state that came from elsewhere. */
function withoutOwn(headers) {
  const kept = new Headers(headers);
  for (const name of new SafeArrayIterator(OWN_HEADERS)) HeadersPrototypeDelete(kept, name);
  return kept;
}

/** The head of a state as the wire has it, which may be anything. */
function headOf({ status, statusText, headers, type, url, concurrent }) {
  const kept = new Headers();
  for (const { 0: name, 1: value } of new SafeArrayIterator(ObjectEntries(headers ?? {}))) {
    try {
      HeadersPrototypeSet(kept, name, String(value));
    } catch {
      // No header that anyone could send.
    }
  }
  return {
    status: NumberIsInteger(status) && status >= 200 && status <= 599 ? status : 200,
    statusText: typeof statusText === "string" ? statusText : "",
    headers: withoutOwn(kept),
    type: typeof type === "string" ? type : undefined,
    url: typeof url === "string" ? url : undefined,
    concurrent: concurrent === true,
  };
}

/** What is known of a source at work: what aborts its callback, and what ends it. */
function newSource() {
  return { controller: null, stopped: false, onStop: null, hasFrame: false, first: null };
}

function onAbort(signal, callback) {
  if (!signal) return;
  if (AbortSignalPrototypeGetAborted(signal)) callback();
  else EventTargetPrototypeAddEventListener(signal, "abort", callback);
}

/** A promise, with what settles it. Nobody has to wait for it. */
function newPromise() {
  const pending = {};
  pending.promise = new Promise((resolve, reject) => {
    pending.resolve = resolve;
    pending.reject = reject;
  });
  ignoreRejection(pending.promise);
  return pending;
}

/** The same state, next to the one before it. */
function concurrentWith(frame) {
  return new StateFrame(frame.body, { ...frame, headers: frame.headers, concurrent: true, done: frame[kIsLast] }, frame[kRaw]);
}

function frameOf(body, init) {
  return new StateFrame(body, init, undefined);
}

/** @implements {Frame} */
class StateFrame {
  #headers;

  constructor(body, { status, statusText, headers, concurrent, type, redirected, url, done }, raw) {
    this.body = body;
    this.status = status;
    this.statusText = statusText;
    this.#headers = headers;
    this.type = type ?? "basic";
    this.redirected = redirected ?? false;
    this.url = url ?? null;
    this.concurrent = concurrent;
    this[kRaw] = raw;
    this[kIsLast] = done;
  }

  get ok() {
    return this.status >= 200 && this.status < 300;
  }

  get bodyUsed() {
    return true;
  }

  get [kHasHeaders]() {
    return this.#headers !== undefined;
  }

  get headers() {
    if (!(this.#headers instanceof Headers)) this.#headers = new Headers(this.#headers);
    return this.#headers;
  }
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
