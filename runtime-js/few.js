// Lists that mostly have one item. It stands for its list, because an array takes more memory than many an item, and idle
// lines keep theirs. Items are no arrays and no sets, and none is in a list twice. An array is replaced, never changed;
// a longer list is a set, so that adding and removing takes the same time however many there are.

import { appended } from "./lists.js";
import { ArrayIsArray, ArrayPrototypeFilter, ArrayPrototypeIncludes, SafeSet } from "./primordials.js";

/** The most items of an array. */
const MOST = 8;

/**
 * @template T
 * @typedef {null | T | T[] | SafeSet} Few
 */

/** The list with one more item, at its end. */
export function withItem(few, item) {
  if (few === null) return item;
  if (few instanceof SafeSet) return few.add(item);
  const items = itemsOf(few);
  return items.length < MOST ? appended(items, item) : new SafeSet(items).add(item);
}

/** The items as an array, not to be changed. */
export function itemsOf(few) {
  if (few instanceof SafeSet) return [...few.values()];
  return few === null ? [] : ArrayIsArray(few) ? few : [few];
}

/** The list without an item. */
export function withoutItem(few, item) {
  if (few instanceof SafeSet) {
    few.delete(item);
    return few.size === 0 ? null : few;
  }
  const left = ArrayPrototypeFilter(itemsOf(few), (known) => known !== item);
  return left.length === 0 ? null : left;
}

/** Whether the list has an item. */
export function hasItem(few, item) {
  return few instanceof SafeSet ? few.has(item) : ArrayPrototypeIncludes(itemsOf(few), item);
}
