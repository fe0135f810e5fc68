// Live functions. The part is loaded only for handlers that have some.

import { live } from "../live/live.js";

/** Sets the object that the module `liveline:live` exports, which compiled code imports. */
export function provideLiveFunctions() {
  Object.defineProperty(globalThis, Symbol.for("liveline.live"), { value: live });
}
