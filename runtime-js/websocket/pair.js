// WebSockets that handlers serve: the handler keeps one end of a WebSocketPair, and `new Response(null, { status: 101,
// webSocket })` sends the other to the client.

import { core } from "ext:core/mod.js";
import {
  op_actor_attachment,
  op_actor_end_accept,
  op_actor_end_again,
  op_actor_end_attach,
  op_actor_end_bytes,
  op_actor_end_close,
  op_actor_end_text,
  op_actor_pipe,
  op_actor_set_attachment,
  op_answer_socket,
  op_answer_socket_end,
  op_websocket_accept,
  op_websocket_bytes,
  op_websocket_close,
  op_websocket_room,
  op_websocket_text,
  op_websocket_unsent,
} from "ext:core/ops";
import { define, defineLazy } from "../globals.js";
import { limitsOf, settings } from "../actor/classes.js";
import { currentActor } from "../actor/context.js";
import { domException } from "../errors/exceptions.js";
import { inContextOf } from "../exchange.js";
import { writeHeaders } from "../request.js";
import {
  CLOSING,
  kCarry,
  kClose,
  kReceive,
  kUnaddressed,
  NO_STATUS,
  readyStateOf,
  takesBuffers,
  WebSocket,
} from "./client.js";
import { formats, noteEncoding } from "../answer/encoding.js";
import { dropStaleLength, followHeads, redirectOf } from "../answer/response_heads.js";
import { kClosed } from "../port/port.js";
import {
  ArrayBufferIsView,
  ArrayBufferPrototypeSlice,
  ArrayBufferViewPrototypeGetBuffer,
  ArrayBufferViewPrototypeGetByteLength,
  ArrayBufferViewPrototypeGetByteOffset,
  ArrayPrototypeIncludes,
  ArrayPrototypePush,
  Error,
  EventTargetPrototypeAddEventListener,
  FunctionPrototypeCall,
  globalThis,
  HeadersPrototypeEntries,
  MathTrunc,
  Number,
  ObjectDefineProperty,
  ObjectKeys,
  ObjectSetPrototypeOf,
  Promise,
  queueMicrotask,
  RangeError,
  ReflectConstruct,
  ResponsePrototypeGetHeaders,
  ResponsePrototypeGetStatus,
  SafeArrayIterator,
  SafeMap,
  SafeWeakMap,
  TypeError,
} from "../primordials.js";

/** The methods of sockets, read before any handler could replace them. */
const { close: closeSocket, send: sendOn } = WebSocket.prototype;

/** @typedef {string | ArrayBuffer | Close} Message a message from one end to the other */

/** A close frame, as a message. */
class Close {
  constructor(code, reason, wasClean = true) {
    this.code = code === 0 ? NO_STATUS : code;
    this.reason = reason;
    this.wasClean = wasClean;
  }
}

/** The end behind a socket of a pair; undefined of anything else. @type {(socket: unknown) => End | undefined} */
let endOf;

/** The ends of pipes that this isolate receives messages for, by number. @type {Map<number, End>} */
const attached = new SafeMap();

/** The number by which the host knows code that belongs to no actor. */
const NO_ACTOR = -1;

const FAR_IS_GONE = "The other end of this WebSocketPair went to a client, so this one stays here.";

const UNLIMITED = { __proto__: null, maxSockets: 0, messageRate: 0 };

/** The longest attachment of a socket, in bytes. */
const MAX_ATTACHMENT = 16_384;

/**
 * One end of a pair, behind its socket. The other end is in this isolate, or was sent to the client of an exchange, or
 * is elsewhere: then a pipe of the host is between them.
 */
