// Parsers of bodies by their content type.

import { primordials } from "ext:core/mod.js";
import { codes } from "ext:liveline_fastify/errors.js";
import { isThenable } from "ext:liveline_fastify/queue.js";
import { textOf } from "ext:liveline_fastify/transport.js";

const {
  ArrayIsArray,
  ArrayPrototypeFilter,
  ArrayPrototypeUnshift,
  JSONParse,
  NumberIsNaN,
  ObjectHasOwn,
  ObjectKeys,
  PromisePrototypeThen,
  PromiseResolve,
  RegExpPrototypeTest,
  RegExp,
  SafeMap,
  SafeRegExp,
  StringPrototypeIndexOf,
  StringPrototypeSlice,
  StringPrototypeToLowerCase,
  StringPrototypeTrim,
} = primordials;

const POISON = new SafeRegExp('"(?:_|\\\\u005[Ff])(?:_|\\\\u005[Ff])|"(?:c|\\\\u0063)');

/** Whether a parsed body has a property that would change what objects inherit. */
function isPoisoned(value, onProto, onConstructor) {
  if (value === null || typeof value !== "object") return false;
  if (ArrayIsArray(value)) {
    for (let i = 0; i < value.length; i++) {
      if (isPoisoned(value[i], onProto, onConstructor)) return true;
    }
    return false;
  }
  const keys = ObjectKeys(value);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i];
    if (key === "__proto__" && onProto !== "ignore") {
      if (onProto === "error") return true;
      delete value[key];
      continue;
    }
    if (key === "constructor" && onConstructor !== "ignore" && value[key] !== null && typeof value[key] === "object" &&
      ObjectHasOwn(value[key], "prototype")) {
      if (onConstructor === "error") return true;
      delete value[key];
      continue;
    }
    if (isPoisoned(value[key], onProto, onConstructor)) return true;
  }
  return false;
}

export function jsonParser(onProto, onConstructor) {
  return function defaultJsonParser(_, body, done) {
    if (body.length === 0) return done(new codes.FST_ERR_CTP_EMPTY_JSON_BODY(), undefined);
    let parsed;
    try {
      parsed = JSONParse(body[0] === "\ufeff" ? StringPrototypeSlice(body, 1) : body);
      if (RegExpPrototypeTest(POISON, body) && isPoisoned(parsed, onProto, onConstructor)) {
        throw new codes.FST_ERR_CTP_INVALID_JSON_BODY();
      }
    } catch (error) {
      const failure = new codes.FST_ERR_CTP_INVALID_JSON_BODY();
      failure.cause = error;
      return done(failure, undefined);
    }
    done(null, parsed);
  };
}

export function textParser(_, body, done) {
  done(null, body);
}

/** The parsers of an instance. */
export class Parsers {
  #named = new SafeMap();
  #patterns = [];
  #any = null;

  static standard(options) {
    const parsers = new Parsers();
    const json = jsonParser(options.onProtoPoisoning ?? "error", options.onConstructorPoisoning ?? "error");
    parsers.#named.set("application/json", { func: json, as: "string", bodyLimit: null, isDefault: true });
    parsers.#named.set("text/plain", { func: textParser, as: "string", bodyLimit: null, isDefault: true });
    return parsers;
  }

