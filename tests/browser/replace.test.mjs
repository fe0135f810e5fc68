import assert from "node:assert/strict";
import { example } from "./support/example.mjs";
import { DONE, replace } from "./support/lines.mjs";

example("replace", async ({ open }) => {
  const window = await open("/replace?pace=300", { watch: "#step" });

  await window.showed("2");

  window.showedInOrder(["1", "2"]);
  const line = await window.lines.nth(0);
  assert.deepEqual(await line.toEnd(), [replace({ step: 2 }), DONE]);
});
