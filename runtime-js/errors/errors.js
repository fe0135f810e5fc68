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
  ObjectDefineProperty,
  ObjectEntries,
  ObjectSetPrototypeOf,
  RegExpPrototypeExec,
  SafeArrayIterator,
  SafeRegExp,
  SafeSet,
  StringPrototypeIncludes,
  StringPrototypeSlice,
  SymbolFor,
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

/** What an access is called in a message, by the kind of the permission. */
const ACCESSES = {
  __proto__: null,
  env: "reading the environment variable",
  ffi: "loading machine code from",
  net: "connecting to",
  read: "reading",
  run: "running",
  sys: "changing the process with",
  write: "writing",
};

const REQUIRES = new SafeRegExp(/Requires (\w+) access(?: to ("[^]*?"|<[^]*?>))?, run again with the --allow-\w+ flag/);

/** The message of a refused access, which names the flag that allows it or refused it. */
function refusal(text) {
  const found = RegExpPrototypeExec(REQUIRES, text);
  if (found === null) {
    return StringPrototypeIncludes(text, "requires unscoped")
      ? "making symbolic links is refused: start liveline with --allow-read --allow-write"
      : `a call is refused to handlers: ${text}`;
  }
  const { 0: whole, 1: kind, 2: what, index } = found;
  const access = `${ACCESSES[kind] ?? "using"} ${what ?? "everything"}`;
  const value = what !== undefined ? `=${StringPrototypeSlice(what, 1, -1)}` : "";
  let reason;
  if (kind === "net" || kind === "env") reason = ` by --deny-${kind}`;
  else if (what !== undefined && what[0] === "<") reason = ": no flag opens files of the server to handlers";
  else if (kind === "read" || kind === "write" || kind === "run") reason = `: start liveline with --allow-${kind}${value}`;
  else reason = ": handlers share the process with the server";
  const before = StringPrototypeSlice(text, 0, index);
  return `${before}${access} is refused${reason}${StringPrototypeSlice(text, index + whole.length)}`;
}

/** The error of a refused connection in place of another that quotes it or has it as a cause; any other as it is. */
export function unwrapRefusal(error) {
  // A cause may have itself as a cause.
  const seen = new SafeSet();
  for (let cause = error; typeof cause?.message === "string" && !seen.has(cause); cause = cause.cause) {
    seen.add(cause);
    const found = RegExpPrototypeExec(REQUIRES, cause.message);
    if (found !== null) return new core.NotCapable(found[0]);
  }
  return error;
}

/** The class behind the engine's `NotCapable`, which the engine has registered already. */
class Refusal extends Error {
  constructor(message) {
    super(refusal(message));
    this.code = "ERR_ACCESS_DENIED";
  }
}

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
  // The engine passes these properties of every error on to the host, which logs the code.
  ObjectDefineProperty(Error.prototype, SymbolFor("errorAdditionalPropertyKeys"), {
    __proto__: null,
    configurable: true,
    value: ["code"],
    writable: true,
  });
  ObjectSetPrototypeOf(core.NotCapable, Refusal);
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

/** For the host: takes what was rejected since the last call, while handlers load. */
export function rejectedInLoad() {
  const reasons = loading ?? [];
  if (loading !== null) loading = [];
  return reasons;
}

/** All handlers are loaded. */
export function loaded() {
  for (const reason of new SafeArrayIterator(rejectedInLoad())) op_log_error("unhandled rejection", reason);
  loading = null;
}
