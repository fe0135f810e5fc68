// The Fastify dialect: an application is one handler, which answers every path. Its tree is in `fastify/`, which is loaded
// when a project has such an application.

import { TypeError } from "../primordials.js";

/** What runs applications; null in builds without Node's half. */
let loadApplications = null;
/** It is loaded once. @type {typeof import("../fastify/app.js") | null} */
let applications = null;
/** The project, if a file stands for the folders of plugins and routes in it; empty where the file is an application. */
let folder = "";

/** For Node's half. @param {() => object} load */
export function setApplications(load) {
  loadApplications = load;
}

/** @type {import("./dialects.js").Dialect} */
export const fastify = {
  __proto__: null,
  configure(path) {
    folder = path;
  },
  load(module, filename) {
    if (loadApplications === null) {
      throw new TypeError(`${filename} is an application of Fastify, and this liveline was built with QuickJS: ` +
        "build it with V8 (see the README)");
    }
    applications ??= loadApplications();
    return applications.boot(module, filename, folder);
  },
  listed: () => applications?.listed() ?? [],
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
