// Handlers of the service worker: documents, streams, and a site whose server has gone.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { connect } from "./support/browser.mjs";
import { folderWith } from "./support/folder.mjs";
import { explain, startHost } from "./support/host.mjs";
import { PATIENCE } from "./support/patience.mjs";

const PAGE = `<!doctype html><title>Page</title><p id="value"><?{ data.value }?></p><b id="at" render="#text: data.at"></b>
  <ul render="#items: (item) of data.items / 'item'"><template def="item"><li render="#text: item"></li></template></ul>`;

describe("a service worker's handlers", { concurrency: 1 }, () => {
  let browser, context, page, host;
  before(async () => browser = await connect());
  after(() => browser?.close());
  afterEach(async () => {
    await context?.close();
    await host?.stop();
  });

  /** Serves files, opens a path, and waits until the worker answers for the page. */
  async function open(files, path = "/") {
    host = await startHost(folderWith(files));
    context = await browser.newContext();
    page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    await page.goto(host.url + path);
    await page.evaluate(async () => {
      const { serviceWorker } = navigator;
      if (serviceWorker.controller !== null) return;
      await new Promise((resolve) => serviceWorker.addEventListener("controllerchange", resolve, { once: true }));
    });
  }

  const shows = (selector, text) => page.waitForFunction(([selector, text]) => document.querySelector(selector)?.textContent.trim() === text, [selector, text]);

  /** Waits until the worker has kept the page of a path. */
  const keeps = (path) => page.waitForFunction(async (path) => await (await caches.open("liveline")).match(`/.liveline/blank${path}`) !== undefined, path);

  const test = (title, run) => it(title, () => explain(run, () => [host]));

  test("answer documents with states that are shown in the page", async () => {
    await open({
      "app/page.html": PAGE,
      "app/handler.js": "export default (event) => ({ value: 'server', at: event.url.pathname, items: [1] });",
      "app/handler.worker.js": "export default (event, next) => event.url.search ? { value: '</script><b>worker', at: event.request.mode, items: [1, 2] } : next();",
    });
    await shows("#value", "server");
    await page.reload();
    await shows("#value", "server");
    await page.goto(`${host.url}/?own`);
    await shows("#value", "</script><b>worker");
    await shows("#at", "navigate");
    await page.waitForFunction(() => document.querySelectorAll("li").length === 2);
    await page.evaluate(() => webqit.app.navigate("/"));
    await shows("#value", "server");
  });

  test("show a page when the server cannot be reached", async () => {
    await open({
      "app/page.html": PAGE,
      "app/handler.js": "export default (event, next) => next.stepname ? next() : { value: 'server', items: [] };",
      "app/shop/handler.js": "export default () => ({ value: 'shop of the server', items: [1] });",
      "app/handler.worker.js": `export default async (event, next) => {
        try {
          return await next();
        } catch {
          return { value: "offline", at: event.url.pathname, items: ["a"] };
        }
      };`,
    });
    await keeps("/");
    await host.stop();
    await page.reload();
    await shows("#value", "offline");
    await shows("li", "a");
    // A page that was never visited is shown in the nearest one above that is known.
    await page.goto(`${host.url}/shop`);
    await shows("#at", "/shop");
  });

  test("may answer documents with HTML of their own, and forms", async () => {
    await open({
      "app/page.html": PAGE,
      "app/handler.js": "export default async (event) => ({ value: event.request.method === 'POST' ? (await event.request.formData()).get('a') : 'server' });",
      "app/handler.worker.js": `export default async (event, next) => {
        try {
          const answer = await next();
          return answer;
        } catch {
          return new Response("<h1>Come back later</h1>", { status: 503, headers: { "Content-Type": "text/html" } });
        }
      };`,
    });
    await page.reload();
    await page.evaluate(() => {
      document.body.insertAdjacentHTML("beforeend", "<form method=post webflo-no-intercept><input name=a value=posted></form>");
      document.querySelector("form").submit();
    });
    await page.waitForFunction(() => document.body.textContent.includes("posted"));
    await host.stop();
    await page.goto(`${host.url}/`);
    await shows("h1", "Come back later");
  });

  test("stay on the line with a document", async () => {
    await open({
      "app/page.html": PAGE,
      "app/handler.js": "export default () => ({ value: 'server' });",
      "app/handler.worker.js": `export default async (event, next) => {
        if (!event.url.search) return await next();
        event.respondWith({ value: "first" }, { done: false });
        await new Promise((resolve) => event.client.addEventListener("go", resolve, { once: true }));
        return { value: "second" };
      };`,
    });
    await page.goto(`${host.url}/?live`);
    await shows("#value", "first");
    await page.waitForFunction(() => webqit.app.background.length > 0);
    await page.evaluate(() => webqit.app.background.postMessage(null, { type: "go" }));
    await shows("#value", "second");
  });

  test("leave streams of events alone", async () => {
    await open({
      "app/page.html": PAGE,
      "app/handler.js": "export default (event, next) => next.stepname ? next() : { value: 'server' };",
      "app/events/handler.js": `export const GET = () => new Response(new ReadableStream({
        start: (controller) => controller.enqueue(new TextEncoder().encode("data: 1\\n\\n")),
      }), { headers: { "content-type": "text/event-stream" } });`,
      "app/handler.worker.js": "export default () => ({ value: 'worker' });",
    });
    await page.evaluate(async () => {
      globalThis.source = new EventSource("/events");
      globalThis.states = [];
      source.onerror = () => states.push(source.readyState);
      await new Promise((resolve) => source.onmessage = resolve);
    });
    await host.stop();
    await page.waitForFunction(() => states.length > 1);
    // It asks again and again, as it does without a worker.
    assert.equal(await page.evaluate(() => source.readyState === EventSource.CLOSED), false);
  });

  test("re-route documents", async () => {
    await open({
      "app/page.html": PAGE,
      "app/handler.js": "export default (event, next) => next.stepname ? next() : { value: 'root' };",
      "app/other/handler.js": "export default (event) => ({ value: 'other', at: event.url.pathname });",
      "app/old/handler.worker.js": "export default (event, next) => next('/other');",
    });
    await page.goto(`${host.url}/old`);
    await shows("#value", "other");
  });
});
