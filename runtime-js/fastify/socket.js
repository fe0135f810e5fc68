// A server's socket with three faces at once: the emitter that the package ws has, the event target of the web, and the
// stream with a `socket` that Fastify's plugin gave to handlers before its version 10.

import { core, primordials } from "ext:core/mod.js";
import { op_log_error } from "ext:core/ops";
import { kClosed } from "ext:liveline/port/port.js";
import { setTimeout } from "ext:liveline/timers.js";
import { node, textOf } from "ext:liveline_fastify/transport.js";

const {
  ArrayBufferIsView,
  ArrayIsArray,
  ArrayPrototypePush,
  ArrayPrototypeShift,
  Error,
  FunctionPrototypeCall,
  ObjectDefineProperty,
  ObjectEntries,
  Promise,
  RangeError,
  SafeArrayIterator,
  SafeWeakMap,
  String,
  Symbol,
  SymbolAsyncIterator,
  SymbolFor,
  TypeError,
} = primordials;

export const CONNECTING = 0, OPEN = 1, CLOSING = 2, CLOSED = 3;

/** The most bytes of messages that wait for a listener. */
const MOST_HELD = 1024 * 1024;

/**
 * What carries a socket's messages to the other side.
 * @typedef {object} Carrier
 * @property {() => void} accept messages of the other side are wanted from now on
 * @property {(text: string) => void} text
 * @property {(bytes: Buffer) => void} bytes
 * @property {(code: number, reason: string) => void} close sends a close frame; 1005 stands for one without a code
 * @property {() => void} drop ends the connection without one
 * @property {(isPong: boolean, bytes: Buffer) => void} control sends a ping or a pong
 * @property {() => void} followControl pings and pongs of the other side are wanted from now on
 * @property {() => number} unsent the bytes that wait
 */

/** For the application: what the socket belongs to. */
export const kAttach = Symbol("attach");
/** For the application: a message came; a ping or a pong as a list of whether it is a pong and its bytes. */
export const kMessage = Symbol("message");

let made = null;

/** The class, which needs Node's emitter. */
export function socketClass() {
  return made ??= make(core.createLazyLoader("node:events")().default);
}

function isValidCode(code) {
  return (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) || (code >= 3000 && code <= 4999);
}

/** An event of the web's kind. */
class SocketEvent {
  constructor(type, target, fields) {
    this.type = type;
    this.target = target;
    for (const { 0: name, 1: value } of new SafeArrayIterator(ObjectEntries(fields))) this[name] = value;
  }
}

