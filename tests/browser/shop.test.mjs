// The shop of the Fastify course: its page at an origin of its own, its tree at another, both served by liveline.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { connect } from "./support/browser.mjs";
import { folderWith, save } from "./support/folder.mjs";
import { explain, startHost } from "./support/host.mjs";
import { Window } from "./support/visitor.mjs";

const SHOP = fileURLToPath(new URL("../../examples/fastify/", import.meta.url));

function filesOf(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(files.map((entry) => {
    const file = join(entry.parentPath ?? entry.path, entry.name);
    return [relative(folder, file), readFileSync(file, "utf8")];
  }));
}

/** What the slots of all products show: `{A1: "3", ...}`. */
function orders(window) {
  return window.page.evaluate(() => Object.fromEntries(
    [...document.querySelectorAll("product-item")].map((item) => [
      item.dataset.id,
      item.querySelector('[slot="orders"]')?.textContent ?? "pending",
    ]),
  ));
}

async function shows(window, isWished, what) {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const seen = await orders(window);
    if (isWished(seen)) return seen;
    assert.ok(Date.now() < deadline, `${what}: ${JSON.stringify(seen)}`);
    // A frame of the page is the pause between two looks.
    await window.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
  }
}

describe("the shop of the course", () => {
  let browser, tree, pages, folder;
  before(async () => {
    browser = await connect();
    folder = folderWith({ ...filesOf(SHOP), "pages/.keep": "" });
    tree = await startHost(join(folder, "mock-srv"));
    // The course writes the address of its tree into the script: here it has another port.
    const script = readFileSync(join(SHOP, "static/app.js"), "utf8");
    const { host } = new URL(tree.url);
    const changed = script.replaceAll("localhost:3000", host);
    assert.equal(changed.split(host).length, 3);
    save(folder, "static/app.js", changed);
    pages = await startHost(join(folder, "pages"), ["--public", join(folder, "static")], { command: "serve" });
  });
  after(async () => {
    await Promise.all([browser?.close(), tree?.stop(), pages?.stop()]);
  });

  const visit = (title, run) => it(title, async () => {
    const window = await Window.open(browser, pages, "/index.html");
    try {
      await explain(() => run(window), () => [window, tree, pages]);
      assert.deepEqual(window.errors.filter((error) => !error.includes("/favicon.ico")), []);
    } finally {
      await window.close();
    }
  });

  visit("numbers of the category are shown, and change", async (window) => {
    await window.page.getByRole("combobox").selectOption("electronics");

    const first = await shows(window, ({ A1, A2 }) => Number(A1) >= 3 && Number(A2) >= 7, "numbers");
    assert.deepEqual(Object.keys(first), ["A1", "A2"]);
    await shows(window, (seen) => seen.A1 !== first.A1 || seen.A2 !== first.A2, "other numbers");

    await window.page.getByRole("combobox").selectOption("confectionery");
    await shows(window, ({ B1 }) => Number(B1) >= 101, "numbers of the other category");
  });

  visit("a product that is added has no orders yet", async (window) => {
    await window.page.getByRole("combobox").selectOption("electronics");
    await shows(window, ({ A1 }) => Number(A1) >= 3, "numbers");

    await window.page.getByPlaceholder("name").fill("Lamp");
    await window.page.getByPlaceholder("rrp").fill("5.00");
    await window.page.getByPlaceholder("info").fill("Light.");
    await window.page.getByRole("button", { name: "Add" }).click();

    // The course's code never counts orders of new products, whatever its text says.
    const seen = await shows(window, ({ A1, A3 }) => A3 !== undefined && Number(A1) >= 3, "the new product");
    assert.equal(seen.A3, "pending");
    const name = await window.page.locator('[data-id="A3"] [slot="name"]').textContent();
    assert.equal(name, "Lamp");
  });
});
