// The socket of an `upgrade` event. A library such as ws writes the head of its answer and WebSocket frames to it as
// bytes, and reads the client's frames from it. The host speaks WebSocket itself, so this takes the bytes apart and puts
// them together again.

import { core, primordials } from "ext:core/mod.js";
import { kClosed } from "ext:liveline/port/port.js";
import { kMessage } from "ext:liveline_fastify/socket.js";
import { node, textOf } from "ext:liveline_fastify/transport.js";

const {
  ArrayIsArray,
  ArrayPrototypePush,
  Error,
  FunctionPrototypeCall,
  NumberParseInt,
  StringPrototypeIndexOf,
  StringPrototypeSlice,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
  StringPrototypeToLowerCase,
  StringPrototypeTrim,
} = primordials;

const TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10;

/** The most bytes of a client's message; the library has a limit of its own. */
const LONGEST = 100 * 1024 * 1024;
/** The most bytes of an answer's head. */
const LONGEST_HEAD = 64 * 1024;

let made = null;

export function upgradeSocket(transport, address) {
  made ??= make(core.createLazyLoader("node:stream")().default.Duplex);
  return new made(transport, address);
}

/** A frame of a client, with a mask that changes nothing. */
function clientFrame(kind, payload) {
  const { Buffer } = node();
  const { length } = payload;
  const extra = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const frame = Buffer.alloc(6 + extra + length);
  frame[0] = 0x80 | kind;
  if (extra === 0) frame[1] = 0x80 | length;
  else if (extra === 2) {
    frame[1] = 0x80 | 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 0x80 | 127;
    frame.writeUInt32BE(primordials.MathTrunc(length / 4_294_967_296), 2);
    frame.writeUInt32BE(length % 4_294_967_296, 6);
  }
  payload.copy(frame, 6 + extra);
  return frame;
}

