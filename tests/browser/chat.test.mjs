import assert from "node:assert/strict";
import { example } from "./support/example.mjs";

const TYPE = "test-channel:message";

example("chat", async ({ open }) => {
  // Two people: each window has cookies of its own.
  const ada = await open("/chat");
  await ada.shows(".chat-message", "Beginning of chat...");
  const adasLine = await ada.lines.nth(0);
  const grace = await open("/chat");
  const gracesLine = await grace.lines.nth(0);

  // T7
  const joined = await adasLine.hears(TYPE, ({ event }) => event === "joins");
  assert.deepEqual(joined.message, { event: "joins", user: "sample name" });
  const said = await adasLine.says(TYPE);
  assert.deepEqual(Object.keys(said.message), ["message"]);
  const heard = await gracesLine.hears(TYPE, ({ message }) => message !== undefined);
  assert.deepEqual(heard.message, { message: said.message.message, user: "sample name" });

  await grace.page.locator(".chat-message[type=incoming]", { hasText: "Hello from" }).first().waitFor();
  await ada.page.locator(".chat-message[type=outgoing]", { hasText: "Hello from" }).first().waitFor();
  assert.deepEqual(await look(grace, "incoming"), { colour: "rgb(0, 0, 255)", left: "10px", right: "200px" });
  assert.deepEqual(await look(ada, "outgoing"), { colour: "rgb(0, 128, 128)", left: "200px", right: "10px" });
  // Nobody hears their own words.
  const own = adasLine.heard.filter(({ message }) => message.message && message.user === undefined);
  assert.deepEqual(own, []);

  await grace.close();
  const left = await adasLine.hears(TYPE, ({ event }) => event === "leaves");
  assert.equal(left.message.user, "sample name");
});

async function look(window, type) {
  return await window.page.locator(`.chat-message[type=${type}]`).last().evaluate((item) => {
    const { backgroundColor, marginLeft, marginRight } = getComputedStyle(item);
    return { colour: backgroundColor, left: marginLeft, right: marginRight };
  });
}
