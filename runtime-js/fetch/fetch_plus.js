// `@webqit/fetch-plus` beyond LiveResponse: headers as structures, bodies of whatever type, forms as JSON.

import { checkOptions } from "../errors/options.js";
import { flatten, nest, numberOf } from "../form/nested_keys.js";
import {
  ArrayBuffer,
  ArrayBufferIsView,
  ArrayBufferPrototypeGetByteLength,
  ArrayBufferViewPrototypeGetByteLength,
  ArrayIsArray,
  ArrayPrototypeEvery,
  ArrayPrototypeFilter,
  ArrayPrototypeForEach,
  ArrayPrototypeIncludes,
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  ArrayPrototypeSort,
  Blob,
  Date,
  DatePrototypeToUTCString,
  Error,
  FormData,
  FormDataPrototypeEntries,
  FunctionPrototypeCall,
  globalThis,
  Headers,
  HeadersPrototypeDelete,
  HeadersPrototypeGet,
  HeadersPrototypeHas,
  IteratorPrototypeNext,
  IteratorPrototypeReturn,
  JSONParse,
  JSONStringify,
  MathMax,
  MathMin,
  Number,
  NumberPrototypeToString,
  ObjectDefineProperties,
  ObjectEntries,
  ObjectFromEntries,
  ObjectGetOwnPropertyDescriptor,
  ObjectGetPrototypeOf,
  ObjectPrototype,
  ObjectSetPrototypeOf,
  ReadableStream,
  ReadableStreamDefaultControllerPrototypeClose,
  ReadableStreamDefaultControllerPrototypeEnqueue,
  RegExpPrototypeExec,
  RegExpPrototypeTest,
  Request,
  RequestPrototypeClone,
  Response,
  SafeArrayIterator,
  SafeMap,
  SafeRegExp,
  SafeWeakMap,
  String,
  StringPrototypeIndexOf,
  StringPrototypeReplace,
  StringPrototypeSlice,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
  StringPrototypeToLowerCase,
  StringPrototypeToUpperCase,
  StringPrototypeTrim,
  SymbolAsyncIterator,
  TextEncoder,
  TextEncoderPrototypeEncode,
  TypeError,
  URLSearchParams,
} from "../primordials.js";

/** The methods of bodies that `any()` may call. */
const READERS = ["arrayBuffer", "blob", "bytes", "formData", "json", "text"];
const HYPHENS = new SafeRegExp("-([a-z])", "g");

/** Gives the text of a field of a received head, or undefined where it cannot. @type {((headers, name) => string) | null} */
let readField = null;

/** For the host: fields are read by `read(headers, name)` first, where they need not become a list for that. */
export function readFieldsBy(read) {
  readField = read;
}

/** Notes that a request has the body of another. */
let passSender = (_from, _to) => {};

/** For the host: `pass(from, to)` notes whose client sent the body. */
export function passSendersBy(pass) {
  passSender = pass;
}

let classes = null;

/** The classes, made when they are first wanted: those that they extend are there by then. */
export function fetchPlusClasses() {
  return classes ??= defineClasses();
}

