import assert from "node:assert/strict";
import { example } from "./support/example.mjs";
import { DONE } from "./support/lines.mjs";

const ROWS = ["Inventory 1: 12 chairs", "Inventory 2: 3 tables", "Inventory 3: 40 lamps", "Inventory 4: 1 piano"];

example("skeleton", async ({ open }) => {
  const window = await open("/skeleton?pace=300", { watch: "#header" });
  assert.deepEqual(await window.all("nav a"), ["Home", "About", "Contact"]);

  await window.shows(".rows li:nth-of-type(4)", ROWS[3]);

  assert.deepEqual(await window.all(".rows li"), ROWS);
  window.showedInOrder(["Loading...", "Inventory"]);
  const frames = await (await window.lines.nth(0)).toEnd();
  // What was returned is the response; it changes until `waitUntil()` settles.
  assert.deepEqual(frames.shift(), DONE);
  assert.deepEqual([...new Set(frames.map(([type]) => type))], ["initial_response.mutate"]);
  // The page has what the handler built.
  const last = window.states.at(-1);
  assert.deepEqual(last.content, { header: "Inventory", body: ROWS.map((text) => ({ text })) });
});
