// The dialect of aiwebengine: its scripts are one application. What runs them is in `aiwebengine/`, which is loaded when a
// project has scripts.

import { core } from "ext:core/mod.js";
import { define } from "../globals.js";
import { SymbolFor } from "../primordials.js";

/** It is loaded once. */
let application = null;

/** @type {import("./dialects.js").Dialect} */
export const aiwebengine = {
  __proto__: null,
  configure(json) {
    application = core.createLazyLoader("ext:liveline_aiwebengine/app.js")();
    // Read by the modules that give scripts their names.
    define(SymbolFor("liveline:aiwebengine"), application.scopeOf);
    application.configure(json);
  },
  load: (module, filename) => application.load(filename, module !== null),
  start: () => application?.start(),
  dispose: () => application?.dispose(),
  problems: () => application?.problems() ?? [],
  listed: () => application?.listed() ?? [],
};
