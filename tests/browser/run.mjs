// Runs the test files in one Chromium, as many at a time as there are cores to spare. Arguments choose files by their names: `node run.mjs chat`.

import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";
import { share } from "./support/browser.mjs";

/** Each file drives windows of one browser, which keeps a core busy. */
const FILES_AT_ONCE = Math.max(1, availableParallelism() - 1);

/** How long one file may take, in milliseconds, before it is ended as failed. */
const LONGEST = 180_000;

const folder = fileURLToPath(new URL(".", import.meta.url));
const chosen = process.argv.slice(2);
const files = readdirSync(folder)
  .filter((name) => name.endsWith(".test.mjs"))
  .filter((name) => chosen.length === 0 || chosen.some((part) => name.includes(part)))
  .map((name) => folder + name);

const browser = await share();
process.env.LIVELINE_BROWSER = browser.wsEndpoint();
const tests = run({ files, concurrency: FILES_AT_ONCE, timeout: LONGEST });
tests.on("test:fail", () => {
  process.exitCode = 1;
});
tests.on("end", () => browser.close());
tests.compose(new spec()).pipe(process.stdout);
