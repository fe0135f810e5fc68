// Which handler threw an error: the stack of an error that comes from a socket does not name it.

import { SafeWeakMap } from "../primordials.js";

/** The file and the export of a handler, by what it threw: it may pass through other handlers. */
const throwers = new SafeWeakMap();

const isObject = (error) => error !== null && typeof error === "object";

/** The handler that threw an error, if one was noted. @returns {{ filename: string, name: string } | undefined} */
export function throwerOf(error) {
  return isObject(error) ? throwers.get(error) : undefined;
}

/** Notes the handler that threw an error, unless a handler further in was noted. */
export function noteThrower(error, filename, name) {
  if (isObject(error) && !throwers.has(error)) throwers.set(error, { filename, name });
}
