// The built-ins that this code uses, as they were before any handler ran. A handler may replace what it finds in
// globalThis, prototypes included; who uses these names instead never meets the replacement.
//
// Names follow one rule: `ArrayPrototypePush(list, item)` is `list.push(item)`, `ObjectKeys(o)` is
// `Object.keys(o)`, `ResponsePrototypeGetStatus(r)` is `r.status`. Scripts for browsers get the plain forms back: there
// xtask/bundle/built_ins.mjs replaces the names. crates/compiler/tests/primordials.rs checks that no other built-in is
// used.

/** The global object, whatever it holds by now. */
const theGlobal = globalThis;
export const {
  Array,
  ArrayBuffer,
  BigInt,
  Boolean,
  Date,
  decodeURIComponent,
  encodeURIComponent,
  Error,
  Map,
  Number,
  Object,
  parseInt,
  Promise,
  Proxy,
  RangeError,
  RegExp,
  String,
  Symbol,
  SyntaxError,
  TypeError,
  Uint8Array,
} = theGlobal;
export { theGlobal as globalThis };

const { bind, call } = Function.prototype;
/** `uncurryThis(method)(self, ...args)` calls `method` on `self`. */
const uncurryThis = bind.bind(call);
const { defineProperty, getOwnPropertyDescriptor, ownKeys, setPrototypeOf } = Reflect;
const { freeze } = Object;

/** The methods of a prototype, each with its receiver as the first parameter. */
function methodsOf(prototype) {
  const methods = { __proto__: null };
  for (const key of ownKeys(prototype)) {
    const { value } = getOwnPropertyDescriptor(prototype, key);
    if (typeof value === "function") methods[key] = uncurryThis(value);
  }
  return methods;
}

/** What reads an accessor of a prototype. */
function getter(prototype, key) {
  return uncurryThis(getOwnPropertyDescriptor(prototype, key).get);
}

// -- the language ----------------------------------------------------------------------------------------------------

export const { from: ArrayFrom, isArray: ArrayIsArray } = {
  from: bind.call(Array.from, Array),
  isArray: Array.isArray,
};
export const { isView: ArrayBufferIsView } = ArrayBuffer;
export const { now: DateNow } = Date;
export const { parse: JSONParse, stringify: JSONStringify } = JSON;
export const { max: MathMax, min: MathMin, round: MathRound, trunc: MathTrunc } = Math;
export const { isFinite: NumberIsFinite, isInteger: NumberIsInteger, isNaN: NumberIsNaN } = Number;
export const {
  assign: ObjectAssign,
  create: ObjectCreate,
  defineProperties: ObjectDefineProperties,
  defineProperty: ObjectDefineProperty,
  entries: ObjectEntries,
  freeze: ObjectFreeze,
  getOwnPropertyDescriptor: ObjectGetOwnPropertyDescriptor,
  getPrototypeOf: ObjectGetPrototypeOf,
  hasOwn: ObjectHasOwn,
  is: ObjectIs,
  keys: ObjectKeys,
  prototype: ObjectPrototype,
  setPrototypeOf: ObjectSetPrototypeOf,
} = Object;
export const {
  apply: ReflectApply,
  construct: ReflectConstruct,
  defineProperty: ReflectDefineProperty,
  deleteProperty: ReflectDeleteProperty,
  get: ReflectGet,
  getOwnPropertyDescriptor: ReflectGetOwnPropertyDescriptor,
  getPrototypeOf: ReflectGetPrototypeOf,
  has: ReflectHas,
  isExtensible: ReflectIsExtensible,
  ownKeys: ReflectOwnKeys,
  preventExtensions: ReflectPreventExtensions,
  set: ReflectSet,
  setPrototypeOf: ReflectSetPrototypeOf,
} = Reflect;
export const { fromCodePoint: StringFromCodePoint } = String;
export const {
  asyncIterator: SymbolAsyncIterator,
  for: SymbolFor,
  hasInstance: SymbolHasInstance,
  iterator: SymbolIterator,
  toPrimitive: SymbolToPrimitive,
  toStringTag: SymbolToStringTag,
} = Symbol;
export const PromiseReject = bind.call(Promise.reject, Promise);
export const PromiseResolve = bind.call(Promise.resolve, Promise);
export const PromiseWithResolvers = () => {
  const resolvers = {};
  resolvers.promise = new Promise((resolve, reject) => {
    resolvers.resolve = resolve;
    resolvers.reject = reject;
  });
  return resolvers;
};

