// The names by which runtime-js/ imports built-ins, and the built-ins that they stand for.
//
// The host's scripts call `ArrayPrototypePush(list, item)`, because a handler may have replaced `Array.prototype.push`.
// Browsers run some of the same files and need no such protection: `withPlainBuiltIns` rewrites those names to
// `list.push(item)`, which is smaller and makes the module of captured built-ins unnecessary.

import { parseAst } from "rolldown/parseAst";

/** The module that captures built-ins. */
const CAPTURED = /(?:^|\/)(?:\d+_)?primordials\.js$/;

/** Objects whose functions are captured, longer names first. */
const NAMESPACES = [
  "ArrayBuffer", "Array", "Date", "JSON", "Math", "Number", "Object", "Promise", "Reflect", "Response", "String",
  "Symbol", "URL",
];
/** Classes whose names begin with the name of a namespace. */
const CLASSES = ["ArrayBuffer", "URLSearchParams"];
/** Methods whose names begin like those of getters. */
const METHODS = ["Get", "GetReader", "GetSetCookie"];
/** Expressions that need no parentheses in front of a dot. */
const TIGHT = ["Identifier", "MemberExpression", "CallExpression", "ThisExpression"];

/**
 * What a captured name stands for.
 * @returns {{ method: string } | { getter: string } | { value: string } | { items: true } | null} null for a global
 *   that has the same name
 */
export function meaningOf(name) {
  if (name === "SafeArrayIterator") return { items: true };
  const safe = after(name, "Safe");
  if (safe !== null) return { value: safe };
  const [type, ...rest] = name.split("Prototype");
  const member = rest.join("Prototype");
  // `ObjectGetPrototypeOf` is a static function.
  if (type !== "" && member !== "Of" && isCapitalized(member)) {
    const isGetter = member.startsWith("Get") && !METHODS.includes(member);
    return isGetter ? { getter: uncapitalized(member.slice(3)) } : { method: uncapitalized(member) };
  }
  if (CLASSES.includes(name)) return null;
  const namespace = NAMESPACES.find((namespace) => after(name, namespace) !== null);
  return namespace === undefined ? null : { value: `${namespace}.${uncapitalized(after(name, namespace))}` };
}

/** The rest of a name whose first word is `word`, or null. */
function after(name, word) {
  const rest = name.slice(word.length);
  return name.startsWith(word) && isCapitalized(rest) ? rest : null;
}

function isCapitalized(text) {
  return /^[A-Z]/.test(text);
}

function uncapitalized(text) {
  return text[0].toLowerCase() + text.slice(1);
}

/**
 * A module without its import of captured built-ins.
 * @param {string} code
 * @param {string} file for error messages
 * @returns {string}
 */
export function withPlainBuiltIns(code, file) {
  return new Rewriting(code, file).result();
}

/** Finds what has to be replaced in a module's text. Replacements do not overlap: nested expressions keep their text. */
class Rewriting {
  #code;
  #file;
  /** What the imported names stand for. */
  #meanings = new Map();
  #replacements = [];
  /** The name of the method of a class in which the code is; null outside of any. */
  #overriding = null;

  constructor(code, file) {
    this.#code = code;
    this.#file = file;
    const { body } = parseAst(code);
    for (const statement of body) {
      if (statement.type !== "ImportDeclaration" || !CAPTURED.test(statement.source.value)) continue;
      for (const { imported, local } of statement.specifiers) {
        this.#meanings.set(local.name, imported.name === "globalThis" ? null : meaningOf(imported.name));
        if (this.#meanings.get(local.name) === null && imported.name !== local.name) {
          throw new Error(`${file} imports ${imported.name} by another name`);
        }
      }
      this.#replace(statement.start, statement.end, "");
    }
    for (const statement of body) {
      if (statement.type !== "ImportDeclaration") this.#visit(statement);
    }
  }

