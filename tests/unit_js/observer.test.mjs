// The host's observer: records, observers of every kind, batches, proxies, and deltas that keep a copy equal.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { countRegistrations } from "../../runtime-js/observer/objects.js";
import ObserverDefault, * as api from "../../runtime-js/observer/observer.js";
import { subscribe } from "../../runtime-js/observer/reactive.js";
import { joined, log, pick, throwsRangeOrType } from "./support/records.mjs";

const { Observer } = api;

describe("the module", () => {
  test("exports_each_function_by_name_and_in_a_frozen_namespace", () => {
    const names = "observe intercept set get has deleteProperty deleteProperties defineProperty defineProperties " +
      "getOwnPropertyDescriptor getOwnPropertyDescriptors ownKeys getPrototypeOf setPrototypeOf isExtensible " +
      "preventExtensions construct apply batch map reduce path subtree any accessorize unaccessorize proxy unproxy";
    assert.deepEqual(Object.keys(Observer).sort(), names.split(" ").sort());
    for (const name of Object.keys(Observer)) assert.equal(api[name], Observer[name], name);
    assert.equal(ObserverDefault, Observer);
    assert.ok(Object.isFrozen(Observer));
  });

  test("primitive_target_is_refused_with_the_name_of_the_function", () => {
    assert.throws(() => Observer.set(1, "a", 1), { name: "TypeError", message: /Observer\.set\(\).*a number/ });
    assert.throws(() => Observer.observe(null, () => {}), /Observer\.observe\(\).*null/);
    assert.throws(() => Observer.observe({}, "a"), /callback/);
    assert.throws(() => Observer.observe({}, () => {}, { recursions: "often" }), /"often"/);
    assert.throws(() => subscribe("text", () => {}), TypeError);
    assert.throws(() => Observer.path(Observer.subtree(), "a"), /subtree/);
    assert.throws(() => Observer.path(), /takes keys/);
    assert.throws(() => Observer.observe({}, [Observer.path("a")], () => {}), /one path/);
  });
});

