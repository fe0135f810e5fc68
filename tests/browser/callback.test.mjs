import assert from "node:assert/strict";
import { example } from "./support/example.mjs";
import { deltas, DONE } from "./support/lines.mjs";

example("callback", async ({ open }) => {
  const window = await open("/callback?pace=300", { watch: "#some-prop" });

  await window.showed("someOtherValue");

  window.showedInOrder(["nothing yet", "someValue", "someOtherValue"]);
  // T2
  const set = (value) => ["initial_response.mutate", [{ type: "set", path: ["someProp"], value }]];
  const frames = deltas(await (await window.lines.nth(0)).toEnd());
  assert.deepEqual(frames, [set("someValue"), set("someOtherValue"), DONE]);
});
