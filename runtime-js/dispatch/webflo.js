// The Webflo dialect: a module's exports answer the methods that they are named after.

import { print, WARNING } from "../log.js";
import { SafeArrayIterator, TypeError } from "../primordials.js";

/** Exports that Webflo calls and this host does not. */
const UNUSED = ["SETUP", "render"];

/** Makes a handler of an application of Node's `(req, res)` kind; null in builds without Node's half. */
let mount = null;

/** For Node's half. @param {(app: Function) => Function} mounting */
export function setMount(mounting) {
  mount = mounting;
}

/** @type {import("./dialects.js").Dialect} */
export const webflo = {
  __proto__: null,
  load(module, filename) {
    for (const name of new SafeArrayIterator(UNUSED)) {
      if (typeof module[name] !== "function") continue;
      print(`${filename} exports ${name}(), which nothing calls on this host.`, WARNING);
    }
    const app = applicationOf(module, filename);
    if (app === undefined) return module;
    if (mount === null) {
      throw new TypeError(`${filename} exports an application of Node's, and this liveline was built with QuickJS: ` +
        "build it with V8 (see the README)");
    }
    return { ...module, default: mount(app) };
  },
};

/** The application that a module exports: `nodeHandler`, or a default export that is one of Express or Connect. */
function applicationOf(module, filename) {
  const { default: app, nodeHandler } = module;
  if (nodeHandler !== undefined) {
    if (typeof nodeHandler === "function") return nodeHandler;
    throw new TypeError(`${filename}: nodeHandler is no function of (req, res). With Koa, export app.callback()`);
  }
  const isApplication = typeof app === "function" && typeof app.handle === "function" && typeof app.use === "function";
  return isApplication ? app : undefined;
}