describe("operations", () => {
  test("set_new_and_old_key_gives_records_of_one_shape", () => {
    const target = { a: 1 };
    const { calls, callback } = log();
    Observer.observe(target, callback);
    assert.equal(Observer.set(target, "a", 2, { detail: "why" }), true);
    assert.equal(Observer.set(target, "b", 3), true);
    const fields = ["type", "key", "value", "isUpdate", "oldValue", "related", "operation", "detail", "status"];
    assert.deepEqual(pick(calls.flat(), ...fields), [
      {
        type: "set",
        key: "a",
        value: 2,
        isUpdate: true,
        oldValue: 1,
        related: ["a"],
        operation: "set",
        detail: "why",
        status: true,
      },
      {
        type: "set",
        key: "b",
        value: 3,
        isUpdate: false,
        oldValue: undefined,
        related: ["b"],
        operation: "set",
        detail: undefined,
        status: true,
      },
    ]);
    assert.equal(calls[0][0].target, target);
    assert.equal(Object.prototype.toString.call(calls[0][0]), "[object Descriptor]");
  });

  test("set_map_tells_once_with_all_keys_related", () => {
    const target = {};
    const { calls, callback } = log();
    Observer.observe(target, callback);
    assert.deepEqual(Observer.set(target, { x: 1, y: 2 }), [true, true]);
    assert.equal(calls.length, 1);
    assert.deepEqual(pick(calls[0], "key", "related"), [
      { key: "x", related: ["x", "y"] },
      { key: "y", related: ["x", "y"] },
    ]);
  });

  test("set_same_value_is_told_unless_diff", () => {
    const target = { a: 1 };
    const { calls, callback } = log();
    Observer.observe(target, callback);
    Observer.set(target, "a", 1);
    assert.equal(calls.length, 1);
    assert.equal(Observer.set(target, "a", 1, { diff: true }), undefined);
    assert.equal(calls.length, 1);
  });

  test("set_frozen_is_false_and_silent", () => {
    const target = Object.freeze({ a: 1, inner: { b: 1 } });
    const { calls, callback } = log();
    Observer.observe(target, Observer.subtree(), callback);
    assert.equal(Observer.set(target, "a", 2), false);
    assert.equal(calls.length, 0);
    Observer.set(target.inner, "b", 2);
    assert.deepEqual(calls[0][0].path, ["inner", "b"]);
    assert.deepEqual(Reflect.ownKeys(target), ["a", "inner"]);
  });

  test("set_index_past_the_end_tells_the_length_last", () => {
    const target = [1];
    const { flat, callback } = log();
    Observer.observe(target, callback);
    Observer.set(target, 2, 9);
    assert.deepEqual(pick(flat(), "key", "value", "oldValue"), [
      { key: 2, value: 9, oldValue: undefined },
      { key: "length", value: 3, oldValue: 1 },
    ]);
  });

  test("set_through_setter_of_a_class_runs_it", () => {
    class Box {
      stored = 0;
      set content(value) {
        this.stored = value * 2;
      }
    }
    const box = new Box();
    const { flat, callback } = log();
    Observer.observe(box, callback);
    Observer.proxy(box).content = 4;
    assert.equal(box.stored, 8);
    // The setter itself went through the proxy.
    assert.deepEqual(flat().map(({ key }) => key), ["stored", "content"]);
  });

  test("delete_one_several_and_missing", () => {
    const target = { a: 1, b: 2, c: 3 };
    const { calls, callback } = log();
    Observer.observe(target, callback);
    assert.equal(Observer.deleteProperty(target, "a"), true);
    assert.deepEqual(Observer.deleteProperties(target, ["b", "c"]), [true, true]);
    assert.equal(Observer.deleteProperty(target, "none"), true);
    assert.deepEqual(calls.map((records) => pick(records, "type", "key", "oldValue", "operation")), [
      [{ type: "delete", key: "a", oldValue: 1, operation: "deleteProperty" }],
      [
        { type: "delete", key: "b", oldValue: 2, operation: "deleteProperty" },
        { type: "delete", key: "c", oldValue: 3, operation: "deleteProperty" },
      ],
    ]);
    assert.deepEqual(target, {});
  });

  test("define_is_a_set_or_a_def_as_the_observer_wishes", () => {
    const target = {};
    const plain = log();
    const full = log();
    Observer.observe(target, plain.callback);
    Observer.observe(target, full.callback, { withPropertyDescriptors: true });
    const property = { get: () => 7, configurable: true, enumerable: true };
    assert.equal(Observer.defineProperty(target, "a", property), true);
    assert.deepEqual(Observer.defineProperties(target, { b: { value: 1 }, c: { value: 2 } }), [true, true]);
    assert.deepEqual(pick(plain.flat(), "type", "key", "value", "operation"), [
      { type: "set", key: "a", value: 7, operation: "defineProperty" },
      { type: "set", key: "b", value: 1, operation: "defineProperty" },
      { type: "set", key: "c", value: 2, operation: "defineProperty" },
    ]);
    assert.deepEqual(full.flat().map(({ type }) => type), ["def", "def", "def"]);
    assert.equal(full.flat()[0].value, property);
    assert.equal(full.calls.length, 2);
  });

  test("define_through_a_subtree_keeps_its_def_record", () => {
    const target = { inner: {} };
    const { flat, callback } = log();
    Observer.observe(target, Observer.subtree(), callback, { withPropertyDescriptors: true });
    Observer.defineProperty(target.inner, "x", { value: 1, enumerable: true });
    assert.deepEqual(pick(flat(), "type", "path"), [{ type: "def", path: ["inner", "x"] }]);
  });

  test("reading_functions_answer_as_reflect_does", () => {
    const target = { a: 1, b: 2 };
    assert.equal(Observer.get(target, "a"), 1);
    assert.deepEqual(Observer.get(target, ["a", "b"]), [1, 2]);
    assert.equal(Observer.get(target, "a", (value) => value + 1), 2);
    assert.equal(Observer.has(target, "a"), true);
    assert.deepEqual(Observer.has(target, ["a", "z"]), [true, false]);
    assert.deepEqual(Observer.ownKeys(target), ["a", "b"]);
    assert.equal(Observer.getOwnPropertyDescriptor(target, "a").value, 1);
    assert.deepEqual(Object.keys(Observer.getOwnPropertyDescriptors(target)), ["a", "b"]);
    assert.equal(Observer.getPrototypeOf(target), Object.prototype);
    assert.equal(Observer.setPrototypeOf(target, null), true);
    assert.equal(Object.getPrototypeOf(target), null);
    assert.equal(Observer.isExtensible(target), true);
    assert.equal(Observer.preventExtensions(target), true);
    assert.equal(Observer.isExtensible(target), false);
  });

  test("construct_and_apply_call_the_function", () => {
    class Point {
      constructor(x) {
        this.x = x;
      }
    }
    assert.equal(Observer.construct(Point, [3]).x, 3);
    const array = [];
    const { calls, callback } = log();
    Observer.observe(array, callback);
    assert.equal(Observer.apply(array.push, array, [1, 2]), 2);
    assert.equal(calls.length, 0);
    Observer.apply(array.push, Observer.proxy(array), [3]);
    assert.equal(array.length, 3);
  });
});

