import assert from "node:assert/strict";
import { example } from "./support/example.mjs";
import { DONE, replace } from "./support/lines.mjs";

example("progress", async ({ open }) => {
  const window = await open("/progress?pace=300", { watch: "#percent" });

  await window.showed("100");

  window.showedInOrder(["0", "25", "50", "75", "100"]);
  assert.equal(await window.page.locator("progress").getAttribute("value"), "100");
  const line = await window.lines.nth(0);
  assert.deepEqual(await line.toEnd(), [...[25, 50, 75, 100].map((progress) => replace({ progress })), DONE]);

  // Once more, now within the app.
  await window.page.getByRole("button", { name: "Again" }).click();
  const again = await window.lines.nth(1);
  assert.deepEqual(await again.toEnd(), await line.toEnd());
  await window.shows("#percent", "100");
});