class End {
  #far = null;
  /** Messages that came before accept(); null after it. @type {Message[] | null} */
  #held = [];
  /** Whether this end was sent to the client of an exchange, or elsewhere. */
  #isSent = false;
  /** Resolves those who wait until this end is accepted, sent or closed. @type {(() => void)[] | null} */
  #waiting = null;
  /** The exchange whose client has the other end. */
  #exchange = null;
  /** The number of this end of a pipe; -1 if there is none. */
  #pipe = -1;
  /** The actor that accepted this end. */
  #actor = undefined;
  /** Whether its actor may hibernate with it. */
  #hibernates = false;
  /** What was attached before an actor accepted it, as bytes. */
  #attachment = null;
  /** The async context in which messages are received. */
  #context = undefined;

  constructor() {
    this.socket = new PairedSocket(this);
    if (settings.binaryType === "arraybuffer") takesBuffers(this.socket);
  }

  /** Makes this the other end of `far`. */
  connect(far) {
    this.#far = far;
    this.socket[kCarry](new Neighbour(far));
  }

  /** The number of this end of a pipe; -1 if there is none. */
  get pipe() {
    return this.#pipe;
  }

  /** The actor that accepted it, for what leaves that. */
  get instance() {
    return this.#actor?.ended === false ? this.#actor.number : NO_ACTOR;
  }