describe("observe", () => {
  test("one_key_tells_single_records_of_that_key", () => {
    const target = {};
    const { calls, callback } = log();
    Observer.observe(target, "a", callback);
    Observer.set(target, { a: 1, b: 2 });
    assert.equal(calls.length, 1);
    assert.equal(calls[0].value, 1);
  });

  test("list_tells_lists_and_numbers_match_strings", () => {
    const target = [];
    const { calls, callback } = log();
    Observer.observe(target, [0, "length"], callback);
    Observer.proxy(target).push("x", "y");
    assert.deepEqual(calls.map((records) => records.map(({ key }) => key)), [["0", "length"]]);
  });

  test("wildcard_alone_is_every_key", () => {
    const target = {};
    const { calls, callback } = log();
    Observer.observe(target, Observer.any(), callback);
    Observer.set(target, "z", 1);
    assert.equal(calls[0][0].key, "z");
  });

  test("abort_by_controller_or_signal_ends_and_releases", () => {
    const target = { inner: {} };
    const before = countRegistrations();
    const outer = new AbortController();
    const { calls, callback } = log();
    const own = Observer.observe(target, callback);
    Observer.observe(target, Observer.subtree(), callback, { signal: outer.signal });
    assert.ok(own instanceof AbortController);
    assert.equal(countRegistrations(), before + 3);
    own.abort();
    outer.abort();
    assert.equal(countRegistrations(), before);
    assert.equal(Observer.observe(target, callback, { signal: outer.signal }).signal.aborted, true);
    Observer.set(target, "a", 1);
    assert.equal(calls.length, 0);
  });

  test("abort_inside_a_callback_silences_at_once", () => {
    const target = {};
    const told = [];
    const first = Observer.observe(target, () => second.abort());
    const second = Observer.observe(target, () => told.push("second"));
    Observer.set(target, "a", 1);
    assert.deepEqual(told, []);
    first.abort();
  });

  test("diff_option_hides_unchanged_values", () => {
    const target = { a: 1 };
    const { calls, callback } = log();
    Observer.observe(target, callback, { diff: true });
    Observer.set(target, "a", 1);
    assert.equal(calls.length, 0);
    Observer.set(target, "a", 2);
    assert.equal(calls.length, 1);
  });

  test("throwing_observer_does_not_silence_others", () => {
    const target = {};
    const { calls, callback } = log();
    Observer.observe(target, () => {
      throw new Error("first");
    });
    Observer.observe(target, callback);
    assert.throws(() => Observer.set(target, "a", 1), /first/);
    assert.throws(() => Observer.set(target, "a", 2), /first/);
    assert.equal(target.a, 2);
    assert.equal(calls.length, 2);
  });

  test("raw_assignment_is_not_seen", () => {
    const target = {};
    const { calls, callback } = log();
    Observer.observe(target, callback);
    target.a = 1;
    assert.equal(calls.length, 0);
  });
});

describe("path", () => {
  test("leaf_change_tells_its_record_with_path", () => {
    const target = { a: { b: 1, c: 1 } };
    const { calls, callback } = log();
    Observer.observe(target, Observer.path("a", "b"), callback);
    Observer.set(target.a, "b", 2);
    Observer.set(target.a, "c", 2);
    assert.deepEqual(pick(calls, "type", "key", "value", "path"), [
      { type: "set", key: "b", value: 2, path: ["a", "b"] },
    ]);
  });

  test("replaced_ancestor_is_a_get_of_the_new_value", () => {
    const old = { b: { c: 1 } };
    const target = { a: old };
    const { calls, callback } = log();
    Observer.observe(target, Observer.path("a", "b", "c"), callback);
    Observer.set(target, "a", { b: { c: 2 } });
    assert.deepEqual(pick(calls, "type", "key", "value", "oldValue", "path"), [
      { type: "get", key: "c", value: 2, oldValue: 1, path: ["a", "b", "c"] },
    ]);
    Observer.set(old.b, "c", 3);
    assert.equal(calls.length, 1);
    Observer.set(target.a.b, "c", 4);
    assert.equal(calls[1].value, 4);
    Observer.deleteProperty(target, "a");
    assert.deepEqual(pick(calls.slice(2), "type", "value", "oldValue"), [
      { type: "get", value: undefined, oldValue: 4 },
    ]);
  });

  test("missing_parents_are_followed_when_they_come", () => {
    const target = {};
    const { calls, callback } = log();
    Observer.observe(target, Observer.path("a", "b"), callback);
    Observer.set(target, "a", {});
    Observer.set(target.a, "b", 1);
    assert.deepEqual(calls.map(({ type, value }) => [type, value]), [["get", undefined], ["set", 1]]);
  });

  test("wildcard_segment_matches_every_key", () => {
    const target = [{ name: "x" }, { name: "y" }];
    for (const wildcard of [Observer.any(), Infinity]) {
      const { calls, callback } = log();
      const watch = Observer.observe(target, Observer.path(wildcard, "name"), callback);
      Observer.set(target[1], "name", "z");
      Observer.set(target[1], "other", 1);
      Observer.proxy(target).push({ name: "new" });
      assert.deepEqual(pick(calls, "type", "value", "path"), [
        { type: "set", value: "z", path: ["1", "name"] },
        { type: "get", value: "new", path: [String(target.length - 1), "name"] },
      ]);
      watch.abort();
    }
  });

  test("subtree_at_the_end_is_everything_below", () => {
    const target = { a: { b: {} }, z: {} };
    const { calls, callback } = log();
    Observer.observe(target, Observer.path("a", Observer.subtree()), callback);
    Observer.set(target.z, "no", 1);
    Observer.set(target.a.b, "c", 1);
    Observer.set(target, "a", { d: 1 });
    assert.deepEqual(calls.flat().map(({ type, path }) => [type, path.join(".")]), [["set", "a.b.c"], ["get", "a"]]);
  });

  test("cycle_under_a_path_ends", () => {
    const target = {};
    const { calls, callback } = log();
    Observer.observe(target, Observer.path("a", "a", "x"), callback);
    Observer.set(target, "a", target);
    calls.length = 0;
    Observer.set(target, "x", 1);
    assert.deepEqual(calls.map(({ path }) => path.join(".")), ["a.a.x"]);
  });
});

