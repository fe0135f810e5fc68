// Names with brackets, as forms and queries have them, and the trees that they stand for: `user[tags][]`.

import {
  ArrayIsArray,
  ArrayPrototypePush,
  MathMax,
  Number,
  ObjectDefineProperty,
  ObjectFreeze,
  ObjectKeys,
  RegExpPrototypeExec,
  RegExpPrototypeTest,
  SafeArrayIterator,
  SafeMap,
  String,
  StringPrototypeSlice,
} from "../primordials.js";

/** Deeper names are taken as they are written: no code that reads a form goes that far. */
const MAX_DEPTH = 32;
/** How far an index may lie beyond the items that there are; with a larger one the tree has an object, not a list. */
const MAX_GAP = 1000;

/** `a[b][]` as `["a", "b", ""]`; a name whose brackets do not close is one key. */
function pathOf(name) {
  const head = RegExpPrototypeExec(/^[^[\]]+/, name)?.[0];
  if (head === undefined) return [name];
  const path = [head];
  for (let at = head.length; at < name.length;) {
    const part = RegExpPrototypeExec(/^\[([^[\]]*)\]/, StringPrototypeSlice(name, at));
    if (part === null || path.length >= MAX_DEPTH) return [name];
    ArrayPrototypePush(path, part[1]);
    at += part[0].length;
  }
  return path;
}

/** What is below a key: values by key, in order. `next` is the index that `[]` means. */
class Branch {
  values = new SafeMap();
  next = 0;

  /** The key that is meant: `[]` means the index after the last. */
  keyOf(key) {
    const name = key === "" ? String(this.next) : key;
    if (RegExpPrototypeTest(/^(?:0|[1-9][0-9]{0,8})$/, name)) this.next = MathMax(this.next, Number(name) + 1);
    return name;
  }

  get isList() {
    for (const key of this.values.keys()) if (!RegExpPrototypeTest(/^(?:0|[1-9][0-9]{0,8})$/, key)) return false;
    return this.values.size > 0 && this.next <= this.values.size + MAX_GAP;
  }
}

/** Values that share one name. */
class Repeated {
  constructor(values) {
    this.values = values;
  }
}

/**
 * The tree of a list of names and values. A name that occurs several times has a list of its values.
 * @param {[string, unknown][]} entries
 * @param {boolean} [isFrozen] whether the tree is frozen
 */
export function nest(entries, isFrozen = false) {
  const root = new Branch();
  for (const { 0: name, 1: value } of new SafeArrayIterator(entries)) {
    const path = pathOf(name);
    let branch = root;
    for (let i = 0; i < path.length - 1; i++) {
      const key = branch === root ? path[i] : branch.keyOf(path[i]);
      let below = branch.values.get(key);
      if (!(below instanceof Branch)) branch.values.set(key, below = new Branch());
      branch = below;
    }
    const last = path[path.length - 1];
    const key = branch === root ? last : branch.keyOf(last);
    const former = branch.values.get(key);
    if (former === undefined || former instanceof Branch) branch.values.set(key, value);
    else if (former instanceof Repeated) ArrayPrototypePush(former.values, value);
    else branch.values.set(key, new Repeated([former, value]));
  }
  return treeOf(root, false, isFrozen);
}

function treeOf(node, mayBeList, isFrozen) {
  if (node instanceof Repeated) return isFrozen ? ObjectFreeze(node.values) : node.values;
  if (!(node instanceof Branch)) return node;
  const tree = mayBeList && node.isList ? [] : {};
  for (const { 0: key, 1: below } of node.values.entries()) {
    // A name such as `__proto__` is a name like any other.
    const value = treeOf(below, true, isFrozen);
    ObjectDefineProperty(tree, key, { __proto__: null, configurable: true, enumerable: true, value, writable: true });
  }
  return isFrozen ? ObjectFreeze(tree) : tree;
}

/**
 * The names and values of a tree: the other way round.
 * @param {(value: object) => boolean} isBranch whether a value is a list or an object to go into
 * @returns {[string, unknown][]}
 */
export function flatten(tree, isBranch, name = "", entries = []) {
  for (const key of new SafeArrayIterator(ObjectKeys(tree))) {
    const value = tree[key];
    const path = name === "" ? key : `${name}[${key}]`;
    if (value === undefined) continue;
    if (value !== null && typeof value === "object" && (ArrayIsArray(value) || isBranch(value))) {
      flatten(value, isBranch, path, entries);
    } else {
      ArrayPrototypePush(entries, [path, value]);
    }
  }
  return entries;
}

/** A text that is the usual way to write a number, as that number. `007` and `1e3` stay as they are. */
export function numberOf(text) {
  const number = Number(text);
  // The difference is NaN for what is no number, and for an infinite one.
  return text !== "" && number - number === 0 && String(number) === text ? number : text;
}
