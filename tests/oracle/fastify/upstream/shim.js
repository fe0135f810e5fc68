// Stands for node:test in the tests that packages carry: runs the one test whose number is in UPSTREAM_TEST, and prints
// a line with its result. Without a number it prints the names of all.
"use strict";

const assert = require("node:assert");

const tests = [];

/** The longest that one test may take, in milliseconds. */
const PATIENCE = 20_000;

function register(name, options, run) {
  tests.push({ name, run: typeof options === "function" ? options : run, isSkipped: options?.skip === true });
}
register.skip = (name) => void tests.push({ name, isSkipped: true });

class Context {
  #after = [];
  #plan;
  #count = 0;
  #planned;

  constructor() {
    this.#planned = new Promise((resolve) => this.resolve = resolve);
    const counted = (check) => (...values) => {
      this.#count += 1;
      try {
        return check(...values);
      } catch (error) {
        this.fail(error);
        throw error;
      } finally {
        if (this.#count === this.#plan) this.resolve();
      }
    };
    const names = ["ok", "equal", "strictEqual", "deepEqual", "deepStrictEqual", "notStrictEqual", "match", "throws", "rejects", "ifError", "fail"];
    this.assert = Object.fromEntries(names.map((name) => [name, counted(assert[name])]));
    this.error = this.assert.ifError;
  }

  failure = null;

  fail(error) {
    this.failure ??= error;
    this.resolve();
  }

  plan(count) {
    this.#plan = count;
  }

  after(run) {
    this.#after.push(run);
  }

  /** Waits for all planned checks, as some come after the test's function has returned. */
  async end() {
    if (this.#plan !== undefined && this.#count < this.#plan && this.failure === null) await this.#planned;
    if (this.failure === null && this.#plan !== undefined && this.#count !== this.#plan) {
      this.failure = new Error(`${this.#count} checks instead of ${this.#plan}`);
    }
  }

  async close() {
    for (const run of this.#after) await run();
  }
}

function say(result) {
  console.log(`UPSTREAM ${JSON.stringify(result)}`);
}

async function runTest({ name, run, isSkipped }) {
  if (isSkipped) return say({ name, skipped: true });
  const context = new Context();
  const late = setTimeout(() => context.fail(new Error(`not done after ${PATIENCE / 1000} s`)), PATIENCE);
  const caught = (error) => context.fail(error);
  process.on("uncaughtException", caught);
  process.on("unhandledRejection", caught);
  try {
    const running = run.length >= 2 ? new Promise((resolve) => run(context, resolve)) : Promise.resolve(run(context));
    await Promise.race([running, new Promise((resolve) => {
      const resolved = context.resolve;
      context.resolve = () => {
        resolved();
        if (context.failure !== null) resolve();
      };
    })]);
    await context.end();
  } catch (error) {
    context.fail(error);
  }
  clearTimeout(late);
  const { failure } = context;
  say({ name, passed: failure === null, error: failure && String(failure.stack ?? failure) });
  await context.close();
}

module.exports = {
  test: register,
  /** Called once the file of tests was loaded. */
  begin() {
    const chosen = process.env.UPSTREAM_TEST;
    if (chosen === undefined) return say(tests.map(({ name }) => name));
    return runTest(tests[Number(chosen)]);
  },
};
