// Requests that an application makes to itself: `inject()`.

import { core, primordials } from "ext:core/mod.js";
import { nodeHeaders } from "ext:liveline/request.js";
import {
  HeadersPrototypeEntries,
  Request as WebRequest,
  ResponsePrototypeArrayBuffer,
  ResponsePrototypeGetHeaders,
  URL,
} from "ext:liveline/primordials.js";
import { STATUS_CODES } from "ext:liveline_fastify/reply.js";
import { eachChunk, node, settleRaw, textOf, Transport } from "ext:liveline_fastify/transport.js";

const {
  ArrayBufferIsView,
  ArrayIsArray,
  ArrayPrototypeFind,
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  ArrayPrototypePush,
  Error,
  JSONParse,
  JSONStringify,
  ObjectAssign,
  ObjectEntries,
  ObjectKeys,
  Promise,
  PromisePrototypeThen,
  SafeArrayIterator,
  String,
  StringPrototypeIncludes,
  StringPrototypeIndexOf,
  StringPrototypeSlice,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
  StringPrototypeToLowerCase,
  StringPrototypeToUpperCase,
  StringPrototypeTrim,
  encodeURIComponent,
} = primordials;

class InjectTransport extends Transport {
  #list;
  #payload;
  #resolve;
  #reject;
  #host;
  isSecure;

  constructor({ method, url, list, payload, peer, host, isSecure, signal }, resolve, reject) {
    super(method, url);
    this.#list = list;
    this.#payload = payload;
    this.peer = peer;
    this.#host = host;
    this.isSecure = isSecure;
    this.#resolve = resolve;
    this.#reject = reject;
    this.signal = signal;
  }

