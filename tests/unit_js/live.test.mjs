// The runtime of live functions, called as compiled code calls it. What the compiler makes of sources is tested with
// the compiler; whole programs are in tests/it/live_functions.rs.

import assert from "node:assert/strict";
import test from "node:test";

import { countRegistrations } from "../../runtime-js/observer/objects.js";
import { Observer } from "../../runtime-js/observer/observer.js";
import { live, setProgramOwner } from "../../runtime-js/live/live.js";

test("a statement runs again when a cell that it read was written", () => {
  const seen = [];
  let n = 1;
  const cell = live.cell();
  const state = live.run(($) => $.block([
    ($) => { seen.push($.read(cell, n)); },
    ($) => $.return($.read(cell, n) * 2),
  ]));
  const values = [];
  Observer.observe(state, "value", ({ value }) => values.push(value));
  live.wrote(cell, n = 5);
  assert.deepEqual([seen, values, state.value], [[1, 5], [10], 10]);
});

test("a value that stays the same is not told", () => {
  const cell = live.cell();
  const state = live.run(($) => $.block([($) => ($.read(cell), $.return(1))]));
  let told = 0;
  Observer.observe(state, "value", () => told++);
  live.wrote(cell);
  assert.equal(told, 0);
});

test("disposing leaves no subscription behind", () => {
  const before = countRegistrations();
  const object = { a: { b: 1 }, list: [1, 2] };
  const cell = live.cell();
  const state = live.run(($) => $.block([
    ($) => { $.get($.get(object, "a"), "b"); },
    ($) => $.each($.get(object, "list"), ($, item) => $.block([($) => { $.get(item, "value"); }])),
    ($) => { $.restOfObject(object, ["a"]); },
    ($) => { $.read(cell); },
  ]));
  assert.ok(countRegistrations() > before && cell.tasks.size === 1);
  state.dispose();
  assert.deepEqual([countRegistrations(), cell.tasks.size], [before, 0]);
});

test("what a statement no longer reads is not followed", () => {
  const before = countRegistrations();
  const object = { on: true, value: 1 };
  let runs = 0;
  const state = live.run(($) => $.block([($) => { runs++; if ($.get(object, "on")) $.get(object, "value"); }]));
  live.set(object, "on", false);
  live.set(object, "value", 2);
  assert.equal(runs, 2);
  state.dispose();
  assert.equal(countRegistrations(), before);
});

test("one emission is one wave", () => {
  const object = { a: 1, b: 2 };
  const seen = [];
  live.run(($) => $.block([($) => { seen.push($.get(object, "a") + $.get(object, "b")); }]));
  Observer.set(object, { a: 10, b: 20 });
  assert.deepEqual(seen, [3, 30]);
});

test("a program inside of another ends when the statement that began it runs again", () => {
  const cell = live.cell();
  const seen = [];
  const inner = (name) => live.run(($) => $.block([($) => { $.read(cell); seen.push(name); }]));
  let n = 0;
  live.run(($) => $.block([($) => { $.read(cell); inner(`inner ${n++}`); }]));
  live.wrote(cell);
  assert.deepEqual(seen, ["inner 0", "inner 1"]);
});

test("an error in a statement that runs again goes to who made the change, and the others still run", () => {
  const cell = live.cell();
  const seen = [];
  let fails = false;
  live.run(($) => $.block([
    ($) => { $.read(cell); if (fails) throw new Error("boom"); },
    ($) => { $.read(cell); seen.push("ran"); },
  ]));
  fails = true;
  assert.throws(() => live.wrote(cell), /boom/);
  assert.deepEqual(seen, ["ran", "ran"]);
});

test("an error in the first run ends the program", () => {
  const cell = live.cell();
  assert.throws(() => live.run(($) => $.block([($) => { $.read(cell); }, () => { throw new Error("boom"); }])), /boom/);
  assert.equal(cell.tasks.size, 0);
});

test("statements before one that awaits run at once, those after it wait", async () => {
  const [above, below, own] = [live.cell(), live.cell(), live.cell()];
  const seen = [];
  let release;
  let waits = false;
  await live.runAsync(($) => $.block([
    ($) => { $.read(above); seen.push("above"); },
    async ($) => {
      $.read(own);
      if (waits) await new Promise((resolve) => release = resolve);
      seen.push("own");
    },
    ($) => { $.read(below); seen.push("below"); },
  ]));
  seen.length = 0;
  waits = true;
  live.wrote(own);
  live.wrote(below);
  live.wrote(above);
  assert.deepEqual(seen, ["above"]);
  release();
  await new Promise((done) => setTimeout(done));
  assert.deepEqual(seen, ["above", "own", "below"]);
});

test("methods that change arrays, and functions that change their argument, are observed", () => {
  const object = { list: [2, 1] };
  const records = [];
  Observer.observe(object.list, (all) => records.push(all.map(({ operation }) => operation)[0]));
  Observer.observe(object, (all) => records.push(all[0].key));
  assert.equal(live.call(object.list, "push", [3]), 3);
  assert.equal(live.call(object.list, "sort", []), object.list);
  assert.equal(live.call(Object, "assign", [object, { a: 1 }]), object);
  assert.deepEqual([records, object.list], [["push", "sort", "a"], [1, 2, 3]]);
});

test("writes fail as the language's do", () => {
  const frozen = Object.freeze({ a: 1 });
  assert.throws(() => live.set(frozen, "a", 2), TypeError);
  assert.throws(() => live.delete(frozen, "a"), TypeError);
  assert.throws(() => live.set(null, "a", 2), TypeError);
  assert.throws(() => live.call({}, "nothing", []), /nothing is not a function/);
  const big = { n: 1n };
  assert.deepEqual([live.incrementLater(big, "n"), live.decrement(big, "n")], [1n, 1n]);
});

test("programs that begin on their own are given to an owner", () => {
  const owned = [];
  let released = 0;
  setProgramOwner((dispose) => {
    owned.push(dispose);
    return () => released += 1;
  });
  const cell = live.cell();
  live.run(($) => $.block([($) => { $.read(cell); }]));
  setProgramOwner(() => {});
  owned.forEach((dispose) => dispose());
  assert.deepEqual([owned.length, released, cell.tasks.size], [1, 1, 0]);
});

test("each of many followers runs once for each write", () => {
  const cell = live.cell();
  const list = Array.from({ length: 2000 }, (_, index) => index);
  let runs = 0;
  live.run(($) => $.block([($) => $.each(list, ($) => $.block([($) => { $.read(cell); runs++; }]))]));
  for (let n = 0; n < 10; n++) live.wrote(cell);
  assert.equal(runs, 22_000);
});