describe("subtree", () => {
  test("every_depth_tells_with_path", () => {
    const target = { list: [{ x: 1 }] };
    const { calls, callback } = log();
    Observer.observe(target, Observer.subtree(), callback);
    Observer.set(target.list[0], "x", 2);
    Observer.set(target, "y", 1);
    assert.deepEqual(joined(calls.flat()), ["set list.0.x 2", "set y 1"]);
  });

  test("new_children_are_followed_and_detached_ones_not", () => {
    const old = { deep: {} };
    const target = { child: old };
    const before = countRegistrations();
    const { calls, callback } = log();
    const watch = Observer.observe(target, Observer.subtree(), callback);
    Observer.set(target, "child", { fresh: {} });
    Observer.set(target.child.fresh, "a", 1);
    Observer.set(old.deep, "b", 1);
    Observer.set(old, "c", 1);
    assert.deepEqual(calls.flat().map(({ path }) => path.join(".")), ["child", "child.fresh.a"]);
    watch.abort();
    assert.equal(countRegistrations(), before);
  });

  test("shared_object_tells_each_path_until_the_last_is_gone", () => {
    const shared = {};
    const target = { a: shared, b: { c: shared } };
    const { calls, callback } = log();
    Observer.observe(target, Observer.subtree(), callback);
    Observer.set(shared, "x", 1);
    assert.deepEqual(calls.flat().map(({ path }) => path.join(".")).sort(), ["a.x", "b.c.x"]);
    Observer.deleteProperty(target, "a");
    calls.length = 0;
    Observer.set(shared, "x", 2);
    assert.deepEqual(calls.flat().map(({ path }) => path.join(".")), ["b.c.x"]);
    Observer.deleteProperty(target.b, "c");
    calls.length = 0;
    Observer.set(shared, "x", 3);
    assert.equal(calls.length, 0);
  });

  test("cycles_tell_once_and_are_let_go_as_a_whole", () => {
    const before = countRegistrations();
    const a = { name: "a" };
    const b = { name: "b", a };
    a.b = b;
    a.self = a;
    const target = { a };
    target.root = target;
    const { calls, callback } = log();
    const watch = Observer.observe(target, Observer.subtree(), callback);
    assert.equal(countRegistrations(), before + 3);
    Observer.set(b, "x", 1);
    Observer.set(target, "y", 1);
    assert.deepEqual(calls.flat().map(({ path }) => path.join(".")), ["a.b.x", "y"]);
    Observer.deleteProperty(target, "a");
    assert.equal(countRegistrations(), before + 1);
    watch.abort();
    assert.equal(countRegistrations(), before);
  });

  test("dense_cycles_and_shared_diamonds_stay_bounded", () => {
    const nodes = Array.from({ length: 40 }, () => ({}));
    nodes.forEach((node) => nodes.forEach((other, index) => node[`n${index}`] = other));
    const dense = log();
    Observer.observe(nodes[0], Observer.subtree(), dense.callback);
    Observer.set(nodes[39], "x", 1);
    assert.ok(dense.flat().some(({ path }) => path.join(".") === "n39.x"));

    let bottom = {};
    const last = bottom;
    for (let level = 0; level < 30; level++) bottom = { left: bottom, right: bottom };
    const diamonds = log();
    Observer.observe(bottom, Observer.subtree(), diamonds.callback);
    Observer.set(last, "x", 1);
    assert.ok(diamonds.flat().length >= 1 && diamonds.flat().length <= 1024);
  });

  test("very_deep_list_does_not_overflow", () => {
    const target = {};
    let at = target;
    for (let depth = 0; depth < 50_000; depth++) at = at.next = {};
    const { calls, callback } = log();
    const watch = Observer.observe(target, Observer.subtree(), callback);
    Observer.set(at, "x", 1);
    assert.equal(calls[0][0].path.length, 50_001);
    Observer.deleteProperty(target, "next");
    watch.abort();
  });

  test("map_date_and_bytes_are_leaves", () => {
    const target = { map: new Map([["k", {}]]), date: new Date(0), bytes: new Uint8Array(4) };
    const before = countRegistrations();
    const watch = Observer.observe(target, Observer.subtree(), () => {});
    // The bytes are not followed; a map and a date have no properties of their own.
    assert.equal(countRegistrations(), before + 3);
    watch.abort();
  });
});

