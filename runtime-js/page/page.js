// An answer as a page: the first state, rendered into the page of its route and put there for the browser to go on
// with.

import { op_answer_page, op_log_error, op_page_source } from "ext:core/ops";
import { PageElement } from "./document.js";
import { reporter, View } from "./binding.js";
import {
  JSONParse,
  NumberPrototypeToString,
  RegExpPrototypeTest,
  SafeMap,
  SafeRegExp,
  SafeSet,
  StringPrototypeCharCodeAt,
  StringPrototypePadStart,
  StringPrototypeReplace,
} from "../primordials.js";

/** Places in a page, as the host numbers them. */
const LINE = 0;
const STATE = 1;

/** How a state leaves: in its page; as it is; or as it is, with its page as a document that goes along. */
export const AS_DATA = 1;
const AS_BOTH = 2;

/** Pages by number. @type {Map<number, { pieces: import("./document.js").Piece[], rendering: object }>} */
const pages = new SafeMap();

/** Statuses whose answers have no body. */
const BODILESS = new SafeSet([204, 205, 304]);

/**
 * Whether an answer is a state to be shown in the page: data, and no redirect.
 * @param {string | null} type its `Content-Type`
 * @param {boolean} leads whether it has a `Location`
 */
export function isShown(status, type, leads) {
  return !BODILESS.has(status) && !leads && (type === null || isJson(type));
}

/** Whether a Response's text is data. @param {string} type its `Content-Type` */
export function isData(type, text) {
  if (!isJson(type)) return false;
  try {
    JSONParse(text);
    return true;
  } catch {
    return false;
  }
}

function isJson(type) {
  return RegExpPrototypeTest(/^application\/json\s*(?:;|$)/i, type);
}

/**
 * Answers with `json` as the state of the page that the client wants.
 * @param {string} list the headers, with the type of `data`
 * @param {string} data what the state is without a page
 */
export function answerPage(exchange, { status, statusText }, list, json, data, last) {
  const { before, after } = render(exchange.page, json, status, exchange.method);
  const hasData = exchange.show === AS_BOTH;
  op_answer_page(exchange.id, status, statusText, list, before, after, hasData ? data : "", hasData, last);
}

/** For the host: a page with a state. */
export function renderPage(number, json, status) {
  const { before, after } = render(number, json, status, "GET");
  return before + after;
}

/** The page is read anew when it is next rendered. */
export function forgetPage(number) {
  pages.delete(number);
}

function render(number, json, status, method) {
  let page = pages.get(number);
  if (page === undefined) {
    const { file, template, brings_oohtml: isStrict } = op_page_source(number);
    const report = reporter((binding, error) => op_log_error(`${file}: ${binding}`, error));
    page = { pieces: JSONParse(template), rendering: { report, isStrict, importing: [] } };
    pages.set(number, page);
  }
  const root = new PageElement(["", [], page.pieces], null);
  // What the browser will see of the data, so that both render the same.
  const view = new View(root, page.rendering);
  view.update({ names: { data: JSONParse(json) }, outer: null });
  const writer = new Writer(json, status, method);
  root.writeContent(writer);
  return writer;
}

const UNSAFE_IN_SCRIPTS = new SafeRegExp(/[<\u2028\u2029]/g);

/** Collects a page's text, cut where the address of the line may stand. */
class Writer {
  before = "";
  after = "";
  #json;
  #status;
  #method;

  constructor(json, status, method) {
    this.#json = json;
    this.#status = status;
    this.#method = method;
  }

  text(text) {
    this.after += text;
  }

  place(place) {
    if (place === LINE) {
      this.before = this.after;
      this.after = "";
    }
    if (place === STATE) this.after += this.#state();
  }

  #state() {
    const status = this.#status === 200 ? "" : ` data-status="${this.#status}"`;
    const isLook = this.#method === "GET" || this.#method === "HEAD";
    // The page must not send such a request again by itself. Methods are tokens.
    const method = isLook ? "" : ` data-method="${this.#method}"`;
    // Nothing in it can end the script, or begin a comment in it.
    const json = StringPrototypeReplace(this.#json, UNSAFE_IN_SCRIPTS, (c) => {
      const code = NumberPrototypeToString(StringPrototypeCharCodeAt(c, 0), 16);
      return `\\u${StringPrototypePadStart(code, 4, "0")}`;
    });
    return `<script rel="hydration" type="application/json"${status}${method}>${json}</script>`;
  }
}
