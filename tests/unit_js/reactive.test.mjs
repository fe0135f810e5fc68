// The host's side of the observer: subscriptions that become wire deltas, and reactive copies.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { countRegistrations } from "../../runtime-js/observer/objects.js";
import { Observer } from "../../runtime-js/observer/observer.js";
import { reactive, subscribe } from "../../runtime-js/observer/reactive.js";
import { joined, log } from "./support/records.mjs";

describe("reactive", () => {
  test("deep_proxy_has_one_identity_and_stores_raw_values", () => {
    const raw = { list: [{ a: 1 }], inner: {} };
    const data = reactive(raw);
    assert.equal(reactive(raw), data);
    assert.equal(reactive(data), data);
    assert.equal(data.list, data.list);
    assert.equal(data.list[0], data.list[0]);
    data.copy = data.inner;
    assert.equal(raw.copy, raw.inner);
    data.list.push(data.inner);
    assert.equal(raw.list[1], raw.inner);
    assert.equal(data.list.indexOf(data.inner), 1);
    assert.equal(data.list.includes(raw.inner), true);
    data.nested = [data.inner];
    assert.equal(data.nested[0], data.inner);
    assert.equal(data.nested.indexOf(data.inner), 0);
    assert.equal(data.list.includes({}), false);
  });

  test("what_array_methods_hand_out_is_reactive", () => {
    const raw = { list: [{ n: 2 }, { n: 1 }, { n: 3 }] };
    const data = reactive(raw);
    const seen = [];
    data.list.sort((a, b) => {
      seen.push(a === reactive(Observer.unproxy(a)));
      return a.n - b.n;
    });
    assert.ok(seen.length > 0 && seen.every(Boolean));
    assert.deepEqual(raw.list.map(({ n }) => n), [1, 2, 3]);
    const [, , last] = raw.list;
    assert.equal(data.list.pop(), reactive(last));
    const [first] = raw.list;
    assert.equal(data.list.splice(0, 1)[0], reactive(first));
  });

  test("values_with_private_state_are_returned_as_they_are", () => {
    class Secret {
      #value = 1;
      get value() {
        return this.#value;
      }
    }
    const objects = [new Secret(), new Map(), new Set(), new Date(), new Uint8Array(1), new ReadableStream()];
    for (const value of [...objects, 1, "s", null]) {
      assert.equal(reactive(value), value);
      assert.equal(reactive({ value }).value, value);
    }
    assert.equal(reactive({ secret: new Secret() }).secret.value, 1);
    const bare = Object.create(null);
    assert.notEqual(reactive(bare), bare);
  });

  test("frozen_parts_are_handed_out_raw_as_the_language_demands", () => {
    const raw = Object.freeze({ inner: {} });
    assert.equal(reactive(raw).inner, raw.inner);
  });

  test("json_and_iteration_work_through_it", () => {
    const raw = { list: [{ a: 1 }, { a: 2 }], text: "x" };
    const data = reactive(raw);
    assert.equal(JSON.stringify(data), JSON.stringify(raw));
    assert.deepEqual([...data.list].map(({ a }) => a), [1, 2]);
    assert.deepEqual(data.list.filter(({ a }) => a > 1).map(({ a }) => a), [2]);
    assert.deepEqual(Object.entries(data).map(([key]) => key), ["list", "text"]);
    assert.ok(Array.isArray(data.list));
  });
});

