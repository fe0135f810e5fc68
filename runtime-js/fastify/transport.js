// The way between a request of the host and the application: what came, and the answer. `inject.js` has the other one,
// for requests that the application makes to itself.

import { core, primordials } from "ext:core/mod.js";
import {
  op_answer,
  op_answer_bytes,
  op_answer_stream,
  op_request_collect,
  op_request_has_body,
  op_request_header,
  op_request_headers,
  op_request_peer,
  op_served_again,
  op_served_bytes,
  op_served_control,
  op_served_drop,
  op_served_follow_pings,
  op_served_forget,
  op_served_open,
  op_served_text,
  op_stream_end,
  op_stream_gone,
  op_stream_write,
  op_websocket_accept,
  op_websocket_close,
  op_websocket_unsent,
} from "ext:core/ops";
import { pump } from "ext:liveline/answer/answer.js";
import { kClosed } from "ext:liveline/port/port.js";
import {
  ReadableStreamDefaultReaderPrototypeCancel,
  ReadableStreamDefaultReaderPrototypeRead,
  ReadableStreamDefaultReaderPrototypeReleaseLock,
  ReadableStreamPrototypeCancel,
  ReadableStreamPrototypeGetLocked,
  ReadableStreamPrototypeGetReader,
} from "ext:liveline/primordials.js";
import { readHeaders, writeHeaders } from "ext:liveline/request.js";
import { kMessage } from "ext:liveline_fastify/socket.js";

const {
  ArrayBufferIsView,
  ArrayPrototypePush,
  ArrayPrototypeSplice,
  FunctionPrototypeCall,
  PromisePrototypeCatch,
  PromisePrototypeThen,
  SafeArrayIterator,
  StringPrototypeIndexOf,
  StringPrototypeSlice,
  StringPrototypeStartsWith,
  Symbol,
  SymbolAsyncIterator,
  queueMicrotask,
} = primordials;

/** What both ways have in common. */
export class Transport {
  raw = null;
  originalUrl = null;
  /** Whether the client has left or everything was sent. */
  isOver = false;
  isUpgrade = false;
  /** Whether the answer was a socket. */
  hasSocket = false;
  #listeners = [];
  #waiting = [];
  #isDone = false;

  constructor(method, url) {
    this.method = method;
    this.url = url;
  }

  bytesOf(data) {
    const { Buffer } = node();
    if (typeof data === "string") return Buffer.from(data);
    return Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  }

  concatenated(chunks) {
    return node().joined(chunks);
  }

  lengthOf(payload) {
    return typeof payload === "string" ? node().Buffer.byteLength(payload) : payload.byteLength;
  }

