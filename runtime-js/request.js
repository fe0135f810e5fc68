// The Request of an exchange. Nothing is copied from the host until a handler reads it.

import { core } from "ext:core/mod.js";
import {
  op_request_collect,
  op_request_has_body,
  op_request_header,
  op_request_headers,
  op_request_peer,
  op_request_read,
  op_request_whole,
} from "ext:core/ops";
import { fetchPlusClasses, passSendersBy, readFieldsBy } from "./fetch/fetch_plus.js";
import { answerForIllBodies } from "./form/form_data.js";
import {
  ArrayPrototypePush,
  ObjectHasOwn,
  ReadableByteStreamControllerPrototypeClose,
  ReadableByteStreamControllerPrototypeEnqueue,
  ReadableByteStreamControllerPrototypeGetByobRequest,
  ReadableStream,
  ReadableStreamBYOBRequestPrototypeRespond,
  Request,
  SafeArrayIterator,
  SafeSet,
  StringPrototypeSplit,
  StringPrototypeToLowerCase,
} from "./primordials.js";

/**
 * @param {import("./exchange.js").Exchange} exchange
 * @param {boolean} [isForClient] its signal aborts only if the client leaves, and not at every end
 * @returns {Request}
 */
export function requestOf(exchange, isForClient = false) {
  prepareRequests();
  return fromInnerRequest(new ReceivedRequest(exchange, isForClient), "immutable");
}

/**
 * The same as a RequestPlus, for the event of a handler.
 * @param {import("./exchange.js").Exchange} exchange
 * @returns {RequestPlus}
 */
export function requestOfEvent(exchange) {
  if (RequestOfEvent === null) prepareEvents();
  return new RequestOfEvent(new ReceivedRequest(exchange, false), "immutable");
}

/** What makes Requests and Headers of events, by `new`: of the classes of `fetch/fetch_plus.js`, without their constructors. */
let RequestOfEvent = null;
let HeadersOfEvent = null;

function prepareEvents() {
  prepareRequests();
  const { HeadersPlus, RequestPlus } = fetchPlusClasses();
  const { headersOfPrototype, headerTargetKey } = core.loadExtScript("ext:deno_fetch/20_headers.js");
  const { requestsOfPrototype } = core.loadExtScript("ext:deno_fetch/23_request.js");
  const { toInnerRequest } = core.loadExtScript("ext:deno_fetch/23_request.js");
  passSendersBy((from, to) => toInnerRequest(to).sender = toInnerRequest(from).sender);
  readFieldsBy((headers, name) => ReceivedRequest.read(headers?.[headerTargetKey], name));
  HeadersOfEvent = headersOfPrototype(HeadersPlus.prototype);
  RequestOfEvent = requestsOfPrototype(RequestPlus.prototype);
}

/** Whether a Request is one of the host's: who passes it on inside of the host passes redirects on, too. */
export function isReceived(request) {
  const { toInnerRequest } = core.loadExtScript("ext:deno_fetch/23_request.js");
  return request instanceof Request && toInnerRequest(request) instanceof ReceivedRequest;
}

let fromInnerRequest = null;

/** Loads what requests are made of, if that was not done. */
export function prepareRequests() {
  if (fromInnerRequest !== null) return;
  const script = core.loadExtScript("ext:deno_fetch/23_request.js");
  const { toInnerRequest } = script;
  const innerOf = (request) => request === null || typeof request !== "object" ? undefined : toInnerRequest(request);
  answerForIllBodies(script.RequestPrototype, {
    takeText(request) {
      const inner = innerOf(request);
      return inner instanceof ReceivedRequest ? inner.takeText() : null;
    },
    senderOf: (request) => innerOf(request)?.sender,
  });
  fromInnerRequest = script.fromInnerRequest;
}

/** What Deno's Request is made of, read from the host bit by bit. */
class ReceivedRequest {
  #exchange;
  #isForClient;
  #headerList = null;
  #body = undefined;