export const {
  at: ArrayPrototypeAt,
  every: ArrayPrototypeEvery,
  filter: ArrayPrototypeFilter,
  find: ArrayPrototypeFind,
  findIndex: ArrayPrototypeFindIndex,
  findLast: ArrayPrototypeFindLast,
  flat: ArrayPrototypeFlat,
  flatMap: ArrayPrototypeFlatMap,
  forEach: ArrayPrototypeForEach,
  includes: ArrayPrototypeIncludes,
  indexOf: ArrayPrototypeIndexOf,
  join: ArrayPrototypeJoin,
  lastIndexOf: ArrayPrototypeLastIndexOf,
  map: ArrayPrototypeMap,
  pop: ArrayPrototypePop,
  push: ArrayPrototypePush,
  reduce: ArrayPrototypeReduce,
  reverse: ArrayPrototypeReverse,
  shift: ArrayPrototypeShift,
  slice: ArrayPrototypeSlice,
  some: ArrayPrototypeSome,
  sort: ArrayPrototypeSort,
  splice: ArrayPrototypeSplice,
} = methodsOf(Array.prototype);
export const { forEach: MapPrototypeForEach, set: MapPrototypeSet } = methodsOf(Map.prototype);
export const { forEach: SetPrototypeForEach } = methodsOf(Set.prototype);
export const { slice: ArrayBufferPrototypeSlice } = methodsOf(ArrayBuffer.prototype);
export const {
  getTime: DatePrototypeGetTime,
  toISOString: DatePrototypeToISOString,
  toUTCString: DatePrototypeToUTCString,
} = methodsOf(Date.prototype);
export const {
  bind: FunctionPrototypeBind,
  call: FunctionPrototypeCall,
  toString: FunctionPrototypeToString,
} = methodsOf(Function.prototype);
export const { toString: NumberPrototypeToString } = methodsOf(Number.prototype);
export const { propertyIsEnumerable: ObjectPrototypePropertyIsEnumerable } = methodsOf(Object.prototype);
export const { exec: RegExpPrototypeExec } = methodsOf(RegExp.prototype);
export const {
  charCodeAt: StringPrototypeCharCodeAt,
  endsWith: StringPrototypeEndsWith,
  includes: StringPrototypeIncludes,
  indexOf: StringPrototypeIndexOf,
  lastIndexOf: StringPrototypeLastIndexOf,
  padStart: StringPrototypePadStart,
  replace: StringPrototypeReplace,
  slice: StringPrototypeSlice,
  split: StringPrototypeSplit,
  startsWith: StringPrototypeStartsWith,
  toLowerCase: StringPrototypeToLowerCase,
  toUpperCase: StringPrototypeToUpperCase,
  trim: StringPrototypeTrim,
} = methodsOf(String.prototype);
export const {
  catch: PromisePrototypeCatch,
  finally: PromisePrototypeFinally,
  then: PromisePrototypeThen,
} = promises();

/** `catch` and `finally` as the language has them, but with the `then` of this module. */
function promises() {
  const then = uncurryThis(Promise.prototype.then);
  return {
    then,
    catch: (promise, failed) => then(promise, undefined, failed),
    finally: (promise, callback) =>
      then(promise, async (value) => {
        await callback();
        return value;
      }, async (error) => {
        await callback();
        throw error;
      }),
  };
}

