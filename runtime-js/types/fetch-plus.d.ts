/** `@webqit/fetch-plus`: parsed headers, bodies of any type, forms as JSON, and `LiveResponse`. */

export { LiveResponse } from "./live-response.js";
export { Observer } from "./observer.js";

/** A cookie of a `Set-Cookie` field. */
export interface CookieField {
  name: string;
  value: string;
  path?: string;
  domain?: string;
  /** Seconds. */
  maxAge?: number;
  expires?: string | Date;
  secure?: boolean;
  httpOnly?: boolean;
  sameSite?: string;
  partitioned?: boolean;
}

/** A range of bytes; null for a bound that is left out. */
export interface ByteRange extends Array<number | null> {
  /** The first and the last byte of a resource of `total` bytes. */
  resolveAgainst(total: number): [number, number];
  /** Whether a resource of `total` bytes has any byte of it, from `start` on. */
  canResolveAgainst(start: number, total: number): boolean;
}

/** Types and their quality, from 1 to 0, the highest first. */
export interface Accepted extends Array<[mime: string, quality: number]> {
  /** The quality of a type. */
  match(mime: string): number;
}

/** Headers whose usual fields can be read and written as parsed values. */
export class HeadersPlus extends Headers {
  static upgradeInPlace(headers: Headers): HeadersPlus;
  get(name: string): string | null;
  get(name: "accept" | "Accept", isParsed: true): Accepted | null;
  get(name: "cookie" | "Cookie", isParsed: true): { name: string; value: string }[];
  get(name: "set-cookie" | "Set-Cookie", isParsed: true): CookieField[];
  get(name: "range" | "Range", isParsed: true): ByteRange[];
  get(name: "content-range" | "Content-Range", isParsed: true): string[] | null;
  get(name: string, isParsed: boolean): any;
  set(name: string, value: string | number | object): void;
  append(name: string, value: string | number | object): void;
}

/** The result of a conversion with `meta: true`. */
export interface Conversion<Result> {
  readonly result: Result;
  /** Whether it has no file in it, so that JSON can represent all of it. */
  readonly isDirectlySerializable: boolean;
}

/** A form that is JSON as well: `user[name]` is a name in `user`. */
export class FormDataPlus extends FormData {
  static upgradeInPlace(form: FormData): FormDataPlus;
  /** A form made from an object. Null, true and false become small JSON files in it, by default. */
  static json(data: object, options?: { encodeLiterals?: boolean; meta?: false }): FormDataPlus;
  static json(data: object, options: { encodeLiterals?: boolean; meta: true }): Conversion<FormDataPlus>;
  /** The form as an object: texts that are numbers become numbers. */
  json(options?: { decodeLiterals?: boolean; meta?: false }): Promise<any>;
  json(options: { decodeLiterals?: boolean; meta: true }): Promise<Conversion<any>>;
}

export interface AnyOptions {
  /** The type of the result; by default that of the content type. */
  to?: "arrayBuffer" | "blob" | "bytes" | "formData" | "json" | "text" | null;
  /** Whether the body can be read again. */
  memo?: boolean;
}

/** A Request that reads bodies of any type, with parsed headers. */
export class RequestPlus extends Request {
  readonly headers: HeadersPlus;
  static upgradeInPlace(request: Request): RequestPlus;
  /** A Request whose body is any value: data becomes JSON, or a form if it has files in it. */
  static from(target: string | URL | Request, init?: Omit<RequestInit, "body"> & { body?: any; memo?: boolean }): RequestPlus;
  /** An init from which another Request can be made. */
  static copy(request: Request, overrides?: RequestInit): Promise<RequestInit & { url: string; headers: Headers }>;
  any(options?: AnyOptions): Promise<any>;
  formData(): Promise<FormDataPlus>;
  /** Drops the body that `any({ memo: true })` has kept. */
  forget(): void;
  clone(): RequestPlus;
}

/** A Response that reads bodies of any type, with parsed headers. */
export class ResponsePlus extends Response {
  readonly headers: HeadersPlus;
  static upgradeInPlace(response: Response): ResponsePlus;
  /** A Response of any value: data becomes JSON, or a form if it has files in it. */
  static from(body: unknown, init?: ResponseInit & { memo?: boolean }): ResponsePlus;
  any(options?: AnyOptions): Promise<any>;
  formData(): Promise<FormDataPlus>;
  /** Drops the body that `any({ memo: true })` has kept. */
  forget(): void;
  clone(): ResponsePlus;
}

/** `fetch()` with a Response that reads bodies of any type. `live`: the server may open a line. */
export function fetchPlus(target: string | URL | Request, init?: RequestInit & { live?: boolean }): Promise<ResponsePlus>;
