// What Webflo's client has: `app`'s parts, what pages bind to, and the event of client handlers.

import assert from "node:assert/strict";
import { site } from "./support/example.mjs";

site("webflo", {
  async "the app tells of the network and of the page's size"({ open }) {
    const window = await open("/webflo");
    await window.shows("#online", "true");
    const read = () => window.page.evaluate(() => [webqit.app.network.status, webqit.app.viewport]);
    await window.page.evaluate(() => {
      window.seenStatus = new Promise((resolve) => Observer.observe(webqit.app.network, "status", ({ value }) => resolve(value)));
    });

    await window.page.context().setOffline(true);
    assert.equal(await window.page.evaluate(() => window.seenStatus), false);
    await window.shows("#online", "false");
    await window.page.context().setOffline(false);
    await window.page.setViewportSize({ width: 500, height: 400 });

    await window.shows("#online", "true");
    await window.page.waitForFunction(() => webqit.app.viewport.width === 500);
    assert.deepEqual(await read(), [true, { width: 500, height: 400 }]);
  },

  async "the app asks what the browser may do"({ open }) {
    const window = await open("/webflo");

    const [states, known, unknown, live, install, error] = await window.page.evaluate(async () => {
      const { capabilities } = webqit.app;
      const [live, stop] = await capabilities.query(["notifications", "display-mode"], true);
      stop();
      return [
        await capabilities.query(["notifications", "no-such-thing"]),
        await capabilities.supports("geolocation"),
        await capabilities.supports("no-such-thing"),
        live,
        await capabilities.request("install") ?? "not offered",
        await capabilities.request("camera").catch(({ message }) => message),
      ];
    });

    assert.match(states.notifications, /^(granted|denied|prompt)$/);
    assert.equal(states.no_such_thing, "unsupported");
    assert.deepEqual([known, unknown, live.display_mode, install], [true, false, "browser", "not offered"]);
    assert.match(error, /"install", "notification" or "push"/);
  },

  async "the app has the session of the tab"({ open }) {
    const window = await open("/webflo");

    const values = await window.page.evaluate(async () => {
      const { session } = webqit.app;
      await session.set("theme", { dark: true });
      const before = [await session.get("theme"), await session.has("theme"), await session.keys(), await session.count()];
      await session.delete("theme");
      return [before, await session.json(), JSON.stringify(await session.get("theme") ?? null)];
    });

    assert.deepEqual(values, [[{ dark: true }, true, ["theme"], 1], {}, "null"]);
  },

  async "the app asks on every line"({ open }) {
    const window = await open("/webflo/ask");
    await window.page.waitForFunction(() => webqit.app.background.readyState === "open");

    const answer = await window.page.evaluate(async () => {
      const answer = await webqit.app.background.postRequest("please", { type: "who" });
      return answer.data;
    });

    assert.equal(answer, "the server, please");
  },

  async "pages show what is known of the user"({ open }) {
    const window = await open("/webflo");
    await window.shows("#user", "nobody");

    await window.page.evaluate(() => webqit.app.navigate("/webflo/in"));
    await window.shows("#user", "Ann");
    assert.deepEqual(await window.page.evaluate(() => ({ ...document.bindings.user })), { id: "ann", name: "Ann" });

    await window.page.evaluate(() => webqit.app.navigate("/webflo/out"));
    await window.shows("#user", "nobody");
    assert.deepEqual(await window.page.evaluate(() => ({ ...document.bindings.user })), {});
  },

  async "a page has one app"({ open }) {
    const window = await open("/webflo");
    await window.shows("#value", "of the server");

    const has = await window.page.evaluate(() => customElements.get("webflo-embedded") !== undefined);

    assert.equal(has, false);
  },

  async "pages bind to what the app knows"({ open }) {
    const window = await open("/webflo");
    await window.shows("#value", "of the server");

    const bound = await window.page.evaluate(() => {
      const { env, state, location, navigator, network, viewport, capabilities } = document.bindings;
      const { app } = webqit;
      return [env, state, location === app.location, navigator === app.navigator, network === app.network,
        viewport === app.viewport, capabilities === app.capabilities];
    });

    assert.deepEqual(bound, ["client", {}, true, true, true, true, true]);
  },

  async "a navigation that starts before the page's handlers are loaded is not lost"({ open }) {
    const window = await open("/webflo", { serviceWorkers: "block" });
    let load;
    const isHeld = new Promise((resolve) => {
      window.page.route(/\/\.liveline\/app\/handlers\.js/, (route) => {
        load = () => route.continue();
        resolve();
      });
    });
    await window.goto("/webflo");
    await isHeld;
    await window.page.evaluate(() => void webqit.app.navigate("/webflo?do=url&a=1"));
    await load();
    await window.shows("#value", '[{"do":"url","a":"1"},["webflo"],"webflo"]');
  },

  async "the event of client handlers is that of the server's, as far as a page can"({ open }) {
    const window = await open("/webflo");
    await window.shows("#value", "of the server");
    const shows = async (query, text) => {
      await window.page.evaluate((path) => webqit.app.navigate(path), `/webflo?do=${query}`);
      await window.shows("#value", text);
    };

    await shows("url&a[b]=1&a[c][]=2", '[{"do":"url","a":{"b":"1","c":["2"]}},["webflo"],"webflo"]');
    await shows("request", '[true,true,[["application/json",1]],{"a":[1]}]');
    await shows("with", "PUT inner new");
    await shows("fetch", "GET inner/deep own");
    await window.page.evaluate(() => document.bindings.state.open = true);
    await shows("state", '{"open":true}');
    await shows("user", "[false,null]");
    await window.page.evaluate(() => webqit.app.navigate("/webflo/in"));
    await shows("user", '[true,"Ann"]');
    await shows("wait", "timeout");
    await window.page.evaluate(() => webqit.app.navigate("/webflo?do=absent"));
    const errors = window.page.locator("#value", { hasText: "event.thread does not exist" });
    const told = await errors.textContent();
    for (const part of ["event.sdk does not exist", "event.redirectWith does not exist", "event.user.set()", "redirect, with"]) {
      assert.ok(told.includes(part), told);
    }
    await window.page.evaluate(() => webqit.app.navigate("/webflo/out"));
  },
});
