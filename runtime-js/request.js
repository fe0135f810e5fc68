// The Request of an exchange. Nothing is copied from the host until a handler reads it.

import { core } from "ext:core/mod.js";
import {
  op_request_collect,
  op_request_has_body,
  op_request_header,
  op_request_headers,
  op_request_read,
} from "ext:core/ops";
import { answerForIllBodies } from "./form/form_data.js";
import {
  ArrayPrototypePush,
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptor,
  ReadableByteStreamControllerPrototypeClose,
  ReadableByteStreamControllerPrototypeEnqueue,
  ReadableByteStreamControllerPrototypeGetByobRequest,
  ReadableStream,
  ReadableStreamBYOBRequestPrototypeRespond,
  StringPrototypeSplit,
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

let fromInnerRequest = null;

/** Loads what requests are made of, if that was not done. */
export function prepareRequests() {
  if (fromInnerRequest !== null) return;
  const script = core.loadExtScript("ext:deno_fetch/23_request.js");
  answerForIllBodies(script.RequestPrototype);
  fromInnerRequest = script.fromInnerRequest;
}

/** What Deno's Request is made of, read from the host bit by bit. */
class ReceivedRequest {
  #exchange;
  #isForClient;
  #headerList = null;
  #body = undefined;

  redirectMode = "follow";
  redirectCount = 0;
  clientRid = null;
  blobUrlEntry = null;

  constructor(exchange, isForClient) {
    this.#exchange = exchange;
    this.#isForClient = isForClient;
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
    return this.#headerList ??= readHeaders(op_request_headers(this.#exchange.id));
  }

  /** One header, without the others. */
  header(name) {
    return op_request_header(this.#exchange.id, name);
  }

  get body() {
    if (this.#body === undefined) this.#body = op_request_has_body(this.#exchange.id) ? bodyOf(this.#exchange.id) : null;
    return this.#body;
  }

  /** The request's signal aborts with the exchange, or when its client leaves. */
  onCancel(callback) {
    if (this.#isForClient) this.#exchange.onLeave(callback);
    else this.#exchange.onEnd(callback);
  }
}

function bodyOf(id) {
  ReceivedBody ??= defineBody(core.loadExtScript("ext:deno_fetch/22_body.js").InnerBody);
  return new ReceivedBody(id);
}

let ReceivedBody = null;

/** A body that the host collects where a handler wants it whole, and a stream only where a handler wants that. */
function defineBody(InnerBody) {
  return class ReceivedBody extends InnerBody {
    #id;
    #isTaken = false;

    constructor(id) {
      super(null);
      this.#id = id;
      const streamOrStatic = () => this.#isTaken ? { body: "", consumed: true } : nativeStream(() => op_request_read(id));
      // Made when it is first asked for, and afterwards what Deno's code makes of it.
      ObjectDefineProperty(this, "streamOrStatic", {
        __proto__: null,
        configurable: true,
        get: () => this.streamOrStatic = streamOrStatic(),
        set: (value) => {
          ObjectDefineProperty(this, "streamOrStatic", { __proto__: null, configurable: true, value, writable: true });
        },
      });
    }

    #isWhole() {
      return "get" in ObjectGetOwnPropertyDescriptor(this, "streamOrStatic");
    }

    unusable() {
      return this.#isWhole() ? this.#isTaken : super.unusable();
    }

    consumed() {
      return this.#isWhole() ? this.#isTaken : super.consumed();
    }

    consume() {
      if (!this.#isWhole() || this.#isTaken) return super.consume();
      this.#isTaken = true;
      return op_request_collect(this.#id);
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