describe("subscribe", () => {
  test("records_say_path_value_and_what_was", () => {
    const root = { n: 0, list: [1, 2, 3] };
    const { calls, callback } = log();
    subscribe(root, callback);
    Observer.set(root, "n", 1);
    Observer.set(root.list, 0, 9);
    Observer.deleteProperty(root, "n");
    assert.deepEqual(calls, [
      [{ type: "set", key: "n", value: 1, path: ["n"], isUpdate: true, oldValue: 0 }],
      [{ type: "set", key: "0", value: 9, path: ["list", "0"], isUpdate: true, oldValue: 1 }],
      [{ type: "delete", key: "n", value: undefined, path: ["n"], isUpdate: true, oldValue: 1 }],
    ]);
  });

  test("length_is_a_record_of_its_own_and_last", () => {
    const root = { list: [1, 2, 3, 4] };
    const { calls, callback } = log();
    subscribe(root, callback);
    const data = reactive(root);
    data.list.pop();
    data.list.shift();
    data.list.length = 1;
    data.list[3] = "x";
    data.list.sort();
    assert.deepEqual(calls.map(joined), [
      ["set list.length 3"],
      ["set list.0 2", "set list.1 3", "set list.length 2"],
      ["set list.length 1"],
      ['set list.3 "x"', "set list.length 4"],
      ['set list.1 "x"', "delete list.3 undefined"],
    ]);
  });

  test("batch_says_the_final_state_with_parents_first", () => {
    const root = { a: { x: { y: 1 } }, list: [1] };
    const { calls, callback } = log();
    subscribe(root, callback);
    const data = reactive(root);
    Observer.batch(root, () => {
      data.a.x.y = 2;
      data.a.x = 5;
      data.list.push(2);
      data.list = [7];
      data.list.push(8);
      data.gone = 1;
      delete data.gone;
    });
    assert.deepEqual(calls.map(joined), [["set list [7,8]", "set a.x 5"]]);
  });

  test("what_json_does_not_say_is_not_told", () => {
    const root = { date: new Date(0) };
    const { calls, callback } = log();
    subscribe(root, callback);
    Observer.set(root, Symbol("s"), 1);
    Observer.defineProperty(root, "hidden", { value: 1 });
    Observer.set(root.date, "extra", 1);
    const match = Object.assign(["m"], { groups: {} });
    Observer.set(root, "match", match);
    calls.length = 0;
    Observer.set(match.groups, "name", 1);
    Observer.set(match, "index", 1);
    reactive(root).__proto__ = null;
    assert.deepEqual(calls, []);
  });

  test("unsubscribe_releases_everything", () => {
    const before = countRegistrations();
    const root = { a: { b: [{}, {}] } };
    const { calls, callback } = log();
    const stop = subscribe(root, callback);
    assert.equal(countRegistrations(), before + 5);
    stop();
    stop();
    assert.equal(countRegistrations(), before);
    Observer.set(root.a.b[0], "x", 1);
    assert.equal(calls.length, 0);
  });

  test("ten_thousand_replacements_do_not_grow_registrations", () => {
    const root = { child: { deep: { list: [{}] } }, rows: [{}, {}, {}] };
    let told = 0;
    const stop = subscribe(root, () => told += 1);
    const data = reactive(root);
    const before = countRegistrations();
    for (let round = 0; round < 10_000; round++) {
      data.child = { deep: { list: [{}] } };
      data.rows[round % 3] = { round };
      data.rows.push(data.rows.shift());
    }
    assert.equal(told, 40_000);
    assert.equal(countRegistrations(), before);
    stop();
  });

  test("a_throwing_callback_reaches_the_writer_and_leaves_order", () => {
    const root = {};
    let failing = true;
    const heard = [];
    subscribe(root, (records) => {
      if (failing) throw new TypeError("cannot be sent");
      heard.push(...joined(records));
    });
    assert.throws(() => Observer.set(root, "a", 1), /cannot be sent/);
    failing = false;
    Observer.set(root, "b", 1);
    assert.deepEqual(heard, ["set b 1"]);
  });

  test("mutation_touches_no_sibling", () => {
    // Every row would throw if a change of another looked at it.
    let reads = 0;
    const row = () => Object.defineProperty({}, "probe", { enumerable: true, get: () => reads++ });
    const root = { rows: Array.from({ length: 1000 }, row), n: 0 };
    const stop = subscribe(root, () => {});
    reads = 0;
    Observer.set(root, "n", 1);
    reactive(root).rows.push({ fresh: true });
    Observer.set(root.rows[5], "x", 1);
    assert.equal(reads, 0);
    stop();
  });
});

// -- random histories ------------------------------------------------------------------------------------------------

/** A small seeded generator (mulberry32), so that a failing history can be run again. */
function generator(seed) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const below = (limit) => Math.floor(next() * limit);
  return { below, one: (list) => list[below(list.length)] };
}

const clone = (value) => JSON.parse(JSON.stringify(value));

/** What the far end of a line does with records. */
function applyRecords(copy, records) {
  for (const { type, path, value } of records) {
    const key = path.at(-1);
    const parent = path.slice(0, -1).reduce((at, name) => at[name], copy);
    assert.ok(parent !== null && typeof parent === "object", `no parent for ${path.join(".")}`);
    if (type === "delete") delete parent[key];
    else parent[key] = value === undefined ? undefined : clone(value);
  }
}

