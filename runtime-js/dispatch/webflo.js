// The Webflo dialect: a module's exports answer the methods that they are named after.

import { print, WARNING } from "../log.js";
import { SafeArrayIterator } from "../primordials.js";

/** Exports that Webflo calls and this host does not. */
const UNUSED = ["SETUP", "render"];

/** @type {import("./dialects.js").Dialect} */
export const webflo = {
  __proto__: null,
  load(module, filename) {
    for (const name of new SafeArrayIterator(UNUSED)) {
      if (typeof module[name] !== "function") continue;
      print(`${filename} exports ${name}(), which nothing calls on this host.`, WARNING);
    }
    return module;
  },
};
