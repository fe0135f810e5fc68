// Frames of a response, as HTTP answers and as frames on the line.

import { core } from "ext:core/mod.js";
import {
  op_answer,
  op_answer_bytes,
  op_answer_data,
  op_answer_file,
  op_answer_plain,
  op_answer_stream,
  op_answer_whole,
  op_port_delta,
  op_port_frame,
  op_port_state,
  op_stream_end,
  op_stream_gone,
  op_stream_write,
} from "ext:core/ops";
import { COMPLETE, WAITING } from "../exchange.js";
import { writeHeaders } from "../request.js";
import { answerSocket } from "../websocket/pair.js";
import { kHasHeaders, kIsLast, kRaw, LINE_HEADERS } from "../live_response/frame.js";
import { GOOD_ENDS, isAttached } from "../live_response/states.js";
import { bytesOf } from "./chunks.js";
import { encodedStream, formatFor, formats } from "./encoding.js";
import { EMPTY, encodeJson, isPlain, JSON_BODY, plainKind, responseOf, TEXT_BODY } from "./values.js";
import { encodeFrame, encodeRecords } from "../port/frames.js";
import { discard, nobodyLeft } from "./discard.js";
import { partOf } from "./ranges.js";
import { LineLostError } from "../port/port.js";
import { fileOf } from "../files.js";
import { answerPage, AS_DATA, isData, isShown } from "../page/page.js";
import { subscribe } from "../observer/reactive.js";
import {
  AbortSignalPrototypeGetAborted,
  ArrayBufferIsView,
  ArrayIsArray,
  ArrayPrototypeFilter,
  ArrayPrototypeIndexOf,
  ArrayPrototypeMap,
  ArrayPrototypePush,
  EventTargetPrototypeAddEventListener,
  EventTargetPrototypeRemoveEventListener,
  HeadersPrototypeEntries,
  JSONStringify,
  ObjectEntries,
  ObjectHasOwn,
  ObjectKeys,
  PromisePrototypeCatch,
  PromisePrototypeThen,
  queueMicrotask,
  ReadableStreamDefaultReaderPrototypeCancel,
  ReadableStreamDefaultReaderPrototypeRead,
  ReadableStreamPrototypeGetReader,
  Response,
  ResponsePrototypeGetBodyUsed,
  SafeArrayIterator,
  SafeSet,
  StringPrototypeToLowerCase,
  TypeError,
} from "../primordials.js";

/** What is followed of bodies that may still change. */
class Followed {
  /** Each ends the observation of a body; null as long as none was observed. */
  observed = null;
  /** The newest state and what its changes are named by, for a client that missed what led to it. */
  newest = null;
  source = null;
  prefix = null;
  /** Once no other state follows: what properties the newest state has had. */
  known = null;
}

/** A line from which messages are relayed. */
class Relayed {
  stop = null;
  /** Ends the hold on the exchange that the line has. */
  release = null;
}

/**
 * Sends the frames of a response to the client of `exchange`: the first over HTTP, later ones on the line, and
 * what changes inside a body in between as deltas.
 */
export class Responder {
  #exchange;
  /** No other state follows. */
  #isDone;
  /** Made for the first body that may still change, or the second state. @type {Followed | null} */
  #followed = null;
  /** The line that the states come by, while messages are relayed. @type {Relayed | null} */
  #relayed = null;

  /**
   * @param {import("../exchange.js").Exchange} exchange
   * @param {boolean} [isDone] the first state is the last
   */
  constructor(exchange, isDone = false) {
    this.#exchange = exchange;
    this.#isDone = isDone;
  }

  /** Whether a handler runs that may replace a source that failed. A subclass that sends for one overrides this. */
  isReplaceable() {
    return false;
  }

  /**
   * Relays messages between the client's line and the one that states come from. Returns what ends that; null where
   * nothing is relayed. A subclass overrides it.
   * @param {import("../port/remote_port.js").RemotePort} _upstream
   * @param {(error: unknown) => void} _report called with errors of messages that cannot be relayed
   * @returns {(() => void) | null}
   */
  relay(_upstream, _report) {
    return null;
  }