function make(EventEmitter) {
  class WebSocket extends EventEmitter {
    /** @type {Carrier} */
    #carrier = null;
    #readyState = OPEN;
    #protocol = "";
    #binaryType = "nodebuffer";
    /** Messages without a listener, oldest first; null once there was one. */
    #held = [];
    #heldBytes = 0;
    #isPaused = false;
    #encoding = null;
    #onfail = null;
    #wrapped = new SafeWeakMap();
    #drops = false;
    /** A listener for pings or pongs was added before there was a carrier. */
    #followsControl = false;

    constructor() {
      // What an async listener rejects with concerns this socket alone.
      super({ captureRejections: true });
      // For what was written for version 9: not enumerable, or it would be printed without end.
      ObjectDefineProperty(this, "socket", { __proto__: null, configurable: true, value: this, writable: true });
      this.on("newListener", (name) => {
        if (name === "ping" || name === "pong") this.#followControl();
        if ((name === "message" || name === "data") && this.#held !== null && !this.#isPaused) {
          primordials.queueMicrotask(() => this.#release());
        }
      });
    }

    /** @param {(error: unknown) => void} fail receives what listeners throw */
    [kAttach](carrier, protocol, fail) {
      this.#carrier = carrier;
      this.#protocol = protocol;
      this.#onfail = fail;
      if (this.#followsControl) carrier.followControl();
      carrier.accept();
    }

    get readyState() {
      return this.#readyState;
    }

    get protocol() {
      return this.#protocol;
    }

    get extensions() {
      return "";
    }

    get url() {
      return "";
    }

    get isPaused() {
      return this.#isPaused;
    }

    get bufferedAmount() {
      return this.#readyState === CLOSED ? 0 : this.#carrier.unsent();
    }

    get binaryType() {
      return this.#binaryType;
    }

    set binaryType(type) {
      if (type === "nodebuffer" || type === "arraybuffer" || type === "fragments" || type === "blob") this.#binaryType = type;
    }

    // -- what is sent ------------------------------------------------------------------------------------------------

    send(data, options = undefined, callback = undefined) {
      if (typeof options === "function") {
        callback = options;
        options = undefined;
      }
      if (typeof data === "number") data = String(data);
      if (this.#readyState !== OPEN) {
        const error = new Error(`WebSocket is not open: readyState ${this.#readyState} (${STATES[this.#readyState]})`);
        if (typeof callback === "function") primordials.queueMicrotask(() => callback(error));
        return;
      }
      const isBinary = options?.binary ?? typeof data !== "string";
      if (isBinary) this.#carrier.bytes(bytesOf(data));
      else this.#carrier.text(typeof data === "string" ? data : textOf(bytesOf(data)));
      if (typeof callback === "function") setTimeout(() => callback(null), 0);
    }

    close(code = undefined, reason = undefined) {
      if (this.#readyState >= CLOSING) return;
      if (code !== undefined && (typeof code !== "number" || !isValidCode(code))) {
        throw new TypeError("First argument must be a valid error code number");
      }
      const text = reason === undefined ? "" : typeof reason === "string" ? reason : textOf(bytesOf(reason));
      if (node().Buffer.byteLength(text) > 123) throw new RangeError("The message must not be greater than 123 bytes");
      this.#readyState = CLOSING;
      this.#carrier.close(code ?? 1005, text);
    }

    terminate() {
      if (this.#readyState === CLOSED) return;
      this.#readyState = CLOSING;
      this.#carrier.drop();
    }

    ping(data = undefined, mask = undefined, callback = undefined) {
      const done = typeof data === "function" ? data : typeof mask === "function" ? mask : callback;
      this.#control(false, data);
      if (typeof done === "function") setTimeout(done, 0);
    }

    /** One that nobody asked for: the host answers pings itself. */
    pong(data = undefined, mask = undefined, callback = undefined) {
      const done = typeof data === "function" ? data : typeof mask === "function" ? mask : callback;
      this.#control(true, data);
      if (typeof done === "function") setTimeout(done, 0);
    }

    #control(isPong, data) {
      const isEmpty = data === undefined || data === null || typeof data === "function";
      const bytes = isEmpty ? node().Buffer.alloc(0) : bytesOf(typeof data === "number" ? String(data) : data);
      if (bytes.byteLength > 125) throw new RangeError("The data size must not be greater than 125 bytes");
      if (this.#readyState === OPEN) this.#carrier.control(isPong, bytes);
    }

    #followControl() {
      if (this.#carrier === null) this.#followsControl = true;
      else this.#carrier.followControl();
    }

    pause() {
      this.#isPaused = true;
      this.#held ??= [];
      return this;
    }

    resume() {
      this.#isPaused = false;
      if (this.listenerCount("message") + this.listenerCount("data") > 0) primordials.queueMicrotask(() => this.#release());
      return this;
    }

    // -- what comes --------------------------------------------------------------------------------------------------

    [kMessage](message) {
      // What was on its way when the application closed the socket is received, as in the package ws.
      if (this.#readyState === CLOSED) return;
      if (ArrayIsArray(message)) return this.#emit(message[0] ? "pong" : "ping", node().Buffer.from(message[1]));
      if (this.#held === null) return this.#deliver(message);
      const size = typeof message === "string" ? message.length : message.byteLength;
      this.#heldBytes += size;
      ArrayPrototypePush(this.#held, message);
      while (this.#heldBytes > MOST_HELD && this.#held.length > 1 && !this.#isPaused) {
        const dropped = ArrayPrototypeShift(this.#held);
        this.#heldBytes -= typeof dropped === "string" ? dropped.length : dropped.byteLength;
        if (this.#drops) continue;
        this.#drops = true;
        op_log_error("a socket without a listener for its messages", new Error(
          `more than ${MOST_HELD} bytes of messages waited for a listener; the oldest are dropped: ` +
            "add socket.on('message', ...) when the handler is called",
        ));
      }
    }

    #release() {
      while (this.#held !== null && this.#held.length > 0 && !this.#isPaused) {
        const message = ArrayPrototypeShift(this.#held);
        if (this.#readyState === OPEN || this.#readyState === CLOSING) this.#deliver(message);
      }
      if (this.#held !== null && this.#held.length === 0 && !this.#isPaused) this.#held = null;
    }

    #deliver(message) {
      const isBinary = typeof message !== "string";
      const { Buffer } = node();
      const data = isBinary ? (this.#binaryType === "arraybuffer" ? message : Buffer.from(message)) : Buffer.from(message);
      this.#emit("message", this.#binaryType === "fragments" ? [data] : data, isBinary);
      if (this.listenerCount("data") === 0) return;
      this.#emit("data", this.#encoding === null ? (isBinary ? data : message) : textOf(data, this.#encoding));
    }

    /** Calls listeners; what one of them throws concerns this socket alone. */
    #emit(name, ...values) {
      try {
        this.emit(name, ...new SafeArrayIterator(values));
      } catch (error) {
        this.#onfail(error);
      }
    }

    [SymbolFor("nodejs.rejection")](error) {
      this.#onfail(error);
    }

    /** The exchange has ended. */
    [kClosed](code, reason, wasClean) {
      if (this.#readyState === CLOSED) return;
      this.#readyState = CLOSED;
      this.#held = null;
      const { Buffer } = node();
      this.#emit("close", wasClean ? code : 1006, Buffer.from(wasClean ? reason ?? "" : ""));
      if (this.listenerCount("end") > 0) this.#emit("end");
    }

    /** Reports an error of the connection, if anybody listens. */
    failed(error) {
      if (this.listenerCount("error") > 0) this.#emit("error", error);
    }

    // -- the event target of the web ---------------------------------------------------------------------------------

    addEventListener(type, handler, options = undefined) {
      if (type !== "message" && type !== "close" && type !== "error" && type !== "open") return;
      const call = (event) => {
        if (typeof handler === "object" && handler !== null) FunctionPrototypeCall(handler.handleEvent, handler, event);
        else FunctionPrototypeCall(handler, this, event);
      };
      const wrapper = type === "message"
        ? (data, isBinary) => call(new SocketEvent(type, this, { data: isBinary ? data : textOf(data) }))
        : type === "close"
        ? (code, reason) => call(new SocketEvent(type, this, { code, reason: textOf(reason), wasClean: code !== 1006 }))
        : type === "error"
        ? (error) => call(new SocketEvent(type, this, { error, message: error.message }))
        : () => call(new SocketEvent(type, this, {}));
      const known = this.#wrapped.get(handler) ?? [];
      ArrayPrototypePush(known, { type, wrapper });
      if (handler !== null && (typeof handler === "object" || typeof handler === "function")) this.#wrapped.set(handler, known);
      if (options?.once) this.once(type, wrapper);
      else this.on(type, wrapper);
    }

    removeEventListener(type, handler) {
      for (const it of new SafeArrayIterator(this.#wrapped.get(handler) ?? [])) {
        if (it.type === type) this.removeListener(type, it.wrapper);
      }
    }

    // -- the stream of version 9 -------------------------------------------------------------------------------------

    get writable() {
      return this.#readyState === OPEN;
    }

    get destroyed() {
      return this.#readyState === CLOSED;
    }

    setEncoding(encoding) {
      this.#encoding = encoding;
      return this;
    }

    write(data, encoding = undefined, callback = undefined) {
      this.send(data, undefined, typeof encoding === "function" ? encoding : callback);
      return true;
    }

    end(data = undefined, encoding = undefined, callback = undefined) {
      if (data !== undefined && data !== null && typeof data !== "function") this.send(data);
      this.close();
      const done = typeof data === "function" ? data : typeof encoding === "function" ? encoding : callback;
      if (typeof done === "function") this.once("close", () => done());
      return this;
    }

    destroy(error = undefined) {
      if (error) this.failed(error);
      this.terminate();
      return this;
    }

    pipe(destination) {
      this.on("data", (chunk) => destination.write(chunk));
      this.on("close", () => {
        if (destination !== this) destination.end?.();
      });
      destination.emit?.("pipe", this);
      return destination;
    }

    [SymbolAsyncIterator]() {
      const chunks = [];
      let wake = null, isOver = this.#readyState === CLOSED;
      this.on("data", (chunk) => {
        ArrayPrototypePush(chunks, chunk);
        wake?.();
      });
      this.on("close", () => {
        isOver = true;
        wake?.();
      });
      const next = async () => {
        while (chunks.length === 0 && !isOver) await new Promise((resolve) => wake = resolve);
        return chunks.length > 0 ? { value: ArrayPrototypeShift(chunks), done: false } : { value: undefined, done: true };
      };
      const leave = async () => {
        this.terminate();
        return { value: undefined, done: true };
      };
      return { next, return: leave, [SymbolAsyncIterator]() { return this; } };
    }
  }

  for (const { 0: name, 1: value } of new SafeArrayIterator(ObjectEntries({ CONNECTING, OPEN, CLOSING, CLOSED }))) {
    for (const holder of new SafeArrayIterator([WebSocket, WebSocket.prototype])) {
      ObjectDefineProperty(holder, name, { __proto__: null, enumerable: true, value });
    }
  }
  const { addEventListener, removeEventListener } = WebSocket.prototype;
  const add = (socket, type, handler) => FunctionPrototypeCall(addEventListener, socket, type, handler);
  const remove = (socket, type, handler) => FunctionPrototypeCall(removeEventListener, socket, type, handler);
  for (const type of new SafeArrayIterator(["open", "message", "close", "error"])) {
    const listeners = new SafeWeakMap();
    ObjectDefineProperty(WebSocket.prototype, `on${type}`, {
      __proto__: null,
      configurable: true,
      enumerable: true,
      get() {
        return listeners.get(this) ?? null;
      },
      set(handler) {
        const known = listeners.get(this);
        if (known !== undefined) remove(this, type, known);
        listeners.delete(this);
        if (typeof handler !== "function") return;
        listeners.set(this, handler);
        add(this, type, handler);
      },
    });
  }
  return WebSocket;
}

const STATES = ["CONNECTING", "OPEN", "CLOSING", "CLOSED"];

function bytesOf(data) {
  const { Buffer } = node();
  if (Buffer.isBuffer(data)) return data;
  if (data === undefined || data === null) return Buffer.alloc(0);
  if (typeof data === "string") return Buffer.from(data);
  return ArrayBufferIsView(data) ? Buffer.from(data.buffer, data.byteOffset, data.byteLength) : Buffer.from(data);
}

