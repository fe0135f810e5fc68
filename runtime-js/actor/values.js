// What passes in calls: copies by structured clone, and in their place references to functions, targets of RPC, stubs
// and streams.

import { core } from "ext:core/mod.js";
import { domException } from "../errors/exceptions.js";
import { RpcTarget } from "./classes.js";
import { exportTarget, invoke, releaseFar, releaseWhenUnused } from "./mail.js";
import { recordOf, stubOf } from "./stub.js";
import {
  ArrayIsArray,
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  Error,
  globalThis,
  Headers,
  HeadersPrototypeEntries,
  MapPrototypeForEach,
  ObjectDefineProperty,
  ObjectGetPrototypeOf,
  ObjectKeys,
  ObjectPrototype,
  ReadableStream,
  ReadableStreamDefaultControllerPrototypeClose,
  ReadableStreamDefaultControllerPrototypeEnqueue,
  ReadableStreamDefaultReaderPrototypeCancel,
  ReadableStreamDefaultReaderPrototypeRead,
  ReadableStreamPrototypeGetReader,
  Request,
  Response,
  SafeArrayIterator,
  SafeMap,
  SafeSet,
  SetPrototypeForEach,
  TypeError,
  WritableStream,
  WritableStreamDefaultWriterPrototypeAbort,
  WritableStreamDefaultWriterPrototypeClose,
  WritableStreamDefaultWriterPrototypeWrite,
  WritableStreamPrototypeGetWriter,
} from "../primordials.js";
import { decodeRequest, decodeResponse, encodeRequest, encodeResponse } from "./http.js";

/** `Symbol.dispose`, where the engine has it. */
const { dispose: kDispose } = globalThis.Symbol;

/** How deep the references in a value may lie. */
const MAX_DEPTH = 200;

/**
 * A value as it passes: what structured clone copies, and where references stand in it; null for none.
 * @typedef {[value: unknown, references: [path: (string | number)[], kind: string, data: unknown][] | null]} Encoded
 */

/** @returns {Encoded} */
export function encode(value) {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return [value, null];
  const references = [];
  const copy = strip(value, [], references, new SafeMap());
  return [copy, references.length === 0 ? null : references];
}

/** A copy of the value without what is passed by reference, which is noted. The same value where there is nothing. */
function strip(value, path, references, seen) {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return value;
  const reference = referenceOf(value);
  if (reference !== null) {
    ArrayPrototypePush(references, [path, reference[0], reference[1]]);
    return null;
  }
  if (seen.has(value)) return seen.get(value);
  const prototype = ObjectGetPrototypeOf(value);
  const isArray = ArrayIsArray(value);
  if (!isArray && prototype !== ObjectPrototype && prototype !== null) {
    checkClonable(value, prototype);
    return value;
  }
  if (path.length > MAX_DEPTH) return value;
  seen.set(value, value);
  let copy = null;
  const keys = ObjectKeys(value);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i];
    const item = value[key];
    const stripped = strip(item, [...new SafeArrayIterator(path), key], references, seen);
    if (stripped === item) continue;
    if (copy === null) {
      copy = isArray ? ArrayPrototypeSlice(value) : { ...value };
      seen.set(value, copy);
    }
    copy[key] = stripped;
  }
  return copy ?? value;
}

/** What is passed by reference: its kind and data. Null for data. */
function referenceOf(value) {
  const record = recordOf(value);
  if (record !== undefined) return record.actor !== undefined ? ["actor", record.actor] : [typeof value === "function" ? "function" : "stub", exportTarget(value)];
  if (typeof value === "function") return ["function", exportTarget(value)];
  if (value instanceof RpcTarget) return ["stub", exportTarget(value)];
  if (value instanceof ReadableStream) return ["readable", exportStream(value)];
  if (value instanceof Request) return ["request", encodeRequest(value)];
  if (value instanceof Response) return ["response", encodeResponse(value)];
  if (value instanceof Headers) return ["headers", HeadersPrototypeEntries(value)];
  if (value instanceof WritableStream) return ["writable", exportWritable(value)];
  return null;
}

/** The classes of the language that structured clone copies, and Blob. */
function checkClonable(value, prototype) {
  const { name } = prototype.constructor ?? { name: "Object" };
  if (isOfLanguage(value) || value[core.hostObjectBrand] !== undefined) return;
  refuse(name);
}

function isOfLanguage(value) {
  return core.isDate(value) || core.isMap(value) || core.isSet(value) || core.isRegExp(value) ||
    core.isAnyArrayBuffer(value) || core.isArrayBufferView(value) || core.isNativeError(value) ||
    core.isBoxedPrimitive(value) || core.isProxy(value);
}

function refuse(name) {
  notClonable(`Could not serialize object of type "${name}". This type does not support serialization.`);
}

/** Fails for a value with an object in it whose state is not in its properties: one of a class of the web. */
export function checkStorable(value, seen = new SafeSet()) {
  if (value === null || typeof value !== "object" || seen.has(value)) return;
  seen.add(value);
  if (core.isMap(value)) {
    MapPrototypeForEach(value, (item, key) => {
      checkStorable(key, seen);
      checkStorable(item, seen);
    });
  } else if (core.isSet(value)) {
    SetPrototypeForEach(value, (item) => checkStorable(item, seen));
  } else if (!isOfLanguage(value)) {
    const name = webClassOf(value);
    if (name !== null) refuse(name);
    const keys = ObjectKeys(value);
    for (let i = 0; i < keys.length; i++) checkStorable(value[keys[i]], seen);
  }
}