  /** Whether a Response can go out as it is, its stream unread. */
  takesResponse() {
    return !this.#exchange.answered || !this.#exchange.canJoin;
  }

  frame(frame) {
    const exchange = this.#exchange;
    const phase = exchange.phase;
    if (phase >= COMPLETE) return;
    if (phase !== WAITING && exchange.canJoin) {
      const eventID = exchange.nextEventID("response.replace");
      op_port_frame(exchange.id, eventID, encodeFrame(frame), false);
      explain?.(frame.body);
      if (!frame.concurrent) Responder.#forgetBodies(this);
      Responder.#observe(this, frame.body, eventID, "body");
      Responder.#isNewest(this, frame);
    } else {
      if (frame[kRaw] !== undefined) answerResponse(exchange, frame[kRaw], false, frame[kIsLast]);
      else answerValue(exchange, frame.body, frame, false);
      exchange.becomeLive();
      this.observeFirst(frame.body, frame);
    }
  }

  done() {
    const exchange = this.#exchange;
    const phase = exchange.phase;
    if (phase >= COMPLETE) return;
    if (phase === WAITING) this.frame(NOTHING);
    this.#isDone = true;
    const body = this.#followed?.newest?.body;
    if (isPlain(body)) this.#followed.known = new SafeSet(ObjectKeys(body));
    exchange.responseDone();
  }

  /** The line that the states come by may carry messages after the last of them, as long as it is open. */
  connected(upstream) {
    const exchange = this.#exchange;
    const relayed = this.#relayed ??= new Relayed();
    relayed.stop = this.relay(upstream, (error) => exchange.fail(error));
    if (relayed.stop === null || !exchange.canJoin || exchange.ended) return;
    exchange.hold();
    const release = relayed.release = () => {
      if (relayed.release !== release) return;
      relayed.release = null;
      exchange.release();
    };
    EventTargetPrototypeAddEventListener(upstream, "close", ({ code, reason }) => {
      if (relayed.release !== release) return;
      if (this.#isDone && !GOOD_ENDS.has(code) && !exchange.ended) exchange.fail(new LineLostError(code, reason));
      else release();
    });
  }

  disconnected() {
    const relayed = this.#relayed;
    if (relayed === null) return;
    relayed.stop?.();
    relayed.stop = null;
    relayed.release?.();
  }

  failed(error) {
    if (!this.isReplaceable()) this.#exchange.fail(error);
  }

  /** Follows the body that HTTP carried, or will carry where it waits for the last state. */
  observeFirst(body, head) {
    if (this.#exchange.canJoin) {
      if (isPlain(body)) Responder.#isNewest(this, { ...PLAIN, type: "basic", concurrent: false, ...head, body });
      if (this.#isDone && isPlain(body)) this.#followed.known = new SafeSet(ObjectKeys(body));
      return Responder.#observe(this, body, "initial_response", null);
    }
    Responder.#forgetBodies(this);
    if (!isPlain(body)) return;
    let changed = false;
    Responder.#follow(this, body, () => {
      if (changed) return;
      changed = true;
      queueMicrotask(() => {
        changed = false;
        if (this.#exchange.ended) return;
        try {
          answerValue(this.#exchange, body, head, this.#isDone);
        } catch (error) {
          this.#exchange.fail(error);
        }
      });
    });
  }

  static #observe(responder, body, source, prefix) {
    if (!isPlain(body)) return;
    const exchange = responder.#exchange;
    const followed = responder.#followed ??= new Followed();
    followed.source = source;
    followed.prefix = prefix;
    Responder.#follow(responder, body, (records) => {
      if (followed.known !== null && source === followed.source) noteKeys(followed.known, records);
      sendDelta(exchange, source, records, prefix);
    });
  }

  static #follow(responder, body, callback) {
    const followed = responder.#followed ??= new Followed();
    if (followed.observed === null) {
      followed.observed = [];
      responder.#exchange.onEnd(() => Responder.#forgetBodies(responder));
    }
    ArrayPrototypePush(followed.observed, subscribe(body, callback));
  }

  static #forgetBodies(responder) {
    const observed = responder.#followed?.observed ?? null;
    if (observed === null) return;
    for (let i = 0; i < observed.length; i++) observed[i]();
    observed.length = 0;
  }

  static #isNewest(responder, frame) {
    const followed = responder.#followed ??= new Followed();
    if (followed.newest === null) responder.#exchange.onRefresh(responder);
    followed.newest = frame;
  }

  /** Sends the newest state again, as it is now. After the last one its client expects no other, but changes. */
  refresh() {
    const exchange = this.#exchange;
    const { newest, source, prefix, known } = this.#followed;
    if (known !== null) return sendDelta(exchange, source, wholeOf(newest.body, known), prefix);
    const eventID = exchange.nextEventID("response.replace");
    op_port_state(exchange.id, eventID, encodeFrame(newest));
    Responder.#forgetBodies(this);
    Responder.#observe(this, newest.body, eventID, "body");
  }
}