  /** Calls `listener` when the exchange is over. */
  onEnd(listener) {
    this.followEnd();
    if (this.isOver) listener();
    else ArrayPrototypePush(this.#listeners, listener);
  }

  /** For a way on which an end has to be asked for. */
  followEnd() {}

  /** Calls `listener` with the error, if any, when the answer was given to the host. */
  whenDone(listener) {
    if (this.#isDone) listener(null);
    else ArrayPrototypePush(this.#waiting, listener);
  }

  /** The answer was given; calls those who wait for that once. */
  done(error = null) {
    if (this.#isDone) return;
    this.#isDone = true;
    for (const listener of new SafeArrayIterator(ArrayPrototypeSplice(this.#waiting, 0))) listener(error);
  }

  over() {
    if (this.isOver) return;
    this.isOver = true;
    for (const listener of new SafeArrayIterator(ArrayPrototypeSplice(this.#listeners, 0))) listener();
  }

  get isDone() {
    return this.#isDone;
  }
}

/** A request of a client of the host. */
export class HostTransport extends Transport {
  #event;
  #exchange;
  #list = null;
  #resolve;

  /** @param {() => void} resolve ends the host's wait for the answer */
  constructor(event, exchange, url, resolve) {
    super(exchange.method, url);
    this.#event = event;
    this.#exchange = exchange;
    this.#resolve = resolve;
  }

  get exchange() {
    return this.#exchange;
  }

  /** From now on, the end of the exchange is reported. */
  follow(listener) {
    this.#exchange.onEnd(() => {
      this.over();
      listener(this.#exchange.completed);
    });
  }

  followEnd() {
    if (this.#isFollowing) return;
    this.#isFollowing = true;
    this.#exchange.onEnd(() => this.over());
  }
  #isFollowing = false;

  get signal() {
    return this.#exchange.signal;
  }

  get peer() {
    return this.#known(() => op_request_peer(this.#exchange.id), undefined);
  }

  /** What the host has of the request; `otherwise` once it has none any more, because the client has left. */
  #known(read, otherwise) {
    try {
      return read();
    } catch (error) {
      this.followEnd();
      if (this.isOver) return otherwise;
      throw error;
    }
  }

  get isSecure() {
    return StringPrototypeStartsWith(this.#exchange.url, "https:");
  }

  header(name) {
    return this.#known(() => op_request_header(this.#exchange.id, name) ?? undefined, undefined);
  }

  headerList() {
    return this.#list ??= this.#known(() => readHeaders(op_request_headers(this.#exchange.id)), []);
  }

  get hasBody() {
    return this.#known(() => op_request_has_body(this.#exchange.id), false);
  }

  async collect() {
    return this.bytesOf(await op_request_collect(this.#exchange.id));
  }

  /** Without a body once the client has left, and with the headers that were read before. */
  webRequest() {
    this.followEnd();
    if (!this.isOver) return this.#event.request;
    const { Request, URL } = primordials.globalThis;
    return new Request(new URL(this.url, "http://localhost"), { method: this.method, headers: this.headerList() });
  }

  place() {
    const url = this.#known(() => this.#event.url, undefined) ?? new primordials.globalThis.URL(this.url, "http://localhost");
    return { url, address: this.peer ?? "" };
  }

  answer(status, list, payload) {
    const { id } = this.#exchange;
    const headers = writeHeaders(list);
    if (this.raw !== null) settleRaw(this.raw, status);
    try {
      if (payload !== null && ArrayBufferIsView(payload)) op_answer_bytes(id, status, "", headers, payload, true);
      else op_answer(id, status, "", headers, payload ?? "", true, false);
    } catch (error) {
      // The client may have left meanwhile.
      if (!this.#exchange.ended) this.#exchange.fail(error);
    }
    this.done();
    this.#resolve();
  }

  /**
   * Sends a stream. `failed` is called where it failed before its first chunk, `ended` with what became of it.
   */
  answerStream(status, list, source, failed, ended) {
    const { id } = this.#exchange;
    const begin = () => {
      if (this.raw !== null) beginRaw(this.raw, status);
      const stream = op_answer_stream(id, status, "", writeHeaders(list), true);
      this.#resolve();
      return stream;
    };
    if (typeof source.pipe === "function") this.#sendReadable(source, status, begin, failed, ended);
    else this.#sendWebStream(source, status, begin, failed, ended);
  }

  async #sendWebStream(source, status, begin, failed, ended) {
    const exchange = this.#exchange;
    let reader = null, stream;
    exchange.onEnd(() => {
      if (reader !== null) PromisePrototypeCatch(ReadableStreamDefaultReaderPrototypeCancel(reader, undefined), () => {});
    });
    try {
      const first = ReadableStreamPrototypeGetReader(source);
      reader = first;
      const { value, done } = await ReadableStreamDefaultReaderPrototypeRead(first);
      reader = null;
      ReadableStreamDefaultReaderPrototypeReleaseLock(first);
      const bytes = done ? null : this.bytesOf(value);
      stream = begin();
      if (bytes !== null && await op_stream_write(stream, bytes)) {
        await pump(exchange, source, stream);
      } else {
        op_stream_end(stream, null);
        if (!done) PromisePrototypeCatch(ReadableStreamPrototypeCancel(source, undefined), () => {});
      }
    } catch (error) {
      reader = null;
      if (!ReadableStreamPrototypeGetLocked(source)) {
        PromisePrototypeCatch(ReadableStreamPrototypeCancel(source, error), () => {});
      }
      if (stream !== undefined) op_stream_end(stream, error);
      else if (exchange.ended) return;
      else return failed(error);
    }
    ended(null);
    if (this.raw !== null) settleRaw(this.raw, status);
    this.done();
  }

  async #sendReadable(source, status, begin, failed, ended) {
    let stream = null, failure = null;
    try {
      await eachChunk(source, async (chunk) => {
        if (stream === null) {
          stream = begin();
          PromisePrototypeThen(op_stream_gone(stream), () => source.destroy?.());
        }
        // The op keeps the bytes until they are written.
        return await op_stream_write(stream, this.bytesOf(chunk)) ? undefined : false;
      });
      if (stream === null) stream = begin();
    } catch (error) {
      if (stream === null) return this.#exchange.ended ? undefined : failed(error);
      failure = error;
    }
    if (failure !== null && this.#exchange.ended) failure = null;
    op_stream_end(stream, failure);
    ended(failure);
    // Not before: the stream may be the request itself, which ends with its `close`.
    if (this.raw !== null) settleRaw(this.raw, status);
    this.done(failure);
  }

  /** What was answered on Node's object. */
  settleWith(response) {
    if (this.isDone || this.#exchange.ended) return;
    this.#resolve(response);
    this.done();
  }

  failed(error) {
    if (this.isDone || this.#exchange.ended) return;
    this.#exchange.fail(error);
    this.#resolve();
    this.done(error);
  }

  /**
   * Answers with a socket. Returns what carries its messages; null if the client gets none.
   * @returns {import("./socket.js").Carrier | null}
   */
  openSocket(socket, list, maxPayload) {
    const exchange = this.#exchange;
    // The client has left while hooks ran.
    if (exchange.ended) {
      this.done();
      this.#resolve();
      return null;
    }
    const isOpen = op_served_open(exchange.id, writeHeaders(list), maxPayload);
    this.hasSocket = true;
    this.done();
    if (isOpen) {
      exchange.hold();
      exchange.serves({
        receive: (message) => socket[kMessage](message),
        [kClosed]: (code, reason, wasClean) => socket[kClosed](code, reason, wasClean),
      });
      exchange.becomeLive();
    }
    this.#resolve();
    return isOpen ? new Line(exchange.id) : null;
  }
}

/** The string that was sent last in this turn, which the host has encoded. */
let lastText = null;

function forget() {
  lastText = null;
  op_served_forget();
}

/** Carries messages to the client of an exchange. @implements {import("./socket.js").Carrier} */
class Line {
  #id;

  constructor(id) {
    this.#id = id;
  }

  accept() {
    op_websocket_accept(this.#id);
  }

  text(text) {
    if (text === lastText) return op_served_again(this.#id);
    if (lastText === null) queueMicrotask(forget);
    lastText = text;
    op_served_text(this.#id, text);
  }

  bytes(bytes) {
    op_served_bytes(this.#id, bytes);
  }

  close(code, reason) {
    op_websocket_close(this.#id, code, reason);
  }

  drop() {
    op_served_drop(this.#id);
  }

  control(isPong, bytes) {
    op_served_control(this.#id, isPong, bytes);
  }

  followControl() {
    op_served_follow_pings(this.#id);
  }

  unsent() {
    return op_websocket_unsent(this.#id);
  }
}

/** The head of an answer went past Node's response. */
function beginRaw({ res }, status) {
  if (res.headersSent || res.writableEnded) return;
  res.statusCode = status;
  res[kPast] = true;
  primordials.ObjectDefineProperty(res, "headersSent", { __proto__: null, configurable: true, value: true });
}

/** Node's response gets the events of an answer that went past it. */
export function settleRaw({ req, res }, status) {
  if (res.writableEnded || res.headersSent && !res[kPast]) return;
  beginRaw({ res }, status);
  primordials.ObjectDefineProperty(res, "writableEnded", { __proto__: null, configurable: true, value: true });
  primordials.ObjectDefineProperty(res, "writableFinished", { __proto__: null, configurable: true, value: true });
  res.finished = true;
  queueMicrotask(() => {
    res.emit("finish");
    res.emit("close");
    req.emit("close");
  });
}
const kPast = Symbol("past");

let loaded = null;

export function node() {
  return loaded ??= load();
}

function load() {
  const { Buffer } = core.createLazyLoader("node:buffer")();
  return { Buffer, joined: Buffer.concat, toText: Buffer.prototype.toString };
}

/** The text of a Buffer. */
export function textOf(bytes, encoding = "utf8") {
  return FunctionPrototypeCall(node().toText, bytes, encoding);
}

/**
 * Calls `call` with each chunk of a stream, and waits for what it returns. The stream is left where that is false, or
 * where `call` throws.
 */
export async function eachChunk(stream, call) {
  // Streams as they were before Node 10 have none, such as those of form-data.
  let iterated = stream;
  if (stream[SymbolAsyncIterator] === undefined) {
    const { Readable } = core.createLazyLoader("node:stream")().default;
    iterated = new Readable().wrap(stream);
  }
  const iterator = iterated[SymbolAsyncIterator]();
  try {
    while (true) {
      const { value, done } = await iterator.next();
      if (done) return;
      if (await call(value) === false) break;
    }
  } catch (error) {
    await iterator.return?.();
    throw error;
  }
  await iterator.return?.();
}

/** The path and the query of an absolute URL. */
export function targetOf(url) {
  const start = StringPrototypeIndexOf(url, "/", StringPrototypeIndexOf(url, "//") + 2);
  return start === -1 ? "/" : StringPrototypeSlice(url, start);
}