/** The methods of generators, which all generators inherit; other iterators have methods of their own. */
const generatorMethods = [function* () {}, async function* () {}].map((function_) => {
  const prototype = Reflect.getPrototypeOf(function_.prototype);
  return { prototype, ...methodsOf(prototype) };
});
const { isPrototypeOf } = methodsOf(Object.prototype);
function ofGenerator(iterator, name) {
  for (let i = 0; i < generatorMethods.length; i++) {
    if (isPrototypeOf(generatorMethods[i].prototype, iterator)) return generatorMethods[i][name](iterator);
  }
  return iterator[name]();
}
export const IteratorPrototypeNext = (iterator) => ofGenerator(iterator, "next");
export const IteratorPrototypeReturn = (iterator) => ofGenerator(iterator, "return");

/** `regexp.test(text)`, which would look for `exec` at the prototype. */
export const RegExpPrototypeTest = (regexp, text) => RegExpPrototypeExec(regexp, text) !== null;

const prototypeOfViews = Reflect.getPrototypeOf(Uint8Array.prototype);
const viewGetters = {
  buffer: getter(prototypeOfViews, "buffer"),
  byteLength: getter(prototypeOfViews, "byteLength"),
  byteOffset: getter(prototypeOfViews, "byteOffset"),
};
const dataViewGetters = {
  buffer: getter(DataView.prototype, "buffer"),
  byteLength: getter(DataView.prototype, "byteLength"),
  byteOffset: getter(DataView.prototype, "byteOffset"),
};
const isTypedArray = uncurryThis(getOwnPropertyDescriptor(prototypeOfViews, Symbol.toStringTag).get);
const ofView = (key) => (view) =>
  isTypedArray(view) === undefined ? dataViewGetters[key](view) : viewGetters[key](view);
export const { subarray: TypedArrayPrototypeSubarray } = methodsOf(prototypeOfViews);
export const ArrayBufferViewPrototypeGetBuffer = ofView("buffer");
export const ArrayBufferViewPrototypeGetByteLength = ofView("byteLength");
export const ArrayBufferViewPrototypeGetByteOffset = ofView("byteOffset");
export const ArrayBufferPrototypeGetByteLength = getter(ArrayBuffer.prototype, "byteLength");

/** What a `for` loop and `...` may take an array's items from. */
export class SafeArrayIterator {
  #array;
  #index = 0;

  constructor(array) {
    this.#array = array;
  }

  next() {
    const array = this.#array;
    const index = this.#index;
    if (index >= array.length) return { value: undefined, done: true };
    this.#index = index + 1;
    return { value: array[index], done: false };
  }

  [Symbol.iterator]() {
    return this;
  }
}
sealed(SafeArrayIterator);

const { fromEntries } = Object;
export const ObjectFromEntries = (entries) => fromEntries(new SafeArrayIterator(entries));

/** Freezes a class of this module and what its instances inherit. */
function sealed(Class) {
  setPrototypeOf(Class.prototype, null);
  freeze(Class.prototype);
  return freeze(Class);
}

/** A subclass of a built-in whose instances have the methods of today as their own class's. */
function safe(Plain, Safe) {
  const sample = Plain === Map || Plain === Set ? new Plain() : null;
  for (const key of ownKeys(Plain.prototype)) {
    if (getOwnPropertyDescriptor(Safe.prototype, key) !== undefined) continue;
    const property = getOwnPropertyDescriptor(Plain.prototype, key);
    const isIteration = sample !== null && typeof property.value === "function" && property.value.length === 0 &&
      ["entries", "keys", "values", Symbol.iterator].includes(key);
    if (isIteration) property.value = iterationOf(property.value, sample);
    defineProperty(Safe.prototype, key, { __proto__: null, ...property });
  }
  return sealed(Safe);
}

