// Trees of objects: listening to all that a root reaches, and proxies that make plain code on a tree observable.
//
// A walk keeps one listener on each object that it reaches, with edges to its children and from its parents, and
// updates both as properties change: whatever comes is followed, whatever can no longer be reached is let go. So a
// change costs what was newly attached or detached, never the size of the tree, and a cycle is nothing special.

import { batch, emit } from "./delivery.js";
import {
  copyOf,
  Descriptor,
  isEnumerable,
  isIndex,
  isObject,
  MethodCall,
  nameOf,
  proxies,
  register,
  SUBTREE,
  targetOf,
  unproxy,
  unregister,
} from "./objects.js";
import {
  defineProperty,
  deleteProperty,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  has,
  isExtensible,
  isIntercepted,
  ownKeys,
  preventExtensions,
  read,
  set,
  setPrototypeOf,
} from "./operations.js";
import {
  Array,
  ArrayBufferIsView,
  ArrayIsArray,
  ArrayPrototypeAt,
  ArrayPrototypeFlatMap,
  ArrayPrototypeMap,
  ArrayPrototypePop,
  ArrayPrototypePush,
  ArrayPrototypeReduce,
  ArrayPrototypeReverse,
  ArrayPrototypeSlice,
  ArrayPrototypeSort,
  Boolean,
  FunctionPrototypeToString,
  MathMax,
  MathMin,
  MathTrunc,
  Number,
  ObjectAssign,
  ObjectFreeze,
  ObjectGetPrototypeOf,
  ObjectHasOwn,
  ObjectIs,
  ObjectKeys,
  ObjectPrototype,
  Proxy,
  ReflectApply,
  ReflectGetOwnPropertyDescriptor,
  ReflectSet,
  SafeArrayIterator,
  SafeMap,
  SafeSet,
  SafeWeakMap,
  String,
  StringPrototypeEndsWith,
  StringPrototypeStartsWith,
  Symbol,
} from "../primordials.js";

// -- following objects at depth --------------------------------------------------------------------------------------

/** An object that shares its children has many paths; beyond these, records have the shortest ones only. */
const MAX_PATHS = 1024;
const MAX_STEPS = 16384;

/** An object that a walk has reached, at a position of its pattern. Edges lead to it and from it. */
class Node {
  parents = new SafeSet();
  children = new SafeMap();
  attached = true;

  constructor(walk, object, position) {
    this.walk = walk;
    this.object = object;
    this.position = position;
    /** Which of the sink's rounds this was reached in. */
    this.round = walk.sink.round;
  }

  get sink() {
    return this.walk.sink;
  }

  collect(records) {
    this.walk.collect(this, records);
  }
}

/** Keeps one listener on every object that a pattern of keys reaches from a root, each once, as objects come and go. */
class Walk {
  /** What is flushed after changes were collected. */
  sink;
  root;
  pattern;
  #follows;
  #changed;
  /** Per position of the pattern: the nodes by object. */
  #nodes;

  /**
   * @param {(value: unknown, key: string | symbol, parent: object) => boolean} follows
   * @param {(node: Node, records: object[]) => void} changed gets what happened to an object that was reached
   */
  constructor(target, pattern, follows, sink, changed) {
    this.sink = sink;
    this.pattern = pattern;
    this.#follows = follows;
    this.#changed = changed;
    this.#nodes = ArrayPrototypeMap(pattern, () => new SafeMap());
    const fresh = [];
    this.root = this.#enter(target, 0, fresh);
    this.#expand(fresh);
  }

  collect(node, records) {
    if (!node.attached) return;
    // First what comes, then what goes, so that a child which only moves is never let go.
    const fresh = [];
    const gone = [];
    for (let i = 0; i < records.length; i++) {
      const { key, type, value } = records[i];
      if (key === undefined || !this.matches(node, key)) continue;
      const name = nameOf(key);
      const edge = node.children.get(name);
      if (edge !== undefined) {
        node.children.delete(name);
        ArrayPrototypePush(gone, edge);
      }
      const isThere = type !== "delete" && (!this.#takesAll(node) || isEnumerable(node.object, key));
      if (isThere) this.#link(node, name, value, fresh);
    }
    this.#expand(fresh);
    this.#release(gone);
    this.#changed(node, records);
  }

  /** Whether a key of this node's object is one that the pattern means. */
  matches(node, key) {
    return this.#takesAll(node) ? typeof key !== "symbol" : this.pattern[node.position] === nameOf(key);
  }

  #takesAll(node) {
    const segment = this.pattern[node.position];
    return segment === SUBTREE || segment === Infinity;
  }

