import assert from "node:assert/strict";
import { example } from "./support/example.mjs";

example("messages", async ({ open }) => {
  const window = await open("/messages");
  await window.shows("#remark", "You have not typed anything yet.");
  const line = await window.lines.nth(0);

  await window.page.locator("#text").pressSequentially("hey");
  await line.says("message", ({ length }) => length === 3);
  await window.shows("#remark", "You stopped.");

  const lengths = line.said.filter(({ type }) => type === "message").map(({ message }) => message.length);
  assert.deepEqual(lengths, [1, 2, 3]);
  await line.hears("message", ({ message }) => message === "You seem to be typing something: 3 characters so far.");

  // T6: the line carries it before the page has changed.
  await window.page.getByRole("link", { name: "Liveline examples" }).click();
  const { pathname, method } = (await line.says("navigate")).message;
  assert.deepEqual([pathname, method], ["/", "GET"]);
  await window.shows("h1", "Liveline examples");
});
