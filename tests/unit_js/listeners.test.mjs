// Lists of listeners.

import assert from "node:assert/strict";
import { test } from "node:test";

import { hasListener, listenersOf, withListener, withoutListener } from "../../runtime-js/listeners.js";

test("long_lists_take_one_more_or_less_at_once", () => {
  const items = Array.from({ length: 200_000 }, (_, at) => ({ at }));
  let few = null;
  for (const item of items) few = withListener(few, item);
  assert.deepEqual(listenersOf(few), items);
  assert.ok(hasListener(few, items[7]) && !hasListener(few, {}));
  for (const item of items.toReversed()) few = withoutListener(few, item);
  assert.equal(few, null);
});
