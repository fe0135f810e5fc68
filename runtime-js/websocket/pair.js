// WebSockets that handlers serve: one end of a WebSocketPair speaks in the handler, the other goes to the client with
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
  kHeard,
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
  ArrayPrototypeForEach,
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

/** @typedef {string | ArrayBuffer | Goodbye} Word what one end says to the other */

class Goodbye {
  constructor(code, reason) {
    this.code = code === 0 ? NO_STATUS : code;
    this.reason = reason;
  }
}

/** The client that has the other end of `end` said something. @type {(end: PairedSocket, word: Word) => void} */
let hear;
/** The other end of `end`, next door, said something. @type {(end: PairedSocket, word: Word) => void} */
let hearLater;
/** The client of `exchange` gets an end, if it asked for one. @type {(end, exchange, headers: string) => void} */
let give;
/** Nobody gets an end. @type {(end: PairedSocket) => void} */
let abandon;
/** Makes two ends of one line. @type {() => [PairedSocket, PairedSocket]} */
let pair;

/** One end of a pair. What it says is heard at the other end in a later turn, or by the client that has the other. */
class PairedSocket extends WebSocket {
  /** The other end. @type {PairedSocket} */
  #far = null;
  /** What came before accept(); null from then on. @type {Word[] | null} */
  #held = [];
  /** It went to a client, as part of an answer. */
  #isGiven = false;
  /** The exchange whose client has the other end. */
  #exchange = null;

  /** Begins the conversation: what has come until now is heard next. */
  accept() {
    this.#checkHere("accept");
    if (this.#held === null) throw new TypeError("accept(): this end of the WebSocketPair was accepted before.");
    const held = this.#held;
    this.#held = null;
    // Listeners may be added after this call.
    queueMicrotask(() => { for (const word of new SafeArrayIterator(held)) this.#take(word); });
    if (this.#exchange !== null) op_websocket_accept(this.#exchange.id);
  }

  send(data) {
    this.#checkHere("send");
    if (this.#held !== null) throw new TypeError("send(): accept() this end of the WebSocketPair first.");
    if (readyStateOf(this) === CLOSING) throw new TypeError("send(): this end of the WebSocketPair said goodbye before.");
    FunctionPrototypeCall(sendOn, this, data);
  }

  close(code = undefined, reason = undefined) {
    this.#checkHere("close");
    FunctionPrototypeCall(closeSocket, this, code, reason);
  }

  #checkHere(method) {
    if (this.#isGiven) throw new TypeError(`${method}(): this end of the WebSocketPair went to the client.`);
  }

  #take(word) {
    if (!(word instanceof Goodbye)) return this[kHeard](word);
    this[kClosed](word.code, word.reason, true);
    this.#far[kClosed](word.code, word.reason, true);
  }

  static {
    hear = (end, word) => {
      if (end.#held !== null) ArrayPrototypePush(end.#held, word);
      else end.#take(word);
    };

    hearLater = (end, word) => {
      if (end.#held !== null) ArrayPrototypePush(end.#held, word);
      else queueMicrotask(() => end.#take(word));
    };

    pair = () => {
      const ends = [new PairedSocket(kUnaddressed), new PairedSocket(kUnaddressed)];
      ArrayPrototypeForEach(ends, (end, index) => {
        end.#far = ends[1 - index];
        end[kCarry](new Neighbour(end.#far));
        takesBuffers(end);
      });
      return ends;
    };

    give = (end, exchange, headers) => {
      if (end.#isGiven || end.#held === null) {
        throw new TypeError("A Response's webSocket is an end that nobody accepted and no other Response has.");
      }
      const { 0: near, 1: said } = [end.#far, end.#held];
      const isOpen = op_answer_socket(exchange.id, headers);
      end.#isGiven = true;
      if (!isOpen) return near[kClosed](1006, "The request did not get a WebSocket.", false);
      // The line is as long as the conversation, and envelopes have no place on it.
      exchange.hold();
      exchange.serves(near);
      near.#exchange = exchange;
      const line = new Line(exchange);
      near[kCarry](line);
      for (const word of new SafeArrayIterator(said)) line.say(word);
      if (near.#held === null && !exchange.ended) op_websocket_accept(exchange.id);
    };

    abandon = (end) => {
      if (end.#isGiven) return;
      end.#isGiven = true;
      end.#far[kClosed](1006, "The client left.", false);
    };
  }
}

/** Carries words to the end next door. @implements {import("./client.js").Carrier} */
class Neighbour {
  #end;

  constructor(end) {
    this.#end = end;
  }

  text(text) {
    hearLater(this.#end, text);
  }

  bytes(bytes) {
    // The sender may change them afterwards.
    if (!ArrayBufferIsView(bytes)) return hearLater(this.#end, ArrayBufferPrototypeSlice(bytes, 0));
    const offset = ArrayBufferViewPrototypeGetByteOffset(bytes);
    const end = offset + ArrayBufferViewPrototypeGetByteLength(bytes);
    hearLater(this.#end, ArrayBufferPrototypeSlice(ArrayBufferViewPrototypeGetBuffer(bytes), offset, end));
  }

  close(code, reason) {
    hearLater(this.#end, new Goodbye(code, reason));
  }

  unsent() {
    return 0;
  }
}

/** Carries words to the client of an exchange. @implements {import("./client.js").Carrier} */
class Line {
  #exchange;

  constructor(exchange) {
    this.#exchange = exchange;
  }

  say(word) {
    if (typeof word === "string") this.text(word);
    else if (word instanceof Goodbye) this.close(word.code, word.reason);
    else this.bytes(word);
  }

  text(text) {
    op_websocket_text(this.#exchange.id, text);
  }

  bytes(bytes) {
    op_websocket_bytes(this.#exchange.id, bytes);
  }

  close(code, reason) {
    const { code: told } = new Goodbye(code, reason);
    op_websocket_close(this.#exchange.id, told, reason);
  }

  unsent() {
    return op_websocket_unsent(this.#exchange.id);
  }
}

class WebSocketPair {
  constructor() {
    const { 0: near, 1: far } = pair();
    this[0] = near;
    this[1] = far;
  }
}

define("WebSocketPair", WebSocketPair);

// -- Responses that open a socket ------------------------------------------------------------------------------------

/** The ends that Responses give away. @type {WeakMap<Response, PairedSocket>} */
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
    if (!(socket instanceof PairedSocket)) throw new TypeError("The webSocket of a Response is an end of a WebSocketPair.");
    const status = ResponsePrototypeGetStatus(response);
    if (status !== 101) throw new RangeError(`A Response with a webSocket has status 101, not ${status}.`);
    given.set(response, socket);
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
      return given.get(this) ?? null;
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
  give(end, exchange, writeHeaders(HeadersPrototypeEntries(ResponsePrototypeGetHeaders(response))));
  exchange.isLive();
}

/** The client that a Response's socket was for is gone: the other end hears of it. */
export function abandonSocket(response) {
  const end = given.get(response);
  if (end !== undefined) abandon(end);
}

/**
 * For the host: messages came, as `[exchange, message, exchange, message]`. What is not taken within `turn` milliseconds
 * the host brings again.
 */
export function heard(messages, turn) {
  const end = DateNow() + turn;
  for (let i = 0; i < messages.length && (i === 0 || DateNow() <= end); i += 2) {
    // Each message has a turn of its own, as far as promises can tell.
    if (i > 0) core.runMicrotasks();
    op_messages_heard(i / 2 + 1);
    const exchange = messages[i];
    if (exchange?.socket) inContextOf(exchange, () => hear(exchange.socket, messages[i + 1]));
  }
}
