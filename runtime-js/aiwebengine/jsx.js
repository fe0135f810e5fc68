// JSX of scripts: elements are strings of HTML.

import {
  ArrayIsArray,
  ArrayPrototypeIncludes,
  ObjectEntries,
  SafeArrayIterator,
  SafeRegExp,
  String,
  StringPrototypeReplace,
  StringPrototypeToLowerCase,
  TypeError,
} from "ext:liveline/primordials.js";

const VOID = [
  "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
];
const NAMES = { __proto__: null, className: "class", htmlFor: "for" };
const AMPERSAND = new SafeRegExp("&", "g"), LESS = new SafeRegExp("<", "g"), MORE = new SafeRegExp(">", "g");
const QUOTE = new SafeRegExp('"', "g"), UPPER = new SafeRegExp("[A-Z]", "g");

/** HTML that an element has made, which is not escaped again. It behaves like its text. */
class Markup extends String {}

function escaped(text) {
  const plain = StringPrototypeReplace(StringPrototypeReplace(text, AMPERSAND, "&amp;"), LESS, "&lt;");
  return StringPrototypeReplace(StringPrototypeReplace(plain, MORE, "&gt;"), QUOTE, "&quot;");
}

function contentOf(child) {
  if (child === null || child === undefined || typeof child === "boolean") return "";
  if (child instanceof Markup) return `${child}`;
  if (!ArrayIsArray(child)) return escaped(String(child));
  let html = "";
  for (const it of new SafeArrayIterator(child)) html += contentOf(it);
  return html;
}

/** `h(tag, props, ...children)`. */
export function h(tag, props, ...children) {
  if (typeof tag === "function") {
    const only = children.length === 1 ? children[0] : children;
    const given = { ...props };
    if (children.length > 0) given.children = only;
    const result = tag(given);
    return result instanceof Markup ? result : new Markup(contentOf(result));
  }
  if (typeof tag !== "string") throw new TypeError(`h(): an element is the name of a tag or a function, not ${String(tag)}.`);
  let html = `<${tag}`, inner = null;
  for (const { 0: name, 1: value } of new SafeArrayIterator(ObjectEntries(props ?? {}))) {
    if (name === "key" || name === "ref") continue;
    if (name === "children") {
      if (children.length === 0) inner = contentOf(value);
    } else if (name === "dangerouslySetInnerHTML") inner = String(value?.__html ?? "");
    else html += attribute(name, value);
  }
  html += ">";
  if (ArrayPrototypeIncludes(VOID, StringPrototypeToLowerCase(tag))) return new Markup(html);
  return new Markup(`${html}${inner ?? contentOf(children)}</${tag}>`);
}

function attribute(name, value) {
  if (value === null || value === undefined || value === false || typeof value === "function") return "";
  const known = NAMES[name] ?? name;
  if (value === true) return ` ${known}`;
  const text = name === "style" && typeof value === "object" ? styleOf(value) : String(value);
  return ` ${known}="${escaped(text)}"`;
}

function styleOf(style) {
  let css = "";
  for (const { 0: name, 1: value } of new SafeArrayIterator(ObjectEntries(style))) {
    css += `${StringPrototypeReplace(name, UPPER, (letter) => `-${StringPrototypeToLowerCase(letter)}`)}:${value};`;
  }
  return css;
}

export const Fragment = ({ children } = { __proto__: null }) => new Markup(contentOf(children));
