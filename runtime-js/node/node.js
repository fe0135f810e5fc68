// Node's half: its globals, and what deno_node's scripts expect of the program that they run in. Each global is made
// when it is first read, so that an application without packages of Node pays for none of it.

import { core, internals } from "ext:core/mod.js";
import { op_application_file, op_build_target, op_node_debug } from "ext:core/ops";
import { setApplications } from "ext:liveline/dispatch/fastify.js";
import { setMount } from "ext:liveline/dispatch/webflo.js";
import { define, defineLazy } from "ext:liveline/globals.js";
import { globalThis, SafeArrayIterator, SymbolFor } from "ext:liveline/primordials.js";
import "./common_js.js";
import "./module_hooks.js";
import { deno, provided } from "./deno.js";
import { mount } from "./mount.js";
import { Navigator, navigator } from "./navigator.js";

setMount(mount);
setApplications(core.createLazyLoader("ext:liveline_fastify/app.js"));
// Read by the modules of Fastify that the host provides.
define(SymbolFor("liveline:provided"), provided);
// Read by CommonJS modules that are imported: the program that runs knows that it is the one, as in Node.
define(SymbolFor("liveline:is-main"), (file) => file === op_application_file());
core.setBuildInfo(op_build_target());
internals.deno = deno;
// Read by node:process when it is first loaded.
internals.__nodeBootstrapArgs = {
  argv0: "liveline",
  denoArgs: [],
  denoVersion: {},
  get nodeDebug() {
    return op_node_debug();
  },
  runningOnMainThread: true,
  usesLocalNodeModulesDir: true,
};

const loadProcess = core.createLazyLoader("node:process");
const loadBuffer = core.createLazyLoader("node:buffer");
const loadTimers = core.createLazyLoader("node:timers");

defineLazy("process", () => loadProcess().default);
defineLazy("Buffer", () => loadBuffer().Buffer);
defineLazy("setImmediate", () => loadTimers().setImmediate);
defineLazy("clearImmediate", () => loadTimers().clearImmediate);
define("global", globalThis);
define("Navigator", Navigator);
define("navigator", navigator);

// -- Web Crypto ------------------------------------------------------------------------------------------------------

const loadCrypto = () => {
  core.loadExtScript("ext:deno_node/internal/crypto/constants.ts");
  return core.loadExtScript("ext:deno_crypto/00_crypto.js");
};
for (const name of new SafeArrayIterator(["Crypto", "CryptoKey", "SubtleCrypto", "crypto"])) defineLazy(name, () => loadCrypto()[name]);
