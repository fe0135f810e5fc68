// Errors that pass from an actor to its callers.

import { core } from "ext:core/mod.js";
import {
  ArrayPrototypeIncludes,
  Error,
  globalThis,
  ObjectAssign,
  ObjectDefineProperty,
  ObjectKeys,
  RangeError,
  SafeArrayIterator,
  String,
  SyntaxError,
  TypeError,
} from "../primordials.js";

const { EvalError, ReferenceError, URIError } = globalThis;

/** The classes that keep their identity. */
const NATIVE = { __proto__: null, Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

/** Properties that are sent by themselves. */
const OWN = ["message", "name", "stack", "remote"];

/** An error as data. Anything else that was thrown is sent as it is. */
export function describeError(error) {
  if (!core.isNativeError(error) && !(error instanceof Error)) return { thrown: sendable(error) ? error : String(error) };
  const description = { name: String(error.name), message: String(error.message), stack: String(error.stack), own: null };
  for (const key of new SafeArrayIterator(ObjectKeys(error))) {
    const value = error[key];
    if (ArrayPrototypeIncludes(OWN, key) || !sendable(value)) continue;
    description.own ??= {};
    description.own[key] = value;
  }
  return description;
}

/** Whether structured clone can copy a value. */
function sendable(value) {
  try {
    core.serialize(value);
    return true;
  } catch {
    return false;
  }
}

/** The error that was described, for a caller. */
export function rebuildError(description) {
  if ("thrown" in description) return description.thrown;
  const { name, message, stack, own } = description;
  const Class = NATIVE[name] ?? Error;
  const error = new Class(message);
  if (error.name !== name) {
    ObjectDefineProperty(error, "name", { __proto__: null, configurable: true, value: name, writable: true });
  }
  ObjectDefineProperty(error, "stack", { __proto__: null, configurable: true, value: stack, writable: true });
  if (own !== null) ObjectAssign(error, own);
  error.remote = true;
  return error;
}

/** The error of a call that the host could not complete. */
export function hostError(message, flags) {
  return ObjectAssign(new Error(message), flags);
}
