// Which route a path leads to. Paths without parameters are in one map; the others in a tree of segments, in which a
// fixed segment comes before one with parameters, and that before a wildcard.

import { primordials } from "ext:core/mod.js";
import { isSafe } from "ext:liveline_fastify/patterns.js";

const {
  ArrayPrototypeFilter,
  ArrayPrototypeJoin,
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  ArrayPrototypeSort,
  ArrayPrototypeSome,
  Error,
  NumberParseInt,
  ObjectEntries,
  ObjectKeys,
  RegExp,
  RegExpPrototypeExec,
  RegExpPrototypeTest,
  SafeArrayIterator,
  SafeMap,
  SafeRegExp,
  StringPrototypeEndsWith,
  StringPrototypeIncludes,
  StringPrototypeReplace,
  StringPrototypeSlice,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
  StringPrototypeToLowerCase,
  TypeError,
  decodeURI,
  decodeURIComponent,
} = primordials;

const SPECIAL = new SafeRegExp("[.*+?^${}()|[\\]\\\\/-]", "g");
const SLASHES = new SafeRegExp("/{2,}", "g");

const escaped = (text) => StringPrototypeReplace(text, SPECIAL, "\\$&");

/**
 * Takes a segment with parameters apart: `:a-:b`, `:file.png`, `:id(^\\d+$)`.
 * @returns {{ names: string[], regexp: RegExp | null, isPlain: boolean, suffix: string }}
 */
function parametersOf(segment, { isSensitive, allowsUnsafe, path }) {
  const names = [];
  let source = "^", at = 0, isPlain = true, hasRegExp = false;
  while (at < segment.length) {
    if (segment[at] === ":" && segment[at + 1] === ":") {
      source += ":";
      at += 2;
      isPlain = false;
      continue;
    }
    if (segment[at] !== ":") {
      source += escaped(segment[at]);
      at += 1;
      isPlain = false;
      continue;
    }
    let end = at + 1;
    while (end < segment.length && !StringPrototypeIncludes("-.:(", segment[end])) end += 1;
    // A name goes on after a dash or a dot only where no other parameter follows them.
    const name = StringPrototypeSlice(segment, at + 1, end);
    ArrayPrototypePush(names, name);
    if (segment[end] === "(") {
      let depth = 0, close = end;
      for (; close < segment.length; close += 1) {
        if (segment[close] === "\\") close += 1;
        else if (segment[close] === "(") depth += 1;
        else if (segment[close] === ")" && (depth -= 1) === 0) break;
      }
      if (close >= segment.length) throw new TypeError(`Invalid regexp expression in "${path}"`);
      const pattern = StringPrototypeSlice(segment, end, close + 1);
      if (!allowsUnsafe && !isSafe(pattern)) throw new Error(`The regex '${pattern}' is not safe!`);
      let inner = StringPrototypeSlice(segment, end + 1, close);
      if (StringPrototypeStartsWith(inner, "^")) inner = StringPrototypeSlice(inner, 1);
      if (StringPrototypeEndsWith(inner, "$")) inner = StringPrototypeSlice(inner, 0, -1);
      source += `(${inner})`;
      hasRegExp = true;
      isPlain = false;
      end = close + 1;
    } else if (end === segment.length) {
      source += names.length === 1 ? "(.*)" : "(.*?)";
    } else {
      source += "(.+)";
      isPlain = false;
    }
    at = end;
  }
  const isOne = isPlain && names.length === 1;
  const regexp = isOne ? null : new RegExp(`${source}$`, isSensitive ? "" : "i");
  return { names, regexp, isPlain: isOne, hasRegExp, text: segment };
}

class Node {
  fixed = new SafeMap();
  parameters = [];
  /** Wildcards by the text before them in their segment, longest first. */
  wildcards = [];
  routes = [];
}

/** Cuts a path at slashes, but not at those of a regular expression. */
function segmentsOf(path) {
  const segments = [];
  let start = 0, depth = 0;
  for (let i = 0; i < path.length; i++) {
    if (path[i] === "(") depth += 1;
    else if (path[i] === ")") depth -= 1;
    else if (path[i] === "/" && depth === 0) {
      ArrayPrototypePush(segments, StringPrototypeSlice(path, start, i));
      start = i + 1;
    }
  }
  ArrayPrototypePush(segments, StringPrototypeSlice(path, start));
  return segments;
}

