// The order in which the functions of a tree run: plugins, `after`, `ready`, and the hooks of the application.

import fp from "fastify-plugin";

const log = [];
const note = (name) => void log.push(name);
const soon = () => new Promise((resolve) => setTimeout(resolve, 5));

function named(name, children = []) {
  return async (instance) => {
    note(`${name} begins`);
    for (const child of children) instance.register(child);
    await soon();
    note(`${name} ends`);
  };
}

export default async function (fastify, opts) {
  note("root begins");

  fastify.addHook("onRegister", (instance, opts) => note(`onRegister ${typeof opts === "function" ? "options of a function" : opts.name ?? "?"} ${instance.prefix || "/"}`));
  fastify.addHook("onRoute", (route) => note(`onRoute ${route.method} ${route.url} ${route.prefix || "/"}`));
  fastify.addHook("onReady", async () => note("onReady 1"));
  fastify.addHook("onReady", (done) => {
    note("onReady 2");
    done();
  });

  fastify.register(named("first", [named("first/a", [named("first/a/x")]), named("first/b")]), { name: "first" });
  fastify.register(
    (instance, opts, done) => {
      note("second (callback) begins");
      instance.get("/in-second", () => "second");
      setTimeout(() => {
        note("second (callback) ends");
        done();
      }, 2);
    },
    { name: "second", prefix: "/two" },
  );
  fastify.after((error) => note(`after second: ${error}`));
  fastify.register(fp(named("third (fp)")), { name: "third" });
  fastify.after(async () => {
    await soon();
    note("async after third");
  });
  fastify.register(import("./late.mjs"), { name: "late", note });
  fastify.register(Promise.resolve({ default: named("promise of a module") }), { name: "promised" });
  fastify.register(async (instance) => {
    note("awaiting begins");
    await instance.register(named("awaited"), { name: "awaited" });
    note("awaiting goes on");
    await instance.after();
    note("awaiting ends");
  }, { name: "awaiting" });

  fastify.get("/log", async () => log);
  fastify.get("/name", async function () {
    return { prefix: this.prefix, version: fastify.version.split(".")[0] };
  });
  note("root ends");
}
