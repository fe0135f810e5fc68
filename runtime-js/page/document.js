// The document that a page is on the server: as small as the bindings of page/binding.js need it. What none of them
// changes is text.

import { bindingOf } from "./binding.js";
import {
  ArrayIsArray,
  ArrayPrototypeFilter,
  ArrayPrototypeIndexOf,
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  ArrayPrototypePush,
  ArrayPrototypeSplice,
  FunctionPrototypeCall,
  RegExpPrototypeTest,
  SafeArrayIterator,
  SafeMap,
  SafeRegExp,
  SafeSet,
  SafeWeakMap,
  StringPrototypeReplace,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
  Symbol,
} from "../primordials.js";

/**
 * A part of a page: HTML, a place, a comment that is a binding, or an element's name, attributes and children; `null`
 * for those of an element that cannot have any.
 * @typedef {string | number | { comment: string } | [string, [string, string][], Piece[] | null]} Piece
 */

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\u00a0": "&nbsp;", "\r": "&#13;" };

const SPECIAL = new SafeRegExp(/[&<>"\u00a0\r]/g);
const SPACE = new SafeRegExp(/\s+/);
const LAST_SEMICOLON = new SafeRegExp(/\s*;?\s*$/);
// deno-lint-ignore no-control-regex
const NULS = new SafeRegExp(/\0/g);

function escaped(text) {
  return StringPrototypeReplace(text, SPECIAL, (c) => ESCAPES[c]);
}

/** Elements whose first line break the parser drops. */
const DROPS_BREAK = new SafeSet(["pre", "textarea", "listing"]);

/** What makes nodes, as `ownerDocument`. */
const FACTORY = {
  createComment: (text) => new PageComment(text),
  createTextNode: (text) => new PageText(text),
};

/** What nodes have in common. */
class PageNode {
  parentElement = null;

  get ownerDocument() {
    return FACTORY;
  }

  get parentNode() {
    return this.parentElement;
  }

  remove() {
    this.parentElement?.[kNodes]((nodes) => ArrayPrototypeSplice(nodes, ArrayPrototypeIndexOf(nodes, this), 1));
    this.parentElement = null;
  }

  before(...added) {
    this.#insert(0, added);
  }

  after(...added) {
    this.#insert(1, added);
  }

  replaceWith(...added) {
    this.#insert(0, added);
    this.remove();
  }

  #insert(offset, added) {
    for (const node of new SafeArrayIterator(added)) {
      node.remove();
      node.parentElement = this.parentElement;
    }
    this.parentElement[kNodes]((nodes) => {
      ArrayPrototypeSplice(nodes, ArrayPrototypeIndexOf(nodes, this) + offset, 0, ...new SafeArrayIterator(added));
    });
  }
}

/** Changes the nodes in an element. */
const kNodes = Symbol("nodes");

/** Characters that come from a state. */
class PageText extends PageNode {
  nodeType = 3;
  #text;

  constructor(text) {
    super();
    this.nodeValue = text;
  }

  get nodeValue() {
    return this.#text;
  }

  /** Parsers drop NUL, and count what is left. */
  set nodeValue(text) {
    this.#text = StringPrototypeReplace(text, NULS, "");
  }

  write(writer) {
    writer.text(escaped(this.#text));
  }
}

const putAfter = PageNode.prototype.after;

/** A comment: a binding, or where something was imported. */
class PageComment extends PageNode {
  nodeType = 8;
  /** The text that shows the binding's value. */
  #shown = null;

  constructor(text) {
    super();
    this.nodeValue = text;
  }

  /** Its place in a page has no text of its own yet. */
  get nextSibling() {
    return null;
  }

  after(text) {
    FunctionPrototypeCall(putAfter, this, text);
    if (text instanceof PageText) this.#shown = text;
  }

  /** With how much of the text that follows is the value, for who goes on with it. */
  write(writer) {
    const expression = bindingOf(this.nodeValue)?.expression;
    const written = expression === undefined || this.#shown === null
      ? this.nodeValue
      : `?{${expression}; [=${this.#shown.nodeValue.length}] }?`;
    writer.text(`<!--${written}-->`);
  }
}

/** As much of a DOM element as the bindings use. */
export class PageElement extends PageNode {
  nodeType = 1;
  #source;
  #attributes;
  /** Elements, comments, texts, HTML and places; `null` where there cannot be any. */
  #nodes;
  /** The elements of a template, made when they are first read. */
  #content = null;

  /** @param {Piece} source an element's */
  constructor(source, parentElement) {
    super();
    const { 0: name, 1: attributes, 2: children } = source;
    this.localName = name;
    this.parentElement = parentElement;
    this.#source = source;
    this.#attributes = new SafeMap(attributes);
    this.#nodes = children === null || name === "template" ? null : this.#made(children, this);
  }

  #made(children, parent) {
    return ArrayPrototypeMap(children, (child) => {
      if (ArrayIsArray(child)) return new PageElement(child, parent);
      if (typeof child !== "object") return child;
      const comment = new PageComment(child.comment);
      comment.parentElement = parent;
      return comment;
    });
  }

  [kNodes](change) {
    change(this.#nodes);
  }

  get children() {
    return this.#nodes === null ? [] : ArrayPrototypeFilter(this.#nodes, (node) => node instanceof PageElement);
  }

  /** Without what is only written. */
  get childNodes() {
    return this.#nodes === null ? [] : ArrayPrototypeFilter(this.#nodes, (node) => node instanceof PageNode);
  }

  /** What stands in a template. */
  get content() {
    this.#content ??= ArrayPrototypeFilter(this.#made(this.#source[2], null), (node) => node instanceof PageElement);
    return { children: this.#content, firstElementChild: this.#content[0] ?? null };
  }

  /** Templates below it: the only thing that is looked for by a selector. */
  querySelectorAll() {
    const found = [];
    const visit = (element) => {
      for (const child of new SafeArrayIterator(element.children)) {
        if (child.localName === "template" && child.hasAttribute("def")) ArrayPrototypePush(found, child);
        visit(child);
      }
    };
    visit(this);
    return found;
  }

  get outerHTML() {
    let html = "";
    this.write({ text: (text) => html += text, place: () => {} });
    return html;
  }

  get innerHTML() {
    let html = "";
    this.writeContent({ text: (text) => html += text, place: () => {} });
    return html;
  }

  getAttribute(name) {
    return this.#attributes.get(name) ?? null;
  }

  hasAttribute(name) {
    return this.#attributes.has(name);
  }

  setAttribute(name, value) {
    this.#attributes.set(name, value);
  }

  removeAttribute(name) {
    this.#attributes.delete(name);
  }

  get classList() {
    return {
      toggle: (name, on) => {
        const list = StringPrototypeSplit(this.getAttribute("class") ?? "", SPACE);
        const names = new SafeSet(ArrayPrototypeFilter(list, (name) => name !== ""));
        if (on === names.has(name)) return;
        if (on) names.add(name);
        else names.delete(name);
        this.setAttribute("class", ArrayPrototypeJoin([...names.values()], " "));
      },
    };
  }

  get style() {
    return {
      setProperty: (name, value) => {
        // What could be more than one declaration is none.
        if (value === "" || RegExpPrototypeTest(/[;{}\\]|\/\*/, value)) return;
        const rest = StringPrototypeReplace(this.getAttribute("style") ?? "", LAST_SEMICOLON, "");
        this.setAttribute("style", `${rest === "" ? "" : `${rest}; `}${name}: ${value}`);
      },
    };
  }

  set textContent(text) {
    this.#fill(escaped(text));
  }

  set innerHTML(markup) {
    this.#fill(markup);
  }

  #fill(html) {
    if (this.#nodes !== null) this.#nodes = [html];
  }

  insertBefore(node, reference) {
    node.remove();
    const at = reference === null ? this.#nodes.length : ArrayPrototypeIndexOf(this.#nodes, reference);
    ArrayPrototypeSplice(this.#nodes, at, 0, node);
    node.parentElement = this;
  }

  cloneNode() {
    return new PageElement(this.#source, null);
  }

  write(writer) {
    let tag = `<${this.localName}`;
    for (const { 0: name, 1: value } of this.#attributes.entries()) tag += ` ${name}="${escaped(value)}"`;
    writer.text(`${tag}>`);
    if (this.localName === "template") return writer.text(`${templateText(this.#source)}</template>`);
    if (this.#nodes === null) return;
    const { 0: first } = this.#nodes;
    const beginsWithBreak = typeof first === "string" && StringPrototypeStartsWith(first, "\n");
    if (beginsWithBreak && DROPS_BREAK.has(this.localName)) writer.text("\n");
    this.writeContent(writer);
    writer.text(`</${this.localName}>`);
  }

  writeContent(writer) {
    for (const node of new SafeArrayIterator(this.#nodes)) {
      if (typeof node === "string") writer.text(node);
      else if (typeof node === "number") writer.place(node);
      else node.write(writer);
    }
  }
}

/** Contents of templates as they are written: nothing is rendered into them. @type {WeakMap<Piece, string>} */
const templates = new SafeWeakMap();

function templateText(source) {
  let text = templates.get(source);
  if (text === undefined) {
    text = new PageElement(["", [], source[2]], null).innerHTML;
    templates.set(source, text);
  }
  return text;
}
