// Lists that are made of others. Not by concat(): a handler may have made objects spreadable.

import { ArrayPrototypePush, ArrayPrototypeSlice } from "./primordials.js";

/** A copy of a list with one more item, which may be a list itself. */
export function appended(list, item) {
  const longer = ArrayPrototypeSlice(list);
  ArrayPrototypePush(longer, item);
  return longer;
}
