// Applications of Node's `(req, res)` kind, such as Express's, as handlers. Requests and answers are Node's own classes;
// the socket between them leads to the exchange instead of a connection.

import { core } from "ext:core/mod.js";
import { op_log_error, op_request_peer } from "ext:core/ops";
import { segmentsOf } from "ext:liveline/dispatch/steps.js";
import { kExchange } from "ext:liveline/event/event.js";
import {
  ArrayBufferViewPrototypeGetBuffer,
  ArrayBufferViewPrototypeGetByteLength,
  ArrayBufferViewPrototypeGetByteOffset,
  ArrayPrototypePush,
  ArrayPrototypeShift,
  Error,
  FunctionPrototypeCall,
  HeadersPrototypeAppend,
  HeadersPrototypeHas,
  ObjectDefineProperties,
  Promise,
  PromisePrototypeCatch,
  PromisePrototypeThen,
  PromiseResolve,
  ReadableStreamDefaultReaderPrototypeCancel,
  ReadableStreamDefaultReaderPrototypeRead,
  ReadableStreamPrototypeGetReader,
  RequestPrototypeGetBody,
  RequestPrototypeGetMethod,
  RequestPrototypeGetUrl,
  Response,
  ResponsePrototypeGetHeaders,
  SafeArrayIterator,
  SafeSet,
  StringPrototypeIndexOf,
  StringPrototypeSlice,
  StringPrototypeSplit,
  StringPrototypeToLowerCase,
  Symbol,
  Uint8Array,
  URL,
  URLPrototypeGetPathname,
  URLPrototypeGetPort,
  URLPrototypeGetProtocol,
  URLPrototypeGetSearch,
} from "ext:liveline/primordials.js";
import { nativeStream } from "ext:liveline/request.js";
import { clearTimeout, setTimeout } from "ext:liveline/timers.js";

/** The answer that a socket or a ServerResponse belongs to. */
const kAnswer = Symbol("answer");

/** The function of a handler that calls an application. The walk goes on where the application calls its `next`. */
export function mount(app) {
  return function mounted(event, next) {
    return new Promise((resolve, reject) => begin(app, this, event, next, resolve, reject));
  };
}

/**
 * Makes Node's objects for a request. What is answered on them becomes a Response, with which `resolve` is called.
 * @param {{ url: URL, address: string }} place where the request came to, and from where
 * @param {{ pathname: string }} step the application's folder
 * @param {{ ended: boolean, onEnd(listener: () => void): void }} exchange
 */
export function connect(request, place, step, exchange, resolve, reject) {
  const { IncomingMessage, ServerResponse, Socket } = node();
  const answer = new Answer(resolve, reject, exchange);
  const socket = new Socket(answer, place);
  const req = new IncomingMessage(socket);
  fill(req, request, step);
  const res = new ServerResponse(req);
  // Express gives both objects other prototypes, so what differs from Node's is on the objects themselves.
  ObjectDefineProperties(res, RESPONSE);
  res.sendDate = false;
  answer.connect(req, res, socket);
  return { req, res, answer };
}

function placeOf(event) {
  return { url: event.url, address: op_request_peer(event[kExchange].id) };
}

function begin(app, step, event, next, resolve, reject) {
  const { req, res, answer } = connect(event.request, placeOf(event), step, event[kExchange], resolve, reject);
  const pass = (error) => {
    if (error !== undefined && error !== null) return answer.fail(error);
    if (!res.headersSent) answer.settle(withHeaders(next(), res));
  };
  const returned = PromisePrototypeThen(PromiseResolve(undefined), () => app(req, res, pass));
  PromisePrototypeCatch(returned, (error) => answer.fail(error));
}

// -- the request -----------------------------------------------------------------------------------------------------