/**
 * Answers with what a handler returned: data or a Response, final as far as the handler goes. What holds the exchange
 * open is known then; only then is it worth following the data's changes.
 */
export function answerPlain(exchange, value) {
  const isResponse = value instanceof Response;
  if (isResponse) answerResponse(exchange, value, true);
  else answerValue(exchange, value, PLAIN, true);
  exchange.becomeLive();
  exchange.returned();
  if (!isResponse && isPlain(value) && !exchange.ended) new Responder(exchange, true).observeFirst(value, PLAIN);
}

/** Sends changes of a body or of a live message. Where they cannot be sent, the client's copy would differ. */
function sendDelta(exchange, source, records, prefix) {
  try {
    op_port_delta(exchange.id, `${source}.mutate`, encodeRecords(records, prefix));
  } catch (error) {
    exchange.fail(error);
  }
}

/** Sends the changes of a live message until the exchange ends, or `signal` aborts. */
export function follow(exchange, eventID, data, signal = undefined) {
  if (signal && AbortSignalPrototypeGetAborted(signal)) return;
  const known = new SafeSet(ObjectKeys(data));
  const unsubscribe = subscribe(data, (records) => {
    noteKeys(known, records);
    sendDelta(exchange, eventID, records, null);
  });
  const refresher = { refresh: () => sendDelta(exchange, eventID, wholeOf(data, known), null) };
  const stop = () => {
    unsubscribe();
    exchange.offEnd(stop);
    exchange.offRefresh(refresher);
    if (signal) EventTargetPrototypeRemoveEventListener(signal, "abort", stop);
  };
  exchange.onEnd(stop);
  exchange.onRefresh(refresher);
  if (signal) EventTargetPrototypeAddEventListener(signal, "abort", stop, { once: true });
}

/** Remembers which properties of a root have changed. */
function noteKeys(known, records) {
  for (const { path } of new SafeArrayIterator(records)) known.add(path[0]);
}

/** Changes that make any earlier state of `data` what it is now. @param {Set<string>} known all keys that it has had */
function wholeOf(data, known) {
  const set = ({ 0: key, 1: value }) => ({ type: "set", key, value, isUpdate: true, path: [key] });
  const gone = ArrayPrototypeFilter([...known.values()], (key) => key !== "length" && !ObjectHasOwn(data, key));
  return [
    ...new SafeArrayIterator(ArrayPrototypeMap(gone, (key) => ({ type: "delete", key, path: [key] }))),
    ...new SafeArrayIterator(ArrayPrototypeMap(ObjectEntries(data), set)),
    ...new SafeArrayIterator(ArrayIsArray(data) ? [set(["length", data.length])] : []),
  ];
}

/** The head of an answer without one of its own. */
const PLAIN = { status: 200, statusText: "", headers: null, [kHasHeaders]: false };

/** The state of a response whose source had none, such as a generator that yields nothing. */
const NOTHING = { ...PLAIN, body: null, [kRaw]: undefined, concurrent: false };

// -- HTTP ------------------------------------------------------------------------------------------------------------

