// The web's WebSocket, for connections of handlers to other servers. A socket closes at the end of the exchange that
// opened it.

import { core } from "ext:core/mod.js";
import {
  op_socket_close,
  op_socket_dial,
  op_socket_next,
  op_socket_send,
  op_socket_send_bytes,
  op_socket_unsent,
} from "ext:core/ops";
import { define } from "../globals.js";
import { domException, invalidState } from "../errors/exceptions.js";
import { currentExchange } from "../exchange.js";
import { kClosed } from "../port/port.js";
import {
  ArrayBuffer,
  ArrayBufferIsView,
  ArrayBufferPrototypeGetByteLength,
  ArrayBufferViewPrototypeGetBuffer,
  ArrayBufferViewPrototypeGetByteLength,
  ArrayFrom,
  ArrayIsArray,
  ArrayPrototypeEvery,
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  ArrayPrototypePush,
  ArrayPrototypeReduce,
  ArrayPrototypeSlice,
  Blob,
  BlobPrototypeArrayBuffer,
  BlobPrototypeGetSize,
  CloseEvent,
  Error,
  ErrorEvent,
  Event,
  EventTarget,
  EventTargetPrototypeDispatchEvent,
  MathMax,
  MathMin,
  MathRound,
  MessageEvent,
  Number,
  NumberIsNaN,
  ObjectDefineProperty,
  ObjectEntries,
  PromisePrototypeCatch,
  PromisePrototypeThen,
  queueMicrotask,
  RegExpPrototypeTest,
  SafeArrayIterator,
  SafeSet,
  String,
  StringPrototypeIncludes,
  StringPrototypeToLowerCase,
  Symbol,
  SymbolToStringTag,
  TextEncoder,
  TextEncoderPrototypeEncode,
  TypeError,
  URL,
  URLCanParse,
  URLPrototypeGetHref,
  URLPrototypeGetOrigin,
  URLPrototypeGetProtocol,
  URLPrototypeSetProtocol,
} from "../primordials.js";

const { defineEventHandler } = core.loadExtScript("ext:deno_web/02_event.js");

export const CONNECTING = 0;
export const OPEN = 1;
export const CLOSING = 2;
export const CLOSED = 3;

/** The other side closed without a code. */
export const NO_STATUS = 1005;

/** The most bytes that may be queued for the other side: two of the largest messages. */
const MAX_UNSENT = 32 * 1024 * 1024;

/** The longest reason of a close frame, in bytes. */
const MAX_REASON = 123;

/** A subprotocol's name is a token (RFC 9110 section 5.6.2). */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** For the host: as the address, makes a socket without a connection, which {@link kCarry} opens. */
export const kUnaddressed = Symbol("unaddressed");
/** For the host: opens a socket over this transport. */
export const kCarry = Symbol("carry");
/** For the host: sends a close frame with any code. */
export const kClose = Symbol("close");
/** For the host: dispatches a message, a string or bytes. */
export const kReceive = Symbol("receive");

/**
 * The transport of a socket's messages.
 * @typedef {object} Transport
 * @property {(text: string) => void} text
 * @property {(bytes: ArrayBuffer | ArrayBufferView) => void} bytes
 * @property {(code: number, reason: string) => void} close with a `code` of 0 the frame has no code
 * @property {() => number} unsent the number of bytes that are queued for the other side
 */

/**
 * Reads the `readyState` of a socket, even if a handler has replaced the property.
 * @type {(socket: WebSocket) => number}
 */
export let readyStateOf;
/** Makes a socket deliver binary messages as ArrayBuffers. @type {(socket: WebSocket) => void} */
export let takesBuffers;

/** The address of a socket that was not dialled. */
const UNADDRESSED = { href: "", origin: "" };

export class WebSocket extends EventTarget {
  /** @type {Transport} */
  #carrier = null;
  #address = UNADDRESSED;
  #readyState = CONNECTING;
  #protocol = "";
  #binaryType = "blob";
  /** Bytes of messages after the end, which the standard counts as buffered although they are never sent. */
  #discarded = 0;
  /**
   * Messages that wait until a Blob is read, after that Blob.
   * @type {(string | BufferSource | Blob | (() => void))[] | null}
   */
  #behind = null;

