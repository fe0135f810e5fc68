import assert from "node:assert/strict";
import { example } from "./support/example.mjs";

example("posts", async ({ open, host }) => {
  const window = await open("/posts");
  const [first] = await window.all("#posts li span");
  assert.equal(first, "Hello, world");
  const line = await window.lines.nth(0);

  // By another client.
  const news = `News ${crypto.randomUUID()}`;
  const added = await fetch(`${host.url}/posts`, { method: "POST", body: new URLSearchParams({ title: news }) });
  assert.equal(added.status, 201);
  await window.page.locator("#posts li", { hasText: news }).waitFor();

  // By the page itself, which stays on its line.
  const more = `More ${crypto.randomUUID()}`;
  await window.page.getByLabel("A new post").fill(more);
  await window.page.getByRole("button", { name: "Add" }).click();
  await window.page.locator("#posts li", { hasText: more }).waitFor();

  assert.equal(window.lines.count, 1);
  // The handler has returned its response, whose rows go on changing.
  assert.deepEqual([...new Set(line.heard.map(({ type }) => type))], ["response.done", "initial_response.mutate"]);
});
