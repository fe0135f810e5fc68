// Node's own tests of its modules, as packages that stand in for those modules in browsers carry them. Here they test
// the host's module in place of the package's.

import { readdirSync } from "node:fs";
import Module, { createRequire } from "node:module";
import path from "node:path";
import assert from "node:assert";

const require = createRequire(import.meta.url);
const packages = path.join(import.meta.dirname, "node_modules");

/** The packages: the module that each tests, the folder of its tests, and the files there that are none. */
const SUITES = {
  buffer: { module: "buffer", folders: ["test", "test/node"], others: ["_polyfill.js"] },
  events: { module: "events", folders: ["tests"], others: ["common.js", "index.js", "legacy-compat.js"] },
  "path-browserify": { module: "path", folders: ["test"], others: ["index.js"] },
  "querystring-es3": { module: "querystring", folders: ["test"], others: ["common-index.js", "tap-index.js"] },
  url: { module: "url", folders: ["test"], others: [] },
};

/** Every file of tests, as `package/folder/name`. */
export function files() {
  return Object.entries(SUITES).flatMap(([name, { folders, others }]) =>
    folders.flatMap((folder) =>
      readdirSync(path.join(packages, name, folder))
        .filter((file) => file.endsWith(".js") && !others.includes(file))
        .sort()
        .map((file) => `${name}/${folder}/${file}`)
    )
  );
}

/**
 * Runs the tests of a file.
 * @param {string} file
 * @returns {Promise<{ name: string, error: string | null }[]>} each test, and why it failed
 */
export async function run(file) {
  const name = file.split("/")[0];
  const results = [];
  const tests = [];
  const finish = [];
  // What is skipped where the package stands in for the module is tested here.
  const tape = Object.assign((title, ...rest) => tests.push({ title, body: rest.at(-1) }), {
    onFinish: (call) => finish.push(call),
  });
  const restore = replaceRequires(name, { tape, mocha: { test: tape }, has: Object.hasOwn });
  const attempt = async (title, body) => {
    let error = null;
    try {
      await body();
    } catch (thrown) {
      error = String(thrown?.message ?? thrown);
    }
    results.push({ name: `${file}: ${title}`, error });
  };
  try {
    if (name === "events") {
      // These files are one test each, and share what counts calls.
      require(path.join(packages, "events/tests/common.js")).test = testOf(finish);
    }
    let exported = {};
    await attempt("the file", async () => {
      exported = await require(path.join(packages, file));
    });
    // What was required is not run again.
    delete require.cache[path.join(packages, file)];
    for (const { title, body } of tests) await attempt(title, () => runTape(body));
    if (name === "querystring-es3") {
      for (const [title, body] of Object.entries(exported)) await attempt(title, () => body(assert));
    }
    for (const call of finish) await attempt("the calls", call);
  } finally {
    restore();
  }
  // A file that only defines tests is none itself.
  return results.length > 1 && results[0].error === null ? results.slice(1) : results;
}

/** Makes `require()` in a package's tests return the host's module for the package's own, and these tools. */
function replaceRequires(name, tools) {
  const load = Module._load;
  const own = [path.join(packages, name, "index.js"), path.join(packages, name, "events.js"), path.join(packages, name, "url.js")];
  Module._load = function (request, parent, isMain) {
    if (request in tools) return tools[request];
    if (request.startsWith(".") && parent) {
      const target = path.resolve(path.dirname(parent.filename), request);
      if (target === path.join(packages, name) || own.includes(target) || own.includes(`${target}.js`)) {
        return require(`node:${SUITES[name].module}`);
      }
    }
    return load.call(this, request, parent, isMain);
  };
  return () => {
    Module._load = load;
  };
}

/** Runs one test that was written for tape. */
function runTape(body) {
  const endings = [];
  return new Promise((resolve, reject) => {
    let planned = Infinity;
    let asserted = 0;
    const end = (error) => (error ? reject(error) : resolve());
    const count = (check) => (...args) => {
      check(...args);
      asserted += 1;
      if (asserted === planned) end();
    };
    const test = {
      ...Object.fromEntries(
        Object.entries({
          ok: assert.ok, assert: assert.ok, notOk: (value, text) => assert.ok(!value, text),
          equal: assert.strictEqual, equals: assert.strictEqual, is: assert.strictEqual, strictEqual: assert.strictEqual,
          notEqual: assert.notStrictEqual, notStrictEqual: assert.notStrictEqual,
          deepEqual: assert.deepEqual, same: assert.deepEqual, looseEqual: assert.equal,
          throws: assert.throws, doesNotThrow: assert.doesNotThrow, fail: assert.fail, pass: () => {},
        }).map(([key, check]) => [key, count(check)]),
      ),
      comment() {}, end, on: (_, call) => endings.push(call),
      plan: (number) => { planned = number; },
      test: (title, inner) => runTape(inner),
      skip() {},
    };
    const result = body(test);
    // A test of mocha takes no parameter and ends when it returns.
    if (body.length === 0) Promise.resolve(result).then(resolve, reject);
  }).finally(() => endings.forEach((call) => call()));
}

function testOf(finish) {
  return { onFinish: (call) => finish.push(call), on() {}, fail: assert.fail, comment() {} };
}
