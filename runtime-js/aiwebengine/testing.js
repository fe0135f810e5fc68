// The globals of tests. Tests of a script run when a request or a schedule calls `testRegistry.run()`.

import { isPromise } from "ext:liveline/errors/exceptions.js";
import {
  ArrayPrototypeIncludes,
  ArrayPrototypeJoin,
  ArrayPrototypePop,
  ArrayPrototypePush,
  Error,
  JSONStringify,
  ObjectIs,
  SafeArrayIterator,
  String,
  StringPrototypeIncludes,
} from "ext:liveline/primordials.js";

class AssertionError extends Error {
  get name() {
    return "AssertionError";
  }
}

function fail(message) {
  throw new AssertionError(message);
}

const shown = (value) => typeof value === "string" ? `"${value}"` : JSONStringify(value) ?? String(value);
const same = (a, b) => ObjectIs(a, b) || JSONStringify(a) === JSONStringify(b);

function assert(value, message = undefined) {
  if (!value) fail(message ?? `${shown(value)} is not true`);
}
assert.equal = (actual, expected, message) => ObjectIs(actual, expected) || fail(message ?? `${shown(actual)} is not ${shown(expected)}`);
assert.strictEqual = assert.equal;
assert.deepEqual = (actual, expected, message) => same(actual, expected) || fail(message ?? `${shown(actual)} is not ${shown(expected)}`);
assert.ok = assert;
assert.throws = (run, message) => {
  try {
    run();
  } catch {
    return;
  }
  fail(message ?? "the function did not throw");
};

function matchers(actual, isNot) {
  const check = (name, holds, expected = undefined) => {
    if (holds === isNot) fail(`expected ${shown(actual)} ${isNot ? "not " : ""}${name}${expected === undefined ? "" : ` ${shown(expected)}`}`);
  };
  return {
    __proto__: null,
    toBe: (expected) => check("to be", ObjectIs(actual, expected), expected),
    toEqual: (expected) => check("to equal", same(actual, expected), expected),
    toBeTruthy: () => check("to be true", !!actual),
    toBeFalsy: () => check("to be false", !actual),
    toBeNull: () => check("to be null", actual === null),
    toBeUndefined: () => check("to be undefined", actual === undefined),
    toBeDefined: () => check("to be defined", actual !== undefined),
    toContain: (item) => check("to contain", contains(actual, item), item),
    toBeGreaterThan: (expected) => check("to be greater than", actual > expected, expected),
    toBeLessThan: (expected) => check("to be less than", actual < expected, expected),
    toHaveLength: (expected) => check("to have the length", actual?.length === expected, expected),
    toThrow() {
      let threw = false;
      try {
        actual();
      } catch {
        threw = true;
      }
      check("to throw", threw);
    },
  };
}

const contains = (list, item) => typeof list === "string" ? StringPrototypeIncludes(list, item) : ArrayPrototypeIncludes(list, item);

function expect(actual) {
  const found = matchers(actual, false);
  found.not = matchers(actual, true);
  return found;
}

/** The names of tests, for one script. */
export function testNames() {
  const tests = [], path = [], before = [], after = [];
  const test = (name, run) => {
    ArrayPrototypePush(tests, { name: ArrayPrototypeJoin([...new SafeArrayIterator(path), name], " > "), run });
  };
  const describe = (name, define) => {
    ArrayPrototypePush(path, name);
    try {
      define();
    } finally {
      ArrayPrototypePop(path);
    }
  };
  const each = async (list) => {
    for (const run of new SafeArrayIterator(list)) await run();
  };
  return {
    __proto__: null,
    AssertionError,
    afterEach: (run) => ArrayPrototypePush(after, run),
    assert,
    beforeEach: (run) => ArrayPrototypePush(before, run),
    describe,
    expect,
    it: test,
    suite: describe,
    test,
    testRegistry: {
      __proto__: null,
      /** Runs the tests of the script. Resolves with what came of each. */
      async run() {
        const results = [];
        for (const { name, run } of new SafeArrayIterator(tests)) {
          try {
            await each(before);
            const result = run();
            if (isPromise(result)) await result;
            await each(after);
            ArrayPrototypePush(results, { name, ok: true });
          } catch (error) {
            ArrayPrototypePush(results, { name, ok: false, error: error?.message ?? String(error) });
          }
        }
        return results;
      },
    },
  };
}
