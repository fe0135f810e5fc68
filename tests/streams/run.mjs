// Starts liveline with the site of this folder, and runs every *.test.mjs against it.
//
//   node run.mjs            everything
//   node run.mjs FILE ...   some files
//
// LIVELINE_BIN names the executable. The packages have to be installed (npm ci --ignore-scripts). `cargo xtask streams`
// does all of that.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const executable = process.env.LIVELINE_BIN;
if (executable === undefined) throw new Error("LIVELINE_BIN names the liveline to test");
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const host = spawn(executable, ["serve", here("site"), "--port=0"], { stdio: ["ignore", "pipe", "inherit"] });
host.on("exit", (code) => {
  if (!isOver) {
    console.error(`liveline has ended with ${code}`);
    process.exit(1);
  }
});
let isOver = false;
let origin;
for await (const line of createInterface({ input: host.stdout })) {
  origin = /http:\/\/\S+/.exec(line)?.[0];
  if (origin !== undefined) break;
}
const vitest = spawn(process.execPath, [here("node_modules/vitest/vitest.mjs"), "run", ...process.argv.slice(2)], {
  cwd: here("."),
  stdio: "inherit",
  env: { ...process.env, LIVELINE_ORIGIN: origin.replace(/\/$/, "") },
});
const [code] = await once(vitest, "exit");
isOver = true;
host.kill();
process.exit(code ?? 1);
