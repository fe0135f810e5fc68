/** Cookies, sessions and data about users. */

/** A value that was set or deleted. */
export interface Change<Value = any> {
  readonly type: "set" | "delete";
  readonly key: string;
  /** `undefined` for deletions. */
  readonly value: Value | undefined;
}

type Watcher<Value> = (change: Change<Value>) => unknown;

/** Ends a subscription. */
export type Stop = () => void;

export interface SubscribeOptions {
  once?: boolean;
  signal?: AbortSignal;
}

export interface RequireOptions {
  /** Null counts as missing. */
  noNulls?: boolean;
}

/** An asynchronous map of JSON values; `Given` is the type that `set()` accepts. */
export interface KeyVal<Stored = any, Given = Stored> {
  get<Value extends Stored = Stored>(key: string): Promise<Value | undefined>;
  has(key: string): Promise<boolean>;
  /** `undefined` deletes. */
  set(key: string, value: Given | undefined): Promise<void>;
  /** Returns whether there was such a value. */
  delete(key: string): Promise<boolean>;
  clear(): Promise<void>;
  keys(): Promise<string[]>;
  values(): Promise<Stored[]>;
  entries(): Promise<[string, Stored][]>;
  count(): Promise<number>;
  /** All values as one object. */
  json(): Promise<Record<string, Stored>>;
  /** Sets each value of an object; with `replace`, deletes all others. */
  patch(values: Record<string, Given | undefined>, options?: { replace?: boolean }): Promise<void>;
  /** Calls back after each change of a value, made by any request, until the exchange ends. */
  subscribe(key: string, callback: Watcher<Stored>, options?: SubscribeOptions): Stop;
  subscribe(callback: Watcher<Stored>, options?: SubscribeOptions): Stop;
  /** For a key that `require()` misses: a URL to redirect to, or a function that returns the value or the answer. */
  defineHandler(key: string, handler: string | URL | ((values: this) => unknown)): void;
  /** Returns values that are required to exist. */
  require(key: string, options?: RequireOptions): Promise<Stored>;
  require(keys: string[], options?: RequireOptions): Promise<Stored[]>;
  require<Result>(
    keys: string | string[],
    callback: (...values: Stored[]) => Result,
    options?: RequireOptions,
  ): Promise<Awaited<Result>>;
}

/** Values that the server keeps for a visitor. */
export interface Session extends KeyVal {
  /** Null before the first value is set. */
  readonly sessionID: string | null;
  /**
   * Gives the session a new id and keeps its values; cookies with the old id become invalid. Before the answer only.
   * Null if there is no session.
   */
  regenerate(): Promise<string | null>;
}

export interface CookieOptions {
  value: string;
  /** `/` by default. */
  path?: string | null;
  domain?: string | null;
  /** In seconds. */
  maxAge?: number | null;
  /** A date, its text or its number of milliseconds. */
  expires?: Date | string | number | null;
  httpOnly?: boolean;
  /** True by default if other options or the name require it. */
  secure?: boolean;
  /** `Lax` by default, `None` for partitioned cookies. */
  sameSite?: "Strict" | "Lax" | "None" | "strict" | "lax" | "none";
  /** One for each site that the page is embedded in. */
  partitioned?: boolean;
}

/** The path and domain of a cookie. */
export type CookiePlace = Pick<CookieOptions, "path" | "domain" | "partitioned">;

export interface CookieItem {
  name: string;
  value: string;
}

/** The calls for cookies besides those of a map. */
export interface CookieCalls {
  set(name: string, value: string | number | boolean, options: Omit<CookieOptions, "value">): Promise<void>;
  set(cookie: CookieOptions & { name: string }): Promise<void>;
  delete(name: string, place: CookiePlace): Promise<boolean>;
  delete(cookie: CookiePlace & { name: string }): Promise<boolean>;
  /** All, or those with this name. */
  getAll(name?: string | { name: string }): Promise<CookieItem[]>;
}

/** The cookies of the request, and those that the answer will set; before the answer only. */
export interface Cookies extends KeyVal<string, string | CookieOptions>, CookieCalls {
  set: KeyVal<string, string | CookieOptions>["set"] & CookieCalls["set"];
  delete: KeyVal["delete"] & CookieCalls["delete"];
}
