// `connect()` of `cloudflare:sockets`: connections of TCP, made of those of Node.

import { core } from "ext:core/mod.js";
import { currentActor } from "../actor/context.js";
import { currentExchange } from "../exchange.js";
import {
  ArrayBufferIsView,
  ArrayBufferViewPrototypeGetBuffer,
  ArrayBufferViewPrototypeGetByteLength,
  ArrayBufferViewPrototypeGetByteOffset,
  EventTargetPrototypeAddEventListener,
  Number,
  NumberIsInteger,
  Promise,
  PromisePrototypeCatch,
  ReadableByteStreamControllerPrototypeClose,
  ReadableByteStreamControllerPrototypeEnqueue,
  ReadableByteStreamControllerPrototypeGetByobRequest,
  ReadableStream,
  ReadableStreamBYOBRequestPrototypeRespond,
  StringPrototypeLastIndexOf,
  StringPrototypeSlice,
  StringPrototypeStartsWith,
  TypeError,
  Uint8Array,
} from "../primordials.js";

const node = (name) => core.createLazyLoader(`node:${name}`)();

/**
 * Opens a connection.
 * @param {string | { hostname: string, port: number }} address
 * @param {{ secureTransport?: "off" | "on" | "starttls", allowHalfOpen?: boolean }} [options]
 */
export function connect(address, options = {}) {
  const { hostname, port } = addressOf(address);
  const { secureTransport = "off", allowHalfOpen = false } = options;
  if (secureTransport !== "off" && secureTransport !== "on" && secureTransport !== "starttls") {
    throw new TypeError(`Unsupported value in secureTransport socket option: ${secureTransport}`);
  }
  const to = { host: hostname, port, allowHalfOpen };
  const socket = secureTransport === "on"
    ? node("tls").connect({ ...to, servername: serverName(hostname) })
    : node("net").connect(to);
  // It does not outlive what has opened it, as in Workers.
  const owner = currentActor() ?? currentExchange();
  const destroy = () => socket.destroy();
  owner?.onEnd(destroy);
  socket.once("close", () => owner?.offEnd(destroy));
  return new Socket(socket, secureTransport, hostname);
}

function addressOf(address) {
  let hostname, port;
  if (typeof address === "string") {
    const at = StringPrototypeLastIndexOf(address, ":");
    if (at < 0) throw new TypeError("Specified address is missing port.");
    hostname = StringPrototypeSlice(address, 0, at);
    port = StringPrototypeSlice(address, at + 1);
  } else {
    ({ hostname, port } = address ?? {});
  }
  if (typeof hostname !== "string") throw new TypeError("Specified address could not be parsed.");
  if (StringPrototypeStartsWith(hostname, "[")) hostname = StringPrototypeSlice(hostname, 1, -1);
  const number = port === "" ? NaN : Number(port);
  if (hostname === "" || !NumberIsInteger(number) || number < 1 || number > 65535) {
    throw new TypeError("Specified address could not be parsed.");
  }
  return { hostname, port: number };
}

/** The name that TLS asks for; addresses have none. */
function serverName(hostname) {
  return node("net").isIP(hostname) === 0 ? hostname : undefined;
}

class Socket {
  #socket;
  #hostname;
  #readable;
  #writable;
  #opened;
  #closed;
  #ended;
  #secureTransport;
  #isUpgraded = false;

