// Which handlers take nothing but the event: for the others `next()`, `fetch()` and `this` are made.

import { RegExpPrototypeTest, SafeRegExp } from "../primordials.js";

/** A list of at most one parameter, without a default and without a rest: that of a function, or of a method. */
const LIST = new SafeRegExp(
  "^(?:async\\b\\s*)?(?:function\\b\\s*)?\\*?\\s*[\\w$]*\\s*\\(\\s*(?:[\\w$]+|\\{[\\w$\\s:,]*\\})?\\s*,?\\s*\\)",
);
/** The parameter of an arrow function. */
const NAME = new SafeRegExp("^(?:async\\s+)?[\\w$]+\\s*=>");
/** What reaches more than the parameters. `native code` stands in place of a source. */
const MORE = new SafeRegExp("\\b(?:arguments|eval|native code|super|this)\\b|\\\\u");

/**
 * Whether a function can see only its first argument. In doubt it can see more.
 * @param {Function} handler
 * @param {string} source that of `Function.prototype.toString()`
 */
export function takesOnlyEvent(handler, source) {
  if (handler.length > 1 || RegExpPrototypeTest(MORE, source)) return false;
  return RegExpPrototypeTest(LIST, source) || RegExpPrototypeTest(NAME, source);
}

/** Lets V8 compile the regular expressions: it does when they are first used, and better when they are used again. */
export function prepareParameters() {
  for (let i = 0; i < 3; i++) {
    takesOnlyEvent(prepareParameters, "(event) => 1");
    takesOnlyEvent(prepareParameters, "event => 1");
  }
}
