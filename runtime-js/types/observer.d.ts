/**
 * `@webqit/observer`, as the host provides it: changes of plain objects and arrays, reported synchronously.
 *
 * A change is detected if it is made by `set` and similar functions, through a proxy, or at an accessorized property.
 */

export type Key = string | number | symbol;

/** A list of keys that `path()` made. */
export type Path = readonly Key[] & { readonly __path?: never };

/** The result of `subtree()`: all changes below, at every depth. */
export type Subtree = symbol & { readonly __subtree?: never };

/** One operation on one property, for observers and interceptors. */
export class Descriptor<Value = any> {
  /** `get` means that an ancestor of an observed path was replaced; interceptors receive further types. */
  readonly type: "set" | "delete" | "def" | "get" | (string & {});
  readonly target: object;
  /** A string if the change was made through a proxy; otherwise the key that was passed. */
  readonly key: Key;
  /** Interceptors may change it. */
  value: Value;
  /** Whether the property existed before; undefined for deletions. */
  readonly isUpdate: boolean | undefined;
  readonly oldValue: Value | undefined;
  /** All keys of the operation that this one is part of. */
  readonly related: Key[];
  /** The function or the array method that made the change: `set`, `deleteProperty`, `defineProperty`, `push`, ... */
  readonly operation: string;
  readonly detail: unknown;
  readonly status: boolean | undefined;
  /** The keys from the observed object to the property, for observers of a path or a subtree. */
  readonly path: Key[] | undefined;
  readonly argumentsList?: unknown[];
  readonly thisArgument?: unknown;
  readonly newTarget?: Function;
}

/** A call of an array method, for observers with `withArrayMethodDescriptors`; it precedes the records of its changes. */
export interface MethodCall {
  readonly operation: string;
  readonly argumentsList: unknown[];
  readonly target: unknown[];
  readonly path: Key[] | undefined;
}

export interface ObserveOptions {
  /** Ends the observation when it aborts. */
  signal?: AbortSignal;
  /** Reports a change only if the value differs from the old one. */
  diff?: boolean;
  /**
   * The treatment of changes that are made while the observer's own callback runs. By default they are ignored. `inject`
   * appends them to the current list, `defer` reports them after the callback, `force-sync` inside it, `force-async` in
   * a microtask.
   */
  recursions?: "inject" | "defer" | "force-sync" | "force-async";
  /** Reports definitions as `def` records with their property descriptor, instead of `set` records with the value. */
  withPropertyDescriptors?: boolean;
  /** Also reports calls of array methods, in an emission of their own; for observers that receive lists. */
  withArrayMethodDescriptors?: boolean;
}

export interface ChangeOptions {
  /** Passed on to observers. */
  detail?: unknown;
}

export interface SetOptions extends ChangeOptions {
  /** Does nothing if the value is unchanged. */
  diff?: boolean;
  /** The `this` of a setter. */
  receiver?: object;
}

export interface ProxyOptions {
  /** Objects and arrays read through the proxy are proxied too. */
  chainable?: boolean;
  /** Another call with the same value returns the same proxy. */
  membrane?: unknown;
  /** Names the operation in records. */
  arrayMethodName?: string;
}

export interface MapOptions extends ObserveOptions {
  only?: Key[];
  except?: Key[];
  /** Items of an array move up if others are left out. */
  spread?: boolean;
}

export type Trap = (descriptor: Descriptor, previous: any, next: (result?: any) => any) => any;

export type Operation =
  | "set"
  | "get"
  | "has"
  | "deleteProperty"
  | "defineProperty"
  | "getOwnPropertyDescriptor"
  | "ownKeys"
  | "getPrototypeOf"
  | "setPrototypeOf"
  | "isExtensible"
  | "preventExtensions"
  | "construct"
  | "apply";

/** All changes of properties of `target`. */
export function observe(
  target: object,
  callback: (records: Descriptor[]) => void,
  options?: ObserveOptions,
): AbortController;
/** Changes of some properties, of every property (`any()`), or at every depth (`subtree()`). */
export function observe(
  target: object,
  keys: Key[] | Subtree,
  callback: (records: Descriptor[]) => void,
  options?: ObserveOptions,
): AbortController;
/** Changes of one property, or at the end of a path. */
export function observe(
  target: object,
  key: Key | Path,
  callback: (record: Descriptor) => void,
  options?: ObserveOptions,
): AbortController;

