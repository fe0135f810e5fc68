// The logger of an application, with the shape of pino's. It prints to the host's log.

import { core, primordials } from "ext:core/mod.js";
import { op_console } from "ext:core/ops";

const {
  ArrayIsArray,
  ArrayPrototypeFilter,
  ArrayPrototypeIncludes,
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  DateNow,
  FunctionPrototypeCall,
  Error,
  JSONParse,
  JSONRawJSON,
  JSONStringify,
  Number,
  ObjectAssign,
  ObjectEntries,
  ObjectHasOwn,
  ObjectKeys,
  ReflectHas,
  RegExpPrototypeTest,
  SafeArrayIterator,
  SafeRegExp,
  SafeSet,
  String,
  StringPrototypeEndsWith,
  StringPrototypeReplace,
  StringPrototypeSlice,
  StringPrototypeSplit,
} = primordials;

/** The levels, as pino numbers them. */
const LEVELS = { __proto__: null, trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60, silent: Infinity };
const NAMES = ["trace", "debug", "info", "warn", "error", "fatal"];
const PLACE = new SafeRegExp("%[sdifjoOc%]", "g");
/** Properties that every record has, which a line for people leaves out. */
const HIDDEN = { __proto__: null, level: true, time: true, pid: true, hostname: true };

export const isError = (value) => value !== null && typeof value === "object" && typeof value.stack === "string" &&
  typeof value.message === "string";

/** What records show of the objects of a request. */
const SERIALIZERS = {
  req: (req) => req && ({
    method: req.method,
    url: req.url,
    version: req.headers?.["accept-version"],
    host: req.host ?? req.headers?.host,
    remoteAddress: req.ip ?? req.socket?.remoteAddress,
    remotePort: req.socket?.remotePort,
  }),
  res: (res) => res && ({ statusCode: res.statusCode }),
  err: (error) => shownError(error, new SafeSet()),
};

/** An error as pino shows it: with its causes, and all that it has besides. @param {Set} around the errors around it */
function shownError(error, around) {
  if (!isError(error)) return error;
  const shown = {
    type: typeof error.constructor === "function" ? error.constructor.name : error.name,
    message: withCauses(error, new SafeSet()),
    stack: stackWithCauses(error, new SafeSet()),
  };
  around.add(error);
  if (ArrayIsArray(error.errors)) {
    shown.aggregateErrors = ArrayPrototypeMap(error.errors, (inner) => around.has(inner) ? undefined : shownError(inner, around));
  }
  for (const key of new SafeArrayIterator(ObjectKeys(error))) {
    if (shown[key] !== undefined) continue;
    const value = error[key];
    // The message and the stack have the causes.
    if (!isError(value)) shown[key] = value;
    else if (key !== "cause" && !around.has(value)) shown[key] = shownError(value, around);
  }
  around.delete(error);
  return shown;
}

/** The cause of an error, or what its method of that name returns. */
function causeOf(error) {
  const cause = typeof error.cause === "function" ? error.cause() : error.cause;
  return isError(cause) ? cause : undefined;
}

function withCauses(error, seen) {
  const cause = causeOf(error);
  seen.add(error);
  if (cause === undefined || seen.has(cause)) return error.message;
  // Where the cause is a method, the message has it already.
  return typeof error.cause === "function" ? error.message : `${error.message}: ${withCauses(cause, seen)}`;
}

function stackWithCauses(error, seen) {
  const cause = causeOf(error);
  if (seen.has(error)) return `${error.stack}\ncauses have become circular...`;
  seen.add(error);
  return cause === undefined ? error.stack : `${error.stack}\ncaused by: ${stackWithCauses(cause, seen)}`;
}

/** JSON of any value: what contains itself is shown as `[Circular]`, and what throws as a text that says so. */
function json(value) {
  try {
    return stringified(value);
  } catch {
    if (value === null || typeof value !== "object") return '"[unserializable]"';
  }
  const shown = {};
  for (const key of new SafeArrayIterator(ObjectKeys(value))) {
    try {
      stringified(value[key]);
      shown[key] = value[key];
    } catch {
      shown[key] = "[unserializable]";
    }
  }
  return stringified(shown);
}

