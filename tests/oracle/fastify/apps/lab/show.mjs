// Makes an instance, boots it, asks it, and shows what came of it.

import Fastify from "fastify";

export function shown(error) {
  if (error === undefined || error === null) return String(error);
  // Where a plugin's file lies differs.
  const message = String(error.message ?? error).replace(/file:\/\/\S+|\/\S+\/(?=\w+\.mjs)/g, "<file>");
  return { code: error.code, message, statusCode: error.statusCode, name: error.name };
}

/** The error that the tree of `build` fails with, or "ready". */
export async function boot(build, options = {}) {
  let app;
  try {
    app = Fastify(options);
    await build(app);
    await app.ready();
    return "ready";
  } catch (error) {
    return shown(error);
  } finally {
    await app?.close().catch(() => {});
  }
}

/** The answers of a tree to these requests. */
export async function ask(build, requests, options = {}) {
  const app = Fastify(options);
  try {
    await build(app);
    const answers = [];
    for (const request of requests) {
      const { statusCode, body, headers } = await app.inject(request);
      answers.push({ statusCode, body, type: headers["content-type"], location: headers.location, own: headers["x-own"] });
    }
    return answers;
  } catch (error) {
    return shown(error);
  } finally {
    await app.close().catch(() => {});
  }
}
