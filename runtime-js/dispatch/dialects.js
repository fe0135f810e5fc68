// The JavaScript half of each dialect; `src/dialect/` is the other half. A dialect adapts its handlers to the arguments
// of the common walk (`routing.js`).

import { aiwebengine } from "./aiwebengine.js";
import { fastify } from "./fastify.js";
import { webflo } from "./webflo.js";
import { larc } from "../larc/larc.js";
import { workers } from "../workers/workers.js";
import { ArrayPrototypePush, JSONStringify, SafeArrayIterator } from "../primordials.js";

/**
 * @typedef {object} Dialect
 * @property {(json: string, testsTriggers: boolean) => void} [configure] before any handler is loaded: what
 *   `src/dialect/` has read in the project's configuration, and whether requests may call what happens at times
 * @property {(module: object, filename: string) => object | Promise<object>} load for each handler that was evaluated:
 *   its functions, by
 *   the method that each answers, and `default` for every other method. The walk invokes them with `(event, next,
 *   fetch)`, and their results become answers. A dialect with other arguments returns functions that call the
 *   handler's.
 * @property {() => { message: string, file?: string, line?: number, help?: string }[]} [problems] once all handlers are
 *   loaded: why they cannot serve together
 * @property {() => [string, string, string][]} [listed] the routes of applications: methods, path and kind of each
 * @property {() => void} [start] all handlers are loaded and serve from now on
 * @property {() => boolean} [keepsModules] whether the handlers can be loaded again beside themselves, in an isolate whose
 *   modules keep their state
 * @property {() => void} [dispose] ends what the dialect holds, when a generation of the code gets no more requests
 */

/** By name. @type {Record<string, Dialect>} */
const DIALECTS = { __proto__: null, aiwebengine, fastify, larc, webflo, workers };

/** The functions of a handler's module. */
export function load(dialect, module, filename) {
  return DIALECTS[dialect].load(module, filename);
}

/** For the host, before any handler is loaded: what the configuration of a project decides for a dialect. */
export function configure(dialect, json, testsTriggers) {
  DIALECTS[dialect].configure?.(json, testsTriggers);
}

/** For the host, once all handlers are loaded: why they cannot serve together, as JSON. */
export function problems() {
  const found = [];
  for (const name in DIALECTS) {
    const own = DIALECTS[name].problems?.() ?? [];
    for (const problem of new SafeArrayIterator(own)) ArrayPrototypePush(found, problem);
  }
  return JSONStringify(found);
}

/** For the host: the routes of the applications, as methods, path and kind, one after the other. */
export function listedRoutes() {
  const flat = [];
  for (const name in DIALECTS) {
    for (const row of new SafeArrayIterator(DIALECTS[name].listed?.() ?? [])) {
      for (const cell of new SafeArrayIterator(row)) ArrayPrototypePush(flat, cell);
    }
  }
  return flat;
}

/** All handlers are loaded. */
export function started() {
  for (const name in DIALECTS) DIALECTS[name].start?.();
}

/** For the host: whether the code can be loaded again in this isolate, beside itself. */
export function keepsModules() {
  for (const name in DIALECTS) if (DIALECTS[name].keepsModules?.()) return true;
  return false;
}

/** CommonJS modules by their files; set by Node's half. */
let commonJs = null;

/**
 * For Node's half.
 * @param {{ requiredFiles(): string[], forget(files: string[] | null): void, stopped(): void }} modules
 */
export function setCommonJs(modules) {
  commonJs = modules;
}

/** For the host: code was terminated. CommonJS modules that it was running begin anew when they are required next. */
export function modulesStopped() {
  commonJs?.stopped();
}

/** For the host: the files that CommonJS modules have required, each behind the file that did. */
export function requiredFiles() {
  return commonJs === null ? [] : commonJs.requiredFiles();
}

/**
 * For the host: the CommonJS modules of these files run anew when they are required next. With null, those that were
 * forgotten last are known again, because the code that needed new ones did not load.
 */
export function forgetModules(files) {
  commonJs?.forget(files);
}

/** For the host: this generation gets no more requests. */
export function dispose() {
  for (const name in DIALECTS) DIALECTS[name].dispose?.();
}