  isLast(node) {
    return node.position === this.pattern.length - 1;
  }

  close() {
    for (const nodes of new SafeArrayIterator(this.#nodes)) {
      for (const node of nodes.values()) {
        node.attached = false;
        unregister(node.object, node);
      }
      nodes.clear();
    }
    this.sink.close();
  }

  #enter(object, position, fresh) {
    const known = this.#nodes[position].get(object);
    if (known !== undefined) return known;
    const node = new Node(this, object, position);
    this.#nodes[position].set(object, node);
    register(object, node);
    ArrayPrototypePush(fresh, node);
    return node;
  }

  /** Reaches everything below new nodes. Without recursion: a list of a million links is no deeper than one. */
  #expand(fresh) {
    while (fresh.length > 0) {
      const node = ArrayPrototypePop(fresh);
      const keys = this.#takesAll(node) ? ObjectKeys(node.object) : [this.pattern[node.position]];
      for (const key of new SafeArrayIterator(keys)) this.#link(node, key, node.object[key], fresh);
    }
  }

  #link(parent, key, value, fresh) {
    const isLeaf = this.isLast(parent) && this.pattern[parent.position] !== SUBTREE;
    if (isLeaf || !this.#follows(value, key, parent.object)) return;
    const child = this.#enter(unproxy(value), MathMin(parent.position + 1, this.pattern.length - 1), fresh);
    const edge = { parent, key, child };
    parent.children.set(key, edge);
    child.parents.add(edge);
  }

  /** Removes edges, and every node that can no longer be reached. */
  #release(edges) {
    while (edges.length > 0) {
      const edge = ArrayPrototypePop(edges);
      const node = edge.child;
      node.parents.delete(edge);
      if (!node.attached || node === this.root || this.#isReachable(node)) continue;
      node.attached = false;
      this.#nodes[node.position].delete(node.object);
      unregister(node.object, node);
      for (const below of node.children.values()) ArrayPrototypePush(edges, below);
    }
  }

  #isReachable(node) {
    return node.parents.size > 0 && shortestTrail(node) !== null;
  }
}

/** Every path by which a node is reached, without going round in circles; the shortest first. */
function pathsTo(node) {
  const { root } = node.walk;
  const line = [];
  let at = node;
  while (at !== root && at.parents.size === 1) {
    const edge = only(at.parents);
    ArrayPrototypePush(line, edge.key);
    at = edge.parent;
  }
  if (at === root) return [ArrayPrototypeReverse(line)];

  const found = [];
  const trails = [{ node, key: null, below: null }];
  for (let step = 0; step < trails.length && step < MAX_STEPS && found.length < MAX_PATHS; step++) {
    const trail = trails[step];
    if (trail.node === root) ArrayPrototypePush(found, keysOf(trail));
    else for (const { parent, key } of trail.node.parents.values()) {
      if (!passes(trail, parent)) ArrayPrototypePush(trails, { node: parent, key, below: trail });
    }
  }
  return found.length > 0 ? found : [keysOf(shortestTrail(node))];
}

/** The item of a set that has one. */
function only(set) {
  for (const item of set.values()) return item;
}

/** The shortest way up to the root, or null when there is none. */
function shortestTrail(node) {
  const seen = new SafeSet([node]);
  const trails = [{ node, key: null, below: null }];
  for (const trail of new SafeArrayIterator(trails)) {
    if (trail.node === node.walk.root) return trail;
    for (const { parent, key } of trail.node.parents.values()) {
      if (seen.has(parent)) continue;
      seen.add(parent);
      ArrayPrototypePush(trails, { node: parent, key, below: trail });
    }
  }
  return null;
}