function make(Duplex) {
  const { push } = Duplex.prototype;
  return class UpgradeSocket extends Duplex {
    #transport;
    /** Bytes that are not complete. */
    #rest = node().Buffer.alloc(0);
    /** @type {import("./socket.js").Carrier | null} */
    #carrier = null;
    /** The parts of a message that comes in several frames. */
    #parts = [];
    #kind = 0;
    #isClosed = false;

    constructor(transport, address) {
      super({ autoDestroy: true, allowHalfOpen: false });
      this.#transport = transport;
      this.remoteAddress = address;
      this.remoteFamily = StringPrototypeIndexOf(address, ":") === -1 ? "IPv4" : "IPv6";
      this.encrypted = transport.isSecure;
      this.connecting = false;
    }

    _read() {}

    _write(chunk, _, done) {
      this.#rest = this.#rest.length === 0 ? chunk : node().joined([this.#rest, chunk]);
      try {
        if (this.#carrier === null) this.#head();
        if (this.#carrier !== null) this.#frames();
        done();
      } catch (error) {
        done(error);
      }
    }

    _final(done) {
      if (this.#carrier === null) this.#refuse();
      else if (!this.#isClosed) this.#carrier.close(1005, "");
      done();
    }

    _destroy(error, done) {
      if (this.#carrier === null) {
        if (!this.#transport.isDone) this.#refuse();
      } else if (!this.#isClosed) {
        this.#isClosed = true;
        this.#carrier.drop();
      }
      done(error);
    }

    /** The head of the answer. */
    #head() {
      const end = headEnd(this.#rest);
      if (end === -1) {
        if (this.#rest.length > LONGEST_HEAD) throw new Error("the head of the answer to an upgrade is too long");
        return;
      }
      const { status, list } = headOf(textOf(part(this.#rest, 0, end), "latin1"));
      // A refusal is answered at its end.
      if (status !== 101) return;
      this.#rest = part(this.#rest, end + 4);
      const socket = {
        [kMessage]: (message) => this.#receive(message),
        [kClosed]: (code, reason, wasClean) => this.#closed(code, reason, wasClean),
      };
      const carrier = this.#transport.openSocket(socket, list, LONGEST);
      if (carrier === null) throw new Error("the client asked for no WebSocket");
      this.#carrier = carrier;
      carrier.accept();
    }

    /** The library answers without a socket. */
    #refuse() {
      if (this.#transport.isDone) return;
      const end = headEnd(this.#rest);
      if (end === -1) return this.#transport.answer(400, [], null);
      const { status, list } = headOf(textOf(part(this.#rest, 0, end), "latin1"));
      this.#transport.answer(status === 101 ? 400 : status, list, part(this.#rest, end + 4));
    }

    /** Sends the frames that are complete. */
    #frames() {
      let at = 0;
      const bytes = this.#rest;
      while (bytes.length - at >= 2) {
        const first = bytes[at], isMasked = (bytes[at + 1] & 0x80) !== 0;
        let length = bytes[at + 1] & 0x7f, start = at + 2;
        if (length === 126) {
          if (bytes.length < start + 2) break;
          length = bytes.readUInt16BE(start);
          start += 2;
        } else if (length === 127) {
          if (bytes.length < start + 8) break;
          length = bytes.readUInt32BE(start) * 4_294_967_296 + bytes.readUInt32BE(start + 4);
          start += 8;
        }
        if (isMasked) throw new Error("a server's frame has no mask");
        if (bytes.length < start + length) break;
        this.#send(first & 0x0f, (first & 0x80) !== 0, part(bytes, start, start + length));
        at = start + length;
      }
      this.#rest = part(bytes, at);
    }

    #send(kind, isLast, payload) {
      if (kind === PING) {
        this.#carrier.followControl();
        return this.#carrier.control(false, payload);
      }
      // The host answers the client's pings.
      if (kind === PONG) return;
      if (kind === CLOSE) {
        const code = payload.length < 2 ? 1005 : payload.readUInt16BE(0);
        return this.#carrier.close(code, textOf(part(payload, 2)));
      }
      if (kind !== 0) this.#kind = kind;
      if (!isLast || this.#parts.length > 0) ArrayPrototypePush(this.#parts, node().Buffer.from(payload));
      if (!isLast) return;
      const whole = this.#parts.length === 0 ? payload : node().joined(this.#parts);
      this.#parts = [];
      if (this.#kind === TEXT) this.#carrier.text(textOf(whole));
      else this.#carrier.bytes(whole);
    }

    #receive(message) {
      if (this.destroyed) return;
      if (ArrayIsArray(message)) {
        if (message[0]) FunctionPrototypeCall(push, this, clientFrame(PONG, node().Buffer.from(message[1])));
        return;
      }
      const isText = typeof message === "string";
      FunctionPrototypeCall(push, this, clientFrame(isText ? TEXT : BINARY, node().Buffer.from(message)));
    }

    #closed(code, reason, wasClean) {
      if (this.#isClosed) return;
      this.#isClosed = true;
      if (this.destroyed) return;
      if (wasClean) {
        const { Buffer } = node();
        const text = Buffer.from(reason ?? "");
        const payload = code === 1005 ? Buffer.alloc(0) : node().joined([Buffer.from([code >> 8, code & 255]), text]);
        FunctionPrototypeCall(push, this, clientFrame(CLOSE, payload));
      }
      FunctionPrototypeCall(push, this, null);
    }

    setTimeout(_, callback = undefined) {
      if (callback !== undefined) this.once("timeout", callback);
      return this;
    }

    setNoDelay() {
      return this;
    }

    setKeepAlive() {
      return this;
    }

    address() {
      return { address: "", family: this.remoteFamily, port: 0 };
    }

    ref() {
      return this;
    }

    unref() {
      return this;
    }
  };
}

/** Where the head of an answer ends; -1 if it is not complete. */
function headEnd(bytes) {
  return StringPrototypeIndexOf(textOf(bytes, "latin1"), "\r\n\r\n");
}

/** Some of the bytes of a Buffer. */
function part(bytes, start, end = bytes.length) {
  return node().Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
}

/** The status and the headers in the text of a head, without those of the connection and of the handshake. */
function headOf(text) {
  const lines = StringPrototypeSplit(text, "\r\n");
  const status = NumberParseInt(StringPrototypeSplit(lines[0], " ")[1], 10) || 400;
  const list = [];
  for (let i = 1; i < lines.length; i++) {
    const colon = StringPrototypeIndexOf(lines[i], ":");
    if (colon === -1) continue;
    const name = StringPrototypeToLowerCase(StringPrototypeTrim(StringPrototypeSlice(lines[i], 0, colon)));
    const isOfHost = name === "connection" || name === "upgrade" || name === "content-length" || name === "transfer-encoding" ||
      (StringPrototypeStartsWith(name, "sec-websocket-") && name !== "sec-websocket-protocol");
    if (!isOfHost) ArrayPrototypePush(list, [name, StringPrototypeTrim(StringPrototypeSlice(lines[i], colon + 1))]);
  }
  return { status, list };
}
