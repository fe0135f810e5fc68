// WebSockets that handlers serve: the handler keeps one end of a WebSocketPair, and `new Response(null, { status: 101,
// webSocket })` sends the other to the client.

import { core } from "ext:core/mod.js";
import {
  op_answer_socket,
  op_messages_heard,
  op_websocket_accept,
  op_websocket_bytes,
  op_websocket_close,
  op_websocket_text,
  op_websocket_unsent,
} from "ext:core/ops";
import { define, defineLazy } from "../globals.js";
import { inContextOf } from "../exchange.js";
import { writeHeaders } from "../request.js";
import {
  CLOSING,
  kCarry,
  kReceive,
  kUnaddressed,
  NO_STATUS,
  readyStateOf,
  takesBuffers,
  WebSocket,
} from "./client.js";
import { dropStaleLength, followHeads, redirectOf } from "../answer/response_heads.js";
import { kClosed } from "../port/port.js";
import {
  ArrayBufferIsView,
  ArrayBufferPrototypeSlice,
  ArrayBufferViewPrototypeGetBuffer,
  ArrayBufferViewPrototypeGetByteLength,
  ArrayBufferViewPrototypeGetByteOffset,
  ArrayPrototypePush,
  DateNow,
  FunctionPrototypeCall,
  HeadersPrototypeEntries,
  ObjectDefineProperty,
  ObjectSetPrototypeOf,
  queueMicrotask,
  RangeError,
  ReflectConstruct,
  ResponsePrototypeGetHeaders,
  ResponsePrototypeGetStatus,
  SafeArrayIterator,
  SafeWeakMap,
  TypeError,
} from "../primordials.js";

/** The methods of sockets, read before any handler could replace them. */
const { close: closeSocket, send: sendOn } = WebSocket.prototype;

/** @typedef {string | ArrayBuffer | Close} Message a message from one end to the other */

/** A close frame, as a message. */
class Close {
  constructor(code, reason) {
    this.code = code === 0 ? NO_STATUS : code;
    this.reason = reason;
  }
}

/** The end behind each socket of a pair. @type {WeakMap<PairedSocket, End>} */
const ends = new SafeWeakMap();

/** One end of a pair, behind its socket. The other end is in this isolate, or was sent to the client of an exchange. */
class End {
  #far = null;
  /** Messages that came before accept(); null after it. @type {Message[] | null} */
  #held = [];
  /** Whether this end was sent to the client of an exchange. */
  #isSent = false;
  /** The exchange whose client has the other end. */
  #exchange = null;

  constructor() {
    this.socket = new PairedSocket();
    ends.set(this.socket, this);
    takesBuffers(this.socket);
  }

  /** Makes this the other end of `far`. */
  connect(far) {
    this.#far = far;
    this.socket[kCarry](new Neighbour(far));
  }

