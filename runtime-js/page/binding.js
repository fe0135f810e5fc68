// Declarative bindings: what the `render` attributes, comments and imports of a page say, written into its elements. The
// same code renders the first state on the server, into the small document of page/document.js, and every later one in the
// browser.

import { fragmentsFor, imported } from "./imports.js";
import { expression, splitOutside } from "./expressions.js";
import {
  ArrayIsArray,
  ArrayPrototypeEvery,
  ArrayPrototypeFilter,
  ArrayPrototypeIncludes,
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  ArrayPrototypePop,
  ArrayPrototypePush,
  ArrayPrototypeSome,
  ArrayPrototypeSplice,
  Boolean,
  JSONStringify,
  Number,
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
} from "../primordials.js";

/** The attribute of bound elements. */
const RENDER = "render";
/** The attribute by which the items of a list are found again, also those that the server rendered. */
const KEY = "data-key";
/** The element that fragments are imported in place of, and the attribute that says how many there are. */
const IMPORT = "import";
const COUNT = "data-nodecount";

/** What `nodeType` says. */
const { 0: ELEMENT, 1: TEXT, 2: COMMENT } = [1, 3, 8];

/** Elements whose text is code or has no escapes. */
const RAW_TEXT = new SafeSet(["script", "style", "noscript", "iframe", "xmp", "noembed", "noframes", "plaintext"]);
/** Attributes whose values are code. */
const CODE = /^(?:on.*|srcdoc)$/i;
/** Attributes whose values are addresses. */
const ADDRESS = /^(?:href|src|action|formaction|data)$/i;

// deno-lint-ignore no-control-regex
const SPACES = new SafeRegExp(/[\x00-\x20]+/g);
const CAPITALS = new SafeRegExp(/[A-Z]/g);
const MARKUP = new SafeRegExp(/[&<>\u00a0]/g);
const MARKUP_ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "\u00a0": "&nbsp;" };

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
  return (binding, error) => {
    if (told.has(binding)) return;
    told.add(binding);
    tell(binding, error);
  };
}

/**
 * How a page is rendered.
 * @typedef {object} Rendering
 * @property {ReturnType<typeof reporter>} report
 * @property {boolean} isStrict whether everything means what it means in OOHTML, which goes on with the page then
 * @property {Element[]} importing the fragments that are being imported, outermost first
 */

/** The bound elements in a part of a document. */
export class View {
  /** What writes a part, in the order of the document. @type {{ update(scope: object): void }[]} */
  #parts = [];
  /** @type {Rendering} */
  #rendering;

  /**
   * @param {Element} root bound itself, perhaps
   * @param {ReturnType<typeof reporter> | Rendering} rendering
   */
  constructor(root, rendering) {
    const isWhole = typeof rendering === "object";
    this.#rendering = isWhole ? rendering : { report: rendering, isStrict: false, importing: [] };
    this.#collect(root);
  }

