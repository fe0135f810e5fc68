// The declarations of runtime-js/types, held against the host and against the compiler.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ClientEvent } from "../../runtime-js/client/event.js";
import { Hub } from "../../runtime-js/client/hub.js";
import { recipe } from "../browser/support/recipe.mjs";
import { members } from "./site/members.js";
import { declaredMembers } from "./support/declarations.mjs";
import { askHandler, executable, startHost } from "./support/host.mjs";

/** Members that only the host calls. They are no part of what handlers may use. */
const FOR_THE_HOST = new Set(["Hub.add", "RemotePort.parent"]);

/** A handler as the documentation shows it. */
const PROJECT = `
  import Observer from "@webqit/observer";
  import type { Handler } from "@webqit/webflo";
  export const GET: Handler = async (event, next) => {
    if (next.stepname) return await next();
    const answer = await event.user.confirm("Sure?");
    // @ts-expect-error: the answer is true or false
    if (answer.data === "yes") return;
    return new LiveResponse(Observer.proxy({ ok: answer.data }));
  };
`;

/** Examples in the style of other hosts, which declare their own types or none. */
const FOREIGN = ["aiwebengine", "fastify", "larc", "workers"];

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

test("handlers type-check, and mistakes in them do not", () => {
  typeCheck(here("."));
});

test("what `liveline types` writes is all that a project needs", async () => {
  const folder = await mkdtemp(join(tmpdir(), "liveline-types-"));
  try {
    await writeFile(join(folder, "handler.ts"), PROJECT);
    execFileSync(executable(), ["types", folder]);
    typeCheck(join(folder, "jsconfig.json"));
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("every example type-checks, its JavaScript as strictly as TypeScript", async () => {
  const folder = await mkdtemp(join(tmpdir(), "liveline-types-"));
  const isOurs = (path) => !FOREIGN.some((name) => path === here(`../../examples/${name}`));
  try {
    await cp(here("../../examples"), folder, { recursive: true, filter: isOurs });
    execFileSync(executable(), ["types", folder]);
    typeCheck(join(folder, "jsconfig.json"));
    await typeCheckStrictly(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
});

for (const name of ["chart", "dashboard", "language-model", "search", "sign-in", "upload"]) {
  test(`the recipe ${name} type-checks as strictly`, async () => {
    const folder = recipe(name);
    execFileSync(executable(), ["types", folder]);
    await typeCheckStrictly(folder);
  });
}

test("every member that the host gives is declared, and the other way round", async (t) => {
  const host = await startHost(here("site"));
  t.after(() => host.stop());

  const report = { ...await askHandler(host.url, "probe"), ...inBrowsers() };
  const actual = Object.entries(report).flatMap(([of, names]) => names.map((name) => `${of}.${name}`));
  const declared = declaredMembers(here("../../runtime-js/types/"), Object.keys(report));

  const known = new Set([...declared.map(({ name }) => name), ...FOR_THE_HOST]);
  const undeclared = actual.filter((name) => !known.has(name));
  assert.deepEqual(undeclared, [], "runtime-js/types/ does not declare what the host has");
  const missing = declared.filter(({ name, isOptional }) => !isOptional && !actual.includes(name));
  assert.deepEqual(missing, [], "the host does not have what runtime-js/types/ declares");
});

/** Members of what pages have. It runs here as far as it needs no page. */
function inBrowsers() {
  const event = new ClientEvent(new Request("http://localhost/"), { controller: new AbortController() });
  return { ClientEvent: members(event), Hub: members(new Hub()) };
}

/** The same for a folder with a `jsconfig.json`, its JavaScript being held to what TypeScript is. */
async function typeCheckStrictly(folder) {
  const config = JSON.parse(await readFile(join(folder, "jsconfig.json"), "utf8"));
  config.compilerOptions.checkJs = true;
  await writeFile(join(folder, "strict.json"), JSON.stringify(config));
  typeCheck(join(folder, "strict.json"));
}

/** Runs the compiler over a project. */
function typeCheck(project) {
  try {
    execFileSync(process.execPath, [here("node_modules/typescript/bin/tsc"), "-p", project], { encoding: "utf8" });
  } catch (error) {
    assert.fail(error.stdout || error.message);
  }
}
