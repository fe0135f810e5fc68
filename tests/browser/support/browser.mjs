// Chromium: the one that `run.mjs` started for all test files, else one of our own.

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * A browser with a profile of its own. `isOwn`: nobody else has windows of it; `keepsPages`: it keeps pages that the user
 * leaves as they are, which Playwright turns off.
 */
export async function connect({ isOwn = false, keepsPages = false } = {}) {
  const shared = isOwn || keepsPages ? undefined : process.env.LIVELINE_BROWSER;
  if (keepsPages) {
    return await chromium.launch({ ...await options(), ignoreDefaultArgs: ["--disable-back-forward-cache"] });
  }
  return shared ? await chromium.connect(shared) : await chromium.launch(await options());
}

/** A browser for other processes; `wsEndpoint()` is what their LIVELINE_BROWSER must be. */
export async function share() {
  return await chromium.launchServer(await options());
}

async function options() {
  return { executablePath: await executable(), args: FLAGS, headless: true };
}

/** The `chromium` of the PATH, else the one that comes as an npm package. */
async function executable() {
  const installed = process.env.PATH.split(delimiter).map((folder) => join(folder, "chromium")).find(existsSync);
  if (installed) return installed;
  try {
    const { default: packaged } = await import("@sparticuz/chromium");
    return await packaged.executablePath();
  } catch (error) {
    throw new Error("there is no `chromium` on the PATH, and no npm package @sparticuz/chromium: install either", {
      cause: error,
    });
  }
}
