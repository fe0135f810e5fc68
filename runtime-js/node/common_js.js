// The CommonJS modules of an isolate whose code is loaded again.

import { core } from "ext:core/mod.js";
import { setCommonJs } from "ext:liveline/dispatch/dialects.js";
import { ArrayPrototypePush, ObjectAssign, ObjectKeys, SafeArrayIterator } from "ext:liveline/primordials.js";

/** The modules by their files, as `require.cache` has them. */
const cache = () => core.createLazyLoader("node:module")().default._cache;

/** Those that were forgotten last, by their files. */
let forgotten = {};

setCommonJs({
  requiredFiles() {
    const modules = cache(), flat = [];
    for (const file of new SafeArrayIterator(ObjectKeys(modules))) {
      for (const child of new SafeArrayIterator(modules[file]?.children ?? [])) {
        if (typeof child.filename !== "string") continue;
        ArrayPrototypePush(flat, file);
        ArrayPrototypePush(flat, child.filename);
      }
    }
    return flat;
  },
  stopped() {
    const modules = cache();
    for (const file of new SafeArrayIterator(ObjectKeys(modules))) {
      // No `catch` has run that would have dropped it.
      if (modules[file]?.loaded === false) delete modules[file];
    }
  },
  forget(files) {
    const modules = cache();
    if (files === null) {
      ObjectAssign(modules, forgotten);
      forgotten = {};
      return;
    }
    forgotten = { __proto__: null };
    for (const file of new SafeArrayIterator(files)) {
      if (modules[file] === undefined) continue;
      forgotten[file] = modules[file];
      delete modules[file];
    }
  },
});
