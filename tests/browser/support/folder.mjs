// Files of a test, in a folder that is removed when the process ends.

import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** Makes a folder with these files, whose texts are listed by path. Returns its path. */
export function folderWith(files) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "liveline-")));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) save(folder, path, text);
  return folder;
}

/** Saves a file in place of the one that is there, as many editors do: written beside it, then renamed. */
export function save(folder, path, text) {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.tmp`, text);
  renameSync(`${file}.tmp`, file);
}