describe("recursions", () => {
  /** What an observer hears that sets `b` when it hears of `a`. */
  function hear(recursions, keys) {
    const target = {};
    const heard = [];
    const react = (told) => {
      const records = Array.isArray(told) ? told : [told];
      heard.push("(");
      for (const { key } of records) {
        heard.push(key);
        if (key === "a") Observer.set(target, "b", 1);
      }
      heard.push(")");
    };
    Observer.observe(target, ...(keys ? [keys] : []), react, recursions ? { recursions } : {});
    Observer.set(target, "a", 1);
    return { target, heard };
  }

  test("default_ignores_what_the_observer_itself_does", () => {
    assert.deepEqual(hear().heard.join(""), "(a)");
  });

  test("inject_adds_to_the_list_at_hand", () => {
    assert.deepEqual(hear("inject").heard.join(""), "(ab)");
  });

  test("defer_tells_after_the_callback", () => {
    assert.deepEqual(hear("defer").heard.join(""), "(a)(b)");
  });

  test("force_sync_tells_inside_the_callback", () => {
    assert.deepEqual(hear("force-sync").heard.join(""), "(a(b))");
  });

  test("force_async_tells_in_a_microtask", async () => {
    const { heard } = hear("force-async");
    assert.deepEqual(heard.join(""), "(a)");
    await Promise.resolve();
    assert.deepEqual(heard.join(""), "(a)(b)");
  });

  test("others_hear_changes_in_their_order", () => {
    const target = {};
    Observer.observe(target, "a", () => Observer.set(target, "b", 1));
    const { callback, flat } = log();
    Observer.observe(target, callback);
    Observer.set(target, "a", 1);
    assert.deepEqual(flat().map(({ key }) => key), ["a", "b"]);
  });
});

describe("intercept", () => {
  test("trap_may_change_answer_or_pass", () => {
    const target = { token: "raw", n: 1 };
    const watch = Observer.intercept(target, {
      get: (descriptor, _, next) => (descriptor.key === "token" ? next("made") : next()),
      set: (descriptor, _, next) => {
        descriptor.value *= 10;
        return next();
      },
      has: () => false,
      deleteProperty: () => false,
    });
    const { flat, callback } = log();
    Observer.observe(target, callback);
    assert.equal(Observer.get(target, "token"), "made");
    assert.equal(Observer.get(target, "n"), 1);
    assert.equal(Observer.has(target, "n"), false);
    Observer.set(target, "n", 2);
    assert.equal(target.n, 20);
    assert.equal(flat()[0].value, 20);
    assert.equal(Observer.deleteProperty(target, "n"), false);
    watch.abort();
    assert.equal(Observer.get(target, "token"), "raw");
    assert.equal(Observer.deleteProperty(target, "n"), true);
  });

  test("traps_run_in_order_and_hand_results_on", () => {
    const target = {};
    const order = [];
    Observer.intercept(target, "get", (_, previous, next) => {
      order.push(["first", previous]);
      return next(1);
    });
    Observer.intercept(target, "get", (_, previous, next) => {
      order.push(["second", previous]);
      return next();
    });
    assert.equal(Observer.get(target, "x"), 1);
    assert.deepEqual(order, [["first", undefined], ["second", 1]]);
  });

  test("every_operation_has_its_trap", () => {
    const target = function () {};
    const seen = [];
    const names = "set get has deleteProperty defineProperty getOwnPropertyDescriptor ownKeys getPrototypeOf " +
      "setPrototypeOf isExtensible preventExtensions construct apply";
    const trap = (name) => (_, __, next) => {
      seen.push(name);
      return next();
    };
    Observer.intercept(target, Object.fromEntries(names.split(" ").map((name) => [name, trap(name)])));
    Observer.set(target, "a", 1);
    Observer.get(target, "a");
    Observer.has(target, "a");
    Observer.deleteProperty(target, "a");
    Observer.defineProperty(target, "b", { value: 1 });
    Observer.getOwnPropertyDescriptor(target, "b");
    Observer.ownKeys(target);
    Observer.getPrototypeOf(target);
    Observer.setPrototypeOf(target, Function.prototype);
    Observer.isExtensible(target);
    Observer.preventExtensions(target);
    Observer.construct(target, []);
    Observer.apply(target, undefined, []);
    assert.deepEqual(seen, names.split(" "));
  });

  test("array_methods_go_through_set_traps", () => {
    const target = [1, 2];
    Observer.intercept(target, "set", (descriptor, _, next) => {
      if (descriptor.key !== "length") descriptor.value += 100;
      return next();
    });
    const { calls, callback } = log();
    Observer.observe(target, callback);
    Observer.proxy(target).push(3);
    assert.deepEqual(target, [1, 2, 103]);
    assert.equal(calls.length, 1);
    Observer.proxy(target).pop();
    assert.deepEqual(target, [1, 2]);
  });
});

