// @fastify/autoload: folders become prefixes. Each variant of its options has a prefix of its own.

import { join } from "node:path";
import AutoLoad from "@fastify/autoload";

export default async function (fastify, opts) {
  const at = (...parts) => join(import.meta.dirname ?? new URL(".", import.meta.url).pathname, ...parts);
  const variant = (prefix, options) => fastify.register(async (instance) => {
    const table = [];
    instance.addHook("onRoute", ({ method, url }) => void table.push(`${method} ${url}`));
    await instance.register(AutoLoad, { options: {}, ...options });
    instance.get("/-routes", async () => table.filter((route) => !route.includes("/-routes")).sort());
  }, { prefix });

  fastify.register(AutoLoad, { dir: at("plugins") });
  variant("/plain", { dir: at("routes"), options: { given: "option" } });
  variant("/params", { dir: at("params"), routeParams: true });
  variant("/no-params", { dir: at("params") });
  variant("/hooks", { dir: at("hooks"), autoHooks: true });
  variant("/cascade", { dir: at("hooks"), autoHooks: true, cascadeHooks: true });
  variant("/overwrite", { dir: at("hooks"), autoHooks: true, cascadeHooks: true, overwriteHooks: true });
  variant("/no-hooks", { dir: at("hooks") });
  variant("/hook-pattern", { dir: at("hook-pattern"), autoHooks: true, autoHooksPattern: /^_hooks\.mjs$/ });
  variant("/flat", { dir: at("flat"), dirNameRoutePrefix: false });
  variant("/renamed", { dir: at("flat"), dirNameRoutePrefix: (parent, folder) => `${folder}-x` });
  variant("/shallow", { dir: at("routes"), maxDepth: 1 });
  variant("/root-only", { dir: at("routes"), maxDepth: 0 });
  variant("/ignored", { dir: at("routes"), ignorePattern: /deep|own/ });
  variant("/ignored-text", { dir: at("routes"), ignorePattern: "deep" });
  variant("/filtered", { dir: at("routes"), ignoreFilter: (path) => path.includes("users") });
  variant("/matched", { dir: at("routes"), matchFilter: (path) => path.includes("users") });
  variant("/matched-text", { dir: at("routes"), matchFilter: "users" });
  variant("/index", { dir: at("index"), indexPattern: /^main\.(mjs|js)$/ });
  variant("/script", { dir: at("scripts"), scriptPattern: /(?:\.route)\.mjs$/ });
  variant("/shared", { dir: at("shared"), encapsulate: false });
  variant("/separate", { dir: at("shared") });
  variant("/force", { dir: at("mixed"), forceESM: true });
  variant("/mixed", { dir: at("mixed") });
  variant("/prefixed", { dir: at("prefixed"), options: { prefix: "/base" } });
  variant("/ordered", { dir: at("ordered") });
  variant("/appended", { dir: at("prefixed"), appendAutoPrefix: true });

  const refused = {};
  for (const [name, options] of Object.entries({
    noDir: {},
    number: { dir: 7 },
    absent: { dir: at("absent") },
    depth: { dir: at("index"), maxDepth: "x" },
  })) {
    fastify.get(`/refused/${name}`, async () => {
      const { default: Fastify } = await import("fastify");
      const app = Fastify();
      try {
        await app.register(AutoLoad, options);
        await app.ready();
        return "ready";
      } catch (error) {
        return { code: error.code ?? null, message: error.message.replaceAll(at(""), "<folder>/") };
      } finally {
        await app.close().catch(() => {});
      }
    });
  }
  fastify.get("/refused/broken/:name", async (request) => {
    const { default: Fastify } = await import("fastify");
    const app = Fastify();
    try {
      await app.register(AutoLoad, { dir: at("broken", request.params.name) });
      await app.ready();
      return "ready";
    } catch (error) {
      return { name: error.constructor.name, code: error.code ?? null, message: error.message.replaceAll(at(""), "<folder>/") };
    } finally {
      await app.close().catch(() => {});
    }
  });
}
