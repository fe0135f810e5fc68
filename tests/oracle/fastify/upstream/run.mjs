// Runs the tests that @fastify/websocket carries in its package, each in a process of its own, with the host's `fastify`
// and `@fastify/websocket`.
//
//   node run.mjs [FILE...]          with liveline (LIVELINE_BIN); fails for tests that are not in expected.json
//   node run.mjs [FILE...] --node   with Node, where all have to pass
//
// LIVELINE_ORACLE_PACKAGES is the folder in which the packages of ../package.json are installed.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync, copyFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const packages = process.env.LIVELINE_ORACLE_PACKAGES ?? join(HERE, "..");
const words = process.argv.slice(2);
const isNode = words.includes("--node");
const wanted = words.filter((word) => !word.startsWith("--"));
const upstream = join(packages, "node_modules/@fastify/websocket/test");
/** How long a test may take with the start of its process, in milliseconds. */
const PATIENCE = Number(process.env.LIVELINE_ORACLE_PATIENCE ?? 60_000);

mkdirSync(join(packages, ".run"), { recursive: true });
const place = mkdtempSync(join(packages, ".run", "upstream-"));
process.on("exit", () => rmSync(place, { recursive: true, force: true }));
writeFileSync(join(place, "package.json"), '{ "private": true }');
copyFileSync(join(HERE, "shim.js"), join(place, "shim.js"));

/** A file of tests as an application that serves itself; returns its path. */
function application(file) {
  const text = readFileSync(join(upstream, file), "utf8")
    .replaceAll("require('node:test')", "require('./shim.js')")
    .replaceAll("require('..')", "require('@fastify/websocket')");
  const entry = join(place, file.replace(".test.js", ".js"));
  writeFileSync(entry, `${text}\n;require('./shim.js').begin();\n`);
  return entry;
}

/** How long a test may take that is known to fail: most of them wait for what never comes. */
const SHORT = 5_000;

/** Runs a file of tests; resolves with what it printed for us. */
function run(entry, number, patience = PATIENCE) {
  const isLiveline = !isNode && number !== undefined;
  const command = isLiveline ? process.env.LIVELINE_BIN : process.execPath;
  const arguments_ = isLiveline ? ["serve", entry, "--port", "0"] : [entry];
  const env = { ...process.env, ...(number === undefined ? {} : { UPSTREAM_TEST: String(number) }) };
  const child = spawn(command, arguments_, { env, stdio: ["ignore", "pipe", "pipe"], cwd: place });
  let output = "";
  return new Promise((resolve) => {
    const finish = (result) => {
      clearTimeout(late);
      child.kill("SIGKILL");
      resolve(result);
    };
    const late = setTimeout(() => finish({ passed: false, error: `no result:\n${output}` }), patience);
    const read = (chunk) => {
      output += chunk;
      const line = output.match(/UPSTREAM (.*)\n/);
      if (line) finish(JSON.parse(line[1].replace(/\u001b\[[0-9;]*m/g, "")));
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("exit", () => finish({ passed: false, error: `ended without a result:\n${output}` }));
  });
}

const expected = JSON.parse(readFileSync(join(HERE, "expected.json"), "utf8"));
let [passed, failed, known, skipped] = [0, 0, 0, 0];
for (const file of readdirSync(upstream).filter((it) => it.endsWith(".test.js"))) {
  if (wanted.length > 0 && !wanted.some((word) => file.startsWith(word))) continue;
  const entry = application(file);
  const names = await run(entry);
  for (const [number, name] of names.entries()) {
    const reason = isNode ? undefined : expected[`${file}: ${name}`];
    const result = await run(entry, number, reason === undefined ? PATIENCE : SHORT);
    if (result.skipped) skipped += 1;
    else if (result.passed && reason === undefined) passed += 1;
    else if (!result.passed && reason !== undefined) known += 1;
    else {
      failed += 1;
      const why = result.passed ? "passes now: remove it from expected.json" : String(result.error).slice(0, 1500);
      console.error(`${file}: ${name}: ${why}\n`);
    }
  }
}
console.log(`${passed} passed, ${failed} failed, ${known} fail for a known reason, ${skipped} skipped`);
process.exit(failed === 0 ? 0 : 1);
