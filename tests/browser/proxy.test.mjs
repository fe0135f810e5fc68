import assert from "node:assert/strict";
import { example } from "./support/example.mjs";
import { DONE, replace } from "./support/lines.mjs";

example("proxy", async ({ open }) => {
  const window = await open("/proxy", { watch: "#step" });

  await window.shows("#overheard", "The handler overheard: half way");
  await window.shows("#step", "2");

  assert.deepEqual(window.texts, ["1", "2"]);
  const [overheard, state, end, ...more] = await (await window.lines.nth(0)).toEnd();
  assert.deepEqual(overheard, ["overheard", { note: "half way" }]);
  assert.deepEqual([state[0], state[1].body, end, more], [replace()[0], { step: 2 }, DONE, []]);
});
