// WebSockets that handlers serve: one end of a WebSocketPair is the handler's, the other goes to the client with
// `new Response(null, { status: 101, webSocket })`.

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

/** The methods of sockets before any handler could replace them. */
const { close: closeSocket, send: sendOn } = WebSocket.prototype;

/** @typedef {string | ArrayBuffer | Close} Message what one end sends to the other */

/** The close of a conversation. */
class Close {
  constructor(code, reason) {
    this.code = code === 0 ? NO_STATUS : code;
    this.reason = reason;
  }
}

/** The ends behind the sockets of pairs. @type {WeakMap<PairedSocket, End>} */
const ends = new SafeWeakMap();

/** One end of a pair, behind its socket. The other end is in this isolate, or the client of an exchange has it. */
class End {
  #far = null;
  /** Messages from before accept(); null from then on. @type {Message[] | null} */
  #held = [];
  /** The client of an exchange has this end. */
  #isGiven = false;
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
    if (this.#isGiven) throw new TypeError(`${method}(): this end of the WebSocketPair went to the client.`);
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

  /** The client that has the other end sent a message. */
  receive(message) {
    if (this.#held !== null) ArrayPrototypePush(this.#held, message);
    else this.#dispatch(message);
  }

  /** The other end in this isolate sent a message, which is dispatched in a later turn. */
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

  /** The client of `exchange` gets this end, if it asked for a WebSocket. */
  giveTo(exchange, headers) {
    if (this.#isGiven || this.#held === null) {
      throw new TypeError("A Response's webSocket is an end that nobody accepted and no other Response has.");
    }
    const { 0: near, 1: held } = [this.#far, this.#held];
    const isOpen = op_answer_socket(exchange.id, headers);
    this.#isGiven = true;
    if (!isOpen) return near[kClosed](1006, "The request did not get a WebSocket.", false);
    // The line lasts as long as the conversation, and carries no envelopes.
    exchange.hold();
    exchange.canJoin = false;
    exchange.socket = near;
    near.#exchange = exchange;
    const line = new Line(exchange);
    near.socket[kCarry](line);
    for (const message of new SafeArrayIterator(held)) line.send(message);
    if (near.#held === null && !exchange.ended) op_websocket_accept(exchange.id);
  }

  /** The client that was to get this end has left. */
  abandon() {
    if (this.#isGiven) return;
    this.#isGiven = true;
    this.#far[kClosed](1006, "The client left.", false);
  }
}

/** The socket of one end. */
class PairedSocket extends WebSocket {
  constructor() {
    super(kUnaddressed);
  }

  /** Begins the conversation: what has come until now is dispatched next. */
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

/** Carries messages to an end in this isolate. @implements {import("./client.js").Carrier} */
class Neighbour {
  #end;

  constructor(end) {
    this.#end = end;
  }

  text(text) {
    this.#end.receiveLater(text);
  }

  bytes(bytes) {
    // The sender may change them afterwards.
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

/** Carries messages to the client of an exchange. @implements {import("./client.js").Carrier} */
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

/** The ends that Responses give away. @type {WeakMap<Response, End>} */
const given = new SafeWeakMap();

/** The web's Response, which here can have a `webSocket`. */
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

/** Answers with a socket: the client gets the end that `response` has. */
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

/** The client that a Response's socket was for has left: closes the other end. */
export function abandonSocket(response) {
  given.get(response)?.abandon();
}

/**
 * For the host: messages came, as `[exchange, message, exchange, message]`. The host delivers again what is
 * not dispatched within `turn` milliseconds.
 */
export function heard(messages, turn) {
  const end = DateNow() + turn;
  for (let i = 0; i < messages.length && (i === 0 || DateNow() <= end); i += 2) {
    // Each message has a turn of its own: promises settle between two.
    if (i > 0) core.runMicrotasks();
    op_messages_heard(i / 2 + 1);
    const exchange = messages[i];
    if (exchange?.socket) inContextOf(exchange, () => exchange.socket.receive(messages[i + 1]));
  }
}
