// What a browser shows after the same steps with and without JavaScript, at the pages of `shown/`.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, describe, it } from "node:test";
import { connect } from "./browser.mjs";
import { explain, startHost } from "./host.mjs";
import { PATIENCE } from "./patience.mjs";

/** Where the forms and links of the page at `/` lead, by what their ids end with: to states of pages, and to documents. */
export const STATES = ["same", "own", "other", "deep", "invalid", "plain", "live", "client"];
export const DOCUMENTS = ["file", "json", "picture", "html", "text", "missing", "below", "throws", "bare"];

/** A browser and a host that serves `shown/`, for the tests that `register` adds. */
export function suite(name, register, { folder = "tests/browser/shown", command = "serve", options = [] } = {}) {
  describe(name, { concurrency: 2 }, () => {
    const world = {};
    before(async () => {
      [world.browser, world.host] = await Promise.all([connect(), startHost(folder, options, { command })]);
      world.other = createServer((_, answer) => {
        answer.setHeader("content-type", "text/html");
        answer.end('<!doctype html><title>O</title><p id="value">of another origin');
      });
      world.other.listen(0, "127.0.0.1");
      await once(world.other, "listening");
    });
    after(async () => {
      world.other?.close();
      world.other?.closeAllConnections();
      await Promise.all([world.browser?.close(), world.host?.stop()]);
    });
    register((title, run) => {
      it(title, async () => {
        const tabs = [];
        const open = async (path, options) => {
          tabs.push(await Tab.open(world, path, options));
          return tabs.at(-1);
        };
        const { host } = world;
        const other = `http://127.0.0.1:${world.other.address().port}/`;
        try {
          await explain(() => run({ open, host, other }), () => [host]);
        } finally {
          await Promise.all(tabs.map((tab) => tab.close()));
        }
      });
    });
  });
}

/** See `Tab.sight`. Runs in a browser. */
function look() {
  const value = document.querySelector("#value, text, pre") ?? document.documentElement;
  const list = document.querySelector("#list")?.textContent ?? null;
  return [location.href, document.title, value.textContent.trim(), list];
}

/** One page of a browser context of its own. */
export class Tab {
  page;
  #context;
  #url;

  static async open({ browser, host }, path, { javaScript = true, ...options } = {}) {
    const tab = new Tab();
    tab.#url = host.url;
    tab.#context = await browser.newContext({ javaScriptEnabled: javaScript, ...options });
    tab.page = await tab.#context.newPage();
    tab.page.setDefaultTimeout(PATIENCE);
    await tab.goto(path);
    return tab;
  }

  get context() {
    return this.#context;
  }

  async goto(path) {
    return await this.page.goto(new URL(path, this.#url).href, { waitUntil: "load" });
  }

  /** Presses the button of a form, or clicks a link. What comes of it is for the caller to wait for. */
  async press(id) {
    await this.page.locator(id.startsWith("link") ? `#${id}` : `#${id} button`).click({ noWaitAfter: true });
  }

  /** Takes a step and waits for the document that it leads to, if it leads to one. */
  async load(step) {
    const loaded = this.page.waitForEvent("load");
    await step(this.page);
    await loaded;
  }

  /** Address, title and text of what is shown. */
  async sight() {
    return await this.page.evaluate(look);
  }

  /** Waits until this is shown, in whichever document. */
  async shows(sight, what = "") {
    const wanted = JSON.stringify(sight);
    try {
      await this.page.waitForFunction(`JSON.stringify((${look})()) === ${JSON.stringify(wanted)}`);
    } catch (cause) {
      const seen = JSON.stringify(await this.sight());
      throw new Error(`${what}: ${seen} is shown, not ${wanted}`, { cause });
    }
  }

  async close() {
    await this.#context.close();
  }
}

/**
 * Presses `id` at `/`, goes back, goes forward and loads again, with JavaScript and without. A request that is not to be
 * repeated is a GET when the user comes again, so from there on what counts is what its address shows.
 */
export async function compare({ open }, id) {
  const [plain, app] = await Promise.all([open("/", { javaScript: false }), open("/")]);
  await app.page.waitForFunction(() => window.webqit?.app !== undefined);
  const home = await plain.sight();
  const isSent = id.startsWith("post");

  await plain.load(() => plain.press(id));
  const sight = await plain.sight();
  await app.press(id);
  await app.shows(sight, `${id} pressed`);

  await plain.load((page) => page.goBack());
  assert.deepEqual(await plain.sight(), home, `${id} and back without JavaScript`);
  await app.page.goBack();
  await app.shows(home, `${id} and back`);

  let again = sight;
  if (isSent) {
    await plain.goto(sight[0]);
    again = await plain.sight();
  }
  await app.page.goForward();
  await app.shows(again, `${id}, back and forward`);
  await app.page.reload();
  await app.shows(again, `${id}, back, forward and reload`);
  await app.page.goBack();
  await app.shows(home, `${id} and back in the end`);
}
