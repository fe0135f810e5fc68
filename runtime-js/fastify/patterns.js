// Regular expressions of parameters: `/:id(^\\d+$)`. Those that may take very long for some texts are refused.

import { primordials } from "ext:core/mod.js";

const { ArrayPrototypePop, ArrayPrototypePush, MathMax, RegExp, StringPrototypeIncludes } = primordials;

/** How many repetitions an expression may have. */
const MOST_REPETITIONS = 25;

/**
 * Whether matching takes no longer than the text is long, as far as the expression shows it: no repetition is part of
 * another one, and there are not too many of them.
 * @param {string} source
 */
export function isSafe(source) {
  try {
    void new RegExp(source);
  } catch {
    return false;
  }
  // For each group that is open: how deep repetitions are nested in it so far.
  const groups = [0];
  let repetitions = 0, last = 0;
  for (let i = 0; i < source.length; i++) {
    const char = source[i];
    if (char === "\\") {
      i++;
      last = 0;
    } else if (char === "[") {
      while (source[i] !== "]") i += source[i] === "\\" ? 2 : 1;
      last = 0;
    } else if (char === "(") {
      ArrayPrototypePush(groups, 0);
      if (source[i + 1] === "?") i++;
    } else if (char === ")") {
      last = ArrayPrototypePop(groups);
      deepen(groups, last);
    } else if (StringPrototypeIncludes("*+?{", char)) {
      if (char === "{") while (source[i] !== "}" && i < source.length) i++;
      // What follows a repetition makes it reluctant.
      if (source[i + 1] === "?") i++;
      repetitions++;
      last++;
      if (last > 1 || repetitions > MOST_REPETITIONS) return false;
      deepen(groups, last);
    } else {
      last = 0;
    }
  }
  return true;
}

function deepen(groups, depth) {
  const { length } = groups;
  if (length > 0) groups[length - 1] = MathMax(groups[length - 1], depth);
}
