/** What stays with a visitor. */

/** An asynchronous map of JSON values. */
export interface KeyVal {
  get<Value = any>(key: string): Promise<Value | undefined>;
  has(key: string): Promise<boolean>;
  /** `undefined` deletes. */
  set(key: string, value: unknown): Promise<void>;
  /** Says whether there was such a value. */
  delete(key: string): Promise<boolean>;
  clear(): Promise<void>;
  keys(): Promise<string[]>;
  values(): Promise<any[]>;
  entries(): Promise<[string, any][]>;
  count(): Promise<number>;
  json(): Promise<Record<string, any>>;
}

export interface CookieOptions {
  value: string;
  /** `/` by default. */
  path?: string;
  domain?: string;
  /** In seconds. */
  maxAge?: number;
  expires?: Date | string;
  httpOnly?: boolean;
  secure?: boolean;
  /** `Lax` by default. */
  sameSite?: "Strict" | "Lax" | "None";
}

/** The cookies of the request, and those that the answer will set. */
export interface Cookies {
  get(name: string): Promise<string | undefined>;
  has(name: string): Promise<boolean>;
  /** Before the answer only. */
  set(name: string, value: string | CookieOptions): Promise<void>;
  delete(name: string): Promise<boolean>;
  clear(): Promise<void>;
  keys(): Promise<string[]>;
  values(): Promise<string[]>;
  entries(): Promise<[string, string][]>;
  count(): Promise<number>;
  json(): Promise<Record<string, string>>;
}
