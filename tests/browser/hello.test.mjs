import assert from "node:assert/strict";
import { example } from "./support/example.mjs";

example("hello", async ({ open }) => {
  const window = await open("/hello");
  await window.shows("#hello", "world");
  await window.page.evaluate(() => (window.sameDocument = true));

  await window.page.getByRole("link", { name: "Greet Ada" }).click();
  await window.shows("#hello", "Ada");
  assert.equal(window.path, "/hello?name=Ada");

  await window.page.getByLabel("A name").fill("Grace & Co");
  await window.page.getByRole("button", { name: "Greet" }).click();
  await window.shows("#hello", "Grace & Co");
  assert.equal(new URL(window.page.url()).searchParams.get("name"), "Grace & Co");

  await window.page.goBack();
  await window.shows("#hello", "Ada");
  assert.equal(window.path, "/hello?name=Ada");

  assert.equal(await window.page.evaluate(() => window.sameDocument), true, "navigation stayed in the app");
  assert.equal(window.lines.count, 0, "final answers have no lines");
});
