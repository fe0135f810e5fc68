import assert from "node:assert/strict";
import { example } from "./support/example.mjs";
import { deltas } from "./support/lines.mjs";

example("live", async ({ open }) => {
  const window = await open("/live", { watch: "#progress" });

  await window.showed("20");

  window.showedInOrder(["0", "10", "20"]);
  const { heard, ended } = await window.lines.nth(0);
  const set = (value) => ["initial_response.mutate", [{ type: "set", path: ["progress"], value }]];
  assert.deepEqual(deltas(heard.map(({ type, message }) => [type, message])), [set(10), set(20)]);
  assert.equal(ended, false, "a live function goes on until the client leaves");
});
