// One state of a response, and where its parts come from.

import {
  Event,
  Headers,
  HeadersPrototypeDelete,
  HeadersPrototypeSet,
  NumberIsInteger,
  ObjectEntries,
  ObjectHasOwn,
  ResponsePrototypeGetHeaders,
  ResponsePrototypeGetRedirected,
  ResponsePrototypeGetStatus,
  ResponsePrototypeGetStatusText,
  ResponsePrototypeGetType,
  ResponsePrototypeGetUrl,
  SafeArrayIterator,
  String,
  Symbol,
} from "../primordials.js";

/**
 * One state of a response.
 * @typedef {object} Frame
 * @property {unknown} body
 * @property {number} status
 * @property {string} statusText
 * @property {Headers} headers
 * @property {boolean} ok
 * @property {string} type
 * @property {boolean} redirected
 * @property {string | null} url
 * @property {boolean} concurrent
 * @property {boolean} bodyUsed
 */

/** The Response that a frame's state is, where it can go out unread. */
export const kRaw = Symbol("raw");
/** Of a frame with a Response: whether no other state follows it. */
export const kIsLast = Symbol("is last");
/** Whether a frame was given headers; most were not, and a Headers object costs more than the state. */
export const kHasHeaders = Symbol("has headers");

/** The event of a new state, which is its `data`. */
export class ReplaceEvent extends Event {
  #frame;

  constructor(frame) {
    super("replace");
    this.#frame = frame;
  }

  /** @returns {Frame} */
  get data() {
    return this.#frame;
  }
}

/** Headers with the address of a Response's line: the current one and an older one. */
export const LINE_HEADERS = ["X-Live-Session", "X-Background-Messaging-Port"];

/** Headers of the upstream's own connection and body coding, which are not passed on. */
const OWN_HEADERS = [
  "connection",
  "content-encoding",
  "content-length",
  "keep-alive",
  "set-cookie",
  "transfer-encoding",
  ...new SafeArrayIterator(LINE_HEADERS),
];

/** The same state, next to the one before it. */
export function concurrentWith(frame) {
  return new StateFrame(frame.body, { ...frame, headers: frame.headers, concurrent: true, done: frame[kIsLast] }, frame[kRaw]);
}

export function frameOf(body, init) {
  return new StateFrame(body, init, undefined);
}

/** @implements {Frame} */
export class StateFrame {
  #headers;

  /** @see States.example */
  static example = new StateFrame(undefined, { __proto__: null });

  constructor(body, { status, statusText, headers, concurrent, type, redirected, url, done }, raw) {
    this.body = body;
    this.status = status;
    this.statusText = statusText;
    this.#headers = headers;
    this.type = type ?? "basic";
    this.redirected = redirected ?? false;
    this.url = url ?? null;
    this.concurrent = concurrent;
    this[kRaw] = raw;
    this[kIsLast] = done;
  }

  get ok() {
    return this.status >= 200 && this.status < 300;
  }

  get bodyUsed() {
    return true;
  }

  get [kHasHeaders]() {
    return this.#headers !== undefined;
  }

  get headers() {
    if (!(this.#headers instanceof Headers)) this.#headers = new Headers(this.#headers);
    return this.#headers;
  }
}

/** The address of a Response. One that was made by hand may have it as a property of its own. */
export function urlOf(response) {
  return ObjectHasOwn(response, "url") ? response.url : ResponsePrototypeGetUrl(response);
}

/** The parts of a Response besides its body. */
export function headOfResponse(response) {
  return {
    status: ResponsePrototypeGetStatus(response),
    statusText: ResponsePrototypeGetStatusText(response),
    headers: ResponsePrototypeGetHeaders(response),
    type: ResponsePrototypeGetType(response),
    redirected: ResponsePrototypeGetRedirected(response),
    url: urlOf(response),
  };
}

/** The headers of a state that came from elsewhere. */
export function withoutOwn(headers) {
  const kept = new Headers(headers);
  for (const name of new SafeArrayIterator(OWN_HEADERS)) HeadersPrototypeDelete(kept, name);
  return kept;
}

/** The head of a state as the wire has it, which may be anything. */
export function headOf({ status, statusText, headers, type, url, concurrent }) {
  const kept = new Headers();
  for (const { 0: name, 1: value } of new SafeArrayIterator(ObjectEntries(headers ?? {}))) {
    try {
      HeadersPrototypeSet(kept, name, String(value));
    } catch {
      // It is no valid header.
    }
  }
  return {
    status: NumberIsInteger(status) && status >= 200 && status <= 599 ? status : 200,
    statusText: typeof statusText === "string" ? statusText : "",
    headers: withoutOwn(kept),
    type: typeof type === "string" ? type : undefined,
    url: typeof url === "string" ? url : undefined,
    concurrent: concurrent === true,
  };
}
