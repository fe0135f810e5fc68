// Failures are seen: forms, errors of handlers, answers that are late, lines that are lost.

import assert from "node:assert/strict";
import { networkTo } from "./support/network.mjs";
import { suite } from "./support/shown.mjs";

async function opened({ open }, path) {
  const tab = await open(path);
  await tab.page.waitForFunction(() => window.webqit?.app !== undefined);
  // Every status event of the document.
  await tab.page.evaluate(() => {
    window.statuses = [];
    document.addEventListener("liveline:status", (event) => window.statuses.push(event.detail));
  });
  return tab;
}

const lastStatus = (tab, state, cause) => {
  return tab.page.waitForFunction(([state, cause]) => {
    const last = window.statuses.at(-1);
    return last?.state === state && last.cause === cause;
  }, [state, cause]);
};

/** What the form with this id looks like: what is in its field, where the focus is, and whether it waits for its answer. */
function look(id) {
  const form = document.getElementById(id);
  const [field, button] = [form.querySelector("input"), form.querySelector("button")];
  return {
    value: field.value,
    focus: document.activeElement === field ? "field" : document.activeElement === button ? "button" : "elsewhere",
    busy: [form, button].map((element) => element.getAttribute("aria-busy")),
    disabled: button.disabled || button.getAttribute("aria-disabled") === "true",
  };
}

/** Waits until a form looks like this. */
async function formIs({ page }, id, form) {
  const isIt = `JSON.stringify((${look})("${id}")) === ${JSON.stringify(JSON.stringify(form))}`;
  await page.waitForFunction(isIt).catch(async () => assert.deepEqual(await page.evaluate(look, id), form));
}

const IDLE = { busy: [null, null], disabled: false };
const BUSY = { busy: ["true", "true"], disabled: true };