  /** Resolves when this end is accepted, sent or closed: before that, what comes is held here. */
  async whenTaken() {
    if (this.#held === null || this.#isSent || readyStateOf(this.socket) >= CLOSING) return;
    await new Promise((resolve) => ArrayPrototypePush(this.#waiting ??= [], resolve));
  }

  #resolveWaiting() {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting !== null) for (const resolve of new SafeArrayIterator(waiting)) resolve();
  }

  /** Resolves when the other end takes as many bytes more. Between isolates nothing is awaited. */
  async whenRoomFor(bytes) {
    if (this.#far !== null) await this.#far.whenTaken();
    if (this.#exchange !== null) await op_websocket_room(this.#exchange.id, bytes);
  }

  checkHere(method) {
    if (this.#isSent) throw new TypeError(`${method}(): this end of the WebSocketPair went to the client.`);
  }

  #checkUnused() {
    if (this.#isSent || this.#held === null) {
      throw new TypeError("A Response's webSocket is an end that nobody accepted and no other Response has.");
    }
  }

  checkOpen() {
    this.checkHere("send");
    if (this.#held !== null) throw new TypeError("send(): accept() this end of the WebSocketPair first.");
    if (readyStateOf(this.socket) === CLOSING) {
      throw new TypeError("send(): this end of the WebSocketPair has sent a close frame already.");
    }
  }

  accept() {
    this.checkHere("accept");
    if (this.#held === null) throw new TypeError("accept(): this end of the WebSocketPair was accepted before.");
    const held = this.#held;
    this.#held = null;
    this.#resolveWaiting();
    this.#actor = currentActor();
    this.#context = core.getAsyncContext();
    this.#actor?.accepted(this);
    // Listeners may be added after this call.
    queueMicrotask(() => { for (const message of new SafeArrayIterator(held)) this.#dispatch(message); });
    if (this.#pipe >= 0) this.#attach();
    if (this.#exchange !== null) op_websocket_accept(this.#exchange.id);
  }

  #attach() {
    attached.set(this.#pipe, this);
    const instance = this.instance;
    const { maxSockets, messageRate } = instance === NO_ACTOR ? UNLIMITED : limitsOf(this.#actor.className);
    op_actor_end_attach(instance, this.#pipe, messageRate, maxSockets);
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
    this.#far?.[kClosed](message.code, message.reason, true);
  }

  [kClosed](code, reason, wasClean) {
    this.#actor?.lost(this);
    if (this.#pipe >= 0) attached.delete(this.#pipe);
    this.socket[kClosed](code, reason, wasClean);
    this.#resolveWaiting();
  }

  // -- pipes ---------------------------------------------------------------------------------------------------------

  /** From now on the other end is behind this end of a pipe. */
  usePipe(pipe) {
    this.#far = null;
    this.#sendThrough(pipe);
    if (this.#held === null) this.#attach();
  }

  #sendThrough(pipe) {
    this.#pipe = pipe;
    this.socket[kCarry](new Pipe(this));
  }

  /** The number by which this end passes to another isolate, an actor or a client. It is not used here any more. */
  detach() {
    this.#checkUnused();
    if (this.#pipe < 0) this.#openPipe();
    this.#isSent = true;
    this.#resolveWaiting();
    return this.#pipe;
  }

  /** Puts a pipe between this end and the other one, which is in this isolate. */
  #openPipe() {
    const far = this.#far;
    if (far === null) throw new TypeError(FAR_IS_GONE);
    const pipe = op_actor_pipe();
    const held = this.#held ?? [];
    far.usePipe(pipe);
    for (const message of new SafeArrayIterator(held)) sendHeld(far, pipe, message);
    this.#held = this.#held === null ? null : [];
    this.usePipe(pipe + 1);
  }

  /** Joins the other end with what is behind a pipe's end that this isolate has; both ends here are out of use then. */
  joinTo(behind) {
    if (this.#held === null || this.#isSent) {
      throw new TypeError("A WebSocket as the body of a request is an end that nobody accepted.");
    }
    if (this.#far === null) {
      throw new TypeError("A WebSocket whose other end is elsewhere cannot be the body of a request.");
    }
    const far = this.#far;
    this.#isSent = true;
    far.usePipe(behind.detach());
    this.#resolveWaiting();
  }

  /** For an actor: accepts this end, with which the actor may hibernate. */
  acceptFor(instance, tags) {
    this.checkHere("acceptWebSocket");
    if (this.#held === null) {
      throw new TypeError("acceptWebSocket(): this end of the WebSocketPair was accepted before.");
    }
    if (this.#pipe < 0) this.#openPipe();
    const { maxSockets, messageRate } = limitsOf(instance.className);
    op_actor_end_accept(instance.number, this.#pipe, tags, messageRate, maxSockets);
    this.#held = null;
    this.#resolveWaiting();
    this.#hold(instance);
    if (this.#attachment !== null) op_actor_set_attachment(this.#pipe, this.#attachment);
  }

  /** For an actor that wakes: this is the end of a pipe with which it hibernated. */
  restoreFor(instance, pipe) {
    this.#held = null;
    this.#sendThrough(pipe);
    this.#hold(instance);
  }

  #hold(instance) {
    this.#actor = instance;
    this.#hibernates = true;
    instance.hibernating.set(this.#pipe, this);
  }

  /** For the host: a message or the end came through the pipe. */
  deliver(message) {
    const dispatch = () => {
      if (message instanceof Close) this.closed(message.code, message.reason, message.wasClean);
      else this.receive(message);
    };
    if (this.#actor !== undefined) return this.#actor.receive(dispatch);
    const outer = core.getAsyncContext();
    core.setAsyncContext(this.#context);
    try {
      dispatch();
    } finally {
      core.setAsyncContext(outer);
    }
  }

  /** The other end has closed; the host answers for this one. */
  closed(code, reason, wasClean) {
    if (readyStateOf(this.socket) !== CLOSING) op_actor_end_close(this.instance, this.#pipe, code, reason);
    this[kClosed](code, reason, wasClean);
  }

  /** Its actor was reset. */
  abandon(code, reason) {
    if (this.#pipe >= 0) op_actor_end_close(NO_ACTOR, this.#pipe, code, reason);
    this[kClosed](code, reason, false);
  }

  // -- attachments ---------------------------------------------------------------------------------------------------

  attach(value) {
    const bytes = core.serialize(value, { forStorage: true }, (message) => {
      throw domException("DataCloneError", message);
    });
    if (bytes.length > MAX_ATTACHMENT) {
      throw new Error(
        `A WebSocket 'attachment' cannot be larger than ${MAX_ATTACHMENT} bytes. 'attachment' was ${bytes.length} bytes.`,
      );
    }
    if (this.#hibernates) op_actor_set_attachment(this.#pipe, bytes);
    else this.#attachment = bytes;
  }

  get attachment() {
    const bytes = this.#hibernates ? op_actor_attachment(this.#pipe) : this.#attachment;
    return bytes === null ? null : core.deserialize(bytes, { forStorage: true });
  }

  // -- clients -------------------------------------------------------------------------------------------------------

  /** Sends this end to the client of `exchange`, if its request was for a WebSocket. */
  sendTo(exchange, headers) {
    this.#checkUnused();
    if (this.#pipe >= 0) return this.#sendPipeTo(exchange, headers);
    const { 0: near, 1: held } = [this.#far, this.#held];
    if (near === null) throw new TypeError(FAR_IS_GONE);
    const isOpen = op_answer_socket(exchange.id, headers);
    this.#isSent = true;
    this.#resolveWaiting();
    if (!isOpen) return near[kClosed](1006, "The request did not get a WebSocket.", false);
    // The line stays open as long as the socket, and carries no envelopes.
    exchange.hold();
    exchange.canJoin = false;
    exchange.socket = near;
    near.#exchange = exchange;
    // What was sent is out of use here, so that its memory is free.
    near.#far = this.#far = null;
    const line = new Line(exchange);
    near.socket[kCarry](line);
    for (const message of new SafeArrayIterator(held)) line.send(message);
    if (near.#held === null && !exchange.ended) op_websocket_accept(exchange.id);
  }

  /** The client's messages go directly to the other end, wherever that is; the exchange is over. */
  #sendPipeTo(exchange, headers) {
    this.#isSent = true;
    this.#resolveWaiting();
    const refused = op_answer_socket_end(exchange.id, headers, this.#pipe);
    if (refused !== "") op_actor_end_close(NO_ACTOR, this.#pipe, 1013, refused);
  }

  /** The client to which this end was to be sent has left. */
  abandonClient() {
    if (this.#isSent) return;
    this.#isSent = true;
    this.#resolveWaiting();
    if (this.#pipe >= 0) op_actor_end_close(NO_ACTOR, this.#pipe, 1006, "The client left.");
    else this.#far?.[kClosed](1006, "The client left.", false);
  }
}

/** Sends a message into a pipe that waited for the other end to be accepted. */
function sendHeld(end, pipe, message) {
  if (typeof message === "string") op_actor_end_text(end.instance, pipe, message);
  else if (message instanceof Close) op_actor_end_close(end.instance, pipe, message.code, message.reason);
  else op_actor_end_bytes(end.instance, pipe, message);
}

/** The text that was sent last through a pipe: for the next socket the host sends the same bytes again. */
let lastText = null;

/** Carries messages through a pipe of the host. @implements {import("./client.js").Transport} */
class Pipe {
  #end;

  constructor(end) {
    this.#end = end;
  }

  text(text) {
    const { instance, pipe } = this.#end;
    if (text === lastText) return op_actor_end_again(instance, pipe);
    op_actor_end_text(instance, pipe, text);
    if (lastText === null) queueMicrotask(forgetText);
    lastText = text;
  }

  bytes(bytes) {
    op_actor_end_bytes(this.#end.instance, this.#end.pipe, bytes);
  }

  close(code, reason) {
    op_actor_end_close(this.#end.instance, this.#end.pipe, code === 0 ? NO_STATUS : code, reason);
  }

  unsent() {
    return 0;
  }
}

function forgetText() {
  lastText = null;
}

/** Close codes that only say how a connection ended (RFC 6455 section 7.4.1). */
const UNSENDABLE = [1004, 1005, 1006, 1015];

/** The socket of one end. */
class PairedSocket extends WebSocket {
  #end;

  /** @param {End} end */
  constructor(end) {
    super(kUnaddressed);
    if (end instanceof End) this.#end = end;
  }

  static {
    endOf = (socket) => typeof socket === "object" && socket !== null && #end in socket ? socket.#end : undefined;
  }

  send(data) {
    this.#end.checkOpen();
    FunctionPrototypeCall(sendOn, this, data);
  }

  close(code = undefined, reason = undefined) {
    this.#end.checkHere("close");
    if (code === undefined && reason !== undefined) {
      throw domException("InvalidAccessError", "close(): a reason needs a code before it.");
    }
    // Cut, where the web's sockets round.
    if (code !== undefined) code = MathTrunc(Number(code));
    if (code === undefined || !(code > 1000 && code < 3000) || ArrayPrototypeIncludes(UNSENDABLE, code)) {
      return FunctionPrototypeCall(closeSocket, this, code, reason);
    }
    // A server may close with the codes of the protocol, too.
    this[kClose](code, reason);
  }
}

/** The end that a method of sockets is called on. */
function endFor(socket, method) {
  const end = endOf(socket);
  if (end === undefined) throw new TypeError(`${method}() is a method of the sockets of a WebSocketPair.`);
  return end;
}

// Workers have one class for all sockets, whose prototype libraries take these methods from.
const methods = {
  /** Begins to dispatch messages, those that came before first. */
  accept(_options = undefined) {
    endFor(this, "accept").accept();
  },
  /** Attaches a value, at most 16 KB, which lasts while the socket's actor hibernates. */
  serializeAttachment(value) {
    if (arguments.length === 0) throw new TypeError("Failed to execute 'serializeAttachment': it takes a value.");
    endFor(this, "serializeAttachment").attach(value);
  },
  deserializeAttachment() {
    return endFor(this, "deserializeAttachment").attachment;
  },
};
for (const name of new SafeArrayIterator(ObjectKeys(methods))) {
  ObjectDefineProperty(WebSocket.prototype, name, { configurable: true, value: methods[name], writable: true });
}
ObjectDefineProperty(PairedSocket.prototype, "constructor", { configurable: true, value: WebSocket, writable: true });
const STATES = ["CONNECTING", "OPEN", "CLOSING", "CLOSED"];
for (let state = 0; state < STATES.length; state++) {
  ObjectDefineProperty(WebSocket, `READY_STATE_${STATES[state]}`, { enumerable: true, value: state });
}

/** @see States.example */
End.example = new End();
// With room for what the first listener adds to the socket.
EventTargetPrototypeAddEventListener(End.example.socket, "message", () => {});

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

export class WebSocketPair {
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

/** In Workers, the phrase of a status, which is the statusText of a Response without one. @type {((status: number) => string) | null} */
let phraseOf = null;

/** Gives a Response without a statusText the phrase of its status. */
let withPhrase;

/** From now on Responses are those of Workers: they have their status' phrase, and an empty text is no body. */
export function useWorkersResponses(phrases) {
  phraseOf = phrases;
  const { Response } = globalThis;
  const { json, redirect } = Response;
  const methods = {
    json(data, init = undefined) {
      return withPhrase(FunctionPrototypeCall(json, Response, data, init));
    },
    redirect(url, status = 302) {
      return withPhrase(FunctionPrototypeCall(redirect, Response, url, status));
    },
  };
  for (const name of new SafeArrayIterator(ObjectKeys(methods))) {
    ObjectDefineProperty(Response, name, { configurable: true, enumerable: true, value: methods[name], writable: true });
  }
}

/** The web's Response, extended by a `webSocket`. */
defineLazy("Response", () => {
  const { Response: Plain } = core.loadExtScript("ext:deno_fetch/23_response.js");
  function Response(body = null, init = undefined) {
    if (new.target === undefined) throw new TypeError("Response is a class: new Response(...)");
    if (body === "" && phraseOf !== null) body = null;
    const response = new.target === Response ? new Plain(body, init) : ReflectConstruct(Plain, [body, init], new.target);
    if (phraseOf !== null) withPhrase(response);
    if (typeof init === "object" && init !== null) {
      dropStaleLength(response, body, init, Plain, toInnerResponse);
      if (formats !== null) noteEncoding(response, init);
    }
    const socket = init?.webSocket ?? null;
    if (socket === null) return response;
    const end = endOf(socket);
    if (end === undefined) throw new TypeError("The webSocket of a Response is an end of a WebSocketPair.");
    const status = ResponsePrototypeGetStatus(response);
    if (status !== 101) throw new RangeError(`A Response with a webSocket has status 101, not ${status}.`);
    given.set(response, end);
    return response;
  }
  const toInnerResponse = followHeads(Plain);
  withPhrase = (response) => {
    const inner = toInnerResponse(response);
    if (inner.statusMessage === "") inner.statusMessage = phraseOf(inner.status);
    return response;
  };
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

// -- between isolates ------------------------------------------------------------------------------------------------

/** The socket of a Response; null if it has none. */
export function socketOf(response) {
  return given.get(response)?.socket ?? null;
}

/** The number by which a socket that nobody accepted passes to another isolate. */
export function exportSocket(socket) {
  return endOf(socket).detach();
}

/** The socket that another isolate has sent. */
export function importSocket(pipe) {
  const end = new End();
  end.usePipe(pipe);
  return end.socket;
}

/** A socket that is the body of a request; null for other bodies. */
export function socketOfBody(body) {
  return endOf(body) !== undefined ? body : null;
}

/** Joins the other end of a socket with the one that a Response has, if it has one. */
export function spliceSockets(socket, response) {
  const behind = given.get(response);
  if (behind !== undefined) endOf(socket).joinTo(behind);
}

/** Resolves when the other end of a socket's pair takes as many bytes more. */
export async function whenRoomFor(socket, bytes) {
  await endOf(socket).whenRoomFor(bytes);
}

const { close: closeOfPair, send: sendOfPair } = PairedSocket.prototype;

/** For the host's code: accepts an end of a pair, whatever a handler has made of the method. */
export function acceptPaired(socket) {
  endFor(socket, "accept").accept();
}

/** The same for its `close()`. */
export function closePaired(socket, code = undefined, reason = undefined) {
  FunctionPrototypeCall(closeOfPair, socket, code, reason);
}

/** The same for its `send()`. */
export function sendPaired(socket, data) {
  FunctionPrototypeCall(sendOfPair, socket, data);
}

/** For an actor: accepts a socket, with which the actor may hibernate. */
export function acceptSocket(instance, socket, tags) {
  const end = endOf(socket);
  if (end === undefined) {
    throw new TypeError("Failed to execute 'acceptWebSocket': parameter 1 is not of type 'WebSocket'.");
  }
  end.acceptFor(instance, tags);
}

/** The number of a socket's end of a pipe. */
export function pipeOf(socket) {
  return endOf(socket)?.pipe ?? -1;
}

/** The end of a pipe with which an actor hibernates. */
export function heldEnd(instance, pipe) {
  const known = instance.hibernating.get(pipe);
  if (known !== undefined) return known;
  const end = new End();
  end.restoreFor(instance, pipe);
  return end;
}

/** For the host: a message came through a pipe. */
export function deliverMessage(pipe, data) {
  attached.get(pipe)?.deliver(data);
}

/** For the host: the other end of a pipe has closed. */
export function deliverClose(pipe, code, reason, wasClean) {
  attached.get(pipe)?.deliver(new Close(code, reason, wasClean));
}

/** Answers with a socket: sends the end that `response` has to the client. */
export function answerSocket(exchange, response) {
  const end = given.get(response);
  if (end === undefined) {
    throw new TypeError(
      "A Response with status 101 needs the end of a WebSocketPair that the client gets: " +
        "new Response(null, { status: 101, webSocket }).",
    );
  }
  end.sendTo(exchange, writeHeaders(HeadersPrototypeEntries(ResponsePrototypeGetHeaders(response))));
  exchange.becomeLive();
}

/** The client that was to receive a Response's socket has left: closes the other end. */
export function abandonSocket(response) {
  given.get(response)?.abandonClient();
}

/** For the host: a message came from the client of an exchange. */
export function receiveFromClient(exchange, message) {
  const { socket } = exchange;
  if (socket !== null) inContextOf(exchange, () => socket.receive(message));
}
