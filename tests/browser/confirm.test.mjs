import assert from "node:assert/strict";
import { example } from "./support/example.mjs";
import { DONE } from "./support/lines.mjs";

const QUESTION = "This item will be permanently deleted. Are you sure?";

example("confirm", async ({ open }) => {
  const window = await open("/confirm");
  const asked = [];
  window.page.on("dialog", (dialog) => {
    asked.push([dialog.type(), dialog.message()]);
    dialog.accept();
  });

  await window.page.getByRole("button", { name: "Delete the item" }).click();
  await window.shows("#answer", "The handler went on.");

  assert.deepEqual(asked, [["confirm", QUESTION]]);
  // T3
  const line = await window.lines.nth(0);
  const [question, [type, { status, body }], end, ...more] = await line.toEnd();
  assert.deepEqual(question, ["confirm", { message: QUESTION }]);
  assert.deepEqual([type, status, body], ["response.replace", 200, { ok: true }]);
  assert.deepEqual([end, more], [DONE, []]);
  const [{ id, ports }] = line.heard;
  assert.equal(ports, 1);
  assert.deepEqual(line.said.map(({ type, message }) => [type, message]), [[`${id}:0:message`, true]]);
});
