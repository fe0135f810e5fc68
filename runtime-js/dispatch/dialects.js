// The JavaScript half of each dialect; `src/dialect/` is the other half. A dialect adapts its handlers to the arguments
// of the common walk (`routing.js`).

import { fastify } from "./fastify.js";
import { webflo } from "./webflo.js";

/**
 * @typedef {object} Dialect
 * @property {(module: object, filename: string) => object | Promise<object>} load for each handler that was evaluated: its functions, by
 *   the method that each answers, and `default` for every other method. The walk invokes them with `(event, next,
 *   fetch)`, and their results become answers. A dialect with other arguments returns functions that call the
 *   handler's.
 * @property {() => void} [dispose] ends what the dialect holds, when a generation of the code gets no more requests
 */

/** By name. @type {Record<string, Dialect>} */
const DIALECTS = { __proto__: null, fastify, webflo };

/** The functions of a handler's module. */
export function load(dialect, module, filename) {
  return DIALECTS[dialect].load(module, filename);
}

/** For the host: this generation gets no more requests. */
export function dispose() {
  for (const name in DIALECTS) DIALECTS[name].dispose?.();
}
