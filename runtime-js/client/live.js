// Live functions, for handlers that have some. Part of the page only where there are any.

import { live } from "../live/live.js";

/** Puts it where the module `liveline:live`, which compiled code imports, finds it. */
export function provideLiveFunctions() {
  Object.defineProperty(globalThis, Symbol.for("liveline.live"), { value: live });
}