function passes(trail, node) {
  for (let at = trail; at !== null; at = at.below) if (at.node === node) return true;
  return false;
}

function keysOf(trail) {
  const keys = [];
  for (let at = trail; at.below !== null; at = at.below) ArrayPrototypePush(keys, at.key);
  return keys;
}

// -- who listens to trees --------------------------------------------------------------------------------------------

/** An observer of a path or a subtree. */
export class TreeListener {
  #walk;
  #observation;

  constructor(target, pattern, observation) {
    const follows = (value) => isObject(value) && typeof value !== "function" && !ArrayBufferIsView(value);
    this.#observation = observation;
    this.#walk = new Walk(target, pattern, follows, observation, (node, records) => {
      observation.offer(ArrayPrototypeFlatMap(records, (record) => recordsWithPaths(node, record)));
    });
  }

  close() {
    this.#walk.close();
    this.#observation.close();
  }
}

/** A record as observers of a path or a subtree get it: once for each way that leads to it. */
function recordsWithPaths(node, record) {
  const { walk } = node;
  if (record instanceof MethodCall) {
    if (walk.pattern[node.position] !== SUBTREE) return [];
    return ArrayPrototypeMap(pathsTo(node), (path) => ObjectAssign(new MethodCall(), record, { path }));
  }
  if (!walk.matches(node, record.key)) return [];
  const name = nameOf(record.key);
  if (walk.isLast(node)) {
    return ArrayPrototypeMap(pathsTo(node), (path) => copyOf(record, { path: [...new SafeArrayIterator(path), name] }));
  }
  // Nothing can be below what was not an object and is none, as an array's length.
  if (!isObject(record.value) && !isObject(record.oldValue)) return [];
  // An ancestor was replaced: there is a record for each place of the pattern below it.
  const places = placesBelow(walk.pattern, node.position + 1, record.value, []);
  return ArrayPrototypeFlatMap(pathsTo(node), (path) => ArrayPrototypeMap(places, ({ 0: rest, 1: value }) => {
    const oldValue = ArrayPrototypeReduce(rest, (at, key) => at?.[key], record.oldValue);
    const key = rest.length > 0 ? ArrayPrototypeAt(rest, -1) : name;
    const told = new Descriptor("get", record.target, key, { ...record, value, oldValue });
    const whole = [...new SafeArrayIterator(path), name, ...new SafeArrayIterator(rest)];
    return ObjectAssign(told, { status: record.status, path: whole });
  }));
}

/** `[keys, value]` of each place below `value` that the rest of a pattern means. */
function placesBelow(pattern, position, value, keys) {
  if (position === pattern.length || pattern[position] === SUBTREE) return [[keys, value]];
  const segment = pattern[position];
  const below = (key, value) => placesBelow(pattern, position + 1, value, [...new SafeArrayIterator(keys), key]);
  if (segment !== Infinity) return below(segment, value?.[segment]);
  const own = isObject(value) ? ObjectKeys(value) : [];
  return ArrayPrototypeFlatMap(own, (key) => below(key, value[key]));
}

/**
 * A change of a tree as a copy of it elsewhere needs to know it.
 * @typedef {object} RawRecord
 * @property {"set" | "delete"} type
 * @property {string} key
 * @property {unknown} value
 * @property {string[]} path the keys from the root to the changed property
 * @property {boolean} isUpdate whether the property was there before
 * @property {unknown} oldValue
 */

/**
 * For the host: calls `callback` once per emission with everything that changed in the JSON form of `root`. Applied in
 * their order, the records make a copy equal again: parents come before what is in them, and the lengths of arrays
 * come last. Objects that have a `toJSON` of their own are not followed.
 * @param {object} root
 * @param {(records: RawRecord[]) => void} callback
 * @returns {() => void} what ends the subscription
 */
export function subscribe(root, callback) {
  const target = targetOf(root, "subscribe");
  if (!hasFields(target)) return () => {};
  const follows = (value, key, parent) => hasFields(value) && (!ArrayIsArray(parent) || isIndex(key));
  const changes = new PendingChanges(callback);
  const walk = new Walk(target, [SUBTREE], follows, changes, (node, records) => changes.add(node, records));
  changes.round += 1;
  return () => walk.close();
}

