// LiveResponse: a response whose state is replaced as long as its source has more to say.
//
// A source is whatever was passed to the constructor or to replaceWith(): a value, a promise, a Response, another
// LiveResponse, a generator, a live program's handle, or a value with a callback that mutates it. Each source puts
// out frames; a new source supersedes the one before it.

import { failingTo, invalidState } from "./02_exceptions.js";
import { responseOf, valueOf } from "./22_values.js";
import { kBind, kFollow, kHold, LineLostError } from "./33_port_events.js";
import { announce, Observer } from "./60_observer.js";
import { reactive } from "./61_reactive.js";

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
const backgrounds = new WeakMap();
/** Lines of Responses. @type {WeakMap<Response, RemotePort>} */
const ports = new WeakMap();
/** What these lines say, read once for all who follow a Response. @type {WeakMap<Response, LiveResponse>} */
const lines = new WeakMap();

/**
 * For each environment: says how the line of a Response is opened. Null: it has none.
 * @param {(response: Response) => import("./34_remote_port.js").RemotePort | null} opener
 */
export function setPortOpener(opener) {
  openPort = opener;
}

/** How a line closes when all is well: done, the other end leaves, the user navigates away. */
const GOOD_ENDS = new Set([1000, 1001, 4001]);

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
  ...LINE_HEADERS,
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
// For the host alone: nobody reaches these through a LiveResponse.
export { failureOf, isClosed, recorder, respond, stop };

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
    this.#replace(args).catch((error) => {
      // A line that is lost says nothing any more.
      if (error instanceof LineLostError) this.#reach("done");
    });
  }

  /** A LiveResponse for anything; safe to `await` or not. */
  static from(source, ...rest) {
    return new LiveResponse(source, ...rest);
  }

  /** Whether a response has a line. */
  static hasPort(response) {
    if (response instanceof LiveResponse) return response.#background !== null;
    if (!(response instanceof Response)) return false;
    return ports.has(response) || LINE_HEADERS.some((name) => response.headers.has(name));
  }

  /** The far end's port of a response, or null. */
  static getPort(response) {
    if (response instanceof LiveResponse) return response.background;
    if (!ports.has(response)) {
      const port = openPort(response);
      if (port !== null) ports.set(response, port);
    }
    return ports.get(response) ?? null;
  }

  /** Gives a Response a line that was opened by other means. */
  static attachPort(response, port) {
    ports.set(response, port);
    return response;
  }

  /** What kind of source `value` is. */
  static test(value) {
    if (value instanceof LiveResponse) return "LiveResponse";
    if (isProgramHandle(value)) return "LiveProgramHandle";
    if (value instanceof Response) return "Response";
    if (typeof value?.next === "function") return "Generator";
    return "Default";
  }

  static {
    recorder = (background) => {
      const response = new LiveResponse();
      response.#recorded = [];
      response.#background = background;
      return response;
    };
    respond = (response, args, fail) => failingTo(response.#replace(args), fail);
    failureOf = (response) => response.#failure;
    isClosed = (response) => response.#closing;
    stop = (response) => {
      response.#supersede();
      response.#sinks = [];
      response.#closing = true;
      response.#reach("done");
    };
  }

  get [Symbol.toStringTag]() {
    return "LiveResponse";
  }

  /** `waiting` for the first state, `live` while more may come, `done` after the last. */
  get readyState() {
    return this.#state;
  }

  /** The current state's value; not a stream. */
  get body() {
    return this.#frame?.body;
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
    return this.#backgroundPort ??= this.#background?.() ?? null;
  }

  /** The same as {@link background}. */
  get port() {
    return this.background;
  }

  /** The current state, or the first one once there is one. @returns {Promise<Frame>} */
  async now() {
    if (this.#frame === null) await this.readyStateChange("live");
    return this.#frame;
  }

  /**
   * Resolves with this response when it has reached `state`.
   * @param {"live" | "now" | "done"} state
   */
  readyStateChange(state) {
    if (state !== "live" && state !== "now" && state !== "done") {
      return Promise.reject(new TypeError(`readyStateChange() takes "live" or "done", not ${String(state)}`));
    }
    const reached = state === "done" ? this.#state === "done" : this.#state !== "waiting";
    if (reached) return Promise.resolve(this);
    return new Promise((resolve) => this.#waiting.push({ done: state === "done", resolve }));
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
    return this.#replace([body, ...rest]);
  }

  /** Stops following the current source; what was said stays. */
  disconnect(dispose = false) {
    this.#supersede();
    if (dispose) this.#finish();
  }

  /** A second response that says what this one says from now on. */
  clone(init = undefined) {
    return new LiveResponse(this, ...(init === undefined ? [] : [init]));
  }

  /** The current (or first) state as a plain Response. */
  async toResponse() {
    const { body, status, statusText, headers, [kRaw]: raw } = await this.now();
    if (raw !== undefined) return raw;
    return responseOf(body, { status, statusText, headers });
  }

  /** Every state from the current one on. */
  async *toGenerator({ signal } = {}) {
    const frames = [];
    let wake = null;
    const onReplace = (event) => {
      frames.push(event.data);
      wake?.();
    };
    if (this.#frame !== null) frames.push(this.#frame);
    this.addEventListener("replace", onReplace);
    signal?.addEventListener("abort", () => wake?.());
    const done = this.readyStateChange("done");
    done.then(() => wake?.());
    try {
      while (true) {
        while (frames.length > 0) yield frames.shift().body;
        if (this.#state === "done" || signal?.aborted) return;
        await new Promise((resolve) => wake = resolve);
      }
    } finally {
      this.removeEventListener("replace", onReplace);
    }
  }

  /** The current state as a live program's handle: `value` follows the states. */
  toLiveProgramHandle({ signal } = {}) {
    const handle = { [Symbol.toStringTag]: "LiveProgramHandle", value: this.body, abort: () => stop() };
    const follow = (event) => Observer.set(handle, "value", event.data.body);
    const stop = () => this.removeEventListener("replace", follow);
    this.addEventListener("replace", follow);
    signal?.addEventListener("abort", stop);
    return handle;
  }

  /**
   * For the host: sends every frame to `sink`, those kept included. Returns what stops that.
   * @param {{ frame(frame: Frame, last: boolean): void, done(): void, failed(error: unknown): void,
   *   connected?(upstream: RemotePort): void, disconnected?(): void }} sink
   */
  [kSink](sink) {
    this.#sinks = this.#sinks.concat(sink);
    if (this.#upstream !== null) sink.connected?.(this.#upstream);
    const recorded = this.#recorded ?? (this.#frame === null ? [] : [{ frame: this.#frame, last: false }]);
    this.#recorded = null;
    for (const { frame, last } of recorded) sink.frame(frame, last);
    if (this.#failure !== null) sink.failed(this.#failure.error);
    else if (this.#finished) sink.done();
    return () => this.#sinks = this.#sinks.filter((known) => known !== sink);
  }

  // -- sources -----------------------------------------------------------------------------------------------------

  #replace(args) {
    if (this.#state === "done" || this.#closing) {
      return Promise.reject(invalidState("Response already done."));
    }
    let body, callback, init;
    try {
      [body, callback, init] = readArguments(args);
    } catch (error) {
      return Promise.reject(error);
    }
    this.#supersede();
    this.#failure = null;
    const source = newSource();
    this.#source = source;
    let work;
    try {
      work = this.#run(source, body, callback, init);
    } catch (error) {
      work = Promise.reject(error);
    }
    if (work === undefined) {
      // A plain value: done at once, or open for the next.
      if (this.#source === source) this.#source = null;
      if (init.done) this.#finish();
      return Promise.resolve();
    }
    return work.then(
      () => {
        if (!source.stopped && init.done) this.#finish();
      },
      (error) => {
        if (!source.stopped) this.#failed(error);
        throw error;
      },
    );
  }

  /** Puts out the frames of one source. Returns a promise where that takes time. */
  #run(source, body, callback, init) {
    if (typeof body?.then === "function" && !(body instanceof LiveResponse)) {
      return Promise.resolve(body).then((value) => {
        if (!source.stopped) return this.#run(source, value, callback, init);
      });
    }
    if (isTrackable(body)) this.#background ??= backgrounds.get(body) ?? null;
    const kind = LiveResponse.test(body);
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
      this.#emit(frameOf(body, init), init.done && !init.nested);
      return undefined;
    }
    const data = isTrackable(body) ? reactive(body) : body;
    this.#emit(frameOf(body, init), false);
    const controller = new AbortController();
    source.controller = controller;
    return (async () => await callback.call(this, data, controller.signal))();
  }

  #follow(source, upstream, init) {
    if (upstream.#background !== null) this.#background ??= upstream.#background;
    return new Promise((resolve, reject) => {
      const unfollow = upstream[kSink]({
        frame: (frame, last) => {
          if (source.stopped) return;
          this.#emit(init.concurrent ? concurrentWith(frame) : frame, last && init.done && !init.nested);
        },
        done: resolve,
        failed: reject,
        connected: (port) => this.#connect(port),
        disconnected: () => this.#disconnect(),
      });
      source.onStop = () => {
        unfollow();
        resolve();
      };
    });
  }

  #followHandle(source, handle, init) {
    const nested = { ...init, done: false, nested: true };
    return new Promise((resolve, reject) => {
      let current = null;
      // A value may be a source itself, such as a Response.
      const say = (value) => {
        if (current !== null) this.#stop(current);
        const now = current = newSource();
        const failed = (error) => now.stopped || reject(error);
        try {
          this.#run(now, value, undefined, nested)?.catch(failed);
        } catch (error) {
          failed(error);
        }
      };
      say(handle.value);
      const watch = Observer.observe(handle, "value", (record) => say(record.value));
      source.onStop = () => {
        this.#stop(current);
        watch.abort();
        (handle.abort ?? handle.dispose)?.call(handle);
        resolve();
      };
    });
  }

  #emitResponse(source, response, init) {
    const port = LiveResponse.getPort(response);
    if (port !== null) {
      if (!lines.has(response)) {
        const line = new LiveResponse();
        lines.set(response, line);
        ignoreRejection(line.replaceWith(response));
      }
      const line = lines.get(response);
      return line === this ? this.#followPort(source, response, port, init) : this.#follow(source, line, init);
    }
    const { status, statusText, type, redirected, url } = response;
    // A line that nobody can open from here is not one that others should try.
    const isElsewhere = LiveResponse.hasPort(response);
    const headers = isElsewhere ? withoutOwn(response.headers) : response.headers;
    const head = { ...init, status, statusText, headers, type, redirected, url };
    if (!isElsewhere && this.#sinks.some((sink) => sink.takesResponse?.())) {
      this.#emit(new StateFrame(undefined, head, response), init.done && !init.nested);
      return undefined;
    }
    return valueOf(response).then((body) => {
      if (!source.stopped) this.#emit(frameOf(body, head), init.done && !init.nested);
    });
  }

  /** Follows the line that came with a Response: its body, further states, and changes of them. */
  async #followPort(source, response, port, init) {
    this.#connect(port);
    const { status, statusText, type, redirected, url } = response;
    const headers = withoutOwn(response.headers);
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
    if (source.stopped) return;
    // A 202 with nothing in it says that the first state will come over the line.
    if (status !== 202 || (body !== null && body !== "")) {
      port[kBind]("initial_response", body);
      this.#emit(frameOf(body, { ...init, status, statusText, headers, type, redirected, url }), false);
    }
    await ended;
  }

  async #drain(source, generator, init) {
    let running = false;
    source.onStop = () => {
      // A generator that is running ends at its next yield: the loop below sees that it was stopped.
      if (!running) ignoreRejection(generator.return?.());
    };
    const nested = { ...init, nested: true };
    while (!source.stopped) {
      running = true;
      const step = generator.next();
      running = typeof step?.then === "function";
      const { value, done } = await step;
      running = false;
      const body = await value;
      if (source.stopped) {
        if (!done) ignoreRejection(generator.return?.());
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
    for (const sink of this.#sinks) sink.connected?.(port);
  }

  #disconnect() {
    if (this.#upstream === null) return;
    this.#upstream = null;
    for (const sink of this.#sinks) sink.disconnected?.();
  }

  #supersede() {
    const source = this.#source;
    this.#source = null;
    if (source !== null) this.#stop(source);
  }

  #stop(source) {
    this.#disconnect();
    source.stopped = true;
    source.controller?.abort();
    source.onStop?.();
  }

  // -- states ------------------------------------------------------------------------------------------------------

  #emit(frame, last) {
    // A frame that a follower cannot send was never said.
    for (const sink of this.#sinks) sink.frame(frame, last);
    if (this.#sinks.length === 0) this.#recorded?.push({ frame, last });
    const former = this.#frame;
    this.#frame = frame;
    if (last) this.#closing = true;
    if (this.#state === "waiting") this.#reach("live");
    this.dispatchEvent(new ReplaceEvent(frame));
    announce(this, () => ({ body: former?.body, status: former?.status, headers: former?.headers }));
  }

  /** The same for a frame that comes when nobody waits for it: its failure is told to `fail`. */
  #emitLate(frame, fail) {
    try {
      this.#emit(frame, false);
    } catch (error) {
      fail(error);
    }
  }

  #finish() {
    this.#closing = true;
    this.#finished = true;
    for (const sink of this.#sinks) sink.done();
    // Code that runs right after the call may still look at a live response.
    queueMicrotask(() => this.#reach("done"));
  }
  /** The last state is known, so that no other may come. */
  #closing = false;
  /** The last source has said all. */
  #finished = false;

  #reach(state) {
    if (this.#state === "done") return;
    this.#state = state;
    const reached = this.#waiting.filter(({ done }) => !done || state === "done");
    this.#waiting = this.#waiting.filter((waiting) => !reached.includes(waiting));
    for (const { resolve } of reached) resolve(this);
  }

  #failed(error) {
    this.#failure = { error };
    for (const sink of this.#sinks) sink.failed(error);
  }
}

/** @returns {[unknown, Function | undefined, object]} */
function readArguments([body, ...rest]) {
  let callback;
  let init = {};
  for (const argument of rest) {
    if (typeof argument === "function") callback = argument;
    else if (argument !== null && typeof argument === "object") init = argument;
    else if (argument !== undefined) throw new TypeError(`replaceWith() takes a callback or an init, not ${argument}`);
  }
  const { statusText = "", headers, done = true, concurrent = false, type, redirected, url } = init;
  // A place to go to without a word on why is a redirect.
  const status = init.status ?? (headers !== undefined && new Headers(headers).has("location") ? 302 : 200);
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new RangeError(`A status is a number from 200 to 599, not ${String(status)}`);
  }
  return [body, callback, { status, statusText, headers, done, concurrent, type, redirected, url, nested: false }];
}

/** The headers of a state that came from elsewhere. */
function withoutOwn(headers) {
  const kept = new Headers(headers);
  for (const name of OWN_HEADERS) kept.delete(name);
  return kept;
}

/** The head of a state as the wire has it, which may be anything. */
function headOf({ status, statusText, headers, type, url, concurrent }) {
  const kept = new Headers();
  for (const [name, value] of Object.entries(headers ?? {})) {
    try {
      kept.set(name, String(value));
    } catch {
      // No header that anyone could send.
    }
  }
  return {
    status: Number.isInteger(status) && status >= 200 && status <= 599 ? status : 200,
    statusText: typeof statusText === "string" ? statusText : "",
    headers: withoutOwn(kept),
    type: typeof type === "string" ? type : undefined,
    url: typeof url === "string" ? url : undefined,
    concurrent: concurrent === true,
  };
}

/** What is known of a source at work: what aborts its callback, and what ends it. */
function newSource() {
  return { controller: null, stopped: false, onStop: null };
}

/** The same state, next to the one before it. */
function concurrentWith(frame) {
  return new StateFrame(frame.body, { ...frame, headers: frame.headers, concurrent: true }, frame[kRaw]);
}

function frameOf(body, init) {
  return new StateFrame(body, init, undefined);
}

/** @implements {Frame} */
class StateFrame {
  #headers;

  constructor(body, { status, statusText, headers, concurrent, type, redirected, url }, raw) {
    this.body = body;
    this.status = status;
    this.statusText = statusText;
    this.#headers = headers;
    this.type = type ?? "basic";
    this.redirected = redirected ?? false;
    this.url = url ?? null;
    this.concurrent = concurrent;
    this[kRaw] = raw;
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
  return value !== null && typeof value === "object" && value[Symbol.toStringTag] === "LiveProgramHandle";
}

function isTrackable(value) {
  return value !== null && typeof value === "object";
}

function ignoreRejection(promise) {
  promise?.catch?.(() => {});
}