  /**
   * @param {string | URL} url
   * @param {string | string[]} [protocols]
   */
  constructor(url, protocols = []) {
    super();
    if (url === kUnaddressed) return;
    if (arguments.length === 0) throw new TypeError("new WebSocket() takes the address to connect to.");
    const address = addressOf(url);
    const names = namesOf(protocols);
    const exchange = currentExchange();
    if (exchange?.ended) throw invalidState("new WebSocket() after the end: the exchange has already ended.");
    this.#address = address;
    const headers = names === "" ? "" : `sec-websocket-protocol\n${names}\n`;
    const socket = op_socket_dial(address.href, headers, MAX_UNSENT);
    this.#carrier = new Dialled(socket);
    const closed = listen(socket, {
      opened: ({ protocol }) => this.#opened(protocol),
      text: ({ data }) => this[kReceive](data),
      binary: ({ data }) => this[kReceive](ArrayBufferViewPrototypeGetBuffer(data)),
      closed: ({ code, reason, wasClean }) => this[kClosed](code, reason, wasClean),
    });
    if (exchange === undefined) return;
    const abandon = () => this.#abandon();
    exchange.onEnd(abandon);
    PromisePrototypeThen(closed, () => exchange.offEnd(abandon));
  }

  static {
    readyStateOf = (socket) => socket.#readyState;
    takesBuffers = (socket) => socket.#binaryType = "arraybuffer";
  }

  get [SymbolToStringTag]() {
    return "WebSocket";
  }

  get url() {
    return this.#address.href;
  }

  get readyState() {
    return this.#readyState;
  }

