// `EventSource.from(stream)`: the events of a stream that a Worker has, such as the body of another server's answer.

import { core } from "ext:core/mod.js";
import { defineLazy } from "../globals.js";
import {
  ArrayPrototypeJoin,
  ArrayPrototypePush,
  Error,
  ErrorEvent,
  EventTarget,
  EventTargetPrototypeDispatchEvent,
  FunctionPrototypeCall,
  MessageEvent,
  ObjectDefineProperty,
  ObjectSetPrototypeOf,
  PromisePrototypeCatch,
  RangeError,
  ReadableStream,
  ReadableStreamDefaultReaderPrototypeCancel,
  ReadableStreamDefaultReaderPrototypeRead,
  ReadableStreamPrototypeGetLocked,
  ReadableStreamPrototypeGetReader,
  StringPrototypeIndexOf,
  StringPrototypeSlice,
  TypeError,
} from "../primordials.js";

const OPEN = 1;
const CLOSED = 2;

const STREAM = { __proto__: null, stream: true };

/** The longest event, in UTF-16 units. */
const LONGEST = 16 * 1024 * 1024;

/** Parser for the format `text/event-stream` (HTML section 9.2.6). Retries mean nothing to a stream. */
class EventParser {
  #dispatch;
  /** The line that has begun. */
  #line = "";
  /** The character before was a carriage return, so that a line feed now ends no other line. */
  #isAfterReturn = false;
  #type = "";
  #data = [];
  /** The length of what is kept of an event. */
  #length = 0;
  #lastEventId = "";

  /** @param {(type: string, data: string, lastEventId: string) => void} dispatch */
  constructor(dispatch) {
    this.#dispatch = dispatch;
  }

  /** @throws {RangeError} if an event is too long */
  feed(text) {
    let at = 0;
    if (this.#isAfterReturn && text[0] === "\n") at = 1;
    if (text !== "") this.#isAfterReturn = false;
    let lineFeed = StringPrototypeIndexOf(text, "\n", at);
    let turn = StringPrototypeIndexOf(text, "\r", at);
    while (lineFeed >= 0 || turn >= 0) {
      const end = turn < 0 || (lineFeed >= 0 && lineFeed < turn) ? lineFeed : turn;
      this.#end(StringPrototypeSlice(text, at, end));
      at = end + 1;
      if (end === turn) {
        if (at === text.length) this.#isAfterReturn = true;
        else if (text[at] === "\n") at++;
      }
      if (lineFeed >= 0 && lineFeed < at) lineFeed = StringPrototypeIndexOf(text, "\n", at);
      if (turn >= 0 && turn < at) turn = StringPrototypeIndexOf(text, "\r", at);
    }
    this.#line += StringPrototypeSlice(text, at);
    this.#check(this.#line.length);
  }

  #check(more) {
    if (this.#length + more > LONGEST) throw new RangeError(`An event is longer than ${LONGEST} characters.`);
  }

  #end(rest) {
    const line = this.#line + rest;
    this.#line = "";
    if (line === "") return this.#endEvent();
    const colon = StringPrototypeIndexOf(line, ":");
    // A comment begins with a colon.
    if (colon === 0) return;
    const field = colon < 0 ? line : StringPrototypeSlice(line, 0, colon);
    const value = colon < 0 ? "" : StringPrototypeSlice(line, line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "event") this.#type = value;
    else if (field === "id") this.#lastEventId = value;
    else if (field === "data") {
      this.#check(value.length + 1);
      this.#length += value.length + 1;
      ArrayPrototypePush(this.#data, value);
    }
  }

  #endEvent() {
    const { 0: type, 1: data } = [this.#type, ArrayPrototypeJoin(this.#data, "\n")];
    this.#type = "";
    this.#data = [];
    this.#length = 0;
    if (data !== "") this.#dispatch(type === "" ? "message" : type, data, this.#lastEventId);
  }
}

function withStreams(EventSource) {
  const { brand } = core.loadExtScript("ext:deno_webidl/00_webidl.js");
  const { TextDecoder } = core.loadExtScript("ext:deno_web/08_text_encoding.js");
  const { decode } = TextDecoder.prototype;

  /** An EventSource that has no connection of its own. */
  class StreamSource extends EventTarget {
    #readyState = OPEN;
    #reader;

    constructor(stream) {
      super();
      this[brand] = brand;
      this.#reader = ReadableStreamPrototypeGetReader(stream);
      this.#read();
    }

    get url() {
      return "";
    }

    get withCredentials() {
      return false;
    }

    get readyState() {
      return this.#readyState;
    }

    close() {
      if (this.#readyState === CLOSED) return;
      this.#readyState = CLOSED;
      PromisePrototypeCatch(ReadableStreamDefaultReaderPrototypeCancel(this.#reader), () => {});
    }

    async #read() {
      const decoder = new TextDecoder();
      const parser = new EventParser((type, data, lastEventId) => {
        if (this.#readyState === CLOSED) return;
        EventTargetPrototypeDispatchEvent(this, new MessageEvent(type, { data, lastEventId }));
      });
      let failure;
      try {
        while (true) {
          const { value, done } = await ReadableStreamDefaultReaderPrototypeRead(this.#reader);
          if (done) break;
          parser.feed(typeof value === "string" ? value : FunctionPrototypeCall(decode, decoder, value, STREAM));
        }
        failure = new Error("The server disconnected.");
      } catch (error) {
        failure = error;
      }
      if (this.#readyState === CLOSED) return;
      this.close();
      EventTargetPrototypeDispatchEvent(this, new ErrorEvent("error", { error: failure }));
    }
  }
  ObjectSetPrototypeOf(StreamSource.prototype, EventSource.prototype);
  ObjectDefineProperty(StreamSource.prototype, "constructor", { configurable: true, value: EventSource, writable: true });
  ObjectDefineProperty(EventSource, "from", {
    __proto__: null,
    configurable: true,
    enumerable: true,
    value(stream) {
      if (!(stream instanceof ReadableStream)) {
        throw new TypeError("Failed to execute 'from' on 'EventSource': parameter 1 is not of type 'ReadableStream'.");
      }
      if (ReadableStreamPrototypeGetLocked(stream)) throw new TypeError("This ReadableStream is locked.");
      return new StreamSource(stream);
    },
    writable: true,
  });
  return EventSource;
}

export function defineEventSource() {
  defineLazy("EventSource", () => withStreams(core.loadExtScript("ext:deno_fetch/27_eventsource.js").EventSource));
}
