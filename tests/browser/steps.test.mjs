import assert from "node:assert/strict";
import { example } from "./support/example.mjs";
import { DONE, replace } from "./support/lines.mjs";

example("steps", async ({ open }) => {
  const window = await open("/steps?pace=300", { watch: "#step" });

  await window.showed("2");

  window.showedInOrder(["1", "2"]);
  // T1
  const line = await window.lines.nth(0);
  assert.deepEqual(await line.toEnd(), [replace({ step: 2 }), DONE]);
});
