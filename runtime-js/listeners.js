// Lists of listeners, which mostly have one item and are changed often. A short list is one of few.js. A longer one is a
// set, so that adding and removing takes the same time however many there are. No item is in a list twice.

import { itemsOf, withItem, withoutItem } from "./few.js";
import { ArrayPrototypeIncludes, SafeSet } from "./primordials.js";

/** The most items of a list that is no set. */
const MOST = 8;

/**
 * @template T
 * @typedef {import("./few.js").Few<T> | SafeSet} Listeners
 */

/** The list with one more item, at its end. */
export function withListener(list, item) {
  if (list instanceof SafeSet) return list.add(item);
  const items = itemsOf(list);
  return items.length < MOST ? withItem(list, item) : new SafeSet(items).add(item);
}

/** The list without an item. */
export function withoutListener(list, item) {
  if (!(list instanceof SafeSet)) return withoutItem(list, item);
  list.delete(item);
  return list.size === 0 ? null : list;
}

/** Whether the list has an item. */
export function hasListener(list, item) {
  return list instanceof SafeSet ? list.has(item) : ArrayPrototypeIncludes(itemsOf(list), item);
}

/** The items as an array, not to be changed. */
export function listenersOf(list) {
  return list instanceof SafeSet ? [...list.values()] : itemsOf(list);
}
