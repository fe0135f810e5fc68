// What handlers log: `console`, and remarks of the host between their lines.

import { core } from "ext:core/mod.js";
import { op_console, op_console_has_colors } from "ext:core/ops";
import {
  FunctionPrototypeBind,
  globalThis,
  ObjectDefineProperty,
  ObjectKeys,
  SafeArrayIterator,
} from "./primordials.js";

/** Levels of {@link print}. */
export const INFO = 1;
export const WARNING = 2;

/** The global `console`. */
export function makeConsole() {
  const { Console, setNoColorFns } = core.loadExtScript("ext:deno_web/01_console.js");
  // What handlers print may go to a file, one of the two outputs or both.
  setNoColorFns(() => !op_console_has_colors(false), () => !op_console_has_colors(true));
  return new Console(op_console);
}

/** For the host, where debuggers may attach: `console` also prints there, with the place of the handler's call. */
export function mirrorConsole() {
  const { console } = globalThis;
  const { callConsole, v8Console } = core;
  for (const name of new SafeArrayIterator(ObjectKeys(v8Console))) {
    const own = console[name], ofV8 = v8Console[name];
    console[name] = own === undefined ? ofV8 : FunctionPrototypeBind(callConsole, console, ofV8, own);
    ObjectDefineProperty(console[name], "name", { __proto__: null, value: name });
  }
}

/** Logs a remark of the host for the author of the handler, as if the handler had printed it. */
export function print(text, level) {
  op_console(`${text}\n`, level);
}
