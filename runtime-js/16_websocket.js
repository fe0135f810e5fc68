// The web's WebSocket, for handlers that talk to other servers. A socket ends with the exchange that opened it.

import { core } from "ext:core/mod.js";
import {
  op_socket_close,
  op_socket_dial,
  op_socket_next,
  op_socket_send,
  op_socket_send_bytes,
  op_socket_unsent,
} from "ext:core/ops";
import { define } from "ext:liveline/00_globals.js";
import { domException, invalidState } from "ext:liveline/02_exceptions.js";
import { currentExchange } from "ext:liveline/10_exchange.js";
import { kClosed } from "ext:liveline/33_port_events.js";

const { defineEventHandler } = core.loadExtScript("ext:deno_web/02_event.js");

export const CONNECTING = 0;
export const OPEN = 1;
export const CLOSING = 2;
export const CLOSED = 3;

/** The other side closed without a code. */
export const NO_STATUS = 1005;

/** What may wait for the other side to read: two of the largest messages. */
const MAX_UNSENT = 32 * 1024 * 1024;

/** What a close frame holds besides the code, in bytes. */
const MAX_REASON = 123;

/** A subprotocol's name is a token (RFC 9110 section 5.6.2). */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** For the host: in place of an address, makes a socket that {@link kCarry} opens. */
export const kUnaddressed = Symbol("unaddressed");
/** For the host: a socket is open, and this carries its words from now on. */
export const kCarry = Symbol("carry");
/** For the host: a message came, as text or as bytes. */
export const kHeard = Symbol("heard");

/**
 * What carries a socket's words.
 * @typedef {object} Carrier
 * @property {(text: string) => void} text
 * @property {(bytes: ArrayBuffer | ArrayBufferView) => void} bytes
 * @property {(code: number, reason: string) => void} close a `code` of 0 is none
 * @property {() => number} unsent how many bytes the other side has not read
 */

export class WebSocket extends EventTarget {
  /** @type {Carrier} */
  #carrier = null;
  #url = "";
  #origin = "";
  #readyState = CONNECTING;
  #protocol = "";
  #binaryType = "blob";
  /** Bytes that were sent after the end, which count although they go nowhere. */
  #discarded = 0;
  /** What waits for a Blob to be read. @type {(string | BufferSource | Blob | (() => void))[] | null} */
  #behind = null;

