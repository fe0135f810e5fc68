// The logger of an application, with the shape of pino's. It prints to the host's log.

import { primordials } from "ext:core/mod.js";
import { op_console } from "ext:core/ops";

const {
  ArrayIsArray,
  ArrayPrototypeFilter,
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  DateNow,
  JSONStringify,
  ObjectAssign,
  ObjectEntries,
  ObjectHasOwn,
  ObjectKeys,
  ReflectHas,
  RegExpPrototypeTest,
  SafeArrayIterator,
  SafeRegExp,
  String,
  StringPrototypeEndsWith,
  StringPrototypeReplace,
  StringPrototypeSplit,
  SymbolFor,
} = primordials;

/** The levels, as pino numbers them. */
export const LEVELS = { __proto__: null, trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60, silent: Infinity };
const NAMES = ["trace", "debug", "info", "warn", "error", "fatal"];
const PLACE = new SafeRegExp("%[sdifjoOc%]", "g");
/** Properties that every record has, which a line for people leaves out. */
const HIDDEN = { __proto__: null, level: true, time: true, msg: true, pid: true, hostname: true };

export const isError = (value) => value !== null && typeof value === "object" && typeof value.stack === "string" &&
  typeof value.message === "string";

/** What records show of the objects of a request. */
export const SERIALIZERS = {
  req: (req) => req && ({
    method: req.method,
    url: req.url,
    version: req.headers?.["accept-version"],
    host: req.host ?? req.headers?.host,
    remoteAddress: req.ip ?? req.socket?.remoteAddress,
    remotePort: req.socket?.remotePort,
  }),
  res: (res) => res && ({ statusCode: res.statusCode }),
  err: (error) => !isError(error) ? error : ({
    type: error.constructor?.name ?? error.name,
    message: error.message,
    stack: error.stack,
    code: error.code,
    statusCode: error.statusCode,
  }),
};

function json(value) {
  const seen = [];
  try {
    return JSONStringify(value, (_, inner) => {
      if (typeof inner === "bigint") return String(inner);
      if (inner !== null && typeof inner === "object") {
        if (primordials.ArrayPrototypeIncludes(seen, inner) && seen.length > 200) return "[Circular]";
        ArrayPrototypePush(seen, inner);
      }
      return inner;
    });
  } catch {
    return '"[Circular]"';
  }
}

function format(message, values) {
  let next = 0;
  const text = StringPrototypeReplace(message, PLACE, (place) => {
    if (place === "%%") return "%";
    if (next >= values.length) return place;
    const value = values[next++];
    return place === "%s" ? String(value) : place === "%d" || place === "%i" || place === "%f" ? String(+value) : json(value);
  });
  return text;
}

/** A frame of the host's own scripts. */
const OWN_FRAME = new SafeRegExp("^\\s+at .*ext:");

/** The stack of an error as people read it; empty where it has nothing that `message` does not say. */
function stackFor(error, message) {
  const lines = ArrayPrototypeFilter(StringPrototypeSplit(error.stack, "\n"), (line) => !RegExpPrototypeTest(OWN_FRAME, line));
  const isSaid = lines.length === 1 && message !== undefined && StringPrototypeEndsWith(lines[0], `: ${message}`);
  return isSaid ? "" : `\n${ArrayPrototypeJoin(lines, "\n")}`;
}

/** Prints a record for people: the message, then what else the record has. */
function toHost(record, level) {
  const rest = [];
  let stack = "";
  for (const { 0: key, 1: value } of new SafeArrayIterator(ObjectEntries(record))) {
    if (HIDDEN[key] || value === undefined) continue;
    if (key === "err" && value !== null && typeof value === "object" && typeof value.stack === "string") stack = stackFor(value, record.msg);
    else ArrayPrototypePush(rest, `${key}=${typeof value === "string" ? value : json(value)}`);
  }
  const words = record.msg === undefined ? rest : [record.msg, ...new SafeArrayIterator(rest)];
  op_console(`${ArrayPrototypeJoin(words, " ")}${stack}\n`, level >= 50 ? 3 : level >= 40 ? 2 : level >= 30 ? 1 : 0);
}

/** A part of a path of `redact`: a name after a dot or at the beginning, or what stands in brackets. */
const PART = new SafeRegExp(`\\[(?:"([^"]*)"|'([^']*)'|([^\\]]*))\\]|([^.[\\]]+)`, "g");

/** What hides parts of records, as pino's `redact` names them; null for none. */
function redactor(option) {
  if (option === undefined || option === null) return null;
  const { paths, censor = "[Redacted]", remove = false } = ArrayIsArray(option) ? { paths: option } : option;
  const parsed = ArrayPrototypeMap(paths, (path) => {
    const parts = [];
    StringPrototypeReplace(path, PART, (_, double, single, bracket, name) => {
      ArrayPrototypePush(parts, double ?? single ?? bracket ?? name);
      return "";
    });
    return parts;
  });
  /** Of `holder` and below it, which nobody else has: what the record took from the application stays as it is. */
  const hide = (holder, path, at) => {
    const key = path[at];
    const keys = key === "*" ? ObjectKeys(holder) : ObjectHasOwn(holder, key) ? [key] : [];
    for (const name of new SafeArrayIterator(keys)) {
      const value = holder[name];
      if (at < path.length - 1) {
        if (value === null || typeof value !== "object") continue;
        const own = ArrayIsArray(value) ? ArrayPrototypeSlice(value) : ObjectAssign({}, value);
        holder[name] = own;
        hide(own, path, at + 1);
      } else if (remove) {
        delete holder[name];
      } else {
        holder[name] = typeof censor === "function" ? censor(value, path) : censor;
      }
    }
  };
  return (record) => {
    for (const path of new SafeArrayIterator(parsed)) hide(record, path, 0);
  };
}