  checkHere(method) {
    if (this.#isSent) throw new TypeError(`${method}(): this end of the WebSocketPair went to the client.`);
  }

  checkOpen() {
    this.checkHere("send");
    if (this.#held !== null) throw new TypeError("send(): accept() this end of the WebSocketPair first.");
    if (readyStateOf(this.socket) === CLOSING) {
      throw new TypeError("send(): this end of the WebSocketPair said goodbye before.");
    }
  }

  accept() {
    this.checkHere("accept");
    if (this.#held === null) throw new TypeError("accept(): this end of the WebSocketPair was accepted before.");
    const held = this.#held;
    this.#held = null;
    // Listeners may be added after this call.
    queueMicrotask(() => { for (const message of new SafeArrayIterator(held)) this.#dispatch(message); });
    if (this.#exchange !== null) op_websocket_accept(this.#exchange.id);
  }

  /** Receives a message of the client that has the other end. */
  receive(message) {
    if (this.#held !== null) ArrayPrototypePush(this.#held, message);
    else this.#dispatch(message);
  }

  /** Receives a message of the other end, which is in this isolate, and dispatches it in a later turn. */
  receiveLater(message) {
    if (this.#held !== null) ArrayPrototypePush(this.#held, message);
    else queueMicrotask(() => this.#dispatch(message));
  }

  #dispatch(message) {
    if (!(message instanceof Close)) return this.socket[kReceive](message);
    this[kClosed](message.code, message.reason, true);
    this.#far[kClosed](message.code, message.reason, true);
  }

  [kClosed](code, reason, wasClean) {
    this.socket[kClosed](code, reason, wasClean);
  }

  /** Sends this end to the client of `exchange`, if its request was for a WebSocket. */
  giveTo(exchange, headers) {
    if (this.#isSent || this.#held === null) {
      throw new TypeError("A Response's webSocket is an end that nobody accepted and no other Response has.");
    }
    const { 0: near, 1: held } = [this.#far, this.#held];
    const isOpen = op_answer_socket(exchange.id, headers);
    this.#isSent = true;
    if (!isOpen) return near[kClosed](1006, "The request did not get a WebSocket.", false);
    // The line stays open as long as the socket, and carries no envelopes.
    exchange.hold();
    exchange.canJoin = false;
    exchange.socket = near;
    near.#exchange = exchange;
    const line = new Line(exchange);
    near.socket[kCarry](line);
    for (const message of new SafeArrayIterator(held)) line.send(message);
    if (near.#held === null && !exchange.ended) op_websocket_accept(exchange.id);
  }

  /** The client to which this end was to be sent has left. */
  abandon() {
    if (this.#isSent) return;
    this.#isSent = true;
    this.#far[kClosed](1006, "The client left.", false);
  }
}

/** The socket of one end. */
class PairedSocket extends WebSocket {
  constructor() {
    super(kUnaddressed);
  }

  /** Begins to dispatch messages, those that came before first. */
  accept() {
    ends.get(this).accept();
  }

  send(data) {
    ends.get(this).checkOpen();
    FunctionPrototypeCall(sendOn, this, data);
  }

  close(code = undefined, reason = undefined) {
    ends.get(this).checkHere("close");
    FunctionPrototypeCall(closeSocket, this, code, reason);
  }
}

/** Carries messages to an end in this isolate. @implements {import("./client.js").Transport} */
class Neighbour {
  #end;

  constructor(end) {
    this.#end = end;
  }

  text(text) {
    this.#end.receiveLater(text);
  }

  bytes(bytes) {
    // A copy, because the sender may change the bytes afterwards.
    if (!ArrayBufferIsView(bytes)) return this.#end.receiveLater(ArrayBufferPrototypeSlice(bytes, 0));
    const offset = ArrayBufferViewPrototypeGetByteOffset(bytes);
    const end = offset + ArrayBufferViewPrototypeGetByteLength(bytes);
    this.#end.receiveLater(ArrayBufferPrototypeSlice(ArrayBufferViewPrototypeGetBuffer(bytes), offset, end));
  }

  close(code, reason) {
    this.#end.receiveLater(new Close(code, reason));
  }

  unsent() {
    return 0;
  }
}

/** Carries messages to the client of an exchange. @implements {import("./client.js").Transport} */
class Line {
  #exchange;

  constructor(exchange) {
    this.#exchange = exchange;
  }

  send(message) {
    if (typeof message === "string") this.text(message);
    else if (message instanceof Close) this.close(message.code, message.reason);
    else this.bytes(message);
  }

  text(text) {
    op_websocket_text(this.#exchange.id, text);
  }

  bytes(bytes) {
    op_websocket_bytes(this.#exchange.id, bytes);
  }

  close(code, reason) {
    const { code: status } = new Close(code, reason);
    op_websocket_close(this.#exchange.id, status, reason);
  }

  unsent() {
    return op_websocket_unsent(this.#exchange.id);
  }
}

class WebSocketPair {
  constructor() {
    const { 0: near, 1: far } = [new End(), new End()];
    near.connect(far);
    far.connect(near);
    this[0] = near.socket;
    this[1] = far.socket;
  }
}

define("WebSocketPair", WebSocketPair);

// -- Responses that open a socket ------------------------------------------------------------------------------------

/** The end of each Response that has a socket. @type {WeakMap<Response, End>} */
const given = new SafeWeakMap();

/** The web's Response, extended by a `webSocket`. */
defineLazy("Response", () => {
  const { Response: Plain } = core.loadExtScript("ext:deno_fetch/23_response.js");
  function Response(body = null, init = undefined) {
    if (new.target === undefined) throw new TypeError("Response is a class: new Response(...)");
    const response = new.target === Response ? new Plain(body, init) : ReflectConstruct(Plain, [body, init], new.target);
    if (typeof init === "object" && init !== null) dropStaleLength(response, body, init, Plain, toInnerResponse);
    const socket = init?.webSocket ?? null;
    if (socket === null) return response;
    const end = ends.get(socket);
    if (end === undefined) throw new TypeError("The webSocket of a Response is an end of a WebSocketPair.");
    const status = ResponsePrototypeGetStatus(response);
    if (status !== 101) throw new RangeError(`A Response with a webSocket has status 101, not ${status}.`);
    given.set(response, end);
    return response;
  }
  const toInnerResponse = followHeads(Plain);
  ObjectSetPrototypeOf(Response, Plain);
  const { redirect: absolutely } = Plain;
  const redirect = redirectOf(absolutely);
  ObjectDefineProperty(Response, "redirect", { configurable: true, enumerable: true, value: redirect, writable: true });
  ObjectDefineProperty(Response, "prototype", { value: Plain.prototype, writable: false });
  ObjectDefineProperty(Plain.prototype, "constructor", { configurable: true, value: Response, writable: true });
  ObjectDefineProperty(Plain.prototype, "webSocket", {
    configurable: true,
    enumerable: true,
    get() {
      return given.get(this)?.socket ?? null;
    },
  });
  return Response;
});

/** Answers with a socket: sends the end that `response` has to the client. */
export function answerSocket(exchange, response) {
  const end = given.get(response);
  if (end === undefined) {
    throw new TypeError(
      "A Response with status 101 needs the end of a WebSocketPair that the client gets: " +
        "new Response(null, { status: 101, webSocket }).",
    );
  }
  end.giveTo(exchange, writeHeaders(HeadersPrototypeEntries(ResponsePrototypeGetHeaders(response))));
  exchange.isLive();
}

/** The client that was to receive a Response's socket has left: closes the other end. */
export function abandonSocket(response) {
  given.get(response)?.abandon();
}

/**
 * For the host: messages came, as `[exchange, message, exchange, message]`. The host delivers those again that are not
 * dispatched within `turn` milliseconds.
 */
export function heard(messages, turn) {
  const end = DateNow() + turn;
  for (let i = 0; i < messages.length && (i === 0 || DateNow() <= end); i += 2) {
    // Each message has a turn of its own: promises settle before the next.
    if (i > 0) core.runMicrotasks();
    op_messages_heard(i / 2 + 1);
    const exchange = messages[i];
    if (exchange?.socket) inContextOf(exchange, () => exchange.socket.receive(messages[i + 1]));
  }
}
