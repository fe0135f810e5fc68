// A site that is edited while it is served: files in a temporary folder, a host in development, and windows.

import { join } from "node:path";
import { connect } from "./browser.mjs";
import { folderWith, save } from "./folder.mjs";
import { explain, startHost } from "./host.mjs";
import { Window } from "./visitor.mjs";

/** Gives `visit` a site with these files, and clears up behind it. */
export async function edited(files, visit, { env = {}, title = "dev" } = {}) {
  const site = new Site(folderWith(files), env);
  try {
    site.browser = await connect();
    await site.start();
    await explain(async () => {
      await visit(site);
      await site.picture(title);
    }, () => [...site.windows, site.host]);
  } finally {
    await Promise.all(site.windows.map((window) => window.close().catch(() => {})));
    await Promise.all([site.browser?.close(), site.host?.stop()]);
  }
}

class Site {
  host;
  browser;
  windows = [];
  #folder;
  #env;

  constructor(folder, env) {
    this.#folder = folder;
    this.#env = env;
  }

  async start(options = []) {
    this.host = await startHost(this.#folder, options, { env: this.#env });
  }

  /** Ends the host and starts another one at the same address. */
  async restart() {
    const { port } = new URL(this.host.url);
    await this.host.stop();
    await this.start(["--port", port]);
  }

  write(path, text) {
    save(this.#folder, path, text);
  }

  /** Opens a path in a window, and waits until the page hears of what is saved from then on. */
  async open(path, options) {
    const window = await Window.open(this.browser, this.host, path, options);
    this.windows.push(window);
    await window.followed();
    return window;
  }

  /** What stands in the consoles, but for the browser's note that a site has no icon. */
  get errors() {
    return this.windows.flatMap((window) => window.errors).filter((error) => !error.includes("/favicon.ico"));
  }

  async picture(title) {
    const folder = process.env.LIVELINE_SCREENSHOTS;
    if (!folder) return;
    const open = this.windows.filter(({ page }) => !page.isClosed());
    for (const [index, { page }] of open.entries()) {
      await page.screenshot({ path: join(folder, `${title.replaceAll(" ", "-")}-${index + 1}.png`) });
    }
  }
}

/** A document. */
export function page(body, head = "") {
  return `<!doctype html><html lang="en"><head><title>T</title>${head}</head><body>${body}</body></html>`;
}

/** A handler that answers with this value, and calls `next` for what is below. */
export function answers(value) {
  return `export default (event, next) => next.stepname ? next() : (${value});`;
}

/** Marks the document that a window shows, so that it is seen whether it is still the same. */
export async function mark(window) {
  await window.page.evaluate(() => globalThis.isMarked = true);
}

export async function isMarked(window) {
  return await window.page.evaluate(() => globalThis.isMarked === true);
}

/** Waits until another document is there. */
export async function reloaded(window) {
  await window.page.waitForFunction(() => globalThis.isMarked !== true && document.readyState === "complete");
}

/** The errors over a page: texts of the sections, once there is such a text among them. */
export async function overlaid(window, text) {
  const shown = (text) => {
    const root = document.querySelector("liveline-errors")?.shadowRoot;
    const sections = [...root?.querySelectorAll("section") ?? []].map((section) => section.innerText);
    return sections.some((section) => section.includes(text)) ? sections : null;
  };
  const handle = await window.page.waitForFunction(shown, text);
  return await handle.jsonValue();
}

/** Waits until nothing is over the page. */
export async function mended(window) {
  await window.page.waitForFunction(() => document.querySelector("liveline-errors") === null);
}