/** A logger; `write` receives each record and its level. */
export class Logger {
  #bindings;
  #serializers;
  #write;
  #options;
  #redact;

  constructor(options, bindings = {}, serializers = SERIALIZERS, write = toHost) {
    this.#options = options;
    this.#redact = redactor(options.redact);
    this.#bindings = bindings;
    this.#serializers = serializers;
    this.#write = write;
    this.level = options.level ?? "info";
  }

  get levels() {
    return { labels: {}, values: LEVELS };
  }

  get levelVal() {
    return LEVELS[this.level] ?? 30;
  }

  isLevelEnabled(name) {
    return LEVELS[name] >= this.levelVal;
  }

  bindings() {
    return ObjectAssign({}, this.#bindings);
  }

  setBindings(bindings) {
    ObjectAssign(this.#bindings, bindings);
  }

  flush(callback) {
    callback?.();
  }

  silent() {}

  child(bindings = {}, options = {}) {
    const serializers = options.serializers === undefined
      ? this.#serializers
      : ObjectAssign({}, this.#serializers, options.serializers);
    const inherited = ObjectAssign({}, this.#options, { level: options.level ?? this.level });
    if (options.redact !== undefined) inherited.redact = options.redact;
    const own = ObjectAssign({}, this.#bindings, serialized(bindings, serializers));
    if (options.msgPrefix) inherited.msgPrefix = (this.#options.msgPrefix ?? "") + options.msgPrefix;
    return new Logger(inherited, own, serializers, this.#write);
  }

  /** Writes a record of a level. */
  record(name, first, message, values) {
    const level = LEVELS[name];
    if (level < this.levelVal) return;
    const record = { level, time: DateNow() };
    ObjectAssign(record, this.#bindings);
    const messageKey = this.#options.messageKey ?? "msg";
    if (typeof first === "string") {
      record[messageKey] = format(first, message === undefined ? values : [message, ...new SafeArrayIterator(values)]);
    } else {
      if (isError(first)) ObjectAssign(record, serialized({ err: first }, this.#serializers));
      else if (isRequest(first)) ObjectAssign(record, serialized({ req: first }, this.#serializers));
      else if (first !== null && typeof first === "object") {
        const mixed = this.#options.mixin === undefined ? first : ObjectAssign({}, this.#options.mixin(), first);
        ObjectAssign(record, serialized(mixed, this.#serializers));
      }
      if (message !== undefined) record[messageKey] = format(String(message), values);
      else if (isError(first)) record[messageKey] = first.message;
    }
    if (this.#options.msgPrefix && record[messageKey] !== undefined) {
      record[messageKey] = this.#options.msgPrefix + record[messageKey];
    }
    this.#redact?.(record);
    this.#write(record, level);
  }
}

const isRequest = (value) => value !== null && typeof value === "object" && typeof value.method === "string" &&
  value.headers !== undefined && value.socket !== undefined;

for (const name of new SafeArrayIterator(NAMES)) {
  primordials.ObjectDefineProperty(Logger.prototype, name, {
    __proto__: null,
    configurable: true,
    writable: true,
    value(first, message, ...values) {
      this.record(name, first, message, values);
    },
  });
}

function serialized(object, serializers) {
  const shown = {};
  for (const key of new SafeArrayIterator(ObjectKeys(object))) {
    shown[key] = ObjectHasOwn(serializers, key) ? serializers[key](object[key]) : object[key];
  }
  return shown;
}

/** A logger that prints nothing. */
export function silent() {
  const logger = { level: "silent", isLevelEnabled: () => false, flush: (callback) => callback?.() };
  for (const name of new SafeArrayIterator(NAMES)) logger[name] = () => {};
  logger.silent = () => {};
  logger.child = () => logger;
  return logger;
}

/** The methods that an object has to have to be a logger. */
export function missingMethods(logger) {
  return primordials.ArrayPrototypeFilter(
    ["info", "error", "debug", "fatal", "warn", "trace", "child"],
    (name) => !ReflectHas(logger, name) || typeof logger[name] !== "function",
  );
}

/** The logger of an application's option `logger`. */
export function loggerOf(option, fallback) {
  if (option === undefined) return fallback();
  if (option === false || option === null) return silent();
  if (option === true) return new Logger({ level: "info" });
  const { stream, file } = option;
  const serializers = ObjectAssign({}, SERIALIZERS, option.serializers);
  const { err } = option.serializers ?? {};
  if (err === undefined && option.serializers?.error) serializers.err = SERIALIZERS.err;
  const custom = stream ?? (file === undefined ? undefined : fileStream(file));
  const process = primordials.globalThis?.process;
  const write = custom === undefined ? toHost : (record) => {
    const all = { level: record.level, time: record.time, pid: process?.pid, hostname: option.base === null ? undefined : "liveline" };
    custom.write(`${json(ObjectAssign(all, record))}\n`);
  };
  return new Logger(option, {}, serializers, write);
}

function fileStream(file) {
  const { core } = fileStream;
  return core.createLazyLoader("node:fs")().default.createWriteStream(file, { flags: "a" });
}

/** For the factory, which has `core`. */
export function useCore(core) {
  fileStream.core = core;
}

export const STANDARD_SERIALIZERS = SymbolFor("fastify.serializers");
