// Expressions of pages: a small part of JavaScript, read and evaluated without the engine's compiler, so that pages
// work under any content security policy.
//
// An expression sees data and nothing else: names of its scope, own properties, and the methods listed here. There
// are no assignments, no functions and no globals, so what a stranger puts into the data stays data.

import {
  Array,
  ArrayIsArray,
  ArrayPrototypeFind,
  ArrayPrototypeIncludes,
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  ArrayPrototypePush,
  Boolean,
  Number,
  ObjectEntries,
  ObjectHasOwn,
  ObjectKeys,
  parseInt,
  ReflectApply,
  RegExp,
  RegExpPrototypeExec,
  SafeArrayIterator,
  SafeMap,
  SafeRegExp,
  String,
  StringFromCodePoint,
  StringPrototypeIncludes,
  StringPrototypeReplace,
  StringPrototypeSlice,
  StringPrototypeStartsWith,
  StringPrototypeTrim,
  SyntaxError,
  TypeError,
} from "../primordials.js";

/**
 * The names that an expression knows: an object's own properties, then those of the scope around it.
 * @typedef {{ names: object, outer: Scope | null }} Scope
 */

/** Methods that may be called, by what they are called on. */
const METHODS = {
  string: methodsOf(String.prototype, [
    "at", "charAt", "concat", "endsWith", "includes", "indexOf", "lastIndexOf", "padEnd", "padStart", "replaceAll",
    "slice", "split", "startsWith", "substring", "toLowerCase", "toString", "toUpperCase", "trim", "trimEnd", "trimStart",
  ]),
  number: methodsOf(Number.prototype, ["toFixed", "toLocaleString", "toPrecision", "toString"]),
  boolean: methodsOf(Boolean.prototype, ["toString"]),
  array: methodsOf(Array.prototype, [
    "at", "concat", "includes", "indexOf", "join", "lastIndexOf", "slice", "toReversed", "toSorted",
  ]),
};

function methodsOf(prototype, names) {
  return new SafeMap(ArrayPrototypeMap(names, (name) => [name, prototype[name]]));
}

/** Binary operators with how tightly they bind. */
const BINARY = new SafeMap([
  ["??", 1], ["||", 2], ["&&", 3], ["==", 4], ["!=", 4], ["===", 4], ["!==", 4], ["<", 5], [">", 5], ["<=", 5],
  [">=", 5], ["+", 6], ["-", 6], ["*", 7], ["/", 7], ["%", 7],
]);

const OPERATE = {
  "==": (a, b) => a == b,
  "!=": (a, b) => a != b,
  "===": (a, b) => a === b,
  "!==": (a, b) => a !== b,
  "<": (a, b) => a < b,
  ">": (a, b) => a > b,
  "<=": (a, b) => a <= b,
  ">=": (a, b) => a >= b,
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
};

const UNARY = new SafeMap([["!", (a) => !a], ["-", (a) => -a], ["+", (a) => +a], ["typeof", (a) => typeof a]]);

const LITERALS = new SafeMap([
  ["true", true], ["false", false], ["null", null], ["undefined", undefined], ["NaN", NaN], ["Infinity", Infinity],
]);

