// Pages whose network is cut.

import assert from "node:assert/strict";
import { site } from "./support/example.mjs";
import { networkTo } from "./support/network.mjs";

site("resume", {
  async "a page loses no step when its network is cut, and its handler runs once"({ open, host }) {
    const network = await networkTo(host.url);
    const window = await open("/resume", { network, watch: "#value" });
    await window.connected();
    await window.until(() => window.texts.length > 0, () => `nothing was shown\n${window}`);
    const [run] = window.texts[0].split(",");

    for (let count = 1; count <= 10; count++) {
      network.cut();
      await window.told("away", count);
      await window.says("count");
      await window.shows("#value", `${run}, count ${count}`);
    }

    assert.deepEqual(window.texts, Array.from({ length: 11 }, (_, count) => `${run}, count ${count}`));
    assert.deepEqual(new Set(window.lineStates), new Set(["away", "resumed"]));
    assert.equal(window.lines.count, 1);
  },

  async "what was said while away arrives once"({ open, host }) {
    const network = await networkTo(host.url);
    const window = await open("/resume", { network });
    await window.connected();
    network.down();
    await window.told("away");
    for (const text of ["a", "b", "c"]) await window.says("say", text);
    network.up();
    await window.told("resumed");
    const line = await window.lines.nth(0);
    await line.hears("message", (message) => message === "heard c");
    const heard = line.heard.filter(({ type }) => type === "message").map(({ message }) => message);
    assert.deepEqual(heard, ["heard a", "heard b", "heard c"]);
  },

  async "a part of the app that the network lost is asked for again"({ open, host }) {
    const network = await networkTo(host.url);
    const window = await open("/resume", { network, serviceWorkers: "block" });
    const requests = [];
    await window.page.route(/\/\.liveline\/app\/(binding|sockets)\.js/, async (route) => {
      const { pathname } = new URL(route.request().url());
      const isFirst = !requests.includes(pathname);
      requests.push(pathname);
      await (isFirst ? route.abort() : route.continue());
    });
    await window.goto("/resume");
    await window.connected();
    await window.says("count");
    await window.page.locator("#value", { hasText: /count 1$/ }).waitFor();
    assert.deepEqual(new Set(requests), new Set(["/.liveline/app/binding.js", "/.liveline/app/sockets.js"]));
  },

  async "a question that is open stays, and its answer arrives"({ open, host }) {
    const network = await networkTo(host.url);
    const window = await open("/resume/ask", { network });
    await window.shows("#value", "ready");
    await window.connected();
    // A dialog of the page's own, which the user answers later.
    await window.page.evaluate(() => {
      window.isBusy = true;
      window.webqit.app.background.addEventListener("confirm", (event) => window.question = event);
    });
    await window.says("go");
    await window.page.waitForFunction(() => window.question !== undefined);
    network.down();
    await window.told("away");
    await window.page.evaluate(() => window.question.respondWith(true));
    network.up();
    await window.shows("#value", "the answer was true");
  },
});

site("resume too late", {
  async "after the window the page is asked for again, once, and says so"({ open, host }) {
    const network = await networkTo(host.url);
    const window = await open("/resume", { network, watch: "#value" });
    await window.until(() => window.texts.length > 0, () => `nothing was shown\n${window}`);
    const [first] = window.texts;
    const run = Number(/run (\d+)/.exec(first)[1]);
    await window.connected();
    network.down();
    await window.told("away");
    await host.says(`run ${run} closed with 1006`);
    network.up();
    await window.told("reloaded");
    await window.until(() => window.texts.length > 1, () => `nothing new was shown\n${window}`);

    assert.deepEqual(window.lineStates, ["away", "lost", "reloaded"]);
    const [, second, ...more] = window.texts;
    assert.match(second, /^run \d+, count 0$/);
    assert.notEqual(second, first);
    assert.deepEqual(more, []);
  },
}, ["--resume-window=1s"]);
