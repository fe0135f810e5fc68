// The packages of Fastify that the host provides, by the names that modules import.

import { core, primordials } from "ext:core/mod.js";

const { ObjectAssign, SafeMap } = primordials;

/** Named exports that a function has as properties, as those of the packages do. */
function withNames(func, names) {
  ObjectAssign(func, names);
  if (func.default === undefined) func.default = func;
  return func;
}

const load = (file) => core.createLazyLoader(`ext:liveline_fastify/${file}`)();

const MAKERS = {
  __proto__: null,
  "fastify": () => {
    const { fastify } = load("instance.js");
    const { codes } = load("errors.js");
    return withNames(fastify, { fastify, errorCodes: codes });
  },
  "fastify-plugin": () => {
    const { plugin } = load("plugin.js");
    return withNames(plugin, { fastifyPlugin: plugin });
  },
  "@fastify/websocket": () => {
    const { plugin } = load("websocket.js");
    return withNames(plugin, { fastifyWebsocket: plugin });
  },
  "@fastify/autoload": () => {
    const { autoload } = load("autoload.js");
    return withNames(autoload, { fastifyAutoload: autoload });
  },
  "@fastify/cors": () => {
    const { cors } = load("cors.js");
    return withNames(cors, { fastifyCors: cors });
  },
  "@fastify/sensible": () => {
    const { HttpError, httpErrors, sensible } = load("sensible.js");
    return withNames(sensible, { fastifySensible: sensible, HttpError, httpErrors });
  },
};

/** The names that these packages had before. */
const LEGACY = {
  __proto__: null,
  "fastify-websocket": "@fastify/websocket",
  "fastify-autoload": "@fastify/autoload",
  "fastify-cors": "@fastify/cors",
  "fastify-sensible": "@fastify/sensible",
};

const made = new SafeMap();

/** The exports of a provided package. */
export function provided(name) {
  const key = LEGACY[name] ?? name;
  let exports = made.get(key);
  if (exports === undefined) made.set(key, exports = MAKERS[key]());
  return exports;
}