/** Puts `traps` between callers and operations on `target`, in the order in which they were registered. */
export function intercept(
  target: object,
  traps: { [Name in Operation]?: Trap },
  options?: { signal?: AbortSignal },
): AbortController;
export function intercept(
  target: object,
  operation: Operation,
  trap: Trap,
  options?: { signal?: AbortSignal },
): AbortController;

/** Sets a property. Returns undefined if `diff` found no change, and false if the object refuses. */
export function set(target: object, key: Key, value: unknown, options?: SetOptions): boolean | undefined;
/** Sets several properties in one emission. */
export function set(target: object, values: object, options?: SetOptions): (boolean | undefined)[];
export function get(target: object, key: Key, options?: { receiver?: object }): any;
export function get(target: object, keys: Key[], options?: { receiver?: object }): any[];
export function get<Result>(target: object, key: Key | Key[], receive: (value: any) => Result): Result;
export function has(target: object, key: Key): boolean;
export function has(target: object, keys: Key[]): boolean[];
export function deleteProperty(target: object, key: Key, options?: ChangeOptions): boolean;
export function deleteProperties(target: object, keys: Key[], options?: ChangeOptions): boolean[];
export function defineProperty(
  target: object,
  key: Key,
  property: PropertyDescriptor,
  options?: ChangeOptions,
): boolean;
export function defineProperties(target: object, properties: PropertyDescriptorMap, options?: ChangeOptions): boolean[];
export function getOwnPropertyDescriptor(target: object, key: Key): PropertyDescriptor | undefined;
export function getOwnPropertyDescriptors(target: object): PropertyDescriptorMap;
export function ownKeys(target: object): (string | symbol)[];
export function getPrototypeOf(target: object): object | null;
export function setPrototypeOf(target: object, prototype: object | null): boolean;
export function isExtensible(target: object): boolean;
export function preventExtensions(target: object): boolean;
export function construct(target: Function, argumentsList: unknown[], newTarget?: Function): any;
export function apply(target: Function, thisArgument: unknown, argumentsList?: unknown[]): any;

/**
 * Calls each observer once, at the end, with all changes that `callback` made. For an asynchronous callback, observers of
 * `target` wait until its end, and all others until its first await.
 */
export function batch<Target extends object, Result>(target: Target, callback: (target: Target) => Result): Result;

/** Mirrors properties of `source` in `destination` until the controller aborts. */
export function map(source: object, destination: object, options?: MapOptions): AbortController;

/** Walks a path; `receive` is called for each key, and its `next(value)` goes one step deeper. */
export function reduce<Result>(
  target: object,
  path: readonly Key[],
  receive: (object: any, key: any, next: (value: any) => any) => any,
  final?: (value: any) => Result,
): Result;

/** Keys that lead to the observed property; `any()` stands for every key, `subtree()` at the end for everything below. */
export function path(...keys: (Key | Subtree)[]): Path;
export function any(): number;
export function subtree(): Subtree;

/** Makes plain assignments to properties observable, by replacing them with accessors. */
export function accessorize(target: object, key: string | number | symbol): boolean;
export function accessorize(target: object, keys?: Key[]): boolean[];
export function unaccessorize(target: object, key: string | number | symbol): boolean;
export function unaccessorize(target: object, keys?: Key[]): boolean[];

/** A proxy that makes changes by plain code observable. */
export function proxy<Target>(target: Target, options?: ProxyOptions): Target;
/** The object behind a proxy; any other value unchanged. */
export function unproxy<Value>(value: Value): Value;

export const Observer: Readonly<{
  observe: typeof observe;
  intercept: typeof intercept;
  set: typeof set;
  get: typeof get;
  has: typeof has;
  deleteProperty: typeof deleteProperty;
  deleteProperties: typeof deleteProperties;
  defineProperty: typeof defineProperty;
  defineProperties: typeof defineProperties;
  getOwnPropertyDescriptor: typeof getOwnPropertyDescriptor;
  getOwnPropertyDescriptors: typeof getOwnPropertyDescriptors;
  ownKeys: typeof ownKeys;
  getPrototypeOf: typeof getPrototypeOf;
  setPrototypeOf: typeof setPrototypeOf;
  isExtensible: typeof isExtensible;
  preventExtensions: typeof preventExtensions;
  construct: typeof construct;
  apply: typeof apply;
  batch: typeof batch;
  map: typeof map;
  reduce: typeof reduce;
  path: typeof path;
  subtree: typeof subtree;
  any: typeof any;
  accessorize: typeof accessorize;
  unaccessorize: typeof unaccessorize;
  proxy: typeof proxy;
  unproxy: typeof unproxy;
}>;

export default Observer;