describe("batch", () => {
  test("sync_tells_each_observer_once_at_the_end", () => {
    const target = { inner: {} };
    const all = log();
    const inner = log();
    const tree = log();
    Observer.observe(target, all.callback);
    Observer.observe(target.inner, inner.callback);
    Observer.observe(target, Observer.subtree(), tree.callback);
    const result = Observer.batch(target, () => {
      Observer.set(target, "a", 1);
      Observer.set(target.inner, "b", 1);
      Observer.batch(target, () => Observer.set(target, "c", 1));
      assert.equal(all.calls.length, 0);
      return "result";
    });
    assert.equal(result, "result");
    assert.deepEqual(all.calls.map((records) => records.map(({ key }) => key)), [["a", "c"]]);
    assert.deepEqual(inner.calls.map((records) => records.map(({ key }) => key)), [["b"]]);
    assert.deepEqual(tree.calls.map((records) => records.map(({ key }) => key)), [["a", "b", "c"]]);
  });

  test("observer_added_inside_hears_only_what_follows", () => {
    const target = {};
    const { flat, callback } = log();
    Observer.batch(target, () => {
      Observer.observe(target, callback);
      Observer.set(target, "a", 1);
    });
    assert.equal(flat().length, 0);
    Observer.set(target, "b", 1);
    assert.deepEqual(flat().map(({ key }) => key), ["b"]);
  });

  test("throwing_batch_still_tells_what_was_done", () => {
    const target = {};
    const { calls, callback } = log();
    Observer.observe(target, callback);
    const failing = () =>
      Observer.batch(target, () => {
        Observer.set(target, "a", 1);
        throw new Error("inside");
      });
    assert.throws(failing, /inside/);
    assert.equal(calls.length, 1);
    Observer.set(target, "b", 1);
    assert.equal(calls.length, 2);
  });

  test("async_holds_the_targets_observers_to_its_end", async () => {
    const target = {};
    const other = {};
    const own = log();
    const others = log();
    const late = log();
    Observer.observe(target, own.callback);
    Observer.observe(other, others.callback);
    const done = Observer.batch(target, async () => {
      Observer.set(target, "a", 1);
      await null;
      Observer.observe(target, late.callback);
      Observer.set(target, "b", 1);
      Observer.set(other, "x", 1);
      assert.equal(own.calls.length, 0);
      assert.equal(others.calls.length, 1);
      return 5;
    });
    assert.equal(own.calls.length, 0);
    assert.equal(await done, 5);
    assert.deepEqual(own.calls.map((records) => records.map(({ key }) => key)), [["a", "b"]]);
    assert.equal(late.calls.length, 0);
    Observer.set(target, "c", 1);
    assert.equal(own.calls.length, 2);
    assert.equal(late.calls.length, 1);
  });

  test("async_that_rejects_releases_and_rejects", async () => {
    const target = {};
    const { calls, callback } = log();
    Observer.observe(target, callback);
    const failing = Observer.batch(target, async () => {
      await null;
      Observer.set(target, "a", 1);
      throw new Error("later");
    });
    await assert.rejects(failing, /later/);
    assert.equal(calls.length, 1);
  });
});