  result() {
    let text = "";
    let end = 0;
    // The sort is stable: what is inserted at one place stays in order.
    for (const [from, to, replacement] of this.#replacements.sort((one, other) => one[0] - other[0])) {
      if (from < end) throw new Error(`${this.#file}: replacements overlap at ${from}`);
      text += this.#code.slice(end, from) + replacement;
      end = to;
    }
    return text + this.#code.slice(end);
  }

  #replace(from, to, text) {
    this.#replacements.push([from, to, text]);
  }

  /** What an expression stands for: undefined where it is no captured built-in. */
  #meaning(expression) {
    return expression.type === "Identifier" ? this.#meanings.get(expression.name) ?? undefined : undefined;
  }

  #visit(node) {
    if (node.type === "MethodDefinition") return this.#definition(node);
    if (node.type === "CallExpression" && this.#call(node)) return;
    if (node.type === "NewExpression" && this.#construction(node)) return;
    if (node.type === "ObjectPattern" && this.#pattern(node)) return;
    if (node.type === "Identifier") return this.#name(node);
    for (const key in node) {
      // Names of members are no variables.
      if (node.computed === false && (key === "property" || key === "key")) continue;
      const child = node[key];
      if (Array.isArray(child)) child.forEach((item) => item?.type !== undefined && this.#visit(item));
      else if (child?.type !== undefined) this.#visit(child);
    }
  }

  /** A method of a class: calls of the built-in that it overrides are to find that, and not the method. */
  #definition({ key, computed, value }) {
    const outer = this.#overriding;
    if (computed) this.#visit(key);
    this.#overriding = computed ? null : key.name ?? null;
    this.#visit(value);
    this.#overriding = outer;
  }

  #name(node) {
    const meaning = this.#meaning(node);
    if (meaning === undefined) return;
    if (meaning.value === undefined) throw new Error(`${this.#file} uses ${node.name} without calling it`);
    this.#replace(node.start, node.end, meaning.value);
  }

  /** `ArrayPrototypePush(list, item)` becomes `list.push(item)`. */
  #call({ start, end, callee, arguments: items }) {
    const { method, getter } = this.#meaning(callee) ?? {};
    if (method === undefined && getter === undefined) return false;
    const [receiver, first] = items;
    const isTight = TIGHT.includes(receiver.type);
    if (receiver.type === "ThisExpression" && this.#overriding === (method ?? getter)) {
      this.#replace(start, receiver.end, "super");
    } else {
      this.#replace(start, receiver.start, isTight ? "" : "(");
    }
    items.forEach((item) => this.#visit(item));
    const member = `${isTight ? "" : ")"}.${method ?? getter}`;
    if (getter !== undefined) this.#replace(receiver.end, end, member);
    else if (first === undefined) this.#replace(receiver.end, end, `${member}()`);
    else this.#replace(receiver.end, first.start, `${member}(`);
    return true;
  }

  /** `new SafeArrayIterator(list)` becomes `list`, `new SafeRegExp(/a/)` becomes `/a/`. */
  #construction({ start, end, callee, arguments: [first] }) {
    const { items, value } = this.#meaning(callee) ?? {};
    const isLiteral = value === "RegExp" && first.type === "Literal" && first.regex !== undefined;
    if (items === undefined && !isLiteral) return false;
    this.#replace(start, first.start, "");
    this.#visit(first);
    this.#replace(first.end, end, "");
    return true;
  }

  /** `{ 0: a, 1: b }` becomes `[a, b]`. */
  #pattern({ start, end, properties }) {
    const isList = properties.every(({ type, key }, place) =>
      type === "Property" && typeof key.value === "number" && !(key.value <= properties[place - 1]?.key.value)
    );
    if (!isList || properties.length === 0) return false;
    let from = start;
    let index = 0;
    for (const { key, value } of properties) {
      this.#replace(from, value.start, (from === start ? "[" : "") + ",".repeat(key.value - index));
      this.#visit(value);
      from = value.end;
      index = key.value;
    }
    this.#replace(from, end, "]");
    return true;
  }
}
