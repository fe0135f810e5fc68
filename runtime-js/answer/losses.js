// What JSON leaves out of a handler's result. In development the host warns of it.

import { core } from "ext:core/mod.js";
import { print, WARNING } from "../log.js";
import { explainBodies } from "./answer.js";
import {
  ArrayIsArray,
  Blob,
  ObjectGetOwnPropertyDescriptor,
  ObjectKeys,
  ReadableStream,
  Response,
  SafeArrayIterator,
  SafeSet,
} from "../primordials.js";

/** How many values of a result are looked at. */
const MAX_VALUES = 1_000;

/** How deep: a place with more keys would not be readable. */
const MAX_DEPTH = 16;

/** How many warnings an isolate prints: each is printed once, and names may come from requests. */
const MAX_WARNINGS = 100;

/** What JSON writes as `{}`: how it is recognised, what it is called, and what helps. */
const LOSSES = [
  [core.isPromise, "a Promise", "`await` it"],
  [core.isNativeError, "an Error", "send its message"],
  [core.isMap, "a Map", "send Object.fromEntries(map) or [...map]"],
  [core.isSet, "a Set", "send [...set]"],
  [core.isRegExp, "a RegExp", "send its source"],
  [core.isGeneratorObject, "a generator", "return it as the whole result, or send [...generator]"],
  [(value) => value instanceof Blob, "a Blob", "return it as the whole result, or send its text"],
  [(value) => value instanceof Response, "a Response", "return it as the whole result, or send `await response.json()`"],
  [(value) => value instanceof ReadableStream, "a stream", "return it as the whole result, or send what it contains"],
];

/** The warnings that were printed. */
const printed = new SafeSet();

/** For the host, in development: from now on the author of a handler learns what JSON leaves out. */
export function explainLosses() {
  explainBodies((body) => {
    const found = find(body, "$", 0, { left: MAX_VALUES });
    if (found === null || printed.has(found) || printed.size >= MAX_WARNINGS) return;
    printed.add(found);
    print(found, WARNING);
  });
}

/** The first loss in a value, as a sentence; null where there is none. Getters of what it contains are not called. */
function find(value, place, depth, budget) {
  if (value === null || typeof value !== "object" || depth > MAX_DEPTH || budget.left-- <= 0) return null;
  // What an object of a class makes of itself is no loss.
  if (typeof value.toJSON === "function") return null;
  for (const { 0: is, 1: what, 2: help } of new SafeArrayIterator(LOSSES)) {
    // With properties of its own it is more than `{}`.
    if (is(value) && ObjectKeys(value).length === 0) {
      return `The handler's result has ${what} at ${place}, which JSON writes as {}: ${help}.`;
    }
  }
  for (const key of new SafeArrayIterator(ObjectKeys(value))) {
    const item = ObjectGetOwnPropertyDescriptor(value, key)?.value;
    const found = find(item, ArrayIsArray(value) ? `${place}[${key}]` : `${place}.${key}`, depth + 1, budget);
    if (found !== null) return found;
  }
  return null;
}
