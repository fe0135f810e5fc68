// Changes from one side to the other: whatever happens to the original, the copy becomes equal.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { encodeRecords } from "../../runtime-js/port/frames.js";
import { applyRecords } from "../../runtime-js/port/deltas.js";
import { Observer } from "../../runtime-js/observer/observer.js";
import { reactive, subscribe } from "../../runtime-js/observer/reactive.js";
import { random } from "./support/random.mjs";

const SEQUENCES = 2500;
const BATCHES = 8;

/** What JSON makes of a value. */
const asSent = (value) => JSON.parse(JSON.stringify(value));

/** A copy that follows `original` over the wire. */
function follow(original) {
  const copy = { body: asSent(original) };
  subscribe(original, (records) => applyRecords(copy, JSON.parse(encodeRecords(records, "body"))));
  return copy;
}

/** Does one random thing to one random object of a tree. */
function mutate(rng, data) {
  const places = [];
  const collect = (value, depth) => {
    if (value === null || typeof value !== "object" || depth > 6 || places.length > 40) return;
    places.push(value);
    for (const key of Object.keys(value)) collect(value[key], depth + 1);
  };
  collect(data, 0);
  const place = rng.pick(places);
  const value = () => fresh(rng, rng.below(3));
  // What is somewhere in the tree comes to stand in a second place, but never below itself.
  const moved = () => {
    const other = rng.pick(places);
    return reaches(other, place) ? value() : other;
  };
  const any = () => rng.below(4) === 0 ? moved() : value();
  if (!Array.isArray(place)) {
    const key = rng.pick(["a", "b", "c", "d e", "0"]);
    rng.pick([
      () => place[key] = any(),
      () => place[key] = any(),
      () => delete place[key],
      () => Observer.set(place, { a: any(), b: any() }),
      () => Observer.defineProperty(place, key, { value: any(), writable: true, enumerable: true, configurable: true }),
    ])();
    return;
  }
  const index = () => rng.below(place.length + 2);
  rng.pick([
    () => place.push(any(), any()),
    () => place.pop(),
    () => place.shift(),
    () => place.unshift(any()),
    () => place.splice(index(), rng.below(3), ...Array.from({ length: rng.below(3) }, any)),
    () => place.sort((a, b) => JSON.stringify(a) < JSON.stringify(b) ? -1 : 1),
    () => place.sort(),
    () => place.reverse(),
    () => place.fill(any(), index(), index()),
    () => place.copyWithin(index(), index(), index()),
    () => place.length = rng.below(place.length + 3),
    () => place[index()] = any(),
    () => delete place[index()],
  ])();
}

/** Whether `below` can be reached from `value`. */
function reaches(value, below) {
  if (Observer.unproxy(value) === Observer.unproxy(below)) return true;
  return value !== null && typeof value === "object" && Object.values(value).some((item) => reaches(item, below));
}

function fresh(rng, depth) {
  if (depth === 0) return rng.pick([1, "s", true, null, -0.5, "", NaN, undefined, rng.below(100)]);
  if (rng.below(2) === 0) return Array.from({ length: rng.below(4) }, () => fresh(rng, depth - 1));
  return Object.fromEntries(["a", "b", "c"].slice(rng.below(4)).map((key) => [key, fresh(rng, depth - 1)]));
}

describe("copies", () => {
  test("any_sequence_of_changes_leaves_both_sides_equal", () => {
    for (let seed = 1; seed <= SEQUENCES; seed++) {
      const rng = random(seed);
      const original = rng.below(2) === 0 ? { a: fresh(rng, 3), b: [1, 2, 3] } : [fresh(rng, 2), fresh(rng, 2), 3];
      const copy = follow(original);
      const data = reactive(original);
      for (let batch = 0; batch < BATCHES; batch++) {
        Observer.batch(original, () => {
          for (let step = rng.below(4); step >= 0; step--) mutate(rng, data);
        });
        assert.deepEqual(asSent(copy.body), asSent(original), `seed ${seed}, batch ${batch}`);
      }
    }
  });

  test("a_copy_of_a_copy_is_equal_too", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const rng = random(seed);
      const original = { a: fresh(rng, 3), b: [1, { c: 2 }, 3] };
      const copy = follow(original);
      const second = follow(copy.body);
      const data = reactive(original);
      for (let step = 0; step < 20; step++) {
        mutate(rng, data);
        assert.deepEqual(asSent(second.body), asSent(original), `seed ${seed}, step ${step}`);
      }
    }
  });
});