function containersOf(value, found = new Set()) {
  const raw = Observer.unproxy(value);
  if (raw === null || typeof raw !== "object" || found.has(raw)) return found;
  found.add(raw);
  for (const key of Object.keys(raw)) containersOf(raw[key], found);
  return found;
}

/** One random change somewhere in the tree, by plain code on reactive data. */
function mutate(random, root, detached) {
  const { below, one } = random;
  const containers = [...containersOf(root)];
  const raw = one(containers);
  const target = reactive(raw);
  const fresh = (depth = 0) => {
    const kind = below(depth > 2 ? 3 : 6);
    if (kind === 0) return below(100);
    if (kind === 1) return one(["a", "b", "", null, true]);
    if (kind === 2) return below(3);
    if (kind === 3) return Array.from({ length: below(4) }, () => fresh(depth + 1));
    const entry = () => [one(["a", "b", "c", "length"]), fresh(depth + 1)];
    return Object.fromEntries(Array.from({ length: below(3) }, entry));
  };
  // Values: new ones, ones that are elsewhere in the tree already, ones that were taken out before.
  const value = () => {
    const chosen = below(10);
    const known = chosen === 0 ? one(containers) : chosen === 1 && detached.length > 0 ? one(detached) : null;
    // Values that JSON cannot express are left out: nothing may contain itself, and nothing grows without end.
    const fits = known !== null && containers.length < 60 && !containersOf(known).has(raw);
    return fits ? (below(2) === 0 ? known : reactive(known)) : fresh();
  };
  const keep = (item) => {
    if (item !== null && typeof item === "object" && detached.length < 10) detached.push(Observer.unproxy(item));
  };
  if (!Array.isArray(raw)) {
    const key = one(["a", "b", "c", "d", "length"]);
    keep(raw[key]);
    switch (below(5)) {
      case 0:
        delete target[key];
        break;
      case 1:
        Observer.set(raw, { [key]: value(), e: below(5) });
        break;
      case 2:
        Object.defineProperty(target, key, { value: value(), writable: true, enumerable: true, configurable: true });
        break;
      default:
        target[key] = value();
    }
    return;
  }
  const at = () => below(raw.length + 1);
  const order = (a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b));
  switch (below(14)) {
    case 0:
      return void keep(target.pop());
    case 1:
      return void keep(target.shift());
    case 2:
      return void target.unshift(value());
    case 3:
      return void target.splice(at(), below(3), ...Array.from({ length: below(3) }, value)).forEach(keep);
    case 4:
      return void target.sort((a, b) => order(a ?? null, b ?? null));
    case 5:
      return void target.reverse();
    case 6:
      return void target.copyWithin(at(), at(), at());
    case 7:
      target.length = below(raw.length + 2);
      return undefined;
    case 8:
      return void target.fill(below(9), at(), at());
    case 9:
      return void delete target[at()];
    case 10:
      target[raw.length + below(3)] = value();
      return undefined;
    case 11:
      if (raw.length > 1) [target[0], target[1]] = [target[1], target[0]];
      return undefined;
    default:
      if (below(2) === 0) target.push(value(), value());
      else target[at()] = value();
      return undefined;
  }
}

test("random_histories_keep_the_copy_equal", () => {
  const before = countRegistrations();
  for (let seed = 1; seed <= 4000; seed++) {
    const random = generator(seed);
    const root = random.below(4) === 0 ? [1, { a: [] }] : { a: [1, { b: 2 }], b: { c: {} }, d: null };
    const copy = clone(root);
    const detached = [];
    const stop = subscribe(root, (records) => {
      applyRecords(copy, records);
    });
    for (let step = 0; step < 20; step++) {
      try {
        if (random.below(4) > 0) mutate(random, root, detached);
        else {
          Observer.batch(root, () => {
            for (let count = random.below(5); count >= 0; count--) mutate(random, root, detached);
          });
        }
        assert.deepEqual(clone(copy), clone(root));
      } catch (error) {
        error.message = `history ${seed}, step ${step}: ${error.message}`;
        throw error;
      }
    }
    stop();
  }
  assert.equal(countRegistrations(), before);
});
