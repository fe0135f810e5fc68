import fp from "fastify-plugin";
import Fastify from "fastify";
import { boot, shown } from "./show.mjs";

const handler = async () => "x";

export const hooks = async () => ({
  unknown: await boot((app) => app.addHook("onNothing", () => {})),
  number: await boot((app) => app.addHook(7, () => {})),
  text: await boot((app) => app.addHook("onRequest", "text")),
  asyncWithDone: await boot((app) => app.addHook("onRequest", async (request, reply, done) => {})),
  asyncSendWithDone: await boot((app) => app.addHook("onSend", async (request, reply, payload, done) => {})),
  asyncReadyWithDone: await boot((app) => app.addHook("onReady", async (done) => {})),
  asyncParsingWithDone: await boot((app) => app.addHook("preParsing", async (request, reply, payload, done) => {})),
  inRoute: await boot((app) => app.get("/", { preHandler: "text" }, handler)),
  undefinedInRoute: await boot((app) => app.get("/", { preHandler: undefined }, handler)),
  listInRoute: await boot((app) => app.get("/", { preHandler: [async () => {}, 7] }, handler)),
  ready: await boot((app) => app.addHook("onReady", async () => Promise.reject(new Error("not ready")))),
  readyCallback: await boot((app) => app.addHook("onReady", (done) => done(new Error("not ready either")))),
  route: await boot((app) => {
    app.addHook("onRoute", () => {
      throw new Error("in onRoute");
    });
    app.get("/", handler);
  }),
});

export const throwing = async () => ({
  rejects: await boot((app) => app.register(async () => Promise.reject(new Error("rejected")))),
  calls: await boot((app) => app.register((instance, opts, done) => done(new Error("called")))),
  nested: await boot((app) => app.register(async (one) => one.register(async () => Promise.reject(new Error("nested"))))),
  awaited: await boot(async (app) => {
    await app.register(async () => Promise.reject(new Error("awaited")));
  }),
  handledByAfter: await boot((app) => {
    app.register(async () => Promise.reject(new Error("handled")));
    app.after((error) => {
      app.decorate("handled", error.message);
    });
  }),
  notAFunction: await boot((app) => app.register("text")),
  undefinedPlugin: await boot((app) => app.register(undefined)),
  options: await boot((app) => app.register(async () => {}, "text")),
});

export const timeouts = async () => ({
  silent: await boot((app) => app.register(function silent(instance, opts, done) {}), { pluginTimeout: 50 }),
  pending: await boot((app) => app.register(async function pending() {
    await new Promise(() => {});
  }), { pluginTimeout: 50 }),
  ready: await boot((app) => app.addHook("onReady", function slow(done) {}), { pluginTimeout: 50 }),
  named: await boot((app) => app.register(fp((instance, opts, done) => {}, { name: "by-name" })), { pluginTimeout: 50 }),
});

export const dependencies = async () => ({
  missing: await boot((app) => app.register(fp(async () => {}, { name: "needy", dependencies: ["absent"] }))),
  unnamed: await boot((app) => app.register(fp(async () => {}, { dependencies: ["absent"] }))),
  present: await boot((app) => {
    app.register(fp(async () => {}, { name: "first" }));
    app.register(fp(async () => {}, { name: "second", dependencies: ["first"] }));
  }),
  later: await boot((app) => {
    app.register(fp(async () => {}, { name: "second", dependencies: ["first"] }));
    app.register(fp(async () => {}, { name: "first" }));
  }),
  decorator: await boot((app) => app.register(fp(async () => {}, { name: "decorated", decorators: { fastify: ["absent"] } }))),
  requestDecorator: await boot((app) => app.register(fp(async () => {}, { name: "decorated", decorators: { request: ["absent"] } }))),
  replyDecorator: await boot((app) => app.register(fp(async () => {}, { name: "decorated", decorators: { reply: ["send"] } }))),
  version: await boot((app) => app.register(fp(async () => {}, { name: "old", fastify: "4.x" }))),
  goodVersion: await boot((app) => app.register(fp(async () => {}, { name: "new", fastify: ">=5.0.0 <6" }))),
  shorthand: await boot((app) => app.register(fp(async () => {}, "5.x"))),
});