  header(name) {
    return nodeHeaders(this.#list)[name];
  }

  headerList() {
    return this.#list;
  }

  get hasBody() {
    return this.#payload !== null;
  }

  async collect() {
    return this.#payload ?? node().Buffer.alloc(0);
  }

  webRequest() {
    const init = { method: this.method, headers: this.#list };
    if (this.#payload !== null && this.method !== "GET" && this.method !== "HEAD") init.body = this.#payload;
    return new WebRequest(`http://${this.#host}${this.url}`, init);
  }

  place() {
    return { url: new URL(`http://${this.#host}${this.url}`), address: this.peer };
  }

  answer(status, list, payload) {
    if (this.raw !== null) settleRaw(this.raw, status);
    const bytes = payload === null ? node().Buffer.alloc(0) : this.bytesOf(payload);
    this.#end(status, list, this.method === "HEAD" ? node().Buffer.alloc(0) : bytes, payload !== null);
  }

  async answerStream(status, list, source, failed, ended) {
    const chunks = [];
    try {
      await eachChunk(source, (chunk) => void ArrayPrototypePush(chunks, this.bytesOf(chunk)));
    } catch (error) {
      if (chunks.length === 0) return failed(error);
      ended(error);
      this.done(error);
      this.over();
      return this.#reject(new Error("response destroyed before completion"));
    }
    if (this.raw !== null) settleRaw(this.raw, status);
    ended(null);
    this.#end(status, list, this.concatenated(chunks), false);
  }

  async settleWith(response) {
    if (this.isDone) return;
    const list = HeadersPrototypeEntries(ResponsePrototypeGetHeaders(response));
    const bytes = this.bytesOf(new primordials.Uint8Array(await ResponsePrototypeArrayBuffer(response)));
    this.#end(response.status, list, bytes, true);
  }

  failed(error) {
    this.done(error);
    this.over();
    this.#reject(error);
  }

  #end(status, list, bytes, hasLength) {
    const names = nodeHeaders(list);
    if (hasLength && names["content-length"] === undefined && status >= 200 && status !== 204 && status !== 304) {
      ArrayPrototypePush(list, ["content-length", String(bytes.length)]);
    } else if (!hasLength && names["content-length"] === undefined && bytes.length > 0) {
      ArrayPrototypePush(list, ["transfer-encoding", "chunked"]);
    }
    ArrayPrototypePush(list, ["date", primordials.DatePrototypeToUTCString(new primordials.Date())]);
    if (names.connection === undefined) ArrayPrototypePush(list, ["connection", "keep-alive"]);
    this.done();
    this.over();
    this.#resolve(responseOf(status, list, bytes, this));
  }
}

/** The answer, as tests read it. */
function responseOf(status, list, bytes, transport) {
  const headers = nodeHeaders(list);
  const text = textOf(bytes);
  return {
    get raw() {
      return transport.raw ?? { req: { method: transport.method, url: transport.url }, res: {} };
    },
    get rawPayload() {
      return bytes;
    },
    headers,
    statusCode: status,
    statusMessage: STATUS_CODES[status] ?? "",
    trailers: {},
    payload: text,
    body: text,
    json() {
      return JSONParse(text);
    },
    stream() {
      return core.createLazyLoader("node:stream")().default.Readable.from([bytes]);
    },
    get cookies() {
      return cookiesOf(headers["set-cookie"] ?? []);
    },
  };
}

/** Cookies with their attributes, by the names that tests expect. */
function cookiesOf(lines) {
  const names = { __proto__: null, "max-age": "maxAge", httponly: "httpOnly", samesite: "sameSite", path: "path", domain: "domain",
    secure: "secure", expires: "expires", partitioned: "partitioned" };
  return ArrayPrototypeMap(lines, (line) => {
    const parts = StringPrototypeSplit(line, ";");
    const equals = StringPrototypeIndexOf(parts[0], "=");
    const value = StringPrototypeSlice(parts[0], equals + 1);
    const cookie = { name: StringPrototypeTrim(StringPrototypeSlice(parts[0], 0, equals)), value: decode(StringPrototypeTrim(value)) };
    for (let i = 1; i < parts.length; i++) {
      const at = StringPrototypeIndexOf(parts[i], "=");
      const key = StringPrototypeToLowerCase(StringPrototypeTrim(at === -1 ? parts[i] : StringPrototypeSlice(parts[i], 0, at)));
      const name = names[key] ?? key;
      const text = at === -1 ? true : StringPrototypeTrim(StringPrototypeSlice(parts[i], at + 1));
      cookie[name] = name === "maxAge" ? +text : name === "expires" ? new primordials.Date(text) : text;
    }
    return cookie;
  });
}

function decode(text) {
  try {
    return primordials.decodeURIComponent(text);
  } catch {
    return text;
  }
}

function queryOf(query) {
  if (typeof query === "string") return query;
  const parts = [];
  for (const { 0: name, 1: value } of new SafeArrayIterator(ObjectEntries(query))) {
    const values = ArrayIsArray(value) ? value : [value];
    for (const one of new SafeArrayIterator(values)) {
      ArrayPrototypePush(parts, `${encodeURIComponent(name)}=${encodeURIComponent(String(one))}`);
    }
  }
  return ArrayPrototypeJoin(parts, "&");
}

/** What `inject()` was called with, as a request. */
async function requestOf(given) {
  const options = typeof given === "string" ? { url: given } : given;
  const target = options.url ?? options.path ?? "/";
  let url = typeof target === "object"
    ? (target.href ?? `${target.protocol ?? "http"}://${target.hostname ?? "localhost"}${target.pathname ?? "/"}`)
    : target;
  let host = options.authority ?? "localhost:80", isSecure = false;
  if (StringPrototypeStartsWith(url, "http://") || StringPrototypeStartsWith(url, "https://")) {
    const parsed = new URL(url);
    host = options.authority ?? (StringPrototypeIncludes(parsed.host, ":") ? parsed.host : `${parsed.host}:${parsed.protocol === "https:" ? 443 : 80}`);
    isSecure = parsed.protocol === "https:";
    url = parsed.pathname + parsed.search;
  }
  if (!StringPrototypeStartsWith(url, "/")) url = `/${url}`;
  const query = options.query ?? (typeof target === "object" ? target.query : undefined);
  if (query !== undefined) url += (StringPrototypeIncludes(url, "?") ? "&" : "?") + queryOf(query);
  const list = [];
  const has = (name) => ArrayPrototypeFind(list, (pair) => pair[0] === name) !== undefined;
  for (const { 0: name, 1: value } of new SafeArrayIterator(ObjectEntries(options.headers ?? {}))) {
    if (value === undefined) continue;
    const values = ArrayIsArray(value) ? value : [value];
    for (const one of new SafeArrayIterator(values)) ArrayPrototypePush(list, [StringPrototypeToLowerCase(name), String(one)]);
  }
  if (!has("user-agent")) ArrayPrototypePush(list, ["user-agent", "lightMyRequest"]);
  if (!has("host")) ArrayPrototypePush(list, ["host", host]);
  if (options.cookies !== undefined) {
    const cookies = ArrayPrototypeMap(ObjectKeys(options.cookies), (name) => `${name}=${encodeURIComponent(options.cookies[name])}`);
    ArrayPrototypePush(list, ["cookie", ArrayPrototypeJoin(cookies, "; ")]);
  }
  let payload = options.payload ?? options.body ?? null;
  if (payload !== null && typeof payload === "object") {
    if (typeof payload.pipe === "function") {
      const chunks = [];
      await eachChunk(payload, (chunk) => void ArrayPrototypePush(chunks, node().Buffer.from(chunk)));
      payload = node().joined(chunks);
    } else if (!ArrayBufferIsView(payload)) {
      if (!has("content-type")) ArrayPrototypePush(list, ["content-type", "application/json"]);
      payload = JSONStringify(payload);
    }
  }
  if (typeof payload === "string") payload = node().Buffer.from(payload);
  if (payload !== null && !has("content-length") && !has("transfer-encoding")) {
    ArrayPrototypePush(list, ["content-length", String(payload.length)]);
  }
  const method = StringPrototypeToUpperCase(options.method ?? "GET");
  const hostOf = ArrayPrototypeFind(list, (pair) => pair[0] === "host")[1];
  return { method, url, list, payload, peer: options.remoteAddress ?? "127.0.0.1", host: hostOf, isSecure, signal: options.signal };
}

/**
 * Makes a request to an application.
 * @param {(transport: Transport) => void} dispatch
 */
export function inject(dispatch, given) {
  return PromisePrototypeThen(requestOf(given), (request) =>
    new Promise((resolve, reject) => dispatch(new InjectTransport(request, resolve, reject))));
}

/** `inject()` without arguments: a request that is put together by calls. */
export function chain(send, given = {}) {
  const options = ObjectAssign({}, typeof given === "string" ? { url: given } : given);
  let sent = null;
  const end = (callback = undefined) => {
    sent ??= send(options);
    if (callback === undefined) return sent;
    PromisePrototypeThen(sent, (response) => callback(null, response), callback);
  };
  const steps = {
    end,
    then: (fulfilled, rejected) => PromisePrototypeThen(end(), fulfilled, rejected),
    catch: (rejected) => PromisePrototypeThen(end(), undefined, rejected),
    finally: (callback) => primordials.SafePromisePrototypeFinally(end(), callback),
  };
  for (const name of new SafeArrayIterator(["delete", "get", "head", "options", "patch", "post", "put", "trace"])) {
    steps[name] = (url) => {
      options.method = name;
      options.url = url;
      return steps;
    };
  }
  for (const name of new SafeArrayIterator(["body", "cookies", "headers", "payload", "query"])) {
    steps[name] = (value) => {
      options[name] = value;
      return steps;
    };
  }
  return steps;
}