function answerValue(exchange, body, head, last) {
  const kind = plainKind(body);
  if (kind === -1) return answerResponse(exchange, responseOf(body, { ...head, headers: head.headers ?? undefined }), last);
  const text = textOf(kind, body);
  const isInPage = exchange.show !== AS_DATA;
  if (!isInPage && head.status === 200 && !head[kHasHeaders] && head.statusText === "") {
    return op_answer_data(exchange.id, kind, text, last);
  }
  const list = head.headers === null ? [] : HeadersPrototypeEntries(head.headers);
  const type = valueIn(list, "content-type");
  // An error without a word is no state that a page could show.
  const isState = isShown(head.status, type, valueIn(list, "location") !== null) && (kind !== EMPTY || head.status < 400);
  let headers = writeHeaders(list);
  if (kind !== EMPTY && type === null) headers += `content-type\n${CONTENT_TYPES[kind]}\n`;
  if (isInPage && isState) {
    const json = kind === EMPTY ? "null" : kind === TEXT_BODY ? JSONStringify(text) : text;
    return answerPage(exchange, head, headers, json, text, last);
  }
  op_answer(exchange.id, head.status, head.statusText, headers, text, last, isState);
}

/** The value of a header in a list, as `Headers.get()` gives it; null: there is none. `name` is in lower case. */
function valueIn(list, name) {
  let value = null;
  for (let i = 0; i < list.length; i++) {
    const { 0: key, 1: text } = list[i];
    if (key.length !== name.length || (key !== name && StringPrototypeToLowerCase(key) !== name)) continue;
    value = value === null ? text : `${value}, ${text}`;
  }
  return value;
}

/**
 * Whether an instance of Response is of a class that derives from it and was not made by it. Frameworks replace the global
 * by one, whose objects make the Response behind them when it is asked for.
 */
export function isImitation(response) {
  return responses().toInnerResponse(response) === undefined;
}

/** A Response as such an object describes it. */
export function genuine(imitation) {
  let parts;
  try {
    const { body, headers, status, statusText } = imitation;
    parts = { body, headers, status, statusText };
  } catch (cause) {
    throw new TypeError("The result is no Response, though it has the prototype of one.", { cause });
  }
  return new Response(parts.body, parts);
}

/** What `hasPort` of `live_response/states.js` is for a Response, here without making its Headers, which pages cannot. */
export function hasLine(response) {
  if (isAttached(response)) return true;
  const { headerList } = responses().toInnerResponse(response);
  for (let i = 0; i < LINE_NAMES.length; i++) {
    if (valueIn(headerList, LINE_NAMES[i]) !== null) return true;
  }
  return false;
}

const LINE_NAMES = ArrayPrototypeMap(LINE_HEADERS, (name) => StringPrototypeToLowerCase(name));

const CONTENT_TYPES = [null, "application/json", "text/plain;charset=UTF-8"];
/** For the host: the text of a Response, which is no state. */
const OWN_TEXT = 3;
/** What the host made of a plain answer. The exchange was answered before, or is over. */
const REFUSED = 0;
/** Something keeps the exchange, so the answer's data may still change. */
const KEPT = 2;

/** Deno's Response from inside. A Response exists before this is first asked for. */
let inside = null;
const responses = () => inside ??= core.loadExtScript("ext:deno_fetch/23_response.js");

/**
 * Whether a Response is as `new Response(data)` or `Response.json(data)` made it: status 200, no header but its type's,
 * nothing read. Deno keeps the wire form of such a one until its headers or its body are read.
 */
export function isUntouched(response) {
  const { getInnerResponse, serveFastBodyKey, serveFastStatusKey } = responses();
  if (response[serveFastStatusKey] !== 200) return false;
  const body = getInnerResponse(response).body;
  return body === null || (body.streamOrStatic.body === response[serveFastBodyKey] && !body.streamOrStatic.consumed);
}

/**
 * Answers at once with data, or with a Response of a text that nothing was read of. Returns false for what takes longer,
 * and where the exchange was answered before or has ended.
 */
