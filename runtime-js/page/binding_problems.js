// What is wrong with the bindings of a page, found without a state.

import { splitOutside } from "./expressions.js";
import { directivesOf, templateNamed } from "./binding.js";
import {
  ArrayPrototypePush,
  JSONStringify,
  SafeArrayIterator,
  StringPrototypeIndexOf,
  StringPrototypeTrim,
} from "../primordials.js";

/**
 * For the host: a `render` attribute as JSON: for each directive where it begins, whether it fills the
 * element, what is wrong with it, and the template that it names, if its name is written out.
 */
export function bindingsOf(text) {
  const found = [];
  let at = 0;
  for (const part of new SafeArrayIterator(splitOutside(text, ";"))) {
    const source = StringPrototypeTrim(part);
    if (source !== "") {
      const { error = null, fills } = directivesOf(source)[0];
      const begin = at + StringPrototypeIndexOf(part, source);
      const message = error === null ? null : error.message;
      ArrayPrototypePush(found, { at: begin, source, fills: fills !== null, error: message, template: templateNamed(source) });
    }
    at += part.length + 1;
  }
  return JSONStringify(found);
}
