// window.webqit.app: navigation, forms, and the handlers that browsers run.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { site } from "./support/example.mjs";

site("app", {
  async "navigate() shows what the server answers"({ open }) {
    const window = await open("/form");

    await window.page.evaluate(() => window.webqit.app.navigate("/form?a=1"));
    assert.equal(window.path, "/form?a=1");
    await window.shows("#value", "GET /form?a=1 none a=1");

    await window.page.evaluate(() => {
      return window.webqit.app.navigate("/form", { method: "PATCH", body: new URLSearchParams({ b: "2" }) });
    });
    await window.shows("#value", "PATCH /form application/x-www-form-urlencoded b=2");
  },

  async "forms are sent as HTML says, by the button that was pressed"({ open }) {
    const window = await open("/form");
    const sent = {
      "#post": "POST /form application/x-www-form-urlencoded name=Ada",
      "#named": "POST /form application/x-www-form-urlencoded name=Ada pressed=this one",
      "#elsewhere": "PUT /form/target?x=1 multipart/form-data name=Ada",
      "#get": "GET /form?name=Ada none name=Ada",
    };
    for (const [button, text] of Object.entries(sent)) {
      await window.goto("/form");
      await window.page.locator(button).click();
      await window.shows("#value", text);
    }
  },

  async "an error of a handler reaches the page"({ open }) {
    const window = await open("/form");
    const seen = window.page.evaluate(async () => {
      const { promise, resolve } = Promise.withResolvers();
      document.addEventListener("liveline:error", (e) => {
        e.preventDefault();
        resolve(e.detail.error.message);
      });
      await window.webqit.app.navigate("/broken", { method: "POST" });
      return [await promise, window.webqit.app.navigator.error.message];
    });

    assert.deepEqual(await seen, ["500 Internal Server Error", "500 Internal Server Error"]);
    // Chromium's own note on the status.
    window.errors.splice(0).forEach((error) => assert.match(error, /status of 500/));
  },

  async "client handlers may be TypeScript"({ open }) {
    const window = await open("/typed");
    await window.shows("#value", "typed at /typed");
  },

  async "client handlers may be live functions"({ open }) {
    const window = await open("/live", { watch: "#value" });
    await window.shows("#value", "in the browser 3");
    assert.equal(window.lines.count, 0);
  },

  async "handlers of the service worker answer the page"({ open }) {
    const window = await open("/worker");
    await window.page.evaluate(async () => {
      const { serviceWorker } = navigator;
      const { promise, resolve } = Promise.withResolvers();
      serviceWorker.addEventListener("controllerchange", resolve);
      if (serviceWorker.controller === null) await promise;
      await window.webqit.app.navigate("/worker");
    });
    await window.shows("#value", "of the worker");
  },

  async "a universal handler runs in the page, the worker and on the server"({ open }) {
    const window = await open("/universal");
    await window.page.evaluate(async () => {
      const { serviceWorker } = navigator;
      if (serviceWorker.controller !== null) return;
      await new Promise((resolve) => serviceWorker.addEventListener("controllerchange", resolve, { once: true }));
    });
    await window.page.evaluate(() => window.webqit.app.navigate("/universal?again"));
    await window.shows("#value", "page worker server");
  },

  async "modules import the app"({ open }) {
    const window = await open("/module");
    await window.shows("#seen", "one app");
  },

  async "a page that brings OOHTML is bound by it"({ open }) {
    const window = await open("/");
    const script = new URL("node_modules/@webqit/oohtml/dist/main.js", import.meta.url);
    const body = await readFile(script, "utf8");
    await window.page.route("**/oohtml.js", (route) => route.fulfill({ contentType: "text/javascript", body }));
    await window.goto("/oohtml");

    // Only OOHTML knows these braces.
    await window.shows("#braces", "one");
    await window.says("go");
    await window.shows("#braces", "two");
    await window.shows("#value", "two");
    await window.page.locator("li", { hasText: "2" }).waitFor();
    assert.deepEqual(await window.all("li"), ["1", "2"]);
  },

  async "a page that only runs scripts of its own site is live"({ open }) {
    const window = await open("/csp");
    await window.shows("#value", "first");
    await window.says("go");
    await window.shows("#value", "second");
  },
});
