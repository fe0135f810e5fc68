/** What a handler is called with. */

import type { StateCallback, StateInit } from "./live-response.js";
import type { ClientPort, PortMessageEvent, RequestOptions } from "./port.js";
import type { Cookies, KeyVal, RequireOptions, Session, Stop, SubscribeOptions } from "./storage.js";

/** A handler: an export named `GET`, `POST`, ..., or `default`. */
export type Handler = (
  this: StepContext,
  event: HttpEvent,
  next: Next,
  fetch: HandlerFetch,
) => HandlerResult | Promise<HandlerResult>;

/** What a handler may return: nothing, data, or what else becomes an answer, as a Response or a generator. */
export type HandlerResult = void | undefined | null | string | number | boolean | object;

/** `this` in a handler: where in the path it is. */
export interface StepContext {
  /** The path up to here. */
  readonly pathname: string;
  /** The last segment of it. */
  readonly stepname: string | undefined;
  /** The folder of the handler, as a route: `/products/-`. */
  readonly dirname: string;
}

/** Delegates to the rest of the path, or to another path of this server. */
export interface Next {
  /** The next handler on the way, or past the last one the files of `public/`. */
  (): Promise<any>;
  /** The handlers of another path. What `init` does not say comes from the current request. */
  (target: string | URL | Request, init?: RequestInit): Promise<any>;
  /** The first segment that is left. */
  readonly stepname: string | undefined;
  /** All that is left, without a slash at its start. */
  readonly pathname: string;
}

/** Paths of this server go to its handlers, which may return anything; other origins are asked over the network. */
export type HandlerFetch = (target: string | URL | Request, init?: RequestInit) => Promise<any>;

/** What only the server knows of a request. */
export interface RequestDetail {
  readonly request: Request;
  readonly ipAddress: string;
}

/** Everything about one request, for one handler. */
export interface HttpEvent {
  readonly type: "navigate";
  readonly request: Request;
  readonly url: URL;
  /** The handler's end of the line, known as Port A. */
  readonly client: ClientPort;
  /** Dialogs with the person at the other end. */
  readonly user: User;
  readonly cookies: Cookies;
  /** Values that stay with the visitor. */
  readonly session: Session;
  readonly detail: RequestDetail;
  /** Aborts when the exchange is over, however it ends. */
  readonly signal: AbortSignal;
  /** `waiting` until something is sent, `live` while the line may carry more, `done` at the end. */
  readonly readyState: "waiting" | "live" | "done";
  /** Resolves when the exchange is live or done. */
  readyStateChange(state: "live" | "done"): Promise<this>;

  /** Answers, or replaces what was answered before; settles when this state's source has said all. */
  respondWith<Data>(body: Data, callback: StateCallback<Data>, init?: StateInit): Promise<void>;
  respondWith<Data>(body: Data, init: StateInit, callback: StateCallback<Data>): Promise<void>;
  respondWith(body?: unknown, init?: StateInit): Promise<void>;
  /** A redirect as the answer, or as the next state of a live line; 302 by default. */
  redirect(url: string | URL, init?: number | StateInit): Promise<void>;
  /** Keeps the exchange open until the promise settles. */
  waitUntil(promise: PromiseLike<unknown>): Promise<void>;
  /** Keeps the exchange open until the user navigates away or either side closes. Never settles. */
  waitUntilNavigate(): Promise<never>;
  /** An event for a step further in: its own `respondWith()`, the same client and lifecycle. */
  spawn(init?: { request?: Request; url?: string | URL }): HttpEvent;
  /** The same as `spawn`. */
  clone(init?: { request?: Request; url?: string | URL }): HttpEvent;
  /** Gives up: ends the exchange, or on a spawned event aborts that one's signal. */
  abort(reason?: unknown): void;
}

/** A question: a text, or an object with one and whatever else a page's own dialogs need. */
export type Question = string | { message: string; details?: string; [more: string]: unknown };

type Asked<Answer> = Promise<PortMessageEvent<Answer>>;
type OnAnswer<Answer> = (answer: PortMessageEvent<Answer>) => unknown;

/** The person at the other end. Answers to questions are the `data` of what the promise resolves with. */
export interface User extends KeyVal, Dialogs {
  /** Whether the user has an id. */
  isSignedIn(): Promise<boolean>;
  /** The same, now and whenever it changes. */
  isSignedIn(callback: (isSignedIn: boolean) => unknown, options?: SubscribeOptions): Promise<Stop>;
  /** Requires the user's id, and further keys if some are named. */
  signIn(options?: RequireOptions): Promise<any[]>;
  signIn(keys: string | string[], options?: RequireOptions): Promise<any[]>;
  signIn<Result>(callback: (id: any) => Result, options?: RequireOptions): Promise<Awaited<Result>>;
  signIn<Result>(
    keys: string | string[],
    callback: (...values: any[]) => Result,
    options?: RequireOptions,
  ): Promise<Awaited<Result>>;
  /** Forgets everything about the user. */
  signOut(): Promise<void>;
}

/** Questions to the user. */
export interface Dialogs {
  confirm(question: Question, options?: RequestOptions): Asked<boolean>;
  confirm(question: Question, callback: OnAnswer<boolean>, options?: RequestOptions): Asked<boolean>;
  prompt<Answer = string | null>(question: Question, options?: RequestOptions): Asked<Answer>;
  prompt<Answer = string | null>(
    question: Question,
    callback: OnAnswer<Answer>,
    options?: RequestOptions,
  ): Asked<Answer>;
  alert(message: Question, options?: RequestOptions): Asked<unknown>;
  alert(message: Question, callback: OnAnswer<unknown>, options?: RequestOptions): Asked<unknown>;
}