  /**
   * @param {string | URL} url
   * @param {string | string[]} [protocols]
   */
  constructor(url, protocols = []) {
    super();
    if (url === kUnaddressed) return;
    if (arguments.length === 0) throw new TypeError("new WebSocket() takes the address to connect to.");
    const { href, origin } = addressOf(url);
    const names = namesOf(protocols);
    const exchange = currentExchange();
    if (exchange?.ended) throw invalidState("new WebSocket() after the end: the exchange has already ended.");
    this.#url = href;
    this.#origin = origin;
    const socket = op_socket_dial(href, names, "", "", MAX_UNSENT);
    this.#carrier = new Dialled(socket);
    listen(socket, {
      opened: ({ protocol }) => this.#opened(protocol),
      text: ({ data }) => this[kHeard](data),
      binary: ({ data }) => this[kHeard](data.buffer),
      closed: ({ code, reason, wasClean }) => this[kClosed](code, reason, wasClean),
    });
    exchange?.onEnd(() => this.#abandon());
  }

  get [Symbol.toStringTag]() {
    return "WebSocket";
  }

  get url() {
    return this.#url;
  }

  get readyState() {
    return this.#readyState;
  }

  /** Bytes that were given to send() and have not left. */
  get bufferedAmount() {
    const behind = (this.#behind ?? []).reduce((bytes, message) => bytes + sizeOf(message), 0);
    return this.#carrier.unsent() + behind + this.#discarded;
  }

  /** The subprotocol that the server chose. */
  get protocol() {
    return this.#protocol;
  }

  /** None is spoken. */
  get extensions() {
    return "";
  }

  /** What binary messages come as. @returns {"blob" | "arraybuffer"} */
  get binaryType() {
    return this.#binaryType;
  }

  set binaryType(type) {
    if (type === "blob" || type === "arraybuffer") this.#binaryType = type;
  }

  /** @param {string | ArrayBuffer | ArrayBufferView | Blob} data */
  send(data) {
    if (arguments.length === 0) throw new TypeError("WebSocket.send() takes what to send.");
    if (this.#readyState === CONNECTING) throw invalidState("The WebSocket is not open yet: wait for its open event.");
    const message = typeof data === "string" || isBytes(data) || isBlob(data) ? data : String(data);
    if (this.#readyState !== OPEN) this.#discarded += sizeOf(message);
    else this.#say(message);
  }

  /**
   * Says goodbye, once all that was sent has left.
   * @param {number} [code] 1000, or from 3000 to 4999
   * @param {string} [reason] at most 123 bytes
   */
  close(code = undefined, reason = undefined) {
    const [status, words] = goodbyeOf(code, reason);
    if (this.#readyState >= CLOSING) return;
    if (this.#readyState === CONNECTING) this.#fail("The WebSocket was closed before it was open.");
    else this.#say(() => this.#carrier.close(status, words));
    this.#readyState = CLOSING;
  }

  #opened(protocol) {
    if (this.#readyState !== CONNECTING) return;
    this.#readyState = OPEN;
    this.#protocol = protocol;
    this.dispatchEvent(new Event("open"));
  }

  /** Sends a message, or does what comes after all of them, in order: a Blob has to be read first. */
  #say(message) {
    if (this.#behind !== null) this.#behind.push(message);
    else if (isBlob(message)) this.#read(message);
    else if (typeof message === "function") message();
    else this.#write(message);
  }

  async #read(blob) {
    this.#behind = [blob];
    const read = await blob.arrayBuffer().catch((error) => this.#fail(`A Blob could not be read: ${error.message}`));
    const behind = this.#behind.slice(1);
    this.#behind = null;
    if (this.#readyState === CLOSED) return;
    if (read !== undefined) this.#write(read);
    for (const message of behind) this.#say(message);
  }

  #write(message) {
    try {
      if (typeof message === "string") this.#carrier.text(message);
      else this.#carrier.bytes(message);
    } catch (error) {
      // As the standard has it where nothing more can be buffered.
      this.#discarded += sizeOf(message);
      this.#fail(error.message);
    }
  }

  #fail(reason) {
    this.#readyState = CLOSING;
    this.#carrier.close(0, "");
    queueMicrotask(() => this[kClosed](1006, reason, false));
  }

  /** The exchange that opened the socket has ended. */
  #abandon() {
    if (this.#readyState === CLOSED) return;
    const reason = "the exchange that opened this socket has ended";
    this.#carrier.close(1001, reason);
    this[kClosed](1001, reason, true);
  }

  // -- for what carries it ---------------------------------------------------------------------------------------------

  [kCarry](carrier) {
    this.#carrier = carrier;
    this.#readyState = OPEN;
  }

  [kHeard](message) {
    if (this.#readyState !== OPEN) return;
    const data = typeof message === "string" || this.#binaryType === "arraybuffer" ? message : new Blob([message]);
    this.dispatchEvent(new MessageEvent("message", { data, origin: this.#origin }));
  }

  [kClosed](code, reason, wasClean) {
    if (this.#readyState === CLOSED) return;
    this.#readyState = CLOSED;
    if (!wasClean) this.dispatchEvent(new ErrorEvent("error", { message: reason, error: new Error(reason) }));
    this.dispatchEvent(new CloseEvent("close", { code, reason: wasClean ? reason : "", wasClean }));
  }
}

const STATES = Object.entries({ CONNECTING, OPEN, CLOSING, CLOSED });
for (const [name, value] of STATES) {
  for (const holder of [WebSocket, WebSocket.prototype]) Object.defineProperty(holder, name, { enumerable: true, value });
}
for (const name of ["open", "message", "error", "close"]) defineEventHandler(WebSocket.prototype, name);
define("WebSocket", WebSocket);

/** A socket of the host that was dialled. @implements {Carrier} */
class Dialled {
  #socket;

  constructor(socket) {
    this.#socket = socket;
  }

  text(text) {
    op_socket_send(this.#socket, text);
  }

  bytes(bytes) {
    op_socket_send_bytes(this.#socket, bytes);
  }

  close(code, reason) {
    op_socket_close(this.#socket, code, reason);
  }

  unsent() {
    return op_socket_unsent(this.#socket);
  }
}

/** Passes on what happens on a dialled socket: the next is read when this one was heard. */
export async function listen(socket, heard) {
  let event;
  while ((event = await op_socket_next(socket)) !== null) heard[event.type](event);
}

/** Where to connect. @returns {URL} */
function addressOf(given) {
  const wrong = (why) => domException("SyntaxError", `new WebSocket(): ${given} ${why}.`);
  if (!URL.canParse(given)) throw wrong("is no absolute URL");
  const url = new URL(given);
  if (url.protocol === "http:" || url.protocol === "https:") url.protocol = url.protocol.replace("http", "ws");
  if (url.protocol !== "ws:" && url.protocol !== "wss:") throw wrong("has no ws: or wss: scheme");
  if (url.href.includes("#")) throw wrong("has a fragment, which means nothing here");
  return url;
}

/** The subprotocols as the header lists them. */
function namesOf(protocols) {
  const names = typeof protocols === "string" ? [protocols] : Array.from(protocols, String);
  const isUnique = new Set(names.map((name) => name.toLowerCase())).size === names.length;
  if (!isUnique || !names.every((name) => TOKEN.test(name))) {
    throw domException("SyntaxError", `new WebSocket(): subprotocols are different tokens, not "${names.join('", "')}".`);
  }
  return names.join(", ");
}

/** The code and the words of a close frame, as the standard lets code choose them. */
export function goodbyeOf(code, reason) {
  const status = code === undefined ? 0 : clamped(code);
  if (code !== undefined && status !== 1000 && (status < 3000 || status > 4999)) {
    throw domException("InvalidAccessError", `A WebSocket closes with 1000 or 3000 to 4999, not ${status}.`);
  }
  const words = reason === undefined ? "" : String(reason);
  if (new TextEncoder().encode(words).length > MAX_REASON) {
    throw domException("SyntaxError", `The reason of a close frame is longer than ${MAX_REASON} bytes.`);
  }
  // Words need a code in front of them.
  return [status === 0 && words !== "" ? 1000 : status, words];
}

/** An unsigned short, as Web IDL clamps one. */
function clamped(value) {
  const number = Number(value);
  return Number.isNaN(number) ? 0 : Math.round(Math.min(Math.max(number, 0), 65535));
}

function isBytes(data) {
  return data instanceof ArrayBuffer || ArrayBuffer.isView(data);
}

function isBlob(data) {
  return typeof data === "object" && data instanceof Blob;
}

function sizeOf(message) {
  if (typeof message === "function") return 0;
  return typeof message === "string" ? new TextEncoder().encode(message).length : message.size ?? message.byteLength;
}
