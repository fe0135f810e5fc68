// Which files runtime-js/ has: each is loaded and described, and each file of src/ext/ with ops has its half by name.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import test from "node:test";

const ROOT = new URL("../../", import.meta.url);
const read = (path) => readFileSync(new URL(path, ROOT), "utf8");

/** The scripts of runtime-js/, as paths in it. */
const scripts = readdirSync(new URL("runtime-js/", ROOT), { recursive: true })
  .filter((path) => path.endsWith(".js") && !path.startsWith("dev/"))
  .sort();
const isForBrowsersOnly = (path) => path.startsWith("client/");
const loaded = scripts.filter((path) => !isForBrowsersOnly(path));

/** The rows of a README's table of files: name, whether browsers run it, Rust half. */
function rows(readme) {
  const cells = read(readme).split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  return cells.filter(({ 1: name }) => /^[\w/]+\.js( \*)?$/.test(name ?? ""))
    .map(({ 1: name, 3: half }) => ({ name: name.replace(" *", ""), isPortable: name.endsWith(" *"), half }));
}

/** What a script imports: `from` as a path in runtime-js/, or as it is written. */
function importsOf(path) {
  const statements = read(`runtime-js/${path}`).matchAll(/^import (?:\{([^}]*)\} from )?"([^"]+)";/gm);
  return [...statements].map(([, names = "", specifier]) => ({
    names: names.split(",").map((name) => name.trim().split(" as ")[0]).filter((name) => name !== ""),
    from: specifier.startsWith(".") ? posix.join(posix.dirname(path), specifier) : specifier,
  }));
}

const bridge = read("src/ext/mod.rs");
/** The extension of Node's half, which has lists of its own. */
const nodeBridge = read("src/ext/node/mod.rs");
const listed = (text, start, end, pattern) => {
  const [list] = text.slice(text.indexOf(start)).split(end);
  return [...list.matchAll(pattern)].map((match) => match.slice(1));
};
const isNodes = (path) => path.startsWith("node/");
/** The packages of Fastify, which have a list of their own. */
const fastifyBridge = read("src/ext/fastify/mod.rs");
const isFastifys = (path) => path.startsWith("fastify/");
/** The scripts of aiwebengine's dialect, which have a list of their own. */
const aiwebengineBridge = read("src/ext/aiwebengine/mod.rs");
const isAiwebengines = (path) => path.startsWith("aiwebengine/");
const hasOwnList = (path) => isNodes(path) || isFastifys(path) || isAiwebengines(path);
const table = rows("runtime-js/README.md");

test("each script is in the list of sources and in the README's table", () => {
  const sources = listed(bridge, "\"runtime-js\",\n", "]", /"(.+\.js)"/g).flat();
  assert.deepEqual(sources, loaded.filter((path) => !hasOwnList(path)), "SOURCES of src/ext/mod.rs");
  const ofFastify = listed(fastifyBridge, "\"runtime-js/fastify\"", "]", /"(\w+\.js)"/g).flat();
  assert.deepEqual(ofFastify, loaded.filter(isFastifys).map((path) => posix.basename(path)), "those of ext/fastify/mod.rs");
  const ofAiwebengine = listed(aiwebengineBridge, "\"runtime-js/aiwebengine\"", "]", /"(\w+\.js)"/g).flat();
  const aiwebengines = loaded.filter(isAiwebengines).map((path) => posix.basename(path));
  assert.deepEqual(ofAiwebengine, aiwebengines, "those of ext/aiwebengine/mod.rs");
  const ofNode = listed(nodeBridge, "\"runtime-js/node\"", "]", /"([\w]+\.js)"/g).flat();
  // Scripts of deno_node import this one, so it is no script of the extension.
  ofNode.push("global_scope.js");
  assert.deepEqual(ofNode.sort(), loaded.filter(isNodes).map((path) => posix.basename(path)), "those of ext/node/mod.rs");
  assert.deepEqual(table.map(({ name }) => name), loaded, "the table of runtime-js/README.md");
  const inClient = scripts.filter(isForBrowsersOnly).map((path) => posix.basename(path));
  assert.deepEqual(rows("runtime-js/client/README.md").map(({ name }) => name), inClient, "that of client/README.md");
});

test("each file or folder of src/ext/ with ops has its half by name", () => {
  const ops = listed(bridge, "ops = [", "],", /(\w+)(?:::\w+)*::(op_\w+),/g);
  const imported = new Map();
  const importedByNode = new Set(
    loaded.filter(isNodes).flatMap(importsOf).filter(({ from }) => from === "ext:core/ops").flatMap(({ names }) => names),
  );
  // Further ops of Node's half are for the scripts of deno_node.
  const ofNode = listed(nodeBridge, "ops = [", "],", /(op_\w+),/g).flat();
  const registered = new Set([...ops.map(([, op]) => op), ...ofNode]);
  for (const op of importedByNode) assert.ok(registered.has(op), `${op} is not registered`);
  for (const path of loaded) {
    for (const { names, from } of importsOf(path)) {
      if (from !== "ext:core/ops") continue;
      for (const name of names) imported.set(name, [...(imported.get(name) ?? []), path]);
    }
  }
  const own = [...imported.keys()].filter((op) => !ofNode.includes(op)).sort();
  assert.deepEqual(own, ops.map(([, op]) => op).sort(), "registered and imported");
  const isHalf = (capability, path) => path === `${capability}.js` || path.startsWith(`${capability}/`);
  for (const capability of new Set(ops.map(([capability]) => capability))) {
    const own = ops.filter(([owner]) => owner === capability).flatMap(([, op]) => imported.get(op));
    assert.ok(own.some((path) => isHalf(capability, path)), `no file ${capability}.js or ${capability}/ uses its ops`);
    const named = table.filter(({ half }) => half.includes(`ext/${capability}.rs`) || half.includes(`ext/${capability}/`));
    assert.ok(named.length > 0, `the table of runtime-js/README.md does not name src/ext/${capability}`);
    for (const { name } of named) assert.ok(isHalf(capability, name), `${name} is no half of src/ext/${capability}`);
  }
});

test("what the table names as a Rust half exists", () => {
  const halves = table.map(({ half }) => half).filter((half) => half !== "");
  for (const half of halves) assert.ok(existsSync(new URL(`src/${half.replaceAll("`", "")}`, ROOT)), `there is no src/${half}`);
});

test("scripts for browsers import only scripts for browsers, by relative paths", () => {
  const portable = new Set(table.filter(({ isPortable }) => isPortable).map(({ name }) => name));
  const forBrowsers = new Set([...portable, ...scripts.filter(isForBrowsersOnly)]);
  for (const path of forBrowsers) {
    const allowed = isForBrowsersOnly(path) ? forBrowsers : portable;
    for (const { from } of importsOf(path)) assert.ok(allowed.has(from), `${path} imports ${from}`);
  }
});

test("scripts are 7-bit ASCII, which the engine shares and need not copy", () => {
  for (const path of [...scripts, "dev/page.js"]) {
    assert.match(read(`runtime-js/${path}`), /^[\n -~]*$/, path);
  }
});
