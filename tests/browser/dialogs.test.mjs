import assert from "node:assert/strict";
import { example } from "./support/example.mjs";

example("dialogs", async ({ open }) => {
  const window = await open("/dialogs");
  const { page } = window;
  const native = [];
  let accept = true;
  page.on("dialog", (dialog) => {
    native.push([dialog.type(), dialog.message()]);
    return accept ? dialog.accept() : dialog.dismiss();
  });
  await window.shows("#greeting", "Nobody was greeted yet.");

  await page.getByRole("button", { name: "Greet me" }).click();
  await window.shows("#message", "What is your name?");
  await page.locator("#question input").fill("Ada");
  await page.getByRole("button", { name: "Answer" }).click();
  await window.shows("#greeting", "Hello, Ada!");

  accept = false;
  await page.getByRole("button", { name: "Greet me" }).click();
  await page.locator("#question input").fill("Grace");
  await page.getByRole("button", { name: "Answer" }).click();
  await window.shows("#greeting", "Grace prefers silence.");

  await page.getByRole("button", { name: "Greet me" }).click();
  await page.getByRole("button", { name: "Cancel" }).click();
  await window.shows("#greeting", "You would rather not say.");

  // The prompt was the page's own, each time.
  assert.deepEqual(native, [
    ["confirm", "Shall we greet Ada?"],
    ["confirm", "Shall we greet Grace?"],
  ]);
});
