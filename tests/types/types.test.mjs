// The declarations of runtime-js/types, held against the host and against the compiler.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { declaredMembers } from "./support/declarations.mjs";
import { askHandler, startHost } from "./support/host.mjs";

/** Members that only the host calls. They are no part of what handlers may use. */
const FOR_THE_HOST = new Set([
  ...["closed", "opened", "receive", "relayTo", "reply", "tap"].map((name) => `ClientPort.${name}`),
  ...["hasHeaders", "raw"].map((name) => `Frame.${name}`),
  ...["bindState", "follow", "holdUntil", "relayTo"].map((name) => `RemotePort.${name}`),
  ...["failureOf", "isClosed", "lineHeaders", "recorder", "respond", "stop", "upstreamOf", "withBackground"]
    .map((name) => `typeof LiveResponse.${name}`),
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

  const report = await askHandler(host.url, "probe");
  const actual = Object.entries(report).flatMap(([of, names]) => names.map((name) => `${of}.${name}`));
  const declared = declaredMembers(here("../../runtime-js/types/"), Object.keys(report));

  const known = new Set([...declared.map(({ name }) => name), ...FOR_THE_HOST]);
  const undeclared = actual.filter((name) => !known.has(name));
  assert.deepEqual(undeclared, [], "runtime-js/types/ does not declare what the host has");
  const missing = declared.filter(({ name, isOptional }) => !isOptional && !actual.includes(name));
  assert.deepEqual(missing, [], "the host does not have what runtime-js/types/ declares");
});