  #collect(element) {
    const names = namesOf(element);
    if (names !== null) {
      const outer = this.#parts;
      const parts = this.#parts = [];
      this.#collectBound(element);
      this.#parts = outer;
      ArrayPrototypePush(outer, new Names(names, parts));
    } else {
      this.#collectBound(element);
    }
  }

  #collectBound(element) {
    const source = element.getAttribute(RENDER);
    let isList = false;
    if (source !== null) {
      let isFilled = false;
      for (const directive of new SafeArrayIterator(directivesOf(source))) {
        ArrayPrototypePush(this.#parts, new Binding(element, directive, this.#rendering));
        const { fills, isOld } = directive;
        isFilled ||= fills === "whole" && !(isOld && this.#rendering.isStrict);
        isList ||= fills === "items";
      }
      if (isFilled) return;
    }
    if (element.localName === IMPORT) ArrayPrototypePush(this.#parts, new Import(element, null, this.#rendering));
    else this.#collectIn(element, isList);
  }

  /** Takes in what is in an element. The items of a list are the list's, what was imported is its import's. */
  #collectIn(element, isList) {
    const found = [];
    for (const node of new SafeArrayIterator(element.childNodes)) {
      if (node.nodeType === ELEMENT) {
        if (!isList || node.getAttribute(KEY) === null) ArrayPrototypePush(found, node);
      } else if (node.nodeType === COMMENT && (isAnchor(node.nodeValue) || bindingOf(node.nodeValue) !== null)) {
        if (isAnchor(node.nodeValue)) takeImported(found, node);
        else ArrayPrototypePush(found, node);
      }
    }
    for (const node of new SafeArrayIterator(found)) {
      if (node instanceof Hydrated) ArrayPrototypePush(this.#parts, new Import(null, node, this.#rendering));
      else if (node.nodeType === COMMENT) ArrayPrototypePush(this.#parts, new TextBinding(node, this.#rendering));
      else this.#collect(node);
    }
  }

  /**
   * Writes what has changed.
   * @param {import("./expressions.js").Scope} scope
   */
  update(scope) {
    for (const part of new SafeArrayIterator(this.#parts)) part.update(scope);
  }
}

/** What is in an element with a `bindings` attribute, which adds names. */
class Names {
  #names;
  #parts;

  constructor(names, parts) {
    this.#names = names;
    this.#parts = parts;
  }

  update(outer) {
    const scope = { names: this.#names, outer };
    for (const part of new SafeArrayIterator(this.#parts)) part.update(scope);
  }
}

/** The names that `bindings="{ a: text, b }"` gives values to, or null. Values are texts. */
function namesOf(element) {
  const source = element.getAttribute("bindings");
  if (source === null) return null;
  let names = null;
  for (const entry of new SafeArrayIterator(splitOutside(StringPrototypeSlice(StringPrototypeTrim(source), 1, -1), ","))) {
    const { 0: name, 1: value } = ArrayPrototypeMap(splitOutside(entry, ":"), (part) => StringPrototypeTrim(part));
    if (name === "" || value === undefined) continue;
    names ??= ObjectCreate(null);
    names[name] = value;
  }
  return names;
}

/** One directive at one element. */
class Binding {
  #element;
  #directive;
  #rendering;
  #writer = null;

  constructor(element, directive, rendering) {
    this.#element = element;
    this.#directive = directive;
    this.#rendering = rendering;
  }

  update(scope) {
    try {
      this.#writer ??= this.#directive.writer(this.#element, this.#rendering);
      this.#writer(this.#directive.evaluate(scope), scope);
    } catch (error) {
      this.#rendering.report(`<${this.#element.localName} render="${this.#directive.source}">`, error);
      // An error shows as nothing, not as what was true before.
      this.#writer?.(undefined, scope);
    }
  }
}

// -- comments --------------------------------------------------------------------------------------------------------

/** Comments by their text: the expression and how much of the following text shows it. @type {Map<string, object | null>} */
const knownComments = new SafeMap();

/** What a comment says to show: `?{ data.title }?` or `{ data.title }`, perhaps with what the server made of it. */
export function bindingOf(text) {
  let binding = knownComments.get(text);
  if (binding === undefined) {
    const match = RegExpPrototypeExec(/^(?:\?\{([^]*)\}\?|\{(?!\{)([^]*)\})$/, text);
    const inner = match?.[1] ?? match?.[2];
    const state = inner === undefined ? null : RegExpPrototypeExec(/^([^]*?);\s*\[=(\d+)\]\s*$/, inner);
    binding = match === null ? null : { expression: state?.[1] ?? inner, length: Number(state?.[2] ?? 0) };
    knownComments.set(text, binding);
  }
  return binding;
}

/** A comment whose expression is shown as the text after it. */
class TextBinding {
  #comment;
  #rendering;
  #evaluate = null;
  #text = null;

  constructor(comment, rendering) {
    this.#comment = comment;
    this.#rendering = rendering;
  }

  update(scope) {
    const binding = bindingOf(this.#comment.nodeValue);
    this.#text ??= textAfter(this.#comment, binding.length);
    let text = "";
    try {
      this.#evaluate ??= expression(binding.expression);
      text = textOf(this.#evaluate(scope), this.#rendering);
    } catch (error) {
      this.#rendering.report(`<?{${binding.expression}}?>`, error);
    }
    if (this.#text.nodeValue !== text) this.#text.nodeValue = text;
  }
}

/** The text that begins behind a comment: as many characters as the server rendered, or a new one. */
function textAfter(comment, length) {
  const next = comment.nextSibling;
  if (length > 0 && next?.nodeType === TEXT && next.nodeValue.length >= length) {
    if (next.nodeValue.length > length) next.splitText(length);
    return next;
  }
  const text = comment.ownerDocument.createTextNode("");
  comment.after(text);
  return text;
}

// -- imports ---------------------------------------------------------------------------------------------------------

/** How a comment begins that stands for an import whose elements are before it: the import's HTML as a text. */
const ANCHOR = `&lt;${IMPORT}`;

function isAnchor(text) {
  return StringPrototypeStartsWith(text, ANCHOR);
}

/** An import that the server has filled. */
class Hydrated {
  constructor(anchor, element, imported) {
    this.anchor = anchor;
    this.element = element;
    this.imported = imported;
  }
}

/** Puts an import in the place of the elements before its anchor that came from it. */
function takeImported(found, anchor) {
  const document = anchor.ownerDocument;
  const holder = document.createElement("template");
  holder.innerHTML = anchor.nodeValue;
  holder.innerHTML = holder.content.textContent;
  const element = document.importNode(holder.content.firstElementChild, true);
  const least = found.length - Number(element.getAttribute(COUNT));
  let begin = found.length;
  while (begin > least && found[begin - 1]?.nodeType === ELEMENT) begin--;
  ArrayPrototypePush(found, new Hydrated(anchor, element, ArrayPrototypeSplice(found, begin)));
}

/** An `<import>`: in its place stand copies of the fragments that its `ref` names, else itself. */
class Import {
  #element;
  #rendering;
  /** Stands for the element while something else is in its place. @type {Comment | null} */
  #anchor = null;
  /** What is in its place. @type {{ element: Element, original: Element | null, view: View | null }[]} */
  #imported = [];
  /** What the element itself shows. @type {View | null} */
  #own = null;

  /** @param {Element | null} element @param {Hydrated | null} hydrated */
  constructor(element, hydrated, rendering) {
    this.#element = element ?? hydrated.element;
    this.#rendering = rendering;
    if (hydrated === null) return;
    this.#anchor = hydrated.anchor;
    this.#imported = ArrayPrototypeMap(hydrated.imported, (element) => ({ element, original: null, view: null }));
  }

  update(scope) {
    const originals = this.#originals();
    const isSame = originals.length === this.#imported.length && ArrayPrototypeEvery(this.#imported, (it, at) => {
      // Which of them the server has copied shows only in their order.
      it.original ??= originals[at].localName === it.element.localName ? originals[at] : null;
      return it.original === originals[at];
    });
    if (!isSame) this.#fill(originals);
    for (const it of new SafeArrayIterator(this.#imported)) {
      it.view ??= new View(it.element, this.#within(it.original));
      it.view.update(scope);
    }
    if (this.#imported.length > 0) return;
    this.#own ??= new View(contentOf(this.#element), this.#rendering);
    this.#own.update(scope);
  }

  /** The fragments to show. */
  #originals() {
    const reference = StringPrototypeTrim(this.#element.getAttribute("ref") ?? "");
    if (reference === "") return [];
    const place = (this.#anchor ?? this.#element).parentElement;
    const originals = fragmentsFor(place, reference, this.#rendering.isStrict);
    const { importing } = this.#rendering;
    if (!ArrayPrototypeSome(originals, (original) => ArrayPrototypeIncludes(importing, original))) return originals;
    this.#rendering.report(`<import ref="${reference}">`, new TypeError("what is imported imports itself"));
    return [];
  }

  #within(original) {
    return { ...this.#rendering, importing: [...new SafeArrayIterator(this.#rendering.importing), original] };
  }

  #fill(originals) {
    for (const { element } of new SafeArrayIterator(this.#imported)) element.remove();
    this.#imported = [];
    this.#element.setAttribute(COUNT, String(originals.length));
    if (originals.length === 0) {
      this.#anchor?.replaceWith(this.#element);
      this.#anchor = null;
      return;
    }
    if (this.#anchor === null) {
      this.#anchor = this.#element.ownerDocument.createComment(anchorOf(this.#element));
      this.#element.replaceWith(this.#anchor);
    }
    for (const original of new SafeArrayIterator(originals)) {
      const element = original.cloneNode(true);
      // By this it is told from what stands there anyway.
      if (!element.hasAttribute("def")) element.setAttribute("def", "");
      this.#anchor.before(element);
      ArrayPrototypePush(this.#imported, { element, original, view: null });
    }
  }
}

/** The text by which an import's place is found again. */
function anchorOf(element) {
  return StringPrototypeReplace(element.outerHTML, MARKUP, (c) => MARKUP_ESCAPES[c]);
}

/** An import's own content as a root, so that the import is not taken for one in itself. */
function contentOf(element) {
  return {
    localName: "",
    childNodes: element.childNodes,
    getAttribute: () => null,
  };
}

// -- directives ------------------------------------------------------------------------------------------------------

/**
 * @typedef {object} Directive
 * @property {string} source as it is written
 * @property {"whole" | "items" | null} fills what it makes of the element's content
 * @property {boolean} isOld whether it is written with OOHTML's former sign, which means an event today
 * @property {(scope: object) => unknown} evaluate
 * @property {(element: Element, rendering: Rendering) => (value: unknown, scope: object) => void} writer
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
  const { 1: sign, 2: kind } = RegExpPrototypeExec(/^([#@])(text|html|items)(?=\s*:)/, source) ?? [];
  const fills = kind === undefined ? null : kind === "items" ? "items" : "whole";
  const shape = { source, fills, isOld: sign === "@" };
  try {
    const colon = StringPrototypeIndexOf(source, ":");
    if (colon === -1) throw new SyntaxError("A binding is written `name: expression`.");
    const name = StringPrototypeTrim(StringPrototypeSlice(source, 1, colon));
    const value = StringPrototypeSlice(source, colon + 1);
    if (isForBrowsers(source[0], fills)) return { ...shape, ...forBrowsers(source[0], name) };
    const directive = fills === "items"
      ? { ...shape, ...items(value) }
      : { ...shape, evaluate: expression(value), writer: writerFor(sign === undefined ? source[0] : "#", name) };
    const { writer } = directive;
    if (shape.isOld) directive.writer = (element, rendering) => rendering.isStrict ? () => {} : writer(element, rendering);
    return directive;
  } catch (error) {
    const fail = () => {
      throw error;
    };
    return { ...shape, evaluate: fail, writer: fail, error };
  }
}

/** Whether a directive does something that only browsers do: it listens to events, or calls the element's methods. */
function isForBrowsers(sign, fills) {
  return fills === null && (sign === "@" || sign === "$");
}

/** Nothing where OOHTML does it later. */
function forBrowsers(sign, name) {
  const error = noBinding(sign, name);
  const writer = (_element, { isStrict }) => {
    if (isStrict) return () => {};
    throw error;
  };
  return { evaluate: () => undefined, writer, error };
}

function noBinding(sign, name) {
  const all = "#text, #html, #items, ~attribute, ~?flag, %class and &style";
  return new SyntaxError(`\`${sign}${name}\` is no binding: there are ${all}.`);
}

/** The name of the template that a list's directive takes its items from, where that is written as it is. */
export function templateNamed(source) {
  if (!RegExpPrototypeTest(/^[#@]items/, source)) return null;
  const name = StringPrototypeTrim(ArrayPrototypePop(splitOutside(source, "/")));
  return RegExpPrototypeExec(/^(['"])([^'"\\]*)\1$/, name)?.[2] ?? null;
}

/** How the value of a directive is written. */
function writerFor(sign, name) {
  switch (sign) {
    case "#":
      if (name === "text") return text;
      // The value is markup as it is: the author of the binding vouches for it.
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
  throw noBinding(sign, name);
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

/** Text for people: nothing for what is missing, JSON for objects; what OOHTML would show where it is there. */
function textOf(value, { isStrict }) {
  if (value === null || value === undefined) return "";
  return typeof value === "object" && !isStrict ? JSONStringify(value) : String(value);
}

function checkFillable({ localName }) {
  if (RAW_TEXT.has(localName)) throw new TypeError(`<${localName}> cannot be filled: its text would be code.`);
}

function text(element, rendering) {
  checkFillable(element);
  const write = whenChanged((text) => {
    if (element.textContent !== text) element.textContent = text;
  });
  return (value) => write(textOf(value, rendering));
}

function html(element, rendering) {
  checkFillable(element);
  const write = whenChanged((markup) => {
    if (element.innerHTML !== markup) element.innerHTML = markup;
  });
  return (value) => write(textOf(value, rendering));
}

function attribute(name) {
  return (element, rendering) => {
    const write = whenChanged((text) => {
      if (text === null) element.removeAttribute(name);
      else if (element.getAttribute(name) !== text) element.setAttribute(name, text);
    });
    return (value) => {
      const isMissing = value === null || value === undefined;
      const text = isMissing && !rendering.isStrict ? null : textOf(value, rendering);
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
  return (element, rendering) => {
    const write = whenChanged((text) => element.style.setProperty(property, text));
    return (value) => write(textOf(value, rendering));
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
    evaluate: (scope) => ({ template: template(scope), source: source(scope) }),
    writer: (element, rendering) => {
      const list = new List(element, rendering);
      return (value, scope) => {
        const { template, source } = value ?? {};
        list.update({ template, entries: entries(source, names, rendering) }, scope);
      };
    },
  };
}

/** The items to show: the names that each adds to the scope, by key. */
function entriesOfList(list, { 0: item, 1: index }, { isStrict }) {
  const entries = new SafeMap();
  if (list === null || list === undefined) return entries;
  if (!ArrayIsArray(list)) throw new TypeError("the value after `of` is no list");
  for (let i = 0; i < list.length; i++) {
    const names = ObjectCreate(null);
    names[item] = list[i];
    if (index !== undefined) names[index] = i;
    let key = (isStrict ? undefined : keyOf(list[i])) ?? String(i);
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
  #rendering;
  /** In the order of the document. @type {Map<string, { element: Element, view: View }>} */
  #items = new SafeMap();

  constructor(element, rendering) {
    this.#element = element;
    this.#rendering = rendering;
    // The server rendered these.
    for (const child of new SafeArrayIterator(element.children)) {
      const key = child.getAttribute(KEY);
      if (key !== null) this.#items.set(key, { element: child, view: new View(child, rendering) });
    }
  }

  update({ template, entries }, scope) {
    for (const { 0: key, 1: { element } } of this.#items.entries()) {
      if (entries.has(key)) continue;
      element.remove();
      this.#items.delete(key);
    }
    const original = entries.size > 0 ? itemOf(this.#element, template, this.#rendering) : null;
    const before = [...this.#items.values()];
    const items = new SafeMap();
    const placed = new SafeSet();
    let next = 0;
    for (const { 0: key, 1: names } of entries.entries()) {
      while (placed.has(before[next])) next++;
      const item = this.#items.get(key) ?? this.#make(original, key, names);
      if (item === before[next]) next++;
      else this.#element.insertBefore(item.element, before[next]?.element ?? null);
      placed.add(item);
      items.set(key, item);
      item.view.update({ names, outer: scope });
    }
    this.#items = items;
  }

  #make(original, key, names) {
    const element = original.cloneNode(true);
    element.setAttribute(KEY, key);
    // OOHTML says at an item which names it has.
    if (this.#rendering.isStrict) element.setAttribute("bindings", `{ ${ArrayPrototypeJoin(ObjectKeys(names), ", ")} }`);
    return { element, view: new View(element, this.#rendering) };
  }
}

/** What items are copies of: the first element of a template, or a fragment. */
function itemOf(element, name, { isStrict }) {
  const found = imported(element, String(name), isStrict);
  const first = ArrayIsArray(found) ? found[0] : found;
  const item = first?.localName === "template" ? first.content.firstElementChild : first;
  if (item === undefined || item === null) throw new TypeError(`there is no <template def="${name}"> with an element in it`);
  return item;
}
