// Runs Node's own tests of its modules in a handler, and compares: node run.mjs
//
// The same tests run in the Node that runs this script. The packages were made for old versions of Node, so some tests
// fail there too: those do not apply. `expected.json` names the tests that fail in the host alone, each with its reason.
// Any other failure is a regression, and so is an expected one that passes.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { once } from "node:events";
import path from "node:path";
import readline from "node:readline";
import { files, run } from "./suite.mjs";

const executable = process.env.LIVELINE_BIN ?? path.join(import.meta.dirname, "../../target/debug/liveline");
const expected = JSON.parse(readFileSync(path.join(import.meta.dirname, "expected.json"), "utf8"));

const host = spawn(executable, ["serve", import.meta.dirname, "--port", "0", "--log", "error"], { stdio: ["ignore", "pipe", "inherit"] });
const [line] = await once(readline.createInterface({ input: host.stdout }), "line");
const address = /http:\/\/\S+/.exec(line)[0];

const counts = {};
const problems = [];
process.emitWarning = () => {};
try {
  for (const file of files()) {
    const response = await fetch(`${address}/?file=${encodeURIComponent(file)}`);
    if (!response.ok) throw new Error(`${file}: ${response.status} ${await response.text()}`);
    const here = await response.json();
    const inNode = new Map((await run(file)).map(({ name, error }) => [name, error]));
    const count = (counts[file.split("/")[0]] ??= { passed: 0, failed: 0, "not applicable": 0 });
    for (const { name, error } of here) {
      const isExpected = name in expected;
      if (error === null) {
        count.passed += 1;
        if (isExpected) problems.push(`${name} passes: remove it from expected.json`);
      } else if (inNode.get(name) !== null) {
        count["not applicable"] += 1;
      } else {
        count.failed += 1;
        if (!isExpected) problems.push(`${name}: ${error}`);
      }
    }
  }
} finally {
  host.kill();
}
console.table(counts);
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
