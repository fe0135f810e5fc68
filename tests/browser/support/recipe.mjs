// The site that a document shows, as a folder.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { folderWith } from "./folder.mjs";

const RECIPES = new URL("../../../docs/recipes/", import.meta.url);

/** A file in a document: a fenced block with a title. */
const FILE = /^```\w+ title="(?<path>[^"]+)"\n(?<text>[^]*?)^```$/gm;

/** Writes the files of a recipe into a folder. Returns that of its routes. */
export function recipe(name) {
  const document = readFileSync(new URL(`${name}.md`, RECIPES), "utf8");
  const files = Array.from(document.matchAll(FILE), ({ groups: { path, text } }) => [path, text]);
  return join(folderWith(Object.fromEntries(files)), "routes");
}