/** The name of the web's class that an object is of; null for data, and for objects of the code's own classes. */
function webClassOf(value) {
  if (ArrayIsArray(value)) return null;
  for (let at = ObjectGetPrototypeOf(value); at !== null && at !== ObjectPrototype; at = ObjectGetPrototypeOf(at)) {
    const { name } = at.constructor ?? { name: undefined };
    const known = typeof name === "string" ? globalThis[name] : undefined;
    if (typeof known !== "function" || known.prototype !== at) continue;
    // All of it is copied.
    return name === "DOMException" ? null : name;
  }
  return null;
}

/** The bytes of a message. Fails for what structured clone cannot copy. @returns {Uint8Array} */
export function serialize(message) {
  return core.serialize(message, { forStorage: false }, notClonable);
}

export function notClonable(message) {
  throw domException("DataCloneError", message);
}

export function deserialize(bytes) {
  return core.deserialize(bytes, { deserializers: core.getCloneableDeserializers() });
}

/** What was encoded in an isolate. @param {Encoded} encoded */
export function decode(isolate, encoded) {
  let { 0: value, 1: references } = encoded;
  if (references === null) return value;
  const stubs = [];
  for (const { 0: path, 1: kind, 2: data } of new SafeArrayIterator(references)) {
    const found = refer(isolate, kind, data);
    ArrayPrototypePush(stubs, found);
    if (path.length === 0) {
      value = found;
      continue;
    }
    let place = value;
    for (let i = 0; i < path.length - 1; i++) place = place[path[i]];
    place[path[path.length - 1]] = found;
  }
  if (references[0][0].length > 0 && kDispose !== undefined) disposable(value, stubs);
  return value;
}

/** Lets `using` release the stubs in an object. */
function disposable(value, stubs) {
  const dispose = () => {
    for (const stub of new SafeArrayIterator(stubs)) recordOf(stub)?.release?.();
  };
  ObjectDefineProperty(value, kDispose, { __proto__: null, configurable: true, value: dispose, writable: true });
}

/** For namespaces: makes the stub of an actor. */
let actorStub = null;

export function setActorStub(make) {
  actorStub = make;
}

function refer(isolate, kind, data) {
  switch (kind) {
    case "actor":
      return actorStub(data);
    case "function":
      return importTarget(isolate, data, true);
    case "stub":
      return importTarget(isolate, data, false);
    case "readable":
      return importStream(isolate, data);
    case "request":
      return decodeRequest(isolate, data);
    case "response":
      return decodeResponse(isolate, data);
    case "headers":
      return new Headers(data);
    case "writable":
      return importWritable(isolate, data);
    default:
      throw new TypeError(`A value of kind ${kind} cannot be received.`);
  }
}

/** A stub of a target elsewhere, which is released when none of the stubs that were made of it is used any more. */
function importTarget(isolate, target, isFunction) {
  let stubs = 0;
  const make = () => {
    stubs += 1;
    let isUsed = true;
    const release = () => {
      if (!isUsed) return;
      isUsed = false;
      stubs -= 1;
      if (stubs === 0) releaseFar(isolate, target);
    };
    const send = (path, args) => {
      if (!isUsed) throw new Error("The RPC stub was disposed: nothing can be called on it any more.");
      return invoke(isolate, target, path, args);
    };
    const stub = stubOf({ send, release, dup: make }, { __proto__: null }, isFunction);
    releaseWhenUnused(stub, release);
    return stub;
  };
  return make();
}

// -- streams -----------------------------------------------------------------------------------------------------------

/** Lets another isolate read a stream. Returns the number of what does that. */
function exportStream(stream) {
  const reader = ReadableStreamPrototypeGetReader(stream);
  const number = exportTarget({
    __proto__: null,
    async next() {
      const step = await ReadableStreamDefaultReaderPrototypeRead(reader);
      return step.done ? null : { value: step.value };
    },
    async cancel(reason) {
      await ReadableStreamDefaultReaderPrototypeCancel(reader, reason);
    },
  }, true);
  return number;
}

/** A stream that another isolate exports. */
function importStream(isolate, number) {
  return new ReadableStream({
    async pull(controller) {
      const step = await invoke(isolate, number, ["next"], []);
      if (step === null) ReadableStreamDefaultControllerPrototypeClose(controller);
      else ReadableStreamDefaultControllerPrototypeEnqueue(controller, step.value);
    },
    async cancel(reason) {
      await invoke(isolate, number, ["cancel"], [reason]);
    },
  }, { highWaterMark: 0 });
}

function exportWritable(stream) {
  const writer = WritableStreamPrototypeGetWriter(stream);
  return exportTarget({
    __proto__: null,
    write: (chunk) => WritableStreamDefaultWriterPrototypeWrite(writer, chunk),
    close: () => WritableStreamDefaultWriterPrototypeClose(writer),
    abort: (reason) => WritableStreamDefaultWriterPrototypeAbort(writer, reason),
  });
}

function importWritable(isolate, number) {
  return new WritableStream({
    write: async (chunk) => {
      await invoke(isolate, number, ["write"], [chunk]);
    },
    close: async () => {
      await invoke(isolate, number, ["close"], []);
    },
    abort: async (reason) => {
      await invoke(isolate, number, ["abort"], [reason]);
    },
  });
}
