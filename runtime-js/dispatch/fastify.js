// The Fastify dialect: an application is one handler, which answers every path. Its tree is in `fastify/`, which is loaded
// when a project has such an application.

import { SafeArrayIterator, TypeError } from "../primordials.js";

/** What runs applications; null in builds without Node's half. */
let loadApplications = null;
/** It is loaded once. @type {typeof import("../fastify/app.js") | null} */
let applications = null;

/** For Node's half. @param {() => object} load */
export function setApplications(load) {
  loadApplications = load;
}

/** @type {import("./dialects.js").Dialect} */
export const fastify = {
  __proto__: null,
  load(module, filename) {
    if (loadApplications === null) {
      throw new TypeError(`${filename} is an application of Fastify, and this liveline was built with QuickJS: ` +
        "build it with V8 (see the README)");
    }
    applications ??= loadApplications();
    return applications.boot(module, filename);
  },
  start() {
    applications?.start();
  },
  keepsModules() {
    return applications?.keepsModules() === true;
  },
  dispose() {
    applications?.dispose();
  },
};

/** For the host: the routes of the applications, as methods, path and kind, one after the other. */
export function listedRoutes() {
  const flat = [];
  if (applications === null) return flat;
  for (const { 0: method, 1: path, 2: kind } of new SafeArrayIterator(applications.listed())) {
    flat[flat.length] = method;
    flat[flat.length] = path;
    flat[flat.length] = kind;
  }
  return flat;
}
