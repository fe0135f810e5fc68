/** Responses whose state is replaced as long as their source has more to say. */

import type { Port } from "./port.js";

/** Of a state. */
export interface StateInit {
  /** From 200 to 599; 200 by default. */
  status?: number;
  statusText?: string;
  headers?: HeadersInit;
  /** Whether this is the last state, once its source has said all; true by default. */
  done?: boolean;
  /** Whether the state before goes on changing next to this one. */
  concurrent?: boolean;
  type?: string;
  redirected?: boolean;
  url?: string;
}

/**
 * Changes `data`, a reactive copy: plain assignments, nested objects and array methods travel as deltas. The signal
 * aborts when another state takes this one's place.
 */
export type StateCallback<Data> = (this: LiveResponse<Data>, data: Data, signal: AbortSignal) => unknown;

/** What `respondWith()` and its kin take: the body alone, or with a callback, an init, or both in any order. */
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

/** Says that a response has a new state. */
export interface ReplaceEvent<Body = any> extends Event {
  readonly data: Frame<Body>;
}

/** What a live function returns: `value` changes, and the Observer tells. */
export interface LiveProgramHandle<Value = any> {
  readonly value: Value;
  /** Ends the program. */
  abort(): void;
  /** The same, where a live function made it. */
  dispose?(): void;
}

/**
 * A response that can be replaced. A source of states is a value, a promise, a Response, another LiveResponse, a
 * generator, or the handle of a live function.
 */
export class LiveResponse<Body = any> extends EventTarget {
  constructor();
  constructor(...state: StateArguments<Body>);

  /** A LiveResponse for anything; there at once, and safe to `await` as well. */
  static from<Body = any>(...state: StateArguments<unknown>): LiveResponse<Body>;
  /** What kind of source a value is. */
  static test(value: unknown): "LiveResponse" | "LiveProgramHandle" | "Response" | "Generator" | "Default";

  /** The header that says where a Response's line is. */
  static readonly xHeaderName: string;
  /** Whether a response has a line. */
  static hasPort(response: Response | LiveResponse): boolean;
  /** The port of a response, or null. */
  static getPort(response: Response | LiveResponse): Port | null;
  /** Gives a Response a line that was opened by other means. */
  static attachPort(response: Response, port: Port): Response;

  /** `waiting` for the first state, `live` while more may come, `done` after the last. */
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
  /** Always true: the value is read already. */
  readonly bodyUsed: true;
  /** Port B: the far end of this response, where its handler talks. */
  readonly background: Port | null;
  /** The same as `background`. */
  readonly port: Port | null;

  /** The current state, or the first one once there is one. */
  now(): Promise<Frame<Body>>;
  /** Resolves with this response when it has reached the state. */
  readyStateChange(state: "live" | "now" | "done"): Promise<this>;
  /** Puts a new state, or a source of states, in place of the current one; settles when that has said all. */
  replaceWith<Data>(body: Data, callback: StateCallback<Data>, init?: StateInit): Promise<void>;
  replaceWith<Data>(body: Data, init: StateInit, callback: StateCallback<Data>): Promise<void>;
  replaceWith(body: unknown, init?: StateInit): Promise<void>;
  /** Follows its source no longer; what was said stays. With `dispose` the response is done. */
  disconnect(dispose?: boolean): void;
  /** A second response that says what this one says from now on. */
  clone(init?: StateInit): LiveResponse<Body>;
  /**
   * The current state as a Response: at once, or a promise of the first one. With `port` what follows is said there
   * (handlers of the server only), until `signal` aborts.
   */
  toResponse(options?: { port?: Port; signal?: AbortSignal }): Response | Promise<Response>;
  /** The body of every state from the current one on. */
  toGenerator(options?: { signal?: AbortSignal }): AsyncGenerator<Body, void, void>;
  /** An object whose `value` follows the states. */
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
