import assert from "node:assert/strict";
import { example } from "./support/example.mjs";
import { DONE, replace } from "./support/lines.mjs";

example("redirect", async ({ open }) => {
  const window = await open("/redirect?pace=300", { watch: "#step, #done" });

  await window.page.getByRole("button", { name: "Start the work" }).click();
  await window.shows("#done", "All the work is finished.");

  assert.equal(window.path, "/done");
  window.showedInOrder(["0", "1", "2", "All the work is finished."]);
  // T4
  const line = await window.lines.nth(0);
  const redirect = replace(null, { status: 302, headers: { location: "/done" } });
  assert.deepEqual(await line.toEnd(), [replace({ step: 2 }), redirect, DONE]);
});