const isDynamic = (path) =>
  StringPrototypeIncludes(StringPrototypeReplace(path, "::", ""), ":") || StringPrototypeIncludes(path, "*") ||
  StringPrototypeIncludes(path, "::");

/** Versions as numbers, for comparing. */
function versionOf(text) {
  return primordials.ArrayPrototypeMap(StringPrototypeSplit(text, "."), (part) => NumberParseInt(part, 10));
}

function isNewer(a, b) {
  for (let i = 0; i < 3; i++) {
    if ((a[i] ?? 0) !== (b[i] ?? 0)) return (a[i] ?? 0) > (b[i] ?? 0);
  }
  return false;
}

/** Whether a version that a route has is among those that `wanted` names: `1.2.x`, `1.x`, `1`, `*`. */
function satisfies(version, wanted) {
  const own = StringPrototypeSplit(version, "."), asked = StringPrototypeSplit(wanted, ".");
  for (let i = 0; i < asked.length; i++) {
    if (asked[i] === "x" || asked[i] === "*") return true;
    if (asked[i] !== own[i]) return false;
  }
  return true;
}

export class Router {
  /** @type {Map<string, { exact: Map<string, object[]>, root: Node }>} */
  #methods = new SafeMap();
  #strategies = { __proto__: null };
  routes = [];

  constructor(options) {
    this.options = options;
    this.isSensitive = options.caseSensitive !== false;
    this.allowsUnsafe = options.allowUnsafeRegex === true;
    this.maxParamLength = options.maxParamLength ?? 100;
    for (const { 0: name, 1: strategy } of new SafeArrayIterator(ObjectEntries(options.constraints ?? {}))) {
      this.addStrategy(name, strategy);
    }
  }

  addStrategy(name, strategy) {
    if (typeof name !== "string") throw new Error("Constraint strategy name must be a string");
    if (this.#strategies[name] !== undefined) {
      throw new Error(`There already exists a custom constraint with the name ${name}.`);
    }
    this.#strategies[name] = strategy;
  }

  hasStrategy(name) {
    return name === "host" || name === "version" || this.#strategies[name] !== undefined;
  }

