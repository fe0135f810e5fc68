// The web platform's globals. Deno's crates implement them; each script is evaluated when one of its names is
// first touched, so that an isolate starts with little more than events and timers.

import { core, internals } from "ext:core/mod.js";
import { crypto } from "./crypto.js";
import { makeConsole } from "./log.js";
import {
  ArrayIsArray,
  globalThis,
  Headers,
  HeadersPrototypeEntries,
  ObjectDefineProperty,
  ObjectEntries,
  ObjectSetPrototypeOf,
  SafeArrayIterator,
  Symbol,
  takeEvents,
} from "./primordials.js";

const LAZY = {
  "ext:deno_web/00_url.js": ["URL", "URLSearchParams"],
  "ext:deno_web/01_broadcast_channel.js": ["BroadcastChannel"],
  "ext:deno_web/01_dom_exception.js": ["DOMException"],
  "ext:deno_web/01_urlpattern.js": ["URLPattern"],
  "ext:deno_web/02_structured_clone.js": ["structuredClone"],
  "ext:deno_web/03_abort_signal.js": ["AbortController", "AbortSignal"],
  "ext:deno_web/05_base64.js": ["atob", "btoa"],
  "ext:deno_web/06_streams.js": [
    "ByteLengthQueuingStrategy",
    "CountQueuingStrategy",
    "ReadableByteStreamController",
    "ReadableStream",
    "ReadableStreamBYOBReader",
    "ReadableStreamBYOBRequest",
    "ReadableStreamDefaultController",
    "ReadableStreamDefaultReader",
    "TransformStream",
    "TransformStreamDefaultController",
    "WritableStream",
    "WritableStreamDefaultController",
    "WritableStreamDefaultWriter",
  ],
  "ext:deno_web/08_text_encoding.js": ["TextDecoder", "TextDecoderStream", "TextEncoder", "TextEncoderStream"],
  "ext:deno_web/09_file.js": ["Blob", "File"],
  "ext:deno_web/10_filereader.js": ["FileReader"],
  "ext:deno_web/13_message_port.js": ["MessageChannel", "MessagePort", "structuredClone"],
  "ext:deno_web/14_compression.js": ["CompressionStream", "DecompressionStream"],
  "ext:deno_web/15_performance.js": [
    "Performance",
    "PerformanceEntry",
    "PerformanceMark",
    "PerformanceMeasure",
    "PerformanceObserver",
    "PerformanceObserverEntryList",
    "performance",
  ],
  "ext:deno_fetch/20_headers.js": ["Headers"],
  "ext:deno_fetch/21_formdata.js": ["FormData"],
  "ext:deno_fetch/23_request.js": ["Request"],
  "ext:deno_fetch/27_eventsource.js": ["EventSource"],
};

const EVENTS = [
  "CloseEvent",
  "CustomEvent",
  "ErrorEvent",
  "Event",
  "EventTarget",
  "MessageEvent",
  "ProgressEvent",
  "PromiseRejectionEvent",
];

function installGlobals() {
  stubTelemetry();
  const events = core.loadExtScript("ext:deno_web/02_event.js");
  events.setEventTargetData(globalThis);
  events.saveGlobalThisReference(globalThis);
  for (const name of new SafeArrayIterator(EVENTS)) define(name, events[name]);
  // deno_node reports with it what callbacks of sockets throw.
  define("reportError", events.reportError);
  // Listeners that throw are reported to the global, which therefore has to be a target itself.
  ObjectSetPrototypeOf(globalThis, events.EventTarget.prototype);
  const webidl = core.loadExtScript("ext:deno_webidl/00_webidl.js");
  globalThis[webidl.brand] = webidl.brand;
  takeArraysByIndex(webidl);

  takeEvents();
  for (const { 0: specifier, 1: names } of new SafeArrayIterator(ObjectEntries(LAZY))) {
    for (const name of new SafeArrayIterator(names)) defineLazy(name, () => core.loadExtScript(specifier)[name]);
  }
  defineLazy("console", makeConsole);
  define("crypto", crypto);
  define("self", globalThis);
}

/** The web's functions take lists from arrays and headers as they are, whatever handlers have made of their iterators. */
function takeArraysByIndex(webidl) {
  const { brand, converters, createSequenceConverter } = webidl;
  const listOf = (value) => {
    if (ArrayIsArray(value)) return new SafeArrayIterator(value);
    // Undefined before the first list of headers could be made. Without the brand it only derives from Headers.
    const isHeaders = Headers !== undefined && value instanceof Headers && value[brand] === brand;
    return isHeaders ? new SafeArrayIterator(HeadersPrototypeEntries(value)) : value;
  };
  const byIndex = (convert) => (value, prefix, context, options) => convert(listOf(value), prefix, context, options);
  webidl.createSequenceConverter = (convertItem) => byIndex(createSequenceConverter(convertItem));
  for (const type of new SafeArrayIterator(["ByteString", "DOMString", "USVString"])) {
    const name = `sequence<${type}>`;
    converters[name] = byIndex(converters[name]);
    const nested = `sequence<${name}>`;
    if (nested in converters) converters[nested] = webidl.createSequenceConverter(converters[name]);
  }
}

/** Defines a global as the web does: writable, configurable, not enumerable. */
export function define(name, value) {
  const property = { __proto__: null, configurable: true, enumerable: false, value, writable: true };
  ObjectDefineProperty(globalThis, name, property);
}

/** The same for one whose value is made when it is first read. */
export function defineLazy(name, load) {
  ObjectDefineProperty(globalThis, name, {
    __proto__: null,
    configurable: true,
    enumerable: false,
    get() {
      const value = load();
      define(name, value);
      return value;
    },
    set(value) {
      define(name, value);
    },
  });
}

// fetch() reports to Deno's telemetry, which is off here.
function stubTelemetry() {
  const nothing = () => {};
  internals.__telemetry = {
    TRACING_ENABLED: false,
    PROPAGATORS: [],
    builtinTracer: nothing,
    ContextManager: { active: nothing },
    DID_NOT_ENTER: Symbol("did not enter"),
    enterSpan: nothing,
    exitSpan: nothing,
    restoreSnapshot: nothing,
  };
  internals.__telemetryUtil = {
    updateSpanFromClientResponse: nothing,
    updateSpanFromError: nothing,
    updateSpanFromRequest: nothing,
  };
}

// Modules after this one extend classes that these are.
installGlobals();
