// Stands in for the module of Deno's own runtime from which node:console takes the console.

import { globalThis } from "ext:liveline/primordials.js";

export const windowOrWorkerGlobalScope = { console: { get: () => globalThis.console } };
export const unstableForWindowOrWorkerGlobalScope = {};
