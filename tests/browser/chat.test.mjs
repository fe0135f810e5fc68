import assert from "node:assert/strict";
import { example } from "./support/example.mjs";

const TYPE = "test-channel:message";

example("chat", async ({ open }) => {
  // Two people: each window has cookies of its own. The test of the other transport is in the same channel.
  const [Ada, Grace] = ["Ada", "Grace"].map((name) => `${name} ${crypto.randomUUID().slice(0, 6)}`);
  const ada = await open(`/chat?name=${Ada}`);
  await ada.shows(".chat-message[type=event] b", "You");
  const adasLine = await ada.lines.nth(0);
  const grace = await open(`/chat?name=${Grace}`);
  const gracesLine = await grace.lines.nth(0);
  await grace.shows(".chat-message[type=event] b", "You");

  // T7
  await adasLine.hears(TYPE, (it) => it.event === "joins" && it.user === Grace);
  await ada.page.locator(".chat-message[type=event]", { hasText: `${Grace} joined` }).waitFor();
  await ada.page.getByLabel("Message").fill("Good morning");
  await ada.page.getByRole("button", { name: "Send" }).click();
  const said = await adasLine.says(TYPE);
  assert.deepEqual(said.message, { message: "Good morning" });
  const heard = await gracesLine.hears(TYPE, ({ message, user }) => message !== undefined && user === Ada);
  assert.deepEqual(heard.message, { message: "Good morning", user: Ada });

  const incoming = grace.page.locator(".chat-message[type=incoming]", { hasText: Ada });
  assert.equal(await incoming.locator("span").innerText(), "Good morning");
  const outgoing = ada.page.locator(".chat-message[type=outgoing]");
  assert.deepEqual(await outgoing.locator("b, span").allInnerTexts(), ["You", "Good morning"]);
  assert.ok(await isRightOf(ada.page.locator(".chat-message[type=outgoing]"), ada.page.locator("#trail")));
  assert.equal(await ada.page.getByLabel("Message").inputValue(), "", "the field is ready for the next");
  // Members do not receive their own messages.
  assert.deepEqual(adasLine.heard.filter(({ message }) => message?.user === Ada), []);

  // Another name, without leaving the page.
  const Hopper = `Rear Admiral ${Grace}`;
  await grace.page.getByLabel("Your name").fill(Hopper);
  await grace.page.getByRole("button", { name: "Change" }).click();
  await ada.page.locator(".chat-message[type=event]", { hasText: `${Grace} left` }).waitFor();
  await ada.page.locator(".chat-message[type=event]", { hasText: `${Hopper} joined` }).waitFor();

  await grace.close();
  await adasLine.hears(TYPE, ({ event, user }) => event === "leaves" && user === Hopper);
});

/** Whether an element begins right of the middle of another. */
async function isRightOf(element, other) {
  const [inner, outer] = [await element.boundingBox(), await other.boundingBox()];
  return inner.x > outer.x + outer.width / 2;
}
