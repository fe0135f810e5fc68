// Deltas that came over a line, applied to a copy of the sender's value.

import { Observer } from "../observer/observer.js";
import {
  ArrayIsArray,
  ArrayPrototypeMap,
  ArrayPrototypePop,
  ArrayPrototypeShift,
  ArrayPrototypeSome,
  NumberIsInteger,
  ObjectHasOwn,
  SafeArrayIterator,
  SafeSet,
  String,
} from "../primordials.js";

/** Methods that change an array; a record may represent a call of one. */
export const ARRAY_METHODS = new SafeSet([
  "copyWithin",
  "fill",
  "pop",
  "push",
  "reverse",
  "shift",
  "sort",
  "splice",
  "unshift",
]);

/** Keys that lead to objects outside of the copy. */
const FORBIDDEN = new SafeSet(["__proto__", "constructor", "prototype"]);

/**
 * Applies the records of one delta to `root` through the Observer, in one batch. Only own properties are followed; a
 * record that does not fit this root is ignored.
 * @param {unknown} root
 * @param {unknown} records as received, unchecked
 * @param {string | null} [prefix] the first key of every path, if `root` is below it in what was sent
 */
export function applyRecords(root, records, prefix = null) {
  if (!isObject(root) || !ArrayIsArray(records)) return;
  Observer.batch(root, () => {
    for (const record of new SafeArrayIterator(records)) applyRecord(root, record, prefix);
  });
}

function applyRecord(root, record, prefix) {
  if (!isObject(record) || !ArrayIsArray(record.path)) return;
  const path = ArrayPrototypeMap(record.path, String);
  if (prefix !== null && ArrayPrototypeShift(path) !== prefix) return;
  if (ArrayPrototypeSome(path, (key) => FORBIDDEN.has(key))) return;
  if (ArrayIsArray(record.argumentsList)) {
    const array = follow(root, path);
    if (ArrayIsArray(array) && ARRAY_METHODS.has(record.operation)) call(array, record);
    return;
  }
  const key = ArrayPrototypePop(path);
  const parent = key === undefined ? undefined : follow(root, path);
  if (!isObject(parent)) return;
  if (record.type === "delete" || record.operation === "deleteProperty") Observer.deleteProperty(parent, key);
  else if (!ArrayIsArray(parent) || key !== "length") Observer.set(parent, key, record.value);
  else if (isLength(record.value)) Observer.set(parent, key, record.value);
}

/** A call of `sort` with a callback is ignored: callbacks are not sent, and without it the order would differ. */
function call(array, { operation, argumentsList }) {
  if (operation === "sort" && argumentsList.length > 0) return;
  Observer.proxy(array)[operation](...new SafeArrayIterator(argumentsList));
}

/** The value at a path of own properties, or undefined. */
function follow(root, path) {
  let at = root;
  for (const key of new SafeArrayIterator(path)) {
    if (!isObject(at) || !ObjectHasOwn(at, key)) return undefined;
    at = at[key];
  }
  return at;
}

function isObject(value) {
  return value !== null && typeof value === "object";
}

function isLength(value) {
  return NumberIsInteger(value) && value >= 0 && value < 2 ** 32;
}
