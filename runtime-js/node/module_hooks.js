// What the host adds to `node:module`. deno_node has `registerHooks`; here `load` hooks learn the format of a file, as under
// Node, and a file that no hook changes is loaded as always.

import { core, primordials } from "ext:core/mod.js";
import { define } from "ext:liveline/globals.js";

const {
  ArrayPrototypeIndexOf,
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  ArrayPrototypeSplice,
  JSONParse,
  ObjectAssign,
  ObjectFreeze,
  SafeMap,
  StringPrototypeEndsWith,
  StringPrototypeStartsWith,
  SymbolFor,
  TypeError,
} = primordials;

// Called with the Module of `node:module` when code first imports that. Returns what the host adds to it.
define(SymbolFor("liveline:node-module"), (Module) => {
  const added = { __proto__: null, ...COMPILATION, registerHooks: hooksOf(Module) };
  ObjectAssign(Module, added);
  return added;
});

const compileCacheStatus = ObjectFreeze({ __proto__: null, FAILED: 0, ENABLED: 1, ALREADY_ENABLED: 2, DISABLED: 3 });

/** The host keeps compiled code by itself, and shows places in sources, if there are source maps. */
const COMPILATION = {
  constants: ObjectFreeze({ __proto__: null, compileCacheStatus }),
  enableCompileCache: () => ({ status: compileCacheStatus.DISABLED, message: "the host keeps compiled code by itself" }),
  flushCompileCache() {},
  getCompileCacheDir: () => undefined,
  getSourceMapsSupport: () => ({ __proto__: null, enabled: true, nodeModules: true, generatedCode: false }),
  setSourceMapsSupport() {},
};

/** What replaces `registerHooks` of a Module. */
function hooksOf(Module) {
  const register = Module.registerHooks;
  /** The `load` hooks, of which the last is called first. Only one hook is registered with deno_node; it calls these. */
  const loads = [];
  let all = null;
  const load = (url, context, next) => loadWith(loads, url, context, next, Module);
  return function registerHooks(hooks) {
    const { resolve, load: own } = hooks;
    // It throws where one is no function.
    const registered = own === undefined ? register({ resolve }) : register({ resolve, load: own });
    if (own === undefined) return registered;
    registered.deregister();
    const resolving = resolve === undefined ? null : register({ resolve });
    const entry = { own };
    ArrayPrototypePush(loads, entry);
    all ??= register({ load });
    return {
      deregister() {
        resolving?.deregister();
        const at = ArrayPrototypeIndexOf(loads, entry);
        if (at < 0) return;
        ArrayPrototypeSplice(loads, at, 1);
        if (loads.length === 0) {
          all?.deregister();
          all = null;
        }
      },
    };
  };
}

function loadWith(all, url, context, next, Module) {
  // Hooks may end while they are called.
  const loads = ArrayPrototypeSlice(all);
  let source, format, last;
  const step = (index, outer) => (stepUrl, given) => {
    const known = ObjectAssign({}, outer, given);
    if (index < 0) {
      const loaded = next(stepUrl, known);
      format = loaded.format ?? formatOf(stepUrl, Module);
      ({ source } = loaded);
      last = stepUrl;
      return ObjectAssign({}, loaded, { format });
    }
    let isPassedOn = false;
    const inner = step(index - 1, known);
    const result = loads[index].own(stepUrl, known, (nextUrl, nextContext) => {
      isPassedOn = true;
      return inner(nextUrl, nextContext);
    });
    const isResult = result !== null && typeof result === "object";
    if (!isResult || (!isPassedOn && !result.shortCircuit)) throw new TypeError("A load hook calls nextLoad(), or returns { shortCircuit: true }.");
    return result;
  };
  const known = ObjectAssign({}, context, { format: context.format ?? formatOf(url, Module) });
  const result = step(loads.length - 1, known)(url, undefined);
  // At the end of the chain the text of a file is read. Where it is not changed, the host loads the file, and compiles it
  // if that is needed.
  const isChanged = source === undefined || last !== url || result?.source !== source || result.format !== format;
  return isChanged ? result : { format, source: null };
}

/** The format of a file, by its name and its package; undefined for what is no file. */
function formatOf(url, Module) {
  if (StringPrototypeStartsWith(url, "node:")) return "builtin";
  if (!StringPrototypeStartsWith(url, "file:")) return undefined;
  if (StringPrototypeEndsWith(url, ".json")) return "json";
  if (StringPrototypeEndsWith(url, ".wasm")) return "wasm";
  if (StringPrototypeEndsWith(url, ".mjs") || StringPrototypeEndsWith(url, ".mts")) return "module";
  if (StringPrototypeEndsWith(url, ".cjs") || StringPrototypeEndsWith(url, ".cts")) return "commonjs";
  if (!StringPrototypeEndsWith(url, ".js")) return undefined;
  const description = Module.findPackageJSON(url);
  return description !== undefined && typeOf(description) === "module" ? "module" : "commonjs";
}

/** The types of packages, by the files that state them. */
const types = new SafeMap();

function typeOf(description) {
  let type = types.get(description);
  if (type === undefined) {
    const text = core.createLazyLoader("node:fs")().default.readFileSync(description, "utf8");
    types.set(description, type = JSONParse(text).type ?? "commonjs");
  }
  return type;
}
