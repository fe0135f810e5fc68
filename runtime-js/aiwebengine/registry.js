// What scripts have registered: routes, streams, and where the handlers of each are found. Handlers that are named by a
// string are looked up when they are called, so that a script may define them behind the call that names them.

import {
  ArrayPrototypeFind,
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  ArrayPrototypeSome,
  ArrayPrototypeSort,
  decodeURIComponent,
  Error,
  ObjectKeys,
  SafeArrayIterator,
  SafeMap,
  SafeSet,
  String,
  StringPrototypeEndsWith,
  StringPrototypeIncludes,
  StringPrototypeIndexOf,
  StringPrototypeSlice,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
  StringPrototypeToUpperCase,
  TypeError,
} from "ext:liveline/primordials.js";
import { print, WARNING } from "ext:liveline/log.js";

/** The longest path of a route or stream, in characters. */
const MAX_PATH = 200;
/** How many lines of a script's log can be read back. */
const MAX_LOGS = 1000;

export const METHODS = new SafeSet(["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]);

/** A script, by its file. @type {Map<string, Script>} */
export const scripts = new SafeMap();

/** One script: its name, its app, and its functions by name. */
export class Script {
  /** Functions that return what a name at the top of the script stands for. */
  bindings = { __proto__: null };
  /** Whether the script has called its own `init()`. */
  calledInit = false;
  /** Whether it was evaluated. */
  hasLoaded = false;
  /** The latest lines of its log. */
  logs = [];

  constructor(file, name, app) {
    this.file = file;
    this.name = name;
    this.app = app;
  }

  log(line) {
    if (this.logs.length === MAX_LOGS) this.logs = ArrayPrototypeSlice(this.logs, MAX_LOGS / 2);
    ArrayPrototypePush(this.logs, line);
  }

  /** The function of a handler: itself, or what its name stands for by now; undefined if there is none. */
  lookUp(handler) {
    if (typeof handler === "function") return handler;
    let value;
    try {
      value = this.bindings[handler]?.();
    } catch {
      // The script has not come to the declaration yet.
    }
    return typeof value === "function" ? value : undefined;
  }

  /** The same, or an error that names what is missing. */
  resolve(handler, what) {
    const found = this.lookUp(handler);
    if (found !== undefined) return found;
    const names = ArrayPrototypeJoin(ObjectKeys(this.bindings), ", ");
    throw new TypeError(
      `${what}: ${this.name} has no function named "${handler}"; ${names === "" ? "it declares none" : `it declares ${names}`}`,
    );
  }
}

/** The name of a handler, for messages. */
export const nameOf = (handler) => typeof handler === "function" ? handler.name || "a function" : `"${handler}"`;

/** The script of a file. One that is only imported by others is made here. */
export function scriptOf(file) {
  let script = scripts.get(file);
  if (script === undefined) {
    const { folder, name } = partsOf(file);
    scripts.set(file, script = new Script(file, name, folder));
  }
  return script;
}

function partsOf(file) {
  const parts = StringPrototypeSplit(file, "/");
  return { name: parts[parts.length - 1], folder: ArrayPrototypeJoin(ArrayPrototypeSlice(parts, 0, parts.length - 1), "/") };
}

/** The path of a route or a stream, or an error that begins with what aiwebengine states. */
export function checkPath(call, path, kind) {
  const failed = (why) => {
    throw new TypeError(`Invalid ${kind} path: ${why}. ${call} was called with ${typeof path === "string" ? `"${path}"` : String(path)}.`);
  };
  if (typeof path !== "string") failed("it has to be a string");
  if (path === "") failed("it is empty");
  if (!StringPrototypeStartsWith(path, "/")) failed("it has to begin with '/'");
  if (path.length > MAX_PATH) failed(`it has ${path.length} characters, and ${MAX_PATH} are the most`);
  if (StringPrototypeIncludes(path, "\\")) failed("it has a backslash");
  if (ArrayPrototypeSome(StringPrototypeSplit(path, "/"), (part) => part === "..")) failed("it has '..'");
  return path;
}

/** What is registered for a path: a handler for each method. */
class Place {
  handlers = new SafeMap();

  constructor(path) {
    this.path = path;
    this.segments = StringPrototypeSplit(path, "/");
  }

  /** The names and values of its parameters for the segments of a path; null if it does not match. */
  paramsFor(segments) {
    const own = this.segments;
    const isOpen = own[own.length - 1] === "*";
    const least = isOpen ? own.length - 1 : own.length;
    if (segments.length < least || (!isOpen && segments.length > least)) return null;
    const params = { __proto__: null };
    for (let i = 0; i < least; i++) {
      if (StringPrototypeStartsWith(own[i], ":")) {
        if (segments[i] === "") return null;
        params[StringPrototypeSlice(own[i], 1)] = decoded(segments[i]);
      } else if (own[i] !== segments[i] && own[i] !== decoded(segments[i])) return null;
    }
    if (isOpen) params["*"] = decoded(ArrayPrototypeJoin(ArrayPrototypeSlice(segments, least), "/"));
    return params;
  }
}

/** A part of a path without its escapes; as it is where they are wrong. */
export function decoded(text) {
  if (!StringPrototypeIncludes(text, "%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** By path. @type {Map<string, Place>} */
const exact = new SafeMap();
/** Places with parameters, those with more fixed segments first. @type {Place[]} */
const patterns = [];

const isPattern = (path) => StringPrototypeIncludes(path, "/:") || StringPrototypeEndsWith(path, "/*");
const fixed = (place) => {
  let count = 0;
  for (let i = 0; i < place.segments.length; i++) {
    const segment = place.segments[i];
    if (segment !== "*" && !StringPrototypeStartsWith(segment, ":")) count++;
  }
  return count;
};

/** Registers a handler. The last one of a path and a method counts. */
export function addRoute(script, path, handler, method, meta = undefined) {
  let place = exact.get(path) ?? ArrayPrototypeFind(patterns, (it) => it.path === path);
  if (place === undefined) {
    place = new Place(path);
    if (isPattern(path)) {
      ArrayPrototypePush(patterns, place);
      ArrayPrototypeSort(patterns, (a, b) => fixed(b) - fixed(a));
    } else {
      exact.set(path, place);
    }
  }
  const before = place.handlers.get(method);
  if (before !== undefined && (before.script !== script || before.handler !== handler)) {
    const where = before.script === script ? "" : `, as ${before.script.name} has registered it, too`;
    print(
      `${script.name}: the route ${method} ${path} was registered for ${nameOf(before.handler)}${where}; ` +
        `from now on ${nameOf(handler)} answers it.`,
      WARNING,
    );
  }
  place.handlers.set(method, { script, handler, method, path, meta });
}

/**
 * What is registered for a path.
 * @returns {{ place: Place, params: object } | null}
 */
export function matchRoute(pathname) {
  const place = exact.get(pathname) ?? exact.get(decoded(pathname));
  if (place !== undefined) return { place, params: { __proto__: null } };
  if (patterns.length === 0) return null;
  const segments = StringPrototypeSplit(pathname, "/");
  for (const place of new SafeArrayIterator(patterns)) {
    const params = place.paramsFor(segments);
    if (params !== null) return { place, params };
  }
  return null;
}

/** All routes, as `{ script, handler, method, path }`. */
export function allRoutes() {
  const all = [];
  const places = [];
  for (const place of exact.values()) ArrayPrototypePush(places, place);
  for (const place of new SafeArrayIterator(patterns)) ArrayPrototypePush(places, place);
  for (const place of new SafeArrayIterator(places)) {
    for (const route of place.handlers.values()) ArrayPrototypePush(all, route);
  }
  return all;
}

/**
 * The arguments of `register()` in any of the orders that documents show: path, name of the handler or the handler,
 * method; or method, path, handler.
 */
export function readRegistration(args) {
  const { 0: first, 1: second, 2: third } = args;
  const isMethod = (value) => typeof value === "string" && METHODS.has(StringPrototypeToUpperCase(value));
  const isPath = (value) => typeof value === "string" && StringPrototypeStartsWith(value, "/");
  let path = first, handler = second, method = third;
  // The name of a function may be `post`.
  if (isMethod(first) && isPath(second)) ({ 0: method, 1: path, 2: handler } = args);
  else if (isMethod(second) && typeof third === "function") ({ 1: method, 2: handler } = args);
  checkPath("register()", path, "route");
  if (typeof handler !== "function" && typeof handler !== "string") {
    throw new TypeError(`register(): no handler is given for ${path}; name a function of the script.`);
  }
  return { path, handler, method: checkMethod("register()", method) };
}

/** The method of a route, in capitals. */
export function checkMethod(call, method) {
  const known = StringPrototypeToUpperCase(String(method ?? "GET"));
  if (METHODS.has(known)) return known;
  throw new TypeError(`${call}: ${String(method)} is no method; the methods are ${ArrayPrototypeJoin([...METHODS.values()], ", ")}.`);
}

/** Streams by path: `{ path, script, customizer }`. @type {Map<string, object>} */
export const streams = new SafeMap();

export function addStream(script, path, customizer) {
  const before = streams.get(path);
  if (before !== undefined && before.script !== script) {
    print(`${script.name}: the stream ${path} is registered by ${before.script.name}, too; it is one stream.`, WARNING);
  }
  streams.set(path, { path, script, customizer });
}

/** The path of a request's address, its escapes untouched, and its query without the question mark. */
export function targetOf(url) {
  const start = StringPrototypeIndexOf(url, "/", StringPrototypeIndexOf(url, "://") + 3);
  const end = StringPrototypeIndexOf(url, "?", start);
  if (end === -1) return { pathname: StringPrototypeSlice(url, start), query: "" };
  return { pathname: StringPrototypeSlice(url, start, end), query: StringPrototypeSlice(url, end + 1) };
}

/** Where in a script the running code was called from: `file:line:column`. */
export function callPlace(script) {
  const { stack } = new Error();
  const lines = StringPrototypeSplit(typeof stack === "string" ? stack : "", "\n");
  const at = ArrayPrototypeFind(lines, (line) => StringPrototypeIncludes(line, script.file));
  if (at === undefined) return script.name;
  const from = StringPrototypeIndexOf(at, script.file) + script.file.length;
  const rest = StringPrototypeSlice(at, from);
  return script.name + (StringPrototypeEndsWith(rest, ")") ? StringPrototypeSlice(rest, 0, rest.length - 1) : rest);
}

/** Handlers that were named and that no script declares, as messages. */
export function missingHandlers() {
  const missing = [];
  for (const route of new SafeArrayIterator(allRoutes())) {
    if (route.script.lookUp(route.handler) === undefined) {
      ArrayPrototypePush(missing, `${route.script.name}: the handler ${nameOf(route.handler)} of ${route.method} ${route.path} does not exist.`);
    }
  }
  for (const stream of streams.values()) {
    if (stream.customizer !== undefined && stream.script.lookUp(stream.customizer) === undefined) {
      ArrayPrototypePush(missing, `${stream.script.name}: the function ${nameOf(stream.customizer)} of the stream ${stream.path} does not exist.`);
    }
  }
  return missing;
}

/** Pairs of a query or a form, `[name, value, name, value]`, as an object: of values with one name the last counts. */
export function objectOf(flat) {
  const values = {};
  for (let i = 0; i < flat.length; i += 2) {
    // A name such as __proto__ is a property like others.
    if (flat[i] === "__proto__") continue;
    values[flat[i]] = flat[i + 1];
  }
  return values;
}

export const namesOf = (map) => ArrayPrototypeMap([...map.keys()], (name) => name);
