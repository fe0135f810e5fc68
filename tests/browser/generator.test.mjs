import assert from "node:assert/strict";
import { example } from "./support/example.mjs";

example("generator", async ({ open }) => {
  const window = await open("/generator?pace=300");

  await window.shows("#done", "All the work is finished.");

  assert.equal(window.path, "/done");
  const [first, second] = (await window.lines.nth(0)).heard;
  assert.deepEqual(first.message.body, { yielded: "a Response" });
  assert.deepEqual([second.message.status, second.message.headers], [302, { location: "/done" }]);
});
