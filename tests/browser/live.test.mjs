import assert from "node:assert/strict";
import { example } from "./support/example.mjs";
import { deltas } from "./support/lines.mjs";

example("live", async ({ open }) => {
  const window = await open("/live", { watch: "#progress" });

  // Ticks that came before the page had its script are shown as one.
  await window.until(() => window.texts.length >= 3, () => `the number stands still: ${window.texts}`);

  const numbers = window.texts.map(Number);
  assert.equal(numbers[0], 0);
  assert.ok(numbers.every((number, index) => index === 0 || number > numbers[index - 1]), `${numbers}`);
  const { heard, ended } = await window.lines.nth(0);
  const ticks = deltas(heard.map(({ type, message }) => [type, message]));
  const set = (value) => ["initial_response.mutate", [{ type: "set", path: ["progress"], value }]];
  assert.deepEqual(ticks, ticks.map((_, index) => set((index + 1) * 10)));
  assert.equal(ended, false, "a live function goes on until the client leaves");
});