describe("proxy", () => {
  test("plain_code_is_observed_one_level_deep", () => {
    const target = { inner: {} };
    const { flat, callback } = log();
    Observer.observe(target, callback);
    const seen = Observer.proxy(target);
    seen.a = 1;
    delete seen.a;
    Object.defineProperty(seen, "b", { value: 1, configurable: true });
    assert.deepEqual(flat().map(({ type, operation }) => `${type} ${operation}`), [
      "set set",
      "delete deleteProperty",
      "set defineProperty",
    ]);
    assert.equal(seen.inner, target.inner);
    assert.ok("inner" in seen);
    assert.deepEqual(Object.keys(seen), ["inner"]);
  });

  test("identity_is_new_unless_there_is_a_membrane", () => {
    const target = { inner: {} };
    assert.notEqual(Observer.proxy(target), Observer.proxy(target));
    const options = { membrane: "m", chainable: true };
    assert.equal(Observer.proxy(target, options), Observer.proxy(target, options));
    assert.equal(Observer.proxy(target, options).inner, Observer.proxy(target, options).inner);
    assert.notEqual(Observer.proxy(target, options), Observer.proxy(target, { membrane: "other" }));
    assert.equal(Observer.unproxy(Observer.proxy(target, options).inner), target.inner);
    assert.equal(Observer.unproxy(5), 5);
    assert.equal(Observer.unproxy(Observer.proxy(Observer.proxy(target))), target);
  });

  test("classes_and_native_functions_pass", () => {
    class A {}
    assert.equal(Observer.proxy(A), A);
    assert.equal(Observer.proxy(Math.max), Math.max);
    assert.equal(Observer.proxy(3), 3);
  });

  test("array_method_is_one_emission_with_string_keys_and_length", () => {
    const target = ["a"];
    const { calls, callback } = log();
    Observer.observe(target, callback);
    assert.equal(Observer.proxy(target).push("b", "c"), 3);
    assert.equal(calls.length, 1);
    assert.deepEqual(pick(calls[0], "type", "key", "value", "isUpdate", "oldValue", "operation"), [
      { type: "set", key: "1", value: "b", isUpdate: false, oldValue: undefined, operation: "push" },
      { type: "set", key: "2", value: "c", isUpdate: false, oldValue: undefined, operation: "push" },
      { type: "set", key: "length", value: 3, isUpdate: true, oldValue: 1, operation: "push" },
    ]);
  });

  test("each_array_method_does_and_returns_what_the_native_one_does", () => {
    const uses = [
      ["push", 8, 9],
      ["pop"],
      ["shift"],
      ["unshift", 8, 9],
      ["splice", 1, 2, 7, 8, 9],
      ["splice", -2, 1],
      ["splice"],
      ["splice", 1],
      ["sort", (a, b) => b - a],
      ["sort"],
      ["reverse"],
      ["copyWithin", 0, 2],
      ["fill", 0, 1, 3],
    ];
    for (const [name, ...args] of uses) {
      const native = [3, 1, 4, 1, 5];
      const target = [...native];
      const shown = Observer.proxy(target);
      const copy = [...native];
      const { calls, callback } = log();
      Observer.observe(target, callback);
      const expected = native[name](...args);
      const result = shown[name](...args);
      assert.deepEqual(target, native, name);
      if (expected === native) assert.equal(result, shown, name);
      else assert.deepEqual(result, expected, name);
      assert.ok(calls.length <= 1, name);
      for (const { type, key, value, operation } of calls.flat()) {
        assert.equal(operation, name);
        if (type === "delete") delete copy[key];
        else copy[key] = value;
      }
      assert.deepEqual(copy, native, name);
    }
  });

  test("method_descriptor_comes_first_to_those_who_ask", () => {
    const target = { list: [1] };
    const asking = log();
    const other = log();
    Observer.observe(target, Observer.subtree(), asking.callback, { withArrayMethodDescriptors: true });
    Observer.observe(target, Observer.subtree(), other.callback);
    Observer.proxy(target.list).push(2);
    assert.equal(asking.calls.length, 2);
    assert.deepEqual(pick(asking.calls[0], "operation", "argumentsList", "path"), [
      { operation: "push", argumentsList: [2], path: ["list"] },
    ]);
    assert.deepEqual(asking.calls[1].map(({ key }) => key), ["1", "length"]);
    assert.equal(other.calls.length, 1);
  });

  test("array_method_name_names_the_operation", () => {
    const target = [];
    const { flat, callback } = log();
    Observer.observe(target, callback);
    Observer.proxy(target, { arrayMethodName: "custom" })[0] = 1;
    assert.equal(flat()[0].operation, "custom");
  });

  test("frozen_array_throws_as_it_would_without_a_proxy", () => {
    const target = Object.freeze([1]);
    assert.throws(() => Observer.proxy(target).push(2), TypeError);
    assert.throws(() => {
      Observer.proxy(target)[0] = 2;
    }, TypeError);
    assert.throws(() => {
      Observer.proxy([]).length = -1;
    }, throwsRangeOrType);
  });

  test("object_that_inherits_from_a_proxy_keeps_its_own_properties", () => {
    const target = {};
    const heir = Object.create(Observer.proxy(target));
    heir.a = 1;
    assert.deepEqual(Object.keys(heir), ["a"]);
    assert.deepEqual(target, {});
  });
});

