// Globals of Workers that other handlers do not have.

import { op_environment_set } from "ext:core/ops";
import { readUnsentBodies } from "../answer/answer.js";
import { encodeBodies } from "../answer/encoding.js";
import { takeNamelessFilesAsTexts } from "../form/form_data.js";
import { define } from "../globals.js";
import { defineCrypto } from "./crypto.js";
import { defineEventSource } from "./event_source.js";
import { useTextHeaders } from "./headers.js";
import { readUnsent } from "./heads.js";
import { useMethodsInAnyCase } from "./requests.js";
import { defineStreams } from "./streams.js";
import { clearTimeout, setTimeout } from "../timers.js";
import { useWorkersResponses } from "../websocket/pair.js";
import { WebSocketRequestResponsePair } from "./actors.js";
import {
  ArrayPrototypeJoin,
  ArrayPrototypePop,
  ArrayPrototypeShift,
  Error,
  EventTarget,
  EventTargetPrototypeAddEventListener,
  EventTargetPrototypeRemoveEventListener,
  globalThis,
  Headers,
  HeadersPrototypeGetSetCookie,
  JSONParse,
  ObjectDefineProperty,
  ObjectFreeze,
  ObjectGetPrototypeOf,
  Promise,
  Request,
  SafeArrayIterator,
  String,
  StringPrototypeSplit,
  StringPrototypeToLowerCase,
  SymbolHasInstance,
  TypeError,
} from "../primordials.js";

/** A cache that keeps nothing, as an empty one may. */
class Cache {
  async match(_request, _options = undefined) {
    return undefined;
  }

  async put(_request, _response) {}

  async delete(_request, _options = undefined) {
    return false;
  }
}

class HTMLRewriter {
  constructor() {
    throw new Error("HTMLRewriter is not available on this host. Write the page as a stream, or transform its text.");
  }
}

/** What Cloudflare knows of the place of a request: nothing here. */
const CF = ObjectFreeze({});

/** `scheduler.wait()`. @param {{ signal?: AbortSignal }} [options] */
function wait(milliseconds, options = undefined) {
  const signal = options?.signal;
  return new Promise((resolve, reject) => {
    if (signal === undefined) return void setTimeout(resolve, milliseconds);
    if (signal.aborted) return reject(signal.reason);
    const aborted = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      EventTargetPrototypeRemoveEventListener(signal, "abort", aborted);
      resolve();
    }, milliseconds);
    EventTargetPrototypeAddEventListener(signal, "abort", aborted, { once: true });
  });
}

/** The phrases of statuses, which a Response has as its statusText where its handler gave it none. */
const PHRASES = {
  __proto__: null,
  200: "OK",
  201: "Created",
  202: "Accepted",
  203: "Non-Authoritative Information",
  204: "No Content",
  205: "Reset Content",
  206: "Partial Content",
  207: "Multi-Status",
  208: "Already Reported",
  226: "IM Used",
  300: "Multiple Choices",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  305: "Use Proxy",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  402: "Payment Required",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  407: "Proxy Authentication Required",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  411: "Length Required",
  412: "Precondition Failed",
  413: "Payload Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  417: "Expectation Failed",
  418: "I'm a teapot",
  421: "Misdirected Request",
  422: "Unprocessable Entity",
  423: "Locked",
  424: "Failed Dependency",
  426: "Upgrade Required",
  428: "Precondition Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  451: "Unavailable For Legal Reasons",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
  506: "Variant Also Negotiates",
  507: "Insufficient Storage",
  508: "Loop Detected",
  510: "Not Extended",
  511: "Network Authentication Required",
};

/** The classes of a Worker's global object, by which libraries know where they run. */
function defineScopes() {
  class WorkerGlobalScope extends EventTarget {
    constructor() {
      throw new TypeError("Illegal constructor");
    }

    static [SymbolHasInstance](value) {
      return value === globalThis;
    }
  }
  class ServiceWorkerGlobalScope extends WorkerGlobalScope {}
  define("WorkerGlobalScope", WorkerGlobalScope);
  define("ServiceWorkerGlobalScope", ServiceWorkerGlobalScope);
  const userAgent = { __proto__: null, configurable: true, enumerable: true, get: () => "Cloudflare-Workers" };
  const { navigator } = globalThis;
  if (navigator === undefined) define("navigator", ObjectDefineProperty({}, "userAgent", userAgent));
  else ObjectDefineProperty(ObjectGetPrototypeOf(navigator), "userAgent", userAgent);
}

/** Defines them, once a project is a Worker. */
export function defineGlobals(flags) {
  useWorkersResponses((status) => PHRASES[status] ?? "");
  defineScopes();
  const shared = new Cache();
  define("caches", { default: shared, open: async (_name) => shared });
  define("HTMLRewriter", HTMLRewriter);
  define("WebSocketRequestResponsePair", WebSocketRequestResponsePair);
  useTextHeaders();
  useMethodsInAnyCase();
  readUnsentBodies(readUnsent);
  encodeBodies();
  takeNamelessFilesAsTexts();
  defineStreams();
  defineEventSource();
  defineCrypto();
  define("Cloudflare", { compatibilityFlags: flags });
  ObjectDefineProperty(Request.prototype, "cf", { __proto__: null, configurable: true, enumerable: true, get: () => CF });
  ObjectDefineProperty(Headers.prototype, "getAll", {
    __proto__: null,
    configurable: true,
    value(name) {
      if (StringPrototypeToLowerCase(String(name)) !== "set-cookie") {
        throw new TypeError('getAll() can only be used with the header name "Set-Cookie".');
      }
      return HeadersPrototypeGetSetCookie(this);
    },
    writable: true,
  });
  define("scheduler", { wait });
}

/**
 * Defines a name that a bundler would replace: `define` of the configuration.
 * @param {string} name `NAME`, or a name of what `globalThis` or `process.env` has: `process.env.NAME`
 * @param {string} text JSON, or another name
 */
export function defineName(name, text) {
  const parts = StringPrototypeSplit(name, ".");
  if (parts[0] === "globalThis") ArrayPrototypeShift(parts);
  const last = ArrayPrototypePop(parts);
  if (ArrayPrototypeJoin(parts, ".") === "process.env") {
    const value = valueOf(text);
    op_environment_set(last, typeof value === "string" ? value : text);
    return;
  }
  let holder = globalThis;
  for (const part of new SafeArrayIterator(parts)) {
    if (holder[part] === undefined) ObjectDefineProperty(holder, part, { __proto__: null, configurable: true, value: {}, writable: true });
    holder = holder[part];
  }
  ObjectDefineProperty(holder, last, { __proto__: null, configurable: true, enumerable: true, get: () => valueOf(text) });
}

/** What the text of a definition stands for. */
function valueOf(text) {
  try {
    return JSONParse(text);
  } catch {
    let value = globalThis;
    for (const part of new SafeArrayIterator(StringPrototypeSplit(text, "."))) value = value?.[part];
    return value;
  }
}