function stringified(value) {
  /** The objects around the one that is written. */
  const around = [];
  return JSONStringify(value, function (_, inner) {
    if (typeof inner === "bigint") return JSONRawJSON(String(inner));
    if (inner === null || typeof inner !== "object") return inner;
    while (around.length > 0 && around[around.length - 1] !== this) around.length -= 1;
    if (ArrayPrototypeIncludes(around, inner)) return "[Circular]";
    ArrayPrototypePush(around, inner);
    return inner;
  });
}

function format(message, values) {
  let next = 0;
  const text = StringPrototypeReplace(message, PLACE, (place) => {
    if (place === "%%") return "%";
    if (next >= values.length) return place;
    const value = values[next++];
    return place === "%s" ? String(value) : place === "%d" || place === "%i" || place === "%f" ? String(Number(value)) : json(value);
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
function toHost(record, level, messageKey = "msg") {
  const rest = [];
  const message = record[messageKey];
  let stack = "";
  for (const { 0: key, 1: value } of new SafeArrayIterator(ObjectEntries(record))) {
    if (HIDDEN[key] || key === messageKey || value === undefined) continue;
    if (key === "err" && value !== null && typeof value === "object" && typeof value.stack === "string") stack = stackFor(value, message);
    else ArrayPrototypePush(rest, `${key}=${typeof value === "string" ? value : json(value)}`);
  }
  const words = message === undefined ? rest : [message, ...new SafeArrayIterator(rest)];
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

/** The levels of a logger, by name. */
function levelsOf({ customLevels, useOnlyCustomLevels = false }) {
  if (customLevels === undefined || customLevels === null) return LEVELS;
  const own = useOnlyCustomLevels ? { silent: Infinity } : LEVELS;
  return ObjectAssign({ __proto__: null }, own, customLevels);
}

/** A logger; `write` receives each record and its level. */
export class Logger {
  #bindings;
  #serializers;
  #write;
  #options;
  #redact;
  #levels;
  #level;

  constructor(options, bindings = {}, serializers = SERIALIZERS, write = toHost) {
    this.#options = options;
    this.#redact = redactor(options.redact);
    this.#bindings = bindings;
    this.#serializers = serializers;
    this.#write = write;
    this.#levels = levelsOf(options);
    for (const name of new SafeArrayIterator(ObjectKeys(options.customLevels ?? {}))) defineLevel(this, name);
    this.level = options.enabled === false ? "silent" : options.level ?? "info";
  }

  get level() {
    return this.#level;
  }

  set level(name) {
    if (this.#levels[name] === undefined) throw new Error(`unknown level ${name}`);
    this.#level = name;
  }

  get levels() {
    const labels = {};
    for (const { 0: name, 1: value } of new SafeArrayIterator(ObjectEntries(this.#levels))) labels[value] = name;
    delete labels.Infinity;
    return { labels, values: this.#levels };
  }

  get levelVal() {
    return this.#levels[this.#level];
  }

  get msgPrefix() {
    return this.#options.msgPrefix;
  }

  isLevelEnabled(name) {
    return this.#levels[name] >= this.levelVal;
  }

  /** What the application has bound: not what all records of the process have. */
  bindings() {
    const { pid: _pid, hostname: _hostname, ...own } = this.#bindings;
    return own;
  }

  setBindings(bindings) {
    ObjectAssign(this.#bindings, serialized(bindings, this.#serializers));
  }

  flush(callback) {
    callback?.();
  }

  silent() {}

  child(bindings = {}, options = {}) {
    const serializers = options.serializers === undefined
      ? this.#serializers
      : ObjectAssign({}, this.#serializers, options.serializers);
    const inherited = ObjectAssign({}, this.#options, { level: options.level ?? this.#level });
    delete inherited.enabled;
    if (options.redact !== undefined) inherited.redact = options.redact;
    if (options.formatters !== undefined) inherited.formatters = ObjectAssign({}, this.#options.formatters, options.formatters);
    const shown = serialized(bindings, serializers);
    const shape = options.formatters?.bindings;
    if (options.customLevels !== undefined) {
      inherited.customLevels = ObjectAssign({}, this.#options.customLevels, options.customLevels);
    }
    if (options.msgPrefix) inherited.msgPrefix = (this.#options.msgPrefix ?? "") + options.msgPrefix;
    const own = ObjectAssign({}, this.#bindings, shape === undefined ? shown : shape(shown));
    const child = new Logger(inherited, own, serializers, this.#write);
    this.#options.onChild?.(child);
    return child;
  }

  /** Writes a record of a level. */
  record(name, first, message, values) {
    const level = this.#levels[name];
    // A level that only others have is none.
    if (level === undefined || level < this.levelVal) return;
    const { hooks } = this.#options;
    if (hooks?.logMethod !== undefined) {
      const args = [first, message, ...new SafeArrayIterator(values)];
      while (args.length > 0 && args[args.length - 1] === undefined) args.length -= 1;
      const write = (...given) => this.#put(name, level, given[0], given[1], ArrayPrototypeSlice(given, 2));
      return FunctionPrototypeCall(hooks.logMethod, this, args, write, level);
    }
    this.#put(name, level, first, message, values);
  }

  #put(name, level, first, message, values) {
    const { messageKey = "msg", errorKey = "err", nestedKey, formatters, mixin, mixinMergeStrategy, msgPrefix } = this.#options;
    const record = formatters?.level === undefined ? { level } : ObjectAssign({}, formatters.level(name, level));
    ObjectAssign(record, timeOf(this.#options.timestamp), this.#bindings);
    let text;
    let prefix = msgPrefix ?? "";
    let object = null;
    if (typeof first === "string") {
      text = format(first, message === undefined ? values : [message, ...new SafeArrayIterator(values)]);
    } else {
      if (isError(first)) object = { [errorKey]: first };
      else if (isRequest(first)) object = { req: first };
      else if (first !== null && typeof first === "object") object = first;
      if (message !== undefined) text = format(String(message), values);
      else if (isError(first)) {
        text = first.message;
        prefix = "";
      } else if (isError(object?.[errorKey])) {
        text = object[errorKey].message;
        prefix = "";
      }
    }
    if (mixin !== undefined) {
      const mixed = mixin(object ?? {}, level, this);
      object = mixinMergeStrategy === undefined ? ObjectAssign(mixed, object) : mixinMergeStrategy(object ?? {}, mixed);
    }
    if (formatters?.log !== undefined) object = formatters.log(object ?? {}) ?? null;
    if (object !== null) {
      const shown = serialized(object, this.#serializers, errorKey);
      if (nestedKey) record[nestedKey] = shown;
      else ObjectAssign(record, shown);
    }
    if (text !== undefined) record[messageKey] = prefix + text;
    this.#redact?.(record);
    this.#write(record, level, messageKey);
  }
}

/** The time of a record. A function gives a piece of JSON, which begins with a comma. */
function timeOf(option) {
  if (option === undefined || option === true) return { time: DateNow() };
  if (typeof option !== "function") return {};
  try {
    return JSONParse(`{${StringPrototypeSlice(option(), 1)}}`);
  } catch {
    return { time: DateNow() };
  }
}

const isRequest = (value) => value !== null && typeof value === "object" && typeof value.method === "string" &&
  value.headers !== undefined && value.socket !== undefined;

/** Gives a logger the method of a level. */
function defineLevel(logger, name) {
  primordials.ObjectDefineProperty(logger, name, {
    __proto__: null,
    configurable: true,
    writable: true,
    value(first, message, ...values) {
      this.record(name, first, message, values);
    },
  });
}

for (const name of new SafeArrayIterator(NAMES)) defineLevel(Logger.prototype, name);

/** What records show of an object. The serializer of errors is that of `err`, under whatever key they are. */
function serialized(object, serializers, errorKey = "err") {
  const shown = {};
  for (const key of new SafeArrayIterator(ObjectKeys(object))) {
    const serializer = ObjectHasOwn(serializers, key) ? serializers[key] : key === errorKey ? serializers.err : undefined;
    shown[key] = serializer === undefined ? object[key] : serializer(object[key]);
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
  const write = custom === undefined ? toHost : (record) => custom.write(`${json(record)}\n`);
  return new Logger(option, baseOf(option), serializers, write);
}

/** What all records have. */
function baseOf(option) {
  const { name, formatters } = option;
  const { pid } = primordials.globalThis?.process ?? {};
  const base = ObjectHasOwn(option, "base") ? option.base : { pid, hostname: "liveline" };
  if (base === null) return {};
  const all = ObjectAssign({}, base);
  if (name !== undefined) all.name = name;
  return formatters?.bindings === undefined ? all : formatters.bindings(all);
}

function fileStream(file) {
  return core.createLazyLoader("node:fs")().default.createWriteStream(file, { flags: "a" });
}
