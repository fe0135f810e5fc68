// Lists that mostly have one item.

import assert from "node:assert/strict";
import { test } from "node:test";

import { itemsOf, withItem, withoutItem } from "../../runtime-js/few.js";

test("items_keep_their_order_and_other_lists_stay_as_they_are", () => {
  const items = [() => {}, { ended: true }, () => {}];
  let few = null;
  assert.deepEqual(itemsOf(few), []);
  const before = items.map((item) => few = withItem(few, item));
  assert.deepEqual(before.map((list) => itemsOf(list).length), [1, 2, 3]);
  assert.deepEqual(itemsOf(few), items);
});

test("one_item_is_its_list", () => {
  const item = {};
  assert.equal(withItem(null, item), item);
});

test("without_its_last_item_a_list_is_null", () => {
  const { 0: first, 1: second } = [{}, {}];
  const both = withItem(withItem(null, first), second);
  assert.deepEqual(itemsOf(withoutItem(both, first)), [second]);
  assert.deepEqual(itemsOf(withoutItem(both, {})), [first, second]);
  assert.equal(withoutItem(withoutItem(both, first), second), null);
  assert.equal(withoutItem(null, first), null);
});

test("what_is_patched_does_not_spread_items", () => {
  const { 0: first, 1: second } = [{}, {}];
  Object.prototype[Symbol.isConcatSpreadable] = true;
  try {
    assert.equal(itemsOf(withItem(withItem(null, first), second)).length, 2);
  } finally {
    delete Object.prototype[Symbol.isConcatSpreadable];
  }
});
