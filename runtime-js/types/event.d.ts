/** What a handler is called with. */

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
  /** The next handler on the way, or past the last one the files of `public/`. */
  (): Promise<any>;
  /** The handlers of another path. What `init` does not say comes from the current request. */
  (target: string | URL | Request, init?: RequestInit | Request): Promise<any>;
  /** The same; without `redirect` the next handler on the way is asked, with these changes of the request. */
  (route: { redirect?: string | URL; with?: RequestInit }): Promise<any>;
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
  readonly request: RequestPlus;
  readonly url: EventURL;
  /** The handler's end of the line, known as Port A. */
  readonly client: ClientPort;
  /** Dialogs with the person at the other end. */
  readonly user: User;
  readonly cookies: Cookies;
  /** Values that stay with the visitor. */
  readonly session: Session;
  readonly detail: RequestDetail;
  /** What the request that redirected here gave along. */
  readonly thread: Thread;
  /** The page's own state: empty on the server. */
  readonly state: Record<string, unknown>;
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
  /** A redirect within the site that gives values along, for `event.thread` of the request that follows it. */
  redirectWith(url: string | URL, values: object, init?: number | StateInit): Promise<void>;
  /** Keeps the exchange open until the promise settles, at most `timeout` milliseconds. */
  waitUntil(promise: PromiseLike<unknown>, timeout?: number | null): Promise<void>;
  /** The same until the callback ends it; it is called with a `timeout`, `navigate`, `user` or `abort` event. */
  waitUntil(promise: PromiseLike<unknown>, timeout: number | null | undefined, callback: WaitCallback): Promise<void>;
  /** Keeps the exchange open until the user navigates away or either side closes. Never settles. */
  waitUntilNavigate(): Promise<never>;
  /** An event for a step further in: its own `respondWith()`, the same client and lifecycle. */
  spawn(init?: { request?: Request; url?: string | URL }): HttpEvent;
  /** The same as `spawn`. */
  clone(init?: { request?: Request; url?: string | URL }): HttpEvent;
  /** The same as `spawn`. */
  extend(init?: { request?: Request; url?: string | URL }): HttpEvent;
  /** Gives up: ends the exchange, or on a spawned event aborts that one's signal. */
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

/** Decides over a wait: it goes on until one of the functions is called. */
export type WaitCallback = (
  happened: Event & { readonly data?: any },
  resolve: (value?: unknown) => void,
  reject: (error: unknown) => void,
) => unknown;

/** Lists of values that one request hands to the next. `true` means all values of a key, a function the first that fits. */
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
