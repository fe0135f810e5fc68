// Globals of Workers that other handlers do not have.

import { define } from "../globals.js";
import { waitUntil } from "./context.js";
import { entrypoints } from "./entrypoints.js";
import { environmentOf } from "./environment.js";
import { setTimeout } from "../timers.js";
import { DurableObject, RpcTarget, WorkerEntrypoint } from "./actors.js";
import { Error, Promise, SymbolFor } from "../primordials.js";

/** A cache that keeps nothing, as an empty one may. */
class Cache {
  async match(_request, _options = undefined) {
    return undefined;
  }

  async put(_request, _response) {}

  async delete(_request, _options = undefined) {
    return false;
  }
}

class HTMLRewriter {
  constructor() {
    throw new Error("HTMLRewriter is not available on this host. Write the page as a stream, or transform its text.");
  }
}

/** Defines them, once a project is a Worker. */
export function defineGlobals() {
  const shared = new Cache();
  define("caches", { default: shared, open: async (_name) => shared });
  define("HTMLRewriter", HTMLRewriter);
  define("scheduler", { wait: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)) });
}

// Read by the module cloudflare:workers.
define(SymbolFor("liveline:workers"), {
  DurableObject,
  WorkerEntrypoint,
  RpcTarget,
  waitUntil,
  get env() {
    return environmentOf();
  },
  get exports() {
    return entrypoints();
  },
});