/** Whether the JSON of an object is its fields. */
function hasFields(value) {
  if (value === null || typeof value !== "object" || ArrayBufferIsView(value)) return false;
  return typeof value.toJSON !== "function";
}

/** What changed since the last emission, by object and key: the first record has the value before. */
class PendingChanges {
  held = 0;
  /** Counts emissions. */
  round = 0;
  #callback;
  /** @type {Map<Node, Map<string, Descriptor>>} */
  #nodes = new SafeMap();

  constructor(callback) {
    this.#callback = callback;
  }

  add(node, records) {
    let changes = this.#nodes.get(node);
    if (changes === undefined) this.#nodes.set(node, changes = new SafeMap());
    for (let i = 0; i < records.length; i++) {
      const record = records[i];
      if (record instanceof MethodCall || typeof record.key === "symbol") continue;
      const key = String(record.key);
      if (ArrayIsArray(node.object) && key !== "length" && !isIndex(key)) continue;
      if (!changes.has(key)) changes.set(key, record);
    }
  }

  flush() {
    if (this.#nodes.size === 0 || this.held > 0) return;
    const nodes = this.#nodes;
    const { round } = this;
    this.#nodes = new SafeMap();
    this.round += 1;
    const records = [];
    const lengths = [];
    for (const { 0: node, 1: changes } of nodes.entries()) {
      // What was detached meanwhile is part of no path; what was attached meanwhile goes whole with its parent.
      if (!node.attached || node.round === round || changes.size === 0) continue;
      const paths = pathsTo(node);
      for (const { 0: key, 1: first } of changes.entries()) {
        const list = key === "length" && ArrayIsArray(node.object) ? lengths : records;
        const now = finalRecord(node.object, key, first, changes);
        if (now === null) continue;
        for (let i = 0; i < paths.length; i++) {
          const path = paths[i];
          ArrayPrototypePush(list, { ...now, path: [...new SafeArrayIterator(path), key] });
        }
      }
    }
    if (nodes.size > 1) {
      const parentsFirst = (a, b) => a.path.length - b.path.length;
      ArrayPrototypeSort(records, parentsFirst);
      ArrayPrototypeSort(lengths, parentsFirst);
    }
    for (let i = 0; i < lengths.length; i++) ArrayPrototypePush(records, lengths[i]);
    if (records.length > 0) this.#callback(records);
  }

  close() {
    this.#nodes = new SafeMap();
    this.#callback = () => {};
  }
}

/** The record of a property that may have changed more than once, or null when there is no change. */
function finalRecord(object, key, first, changes) {
  const { oldValue } = first;
  const isUpdate = first.type === "delete" || first.isUpdate;
  const inArray = ArrayIsArray(object);
  if (inArray && key === "length") {
    const value = object.length;
    return value === oldValue ? null : { type: "set", key, value, isUpdate, oldValue };
  }
  if (isEnumerable(object, key)) return { type: "set", key, value: unproxy(object[key]), isUpdate, oldValue };
  // What a new length cuts off needs no word of its own.
  const isCut = inArray && changes.has("length") && Number(key) >= object.length;
  return isUpdate && !isCut ? { type: "delete", key, value: undefined, isUpdate, oldValue } : null;
}

// -- proxies ---------------------------------------------------------------------------------------------------------

/** Proxies that keep their identity, by target and membrane. @type {WeakMap<object, Map<unknown, object>>} */
const membranes = new SafeWeakMap();

/**
 * A deep proxy of an array or an object literal; the same one for the same value. What plain code does through it, at
 * any depth, is observed. Every other value is returned as it is: a stream or an instance of a class may have private
 * state that only itself can reach.
 */
export function reactive(value) {
  return isPlain(value) ? proxy(value, DEEP) : value;
}

const DEEP = ObjectFreeze({ chainable: true, membrane: Symbol("reactive") });

/**
 * A proxy through which plain code is observed. With `chainable`, the objects read through it are proxied too; with a
 * `membrane` (any value), asking again gives the same proxy. `arrayMethodName` names the operation in records. Classes
 * and native functions are returned as they are.
 */
export function proxy(target, options = {}) {
  if (!isObject(target)) return target;
  target = unproxy(target);
  if (typeof target === "function" && isClassOrNative(target)) return target;
  if (options.membrane === undefined) return newProxy(target, options);
  let known = membranes.get(target);
  if (known === undefined) membranes.set(target, known = new SafeMap());
  let made = known.get(options.membrane);
  if (made === undefined) known.set(options.membrane, made = newProxy(target, options));
  return made;
}

function newProxy(target, options) {
  const handler = options === DEEP ? DEEP_HANDLER : new Handler(options);
  const made = new Proxy(target, handler);
  proxies.set(made, { target, handler });
  return made;
}

function isClassOrNative(target) {
  const text = FunctionPrototypeToString(target);
  return StringPrototypeStartsWith(text, "class") || StringPrototypeEndsWith(text, "{ [native code] }");
}

/** For the host: whether `value` is an array or an object literal, and so holds nothing that a proxy would hide. */
export function isPlain(value) {
  if (value === null || typeof value !== "object") return false;
  if (ArrayIsArray(value)) return true;
  const prototype = ObjectGetPrototypeOf(value);
  if (prototype === null || prototype === ObjectPrototype) return true;
  // The Object.prototype of another realm.
  return ObjectGetPrototypeOf(prototype) === null && ObjectHasOwn(prototype, "isPrototypeOf");
}

/** The traps of our proxies: each is the operation of the same name. */
class Handler {
  #options;
  #naming;

