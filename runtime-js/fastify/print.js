// The routes and the plugins of an application as trees of text.

import { primordials } from "ext:core/mod.js";

const {
  ArrayPrototypeFind,
  ArrayPrototypeIncludes,
  ArrayPrototypeJoin,
  ArrayPrototypePush,
  SafeArrayIterator,
  StringPrototypeEndsWith,
  StringPrototypeIndexOf,
  StringPrototypeLastIndexOf,
  StringPrototypeSlice,
  StringPrototypeToUpperCase,
  TypeError,
} = primordials;

class Branch {
  children = [];
  methods = [];

  constructor(text) {
    this.text = text;
  }
}

/** How long the beginning is that two texts share. */
function shared(a, b) {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length += 1;
  return length;
}

/** Where the next parameter or wildcard of a path begins; its end where there is none. */
function dynamicAt(path) {
  for (let i = 0; i < path.length; i++) {
    if (path[i] === "*" || (path[i] === ":" && path[i + 1] !== ":")) return i;
  }
  return path.length;
}

function insert(branch, path, method) {
  if (path === "") return ArrayPrototypePush(branch.methods, method);
  const at = dynamicAt(path);
  if (at === 0) {
    const slash = StringPrototypeIndexOf(path, "/");
    const segment = slash === -1 ? path : StringPrototypeSlice(path, 0, slash);
    let child = ArrayPrototypeFind(branch.children, (it) => it.text === segment);
    if (child === undefined) ArrayPrototypePush(branch.children, child = new Branch(segment));
    return insert(child, StringPrototypeSlice(path, segment.length), method);
  }
  const fixed = StringPrototypeSlice(path, 0, at), rest = StringPrototypeSlice(path, at);
  const near = ArrayPrototypeFind(branch.children, (it) => dynamicAt(it.text) > 0 && shared(it.text, fixed) > 0);
  if (near === undefined) {
    const child = new Branch(fixed);
    ArrayPrototypePush(branch.children, child);
    return insert(child, rest, method);
  }
  const length = shared(near.text, fixed);
  if (length < near.text.length) {
    const lower = new Branch(StringPrototypeSlice(near.text, length));
    lower.children = near.children;
    lower.methods = near.methods;
    near.text = StringPrototypeSlice(near.text, 0, length);
    near.children = [lower];
    near.methods = [];
  }
  insert(near, StringPrototypeSlice(fixed, length) + rest, method);
}

function drawn(branches, before, line) {
  let text = "";
  for (let i = 0; i < branches.length; i++) {
    const isLast = i === branches.length - 1;
    text += `${before}${isLast ? "\u2514\u2500\u2500 " : "\u251c\u2500\u2500 "}${line(branches[i])}\n`;
    text += drawn(branches[i].children, before + (isLast ? "    " : "\u2502   "), line);
  }
  return text;
}

/** The routes of a router. */
export function printed(router, { method, commonPrefix = true, includeHooks = false, includeMeta = false } = {}) {
  if (includeHooks || includeMeta) throw new TypeError("printRoutes() has no includeHooks and no includeMeta on this host.");
  const root = new Branch("");
  const order = [];
  for (const { method: verb, path } of new SafeArrayIterator(router.routes)) {
    if (method !== undefined && verb !== StringPrototypeToUpperCase(method)) continue;
    let known = ArrayPrototypeFind(order, (it) => it.path === path);
    if (known === undefined) ArrayPrototypePush(order, known = { path, methods: [] });
    if (!ArrayPrototypeIncludes(known.methods, verb)) ArrayPrototypePush(known.methods, verb);
  }
  if (order.length === 0) return "(empty tree)";
  if (commonPrefix) {
    // The tree of routes begins with the slash that all of them share.
    if (ArrayPrototypeFind(order, (it) => it.path[0] === "/") !== undefined) ArrayPrototypePush(root.children, new Branch("/"));
    for (const { path, methods } of new SafeArrayIterator(order)) {
      const variants = StringPrototypeEndsWith(path, "?")
        ? [StringPrototypeSlice(path, 0, StringPrototypeLastIndexOf(path, "/")) || "/", StringPrototypeSlice(path, 0, -1)]
        : [path];
      for (const variant of new SafeArrayIterator(variants)) {
        insert(root, variant, ArrayPrototypeJoin(methods, ", "));
      }
    }
  } else {
    for (const { path, methods } of new SafeArrayIterator(order)) {
      const branch = new Branch(path);
      branch.methods = [ArrayPrototypeJoin(methods, ", ")];
      ArrayPrototypePush(root.children, branch);
    }
  }
  // A wildcard alone stands below no slash.
  const line = (branch) => branch.methods.length === 0 ? branch.text : `${branch.text} (${ArrayPrototypeJoin(branch.methods, ", ")})`;
  return drawn(root.children, "", line);
}

/** The plugins of an application, each with the time that it took. */
export function printedPlugins(tree) {
  const line = (plugin) => `${plugin.name} ${plugin.took} ms`;
  return `${line(tree)}\n${drawn(tree.children, "", line)}`;
}
