/** The arguments of a handler. */

import type { RequestPlus } from "./fetch-plus.js";
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

/** The result of a handler: nothing, data, or another source of an answer such as a Response or a generator. */
export type HandlerResult = void | undefined | null | string | number | boolean | object;

/** `this` in a handler: its place in the path. */
export interface StepContext {
  /** The path up to here. */
  readonly pathname: string;
  /** The last segment of it. */
  readonly stepname: string | undefined;
  /** The folder of the handler, as a route: `/products/-`. */
  readonly dirname: string;
  /** The handler's file, on the server. */
  readonly filename: string | undefined;
}

/** A URL that can also be read as segments and as a tree of query parameters. Both cannot be changed. */
export interface EventURL extends URL {
  /** The segments of the path, escapes untouched. */
  readonly segments: readonly string[];
  /** The path without its last segment. */
  readonly dirname: string;
  /** The last segment. */
  readonly basename: string;
  /** `?a=1&a=2` is a list, `?user[name]=Ann` an object in the object. */
  readonly query: { readonly [name: string]: any };
}

/** Delegates to the rest of the path, or to another path of this server. */
export interface Next {
  /** Runs the next handler of the path, or behind the last one the files of `public/`. */
  (): Promise<any>;
  /** Runs the handlers of another path. Properties that `init` does not have are taken from the current request. */
  (target: string | URL | Request, init?: RequestInit | Request): Promise<any>;
  /** The same; without `redirect` the next handler of the path runs, with these changes of the request. */
  (route: { redirect?: string | URL; with?: RequestInit }): Promise<any>;
  /** The first segment that is left. */
  readonly stepname: string | undefined;
  /** All that is left, without a slash at its start. */
  readonly pathname: string;
}

/** Paths of this server run its handlers, which may return anything; other origins are requested over the network. */
export type HandlerFetch = (target: string | URL | Request, init?: RequestInit) => Promise<any>;

/** Details of a request that only the server has. */
export interface RequestDetail {
  readonly request: Request;
  readonly ipAddress: string;
}

/** Everything about one request, for one handler. */
export interface HttpEvent {
  readonly type: "navigate";
  readonly request: RequestPlus;
  readonly url: EventURL;
  /** The handler's end of the line, Webflo's Port A. */
  readonly client: ClientPort;
  /** The user's data, and dialogs. */
  readonly user: User;
  readonly cookies: Cookies;
  /** Values that are kept for the visitor. */
  readonly session: Session;
  readonly detail: RequestDetail;
  /** The values that the request passed which redirected here. */
  readonly thread: Thread;
  /** The state of the page itself: empty on the server. */
  readonly state: Record<string, unknown>;
  /** Aborts when the exchange ends, for every reason. */
  readonly signal: AbortSignal;
  /** `waiting` until something is sent, `live` while more may follow on the line, `done` at the end. */
  readonly readyState: "waiting" | "live" | "done";
  /** Resolves when the exchange is live or done. */
  readyStateChange(state: "live" | "done"): Promise<this>;

  /** Answers, or replaces the state that was sent before; settles when the source of this state has ended. */
  respondWith<Data>(body: Data, callback: StateCallback<Data>, init?: StateInit): Promise<void>;
  respondWith<Data>(body: Data, init: StateInit, callback: StateCallback<Data>): Promise<void>;
  respondWith(body?: unknown, init?: StateInit): Promise<void>;
  /** A redirect as the answer, or as the next state of a live line; 302 by default. */
  redirect(url: string | URL, init?: number | StateInit): Promise<void>;
  /** A redirect within the site that passes values to `event.thread` of the next request. */
  redirectWith(url: string | URL, values: object, init?: number | StateInit): Promise<void>;
  /** Keeps the exchange open until the promise settles, at most `timeout` milliseconds. */
  waitUntil(promise: PromiseLike<unknown>, timeout?: number | null): Promise<void>;
  /** The same until the callback ends it; it is called with a `timeout`, `navigate`, `user` or `abort` event. */
  waitUntil(promise: PromiseLike<unknown>, timeout: number | null | undefined, callback: WaitCallback): Promise<void>;
  /** Keeps the exchange open until the user navigates away or either side closes. Never settles. */
  waitUntilNavigate(): Promise<never>;
  /** A child event: with its own `respondWith()`, and the same client and lifecycle. */
  spawn(init?: { request?: Request; url?: string | URL }): HttpEvent;
  /** The same as `spawn`. */
  clone(init?: { request?: Request; url?: string | URL }): HttpEvent;
  /** The same as `spawn`. */
  extend(init?: { request?: Request; url?: string | URL }): HttpEvent;
  /** Ends the exchange; on a child event, aborts its signal only. */
  abort(reason?: unknown): void;

  /** Not on this host: use `readyStateChange("done")`. */
  readonly lifeCycleComplete: never;
  /** Not on this host: use a timer and `respondWith()`, or a live query. */
  readonly poll: never;
  /** Not on this host: it is called `client`. */
  readonly realtime: never;
  /** Not on this host: import what you need. */
  readonly sdk: never;
  /** Not on this host: use `session`. */
  readonly storage: never;
  /** Not on this host: return a generator, or a Response with a stream. */
  readonly stream: never;
  /** Not on this host: use `spawn()`. */
  readonly with: never;
}

/** Decides when a wait ends: when it calls one of the functions. */
export type WaitCallback = (
  happened: Event & { readonly data?: any },
  resolve: (value?: unknown) => void,
  reject: (error: unknown) => void,
) => unknown;

/** Lists of values that one request passes to the next. `true` gets all values of a key, a function the first it accepts. */
export interface Thread {
  readonly threadID: string;
  /** Whether the values stay for the next request with this thread's name. */
  readonly extended: boolean;
  append(key: string, value: unknown): Promise<void>;
  appendEach(values: object): Promise<void>;
  keys(): Promise<string[]>;
  has(key: string, filter?: ((value: any) => boolean) | null): Promise<boolean>;
  get(key: string, filter: true): Promise<any[]>;
  get(key: string, filter?: ((value: any) => boolean) | null): Promise<any>;
  consume(key: string, filter: true): Promise<any[]>;
  consume(key: string, filter?: ((value: any) => boolean) | null): Promise<any>;
  clear(): Promise<void>;
  extend(isKept?: boolean): Promise<void>;
  spawn(): Thread;
}

/** A question: a text, or an object with one and with other properties that the page's own dialogs need. */
export type Question = string | { message: string; details?: string; [more: string]: unknown };

type Asked<Answer> = Promise<PortMessageEvent<Answer>>;
type OnAnswer<Answer> = (answer: PortMessageEvent<Answer>) => unknown;

/** The user. An answer to a question is the `data` of the event that the promise resolves with. */
export interface User extends KeyVal, Dialogs {
  /** Whether the user has an id. */
  isSignedIn(): Promise<boolean>;
  /** Calls back now and after every change. */
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
  /** Deletes all data about the user. */
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
