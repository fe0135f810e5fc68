// Declarative bindings: what the `render` attributes of a page say, written into its elements. The same code renders
// the first state on the server, into the small document of 45_page.js, and every later one in the browser.

import { expression, splitOutside } from "./43_expressions.js";
import {
  ArrayIsArray,
  ArrayPrototypeEvery,
  ArrayPrototypeFilter,
  ArrayPrototypeFind,
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  ArrayPrototypePop,
  ArrayPrototypePush,
  ArrayPrototypeSome,
  Boolean,
  JSONStringify,
  ObjectCreate,
  ObjectKeys,
  RegExpPrototypeExec,
  RegExpPrototypeTest,
  SafeArrayIterator,
  SafeMap,
  SafeRegExp,
  SafeSet,
  String,
  StringPrototypeIndexOf,
  StringPrototypeReplace,
  StringPrototypeSlice,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
  StringPrototypeToLowerCase,
  StringPrototypeTrim,
  SyntaxError,
  TypeError,
} from "./00_primordials.js";

/** The attribute of bound elements. */
const RENDER = "render";
/** The attribute by which the items of a list are found again, also those that the server rendered. */
const KEY = "data-key";

/** Elements whose text is code or has no escapes. */
const RAW_TEXT = new SafeSet(["script", "style", "noscript", "iframe", "xmp", "noembed", "noframes", "plaintext"]);
/** Attributes whose values are code. */
const CODE = /^(?:on.*|srcdoc)$/i;
/** Attributes whose values are addresses. */
const ADDRESS = /^(?:href|src|action|formaction|data)$/i;

// deno-lint-ignore no-control-regex
const SPACES = new SafeRegExp(/[\x00-\x20]+/g);
const CAPITALS = new SafeRegExp(/[A-Z]/g);

/** Whether an address is code; browsers pass over spaces and control characters in it. */
function isScript(address) {
  return RegExpPrototypeTest(/^javascript:/i, StringPrototypeReplace(address, SPACES, ""));
}

/**
 * Tells of errors in bindings, once for each binding as it is written.
 * @param {(binding: string, error: Error) => void} tell
 */
export function reporter(tell) {
  const told = new SafeSet();
  return (element, source, error) => {
    const binding = `<${element.localName} render="${source}">`;
    if (told.has(binding)) return;
    told.add(binding);
    tell(binding, error);
  };
}

/** The bound elements in a part of a document. */
export class View {
  #bindings = [];

  /**
   * @param {Element} root bound itself, perhaps
   * @param {ReturnType<typeof reporter>} report
   */
  constructor(root, report) {
    this.#collect(root, report);
  }

  #collect(element, report) {
    const source = element.getAttribute(RENDER);
    if (source !== null) {
      const directives = directivesOf(source);
      for (const directive of new SafeArrayIterator(directives)) {
        ArrayPrototypePush(this.#bindings, new Binding(element, directive, report));
      }
      if (ArrayPrototypeSome(directives, ({ fills }) => fills)) return;
    }
    for (const child of new SafeArrayIterator(element.children)) this.#collect(child, report);
  }

