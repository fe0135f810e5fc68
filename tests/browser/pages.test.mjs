// What holds for the pages of all examples.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { pages } from "./support/example.mjs";

const EXAMPLES = new URL("../../examples/", import.meta.url);

/** What each page shows first, without a script having run. */
const FIRST = {
  "/board": [".note span", "Ada"],
  "/hello": ["#hello", "world"],
  "/steps": ["#step", "1"],
  "/progress": ["#percent", "0"],
  "/replace": ["#step", "1"],
  "/skeleton": ["#header", "Loading..."],
  "/callback": ["#some-prop", "nothing yet"],
  "/generator": ["#yielded", "an object"],
  "/live": ["#progress", "0"],
  "/redirect": ["#step", "0"],
  "/done": ["#done", "All the work is finished."],
  "/confirm": ["#answer", "Nothing was asked yet."],
  "/dialogs": ["#greeting", "Nobody was greeted yet."],
  "/messages": ["#remark", "You have not typed anything yet."],
  "/proxy": ["#step", "1"],
  "/posts": ["#posts span", "Hello, world"],
  "/chat": ["h1", "Channel chat"],
  "/typescript": ["#fahrenheit", "68"],
};

const paths = readdirSync(EXAMPLES, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !["aiwebengine", "fastify", "larc", "public", "source", "workers"].includes(entry.name))
  .map((entry) => `/${entry.name}`)
  .sort();

pages("pages", {
  async "every example is known here"() {
    assert.deepEqual(Object.keys(FIRST).sort(), paths);
  },

  async "the root lists every example"({ open }) {
    const window = await open("/");

    const links = await window.page.locator(".tiles a").evaluateAll((all) => all.map((a) => a.getAttribute("href")));

    assert.deepEqual(links.sort(), paths);
  },

  async "an example is opened from the root and left again"({ open }) {
    const window = await open("/");

    await window.page.locator('.tiles a[href="/steps"]').click();
    await window.shows("#step", "2");
    assert.equal(window.path, "/steps");
    assert.equal(await window.page.title(), "Steps · Liveline");

    await window.page.goBack();
    await window.shows("h1", "Liveline examples");
    await window.page.waitForFunction((count) => document.querySelectorAll(".tiles a").length === count, paths.length);
  },

  async "without JavaScript every page shows its first state"({ open }) {
    const window = await open("/", { javaScript: false });
    for (const [path, [selector, text]] of Object.entries(FIRST)) {
      await window.goto(path);
      assert.equal((await window.page.locator(selector).first().textContent()).trim(), text, path);
    }
  },

  async "every page shows its raw state"({ open }) {
    // But the board, which fills its window.
    for (const path of paths.filter((path) => path !== "/board")) {
      // A window each: pages of redirects go elsewhere by themselves, perhaps while the next is being opened.
      const window = await open(path);
      await window.page.locator(".raw-state pre").waitFor();
      await window.close();
    }
  },

  async "every page leads to its source, and that back"({ open }) {
    const window = await open("/steps");

    await window.page.getByRole("link", { name: "Source" }).click();
    await window.shows("h1", "/steps");
    assert.equal(window.path, "/source/steps");
    assert.deepEqual(await window.all(".file h2"), ["handler.js", "page.html"]);
    const [handler, page] = await window.page.locator(".file code").allTextContents();
    assert.ok(handler.includes("export async function GET"), handler);
    // Markup is shown and does nothing.
    assert.ok(page.includes("<!doctype html>") && page.includes('<p class="figure" id="step"'), page);
    assert.equal(await window.page.locator(".file #step").count(), 0);

    await window.page.getByRole("link", { name: "See it run" }).click();
    await window.shows("#step", "2");
  },

  async "a page tells how its state came there"({ open }) {
    const window = await open("/steps");
    await window.shows("#step", "2");
    await window.shows(".raw-state li:nth-of-type(2) code", '{"step":2}');
    assert.deepEqual(await window.all(".raw-state li code"), ['{"step":1}', '{"step":2}']);
  },

  async "dark pages are dark"({ open }) {
    const { page } = await open("/steps");
    const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);

    const light = await background();
    await page.emulateMedia({ colorScheme: "dark" });

    assert.notEqual(await background(), light);
  },

  async "no page is wider than a telephone"({ open }) {
    // As it is rendered by the server: the example with the redirect stays where it is.
    const window = await open("/", { javaScript: false });
    await window.page.setViewportSize({ width: 360, height: 640 });
    for (const path of ["/", ...paths]) {
      await window.goto(path);
      assert.ok(await window.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), path);
    }
  },
});
