// The page of aiwebengine's streaming guide with its script, and the example's reading room.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { connect } from "./support/browser.mjs";
import { folderWith } from "./support/folder.mjs";
import { explain, startHost } from "./support/host.mjs";
import { Window } from "./support/visitor.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const seed = (name) => readFileSync(here(`../it/aiwebengine/seed/${name}`), "utf8");

/** Waits until a function of the page returns true. */
const shows = (window, isShown, argument) => window.page.waitForFunction(isShown, argument);

describe("the page of the guide", () => {
  let browser, host;
  before(async () => {
    browser = await connect();
    const folder = folderWith({ "scripts/quickstart.js": seed("quickstart.js"), "public/index.html": seed("index.html") });
    host = await startHost(folder, [], { command: "serve" });
  });
  after(() => Promise.all([browser?.close(), host?.stop()]));

  it("shows events", async () => {
    const window = await Window.open(browser, host, "/");
    await explain(async () => {
      await shows(window, () => eventSource.readyState === EventSource.OPEN);
      const send = () => fetch(new URL("/trigger", host.url), { method: "POST" });
      assert.equal(await (await send()).text(), "Event sent");
      await shows(window, () => document.querySelectorAll("#events p").length === 1);
      assert.match(await window.page.textContent("#events p"), /^Something happened! at \d{4}-.*Z$/);
    }, () => [window, host]);
    await window.close();
  });
});

describe("the reading room", () => {
  let browser, host;
  before(async () => {
    browser = await connect();
    const data = folderWith({ ".keep": "" });
    host = await startHost(here("../../examples/aiwebengine"), ["--data", join(data, "data")], { command: "serve" });
  });
  after(() => Promise.all([browser?.close(), host?.stop()]));

  it("shows the notes of all visitors, on the shelf that each follows", async () => {
    const [ann, bob] = await Promise.all([Window.open(browser, host, "/"), Window.open(browser, host, "/")]);
    await explain(async () => {
      for (const window of [ann, bob]) await shows(window, () => document.getElementById("state").textContent === "live");
      await bob.page.click("text=questions");
      await shows(bob, () => document.getElementById("state").textContent === "live");
      for (const [shelf, text] of [["ideas", "an idea"], ["questions", "<b>why?</b>"]]) {
        await ann.page.selectOption("#shelf", shelf);
        await ann.page.fill("#text", text);
        await ann.page.press("#text", "Enter");
        await shows(ann, (text) => document.getElementById("notes").textContent.includes(text), text);
      }
      await shows(bob, () => document.getElementById("notes").textContent.includes("<b>why?</b>"));
      assert.ok(!(await bob.page.textContent("#notes")).includes("an idea"));
      await shows(ann, () => document.getElementById("clock").textContent !== "");
    }, () => [ann, bob, host]);
    await Promise.all([ann.close(), bob.close()]);
  });
});