  copy() {
    const copy = new Parsers();
    for (const { 0: type, 1: parser } of this.#named.entries()) copy.#named.set(type, parser);
    copy.#patterns = primordials.ArrayPrototypeSlice(this.#patterns);
    copy.#any = this.#any;
    return copy;
  }

  add(type, options, func) {
    const isText = typeof type === "string";
    if (!isText && !(type instanceof RegExp)) throw new codes.FST_ERR_CTP_INVALID_TYPE();
    if (isText && StringPrototypeTrim(type) === "") throw new codes.FST_ERR_CTP_EMPTY_TYPE();
    if (isText && type !== "*" && !isMediaType(normalised(type))) throw new codes.FST_ERR_CTP_INVALID_TYPE();
    if (typeof func !== "function") throw new codes.FST_ERR_CTP_INVALID_HANDLER();
    const { parseAs, bodyLimit } = options;
    if (parseAs !== undefined && parseAs !== "string" && parseAs !== "buffer") {
      throw new codes.FST_ERR_CTP_INVALID_PARSE_TYPE(parseAs);
    }
    const parser = { func, as: parseAs ?? null, bodyLimit: bodyLimit ?? null, isDefault: false };
    if (this.exists(type)) throw new codes.FST_ERR_CTP_ALREADY_PRESENT(type);
    if (!isText) ArrayPrototypeUnshift(this.#patterns, { type, parser });
    else if (type === "*") this.#any = parser;
    else this.#named.set(normalised(type), parser);
  }

  exists(type) {
    if (typeof type !== "string") {
      return primordials.ArrayPrototypeSome(this.#patterns, (it) => it.type.source === type.source && it.type.flags === type.flags);
    }
    if (type === "*") return this.#any !== null;
    const found = this.#named.get(normalised(type));
    return found !== undefined && !found.isDefault;
  }

  has(type) {
    if (typeof type !== "string") return this.exists(type);
    return type === "*" ? this.#any !== null : this.#named.has(normalised(type));
  }

  remove(type) {
    if (typeof type !== "string") {
      this.#patterns = ArrayPrototypeFilter(this.#patterns, (it) => it.type.source !== type.source);
    } else if (type === "*") this.#any = null;
    else this.#named.delete(normalised(type));
  }

  removeAll() {
    this.#named = new SafeMap();
    this.#patterns = [];
    this.#any = null;
  }

  parserFor(type) {
    const whole = StringPrototypeToLowerCase(type);
    const exact = this.#named.get(whole);
    if (exact !== undefined) return exact;
    const bare = normalised(whole);
    if (isMediaType(bare)) {
      const named = this.#named.get(bare);
      if (named !== undefined) return named;
    }
    for (let i = 0; i < this.#patterns.length; i++) {
      if (RegExpPrototypeTest(this.#patterns[i].type, whole)) return this.#patterns[i].parser;
    }
    return this.#any;
  }
}

const MEDIA_TYPE = new SafeRegExp("^[!#$%&'*+.^_`|~0-9a-z-]+/[!#$%&'*+.^_`|~0-9a-z-]+$");
const isMediaType = (text) => RegExpPrototypeTest(MEDIA_TYPE, text);

function normalised(type) {
  const end = StringPrototypeIndexOf(type, ";");
  return StringPrototypeToLowerCase(StringPrototypeTrim(end === -1 ? type : StringPrototypeSlice(type, 0, end)));
}

/** Reads and parses the body of a request; `end` gets the error or the body. */
export function parseBody(context, request, type, payload, end) {
  const parser = context.parsers.parserFor(type);
  if (parser === null || parser === undefined) {
    const error = new codes.FST_ERR_CTP_INVALID_MEDIA_TYPE();
    return end(error);
  }
  const limit = parser.bodyLimit ?? context.bodyLimit;
  let isOver = false;
  const done = (error, body) => {
    if (isOver) return;
    isOver = true;
    end(error ?? null, body);
  };
  const run = (body) => {
    let result;
    try {
      result = primordials.FunctionPrototypeCall(parser.func, context.server, request, body, done);
    } catch (error) {
      return done(error);
    }
    if (isThenable(result)) PromisePrototypeThen(PromiseResolve(result), (parsed) => done(null, parsed), done);
  };
  if (parser.as === null) return run(payload ?? request.raw);
  const length = request.header("content-length");
  const announced = length === undefined ? NaN : +length;
  if (!NumberIsNaN(announced) && announced > limit) return end(new codes.FST_ERR_CTP_BODY_TOO_LARGE());
  PromisePrototypeThen(request.collect(payload, limit), (bytes) => {
    if (bytes.length > limit) return end(new codes.FST_ERR_CTP_BODY_TOO_LARGE());
    const received = payload?.receivedEncodedLength ?? bytes.length;
    if (!NumberIsNaN(announced) && received !== announced) return end(new codes.FST_ERR_CTP_INVALID_CONTENT_LENGTH());
    run(parser.as === "string" ? textOf(bytes) : bytes);
  }, (error) => {
    if (error?.name === "QuotaExceededError" || error?.code === "FST_ERR_CTP_BODY_TOO_LARGE") {
      return end(new codes.FST_ERR_CTP_BODY_TOO_LARGE());
    }
    if (error !== null && typeof error === "object") error.statusCode ??= 400;
    end(error);
  });
}