/** What a text falls into, each kind with what it looks like. */
const TOKENS = {
  number: /\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+/,
  name: /[\p{ID_Start}$_][\p{ID_Continue}$]*/u,
  string: /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/,
  template: /`/,
  operator: /===|!==|==|!=|<=|>=|&&|\|\||\?\?|\?\.(?!\d)|[\-+*\/%<>!?:.,()[\]]/,
};
const KINDS = ArrayPrototypeMap(ObjectEntries(TOKENS), ({ 0: kind, 1: { source } }) => `(?<${kind}>${source})`);
const TOKEN = new RegExp(`\\s*(?:${ArrayPrototypeJoin(KINDS, "|")})`, "uy");

const QUOTES = ["'", '"', "`"];

/** Expressions that were read before. */
const known = new SafeMap();

/**
 * Reads an expression.
 * @param {string} source
 * @returns {(scope: Scope) => unknown} throws what evaluating it throws
 */
export function expression(source) {
  let evaluate = known.get(source);
  if (evaluate === undefined) {
    evaluate = new Parser(source).whole();
    known.set(source, evaluate);
  }
  return evaluate;
}

/**
 * Splits at every `separator` that stands in no quotes and no brackets.
 * @param {string} source
 * @returns {string[]}
 */
export function splitOutside(source, separator) {
  const parts = [];
  let begin = 0;
  findUnquoted(source, 0, "([{", ")]}", (c, depth, i) => {
    if (c !== separator || depth > 0) return;
    ArrayPrototypePush(parts, StringPrototypeSlice(source, begin, i));
    begin = i + 1;
  });
  ArrayPrototypePush(parts, StringPrototypeSlice(source, begin));
  return parts;
}

/**
 * Where the first character from `begin` on stands that is in no quotes and that `isIt`; -1 where none is.
 * @param {string} opening brackets that begin a level
 * @param {string} closing brackets that end one
 * @param {(character: string, depth: number, place: number) => unknown} isIt `depth`: levels that are open behind it
 */
function findUnquoted(source, begin, opening, closing, isIt) {
  let { 0: depth, 1: quote } = [0, ""];
  for (let i = begin; i < source.length; i++) {
    const c = source[i];
    if (quote !== "") {
      if (c === "\\") i++;
      else if (c === quote) quote = "";
    } else if (ArrayPrototypeIncludes(QUOTES, c)) {
      quote = c;
    } else {
      if (StringPrototypeIncludes(opening, c)) depth++;
      else if (StringPrototypeIncludes(closing, c)) depth--;
      if (isIt(c, depth, i)) return i;
    }
  }
  return -1;
}

/** Turns a text into a function that evaluates it. Each method reads one kind of expression. */
class Parser {
  #source;
  #at = 0;
  /** The next token: its kind and its text. */
  #kind;
  #text;

  constructor(source) {
    this.#source = source;
    this.#next();
  }

  whole() {
    const evaluate = this.#conditional();
    if (this.#kind !== "end") this.#fail();
    return evaluate;
  }

  #next() {
    TOKEN.lastIndex = this.#at;
    const match = RegExpPrototypeExec(TOKEN, this.#source);
    if (match === null) {
      const rest = StringPrototypeTrim(StringPrototypeSlice(this.#source, this.#at));
      return rest === "" ? this.#take("end", "") : this.#take("unknown", rest[0]);
    }
    this.#at = TOKEN.lastIndex;
    const { groups } = match;
    const kind = ArrayPrototypeFind(ObjectKeys(groups), (kind) => groups[kind] !== undefined);
    this.#take(kind, groups[kind]);
  }

  #take(kind, text) {
    this.#kind = kind;
    this.#text = text;
  }

  #fail() {
    const what = this.#kind === "end" ? "it ends too early" : `\`${this.#text}\` is not expected`;
    throw new SyntaxError(`The expression \`${StringPrototypeTrim(this.#source)}\` cannot be read: ${what}.`);
  }

  #is(operator) {
    return this.#kind === "operator" && this.#text === operator;
  }

  #accept(operator) {
    const is = this.#is(operator);
    if (is) this.#next();
    return is;
  }

  #expect(operator) {
    if (!this.#accept(operator)) this.#fail();
  }

  #conditional() {
    const test = this.#binary(1);
    if (!this.#accept("?")) return test;
    const then = this.#conditional();
    this.#expect(":");
    const otherwise = this.#conditional();
    return (scope) => test(scope) ? then(scope) : otherwise(scope);
  }

  #binary(weakest) {
    let left = this.#unary();
    while (this.#kind === "operator" && BINARY.get(this.#text) >= weakest) {
      const operator = this.#text;
      this.#next();
      left = binary(operator, left, this.#binary(BINARY.get(operator) + 1));
    }
    return left;
  }

  #unary() {
    const operate = UNARY.get(this.#text);
    if (operate === undefined) return this.#chain();
    this.#next();
    const operand = this.#unary();
    return (scope) => operate(operand(scope));
  }

  /** A value with what is read of it. After a `?.` on nothing, the rest of the chain is not looked at. */
  #chain() {
    const value = this.#primary();
    const links = [];
    while (true) {
      if (this.#accept(".")) {
        ArrayPrototypePush(links, this.#link(this.#name(), false));
      } else if (this.#accept("?.")) {
        ArrayPrototypePush(links, this.#link(this.#is("[") ? this.#index() : this.#name(), true));
      } else if (this.#is("[")) {
        ArrayPrototypePush(links, this.#link(this.#index(), false));
      } else {
        break;
      }
    }
    if (links.length === 0) return value;
    return (scope) => {
      let result = value(scope);
      for (const { optional, read } of new SafeArrayIterator(links)) {
        if (optional && (result === null || result === undefined)) return undefined;
        result = read(result, scope);
      }
      return result;
    };
  }

  /** Reads a property or, where arguments follow, calls a method. */
  #link(key, optional) {
    if (!this.#accept("(")) return { optional, read: (value, scope) => property(value, key(scope)) };
    const list = this.#list(")");
    const read = (value, scope) => call(value, key(scope), ArrayPrototypeMap(list, (argument) => argument(scope)));
    return { optional, read };
  }

  #name() {
    if (this.#kind !== "name") this.#fail();
    const name = this.#text;
    this.#next();
    return () => name;
  }

  #index() {
    this.#expect("[");
    const key = this.#conditional();
    this.#expect("]");
    return key;
  }

  #list(end) {
    const list = [];
    while (!this.#accept(end)) {
      ArrayPrototypePush(list, this.#conditional());
      if (!this.#is(end)) this.#expect(",");
    }
    return list;
  }

  #primary() {
    const { 0: kind, 1: text } = [this.#kind, this.#text];
    if (kind === "template") return this.#template();
    this.#next();
    switch (kind) {
      case "number": {
        const number = Number(text);
        return () => number;
      }
      case "string": {
        const string = unescaped(StringPrototypeSlice(text, 1, -1));
        return () => string;
      }
      case "name":
        if (LITERALS.has(text)) return () => LITERALS.get(text);
        return (scope) => lookUp(scope, text);
      case "operator":
        if (text === "(") {
          const inner = this.#conditional();
          this.#expect(")");
          return inner;
        }
        if (text === "[") {
          const list = this.#list("]");
          return (scope) => ArrayPrototypeMap(list, (item) => item(scope));
        }
    }
    this.#take(kind, text);
    this.#fail();
  }

  /** What stands between backticks; `#at` is behind the first. */
  #template() {
    const parts = [];
    let begin = this.#at;
    for (let i = begin; i < this.#source.length; i++) {
      if (this.#source[i] === "\\") {
        i++;
      } else if (this.#source[i] === "`") {
        const end = unescaped(StringPrototypeSlice(this.#source, begin, i));
        this.#at = i + 1;
        this.#next();
        return (scope) => {
          const texts = ArrayPrototypeMap(parts, ({ text, value }) => `${text}${value(scope)}`);
          return ArrayPrototypeJoin(texts, "") + end;
        };
      } else if (StringPrototypeStartsWith(this.#source, "${", i)) {
        const close = findUnquoted(this.#source, i + 1, "{", "}", (c, depth) => c === "}" && depth === 0);
        if (close === -1) break;
        const value = expression(StringPrototypeSlice(this.#source, i + 2, close));
        ArrayPrototypePush(parts, { text: unescaped(StringPrototypeSlice(this.#source, begin, i)), value });
        i = close;
        begin = i + 1;
      }
    }
    this.#take("end", "");
    this.#fail();
  }
}

const ESCAPES = { n: "\n", r: "\r", t: "\t", 0: "\0" };

const ESCAPE = new SafeRegExp(/\\(?:u\{([0-9a-f]+)\}|u([0-9a-f]{4})|x([0-9a-f]{2})|([^]))/gi);

function unescaped(text) {
  return StringPrototypeReplace(text, ESCAPE, (_, long, short, byte, one) => {
    return one !== undefined ? own(ESCAPES, one) ?? one : StringFromCodePoint(parseInt(long ?? short ?? byte, 16));
  });
}

function binary(operator, left, right) {
  switch (operator) {
    case "&&":
      return (scope) => left(scope) && right(scope);
    case "||":
      return (scope) => left(scope) || right(scope);
    case "??":
      return (scope) => left(scope) ?? right(scope);
  }
  const operate = OPERATE[operator];
  return (scope) => operate(left(scope), right(scope));
}

function lookUp(scope, name) {
  for (; scope !== null; scope = scope.outer) {
    if (ObjectHasOwn(scope.names, name)) return data(scope.names[name]);
  }
  // As with a property that is not there: what is bound later reads as undefined until then.
  return undefined;
}

function property(value, key) {
  if (value === null || value === undefined) throw new TypeError(`there is no \`${String(key)}\` of ${value}`);
  if (typeof key !== "string" && typeof key !== "number") throw new TypeError("a key is a text or a number");
  if (typeof value === "string") return key === "length" ? value.length : value[String(Number(key))];
  return typeof value === "object" ? own(value, key) : undefined;
}

const NOUNS = { array: "an array", object: "an object", undefined: "undefined" };

function call(value, name, list) {
  const kind = ArrayIsArray(value) ? "array" : typeof value;
  const method = own(METHODS, kind)?.get(name);
  if (method === undefined) {
    const what = value === null ? "null" : NOUNS[kind] ?? `a ${kind}`;
    throw new TypeError(`\`${String(name)}()\` cannot be called on ${what}`);
  }
  return ReflectApply(method, value, list);
}

function own(object, key) {
  return ObjectHasOwn(object, key) ? data(object[key]) : undefined;
}

/** Functions are no data: nothing that a page reads can be called. */
function data(value) {
  return typeof value === "function" ? undefined : value;
}
