// Lists that mostly have one item. It stands for its list, because an array takes more memory than many an item, and idle
// lines keep theirs. Items are no arrays. Lists are replaced, never changed.

import { ArrayIsArray, ArrayPrototypeFilter, SafeArrayIterator } from "./primordials.js";

/**
 * @template T
 * @typedef {null | T | T[]} Few
 */

/** The list with one more item, at its end. */
export function withItem(few, item) {
  // Not by concat(): a handler may have made objects spreadable.
  return few === null ? item : [...new SafeArrayIterator(itemsOf(few)), item];
}

/** The items as an array, not to be changed. */
export function itemsOf(few) {
  return few === null ? [] : ArrayIsArray(few) ? few : [few];
}

/** The list without an item. */
export function withoutItem(few, item) {
  const left = ArrayPrototypeFilter(itemsOf(few), (known) => known !== item);
  return left.length === 0 ? null : left;
}