/** Makes `req` the request, with the path below the application's folder. */
function fill(req, request, step) {
  const url = new URL(RequestPrototypeGetUrl(request));
  const pathname = URLPrototypeGetPathname(url);
  const length = lengthOf(pathname, segmentsOf(step.pathname).length);
  const search = URLPrototypeGetSearch(url);
  req.httpVersion = "1.1";
  req.httpVersionMajor = 1;
  req.httpVersionMinor = 1;
  req.method = RequestPrototypeGetMethod(request);
  req.url = (StringPrototypeSlice(pathname, length) || "/") + search;
  req.originalUrl = pathname + search;
  req.baseUrl = StringPrototypeSlice(pathname, 0, length);
  const raw = [];
  for (const { 0: name, 1: value } of new SafeArrayIterator(node().toInnerRequest(request).headerList)) {
    ArrayPrototypePush(raw, name, value);
  }
  req._addHeaderLines(raw, raw.length);
  const body = RequestPrototypeGetBody(request);
  if (body === null) {
    req.complete = true;
    FunctionPrototypeCall(node().push, req, null);
  } else {
    follow(req, body);
  }
}

/** How much of a path its first segments are. */
function lengthOf(pathname, segments) {
  let end = 0;
  for (let i = 0; i < segments; i++) {
    while (pathname[end] === "/") end += 1;
    while (end < pathname.length && pathname[end] !== "/") end += 1;
  }
  return end;
}

/** Reads the body as fast as the application does. */
function follow(req, body) {
  let reader = null;
  req._read = async () => {
    if (!req._consuming) {
      req._readableState.readingMore = false;
      req._consuming = true;
    }
    reader ??= ReadableStreamPrototypeGetReader(body);
    try {
      const { value, done } = await ReadableStreamDefaultReaderPrototypeRead(reader);
      if (done) req.complete = true;
      FunctionPrototypeCall(node().push, req, done ? null : node().bytes(value));
    } catch (error) {
      req.socket[kAnswer].bodyFailed(error);
    }
  };
  req.once("close", () => {
    if (!req.complete && reader !== null) {
      PromisePrototypeCatch(ReadableStreamDefaultReaderPrototypeCancel(reader), () => {});
    }
  });
}

// -- the answer ------------------------------------------------------------------------------------------------------

/** Headers of the connection, which is the host's. */
const OF_CONNECTION = new SafeSet(["connection", "keep-alive", "transfer-encoding"]);
/** Statuses of answers without a body. */
const WITHOUT_BODY = new SafeSet([204, 205, 304]);

/** What a ServerResponse does otherwise than Node's. */
const RESPONSE = {
  __proto__: null,
  _storeHeader: method(function (firstLine, headers) {
    FunctionPrototypeCall(node().storeHeader, this, firstLine, headers);
    // The host decides how the body goes over the connection.
    this.chunkedEncoding = false;
  }),
  _send: method(function (data, encoding, callback) {
    if (!this._headerSent && this._header !== null) {
      this._headerSent = true;
      this.req.socket[kAnswer].begin();
    }
    return this._writeRaw(data, encoding, callback);
  }),
  // The host answers `Expect: 100-continue` when the body is first read; other interim answers are not sent.
  writeContinue: method((callback) => callback?.()),
  writeProcessing: method((callback) => callback?.()),
  writeEarlyHints: method((_, callback) => callback?.()),
  writeInformation: method((_, headers, callback) => (typeof headers === "function" ? headers : callback)?.()),
};

function method(value) {
  return { __proto__: null, configurable: true, value, writable: true };
}

/**
 * What an application answers, on its way to the exchange. Whether that is a whole body or a stream shows at the end
 * of the tick in which its head was sent.
 */
class Answer {
  #resolve;
  #reject;
  #exchange;
  #req;
  #res;
  #socket;
  #chunks = [];
  #isStream = false;
  #isEnded = false;
  #failure = null;
  /** Continues the application's write, which waits until its bytes were sent. */
  #written = null;
  /** Continues the host's read, which waits for bytes. */
  #wanted = null;