describe("values", () => {
  /** What a copy gets for a value, at first and when it is set. */
  function sent(value) {
    const original = { value };
    const copy = follow(original);
    const atFirst = copy.body.value;
    Observer.set(original, "value", null);
    Observer.set(original, "value", value);
    return [atFirst, copy.body.value];
  }

  test("what_json_can_say_of_a_value_is_sent", () => {
    const date = new Date(0);
    assert.deepEqual(sent(date), [date.toISOString(), date.toISOString()]);
    assert.deepEqual(sent(new Map([[1, 2]])), [{}, {}]);
    assert.deepEqual(sent(new Set([1])), [{}, {}]);
    assert.deepEqual(sent(new Uint8Array([7, 8])), [{ 0: 7, 1: 8 }, { 0: 7, 1: 8 }]);
    assert.deepEqual(sent(undefined), [undefined, undefined]);
    assert.deepEqual(sent(() => {}), [undefined, undefined]);
    assert.deepEqual(sent(NaN), [null, null]);
    assert.deepEqual(sent(-Infinity), [null, null]);
    assert.deepEqual(sent({ toJSON: () => "own" }), ["own", "own"]);
  });

  test("undefined_is_a_record_without_a_value", () => {
    const wire = [];
    const original = { a: 1 };
    subscribe(original, (records) => wire.push(...JSON.parse(encodeRecords(records, null))));
    Observer.set(original, "a", undefined);
    assert.deepEqual(wire, [{ type: "set", key: "a", isUpdate: true, operation: "set", path: ["a"] }]);
  });

  test("what_json_cannot_say_is_an_error_that_names_the_place", () => {
    const original = { list: [], deep: { a: {} } };
    subscribe(original, (records) => encodeRecords(records, null));
    assert.throws(() => Observer.proxy(original.list).push({ id: 7n }), {
      name: "TypeError",
      message: "A change cannot be sent as JSON: $.list.0.id is a BigInt; send it as a string.",
    });
    assert.throws(() => Observer.set(original.deep.a, "up", original.deep), {
      name: "TypeError",
      message: "A change cannot be sent as JSON: $.deep.a.up.a.up leads back to $.deep.a.up, a circular structure.",
    });
  });
});

describe("applying", () => {
  const set = (path, value) => ({ type: "set", key: path.at(-1), value, operation: "set", path });

  test("all_of_a_delta_is_told_at_once", () => {
    const root = { a: { b: 1 }, list: [1, 2] };
    const told = [];
    Observer.observe(root, Observer.subtree(), (records) => told.push(records.map(({ path }) => path.join("."))));
    applyRecords(root, [set(["a", "b"], 2), set(["c"], 3), set(["list", "length"], 1)]);
    assert.deepEqual(root, { a: { b: 2 }, list: [1], c: 3 });
    assert.equal(told.length, 1);
  });

  test("method_records_of_other_hosts_are_applied", () => {
    const root = { list: [3, 1, 2] };
    const call = (operation, ...argumentsList) => applyRecords(root, [{ operation, argumentsList, path: ["list"] }]);
    call("push", 5, 4);
    call("sort");
    assert.deepEqual(root.list, [1, 2, 3, 4, 5]);
    call("splice", 1, 2, 9);
    assert.deepEqual(root.list, [1, 9, 4, 5]);
    for (const [method, ...given] of [["sort", null], ["map", null], ["constructor", 3], ["__proto__"], ["toString"]]) {
      call(method, ...given);
    }
    assert.deepEqual(root.list, [1, 9, 4, 5]);
  });

  test("records_of_a_pop_elsewhere_shorten_the_array", () => {
    const root = { body: { list: [1, 2] } };
    applyRecords(root, [
      { type: "delete", key: "1", operation: "pop", path: ["body", "list", "1"] },
      { type: "set", key: "length", value: 1, operation: "pop", path: ["body", "list", "length"] },
    ]);
    assert.deepEqual(root.body.list, [1]);
  });

  test("nothing_outside_the_copy_is_reached", () => {
    const root = JSON.parse('{"a":{},"list":[],"own":{"constructor":{"prototype":{}}}}');
    applyRecords(root, [
      set(["__proto__", "p"], 1),
      set(["a", "__proto__", "p"], 1),
      set(["a", "constructor", "prototype", "p"], 1),
      set(["own", "constructor", "p"], 1),
      set(["list", "push", "p"], 1),
      set(["a", "toString", "p"], 1),
      set(["a", "__proto__"], { p: 1 }),
      { operation: "push", argumentsList: [1], path: ["list", "__proto__"] },
      { type: "delete", key: "toString", path: ["__proto__", "toString"] },
    ]);
    assert.deepEqual(root, JSON.parse('{"a":{},"list":[],"own":{"constructor":{"prototype":{}}}}'));
    assert.deepEqual([({}).p, Object.p, [].push.p, ({}).toString.p], [undefined, undefined, undefined, undefined]);
    assert.equal(typeof ({}).toString, "function");
  });

  test("records_that_make_no_sense_are_passed_over", () => {
    const root = { a: 1, list: [1] };
    const odd = [null, 7, {}, { path: [] }, { path: "a" }, set(["x", "y"], 1), set(["a", "b"], 1)];
    const lengths = [-1, 0.5, "x", 2 ** 32, null].map((length) => set(["list", "length"], length));
    applyRecords(root, [...odd, ...lengths, set(["list", "1"], 2)]);
    assert.deepEqual(root, { a: 1, list: [1, 2] });
    for (const records of [null, {}, "x", undefined]) applyRecords(root, records);
    for (const other of [null, 7, undefined]) applyRecords(other, [set(["a"], 1)]);
    assert.deepEqual(root, { a: 1, list: [1, 2] });
  });
});