  constructor(socket, secureTransport, hostname) {
    this.#socket = socket;
    this.#hostname = hostname;
    this.#secureTransport = secureTransport;
    const isSecure = secureTransport === "on";
    let isOpen = false, failure;
    socket.on("error", (error) => failure = error);
    this.#opened = new Promise((resolve, reject) => {
      socket.once(isSecure ? "secureConnect" : "connect", () => {
        isOpen = true;
        resolve({
          remoteAddress: `${socket.remoteAddress}:${socket.remotePort}`,
          localAddress: `${socket.localAddress}:${socket.localPort}`,
        });
      });
      socket.once("close", () => reject(failure ?? new TypeError("The socket was closed before it was open.")));
    });
    this.#closed = new Promise((resolve, reject) => {
      this.#ended = resolve;
      socket.once("close", () => failure === undefined ? resolve() : reject(failure));
    });
    // Who does not ask is not told.
    PromisePrototypeCatch(this.#opened, () => {});
    PromisePrototypeCatch(this.#closed, () => {});
    // What was never open has nothing to read; why is for `opened` and `closed`.
    this.#readable = readableOf(socket, () => isOpen ? failure : undefined);
    this.#writable = writableOf(socket);
  }

  get readable() {
    return this.#readable;
  }

  get writable() {
    return this.#writable;
  }

  get opened() {
    return this.#opened;
  }

  get closed() {
    return this.#closed;
  }

  get upgraded() {
    return this.#isUpgraded;
  }

  get secureTransport() {
    return this.#secureTransport;
  }

  async close() {
    this.#socket.destroy();
    await this.#closed;
  }

  /** The same connection with TLS. This socket cannot be used any more. */
  startTls({ expectedServerHostname = this.#hostname } = {}) {
    if (this.#secureTransport !== "starttls") {
      throw new TypeError('The `secureTransport` socket option must be set to "starttls" for startTls to be used.');
    }
    if (this.#isUpgraded) throw new TypeError("The socket was upgraded before.");
    this.#isUpgraded = true;
    this.#ended();
    const secured = node("tls").connect({ socket: this.#socket, servername: serverName(expectedServerHostname) });
    return new Socket(secured, "on", expectedServerHostname);
  }
}

/** The events after which a connection is read again. */
const ENDS_OF_WAIT = ["readable", "end", "close"];

/** What comes. It is read from the connection when it is asked for, so that nothing is taken before TLS begins. */
function readableOf(socket, failure) {
  let settle = null;
  const wake = () => {
    const waiting = settle;
    settle = null;
    waiting?.();
  };
  const stream = new ReadableStream({
    type: "bytes",
    async pull(controller) {
      for (;;) {
        const chunk = socket.read();
        if (chunk !== null) {
          ReadableByteStreamControllerPrototypeEnqueue(controller, new Uint8Array(chunk));
          return;
        }
        if (failure() !== undefined) throw failure();
        if (socket.readableEnded || socket.destroyed) {
          ReadableByteStreamControllerPrototypeClose(controller);
          const request = ReadableByteStreamControllerPrototypeGetByobRequest(controller);
          if (request !== null) ReadableStreamBYOBRequestPrototypeRespond(request, 0);
          return;
        }
        await new Promise((resolve) => {
          settle = resolve;
          for (let i = 0; i < ENDS_OF_WAIT.length; i++) socket.once(ENDS_OF_WAIT[i], wake);
        });
        for (let i = 0; i < ENDS_OF_WAIT.length; i++) socket.off(ENDS_OF_WAIT[i], wake);
      }
    },
    cancel() {
      socket.destroy();
    },
  }, { highWaterMark: 0 });
  return stream;
}

function writableOf(socket) {
  const { WritableStream } = core.loadExtScript("ext:deno_web/06_streams.js");
  const done = (act) => new Promise((resolve, reject) => act((error) => error ? reject(error) : resolve()));
  return new WritableStream({
    start(controller) {
      // An abort also ends a write that waits for the other side.
      EventTargetPrototypeAddEventListener(controller.signal, "abort", () => socket.destroy());
    },
    write(chunk) {
      return done((settle) => socket.write(bytesOf(chunk), settle));
    },
    close() {
      return done((settle) => socket.end(settle));
    },
    abort() {
      socket.destroy();
    },
  });
}

/** The bytes of a buffer or a view, copied: they may be changed while they are written. */
function bytesOf(chunk) {
  if (ArrayBufferIsView(chunk)) {
    const offset = ArrayBufferViewPrototypeGetByteOffset(chunk);
    const view = new Uint8Array(ArrayBufferViewPrototypeGetBuffer(chunk), offset, ArrayBufferViewPrototypeGetByteLength(chunk));
    return new Uint8Array(view);
  }
  if (typeof chunk === "string") throw new TypeError("Only bytes can be written: an ArrayBuffer or a view of one.");
  return new Uint8Array(chunk);
}