  #normalised(path) {
    if (this.options.ignoreDuplicateSlashes) path = StringPrototypeReplace(path, SLASHES, "/");
    if (this.options.ignoreTrailingSlash && path.length > 1 && StringPrototypeEndsWith(path, "/")) {
      path = StringPrototypeSlice(path, 0, -1);
    }
    return path;
  }

  /** The patterns that one stands for: `/a/:b?` is `/a` and `/a/:b`. */
  #variants(path) {
    if (!StringPrototypeEndsWith(path, "?")) return [path];
    const whole = StringPrototypeSlice(path, 0, -1);
    const slash = primordials.StringPrototypeLastIndexOf(whole, "/");
    return [whole, StringPrototypeSlice(whole, 0, slash) || "/"];
  }

  /** Adds a route. Returns false if there is one for the same method, path and constraints. */
  add(method, path, route) {
    for (const { 0: name, 1: value } of new SafeArrayIterator(ObjectEntries(route.constraints ?? {}))) {
      if (!this.hasStrategy(name)) throw new Error(`No strategy registered for constraint key ${name}`);
      this.#strategies[name]?.validate?.(value);
    }
    for (const variant of new SafeArrayIterator(this.#variants(path))) {
      if (this.declared(method, variant, route.constraints ?? {}) !== undefined) return false;
    }
    for (const variant of new SafeArrayIterator(this.#variants(path))) this.#insert(method, variant, route);
    ArrayPrototypePush(this.routes, { method, path, route });
    return true;
  }

  remove(route) {
    this.routes = ArrayPrototypeFilter(this.routes, (it) => it.route !== route);
    const rest = this.routes;
    this.#methods = new SafeMap();
    for (const it of new SafeArrayIterator(rest)) {
      for (const variant of new SafeArrayIterator(this.#variants(it.path))) this.#insert(it.method, variant, it.route);
    }
  }

  #insert(method, pattern, route) {
    let tables = this.#methods.get(method);
    if (tables === undefined) this.#methods.set(method, tables = { exact: new SafeMap(), root: new Node() });
    const path = this.#normalised(pattern);
    if (!isDynamic(path)) {
      const key = this.isSensitive ? path : StringPrototypeToLowerCase(path);
      const routes = tables.exact.get(key);
      if (routes === undefined) tables.exact.set(key, [route]);
      else this.#put(routes, route);
    }
    let node = tables.root;
    const names = [];
    const segments = segmentsOf(path);
    for (let i = 0; i < segments.length; i++) {
      const segment = segments[i];
      if (StringPrototypeEndsWith(segment, "*")) {
        if (i < segments.length - 1) throw new Error("Wildcard must be the last character in the route");
        const before = StringPrototypeSlice(segment, 0, -1);
        let wildcard = primordials.ArrayPrototypeFind(node.wildcards, (it) => it.before === before);
        if (wildcard === undefined) {
          wildcard = { before, node: new Node() };
          ArrayPrototypePush(node.wildcards, wildcard);
          ArrayPrototypeSort(node.wildcards, (a, b) => b.before.length - a.before.length);
        }
        ArrayPrototypePush(names, "*");
        node = wildcard.node;
      } else if (StringPrototypeIncludes(segment, ":")) {
        const parts = parametersOf(segment, { isSensitive: this.isSensitive, allowsUnsafe: this.allowsUnsafe, path });
        for (const name of new SafeArrayIterator(parts.names)) ArrayPrototypePush(names, name);
        if (parts.names.length === 0) {
          node = this.#fixed(node, StringPrototypeReplace(segment, "::", ":"));
          continue;
        }
        const shape = parts.regexp === null ? ":" : `${parts.regexp.source}`;
        let parameter = primordials.ArrayPrototypeFind(node.parameters, (it) => it.shape === shape);
        if (parameter === undefined) {
          parameter = { ...parts, shape, node: new Node() };
          ArrayPrototypePush(node.parameters, parameter);
          // The more a segment asks for, the earlier it is tried.
          const weight = (it) => it.isPlain ? 0 : it.hasRegExp ? 1 : 2;
          ArrayPrototypeSort(node.parameters, (a, b) => weight(b) - weight(a) || b.text.length - a.text.length);
        }
        node = parameter.node;
      } else {
        node = this.#fixed(node, segment);
      }
    }
    this.#put(node.routes, route, names);
  }

  #fixed(node, segment) {
    const key = this.isSensitive ? segment : StringPrototypeToLowerCase(segment);
    let next = node.fixed.get(key);
    if (next === undefined) node.fixed.set(key, next = new Node());
    return next;
  }

  /** Routes with more constraints come first. */
  #put(routes, route, names) {
    const count = (it) => ObjectKeys((it.route ?? it).constraints ?? {}).length;
    ArrayPrototypePush(routes, names === undefined ? route : { route, names });
    ArrayPrototypeSort(routes, (a, b) => count(b) - count(a));
  }

  /** The route that was declared for exactly this method, pattern and constraints. */
  declared(method, path, constraints = {}) {
    const wanted = this.#normalised(path);
    const same = (a, b) => {
      const keys = ObjectKeys(a);
      return keys.length === ObjectKeys(b).length && !ArrayPrototypeSome(keys, (key) => `${a[key]}` !== `${b[key]}`);
    };
    // Names of parameters make no other route.
    const shape = (text) => primordials.ArrayPrototypeMap(segmentsOf(text), (segment) => {
      if (!StringPrototypeIncludes(segment, ":")) return this.isSensitive ? segment : StringPrototypeToLowerCase(segment);
      const { regexp } = parametersOf(segment, { isSensitive: this.isSensitive, allowsUnsafe: true, path: text });
      return regexp === null ? ":" : regexp.source;
    });
    const wantedShape = ArrayPrototypeJoin(shape(wanted), "/");
    return primordials.ArrayPrototypeFind(this.routes, (it) =>
      it.method === method && same(it.route.constraints ?? {}, constraints) &&
      ArrayPrototypeSome(this.#variants(it.path), (variant) =>
        ArrayPrototypeJoin(shape(this.#normalised(variant)), "/") === wantedShape))?.route;
  }

  /** @returns {{ route: object, params: object } | null} */
  lookup(method, path, derive) {
    const tables = this.#methods.get(method);
    if (tables === undefined) return null;
    if (this.options.ignoreDuplicateSlashes || this.options.ignoreTrailingSlash) path = this.#normalised(path);
    const exact = tables.exact.get(this.isSensitive ? path : StringPrototypeToLowerCase(path));
    if (exact !== undefined) {
      const route = exact.length === 1 && exact[0].constraints === null ? exact[0] : this.#chosen(exact, derive);
      if (route !== undefined) return { route, params: {} };
    }
    const values = [];
    const found = this.#walk(tables.root, StringPrototypeSplit(path, "/"), 0, values, derive);
    if (found === null) return null;
    const params = {};
    const { names } = found;
    for (let i = 0; i < names.length; i++) {
      const value = values[i];
      if (value.length > this.maxParamLength && names[i] !== "*") return { route: null, isTooLong: true };
      params[names[i]] = StringPrototypeIncludes(value, "%") ? decodeURIComponent(value) : value;
    }
    return { route: found.route, params };
  }

  #walk(node, segments, at, values, derive) {
    if (at === segments.length) {
      const { routes } = node;
      if (routes.length === 0) return null;
      return routes.length === 1 && routes[0].route.constraints === null ? routes[0] : this.#chosen(routes, derive) ?? null;
    }
    const segment = segments[at];
    let key = StringPrototypeIncludes(segment, "%") ? decodeURI(segment) : segment;
    if (!this.isSensitive) key = StringPrototypeToLowerCase(key);
    const next = node.fixed.get(key);
    const { length } = values;
    if (next !== undefined) {
      const found = this.#walk(next, segments, at + 1, values, derive);
      if (found !== null) return found;
      values.length = length;
    }
    const { parameters, wildcards } = node;
    for (let i = 0; i < parameters.length; i++) {
      const parameter = parameters[i];
      if (parameter.isPlain) {
        ArrayPrototypePush(values, segment);
      } else {
        const match = RegExpPrototypeExec(parameter.regexp, segment);
        if (match === null) continue;
        // Groups of the author's own regular expressions are not counted: a name has the group that its place opens.
        for (let group = 1; group <= parameter.names.length; group++) ArrayPrototypePush(values, match[group] ?? "");
      }
      const found = this.#walk(parameter.node, segments, at + 1, values, derive);
      if (found !== null) return found;
      values.length = length;
    }
    for (let i = 0; i < wildcards.length; i++) {
      const { before, node: end } = wildcards[i];
      if (!StringPrototypeStartsWith(key, before)) continue;
      const rest = ArrayPrototypeJoin(ArrayPrototypeSlice(segments, at), "/");
      ArrayPrototypePush(values, StringPrototypeSlice(rest, before.length));
      const found = this.#walk(end, segments, segments.length, values, derive);
      if (found !== null) return found;
      values.length = length;
    }
    return null;
  }

  /** The first of several routes whose constraints a request satisfies; of versions the newest. */
  #chosen(routes, derive) {
    let best, bestVersion = null;
    const asked = { __proto__: null };
    const derived = (name) => asked[name] ??= { value: derive(name, this.#strategies[name]) };
    // A strategy may insist that its routes answer alone where its value is there.
    const must = ArrayPrototypeFilter(ObjectKeys(this.#strategies), (name) =>
      this.#strategies[name].mustMatchWhenDerived && derived(name).value !== undefined);
    const version = derived("version").value;
    for (let i = 0; i < routes.length; i++) {
      const item = routes[i];
      const { constraints } = item.route ?? item;
      if (version !== undefined && constraints?.version === undefined) continue;
      if (ArrayPrototypeSome(must, (name) => constraints?.[name] === undefined)) continue;
      const names = constraints === null ? [] : ObjectKeys(constraints);
      const fits = !ArrayPrototypeSome(names, (name) => {
        const wanted = constraints[name], { value } = derived(name);
        if (value === undefined) return true;
        if (name === "version") return !satisfies(wanted, value);
        if (name === "host") return typeof wanted === "string" ? wanted !== value : !RegExpPrototypeTest(wanted, value);
        return wanted !== value;
      });
      if (!fits) continue;
      if (constraints?.version === undefined) return best ?? item;
      const number = versionOf(constraints.version);
      if (best === undefined || isNewer(number, bestVersion)) {
        best = item;
        bestVersion = number;
      }
    }
    return best;
  }

  /** Whether any route answers this method. */
  has(method) {
    return this.#methods.has(method);
  }

  /** The constraints of a request, for `derive`. */
  static derive(header, request) {
    return (name, strategy) => {
      if (name === "version") return header("accept-version");
      if (name === "host") return header("host");
      return strategy?.deriveConstraint?.(request(), undefined);
    };
  }
}
