// The recipes, run from copies of their files.

import assert from "node:assert/strict";
import { pages } from "./support/example.mjs";
import { recipe } from "./support/recipe.mjs";
import { TRANSPORTS } from "./support/visitor.mjs";

/** A test of a recipe on every transport. */
function cooked(name, visit, options) {
  const tests = TRANSPORTS.map((transport) => [`over ${transport}`, ({ open, host }) => {
    return visit({ host, open: (path, more) => open(path, { transport, ...more }) });
  }]);
  pages(`recipe ${name}`, Object.fromEntries(tests), recipe(name), options);
}

/** Two workers, so that lines and requests of a page are served by different ones. */
const WORKERS = ["--workers", "2"];

cooked("upload", async ({ open }) => {
  const window = await open("/upload");
  const { page } = window;
  await window.connected();
  const id = () => page.evaluate(() => document.bindings.data.id);
  const before = await id();
  const buffer = Buffer.alloc(1_000_000, "a");

  await page.locator("[type=file]").setInputFiles({ name: "one.bin", mimeType: "application/octet-stream", buffer });
  await page.getByRole("button", { name: "Send" }).click();

  await page.locator("#link a").waitFor();
  await window.until(
    () => window.states.some(({ state, received }) => state === "received" && received === buffer.length),
    () => `it was not received: ${JSON.stringify(window.states)}`,
  );
  assert.equal(await page.locator("#link a").getAttribute("href"), `/upload/${before}`);
  const back = await page.evaluate(async (path) => (await (await fetch(path)).arrayBuffer()).byteLength, `/upload/${before}`);
  assert.equal(back, buffer.length);
  // The next one can follow at once.
  await page.waitForFunction((before) => document.bindings.data.id !== before, before);
}, WORKERS);

cooked("sign-in", async ({ open }) => {
  // The tests of both transports share the accounts.
  const name = `Ada ${crypto.randomUUID().slice(0, 8)}`;
  const window = await open("/account?tab=orders");
  const { page } = window;
  const fill = async (password) => {
    await page.getByLabel("Name").fill(name);
    await page.getByLabel("Password").fill(password);
  };
  assert.equal(window.path, "/sign-in?to=%2Faccount%3Ftab%3Dorders");

  await window.goto("/sign-up?to=%2Faccount%3Ftab%3Dorders");
  await fill("one long secret");
  await page.getByRole("button", { name: "Sign up" }).click();
  await window.shows("#name", name);
  await window.at("/account?tab=orders");

  await page.getByRole("button", { name: "Sign out" }).click();
  await window.at("/sign-in");
  // The address changes first, and then what is shown.
  await window.shows("section:not([hidden]) h1", "Sign in");
  await fill("another secret");
  await page.getByRole("button", { name: "Sign in" }).click();
  await window.shows("[role=alert]", "There is no such name with this password.");

  await window.goto("/sign-in?to=https://elsewhere.example/");
  await fill("one long secret");
  await page.getByRole("button", { name: "Sign in" }).click();
  await window.shows("#name", name);
  await window.at("/account");
  // Chromium's own note on the status.
  window.errors.splice(0).forEach((error) => assert.match(error, /401/));
}, WORKERS);

cooked("chart", async ({ open }) => {
  const window = await open("/chart?pace=50");
  await window.page.waitForFunction(() => Number(document.querySelector("#count").textContent) >= 4);

  const points = await window.page.locator("polyline").evaluate((line) => {
    return [...line.points].map(({ x, y }) => [x, y]);
  });
  assert.ok(points.length >= 4);
  assert.ok(points.every(([x, y], i) => y >= 0 && y <= 200 && x <= 600 && (i === 0 || x > points[i - 1][0])), `${points}`);
});

cooked("search", async ({ open }) => {
  const window = await open("/search");
  await window.connected();

  // However slow the machine is, there is no pause between these keys.
  await window.page.locator("[name=q]").evaluate((input) => {
    for (const value of ["a", "al", "ala", "alan"]) {
      input.value = value;
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }
  });
  await window.shows("#count", "2 found for “alan”");
  assert.deepEqual(await window.all("#found li"), ["Alan Kay", "Alan Turing"]);
  await window.at("/search?q=alan");
  // The typing was one search.
  const line = await window.lines.nth(0);
  assert.deepEqual(line.said.filter(({ type }) => type === "search").map(({ message }) => message), ["alan"]);

  await window.page.reload();
  await window.shows("#count", "2 found for “alan”");
  assert.equal(await window.page.locator("[name=q]").inputValue(), "alan");
});

cooked("language-model", async ({ open, host }) => {
  const window = await open("/ask", { watch: "#answer" });
  const ask = async (question) => {
    await window.page.locator("[name=question]").fill(question);
    await window.page.getByRole("button", { name: "Ask" }).click();
  };
  await ask("Why?");

  const whole = 'You asked: "Why?". I am a stand-in for a language model, and know only this sentence.';
  await window.shows("#answer", whole);
  const line = await window.lines.nth(0);
  assert.ok(line.heard.length > 10, `it came in pieces: ${line}`);
  assert.ok(window.texts.every((text) => whole.startsWith(text)), JSON.stringify(window.texts));

  // Who leaves in the middle ends the model's work.
  await ask("What? ".repeat(150));
  await window.until(() => window.texts.some((text) => text.startsWith('You asked: "What?')), () => `${window.texts}`);
  const before = host.lines.filter((line) => line.includes("nobody reads")).length;
  await window.page.goto("about:blank");
  await host.until(
    () => host.lines.filter((line) => line.includes("nobody reads")).length > before,
    () => "the model went on",
  );
});

cooked("dashboard", async ({ open }) => {
  const [one, other] = [await open("/dashboard"), await open("/dashboard")];
  const orders = () => one.page.evaluate(() => document.bindings.data.orders);
  const before = await orders();

  await one.page.getByRole("button", { name: "Order" }).click();

  for (const window of [one, other]) {
    await window.page.waitForFunction((before) => document.bindings.data.orders > before, before);
  }
  // Both received the same polls, each of which was made once.
  const polls = ({ states }) => states.map(({ polls }) => polls);
  const seen = [one, other].map(polls);
  for (const list of seen) assert.ok(list.every((poll, i) => i === 0 || poll > list[i - 1]), `${list}`);
  assert.ok(seen[0].some((poll) => seen[1].includes(poll)), JSON.stringify(seen));
}, WORKERS);