export function answerAtOnce(exchange, value) {
  if (exchange.show !== AS_DATA) return false;
  let kind, text;
  if (value instanceof Response) {
    if (!isUntouched(value)) return answerTextAtOnce(exchange, value);
    const { serveFastBodyKey, serveFastContentTypeKey, serveFastHeaderKindKey, SERVE_FAST_HEADER_DEFAULT_TEXT } = inside;
    text = value[serveFastBodyKey];
    if (typeof text !== "string") return false;
    const isText = value[serveFastHeaderKindKey] === SERVE_FAST_HEADER_DEFAULT_TEXT;
    kind = isText ? OWN_TEXT : ArrayPrototypeIndexOf(CONTENT_TYPES, value[serveFastContentTypeKey], JSON_BODY);
  } else {
    kind = plainKind(value);
    if (kind !== -1) text = textOf(kind, value);
  }
  if (kind === -1) return false;
  const taken = op_answer_plain(exchange.id, kind, text);
  if (taken === REFUSED) return false;
  exchange.becomeLive();
  if (taken === KEPT && isPlain(value)) new Responder(exchange, true).observeFirst(value, PLAIN);
  return true;
}

/** The same for a Response of a text, or of nothing, with a head of its own. */
function answerTextAtOnce(exchange, response) {
  if (ResponsePrototypeGetBodyUsed(response) || fileOf(response, exchange) !== undefined) return false;
  const inner = responses().toInnerResponse(response);
  const { status, statusMessage, body } = inner;
  const text = body === null ? "" : body.streamOrStatic.body;
  if (status === 101 || typeof text !== "string") return false;
  const list = responses().wireHeaderList(inner);
  if (formatOf(response, list) !== undefined) return false;
  const isState = body !== null && isStateOf(status, valueIn(list, "content-type"), list);
  const canBePart = body !== null && status === 200 && exchange.method === "GET";
  const taken = op_answer_whole(exchange.id, status, statusMessage, writeHeaders(list), text, isState, canBePart);
  if (taken === REFUSED) return false;
  exchange.becomeLive();
  return true;
}

/** Whether the text of a Response is a state. @param {string | null} type the `Content-Type` in `list` */
function isStateOf(status, type, list) {
  return type !== null && isShown(status, type, valueIn(list, "location") !== null);
}

/** What a body of this kind is on the wire. */
function textOf(kind, body) {
  if (kind !== JSON_BODY) return kind === EMPTY ? "" : body;
  const text = encodeJson(body, "The handler's result");
  explain?.(body);
  return text;
}

/** Called with each answer and each later state that was written as JSON; undefined outside of development. */
let explain;

/** From now on `callback` is called with each answer and each later state that is written as JSON. @param {(body: unknown) => void} callback */
export function explainBodies(callback) {
  explain = callback;
}

/**
 * Answers with a Response.
 * @param {boolean} last no other state follows
 * @param {boolean} [isOnly] no other state follows
 */
