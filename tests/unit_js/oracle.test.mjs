// The oracles' harness: what it takes out of transcripts, and how it finds differences.

import assert from "node:assert/strict";
import { test } from "node:test";
import { differences, judge } from "../oracle/harness/compare.mjs";
import { normal } from "../oracle/harness/normal.mjs";

const A = "a".repeat(64);
const B = "b".repeat(64);

test("identifiers are numbered by their first appearance and stay equal", () => {
  assert.deepEqual(normal([{ x: B, y: `${A}, ${B}` }]), [{ x: "<id 1>", y: "<id 2>, <id 1>" }]);
});

test("ports and times are replaced, other numbers are not", () => {
  const now = Date.now();
  const transcript = { at: now, text: `http://127.0.0.1:4567/a?t=${now}`, iso: new Date(now).toISOString(), old: 1_000_000_000_000, code: 1006 };
  assert.deepEqual(normal(transcript), { at: "<time>", text: "http://<host>/a?t=<time>", iso: "<time>", old: 1_000_000_000_000, code: 1006 });
});

test("hidden texts have their names", () => {
  assert.deepEqual(normal(["in /tmp/x/y"], new Map([["/tmp/x", "folder"]])), ["in <folder>/y"]);
});

test("a difference names its step and field", () => {
  const theirs = [{ step: "GET /", answer: { status: 200 } }, { step: "GET /", answer: { status: 200, body: { json: [1, 2] } } }];
  const ours = [{ step: "GET /", answer: { status: 200 } }, { step: "GET /", answer: { status: 500, body: { json: [1, 3] } } }];
  assert.deepEqual(differences(theirs, ours), [
    { step: "GET / (2)", field: "answer.status", theirs: 200, ours: 500 },
    { step: "GET / (2)", field: "answer.body.json[1]", theirs: 2, ours: 3 },
  ]);
});

test("a step that is missing is one difference", () => {
  const found = differences([{ step: "a" }, { step: "b", value: 1 }, { step: "c" }], [{ step: "a" }, { step: "c" }]);
  assert.deepEqual(found, [{ step: "b", field: "", theirs: { value: 1 }, ours: {} }]);
});

test("differences that are meant are told from others, and entries without a difference are found", () => {
  const found = [{ step: "a", field: "x", theirs: 1, ours: 2 }, { step: "a", field: "y", theirs: 1, ours: 2 }];
  const meant = { script: "s", step: "a", field: "x", ours: 2, reason: "." };
  const unused = { script: "s", step: "b", field: "x", ours: 2, reason: "." };
  const other = { script: "other", step: "a", field: "y", ours: 2, reason: "." };
  const judged = judge("s", found, [meant, unused, other]);
  assert.deepEqual(judged, { unexpected: [found[1]], meant: [found[0]], unused: [unused] });
});

test("a difference may be meant for all scripts and steps", () => {
  const found = [{ step: "a", field: "x", theirs: 1, ours: 2 }];
  const meant = { script: "*", step: "*", field: "x", ours: 2, reason: "." };
  const other = { script: "*", step: "*", field: "y", ours: 2, reason: "." };
  assert.deepEqual(judge("s", found, [meant, other]), { unexpected: [], meant: found, unused: [] });
});

test("what one side lacks is undefined, although every object inherits members of that name", () => {
  const [difference] = differences([{ step: "a" }], [{ step: "a", constructor: "x" }]);
  assert.deepEqual(difference, { step: "a", field: "constructor", theirs: undefined, ours: "x" });
});