  /**
   * Writes what has changed.
   * @param {import("./43_expressions.js").Scope} scope
   */
  update(scope) {
    for (const binding of new SafeArrayIterator(this.#bindings)) binding.update(scope);
  }
}

/** One directive at one element. */
class Binding {
  #element;
  #directive;
  #report;
  #writer = null;

  constructor(element, directive, report) {
    this.#element = element;
    this.#directive = directive;
    this.#report = report;
  }

  update(scope) {
    try {
      this.#writer ??= this.#directive.writer(this.#element, this.#report);
      this.#writer(this.#directive.evaluate(scope), scope);
    } catch (error) {
      this.#report(this.#element, this.#directive.source, error);
      // An error shows as nothing, not as what was true before.
      this.#writer?.(undefined, scope);
    }
  }
}

/**
 * @typedef {object} Directive
 * @property {string} source as it is written
 * @property {boolean} fills whether it makes the element's content
 * @property {(scope: object) => unknown} evaluate
 * @property {(element: Element, report: Function) => (value: unknown, scope: object) => void} writer
 *   throws where the element cannot be bound like this
 */

/** Directives by the text that they were read from. @type {Map<string, Directive[]>} */
const known = new SafeMap();

export function directivesOf(text) {
  let directives = known.get(text);
  if (directives === undefined) {
    const trimmed = ArrayPrototypeMap(splitOutside(text, ";"), (source) => StringPrototypeTrim(source));
    const sources = ArrayPrototypeFilter(trimmed, (source) => source !== "");
    directives = ArrayPrototypeMap(sources, directiveOf);
    known.set(text, directives);
  }
  return directives;
}

function directiveOf(source) {
  const fills = StringPrototypeStartsWith(source, "#");
  try {
    const colon = StringPrototypeIndexOf(source, ":");
    if (colon === -1) throw new SyntaxError("A binding is written `name: expression`.");
    const name = StringPrototypeTrim(StringPrototypeSlice(source, 1, colon));
    const value = StringPrototypeSlice(source, colon + 1);
    if (StringPrototypeStartsWith(source, "#items")) return { source, fills, ...items(value) };
    return { source, fills, evaluate: expression(value), writer: writerFor(source[0], name) };
  } catch (error) {
    const fail = () => {
      throw error;
    };
    return { source, fills, evaluate: fail, writer: fail, error };
  }
}

/** The name of the template that a list's directive takes its items from, where that is written as it is. */
export function templateNamed(source) {
  if (!StringPrototypeStartsWith(source, "#items")) return null;
  const name = StringPrototypeTrim(ArrayPrototypePop(splitOutside(source, "/")));
  return RegExpPrototypeExec(/^(['"])([^'"\\]*)\1$/, name)?.[2] ?? null;
}

/** How the value of a directive is written. */
function writerFor(sign, name) {
  switch (sign) {
    case "#":
      if (name === "text") return text;
      // The value is markup as it is: whoever binds it says that it can be trusted.
      if (name === "html") return html;
      break;
    case "~":
      if (!StringPrototypeStartsWith(name, "?")) return attribute(attributeName(name));
      return flag(attributeName(StringPrototypeTrim(StringPrototypeSlice(name, 1))));
    case "%":
      if (RegExpPrototypeTest(/^\S+$/, name)) return className(name);
      break;
    case "&":
      if (RegExpPrototypeTest(/^[-\w]+$/, name)) return style(name);
  }
  const all = "#text, #html, #items, ~attribute, ~?flag, %class and &style";
  throw new SyntaxError(`\`${sign}${name}\` is no binding: there are ${all}.`);
}

function attributeName(name) {
  if (!RegExpPrototypeTest(/^[^\s"'<>/=]+$/, name) || name === RENDER || name === KEY) {
    throw new SyntaxError(`\`${name}\` is no attribute that can be bound.`);
  }
  if (RegExpPrototypeTest(CODE, name)) throw new SyntaxError(`\`${name}\` cannot be bound: its value would be code.`);
  return name;
}

/** Calls `write` where the value is another than before. */
function whenChanged(write) {
  let last;
  let written = false;
  return (value) => {
    if (written && value === last) return;
    write(value);
    last = value;
    written = true;
  };
}

/** Text for people: nothing for what is missing, JSON for objects. */
function textOf(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSONStringify(value) : String(value);
}

function checkFillable({ localName }) {
  if (RAW_TEXT.has(localName)) throw new TypeError(`<${localName}> cannot be filled: its text would be code.`);
}

function text(element) {
  checkFillable(element);
  const write = whenChanged((text) => {
    if (element.textContent !== text) element.textContent = text;
  });
  return (value) => write(textOf(value));
}

function html(element) {
  checkFillable(element);
  const write = whenChanged((markup) => {
    if (element.innerHTML !== markup) element.innerHTML = markup;
  });
  return (value) => write(textOf(value));
}

function attribute(name) {
  return (element) => {
    const write = whenChanged((text) => {
      if (text === null) element.removeAttribute(name);
      else if (element.getAttribute(name) !== text) element.setAttribute(name, text);
    });
    return (value) => {
      const text = value === null || value === undefined ? null : textOf(value);
      if (text !== null && RegExpPrototypeTest(ADDRESS, name) && isScript(text)) {
        throw new TypeError("the address is a script, so it is left out");
      }
      write(text);
    };
  };
}

function flag(name) {
  return (element) => {
    const write = whenChanged((on) => {
      if (on && !element.hasAttribute(name)) element.setAttribute(name, "");
      if (!on) element.removeAttribute(name);
    });
    return (value) => write(Boolean(value));
  };
}

function className(name) {
  return (element) => {
    const write = whenChanged((on) => element.classList.toggle(name, on));
    return (value) => write(Boolean(value));
  };
}

function style(name) {
  const property = StringPrototypeStartsWith(name, "--")
    ? name
    : StringPrototypeReplace(name, CAPITALS, (letter) => `-${StringPrototypeToLowerCase(letter)}`);
  return (element) => {
    const write = whenChanged((text) => element.style.setProperty(property, text));
    return (value) => write(textOf(value));
  };
}

// -- lists -----------------------------------------------------------------------------------------------------------

/** Reads `(item, index) of list / 'template'` or `(key, value, index) in object / 'template'`. */
function items(spec) {
  const parts = splitOutside(spec, "/");
  const template = parts.length > 1 ? expression(ArrayPrototypePop(parts)) : null;
  const match = RegExpPrototypeExec(/^\s*(?:\(([^()]*)\)|([\w$]+))\s*\b(of|in)\b([^]*)$/, ArrayPrototypeJoin(parts, "/"));
  const list = StringPrototypeSplit(match?.[1] ?? match?.[2] ?? "", ",");
  const names = ArrayPrototypeMap(list, (name) => StringPrototypeTrim(name));
  const areNames = ArrayPrototypeEvery(names, (name) => RegExpPrototypeTest(/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u, name));
  if (match === null || template === null || !areNames) {
    throw new SyntaxError("A list is written `#items: (item, index) of list / 'template'`.");
  }
  const source = expression(match[4]);
  const entries = match[3] === "of" ? entriesOfList : entriesOfObject;
  return {
    evaluate: (scope) => ({ template: template(scope), entries: entries(source(scope), names) }),
    writer: (element, report) => {
      const list = new List(element, report);
      return (value, scope) => list.update(value ?? NO_ITEMS, scope);
    },
  };
}

const NO_ITEMS = { template: undefined, entries: new SafeMap() };

/** The items to show: the names that each adds to the scope, by key. */
function entriesOfList(list, { 0: item, 1: index }) {
  const entries = new SafeMap();
  if (list === null || list === undefined) return entries;
  if (!ArrayIsArray(list)) throw new TypeError("the value after `of` is no list");
  for (let i = 0; i < list.length; i++) {
    const names = ObjectCreate(null);
    names[item] = list[i];
    if (index !== undefined) names[index] = i;
    let key = keyOf(list[i]) ?? String(i);
    // The same id twice: the later ones are told apart by their place.
    if (entries.has(key)) key += `~${i}`;
    entries.set(key, names);
  }
  return entries;
}

/** What an item is known by when it moves. */
function keyOf(item) {
  if (item === null || typeof item !== "object") return undefined;
  const key = item.key ?? item.id;
  return typeof key === "string" || typeof key === "number" ? `id:${key}` : undefined;
}

function entriesOfObject(object, { 0: key, 1: value, 2: index }) {
  const entries = new SafeMap();
  if (object === null || object === undefined) return entries;
  if (typeof object !== "object") throw new TypeError("the value after `in` is no object");
  const keys = ObjectKeys(object);
  for (let i = 0; i < keys.length; i++) {
    const name = keys[i];
    const names = ObjectCreate(null);
    names[key] = name;
    if (value !== undefined) names[value] = object[name];
    if (index !== undefined) names[index] = i;
    entries.set(name, names);
  }
  return entries;
}

/** The items of one list element. Their elements stay as long as their keys do. */
class List {
  #element;
  #report;
  /** In the order of the document. @type {Map<string, { element: Element, view: View }>} */
  #items = new SafeMap();

  constructor(element, report) {
    this.#element = element;
    this.#report = report;
    // The server rendered these.
    for (const child of new SafeArrayIterator(element.children)) {
      const key = child.getAttribute(KEY);
      if (key !== null) this.#items.set(key, { element: child, view: new View(child, report) });
    }
  }

  update({ template, entries }, scope) {
    for (const { 0: key, 1: { element } } of this.#items.entries()) {
      if (entries.has(key)) continue;
      element.remove();
      this.#items.delete(key);
    }
    const original = entries.size > 0 ? templateOf(this.#element, template) : null;
    const before = [...this.#items.values()];
    const items = new SafeMap();
    const placed = new SafeSet();
    let next = 0;
    for (const { 0: key, 1: names } of entries.entries()) {
      while (placed.has(before[next])) next++;
      const item = this.#items.get(key) ?? this.#make(original, key);
      if (item === before[next]) next++;
      else this.#element.insertBefore(item.element, before[next]?.element ?? null);
      placed.add(item);
      items.set(key, item);
      item.view.update({ names, outer: scope });
    }
    this.#items = items;
  }

  #make(original, key) {
    const element = original.cloneNode(true);
    element.setAttribute(KEY, key);
    return { element, view: new View(element, this.#report) };
  }
}

/** The first element of a template: in the element itself, else in the nearest one around it, else in the head. */
function templateOf(element, name) {
  let root = element;
  for (let around = element; around !== null; around = around.parentElement) {
    const found = templateIn(around, name);
    if (found !== undefined) return found;
    root = around;
  }
  const head = ArrayPrototypeFind([...new SafeArrayIterator(root.children)], (child) => child.localName === "head");
  const found = head && templateIn(head, name);
  if (found === undefined) throw new TypeError(`there is no <template def="${name}"> with an element in it`);
  return found;
}

function templateIn(element, name) {
  for (const child of new SafeArrayIterator(element.children)) {
    if (child.localName !== "template" || child.getAttribute("def") !== name) continue;
    return child.content.firstElementChild ?? undefined;
  }
}
