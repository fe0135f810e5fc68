import assert from "node:assert/strict";
import { example } from "./support/example.mjs";
import { DONE, replace } from "./support/lines.mjs";

example("proxy", async ({ open, host }) => {
  const window = await open("/proxy?pace=300", { watch: "#step" });

  await window.shows("#said", "Said upstream: half way");
  await window.showed("2");

  window.showedInOrder(["1", "2"]);
  await host.says("overheard: half way");
  const [message, state, end, ...more] = await (await window.lines.nth(0)).toEnd();
  assert.deepEqual(message, ["message", { note: "half way" }]);
  assert.deepEqual([state[0], state[1].body, end, more], [replace()[0], { step: 2 }, DONE, []]);
});
