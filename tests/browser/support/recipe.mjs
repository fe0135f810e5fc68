// The site that a document shows, as a folder.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const RECIPES = new URL("../../../docs/recipes/", import.meta.url);

/** A file in a document: a fenced block with a title. */
const FILE = /^```\w+ title="(?<path>[^"]+)"\n(?<text>[^]*?)^```$/gm;

/** Writes the files of a recipe into an empty folder, which is removed when the process ends. Returns its routes. */
export function recipe(name) {
  const folder = mkdtempSync(join(tmpdir(), `liveline-${name}-`));
  process.on("exit", () => rmSync(folder, { recursive: true }));
  const document = readFileSync(new URL(`${name}.md`, RECIPES), "utf8");
  for (const { groups: { path, text } } of document.matchAll(FILE)) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return join(folder, "routes");
}
