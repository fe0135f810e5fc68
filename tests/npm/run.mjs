// Runs the handler of every package in routes/, each in a liveline of its own, and compares what it answers.
//
//   node run.mjs            all of them; fails also where docs/npm.md has another table
//   node run.mjs NAME ...   some of them
//   node run.mjs --write    all of them, and writes the table of docs/npm.md
//
// LIVELINE_BIN names the executable. The packages have to be installed (npm ci --ignore-scripts). `cargo xtask npm` does
// all of that.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { packages } from "./packages.mjs";
import { serve, startServers } from "./support.mjs";

const DOCUMENT = process.env.LIVELINE_NPM_DOCUMENT ?? fileURLToPath(new URL("../../docs/npm.md", import.meta.url));
const BEGIN = "<!-- The table is written by `cargo xtask npm --write`. -->";
const END = "<!-- The end of the table. -->";
/** How long an answer may take, in milliseconds. */
const PATIENCE = 60_000;

const options = process.argv.slice(2);
const isWriting = options.includes("--write");
const names = options.filter((option) => !option.startsWith("--"));
const chosen = names.length === 0 ? packages : packages.filter((it) => names.includes(it.name) || names.includes(it.folder));
if (chosen.length === 0) throw new Error(`there is no package ${names.join(", ")} in packages.mjs`);

/** Fails where an answer is not as expected: equal, or matching where that is a regular expression. */
function compare(actual, expected, path = "the answer") {
  if (expected instanceof RegExp) return assert.match(String(actual), expected, `${path}: ${actual} does not match ${expected}`);
  if (expected === null || typeof expected !== "object") return assert.deepEqual(actual, expected, `${path}: ${JSON.stringify(actual)}`);
  assert.ok(actual !== null && typeof actual === "object", `${path}: ${JSON.stringify(actual)}`);
  assert.deepEqual(Object.keys(actual).sort(), Object.keys(expected).sort(), `${path}: ${JSON.stringify(actual)}`);
  for (const key of Object.keys(expected)) compare(actual[key], expected[key], `${path}.${key}`);
}

async function ask(origin, { path = "/", ...init }) {
  const signal = AbortSignal.timeout(PATIENCE);
  const response = await fetch(origin + path, { redirect: "manual", signal, ...init });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

function check(answer, { status = 200, headers = {}, text, json }) {
  assert.equal(answer.status, status, `status ${answer.status}: ${answer.text.slice(0, 1000)}`);
  for (const [name, value] of Object.entries(headers)) assert.equal(answer.headers.get(name), value, name);
  if (text !== undefined) assert.equal(answer.text, text);
  if (json !== undefined) compare(JSON.parse(answer.text), json);
}

async function run(it, servers) {
  const host = serve(fileURLToPath(new URL(`routes/${it.folder ?? it.name}`, import.meta.url)), servers.environment);
  try {
    const origin = await host.started;
    const requests = await it.requests?.((request) => ask(origin, request)) ?? [[{}, { json: it.expected }]];
    for (const [request, expected] of requests) {
      const answer = await ask(origin, request);
      try {
        check(answer, expected);
      } catch (error) {
        error.message = `${request.method ?? "GET"} ${request.path ?? "/"}: ${error.message}\n${host.log()}`;
        throw error;
      }
    }
    if (it.log !== undefined) await host.logged(it.log);
    if (it.mail !== undefined) assert.match(servers.mails.join("\n"), it.mail);
  } finally {
    await host.stop();
  }
}

/** The version of a package that is installed. */
function versionOf({ name, package: folder = name }) {
  const manifest = new URL(`node_modules/${folder}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(manifest, "utf8")).version;
}

function table() {
  const rows = packages.map((it) => {
    const state = it.refused ? "not" : it.limits === undefined ? "works" : "partly";
    return [it.name, versionOf(it), state, it.limits ?? it.note ?? ""];
  });
  rows.sort(([a, x], [b, y]) => (a === b ? x.localeCompare(y, "en", { numeric: true }) : a < b ? -1 : 1));
  const lines = rows.map((cells) => `| ${cells.join(" | ")} |`.replace(/ +\|$/, " |"));
  return [BEGIN, "", "| package | version | state | remarks |", "|---|---|---|---|", ...lines, "", END].join("\n");
}

/** The document with the table of now. */
function documentWithTable(text) {
  const [start, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  assert.ok(start !== -1 && end > start, "docs/npm.md has no place for the table");
  return text.slice(0, start) + table() + text.slice(end + END.length);
}

const servers = await startServers();
const failures = [];
const waiting = [...chosen];
const work = async () => {
  for (let it; (it = waiting.shift()) !== undefined;) {
    const title = `${it.name} ${versionOf(it)}`;
    try {
      await run(it, servers);
      console.log(`ok      ${title}`);
    } catch (error) {
      failures.push(title);
      console.log(`FAILED  ${title}: ${error.message.replaceAll("\n", "\n        ")}`);
    }
  }
};
await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, work));
servers.stop();
console.log(`\n${chosen.length - failures.length} of ${chosen.length} packages do what is expected`);
if (failures.length > 0) {
  console.log(`failed: ${failures.join(", ")}`);
  process.exit(1);
}
if (names.length === 0) {
  const text = readFileSync(DOCUMENT, "utf8");
  const right = documentWithTable(text);
  if (isWriting) writeFileSync(DOCUMENT, right);
  else if (text !== right) {
    console.log("docs/npm.md has another table: run `cargo xtask npm --write`");
    process.exit(1);
  }
}
process.exit(0);
