// A page shows what its address names: methods that HTML does not have, handlers of the page and of the service
// worker, answers that show nothing, other origins, no network, and pages that the browser kept.

import assert from "node:assert/strict";
import { connect } from "./support/browser.mjs";
import { suite, Tab } from "./support/shown.mjs";

/** Opens `/` with the app running. */
async function home({ open }) {
  const tab = await open("/");
  await tab.page.waitForFunction(() => window.webqit?.app !== undefined);
  return tab;
}

/** A click on a link that the page did not have before. */
async function follow(tab, href) {
  await tab.page.evaluate((href) => {
    const link = document.body.appendChild(document.createElement("a"));
    link.href = href;
    link.click();
  }, href);
}

suite("what is shown of other answers", (test) => {
  test("a DELETE shows its answer in the page of its route, and runs once", async (world) => {
    const tab = await home(world);
    await tab.press("delete-other");
    await tab.shows([`${world.host.url}/other`, "B", "B DELETE", null]);
    const runs = await (await fetch(`${world.host.url}/other/runs`)).json();
    assert.equal(runs.DELETE, 1);
    await tab.page.goBack();
    await tab.shows([`${world.host.url}/`, "A", "A GET", "of A"]);
  });

  test("a DELETE that is answered with a document shows it", async (world) => {
    const tab = await home(world);
    await tab.press("delete-html");
    await tab.shows([`${world.host.url}/html`, "H", "H DELETE", null]);
  });

  test("each handler runs once, also where another page shows its answer", async (world) => {
    const before = await (await fetch(`${world.host.url}/other/runs`)).json();
    const tab = await home(world);
    await tab.press("link-other");
    await tab.shows([`${world.host.url}/other`, "B", "B GET", null]);
    await tab.page.goBack();
    await tab.press("see-other");
    await tab.shows([`${world.host.url}/other`, "B", "B GET", null]);
    await tab.page.goBack();
    await tab.press("post-other");
    await tab.shows([`${world.host.url}/other`, "B", "B POST", null]);
    const after = await (await fetch(`${world.host.url}/other/runs`)).json();
    assert.deepEqual([after.GET - (before.GET ?? 0), after.POST - (before.POST ?? 0)], [2, 1]);
  });

  test("a handler of the page answers a form in the page of its route", async (world) => {
    const tab = await home(world);
    await tab.press("post-client");
    await tab.shows([`${world.host.url}/client`, "C", "posted in the page", null]);
    await tab.page.reload();
    await tab.shows([`${world.host.url}/client`, "C", "of the server GET", null]);
  });

  test("an answer of nothing leaves the page where it is", async (world) => {
    const tab = await home(world);
    const seen = await tab.sight();
    for (const id of ["link-nothing", "post-nothing"]) {
      const answered = tab.page.waitForResponse((answer) => answer.url().endsWith("/nothing"));
      await tab.press(id);
      assert.equal((await answered).status(), 204);
      await tab.page.waitForFunction(() => window.webqit.app.navigator.requesting === null);
      assert.deepEqual(await tab.sight(), seen, id);
    }
  });

  test("a download leaves the page where it is", async (world) => {
    const tab = await home(world);
    const seen = await tab.sight();
    for (const [id, text] of [["link-download", "bytes of GET"], ["post-download", "bytes of POST"]]) {
      const begun = tab.page.waitForEvent("download");
      await tab.press(id);
      const chunks = await (await (await begun).createReadStream()).toArray();
      assert.equal(Buffer.concat(chunks).toString(), text);
      assert.deepEqual(await tab.sight(), seen, id);
    }
  });

  test("a redirect to another origin leads there", async (world) => {
    const sight = [world.other, "O", "of another origin", null];
    for (const code of [302, 303, 307]) {
      const tab = await home(world);
      await follow(tab, `/redirect?code=${code}&to=${encodeURIComponent(world.other)}`);
      await tab.shows(sight, `a link and ${code}`);
      await tab.page.goBack();
      await tab.shows([`${world.host.url}/`, "A", "A GET", "of A"], `back from ${code}`);
    }
  });

  test("without a network nothing changes but that it is told", async (world) => {
    const tab = await home(world);
    await tab.press("link-same");
    const here = [`${world.host.url}/same?x=1`, "A", "same GET ?x=1", ""];
    await tab.shows(here);
    await tab.page.evaluate(() => document.addEventListener("liveline:error", (e) => window.told = e.detail));
    await tab.context.setOffline(true);
    const steps = {
      link: () => tab.press("link-other"),
      form: () => tab.press("post-own"),
      back: () => tab.page.evaluate(() => history.back()),
    };
    for (const [name, step] of Object.entries(steps)) {
      await tab.page.evaluate(() => window.told = null);
      await step();
      await tab.page.waitForFunction(() => window.told !== null);
      await tab.shows(here, name);
      assert.equal(await tab.page.evaluate(() => window.told.status), 0);
    }
    await tab.page.locator("liveline-status").getByText("You are offline.").waitFor();
    await tab.context.setOffline(false);
    await tab.press("link-other");
    await tab.shows([`${world.host.url}/other`, "B", "B GET", null]);
  });
});

suite("what is shown where a service worker answers", (test) => {
  const controlled = async (world) => {
    const tab = await home(world);
    await tab.page.evaluate(async () => {
      const { promise, resolve } = Promise.withResolvers();
      navigator.serviceWorker.addEventListener("controllerchange", resolve);
      if (navigator.serviceWorker.controller === null) await promise;
    });
    return tab;
  };

  test("its own state, in the page that is there", async (world) => {
    const tab = await controlled(world);
    await tab.press("link-own");
    await tab.shows([`${world.host.url}/own`, "A", "own of the worker", null]);
    await tab.page.goBack();
    await tab.shows([`${world.host.url}/`, "A", "A of the server", null]);
  });

  test("what it passes on, in the page of its route", async (world) => {
    for (const [id, sight] of Object.entries({
      "link-other": ["/other", "B", "other GET"],
      "post-other": ["/other", "B", "other POST"],
      "post-html": ["/html", "H", "H POST"],
    })) {
      const tab = await controlled(world);
      await tab.press(id);
      const [path, ...rest] = sight;
      await tab.shows([`${world.host.url}${path}`, ...rest, null], id);
    }
  });
}, { folder: "tests/browser/shown_worker" });

suite("what is shown of pages that the browser kept", (test) => {
  test("is what their address says, and it is live", async ({ host, other }) => {
    const browser = await connect({ keepsPages: true });
    try {
      const tab = await Tab.open({ browser, host }, "/live");
      await tab.page.waitForFunction(() => window.webqit?.app.background.readyState === "open");
      await tab.page.evaluate(() => {
        window.isOld = true;
        document.addEventListener("liveline:state", () => window.isOld = false);
      });
      await tab.page.goto(other);
      await tab.page.goBack();
      // Whether the browser kept the page or loads it again, its new state comes with a line; the one before is lost.
      await tab.page.waitForFunction(() => !window.isOld && window.webqit?.app.background.readyState === "open");
      await tab.page.evaluate(() => window.webqit.app.background.postMessage(null, { type: "go" }));
      await tab.shows([`${host.url}/live`, "L", "gone on", null]);
    } finally {
      await browser.close();
    }
  });
});
