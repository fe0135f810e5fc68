// Starts liveline with the scripts of site/, and runs every *.test.mjs against it.
//
//   node run.mjs
//
// LIVELINE_BIN names the executable. The packages have to be installed (npm ci --ignore-scripts). `cargo xtask graphql`
// does all of that.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const executable = process.env.LIVELINE_BIN;
if (executable === undefined) throw new Error("LIVELINE_BIN names the liveline to test");
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

let isOver = false;
const host = spawn(executable, ["serve", here("site"), "--port=0"], { stdio: ["ignore", "pipe", "inherit"] });
host.on("exit", (code) => {
  if (isOver) return;
  console.error(`liveline has ended with ${code}`);
  process.exit(1);
});
let origin;
for await (const line of createInterface({ input: host.stdout })) {
  origin = /http:\/\/\S+/.exec(line)?.[0];
  if (origin !== undefined) break;
}
const tests = spawn(process.execPath, ["--test", here("clients.test.mjs")], {
  stdio: "inherit",
  env: { ...process.env, LIVELINE_ORIGIN: origin.replace(/\/$/, "") },
});
const [code] = await once(tests, "exit");
isOver = true;
host.kill();
process.exit(code ?? 1);
