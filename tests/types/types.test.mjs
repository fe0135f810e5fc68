// The declarations of runtime-js/types, held against the host and against the compiler.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { declaredMembers } from "./support/declarations.mjs";
import { askHandler, startHost } from "./support/host.mjs";

/** Members that only the host calls. They are no part of what handlers may use. */
const FOR_THE_HOST = new Set([
  ...["closed", "opened", "receive", "reply", "tap"].map((name) => `ClientPort.${name}`),
  ...["hasHeaders", "raw"].map((name) => `Frame.${name}`),
  ...["failureOf", "isClosed", "recorder", "respond", "stop"].map((name) => `typeof LiveResponse.${name}`),
]);

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

test("handlers type-check, and mistakes in them do not", () => {
  try {
    execFileSync(process.execPath, [here("node_modules/typescript/bin/tsc"), "-p", here(".")], { encoding: "utf8" });
  } catch (error) {
    assert.fail(error.stdout || error.message);
  }
});

test("every member that the host gives is declared, and the other way round", async (t) => {
  const host = await startHost(here("site"));
  t.after(() => host.stop());

  const actual = await askHandler(host.url, "probe");
  const declared = declaredMembers(here("../../runtime-js/types/"), Object.keys(actual));

  const undeclared = difference(flat(actual), flat(declared)).filter((member) => !FOR_THE_HOST.has(member));
  assert.deepEqual(undeclared, [], "the host has members that runtime-js/types/ does not declare");
  const missing = difference(flat(declared), flat(actual));
  assert.deepEqual(missing, [], "runtime-js/types/ declares members that the host does not have");
});

/** `CLASS.member` for every member. */
function flat(members) {
  return Object.entries(members).flatMap(([of, names]) => names.map((name) => `${of}.${name}`));
}

function difference(some, others) {
  return some.filter((name) => !others.includes(name));
}
