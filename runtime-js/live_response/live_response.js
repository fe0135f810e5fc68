// LiveResponse: a response whose state is replaced until its source ends.

import { responseOf } from "../answer/values.js";
import { Observer } from "../observer/observer.js";
import { kRaw, LINE_HEADERS } from "./frame.js";
import { attachPort, getPort, hasPort, kindOf, setResponseMaker, States } from "./states.js";
import { wrongState } from "../errors/options.js";
import {
  AbortSignalPrototypeGetAborted,
  ArrayPrototypePush,
  ArrayPrototypeShift,
  EventTarget,
  EventTargetPrototypeAddEventListener,
  EventTargetPrototypeRemoveEventListener,
  Headers,
  Promise,
  PromisePrototypeThen,
  SafeArrayIterator,
  SymbolToStringTag,
} from "../primordials.js";

/** The states of the next response, where they were there before it. */
let earlier = null;

export class LiveResponse extends EventTarget {
  /** The header with the address of a Response's line. */
  static xHeaderName = LINE_HEADERS[0];

  #states;

  /**
   * @param {unknown} [body]
   * @param {...unknown} rest callback and init, as in {@link replaceWith}
   */
  constructor(...args) {
    super();
    this.#states = earlier ?? new States(this);
    if (args.length > 0) this.#states.begin(args);
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
    attachPort(response, port);
    return response;
  }

  /** What kind of source `value` is. */
  static test(value) {
    return kindOf(value);
  }

  get [SymbolToStringTag]() {
    return "LiveResponse";
  }

  /** `waiting` for the first state, `live` while more may come, `done` after the last. */
  get readyState() {
    return this.#states.readyState;
  }

  /** The current state's value, null before the first; not a stream. */
  get body() {
    return this.#states.frame === null ? null : this.#states.frame.body;
  }

  get status() {
    return this.#states.frame?.status ?? 200;
  }

  get statusText() {
    return this.#states.frame?.statusText ?? "";
  }

  get headers() {
    return this.#states.frame?.headers ?? (this.#noHeaders ??= new Headers());
  }
  #noHeaders = null;

  get ok() {
    return this.status >= 200 && this.status < 300;
  }

  get type() {
    return this.#states.frame?.type ?? "basic";
  }

  get redirected() {
    return this.#states.frame?.redirected ?? false;
  }

  get url() {
    return this.#states.frame?.url ?? null;
  }

  get concurrent() {
    return this.#states.frame?.concurrent ?? false;
  }

  /** Always true: the value is read already. */
  get bodyUsed() {
    return true;
  }

  /** The far end's port, where this response came with a line: for messages and replies. */
  get background() {
    return this.#states.port;
  }

  /** The same as {@link background}. */
  get port() {
    return this.#states.port;
  }

  /**
   * The state at the time of the call. Where its source is still at work, the first state that comes of that, also if
   * another source takes its place meanwhile. @returns {Promise<Frame>}
   */
  now() {
    return this.#states.now();
  }

  /**
   * Resolves with this response when it has reached `state`.
   * @param {"live" | "now" | "done"} state
   */
  readyStateChange(state) {
    return wrongState(state, ["live", "done", "now"]) ?? this.#states.reached(state);
  }

  /**
   * Puts a new state, or a source of states, in place of the current one.
   *
   * @param {unknown} body a value, Promise, Response, LiveResponse, generator or live handle
   * @param {...unknown} rest `callback(reactive, signal)` and `init`: `{ status, statusText, headers, done = true,
   *   concurrent = false }`, in either order
   * @returns {Promise<void>} settles when the source has ended, or was superseded
   */
  replaceWith(body, ...rest) {
    return this.#states.put([body, ...new SafeArrayIterator(rest)]);
  }

  /** Stops following the current source; the current state stays. */
  disconnect(dispose = false) {
    this.#states.disconnect(dispose);
  }

  /** A second response, with this one's states from now on. */
  clone(init = undefined) {
    return init === undefined ? new LiveResponse(this) : new LiveResponse(this, init);
  }

  /** The current state as a plain Response: at once, or a promise of the first one. @returns {Response | Promise<Response>} */
  toResponse() {
    if (this.#states.frame === null) return PromisePrototypeThen(this.#states.reached("live"), () => this.toResponse());
    const { body, status, statusText, headers, [kRaw]: raw } = this.#states.frame;
    return raw ?? responseOf(body, { status, statusText, headers });
  }

  /** Every state from the current one on. Throws when the source of the states has failed. */
  async *toGenerator({ signal } = {}) {
    const frames = [];
    /** Why there are no more states; null: because they were all. */
    let failure;
    let wake = null;
    const end = (reason) => {
      failure = reason;
      wake?.();
    };
    const frame = (frame) => {
      ArrayPrototypePush(frames, frame);
      wake?.();
    };
    const done = () => end(null);
    const stop = this.#states.follow({ frame, done, failed: (error) => end({ error }) });
    const forget = onAbort(signal, done);
    try {
      while (true) {
        while (frames.length > 0) yield ArrayPrototypeShift(frames).body;
        if (failure === null) return;
        if (failure !== undefined) throw failure.error;
        await new Promise((resolve) => wake = resolve);
      }
    } finally {
      stop();
      forget();
    }
  }

  /** The current state as a live program's handle: `value` follows the states, `error` is why their source has failed. */
  toLiveProgramHandle({ signal } = {}) {
    const handle = { [SymbolToStringTag]: "LiveProgramHandle", value: undefined, error: undefined, abort: () => end() };
    const frame = ({ body }) => Observer.set(handle, "value", body);
    const failed = (error) => Observer.set(handle, "error", error);
    const stop = this.#states.follow({ frame, done() {}, failed });
    const forget = onAbort(signal, stop);
    const end = () => {
      stop();
      forget();
    };
    return handle;
  }
}

setResponseMaker((states) => {
  earlier = states;
  try {
    return new LiveResponse();
  } finally {
    earlier = null;
  }
});

/** Calls back when a signal aborts, if there is one. Returns what ends that. */
function onAbort(signal, callback) {
  if (!signal) return () => {};
  if (AbortSignalPrototypeGetAborted(signal)) callback();
  else EventTargetPrototypeAddEventListener(signal, "abort", callback);
  return () => EventTargetPrototypeRemoveEventListener(signal, "abort", callback);
}