suite("failures are seen", (test) => {
  test("the fields of a form that succeeded are reset, and the focus stays", async (world) => {
    const tab = await opened(world, "/form");
    await tab.page.locator("#ok input").fill("Ada");
    await tab.page.keyboard.press("Enter");
    await tab.shows([`${world.host.url}/form`, "Form", "sent Ada by ok", null]);
    await formIs(tab, "ok", { value: "", focus: "field", ...IDLE });
    // What only looks for something keeps what it looked for.
    await tab.page.locator("#find input").fill("tea");
    await tab.page.keyboard.press("Enter");
    await tab.shows([`${world.host.url}/form?q=tea`, "Form", "found tea", null]);
    await formIs(tab, "find", { value: "tea", focus: "field", ...IDLE });
  });

  test("the fields of a form that failed keep their values, and the focus stays", async (world) => {
    const tab = await opened(world, "/form");
    await tab.page.locator("#bad input").fill("Ada");
    await tab.page.locator("#bad button").click();
    await tab.shows([`${world.host.url}/form/bad`, "Form", "the name is missing", null]);
    await formIs(tab, "bad", { value: "Ada", focus: "button", ...IDLE });
  });

  test("an error without a state shows the error page, and Back the form as it was", async (world) => {
    const tab = await opened(world, "/form");
    await tab.page.locator("#broken input").fill("Ada");
    await tab.page.locator("#broken button").click();
    const text = "500 Something went wrong here. Please try again later.";
    await tab.shows([`${world.host.url}/form/broken`, "Internal Server Error", text, null]);
    assert.equal(await tab.page.locator("#path").textContent(), "/form/broken");
    await tab.page.goBack();
    await tab.shows([`${world.host.url}/form`, "Form", "found null", null]);
    assert.equal(await tab.page.inputValue("#broken input"), "Ada");
  });

  test("a page that has something to say about an error keeps what it shows", async (world) => {
    const tab = await opened(world, "/form");
    const seen = await tab.sight();
    await tab.page.evaluate(() => {
      document.addEventListener("liveline:error", (event) => {
        event.preventDefault();
        const { error, status, method, url } = event.detail;
        window.told = [error.message, status, method, new URL(url).pathname];
      });
    });
    await tab.page.locator("#broken input").fill("Ada");
    await tab.page.locator("#broken button").click();
    await tab.page.waitForFunction(() => window.told !== undefined && document.querySelector("#broken").ariaBusy === null);
    const told = await tab.page.evaluate(() => window.told);
    assert.deepEqual(told, ["500 Internal Server Error", 500, "POST", "/form/broken"]);
    assert.deepEqual(await tab.sight(), seen);
    assert.equal(await tab.page.inputValue("#broken input"), "Ada");
  });

  test("a body over the limit shows an error page that says so", async (world) => {
    const tab = await opened(world, "/form");
    await tab.page.locator("#ok input").fill("x".repeat(70_000));
    await tab.page.locator("#ok button").click();
    await tab.page.waitForFunction(() => document.querySelector("#value")?.textContent.startsWith("413 "));
    await tab.page.waitForFunction(() => document.title === "Payload Too Large");
    const [address, title, text] = await tab.sight();
    assert.deepEqual([address, title], [`${world.host.url}/form`, "Payload Too Large"]);
    assert.match(text, /larger than the limit of 65536 bytes/);
  });

  test("a form is busy until its answer is there, and sends once; its answer is told to be late", async (world) => {
    const tab = await opened(world, "/form");
    await tab.page.locator("#slow input").fill("Ada");
    const asked = tab.page.waitForRequest((request) => request.method() === "POST");
    await tab.page.locator("#slow button").click();
    await asked;
    await formIs(tab, "slow", { value: "Ada", focus: "button", ...BUSY });
    await tab.page.evaluate(() => document.querySelector("#slow").requestSubmit());
    await lastStatus(tab, "late", "answer");
    await tab.page.locator("liveline-status").getByText("The server takes longer than usual.").waitFor();
    const { value } = await (await fetch(`${world.host.url}/form/slow?go`)).json();
    assert.equal(value, "ran 1 times");
    await tab.shows([`${world.host.url}/form/slow`, "Form", "slow by slow", null]);
    await lastStatus(tab, "online", null);
    await tab.page.locator("liveline-status").getByText("The server").waitFor({ state: "hidden" });
    await formIs(tab, "slow", { value: "", focus: "button", ...IDLE });
  });

  test("a handler that throws after its first state is told, and the state stays", async (world) => {
    const tab = await opened(world, "/fails");
    await tab.shows([`${world.host.url}/fails`, "Fails", "before", null]);
    await tab.page.waitForFunction(() => window.webqit.app.background.readyState === "open");
    await tab.page.evaluate(() => window.webqit.app.background.postMessage(null, { type: "go" }));
    await lastStatus(tab, "lost", "handler");
    await tab.page.locator("liveline-status").getByText("Something went wrong.").waitFor();
    assert.equal((await tab.sight())[2], "before");
    // The user may put it away.
    await tab.page.locator("liveline-status").getByRole("button", { name: "Close" }).click();
    await tab.page.locator("liveline-status").getByText("Something went wrong.").waitFor({ state: "hidden" });
  });

  test("a line that is lost and goes on is told", async (world) => {
    const network = await networkTo(world.host.url);
    try {
      const tab = await opened({ open: (path) => world.open(network.url + path) }, "/live");
      await tab.page.waitForFunction(() => window.webqit.app.background.readyState === "open");
      network.down();
      await lastStatus(tab, "resuming", "line");
      await tab.page.locator("liveline-status").getByText("The connection was lost.").waitFor();
      network.up();
      await lastStatus(tab, "online", null);
      await tab.page.locator("liveline-status").getByText("The connection was lost.").waitFor({ state: "hidden" });
      assert.deepEqual(await tab.page.evaluate(() => window.statuses.map(({ state, previous }) => [previous, state])), [
        ["online", "resuming"],
        ["resuming", "online"],
      ]);
    } finally {
      network.stop();
    }
  });

  test("the notice is the page's own, or none", async (world) => {
    const fail = async (prepare) => {
      const tab = await opened(world, "/fails");
      await tab.page.evaluate(prepare);
      await tab.page.waitForFunction(() => window.webqit.app.background.readyState === "open");
      await tab.page.evaluate(() => window.webqit.app.background.postMessage(null, { type: "go" }));
      await lastStatus(tab, "lost", "handler");
      return tab.page;
    };
    const own = await fail(() => {
      document.body.insertAdjacentHTML("afterbegin", '<liveline-status lost="Oh dear."></liveline-status>');
    });
    await own.locator("liveline-status").getByText("Oh dear.").waitFor();
    assert.equal(await own.locator("liveline-status").count(), 1);
    const slotted = await fail(() => {
      document.body.insertAdjacentHTML("afterbegin", "<liveline-status><b>My own words</b></liveline-status>");
    });
    await slotted.getByText("My own words").waitFor();
    const off = await fail(() => document.documentElement.setAttribute("data-liveline-status", "off"));
    assert.equal(await off.locator("liveline-status").count(), 0);
    const prevented = await fail(() => {
      document.addEventListener("liveline:status", (event) => event.preventDefault());
    });
    assert.equal(await prevented.locator("liveline-status").count(), 0);
  });
}, { options: ["--max-body", "64KiB"] });