function answerResponse(exchange, response, last, isOnly = last) {
  const { toInnerResponse, wireHeaderList } = responses();
  if (ResponsePrototypeGetBodyUsed(response)) {
    throw new TypeError("The Response's body was read already, so it cannot be sent.");
  }
  const inner = toInnerResponse(response);
  const { status, statusMessage, body } = inner;
  if (status === 101) return answerSocket(exchange, response);
  const list = wireHeaderList(inner);
  const headers = writeHeaders(list);
  const file = fileOf(response, exchange);
  if (file !== undefined) return op_answer_file(exchange.id, status, headers, file, last);
  const source = body?.streamOrStatic;
  if (source === undefined) return op_answer(exchange.id, status, statusMessage, headers, "", last, false);
  const format = formatOf(response, list);
  if (format !== undefined) {
    // The length that a handler gave is not that of the encoded body.
    const kept = ArrayPrototypeFilter(list, ({ 0: name }) => StringPrototypeToLowerCase(name) !== "content-length");
    return answerStream(exchange, response, inner, writeHeaders(kept), (stream) => encodedStream(stream, format), last);
  }
  // A page is rendered from the whole, and a state that others follow is no file.
  const isFile = status === 200 && isOnly && exchange.method === "GET";
  if (isFile && (exchange.show === AS_DATA || typeof source.body !== "string")) {
    const part = partOf(exchange, list, body);
    if (part !== null) return answerPart(exchange, part, response, last);
  }
  if (typeof source.body === "string") {
    const type = valueIn(list, "content-type");
    const isState = isStateOf(status, type, list) && (exchange.show === AS_DATA || isData(type, source.body));
    if (isState && exchange.show !== AS_DATA) {
      return answerPage(exchange, { status, statusText: statusMessage }, headers, source.body, source.body, last);
    }
    return op_answer(exchange.id, status, statusMessage, headers, source.body, last, isState);
  }
  if (ArrayBufferIsView(source.body)) {
    return op_answer_bytes(exchange.id, status, statusMessage, headers, source.body, last);
  }
  // Such as that of a Blob.
  const isNew = body.length !== null && valueIn(list, "content-length") === null;
  const complete = isNew ? `${headers}content-length\n${body.length}\n` : headers;
  answerStream(exchange, response, inner, complete, (stream) => stream, last);
}

/** The format in which the body of a Response with these headers is encoded; undefined where it goes out as it is. */
function formatOf(response, list) {
  return formats === null ? undefined : formatFor(response, valueIn(list, "content-encoding"));
}

/**
 * Answers with the stream of a Response.
 * @param {(stream: ReadableStream) => ReadableStream} through what becomes of the stream on its way
 */
function answerStream(exchange, response, { status, statusMessage, body }, headers, through, last) {
  if (exchange.method === "HEAD") {
    op_answer(exchange.id, status, statusMessage, headers, "", last, false);
    return readUnsent(response, exchange);
  }
  let stream;
  try {
    stream = op_answer_stream(exchange.id, status, statusMessage, headers, last);
  } catch (error) {
    // Its body is not read.
    discard(response);
    throw error;
  }
  pump(exchange, through(body.stream), stream);
}

/** What becomes of the body of an answer to HEAD. @type {(response: Response, exchange: import("../exchange.js").Exchange) => void} */
let readUnsent = discard;

/** Hands bodies of answers to HEAD, which are not sent, to `read`. */
export function readUnsentBodies(read) {
  readUnsent = read;
}

/** Answers with a part of a Response. */
function answerPart(exchange, { status, headers, body }, response, last) {
  const text = writeHeaders(headers);
  if (body === null) {
    op_answer(exchange.id, status, "", text, "", last, false);
    discard(response);
  } else if (ArrayBufferIsView(body)) {
    op_answer_bytes(exchange.id, status, "", text, body, last);
  } else {
    pump(exchange, body, op_answer_stream(exchange.id, status, "", text, last));
  }
}

/** Moves a stream's chunks to the client, as fast as the client takes them. The exchange lasts as long. */
export async function pump(exchange, source, stream) {
  const reader = ReadableStreamPrototypeGetReader(source);
  let failure = null;
  let isWhole = false;
  const gone = PromisePrototypeThen(op_stream_gone(stream), () => {
    // The request's signal aborts first: its listeners may close the source.
    if (!isWhole) exchange.left();
    return ReadableStreamDefaultReaderPrototypeCancel(reader, nobodyLeft());
  });
  PromisePrototypeCatch(gone, () => {});
  try {
    while (true) {
      const { value, done } = await ReadableStreamDefaultReaderPrototypeRead(reader);
      if (done) {
        isWhole = true;
        break;
      }
      const bytes = bytesOf(value);
      if (bytes === null) throw new TypeError("A response's stream yields Uint8Arrays or strings.");
      if (!await op_stream_write(stream, bytes)) break;
    }
  } catch (error) {
    failure = error;
    // Where it is not the source itself that failed, it is to stop.
    PromisePrototypeCatch(ReadableStreamDefaultReaderPrototypeCancel(reader, error), () => {});
  }
  op_stream_end(stream, failure);
}
