// A server that restarts closes lines with 1012, and a killed one without a code: pages ask again in either case.

import assert from "node:assert/strict";
import test from "node:test";
import { connect } from "./support/browser.mjs";
import { folderWith } from "./support/folder.mjs";
import { explain, startHost } from "./support/host.mjs";
import { Window } from "./support/visitor.mjs";

const folder = folderWith({
  "handler.js": `export default async function* (event) {
    yield { run: process.env.RUN };
    await new Promise((resolve) => event.signal.addEventListener("abort", resolve));
  }`,
  "page.html": `<title>t</title><p id="value" render="#text: data.run"></p>`,
});

for (const [signal, first] of [["SIGTERM", "lost"], ["SIGKILL", "away"]]) {
  test(`a page whose server ends by ${signal} shows what the next one answers`, async () => {
    const browser = await connect();
    const start = (run, options = []) => startHost(folder, options, { command: "serve", env: { RUN: run } });
    let host = await start("first");
    const window = await Window.open(browser, host, "/");
    try {
      await explain(async () => {
        await window.shows("#value", "first");
        await window.connected();
        const { port } = new URL(host.url);
        await host.stop(signal);
        // A line whose connection was lost may be there still.
        await window.told(first);
        host = await start("second", ["--port", port]);
        await window.shows("#value", "second");
        await window.told("reloaded");
      }, () => [window, host]);
      assert.deepEqual(window.lineStates.filter((state) => state !== "away"), ["lost", "reloaded"]);
    } finally {
      await window.close();
      await Promise.all([browser.close(), host.stop()]);
    }
  });
}

test("a page that is refused once more after the next server answered shows what that answers", async () => {
  const browser = await connect();
  const start = (run, options = []) => startHost(folder, options, { command: "serve", env: { RUN: run } });
  let host = await start("first");
  const window = await Window.open(browser, host, "/");
  try {
    await explain(async () => {
      await window.shows("#value", "first");
      await window.connected();
      const { port } = new URL(host.url);
      await host.stop("SIGTERM");
      await window.told("lost");
      let refused = 0;
      await window.page.route(host.url, (route) => {
        refused += 1;
        return refused === 1 ? route.abort("connectionrefused") : route.continue();
      });
      host = await start("second", ["--port", port]);
      await window.shows("#value", "second");
      await window.told("reloaded");
      assert.equal(refused, 2);
      assert.equal(await window.page.evaluate(() => window.webqit.app.navigator.error), null);
    }, () => [window, host]);
  } finally {
    await window.close();
    await Promise.all([browser.close(), host.stop()]);
  }
});
