// Error classes that ops may throw, and what happens to uncaught errors.

import { core, internals } from "ext:core/mod.js";
import { op_log_error } from "ext:core/ops";
import { domException, whoIsTold } from "./exceptions.js";
import {
  ArrayPrototypePush,
  Error,
  ErrorEventPrototypeGetError,
  EventPrototypePreventDefault,
  EventTargetPrototypeAddEventListener,
  globalThis,
  ObjectEntries,
  SafeArrayIterator,
} from "../primordials.js";

/** Names that Rust errors may carry. An unknown name would surface as `undefined`, so every one is here. */
const CLASSES = [
  "AddrInUse",
  "AddrNotAvailable",
  "AlreadyExists",
  "BrokenPipe",
  "Busy",
  "ConnectionAborted",
  "ConnectionRefused",
  "ConnectionReset",
  "FilesystemLoop",
  "Http",
  "InvalidData",
  "IsADirectory",
  "NetworkUnreachable",
  "NotADirectory",
  "NotConnected",
  "NotFound",
  "NotSupported",
  "PermissionDenied",
  "TimedOut",
  "UnexpectedEof",
  "WouldBlock",
  "WriteZero",
];

const DOM_EXCEPTIONS = {
  DOMExceptionAbortError: "AbortError",
  DOMExceptionDataCloneError: "DataCloneError",
  DOMExceptionDataError: "DataError",
  DOMExceptionIndexSizeError: "IndexSizeError",
  DOMExceptionInvalidAccessError: "InvalidAccessError",
  DOMExceptionInvalidCharacterError: "InvalidCharacterError",
  DOMExceptionInvalidStateError: "InvalidStateError",
  DOMExceptionNetworkError: "NetworkError",
  DOMExceptionNotSupportedError: "NotSupportedError",
  DOMExceptionOperationError: "OperationError",
  DOMExceptionQuotaExceededError: "QuotaExceededError",
  DOMExceptionSyntaxError: "SyntaxError",
  DOMExceptionTimeoutError: "TimeoutError",
  DOMExceptionTypeMismatchError: "TypeMismatchError",
};

/** What a database did not do. `code` is SQLite's name for it, `sql` the statement, `offset` where in it or -1. */
export class SqlError extends Error {
  get name() {
    return "SqlError";
  }
}

/** The classes of {@link CLASSES} and those of the engine, by name. */
export const errorClasses = {
  __proto__: null,
  BadResource: core.BadResource,
  Interrupted: core.Interrupted,
  NotCapable: core.NotCapable,
};

function errorClass(name) {
  return class extends Error {
    constructor(message) {
      super(message);
      this.name = name;
    }
  };
}

/** Registers the classes and the handlers of uncaught errors. Called once, while the isolate starts. */
export function installErrors() {
  for (const name of new SafeArrayIterator(CLASSES)) {
    core.registerErrorClass(name, errorClasses[name] = errorClass(name));
  }
  for (const { 0: name, 1: domName } of new SafeArrayIterator(ObjectEntries(DOM_EXCEPTIONS))) {
    core.registerErrorBuilder(name, (message) => domException(domName, message));
  }
  core.registerErrorClass("SqlError", SqlError);
  core.setReportExceptionCallback(report);
  EventTargetPrototypeAddEventListener(globalThis, "error", (event) => {
    // Without this the engine would take the error for the end of the isolate.
    EventPrototypePreventDefault(event);
    report(ErrorEventPrototypeGetError(event));
  });
  core.setUnhandledPromiseRejectionHandler((promise, reason) => {
    const fail = whoIsTold(promise);
    if (fail !== undefined) fail(reason);
    else if (loading !== null) ArrayPrototypePush(loading, reason);
    else {
      op_log_error("unhandled rejection", reason);
      notify(internals.nodeProcessUnhandledRejectionCallback, { promise, reason, preventDefault() {} });
    }
    return true;
  });
}

/** Logs an error that no code has caught, then calls what follows errors. */
export function report(error) {
  op_log_error("uncaught error", error);
  notify(follower, { error, preventDefault() {} });
}

/** Sets what is called after an uncaught error was logged: the listeners of `process`. */
export function followErrors(callback) {
  follower = callback;
}

let follower = null;

function notify(callback, event) {
  if (typeof callback !== "function") return;
  try {
    callback(event);
  } catch (error) {
    op_log_error("in a listener of uncaught errors", error);
  }
}

/** Rejections from before all handlers were loaded. A module that fails to load is among them, and reported anyway. */
let loading = [];

/** All handlers are loaded. */
export function loaded() {
  for (const reason of new SafeArrayIterator(loading ?? [])) op_log_error("unhandled rejection", reason);
  loading = null;
}