  constructor(exchange, isForClient) {
    this.#exchange = exchange;
    this.#isForClient = isForClient;
  }

  /**
   * The text of a header; undefined if that is no text, or `target` no request of the host's.
   * @param {ReceivedRequest | unknown} target
   */
  static read(target, name) {
    if (typeof name !== "string" || typeof target !== "object" || target === null) return undefined;
    return #exchange in target && !target.#isForClient ? op_request_header(target.#exchange.id, name) : undefined;
  }

  /** The number of the exchange whose client sent the request. Copies with the same body have it too. */
  get sender() {
    return this.#exchange.id;
  }

  get redirectMode() {
    // Workers pass redirects of other servers on.
    return this.#isForClient ? "manual" : "follow";
  }

  get redirectCount() {
    return 0;
  }

  get clientRid() {
    return null;
  }

  get blobUrlEntry() {
    return null;
  }

  get method() {
    return this.#exchange.method;
  }

  url() {
    return this.#exchange.url;
  }

  currentUrl() {
    return this.#exchange.url;
  }

  get urlList() {
    return [() => this.#exchange.url];
  }

  get urlListProcessed() {
    return [this.#exchange.url];
  }

  get headerList() {
    if (this.#headerList === null) {
      const list = readHeaders(op_request_headers(this.#exchange.id));
      this.#headerList = this.#isForClient ? forWorkers(list, this.#exchange.id) : list;
    }
    return this.#headerList;
  }

  /** Headers that a handler reads. */
  headersOf(guard) {
    return this.#isForClient || HeadersOfEvent === null ? undefined : new HeadersOfEvent(this, guard);
  }

  /** One header, without the others. */
  header(name) {
    if (!this.#isForClient) return op_request_header(this.#exchange.id, name) ?? null;
    const key = StringPrototypeToLowerCase(name);
    if (key === ADDRESS) return op_request_peer(this.#exchange.id);
    const value = op_request_header(this.#exchange.id, key) ?? null;
    return key === "upgrade" && value !== null ? StringPrototypeToLowerCase(value) : value;
  }

  get body() {
    if (this.#body === undefined) this.#body = op_request_has_body(this.#exchange.id) ? bodyOf(this.#exchange.id) : null;
    return this.#body;
  }

  /** Reads the body as a text, if it has arrived and is not read; else null. */
  takeText() {
    return this.body?.takeText?.() ?? null;
  }

  /** The request's signal aborts with the exchange, or when its client leaves. */
  onCancel(callback) {
    if (this.#isForClient) this.#exchange.onLeave(callback);
    else this.#exchange.onEnd(callback);
  }
}

/** The header in which Workers find the address of their client. A client cannot set it. */
const ADDRESS = "cf-connecting-ip";

/** Headers as Cloudflare passes them to Workers: with the client's address, and `Upgrade` in lower case. */
function forWorkers(list, id) {
  const passed = [];
  for (let i = 0; i < list.length; i++) {
    const { 0: name, 1: value } = list[i];
    if (name === ADDRESS) continue;
    ArrayPrototypePush(passed, [name, name === "upgrade" ? StringPrototypeToLowerCase(value) : value]);
  }
  ArrayPrototypePush(passed, [ADDRESS, op_request_peer(id)]);
  return passed;
}

function bodyOf(id) {
  ReceivedBody ??= defineBody(core.loadExtScript("ext:deno_fetch/22_body.js").InnerBody);
  return new ReceivedBody(id);
}

let ReceivedBody = null;

/** What Deno's constructor is called with, in place of the body that it would make. */
const UNREAD = { body: "", consumed: false };

/** A body that the host collects where a handler wants it whole, and a stream only where a handler wants that. */
function defineBody(InnerBody) {
  return class ReceivedBody extends InnerBody {
    #id;
    #isTaken = false;
    /** Made when it is first read, and afterwards what Deno's code makes of it. */
    #streamOrStatic = null;

    constructor(id) {
      super(UNREAD);
      this.#id = id;
    }

    get streamOrStatic() {
      return this.#streamOrStatic ??= this.#isTaken ? { body: "", consumed: true } : this.#stream();
    }

    set streamOrStatic(value) {
      // Deno's constructor sets it before this class has its own fields.
      if (#id in this) this.#streamOrStatic = value;
    }

    #stream() {
      const id = this.#id;
      return nativeStream(() => op_request_read(id));
    }

    #isWhole() {
      return this.#streamOrStatic === null;
    }

    unusable() {
      return this.#isWhole() ? this.#isTaken : super.unusable();
    }

    consumed() {
      return this.#isWhole() ? this.#isTaken : super.consumed();
    }

    takeText() {
      if (!this.#isWhole() || this.#isTaken) return null;
      const text = op_request_whole(this.#id, true);
      if (text !== null) this.#isTaken = true;
      return text;
    }

    /** @param {string} [type] what is made of the body, by Deno's names */
    consume(type) {
      if (!this.#isWhole() || this.#isTaken) return super.consume();
      this.#isTaken = true;
      const isText = type === "JSON" || type === "text";
      return op_request_whole(this.#id, isText) ?? op_request_collect(this.#id);
    }
  };
}

/**
 * A stream of bytes that the host reads when they are wanted. `read` resolves to a chunk, or null at the end; `cancel`
 * is called where the rest is not read.
 */
export function nativeStream(read, cancel = undefined) {
  return new ReadableStream({
    type: "bytes",
    cancel,
    async pull(controller) {
      const chunk = await read();
      if (chunk === null) {
        ReadableByteStreamControllerPrototypeClose(controller);
        const request = ReadableByteStreamControllerPrototypeGetByobRequest(controller);
        if (request !== null) ReadableStreamBYOBRequestPrototypeRespond(request, 0);
      } else {
        ReadableByteStreamControllerPrototypeEnqueue(controller, chunk);
      }
    },
  }, { highWaterMark: 0 });
}

// A list of headers crosses as one string, because that is far cheaper than an array of strings. Neither names nor
// values can hold a line break (RFC 9110 section 5.5).

/** Reads `name\nvalue\nname\nvalue\n`. @returns {[string, string][]} */
export function readHeaders(text) {
  const parts = StringPrototypeSplit(text, "\n");
  const list = [];
  for (let i = 0; i + 1 < parts.length; i += 2) ArrayPrototypePush(list, [parts[i], parts[i + 1]]);
  return list;
}

/** Writes what {@link readHeaders} reads. @param {[string, string][]} headers */
export function writeHeaders(headers) {
  let text = "";
  for (let i = 0; i < headers.length; i++) {
    const { 0: name, 1: value } = headers[i];
    text += `${name}\n${value}\n`;
  }
  return text;
}

/** Headers of which Node takes only the first. */
const SINGLE = new SafeSet([
  "age",
  "authorization",
  "content-length",
  "content-type",
  "etag",
  "expires",
  "from",
  "host",
  "if-modified-since",
  "if-unmodified-since",
  "last-modified",
  "location",
  "max-forwards",
  "proxy-authorization",
  "referer",
  "retry-after",
  "server",
  "user-agent",
]);

/**
 * Headers as Node has them: an object by their names in lower case. Values of one name are joined, with "; " those of cookies. Those of
 * `set-cookie` are a list. As under Node it is an object that inherits the usual methods, which no header is taken for.
 * @param {[string, string][]} list
 */
export function nodeHeaders(list) {
  const headers = {};
  for (const { 0: given, 1: value } of new SafeArrayIterator(list)) {
    const name = StringPrototypeToLowerCase(given);
    const known = ObjectHasOwn(headers, name) ? headers[name] : undefined;
    if (known === undefined) headers[name] = name === "set-cookie" ? [value] : value;
    else if (name === "set-cookie") ArrayPrototypePush(known, value);
    else if (!SINGLE.has(name)) headers[name] = `${known}${name === "cookie" ? "; " : ", "}${value}`;
  }
  return headers;
}
