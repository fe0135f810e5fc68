// Programs that handlers start. `process.execPath` names this host, which runs no script of Node by itself: where one is to
// be run with it, `node` is, as `PATH` finds it.

import { core } from "ext:core/mod.js";
import {
  SafeSet,
  StringPrototypeSlice,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
  StringPrototypeTrim,
} from "ext:liveline/primordials.js";

const NODE = "node";

/** The first arguments with which this host is started as itself. */
const COMMANDS = new SafeSet([
  "--help", "--version", "-V", "-h", "check", "dev", "help", "routes", "serve", "snapshot", "top", "types",
]);

const execPath = () => core.loadExtScript("ext:deno_os/30_os.js").execPath();

/** The program to start for `file` and its first argument. */
export function programOf(file, first = "") {
  return file === execPath() && !COMMANDS.has(`${first}`) ? NODE : file;
}

/** A command line for a shell, whose first word may be this host, in quotes or not. */
export function shellCommandOf(command) {
  const path = execPath();
  for (let i = 0; i < QUOTES.length; i++) {
    const word = QUOTES[i] + path + QUOTES[i];
    if (!StringPrototypeStartsWith(command, word)) continue;
    const rest = StringPrototypeSlice(command, word.length);
    const first = StringPrototypeSplit(StringPrototypeTrim(rest), " ")[0];
    if (rest !== "" && rest[0] !== " ") return command;
    return COMMANDS.has(first) ? command : NODE + rest;
  }
  return command;
}

const QUOTES = ['"', "'", ""];