  constructor(resolve, reject, exchange) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#exchange = exchange;
  }

  connect(req, res, socket) {
    this.#req = req;
    this.#res = res;
    this.#socket = socket;
    res.assignSocket(socket);
    res.once("finish", () => this.#finished());
    const { kNeedDrain } = node();
    socket.on("drain", () => {
      if (res.finished || !res[kNeedDrain]) return;
      res[kNeedDrain] = false;
      res.emit("drain");
    });
    this.#exchange.onEnd(() => this.#exchangeEnded());
  }

  settle(result) {
    this.#isEnded = true;
    this.#resolve(result);
  }

  /** The application failed, or passed an error on. */
  fail(error) {
    if (this.#isEnded) return op_log_error("the application, after its answer", error);
    if (!this.#res.headersSent && isOfClient(error)) return this.settle(refusal(error));
    if (this.#isStream) return this.#socket.destroy(error);
    this.#isEnded = true;
    this.#reject(error);
  }

  /** The request's body could not be read to its end. The client still gets an answer. */
  bodyFailed(error) {
    // The end of the exchange closes the request.
    if (this.#exchange.ended) return;
    if (error?.name === "QuotaExceededError") error = withStatus(error, 413);
    if (this.#req.listenerCount("error") === 0) this.fail(error);
    else this.#req.emit("error", error);
  }

  /** The application has sent its head. */
  begin() {
    node().nextTick(() => this.#decide());
  }

  #decide() {
    if (this.#isEnded) return;
    const { statusCode, statusMessage, writableEnded } = this.#res;
    const init = { headers: headersOf(this.#res._header), status: statusCode, statusText: statusMessage };
    this.#isStream = !writableEnded && this.#res._hasBody;
    try {
      const body = this.#isStream ? nativeStream(() => this.#read(), () => this.#socket.destroy()) : this.#whole();
      this.#resolve(new Response(WITHOUT_BODY.has(statusCode) ? null : body, init));
    } catch (error) {
      this.#reject(error);
    }
    if (!this.#isStream) this.#isEnded = true;
  }

  #whole() {
    const chunks = this.#chunks;
    return chunks.length < 2 ? chunks[0] ?? null : node().concatenated(chunks);
  }

  /** For the socket. */
  write(chunk, done) {
    if (chunk.length === 0) return done();
    if (this.#wanted !== null) {
      const { resolve } = this.#wanted;
      this.#wanted = null;
      resolve(new Uint8Array(chunk));
      return done();
    }
    ArrayPrototypePush(this.#chunks, chunk);
    if (this.#isStream) this.#written = done;
    else done();
  }

  /**
   * For the host, where the answer is a stream: the next chunk, or null at the end. It is a copy, because the stream
   * detaches the buffers of its chunks, and small Buffers share one.
   */
  async #read() {
    if (this.#chunks.length > 0) {
      const chunk = new Uint8Array(ArrayPrototypeShift(this.#chunks));
      if (this.#chunks.length === 0) this.#goOn();
      return chunk;
    }
    if (this.#failure !== null) throw this.#failure;
    if (this.#isEnded) return null;
    return await new Promise((resolve, reject) => this.#wanted = { resolve, reject });
  }

  #goOn() {
    const written = this.#written;
    this.#written = null;
    written?.();
  }

  #finished() {
    const wasWanted = this.#wanted;
    this.#wanted = null;
    if (this.#isStream) this.#isEnded = true;
    wasWanted?.resolve(null);
    // What is left of a body is the host's to discard.
    if (this.#req.complete && !this.#req._consuming) this.#req._dump();
    this.#socket.destroy();
  }

  /** For the socket: it was destroyed. */
  closed(error) {
    if (this.#isEnded || this.#res.writableFinished || this.#exchange.ended) return;
    this.#isEnded = true;
    const failure = error ?? new Error("the application closed its connection before the end of its answer");
    this.#failure = failure;
    if (!this.#isStream) return this.#reject(failure);
    this.#wanted?.reject(failure);
    this.#wanted = null;
  }

  #exchangeEnded() {
    if (!this.#res.writableFinished) this.#req.destroy(reset());
    this.#socket.destroy();
  }
}

/** The headers in the text of a head. */
function headersOf(text) {
  const lines = StringPrototypeSplit(text, "\r\n");
  const headers = [];
  // The first line is the status, and an empty one ends the head.
  for (let i = 1; i < lines.length - 2; i++) {
    const colon = StringPrototypeIndexOf(lines[i], ":");
    const name = StringPrototypeSlice(lines[i], 0, colon);
    if (OF_CONNECTION.has(StringPrototypeToLowerCase(name))) continue;
    ArrayPrototypePush(headers, [name, StringPrototypeSlice(lines[i], colon + 2)]);
  }
  return headers;
}

/** The result of the next step, with what the application has set before, such as cookies, where it is a Response. */
async function withHeaders(result, res) {
  const response = await result;
  if (!(response instanceof Response)) return response;
  const headers = ResponsePrototypeGetHeaders(response);
  for (const name of new SafeArrayIterator(res.getHeaderNames())) {
    if (name === "x-powered-by" || (name !== "set-cookie" && HeadersPrototypeHas(headers, name))) continue;
    const value = res.getHeader(name);
    const values = typeof value === "object" ? value : [value];
    for (let i = 0; i < values.length; i++) HeadersPrototypeAppend(headers, name, values[i]);
  }
  return response;
}

// -- errors ----------------------------------------------------------------------------------------------------------

/** Whether an error says that the request was wrong, as those of Express's parsers do. */
function isOfClient(error) {
  const status = error?.status ?? error?.statusCode;
  return typeof status === "number" && status >= 400 && status < 500;
}

function refusal(error) {
  const status = error.status ?? error.statusCode;
  return new Response(`${node().STATUS_CODES[status] ?? "Bad Request"}\n`, { headers: error.headers ?? {}, status });
}

function withStatus(cause, status) {
  const error = new Error(cause.message, { cause });
  error.status = error.statusCode = status;
  return error;
}

function reset() {
  const error = new Error("aborted");
  error.code = "ECONNRESET";
  return error;
}

// -- what is Node's --------------------------------------------------------------------------------------------------

let loaded = null;

/** Node's classes, loaded for the first request of a mounted application. */
function node() {
  return loaded ??= load();
}

function load() {
  const { IncomingMessage, OutgoingMessage, ServerResponse, STATUS_CODES } = core.createLazyLoader("node:http")().default;
  const { Duplex, Readable } = core.createLazyLoader("node:stream")().default;
  const { Buffer } = core.createLazyLoader("node:buffer")();
  return {
    __proto__: null,
    IncomingMessage,
    ServerResponse,
    STATUS_CODES,
    Socket: socketClass(Duplex),
    bytes: (view) =>
      Buffer.from(
        ArrayBufferViewPrototypeGetBuffer(view),
        ArrayBufferViewPrototypeGetByteOffset(view),
        ArrayBufferViewPrototypeGetByteLength(view),
      ),
    concatenated: Buffer.concat,
    kNeedDrain: core.loadExtScript("ext:deno_node/internal/http.ts").kNeedDrain,
    nextTick: core.loadExtScript("ext:deno_node/_next_tick.ts").nextTick,
    push: Readable.prototype.push,
    storeHeader: OutgoingMessage.prototype._storeHeader,
    toInnerRequest: core.loadExtScript("ext:deno_fetch/23_request.js").toInnerRequest,
  };
}

/** A socket that leads to an exchange. There is one for each request. */
function socketClass(Duplex) {
  return class Socket extends Duplex {
    #timer = undefined;

    constructor(answer, { url, address }) {
      super({ autoDestroy: false });
      this[kAnswer] = answer;
      this.encrypted = URLPrototypeGetProtocol(url) === "https:";
      this.remoteAddress = address;
      this.remoteFamily = StringPrototypeIndexOf(this.remoteAddress, ":") === -1 ? "IPv4" : "IPv6";
      this.localPort = +URLPrototypeGetPort(url) || (this.encrypted ? 443 : 80);
      this.readyState = "open";
      this.connecting = false;
      this.timeout = 0;
    }

    _read() {}

    _write(chunk, encoding, done) {
      if (this.#timer !== undefined) this.setTimeout(this.timeout);
      this[kAnswer].write(chunk, done);
    }

    _destroy(error, done) {
      clearTimeout(this.#timer);
      this[kAnswer].closed(error);
      done(null);
    }

    setTimeout(time, callback = undefined) {
      clearTimeout(this.#timer);
      this.#timer = time > 0 ? setTimeout(() => this.#timedOut(), time) : undefined;
      this.timeout = time;
      if (callback !== undefined) this.once("timeout", callback);
      return this;
    }

    #timedOut() {
      const res = this._httpMessage;
      const isHandled = [this.emit("timeout"), res?.req.emit("timeout"), res?.emit("timeout")];
      if (!isHandled[0] && !isHandled[1] && !isHandled[2]) this.destroy();
    }

    address() {
      return { address: "", family: this.remoteFamily, port: this.localPort };
    }

    setKeepAlive() {
      return this;
    }

    setNoDelay() {
      return this;
    }

    destroySoon() {
      this.destroy();
    }

    ref() {
      return this;
    }

    unref() {
      return this;
    }
  };
}
