/** Responses whose state can be replaced until their source has ended. */

import type { Port } from "./port.js";

/** The properties of a state. */
export interface StateInit {
  /** From 200 to 599; 200 by default. */
  status?: number;
  statusText?: string;
  headers?: HeadersInit;
  /** Whether this is the last state after its source has ended; true by default. */
  done?: boolean;
  /** Whether the state before stays live beside this one. */
  concurrent?: boolean;
  type?: string;
  redirected?: boolean;
  url?: string;
}

/**
 * Changes `data`, a reactive copy: plain assignments, changes of nested objects and array methods are sent as deltas. The
 * signal aborts when another state replaces this one.
 */
export type StateCallback<Data> = (this: LiveResponse<Data>, data: Data, signal: AbortSignal) => unknown;

/** The arguments of `respondWith()` and similar methods: the body, with a callback, an init, or both in any order. */
export type StateArguments<Data> =
  | [body: Data, init?: StateInit]
  | [body: Data, callback: StateCallback<Data>, init?: StateInit]
  | [body: Data, init: StateInit, callback: StateCallback<Data>];

/** One state of a response. */
export interface Frame<Body = any> {
  readonly body: Body;
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  readonly ok: boolean;
  readonly type: string;
  readonly redirected: boolean;
  readonly url: string | null;
  readonly concurrent: boolean;
  readonly bodyUsed: true;
}

/** The event of a new state. */
export interface ReplaceEvent<Body = any> extends Event {
  readonly data: Frame<Body>;
}

/** The result of a live function: `value` is the current one, observable by the Observer. */
export interface LiveProgramHandle<Value = any> {
  readonly value: Value;
  /** What the source of a response's states has thrown, if `toLiveProgramHandle()` made it. */
  readonly error?: unknown;
  /** Ends the live function. */
  abort(): void;
  /** The same, if a live function made it. */
  dispose?(): void;
}

/**
 * A response that can be replaced. A source of states is a value, a promise, a Response, another LiveResponse, a
 * generator, or the handle of a live function.
 */
export class LiveResponse<Body = any> extends EventTarget {
  constructor();
  constructor(...state: StateArguments<Body>);

  /** A LiveResponse for any source; it is returned at once, and may be awaited as well. */
  static from<Body = any>(...state: StateArguments<unknown>): LiveResponse<Body>;
  /** The kind of source that a value is. */
  static test(value: unknown): "LiveResponse" | "LiveProgramHandle" | "Response" | "Generator" | "Default";

  /** The name of the header with the URL of a Response's line. */
  static readonly xHeaderName: string;
  /** Whether a response has a line. */
  static hasPort(response: Response | LiveResponse): boolean;
  /** The port of a response, or null. */
  static getPort(response: Response | LiveResponse): Port | null;
  /** Attaches a port that was opened by other means to a Response. */
  static attachPort(response: Response, port: Port): Response;

  /** `waiting` for the first state, `live` while more may follow, `done` after the last. */
  readonly readyState: "waiting" | "live" | "done";
  /** The current state's value, null before the first; not a stream. */
  readonly body: Body;
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  readonly ok: boolean;
  readonly type: string;
  readonly redirected: boolean;
  readonly url: string | null;
  readonly concurrent: boolean;
  /** Always true: the value has been read. */
  readonly bodyUsed: true;
  /** The port to the handler of this response, Webflo's Port B. */
  readonly background: Port | null;
  /** The same as `background`. */
  readonly port: Port | null;

  /** The current state, or the first one once there is one. */
  now(): Promise<Frame<Body>>;
  /** Resolves with this response when it has reached the state. */
  readyStateChange(state: "live" | "now" | "done"): Promise<this>;
  /** Replaces the current state with another one, or with a source of states; settles when that has ended. */
  replaceWith<Data>(body: Data, callback: StateCallback<Data>, init?: StateInit): Promise<void>;
  replaceWith<Data>(body: Data, init: StateInit, callback: StateCallback<Data>): Promise<void>;
  replaceWith(body: unknown, init?: StateInit): Promise<void>;
  /** Stops following the source; the current state stays. With `dispose` the response is done. */
  disconnect(dispose?: boolean): void;
  /** A second response with the same states from now on. */
  clone(init?: StateInit): LiveResponse<Body>;
  /**
   * The current state as a Response: at once, or a promise of the first one. With `port` later states and changes are
   * sent there (handlers of the server only), until `signal` aborts.
   */
  toResponse(options?: { port?: Port; signal?: AbortSignal }): Response | Promise<Response>;
  /** The body of every state from the current one on. */
  toGenerator(options?: { signal?: AbortSignal }): AsyncGenerator<Body, void, void>;
  /** An object whose `value` is always the current body. */
  toLiveProgramHandle(options?: { signal?: AbortSignal }): LiveProgramHandle<Body>;

  addEventListener(
    type: "replace",
    listener: (event: ReplaceEvent<Body>) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
}