function defineClasses() {
  const { append, get, getSetCookie, set } = Headers.prototype;

  /** Headers whose usual fields can be read and written as structures. */
  class HeadersPlus extends Headers {
    /** Gives Headers that are there these methods. */
    static upgradeInPlace(headers) {
      return ObjectSetPrototypeOf(headers, HeadersPlus.prototype);
    }

    /** A field's text; `isParsed`: as a structure, where there is one for it. */
    get(name, isParsed = false) {
      if (isParsed === false && readField !== null) {
        const text = readField(this, name);
        if (text !== undefined) return text;
      }
      const text = FunctionPrototypeCall(get, this, name);
      const parse = isParsed ? PARSERS[StringPrototypeToLowerCase(String(name))] : undefined;
      return parse === undefined ? text : parse(text, () => FunctionPrototypeCall(getSetCookie, this));
    }

    set(name, value) {
      const { 0: first, 1: more } = written(name, value);
      FunctionPrototypeCall(set, this, name, first);
      ArrayPrototypeForEach(more, (text) => FunctionPrototypeCall(append, this, name, text));
    }

    append(name, value) {
      const { 0: first, 1: more } = written(name, value);
      FunctionPrototypeCall(append, this, name, first);
      ArrayPrototypeForEach(more, (text) => FunctionPrototypeCall(append, this, name, text));
    }
  }

  /** A form that is JSON as well: `user[name]` is a name in `user`. */
  class FormDataPlus extends FormData {
    static upgradeInPlace(form) {
      return ObjectSetPrototypeOf(form, FormDataPlus.prototype);
    }

    /**
     * A form of a tree of values. Null, true and false are small JSON files in it, unless `encodeLiterals` is false.
     * With `meta` the result is `{ result, isDirectlySerializable }`.
     */
    static json(data = {}, options = undefined) {
      checkOptions("FormDataPlus.json()", options, ["encodeLiterals", "meta"]);
      const { encodeLiterals = true, meta = false } = options ?? { __proto__: null };
      const entries = flatten(data, isTree);
      const form = new FormDataPlus();
      const { append } = FORM;
      for (const { 0: name, 1: value } of new SafeArrayIterator(entries)) {
        const isFile = value instanceof Blob;
        const isLiteral = value === null || typeof value === "boolean";
        const field = isLiteral && encodeLiterals
          ? new Blob([String(value)], { type: "application/json" })
          : isFile
          ? value
          : value instanceof Date
          ? value.toJSON()
          : String(value);
        FunctionPrototypeCall(append, form, name, field);
      }
      const isDirectlySerializable = ArrayPrototypeEvery(entries, ({ 1: value }) => isJson(value));
      return meta ? { result: form, isDirectlySerializable } : form;
    }

    /**
     * The form as a tree of values: names with brackets are nested, texts that are numbers are numbers, and the files
     * that {@link FormDataPlus.json} made of literals are those, unless `decodeLiterals` is false.
     */
    async json(options = undefined) {
      checkOptions("formData.json()", options, ["decodeLiterals", "meta"]);
      const { decodeLiterals = true, meta = false } = options ?? { __proto__: null };
      const entries = [];
      for (const { 0: name, 1: value } of new SafeArrayIterator(FormDataPrototypeEntries(this))) {
        ArrayPrototypePush(entries, [name, await valueOf(value, decodeLiterals)]);
      }
      const result = nest(entries);
      const isDirectlySerializable = ArrayPrototypeEvery(entries, ({ 1: value }) => isJson(value));
      return meta ? { result, isDirectlySerializable } : result;
    }
  }
  const FORM = FormData.prototype;

  async function valueOf(value, decodeLiterals) {
    if (typeof value === "string") return numberOf(value);
    const type = decodeLiterals ? value.type : "";
    const isLiteral = StringPrototypeStartsWith(type, "application/json") && value.size <= 5;
    const text = isLiteral ? await value.text() : "";
    return RegExpPrototypeTest(/^(?:null|true|false)$/, text) ? JSONParse(text) : value;
  }

  /** What was read with `memo`, by message. @type {WeakMap<object, Map<string, unknown>>} */
  const memories = new SafeWeakMap();

  /** What a message was made of is what `any({ memo: true })` gives. */
  function remember(message, value) {
    const kind = isTree(value) ? "json" : value instanceof FormData ? "formData" : "original";
    memories.set(message, new SafeMap([[kind, value]]));
  }

  /** What Requests and Responses have in common. */
  function withBodies(Message, isRequest) {
    const { arrayBuffer, clone, formData } = Message.prototype;
    const { get: getHeaders } = accessor(Message.prototype, "headers");
    const { get: getBody } = accessor(Message.prototype, "body");

    return class extends Message {
      /** @returns {HeadersPlus} */
      get headers() {
        const headers = FunctionPrototypeCall(getHeaders, this);
        return headers instanceof HeadersPlus ? headers : HeadersPlus.upgradeInPlace(headers);
      }

      async formData() {
        return FormDataPlus.upgradeInPlace(await FunctionPrototypeCall(formData, this));
      }

      /**
       * The body, read by its type, or `to` a type. With `memo` it can be read again.
       * @param {{ to?: string | null, memo?: boolean }} [options]
       */
      async any(options = undefined) {
        checkOptions("any()", options, ["to", "memo"]);
        const { to = null, memo = false } = options ?? { __proto__: null };
        if (to !== null && !ArrayPrototypeIncludes(READERS, to)) {
          throw new TypeError(`any() reads to ${ArrayPrototypeJoin(READERS, ", ")}; there is no "${String(to)}".`);
        }
        const memory = memories.get(this);
        if (memory === undefined && FunctionPrototypeCall(getBody, this) === null) return null;
        const type = HeadersPrototypeGet(FunctionPrototypeCall(getHeaders, this), "content-type") ?? "";
        if (!memo) return await converted((reader) => this[reader](), type, to);
        return copyOf(await remembered(this, memory, type, to));
      }

      /** Drops what {@link any} remembers. */
      forget() {
        memories.delete(this);
      }

      clone() {
        return ObjectSetPrototypeOf(FunctionPrototypeCall(clone, this), ObjectGetPrototypeOf(this));
      }

      static upgradeInPlace(message) {
        const { prototype } = this;
        return ObjectGetPrototypeOf(message) === prototype ? message : ObjectSetPrototypeOf(message, prototype);
      }
    };

    async function remembered(message, memory, type, to) {
      if (memory === undefined) memories.set(message, memory = new SafeMap());
      if (to === null && memory.has("original")) return memory.get("original");
      const wanted = to ?? readerFor(type);
      if (!memory.has(wanted)) {
        if (!memory.has("arrayBuffer")) memory.set("arrayBuffer", await FunctionPrototypeCall(arrayBuffer, message));
        const bytes = memory.get("arrayBuffer");
        const headers = { "Content-Type": type };
        const again = () => {
          if (!isRequest) return new ResponsePlus(bytes, { headers });
          const request = new RequestPlus(message.url, { method: "POST", body: bytes, headers });
          passSender(message, request);
          return request;
        };
        memory.set(wanted, await converted((reader) => again()[reader](), type, to));
      }
      return memory.get(wanted);
    }
  }

  /** Reads a body, and makes of a form what is wanted of JSON, and the other way round. */
  async function converted(read, type, to) {
    const natural = readerFor(type);
    if (to === null || to === natural) return await read(natural);
    if (to !== "json" && to !== "formData") return await read(to);
    if (natural === "formData") return await (await read(natural)).json();
    if (natural === "json") return FormDataPlus.json(await read(natural));
    throw new TypeError(`A body of the type "${type}" cannot be read as ${to === "json" ? "JSON" : "a form"}.`);
  }

  /** Frozen: all callers get the same object. */
  function copyOf(value) {
    if (value instanceof FormData) {
      const copy = new FormDataPlus();
      ArrayPrototypeForEach(FormDataPrototypeEntries(value), ({ 0: name, 1: field }) => {
        FunctionPrototypeCall(FORM.append, copy, name, field);
      });
      return copy;
    }
    return copyOfTree(value);
  }

  const { arrayBuffer: readBytes } = Request.prototype;

  /** A Request that reads any body, with structured headers. */
  class RequestPlus extends withBodies(Request, true) {
    /** A Request whose body is any value: data becomes JSON, and a form where it has files in it. */
    static from(target, init = undefined) {
      if (target instanceof Request && init === undefined) return this.upgradeInPlace(target);
      const { memo = false, body, headers } = init ?? { __proto__: null };
      // Another Request has a body that can be sent already.
      if (body === undefined || init instanceof Request) return new this(target, init);
      const request = new this(target, { ...init, ...sendable(body, headers) });
      if (memo) remember(request, body);
      return request;
    }

    /** What another Request can be made of: the parts of `request`, and in their place those of `overrides`. */
    static async copy(request, overrides = {}) {
      const copy = { url: request.url };
      const names = ["method", "mode", "credentials", "cache", "redirect", "referrer", "integrity"];
      for (const name of new SafeArrayIterator(names)) copy[name] = overrides[name] ?? request[name];
      // Only browsers navigate.
      if (copy.mode === "navigate") copy.mode = "cors";
      copy.headers = new Headers(overrides.headers ?? request.headers);
      copy.body = null;
      if (ArrayPrototypeIncludes(["GET", "HEAD"], StringPrototypeToUpperCase(copy.method))) return copy;
      if (overrides.body !== undefined) {
        copy.body = overrides.body;
        if (overrides.headers !== undefined) return copy;
        HeadersPrototypeDelete(copy.headers, "content-type");
        HeadersPrototypeDelete(copy.headers, "content-length");
      } else if (request.body !== null) {
        copy.body = await FunctionPrototypeCall(readBytes, RequestPrototypeClone(request));
      }
      return copy;
    }
  }

  /** A Response that reads any body, with structured headers. */
  class ResponsePlus extends withBodies(Response, false) {
    /** A Response of any value: data becomes JSON, and a form where it has files in it. */
    static from(body, init = undefined) {
      if (body instanceof Response && init === undefined) return this.upgradeInPlace(body);
      // Another Response is one as well, whose properties are not its own.
      const { memo = false, headers, status, statusText } = init ?? { __proto__: null };
      if (body === undefined || body === null) return new this(null, { status, statusText, headers });
      const made = sendable(body, headers);
      const response = new this(made.body, { status, statusText, headers: made.headers });
      if (memo) remember(response, body);
      return response;
    }
  }

  function sendable(body, headers) {
    const all = new Headers(headers);
    const made = bodyOf(body);
    const { type, length } = made;
    if (type !== undefined && !HeadersPrototypeHas(all, "content-type")) {
      FunctionPrototypeCall(set, all, "content-type", type);
    }
    if (length !== undefined && !HeadersPrototypeHas(all, "content-length")) {
      FunctionPrototypeCall(set, all, "content-length", NumberPrototypeToString(length, 10));
    }
    return { body: made.body, headers: all };
  }

  /** What the standard's constructors take for a value, with its type and its length in bytes. */
  function bodyOf(value) {
    if (isTree(value)) {
      const { result, isDirectlySerializable } = FormDataPlus.json(value, { meta: true });
      // The boundary of a form is known when it is encoded.
      if (!isDirectlySerializable) return { body: result };
      const text = JSONStringify(value, (_, item) => item instanceof Error ? { ...item, message: item.message } : item);
      return { body: text, type: "application/json", length: lengthOf(text) };
    }
    if (value instanceof Blob) return { body: value, type: value.type || "application/octet-stream", length: value.size };
    if (ArrayBufferIsView(value) || value instanceof ArrayBuffer) {
      const length = ArrayBufferIsView(value)
        ? ArrayBufferViewPrototypeGetByteLength(value)
        : ArrayBufferPrototypeGetByteLength(value);
      return { body: value, type: "application/octet-stream", length };
    }
    if (value instanceof FormData || value instanceof URLSearchParams || value instanceof ReadableStream) {
      return { body: value };
    }
    const iterator = typeof value?.next === "function" ? value : value[SymbolAsyncIterator]?.();
    if (iterator !== undefined) return { body: streamOf(iterator), type: "application/octet-stream" };
    const text = String(value);
    return { body: text, type: "text/plain;charset=UTF-8", length: lengthOf(text) };
  }

  /** `fetch()` with a Response that reads any body. `live`: the server may open a line. */
  async function fetchPlus(target, init = undefined) {
    const request = new Request(target, init);
    if (init?.live) FunctionPrototypeCall(set, request.headers, "X-Accept-Live", "*");
    return ResponsePlus.upgradeInPlace(await globalThis.fetch(request));
  }

  return { FormDataPlus, HeadersPlus, RequestPlus, ResponsePlus, fetchPlus };
}

