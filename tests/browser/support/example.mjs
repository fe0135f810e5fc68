// What a test file of an example is made of.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { connect } from "./browser.mjs";
import { explain, startHost } from "./host.mjs";
import { TRANSPORTS, Window } from "./visitor.mjs";

/**
 * Tests an example on every transport. `visit` gets `open(path, options)`, which opens a window, and the
 * `host`. Afterwards no window may have had an error in its console.
 */
export function example(name, visit) {
  suite(name, "examples", (run) => {
    for (const transport of TRANSPORTS) {
      it(`over ${transport}`, () => run(`${name}-${transport}`, { transport }, visit));
    }
  });
}

/** A test of pages that is the same on every transport. */
export function pages(name, tests, folder = "examples", options = []) {
  suite(name, folder, (run) => {
    for (const [title, visit] of Object.entries(tests)) it(title, () => run(`${name}-${title}`, {}, visit));
  }, options);
}

/** The same for the pages of `site/`, which show nothing to people. `options` are those of `liveline dev`. */
export function site(name, tests, options) {
  pages(name, tests, "tests/browser/site", options);
}

/** How many tests of a file run at a time. Most of what they do is to wait for a handler. */
const TESTS_AT_ONCE = 2;

function suite(name, folder, register, options = []) {
  describe(name, { concurrency: TESTS_AT_ONCE }, () => {
    let browser, host;
    before(async () => {
      [browser, host] = await Promise.all([connect(), startHost(folder, options)]);
    });
    after(async () => {
      await Promise.all([browser?.close(), host?.stop()]);
    });

    register(async (title, defaults, visit) => {
      const windows = [];
      const open = async (path, options) => {
        const window = await Window.open(browser, host, path, { ...defaults, ...options });
        windows.push(window);
        return window;
      };
      try {
        await explain(async () => {
          await visit({ open, host });
          await picture(title, windows);
          assert.deepEqual(windows.flatMap((window) => window.errors), [], "errors in the console");
        }, () => [...windows, host]);
      } finally {
        await Promise.all(windows.map((window) => window.close()));
      }
    });
  });
}

/** Keeps a picture of every window in the folder LIVELINE_SCREENSHOTS, for people to look at. */
async function picture(title, windows) {
  const folder = process.env.LIVELINE_SCREENSHOTS;
  if (!folder) return;
  const open = windows.filter(({ page }) => !page.isClosed());
  for (const [index, { page }] of open.entries()) {
    await page.screenshot({ path: join(folder, `${title.replaceAll(" ", "-")}-${index + 1}.png`), fullPage: true });
  }
}
