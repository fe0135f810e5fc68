// What goes over a page's lines, where no example shows it.

import assert from "node:assert/strict";
import { DONE, deltas, replace } from "./support/lines.mjs";
import { site } from "./support/example.mjs";

site("lines", {
  async "the first page is live, and its handler ran once"({ open }) {
    const window = await open("/first");

    await window.shows("#value", "run 1, state 2");

    const line = await window.lines.nth(0);
    assert.deepEqual(await line.toEnd(), [replace({ value: "run 1, state 2" }), DONE]);
    assert.equal(window.lines.count, 1);
    await window.goto("/first");
    await window.shows("#value", "run 2, state 2");
  },

  // T5
  async "a message that comes first is a 202, and the page is as written until the first state"({ open }) {
    const window = await open("/module");
    const answer = await window.goto("/message-first");

    await window.shows("#seen", 'message {"progress":10}');
    assert.equal(answer.status(), 202);
    await window.shows("#value", "as written");

    await window.says("go");
    await window.shows("#value", "arrived");
    const frames = await (await window.lines.nth(0)).toEnd();
    assert.deepEqual(frames, [["message", { progress: 10 }], replace({ value: "arrived" }), DONE]);
  },

  // T6
  async "the handler hears where the user goes, and the page that the line closed"({ open, host }) {
    const window = await open("/stay");
    await window.shows("#value", "staying");
    const line = await window.lines.nth(0);

    await window.page.getByRole("link", { name: "Other" }).click();

    await window.shows("#value", "elsewhere");
    const { message } = await line.says("navigate");
    assert.deepEqual([message.pathname, message.method], ["/stay/other", "GET"]);
    await window.shows("#seen", "close 4001");
    await host.says("went to /stay/other by GET");
    await host.says("aborted");
  },

  // T10
  async "what a page does to its copy of the state stays there"({ open }) {
    const window = await open("/edits");
    await window.shows("#value", "of the server");

    await window.page.evaluate(() => {
      Observer.set(document.bindings.data, "value", "of the page");
      Observer.proxy(document.bindings.data.list).push(2);
    });
    await window.shows("#value", "of the page");
    await window.says("over");
    await window.shows("#value", "of the server again");

    const line = await window.lines.nth(0);
    const change = { type: "set", path: ["value"], value: "of the server again" };
    assert.deepEqual(deltas(await line.toEnd()), [["initial_response.mutate", [change]], DONE]);
    assert.deepEqual(line.said.map(({ type }) => type), ["over"]);
  },

  async "the page sees how a line ended"({ open }) {
    const ends = {
      return: "close 1000",
      close: "close 1000",
      throw: "close 4002, error The line to the upstream closed with 4002 (Error: on purpose) before it was done.",
    };
    for (const [how, seen] of Object.entries(ends)) {
      const window = await open(`/ends?how=${how}`);
      await window.shows("#value", how);
      await window.says("go");
      await window.shows("#seen", seen);
    }
  },

  async "an error after the answer reaches the page"({ open, host }) {
    const window = await open("/ends?how=throw");
    await window.shows("#value", "throw");
    await window.says("go");

    await window.page.locator("#seen", { hasText: "error" }).waitFor();

    const error = await window.page.evaluate(() => window.webqit.app.navigator.error.message);
    assert.match(error, /closed with 4002/);
    await host.says("on purpose");
  },

  async "a page answers dialogs in its own way"({ open }) {
    const window = await open("/ask");
    window.page.on("dialog", (dialog) => assert.fail(`a native ${dialog.type()} was shown`));

    await window.shows("#value", "the page's answer to a question");
  },
});