/** `entries()` and its like, with an iterator that has its own `next()`. */
function iterationOf(method, sample) {
  const iterate = uncurryThis(method);
  const next = uncurryThis(iterate(sample).next);
  class SafeIterator {
    #iterator;

    constructor(collection) {
      this.#iterator = iterate(collection);
    }

    next() {
      return next(this.#iterator);
    }

    [Symbol.iterator]() {
      return this;
    }
  }
  sealed(SafeIterator);
  return function () {
    return new SafeIterator(this);
  };
}

const itemsOf = (list) => list === undefined ? undefined : new SafeArrayIterator(list);

// The built-in constructors take the items from what they are given, and put them in by methods of the new object.
export const SafeMap = safe(Map, class SafeMap extends Map {
  constructor(entries = undefined) {
    super(itemsOf(entries));
  }
});
export const SafeSet = safe(Set, class SafeSet extends Set {
  constructor(items = undefined) {
    super(itemsOf(items));
  }
});
export const SafeWeakMap = safe(WeakMap, class SafeWeakMap extends WeakMap {
  constructor() {
    super();
  }
});
export const SafeWeakSet = safe(WeakSet, class SafeWeakSet extends WeakSet {
  constructor() {
    super();
  }
});
export const SafeWeakRef = safe(WeakRef, class SafeWeakRef extends WeakRef {
  constructor(target) {
    super(target);
  }
});
export const SafeFinalizationRegistry = safe(
  FinalizationRegistry,
  class SafeFinalizationRegistry extends FinalizationRegistry {
    constructor(callback) {
      super(callback);
    }
  },
);
/** For replacing and splitting, which ask the expression for its methods and flags. */
export const SafeRegExp = safe(RegExp, class SafeRegExp extends RegExp {
  constructor(pattern, flags = undefined) {
    super(pattern, flags);
  }
});

/**
 * For the host: nobody redefines what instances of a class are asked for by the code that made the class: accessors, and
 * members named by symbols. Methods with names may be replaced; that code calls them by other ways. An instance may get a
 * member of its own in place of one that is inherited, as packages give streams another `Symbol.asyncIterator`.
 */
export function pinMembers(Class) {
  const { prototype } = Class;
  const keys = ownKeys(prototype);
  for (let i = 0; i < keys.length; i++) {
    const property = getOwnPropertyDescriptor(prototype, keys[i]);
    const isAccessor = property.get !== undefined;
    if (typeof keys[i] !== "symbol" && !isAccessor) continue;
    const pinned = property.writable ? inherited(prototype, keys[i], property) : { __proto__: null };
    pinned.configurable = false;
    defineProperty(prototype, keys[i], pinned);
  }
}

const PINNED = "this member is the same for all instances; one that is extensible may have its own";

/**
 * A member in the form of an accessor: an assignment to an object that inherits a constant is an error, even where the
 * object may have a property of that name.
 */
function inherited(prototype, key, { value, enumerable }) {
  return {
    __proto__: null,
    enumerable,
    get() {
      return value;
    },
    set(own) {
      const property = { __proto__: null, value: own, configurable: true, enumerable: true, writable: true };
      if (this === prototype || !defineProperty(this, key, property)) throw new TypeError(PINNED);
    },
  };
}

/**
 * For the host: deno_core runs an asynchronous op by the `call` that the op's function has, which would be everybody's.
 * So each gets one of its own.
 * @param {Function[]} ops none of them runs
 */
export function giveOwnCall(ops) {
  const given = Function.prototype.call;
  Function.prototype.call = function () {
    defineProperty(this, "call", { __proto__: null, value: given });
    // Anything but undefined is an op's result.
    return null;
  };
  for (let i = 0; i < ops.length; i++) ops[i]();
  Function.prototype.call = given;
}

// -- the web ---------------------------------------------------------------------------------------------------------

// In the host these are loaded after this module, but before any handler.
export let AbortController, AbortSignal, Blob, CloseEvent, DOMException, ErrorEvent, Event, EventTarget, FormData, Headers;
export let MessageEvent, queueMicrotask, ReadableStream, Request, Response, TextEncoder, URL, URLSearchParams;

/** The host's own `fetch()`. Elsewhere it is whatever is there when it is called. */
export let fetch = (...args) => theGlobal.fetch(...args);

export let AbortControllerPrototypeAbort, AbortControllerPrototypeGetSignal;
export let AbortSignalPrototypeGetAborted, AbortSignalPrototypeGetReason, AbortSignalPrototypeThrowIfAborted;
export let BlobPrototypeArrayBuffer, BlobPrototypeGetSize, BlobPrototypeSlice, BlobPrototypeStream;
export let ErrorEventPrototypeGetError, EventPrototypeGetDefaultPrevented, EventPrototypeGetType;
export let EventPrototypePreventDefault;
export let EventPrototypeStopImmediatePropagation, EventPrototypeStopPropagation;
export let EventTargetPrototypeAddEventListener, EventTargetPrototypeDispatchEvent;
export let EventTargetPrototypeRemoveEventListener;
export let FormDataPrototypeEntries, HeadersPrototypeDelete, HeadersPrototypeEntries, HeadersPrototypeGet;
export let HeadersPrototypeAppend, HeadersPrototypeGetSetCookie;
export let HeadersPrototypeHas, HeadersPrototypeSet;
export let ReadableStreamPrototypeCancel, ReadableStreamPrototypeGetLocked, ReadableStreamPrototypeGetReader;
export let ReadableStreamDefaultControllerPrototypeClose, ReadableStreamDefaultControllerPrototypeEnqueue;
export let ReadableStreamDefaultReaderPrototypeCancel, ReadableStreamDefaultReaderPrototypeRead;
export let ReadableStreamDefaultReaderPrototypeReleaseLock;
export let ReadableByteStreamControllerPrototypeClose, ReadableByteStreamControllerPrototypeEnqueue;
export let ReadableByteStreamControllerPrototypeGetByobRequest, ReadableStreamBYOBRequestPrototypeRespond;
export let RequestPrototypeClone, RequestPrototypeGetBody, RequestPrototypeGetHeaders, RequestPrototypeGetMethod;
export let RequestPrototypeGetUrl;
export let ResponseJson, ResponsePrototypeArrayBuffer, ResponsePrototypeBlob, ResponsePrototypeFormData;
export let ResponsePrototypeGetBody, ResponsePrototypeGetBodyUsed, ResponsePrototypeGetHeaders;
export let ResponsePrototypeGetRedirected, ResponsePrototypeGetStatus, ResponsePrototypeGetStatusText;
export let ResponsePrototypeGetType, ResponsePrototypeGetUrl, ResponsePrototypeJson, ResponsePrototypeText;
export let TextEncoderPrototypeEncode, TransformStreamDefaultControllerPrototypeEnqueue;
export let URLCanParse, URLPrototypeGetHref, URLPrototypeGetOrigin, URLPrototypeGetPathname, URLPrototypeGetProtocol;
export let URLPrototypeGetHash, URLPrototypeGetPort, URLPrototypeGetSearch, URLPrototypeSetProtocol;
export let URLSearchParamsPrototypeEntries, URLSearchParamsPrototypeGet;
export let WritableStream, WritableStreamPrototypeGetWriter, WritableStreamDefaultWriterPrototypeAbort;
export let WritableStreamDefaultWriterPrototypeClose, WritableStreamDefaultWriterPrototypeWrite;

/** Takes in the events, which classes of this code extend. */
export function takeEvents() {
  ({ CloseEvent, ErrorEvent, Event, EventTarget, MessageEvent, queueMicrotask } = theGlobal);
  const { preventDefault, stopImmediatePropagation, stopPropagation } = methodsOf(Event.prototype);
  EventPrototypePreventDefault = preventDefault;
  EventPrototypeStopImmediatePropagation = stopImmediatePropagation;
  EventPrototypeStopPropagation = stopPropagation;
  EventPrototypeGetDefaultPrevented = getter(Event.prototype, "defaultPrevented");
  ErrorEventPrototypeGetError = typeof ErrorEvent === "function" ? getter(ErrorEvent.prototype, "error") : undefined;
  EventPrototypeGetType = getter(Event.prototype, "type");
  const { addEventListener, dispatchEvent, removeEventListener } = methodsOf(EventTarget.prototype);
  EventTargetPrototypeAddEventListener = addEventListener;
  EventTargetPrototypeDispatchEvent = dispatchEvent;
  EventTargetPrototypeRemoveEventListener = removeEventListener;
}

/** Takes in all the rest, whose classes load each other. */
export function takeWeb() {
  ({ AbortController, AbortSignal, Blob, DOMException, fetch, FormData, Headers, ReadableStream, Request } = theGlobal);
  ({ Response, TextEncoder, URL, URLSearchParams, WritableStream } = theGlobal);
  AbortControllerPrototypeAbort = methodsOf(AbortController.prototype).abort;
  AbortControllerPrototypeGetSignal = getter(AbortController.prototype, "signal");
  AbortSignalPrototypeGetAborted = getter(AbortSignal.prototype, "aborted");
  AbortSignalPrototypeGetReason = getter(AbortSignal.prototype, "reason");
  AbortSignalPrototypeThrowIfAborted = methodsOf(AbortSignal.prototype).throwIfAborted;
  BlobPrototypeArrayBuffer = methodsOf(Blob.prototype).arrayBuffer;
  BlobPrototypeGetSize = getter(Blob.prototype, "size");
  BlobPrototypeSlice = methodsOf(Blob.prototype).slice;
  BlobPrototypeStream = methodsOf(Blob.prototype).stream;
  FormDataPrototypeEntries = entriesOf(FormData);
  HeadersPrototypeEntries = entriesOf(Headers);
  const headers = methodsOf(Headers.prototype);
  HeadersPrototypeAppend = headers.append;
  HeadersPrototypeDelete = headers.delete;
  HeadersPrototypeGet = headers.get;
  HeadersPrototypeGetSetCookie = headers.getSetCookie;
  HeadersPrototypeHas = headers.has;
  HeadersPrototypeSet = headers.set;
  ({ cancel: ReadableStreamPrototypeCancel, getReader: ReadableStreamPrototypeGetReader } = methodsOf(
    ReadableStream.prototype,
  ));
  ReadableStreamPrototypeGetLocked = getter(ReadableStream.prototype, "locked");
  const reader = methodsOf(theGlobal.ReadableStreamDefaultReader.prototype);
  ReadableStreamDefaultReaderPrototypeCancel = reader.cancel;
  ReadableStreamDefaultReaderPrototypeRead = reader.read;
  ReadableStreamDefaultReaderPrototypeReleaseLock = reader.releaseLock;
  ({ close: ReadableStreamDefaultControllerPrototypeClose, enqueue: ReadableStreamDefaultControllerPrototypeEnqueue } =
    methodsOf(theGlobal.ReadableStreamDefaultController.prototype));
  const controller = theGlobal.ReadableByteStreamController.prototype;
  ReadableByteStreamControllerPrototypeClose = methodsOf(controller).close;
  ReadableByteStreamControllerPrototypeEnqueue = methodsOf(controller).enqueue;
  ReadableByteStreamControllerPrototypeGetByobRequest = getter(controller, "byobRequest");
  ReadableStreamBYOBRequestPrototypeRespond = methodsOf(theGlobal.ReadableStreamBYOBRequest.prototype).respond;
  RequestPrototypeClone = methodsOf(Request.prototype).clone;
  RequestPrototypeGetBody = getter(Request.prototype, "body");
  RequestPrototypeGetHeaders = getter(Request.prototype, "headers");
  RequestPrototypeGetMethod = getter(Request.prototype, "method");
  RequestPrototypeGetUrl = getter(Request.prototype, "url");
  ResponseJson = bind.call(Response.json, Response);
  const response = methodsOf(Response.prototype);
  ResponsePrototypeArrayBuffer = response.arrayBuffer;
  ResponsePrototypeBlob = response.blob;
  ResponsePrototypeFormData = response.formData;
  ResponsePrototypeJson = response.json;
  ResponsePrototypeText = response.text;
  ResponsePrototypeGetBody = getter(Response.prototype, "body");
  ResponsePrototypeGetBodyUsed = getter(Response.prototype, "bodyUsed");
  ResponsePrototypeGetHeaders = getter(Response.prototype, "headers");
  ResponsePrototypeGetRedirected = getter(Response.prototype, "redirected");
  ResponsePrototypeGetStatus = getter(Response.prototype, "status");
  ResponsePrototypeGetStatusText = getter(Response.prototype, "statusText");
  ResponsePrototypeGetType = getter(Response.prototype, "type");
  ResponsePrototypeGetUrl = getter(Response.prototype, "url");
  TextEncoderPrototypeEncode = methodsOf(TextEncoder.prototype).encode;
  TransformStreamDefaultControllerPrototypeEnqueue =
    methodsOf(theGlobal.TransformStreamDefaultController.prototype).enqueue;
  URLCanParse = bind.call(URL.canParse, URL);
  URLPrototypeGetHash = getter(URL.prototype, "hash");
  URLPrototypeGetPort = getter(URL.prototype, "port");
  URLPrototypeGetHref = getter(URL.prototype, "href");
  URLPrototypeGetOrigin = getter(URL.prototype, "origin");
  URLPrototypeGetPathname = getter(URL.prototype, "pathname");
  URLPrototypeGetProtocol = getter(URL.prototype, "protocol");
  URLPrototypeGetSearch = getter(URL.prototype, "search");
  URLPrototypeSetProtocol = uncurryThis(getOwnPropertyDescriptor(URL.prototype, "protocol").set);
  URLSearchParamsPrototypeEntries = entriesOf(URLSearchParams);
  URLSearchParamsPrototypeGet = methodsOf(URLSearchParams.prototype).get;
  ({ getWriter: WritableStreamPrototypeGetWriter } = methodsOf(WritableStream.prototype));
  const writer = methodsOf(theGlobal.WritableStreamDefaultWriter.prototype);
  WritableStreamDefaultWriterPrototypeAbort = writer.abort;
  WritableStreamDefaultWriterPrototypeClose = writer.close;
  WritableStreamDefaultWriterPrototypeWrite = writer.write;
}

/** The entries of a list of the web as an array, without its iterator's `next()`. */
function entriesOf(List) {
  const { entries } = methodsOf(List.prototype);
  const { next } = methodsOf(Reflect.getPrototypeOf(entries(new List())));
  return (list) => {
    const found = [];
    const iterator = entries(list);
    for (let step = next(iterator); !step.done; step = next(iterator)) found[found.length] = step.value;
    return found;
  };
}

/** For the host: what {@link takeEvents} and {@link takeWeb} took keeps its members. */
export function pinWeb() {
  const names = [
    "AbortController",
    "AbortSignal",
    "Blob",
    "CloseEvent",
    "CustomEvent",
    "DOMException",
    "ErrorEvent",
    "Event",
    "EventTarget",
    "FormData",
    "Headers",
    "MessageEvent",
    "ReadableByteStreamController",
    "ReadableStream",
    "ReadableStreamBYOBReader",
    "ReadableStreamBYOBRequest",
    "ReadableStreamDefaultController",
    "ReadableStreamDefaultReader",
    "Request",
    "Response",
    "TextDecoder",
    "TextEncoder",
    "TransformStream",
    "URL",
    "URLSearchParams",
    "WritableStream",
  ];
  for (let i = 0; i < names.length; i++) pinMembers(theGlobal[names[i]]);
}

// Elsewhere than in the host all of it is there already.
if (typeof theGlobal.EventTarget === "function") {
  const late = fetch;
  takeEvents();
  // Node 20 has none; what is used of it is this.
  CloseEvent ??= class CloseEvent extends Event {
    constructor(type, { code = 0, reason = "", wasClean = false } = {}) {
      super(type);
      Object.assign(this, { code, reason, wasClean });
    }
  };
  takeWeb();
  fetch = late;
}
