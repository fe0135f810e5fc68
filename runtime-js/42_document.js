// The document that a page is on the server: as small as the bindings of 44_binding.js need it. What none of them
// changes is text.

import {
  ArrayIsArray,
  ArrayPrototypeFilter,
  ArrayPrototypeIndexOf,
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  ArrayPrototypeSplice,
  RegExpPrototypeTest,
  SafeArrayIterator,
  SafeMap,
  SafeRegExp,
  SafeSet,
  StringPrototypeReplace,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
} from "./00_primordials.js";

/**
 * A part of a page: HTML, a place, or an element's name, attributes and children; `null` for those of an element that
 * cannot have any.
 * @typedef {string | number | [string, [string, string][], Piece[] | null]} Piece
 */

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\u00a0": "&nbsp;" };

const SPECIAL = new SafeRegExp(/[&<>"\u00a0]/g);
const SPACE = new SafeRegExp(/\s+/);
const LAST_SEMICOLON = new SafeRegExp(/\s*;?\s*$/);

function escaped(text) {
  return StringPrototypeReplace(text, SPECIAL, (c) => ESCAPES[c]);
}

/** Elements whose first line break the parser drops. */
const DROPS_BREAK = new SafeSet(["pre", "textarea", "listing"]);

/** As much of a DOM element as the bindings use. */
export class PageElement {
  #source;
  #attributes;
  /** Elements, HTML and places; `null` where there cannot be any. */
  #nodes;

  /** @param {Piece} source an element's */
  constructor(source, parentElement) {
    const { 0: name, 1: attributes, 2: children } = source;
    this.localName = name;
    this.parentElement = parentElement;
    this.#source = source;
    this.#attributes = new SafeMap(attributes);
    const nodeOf = (child) => ArrayIsArray(child) ? new PageElement(child, this) : child;
    this.#nodes = children === null ? null : ArrayPrototypeMap(children, nodeOf);
  }

  /** A template's are its content's. */
  get children() {
    return this.localName === "template" ? [] : this.#elements();
  }

  #elements() {
    return this.#nodes === null ? [] : ArrayPrototypeFilter(this.#nodes, (node) => node instanceof PageElement);
  }

  get content() {
    return { firstElementChild: this.#elements()[0] ?? null };
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

  insertBefore(element, reference) {
    if (element.parentElement !== null) element.remove();
    const at = reference === null ? this.#nodes.length : ArrayPrototypeIndexOf(this.#nodes, reference);
    ArrayPrototypeSplice(this.#nodes, at, 0, element);
    element.parentElement = this;
  }

  remove() {
    const siblings = this.parentElement.#nodes;
    ArrayPrototypeSplice(siblings, ArrayPrototypeIndexOf(siblings, this), 1);
    this.parentElement = null;
  }

  cloneNode() {
    return new PageElement(this.#source, null);
  }

  write(writer) {
    let tag = `<${this.localName}`;
    for (const { 0: name, 1: value } of this.#attributes.entries()) tag += ` ${name}="${escaped(value)}"`;
    writer.text(`${tag}>`);
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