describe("accessorize", () => {
  test("plain_assignment_is_observed_until_undone", () => {
    const target = { a: 1, b: 2 };
    const { flat, callback } = log();
    Observer.observe(target, callback);
    assert.equal(Observer.accessorize(target, "a"), true);
    assert.deepEqual(Observer.accessorize(target, ["a", "b"]), [true, true]);
    target.a = 5;
    Observer.set(target, "b", 6);
    assert.deepEqual(pick(flat(), "key", "value", "oldValue"), [
      { key: "a", value: 5, oldValue: 1 },
      { key: "b", value: 6, oldValue: 2 },
    ]);
    assert.equal(JSON.stringify(target), '{"a":5,"b":6}');
    assert.deepEqual(Observer.unaccessorize(target), [true, true]);
    assert.deepEqual(Object.getOwnPropertyDescriptor(target, "a"), {
      value: 5,
      writable: true,
      enumerable: true,
      configurable: true,
    });
    target.a = 7;
    assert.equal(flat().length, 2);
  });

  test("accessors_and_fixed_properties_keep_their_nature", () => {
    let stored = 1;
    const target = {
      get x() {
        return stored;
      },
      set x(value) {
        stored = value;
      },
    };
    Object.defineProperty(target, "fixed", { value: 1 });
    assert.deepEqual(Observer.accessorize(target, ["x", "fixed"]), [true, false]);
    target.x = 2;
    assert.equal(stored, 2);
    assert.equal(Observer.unaccessorize(target, "x"), true);
    assert.equal(Observer.unaccessorize(target, "fixed"), false);
    assert.equal(typeof Object.getOwnPropertyDescriptor(target, "x").get, "function");
    const readOnly = Object.defineProperty({}, "r", { value: 1, configurable: true });
    Observer.accessorize(readOnly, "r");
    assert.throws(() => {
      readOnly.r = 2;
    }, /read-only/);
  });

  test("deleted_property_is_an_accessor_no_more", () => {
    const target = { a: 1 };
    Observer.accessorize(target);
    Observer.deleteProperty(target, "a");
    Observer.set(target, "a", 2);
    assert.equal(Object.getOwnPropertyDescriptor(target, "a").value, 2);
  });
});

describe("map and reduce", () => {
  test("map_mirrors_until_aborted", () => {
    const source = { a: 1, b: 2 };
    const mirror = {};
    const watch = Observer.map(source, mirror, { except: ["b"] });
    assert.deepEqual(mirror, { a: 1 });
    Observer.set(source, { a: 3, b: 4, c: 5 });
    Observer.deleteProperty(source, "a");
    assert.deepEqual(mirror, { c: 5 });
    watch.abort();
    Observer.set(source, "c", 6);
    assert.deepEqual(mirror, { c: 5 });
    const some = {};
    Observer.map(source, some, { only: ["c"] });
    assert.deepEqual(some, { c: 6 });
  });

  test("map_of_arrays_follows_length_and_closes_up_with_spread", () => {
    const source = [1, 2, 3];
    const mirror = [];
    const rest = [];
    Observer.map(source, mirror);
    Observer.map(source, rest, { except: [0], spread: true });
    assert.deepEqual([mirror, rest], [[1, 2, 3], [2, 3]]);
    Observer.proxy(source).push(4);
    Observer.proxy(source).splice(1, 1);
    assert.deepEqual([source, mirror, rest], [[1, 3, 4], [1, 3, 4], [3, 4]]);
  });

  test("reduce_walks_a_path_with_get_or_observe", () => {
    const target = { a: { b: { c: 1 } } };
    const path = Observer.path("a", "b", "c");
    assert.equal(Observer.reduce(target, path, Observer.get), 1);
    assert.equal(Observer.reduce(target, path, Observer.get, (value) => value + 1), 2);
    const steps = [];
    Observer.reduce(target, path, (object, key, next) => {
      steps.push(key);
      return next(object[key]);
    });
    assert.deepEqual(steps, ["a", "b", "c"]);
  });
});