  /** The bytes that were passed to send() and are not sent yet. */
  get bufferedAmount() {
    const behind = ArrayPrototypeReduce((this.#behind ?? []), (bytes, message) => bytes + sizeOf(message), 0);
    return this.#carrier.unsent() + behind + this.#discarded;
  }

  /** The subprotocol that the server chose. */
  get protocol() {
    return this.#protocol;
  }

  /** No extension is supported. */
  get extensions() {
    return "";
  }

  /** The type of the data of binary messages. @returns {"blob" | "arraybuffer"} */
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
    else this.#enqueue(message);
  }

  /**
   * Sends the close frame, after all messages.
   * @param {number} [code] 1000, or from 3000 to 4999
   * @param {string} [reason] at most 123 bytes
   */
  close(code = undefined, reason = undefined) {
    const { 0: status, 1: text } = closeOf(code, reason);
    if (this.#readyState >= CLOSING) return;
    if (this.#readyState === CONNECTING) this.#fail("The WebSocket was closed before it was open.");
    else this.#enqueue(() => this.#carrier.close(status, text));
    this.#readyState = CLOSING;
  }

  [kClose](code, reason = undefined) {
    const { 1: text } = closeOf(undefined, reason);
    if (this.#readyState >= CLOSING) return;
    this.#enqueue(() => this.#carrier.close(code, text));
    this.#readyState = CLOSING;
  }

  #opened(protocol) {
    if (this.#readyState !== CONNECTING) return;
    this.#readyState = OPEN;
    this.#protocol = protocol;
    EventTargetPrototypeDispatchEvent(this, new Event("open"));
  }

  /** Sends a message, or runs a function, after all earlier ones: a Blob has to be read first. */
  #enqueue(message) {
    if (this.#behind !== null) ArrayPrototypePush(this.#behind, message);
    else if (isBlob(message)) this.#read(message);
    else if (typeof message === "function") message();
    else this.#write(message);
  }

  async #read(blob) {
    this.#behind = [blob];
    const failed = (error) => this.#fail(`A Blob could not be read: ${error.message}`);
    const read = await PromisePrototypeCatch(BlobPrototypeArrayBuffer(blob), failed);
    const behind = ArrayPrototypeSlice(this.#behind, 1);
    this.#behind = null;
    if (this.#readyState === CLOSED) return;
    if (read !== undefined) this.#write(read);
    for (const message of new SafeArrayIterator(behind)) this.#enqueue(message);
  }

  #write(message) {
    try {
      if (typeof message === "string") this.#carrier.text(message);
      else this.#carrier.bytes(message);
    } catch (error) {
      // As in the standard for a full buffer.
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

  // -- for the carrier -------------------------------------------------------------------------------------------------

  [kCarry](carrier) {
    this.#carrier = carrier;
    this.#readyState = OPEN;
  }

  [kReceive](message) {
    if (this.#readyState !== OPEN) return;
    const data = typeof message === "string" || this.#binaryType === "arraybuffer" ? message : new Blob([message]);
    EventTargetPrototypeDispatchEvent(this, new MessageEvent("message", { data, origin: this.#address.origin }));
  }

  [kClosed](code, reason, wasClean) {
    if (this.#readyState === CLOSED) return;
    this.#readyState = CLOSED;
    if (!wasClean) {
      const error = new Error(reason);
      EventTargetPrototypeDispatchEvent(this, new ErrorEvent("error", { message: reason, error }));
    }
    const text = wasClean ? reason : "";
    EventTargetPrototypeDispatchEvent(this, new CloseEvent("close", { code, reason: text, wasClean }));
  }
}

const STATES = ObjectEntries({ CONNECTING, OPEN, CLOSING, CLOSED });
for (const { 0: name, 1: value } of new SafeArrayIterator(STATES)) {
  for (const holder of new SafeArrayIterator([WebSocket, WebSocket.prototype])) {
    ObjectDefineProperty(holder, name, { enumerable: true, value });
  }
}
for (const name of new SafeArrayIterator(["open", "message", "error", "close"])) {
  defineEventHandler(WebSocket.prototype, name);
}
define("WebSocket", WebSocket);

/** A socket of the host that was dialled. @implements {Transport} */
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

/** Dispatches the events of a dialled socket, each after the listener of the one before has returned. */
export async function listen(socket, listeners) {
  let event;
  while ((event = await op_socket_next(socket)) !== null) listeners[event.type]?.(event);
}

/**
 * Replaces http: by ws: and https: by wss:, as the standard allows. Returns whether it is a socket's URL now.
 * @param {URL} url
 */
export function hasSocketScheme(url) {
  switch (URLPrototypeGetProtocol(url)) {
    case "http:":
      URLPrototypeSetProtocol(url, "ws:");
      return true;
    case "https:":
      URLPrototypeSetProtocol(url, "wss:");
      return true;
    case "ws:":
    case "wss:":
      return true;
    default:
      return false;
  }
}

/** The checked address to connect to. @returns {{ href: string, origin: string }} */
function addressOf(given) {
  const wrong = (why) => domException("SyntaxError", `new WebSocket(): ${given} ${why}.`);
  if (!URLCanParse(given)) throw wrong(`is no absolute URL: write new URL('${given}', event.url) for one of this site`);
  const url = new URL(given);
  if (!hasSocketScheme(url)) throw wrong("has no ws: or wss: scheme");
  const href = URLPrototypeGetHref(url);
  if (StringPrototypeIncludes(href, "#")) throw wrong("has a fragment, which means nothing here");
  return { href, origin: URLPrototypeGetOrigin(url) };
}

/** The subprotocols, as a value of the header. */
function namesOf(protocols) {
  const given = ArrayIsArray(protocols) ? new SafeArrayIterator(protocols) : protocols;
  const names = typeof protocols === "string" ? [protocols] : ArrayFrom(given, (name) => String(name));
  const isUnique = new SafeSet(ArrayPrototypeMap(names, (name) => StringPrototypeToLowerCase(name))).size === names.length;
  if (!isUnique || !ArrayPrototypeEvery(names, (name) => RegExpPrototypeTest(TOKEN, name))) {
    const list = ArrayPrototypeJoin(names, '", "');
    throw domException("SyntaxError", `new WebSocket(): subprotocols are different tokens, not "${list}".`);
  }
  return ArrayPrototypeJoin(names, ", ");
}

/** The code and the reason of a close frame, within the limits that the standard sets for scripts. */
function closeOf(code, reason) {
  const status = code === undefined ? 0 : clamped(code);
  if (code !== undefined && status !== 1000 && (status < 3000 || status > 4999)) {
    throw domException("InvalidAccessError", `A WebSocket closes with 1000 or 3000 to 4999, not ${status}.`);
  }
  const text = reason === undefined ? "" : String(reason);
  if (TextEncoderPrototypeEncode(new TextEncoder(), text).length > MAX_REASON) {
    throw domException("SyntaxError", `The reason of a close frame is longer than ${MAX_REASON} bytes.`);
  }
  // A frame with a reason needs a code.
  return [status === 0 && text !== "" ? 1000 : status, text];
}

/** An unsigned short, as Web IDL clamps one. */
function clamped(value) {
  const number = Number(value);
  return NumberIsNaN(number) ? 0 : MathRound(MathMin(MathMax(number, 0), 65535));
}

function isBytes(data) {
  return data instanceof ArrayBuffer || ArrayBufferIsView(data);
}

function isBlob(data) {
  return typeof data === "object" && data instanceof Blob;
}

function sizeOfBytes(data) {
  if (isBlob(data)) return BlobPrototypeGetSize(data);
  return ArrayBufferIsView(data) ? ArrayBufferViewPrototypeGetByteLength(data) : ArrayBufferPrototypeGetByteLength(data);
}

function sizeOf(message) {
  if (typeof message === "function") return 0;
  return typeof message === "string" ? TextEncoderPrototypeEncode(new TextEncoder(), message).length : sizeOfBytes(message);
}