  constructor(options) {
    this.#options = options;
    this.#naming = options.arrayMethodName === undefined ? {} : { operation: options.arrayMethodName };
  }

  get(target, key, receiver) {
    if (ArrayIsArray(target)) {
      const method = ARRAY_METHODS.get(key);
      if (method !== undefined && target[key] === Array.prototype[key]) return method;
    }
    const value = read(target, key, receiver);
    return isObject(value) && !isFixed(target, key) ? this.wrap(value) : value;
  }

  /** A value as it is seen through the proxy. */
  wrap(value) {
    return this.#options.chainable && isPlain(value) ? proxy(value, this.#options) : value;
  }

  set(target, key, value, receiver) {
    if (proxies.get(receiver)?.target !== target) return ReflectSet(target, key, value, receiver);
    return Boolean(set(target, key, unproxy(value), { ...this.#naming, receiver }));
  }

  deleteProperty(target, key) {
    return Boolean(deleteProperty(target, key, this.#naming));
  }

  defineProperty(target, key, property) {
    const own = "value" in property ? { ...property, value: unproxy(property.value) } : property;
    return Boolean(defineProperty(target, key, own, this.#naming));
  }

  has(target, key) {
    return has(target, key);
  }

  ownKeys(target) {
    return ownKeys(target);
  }

  getOwnPropertyDescriptor(target, key) {
    return getOwnPropertyDescriptor(target, key);
  }

  getPrototypeOf(target) {
    return getPrototypeOf(target);
  }

  setPrototypeOf(target, prototype) {
    return setPrototypeOf(target, prototype);
  }

  isExtensible(target) {
    return isExtensible(target);
  }

  preventExtensions(target) {
    return preventExtensions(target);
  }
}

const DEEP_HANDLER = new Handler(DEEP);

/** Whether the language demands that a proxy gives the very value of this property. */
function isFixed(target, key) {
  const property = ReflectGetOwnPropertyDescriptor(target, key);
  return property?.configurable === false && property.writable === false;
}

// -- arrays through proxies ------------------------------------------------------------------------------------------

/** The first index that each method may change. */
const FIRST_CHANGED = {
  push: (length) => length,
  pop: (length) => MathMax(0, length - 1),
  splice: (length, { 0: start }) => {
    const index = MathTrunc(Number(start)) || 0;
    return index < 0 ? MathMax(0, length + index) : MathMin(index, length);
  },
  shift: () => 0,
  unshift: () => 0,
  sort: () => 0,
  reverse: () => 0,
  copyWithin: () => 0,
  fill: () => 0,
};

const ARRAY_METHODS = new SafeMap([
  ...new SafeArrayIterator(ArrayPrototypeMap(ObjectKeys(FIRST_CHANGED), (name) => [name, mutator(name)])),
  ...new SafeArrayIterator(ArrayPrototypeMap(["includes", "indexOf", "lastIndexOf"], (name) => [name, search(name)])),
]);

/** A method that works on the raw array and then emits what it did, in one emission. */
function mutator(name) {
  const native = Array.prototype[name];
  return function (...args) {
    const { target, handler } = proxies.get(this) ?? {};
    if (!ArrayIsArray(target)) return ReflectApply(native, this, args);
    const raw = ArrayPrototypeMap(args, unproxy);
    if (name === "sort" && typeof args[0] === "function") {
      raw[0] = (a, b) => args[0](handler.wrap(a), handler.wrap(b));
    }
    const { length } = target;
    const first = FIRST_CHANGED[name](length, args);
    const before = ArrayPrototypeSlice(target, first);
    // Interceptors must see every change before it is made, so it is made on a copy first.
    const work = isIntercepted(target) ? ArrayPrototypeSlice(target) : target;
    let result;
    try {
      result = ReflectApply(native, work, raw);
    } finally {
      const changed = changedItems(before, work, first, length);
      const call = new MethodCall(target, name, args);
      if (work === target) emit(target, [call, ...new SafeArrayIterator(recordsOf(target, changed, length, name))]);
      else repeat(target, call, changed, work.length);
    }
    if (result === work) return this;
    return name === "splice" ? ArrayPrototypeMap(result, (item) => handler.wrap(item)) : handler.wrap(result);
  };
}

/** What became of the items from `first` on: `{ key, had, has, value, oldValue }` of each that is another now. */
function changedItems(before, work, first, length) {
  const changed = [];
  for (let index = first; index < MathMax(length, work.length); index++) {
    const had = index < length && ObjectHasOwn(before, index - first);
    const has = ObjectHasOwn(work, index);
    const oldValue = before[index - first];
    if (had === has && ObjectIs(oldValue, work[index])) continue;
    ArrayPrototypePush(changed, { key: String(index), had, has, value: work[index], oldValue });
  }
  return changed;
}

function recordsOf(target, changed, length, operation) {
  const related = ArrayPrototypeMap(changed, ({ key }) => key);
  if (target.length !== length) ArrayPrototypePush(related, "length");
  const records = ArrayPrototypeMap(changed, ({ key, had, has, value, oldValue }) => {
    return has
      ? new Descriptor("set", target, key, { value, isUpdate: had, oldValue, related, operation })
      : new Descriptor("delete", target, key, { oldValue, related, operation });
  });
  if (target.length !== length) {
    const rest = { value: target.length, isUpdate: true, oldValue: length, related, operation };
    ArrayPrototypePush(records, new Descriptor("set", target, "length", rest));
  }
  for (const record of new SafeArrayIterator(records)) record.status = true;
  return records;
}

/** Does to an intercepted array what a method did to its copy. */
function repeat(target, call, changed, length) {
  const { operation } = call;
  batch(target, () => {
    emit(target, [call]);
    for (const { key, has, value } of new SafeArrayIterator(changed)) {
      if (has) set(target, key, value, { operation });
      else deleteProperty(target, key, { operation });
    }
    if (target.length !== length) set(target, "length", length, { operation });
  });
}

/** A method that finds an item whether it is asked for raw or as a proxy. */
function search(name) {
  const native = Array.prototype[name];
  return function (item, ...rest) {
    const target = unproxy(this);
    const found = ReflectApply(native, target, [unproxy(item), ...new SafeArrayIterator(rest)]);
    // An array may hold proxies, when it was made of them before it was written here.
    if (found !== false && found !== -1) return found;
    return ReflectApply(native, this, [item, ...new SafeArrayIterator(rest)]);
  };
}