// -- bodies ----------------------------------------------------------------------------------------------------------

/** The reader that a content type calls for. */
function readerFor(given) {
  const type = StringPrototypeToLowerCase(StringPrototypeTrim(StringPrototypeSplit(given, ";")[0]));
  if (type === "multipart/form-data" || type === "application/x-www-form-urlencoded") return "formData";
  if (RegExpPrototypeTest(/^application\/(?:.+\+)?json$/, type)) return "json";
  if (RegExpPrototypeTest(/^text\/|^application\/.*(?:xml|javascript)/, type)) return "text";
  if (type === "application/octet-stream") return "bytes";
  return RegExpPrototypeTest(/^(?:application|audio|image|video)\//, type) ? "blob" : "bytes";
}

/** Whether a value is data to go into, and no file, date or stream. */
function isTree(value) {
  if (value === null || typeof value !== "object") return false;
  const prototype = ObjectGetPrototypeOf(value);
  return ArrayIsArray(value) || prototype === ObjectPrototype || prototype === null;
}

/** A copy of data; what is no data in it stays what it is. */
function copyOfTree(value) {
  if (!isTree(value)) return value;
  if (ArrayIsArray(value)) return ArrayPrototypeMap(value, copyOfTree);
  return ObjectFromEntries(ArrayPrototypeMap(ObjectEntries(value), ({ 0: key, 1: item }) => [key, copyOfTree(item)]));
}

/** Whether JSON represents all of a value that is no tree. */
function isJson(value) {
  return value === null || typeof value !== "object" || typeof value.toJSON === "function" || value instanceof Error;
}

function lengthOf(text) {
  return ArrayBufferViewPrototypeGetByteLength(TextEncoderPrototypeEncode(new TextEncoder(), text));
}

/** What an iterator yields, as bytes: bytes and texts as they are, data as lines of JSON. */
function streamOf(iterator) {
  return new ReadableStream({
    async pull(controller) {
      const { value, done } = await IteratorPrototypeNext(iterator);
      if (done) return ReadableStreamDefaultControllerPrototypeClose(controller);
      if (value === undefined || value === null) return;
      const isText = typeof value === "string";
      const isBytes = ArrayBufferIsView(value);
      const text = isText ? value : isBytes ? "" : `${JSONStringify(value)}\n`;
      ReadableStreamDefaultControllerPrototypeEnqueue(controller, isBytes ? value : TextEncoderPrototypeEncode(new TextEncoder(), text));
    },
    async cancel() {
      if (typeof iterator.return === "function") await IteratorPrototypeReturn(iterator);
    },
  });
}

function accessor(prototype, name) {
  for (let at = prototype; at !== null; at = ObjectGetPrototypeOf(at)) {
    const property = ObjectGetOwnPropertyDescriptor(at, name);
    if (property !== undefined) return property;
  }
  return undefined;
}

// -- headers ---------------------------------------------------------------------------------------------------------

/** Fields as structures, by name: functions of the text, which is null where there is none. */
const PARSERS = {
  __proto__: null,
  accept: (text) => text === null ? null : acceptOf(text),
  "content-range": (text) => text === null ? null : contentRangeOf(text),
  cookie: (text) => ArrayPrototypeMap(listOf(text, ";"), (pair) => cookieOf(pair)),
  range: (text) => rangesOf(text),
  "set-cookie": (_, all) => ArrayPrototypeMap(all(), (text) => setCookieOf(text)),
};

/** The items of a list in a field. */
function listOf(text, separator) {
  const items = ArrayPrototypeMap(StringPrototypeSplit(text ?? "", separator), (item) => StringPrototypeTrim(item));
  return ArrayPrototypeFilter(items, (item) => item !== "");
}

function cookieOf(pair) {
  const at = StringPrototypeIndexOf(pair, "=");
  const name = at === -1 ? pair : StringPrototypeSlice(pair, 0, at);
  const value = at === -1 ? "" : StringPrototypeSlice(pair, at + 1);
  return { name: StringPrototypeTrim(name), value: StringPrototypeTrim(value) };
}

/** `Max-Age=5` is `maxAge: 5`, `Secure` is `secure: true`. */
function setCookieOf(text) {
  const parts = listOf(text, ";");
  const cookie = cookieOf(parts[0] ?? "");
  for (const part of new SafeArrayIterator(ArrayPrototypeSlice(parts, 1))) {
    const { name, value } = cookieOf(part);
    const key = StringPrototypeReplace(StringPrototypeToLowerCase(name), HYPHENS, (_, letter) => {
      return StringPrototypeToUpperCase(letter);
    });
    const known = key === "httponly" ? "httpOnly" : key === "samesite" ? "sameSite" : key;
    if (known === "name" || known === "value") continue;
    const isFlag = StringPrototypeIndexOf(part, "=") === -1;
    cookie[known] = isFlag ? true : known === "maxAge" ? Number(value) : value;
  }
  return cookie;
}

function acceptOf(text) {
  const list = ArrayPrototypeMap(listOf(text, ","), (item) => {
    const quality = RegExpPrototypeExec(/;\s*q=([0-9.]+)/i, item);
    const mime = StringPrototypeTrim(StringPrototypeSplit(item, ";")[0]);
    return [mime, quality === null ? 1 : Number(quality[1])];
  });
  ArrayPrototypeSort(list, ({ 1: a }, { 1: b }) => b - a);
  const partsOf = (mime) => StringPrototypeSplit(StringPrototypeToLowerCase(mime), "/");
  return withMethods(list, {
    /** How much a type is wanted, from 0 to 1: that of the most specific entry for it. */
    match(mime) {
      const { 0: type, 1: subtype } = partsOf(String(mime ?? ""));
      let found = [-1, 0];
      for (const { 0: entry, 1: q } of new SafeArrayIterator(list)) {
        const { 0: ofType, 1: ofSubtype } = partsOf(entry);
        const fits = (ofType === "*" || ofType === type || type === "*") &&
          (ofSubtype === "*" || ofSubtype === subtype || subtype === "*");
        const weight = (ofType === "*" ? 0 : 1) + (ofSubtype === "*" ? 0 : 1);
        if (fits && weight > found[0]) found = [weight, q];
      }
      return found[1];
    },
    toString: () => text,
  });
}

/** Ranges as `[first, last]`; null stands for what is left out. */
function rangesOf(text) {
  const list = StringPrototypeReplace(text ?? "", new SafeRegExp("^\\s*bytes\\s*=", "i"), "");
  return ArrayPrototypeMap(listOf(list, ","), (item) => {
    const given = ArrayPrototypeMap(StringPrototypeSplit(item, "-"), (end) => end === "" ? null : Number(end));
    const range = [given[0], given[1] ?? null];
    return withMethods(range, {
      /** The first and the last byte of a resource of `total` bytes. */
      resolveAgainst: (total) => resolved(range, total),
      /** Whether a resource of `total` bytes has any byte of it, from `start` on. */
      canResolveAgainst(start, total) {
        const { 0: first, 1: last } = resolved(range, total);
        return first <= last && first >= start && first < total;
      },
      toString: () => `${range[0] ?? ""}-${range[1] ?? ""}`,
    });
  });
}

function resolved({ 0: first, 1: last }, total) {
  if (first === null) return [MathMax(total - (last ?? 0), 0), total - 1];
  return [first, last === null ? total - 1 : MathMin(last, total - 1)];
}

function contentRangeOf(text) {
  const range = StringPrototypeReplace(text, new SafeRegExp("^\\s*bytes\\s+", "i"), "");
  return ArrayPrototypeMap(StringPrototypeSplit(range, "/"), (part) => StringPrototypeTrim(part));
}

function withMethods(list, methods) {
  const properties = ArrayPrototypeMap(ObjectEntries(methods), ({ 0: name, 1: value }) => [name, { value }]);
  for (const { 0: name, 1: property } of new SafeArrayIterator(properties)) {
    ObjectDefineProperties(list, { [name]: { __proto__: null, ...property, configurable: true, writable: true } });
  }
  return list;
}

/** The text of a field, and further texts where the field occurs more than once. @returns {[string, string[]]} */
function written(given, value) {
  const name = StringPrototypeToLowerCase(String(given));
  if (value === null || typeof value !== "object") return [name === "range" ? rangeText(value) : value, []];
  const items = ArrayIsArray(value) ? value : [value];
  switch (name) {
    case "set-cookie": {
      const texts = ArrayPrototypeMap(items, (item) => typeof item === "string" ? item : setCookieText(item));
      return [texts[0] ?? "", ArrayPrototypeSlice(texts, 1)];
    }
    case "cookie":
      return [ArrayPrototypeJoin(ArrayPrototypeMap(items, (item) => `${item.name}=${item.value}`), "; "), []];
    case "range":
      return [`bytes=${ArrayPrototypeJoin(ArrayPrototypeMap(items, rangeItem), ", ")}`, []];
    case "content-range": {
      const isWell = items.length === 2 && RegExpPrototypeTest(/^(?:[0-9]+-[0-9]+|\*)$/, String(items[0]));
      if (!isWell) throw new TypeError('A Content-Range is ["<start>-<end>", "<total>"].');
      return [`bytes ${items[0]}/${items[1]}`, []];
    }
    case "accept":
      return [ArrayPrototypeJoin(ArrayPrototypeMap(items, acceptItem), ","), []];
    default:
      return [value, []];
  }
}

function rangeText(value) {
  return RegExpPrototypeTest(/^\s*[a-z]+\s*=/i, String(value)) ? value : `bytes=${value}`;
}

function rangeItem(item) {
  if (ArrayIsArray(item)) return `${item[0] ?? ""}-${item[1] ?? ""}`;
  return StringPrototypeReplace(String(item), new SafeRegExp("^\\s*bytes\\s*=", "i"), "");
}

function acceptItem(item) {
  if (!ArrayIsArray(item)) return String(item);
  return item[1] === undefined || item[1] === 1 ? item[0] : `${item[0]};q=${item[1]}`;
}

function setCookieText({ name, value, ...attributes }) {
  const parts = [`${name}=${value}`];
  for (const { 0: key, 1: given } of new SafeArrayIterator(ObjectEntries(attributes))) {
    if (given === undefined || given === null || given === false) continue;
    const first = StringPrototypeToUpperCase(StringPrototypeSlice(key, 0, 1)) + StringPrototypeSlice(key, 1);
    const hyphenated = first === "MaxAge" ? "Max-Age" : first;
    const text = given instanceof Date ? DatePrototypeToUTCString(given) : given;
    ArrayPrototypePush(parts, given === true ? hyphenated : `${hyphenated}=${text}`);
  }
  return ArrayPrototypeJoin(parts, "; ");
}