export const wrapping = async () => {
  const attempt = (run) => {
    try {
      return run();
    } catch (error) {
      return shown(error);
    }
  };
  const symbols = (plugin) => ({
    override: plugin[Symbol.for("skip-override")],
    name: plugin[Symbol.for("fastify.display-name")],
    meta: plugin[Symbol.for("plugin-meta")],
    default: plugin.default === plugin,
    named: Object.keys(plugin).includes("default"),
  });
  return {
    plain: attempt(() => symbols(fp(async () => {}))),
    named: attempt(() => symbols(fp(async function given() {}))),
    options: attempt(() => symbols(fp(async () => {}, { name: "a-name", fastify: "5.x" }))),
    encapsulated: attempt(() => symbols(fp(async () => {}, { encapsulate: true }))),
    version: attempt(() => symbols(fp(async () => {}, "5.x"))),
    camel: attempt(() => symbols(fp(Object.assign(async () => {}, {}), { name: "hello-world-plugin" }))),
    notAFunction: attempt(() => fp("text")),
    badVersion: attempt(() => fp(async () => {}, { fastify: 5 })),
    badOptions: attempt(() => fp(async () => {}, 5)),
    isDefault: typeof fp.default === "function",
    isNamed: typeof fp.fastifyPlugin === "function",
  };
};

export const routes = async () => ({
  twice: await boot((app) => app.get("/a", handler).get("/a", handler)),
  twiceInPrefixes: await boot((app) => {
    app.get("/p/a", handler);
    app.register(async (instance) => instance.get("/a", handler), { prefix: "/p" });
  }),
  headTwice: await boot((app) => app.head("/a", handler).get("/a", handler)),
  schema: await boot((app) => app.post("/", { schema: { body: { type: "nonsense" } } }, handler)),
  response: await boot((app) => app.get("/", { schema: { response: { 200: { $ref: "absent#" } } } }, handler)),
  reference: await boot((app) => app.post("/", { schema: { body: { $ref: "absent#" } } }, handler)),
  bothQueries: await boot((app) => app.get("/", { schema: { query: { type: "object" }, querystring: { type: "object" } } }, handler)),
  bodyOfGet: await boot((app) => app.get("/", { schema: { body: { type: "object" } } }, handler)),
  limit: await boot((app) => app.post("/", { bodyLimit: -1 }, handler)),
  undefinedSchema: await boot((app) => app.post("/", { schema: { body: undefined } }, handler)),
  schemaOfStatus: await boot((app) => app.get("/", { schema: { response: { 777: { type: "object" } } } }, handler)),
  constraint: await boot((app) => app.get("/", { constraints: { unknown: "x" } }, handler)),
});

export const decorators = async () => ({
  twice: await boot((app) => app.decorate("a", 1).decorate("a", 2)),
  inChild: await boot((app) => {
    app.decorate("a", 1);
    app.register(async (child) => child.decorate("a", 2));
  }),
  inSiblings: await boot((app) => {
    app.register(async (child) => child.decorate("a", 1));
    app.register(async (child) => child.decorate("a", 2));
  }),
  throughPlugins: await boot((app) => {
    app.register(fp(async (instance) => instance.decorate("a", 1), { name: "one" }));
    app.register(fp(async (instance) => instance.decorate("a", 2), { name: "two" }));
  }),
  request: await boot((app) => app.decorateRequest("a", 1).decorateRequest("a", 2)),
  reply: await boot((app) => app.decorateReply("a", 1).decorateReply("a", 2)),
  reference: await boot((app) => app.decorateRequest("a", { b: 1 })),
  missing: await boot((app) => app.decorate("a", 1, ["b"])),
  undeclared: await boot((app) => app.getDecorator("a")),
});

export const closing = async () => {
  const log = [];
  const app = Fastify();
  app.addHook("onClose", async (instance) => void log.push(`onClose 1 ${instance === app}`));
  app.addHook("onClose", (instance, done) => {
    log.push("onClose 2");
    done();
  });
  app.addHook("preClose", async () => void log.push("preClose"));
  app.register(async (child) => child.addHook("onClose", async () => void log.push("onClose of the child")));
  app.get("/", handler);
  await app.ready();
  await app.close();
  log.push("closed");
  const again = await app.inject("/").then((response) => response.statusCode, (error) => shown(error));
  let late = "ok";
  try {
    await app.ready();
  } catch (error) {
    late = shown(error);
  }
  return { log, again, late };
};

export const readiness = async () => {
  const log = [];
  const app = Fastify();
  app.addHook("onReady", async () => void log.push("onReady 1"));
  app.addHook("onReady", (done) => {
    log.push("onReady 2");
    done();
  });
  app.register(async (child) => {
    child.addHook("onReady", async () => void log.push("onReady of the child"));
    log.push("plugin");
  });
  app.after(() => void log.push("after"));
  await new Promise((resolve) => app.ready((error) => {
    log.push(`ready ${error}`);
    resolve();
  }));
  await app.ready();
  log.push("ready again");
  await app.close();
  return { log };
};
