// What a context sees of its parents, its siblings and its children.

import fp from "fastify-plugin";

const attempt = (run) => {
  try {
    const result = run();
    return result === undefined || typeof result === "object" ? "ok" : result;
  } catch (error) {
    return { code: error.code, message: error.message };
  }
};

export default async function (fastify, opts) {
  fastify.decorate("root", "root");
  fastify.decorate("sum", function (a, b) {
    return [a + b, typeof this.get];
  });
  fastify.decorate("counter", {
    getter() {
      return `${this.prefix}:got`;
    },
  });
  fastify.decorateRequest("user", null);
  fastify.decorateRequest("greet", function (word) {
    return `${word} ${this.method}`;
  });
  fastify.decorateRequest("short", {
    getter() {
      return this.url.slice(0, 5);
    },
  });
  fastify.decorateReply("shout", function (text) {
    return this.header("x-shout", "yes").send(text.toUpperCase());
  });

  fastify.get("/root", async (request) => ({
    sum: fastify.sum(1, 2),
    counter: fastify.counter,
    user: request.user,
    greet: request.greet("hello"),
    short: request.short,
    sees: seen(fastify),
  }));
  fastify.get("/shout", (request, reply) => reply.shout("quiet"));

  fastify.register(async (one) => {
    one.decorate("one", 1);
    one.decorateRequest("inOne", "request one");
    one.get("/one", async (request) => ({ sees: seen(one), request: request.inOne }));
    one.register(async (inner) => {
      inner.decorate("inner", 11);
      inner.get("/inner", async (request) => ({ sees: seen(inner), request: request.inOne, prefix: inner.prefix }));
    }, { prefix: "/deep" });
  }, { prefix: "/v1" });

  fastify.register(async (two) => {
    two.decorate("two", 2);
    two.get("/two", async (request) => ({ sees: seen(two), request: String(request.inOne) }));
    two.register(fp(async (shared) => {
      shared.decorate("shared", true);
      shared.addHook("onRequest", async (request, reply) => {
        reply.header("x-shared", "yes");
      });
    }));
    two.register(async (below) => below.get("/below", async () => ({ sees: seen(below) })));
  });

  fastify.register(fp(async (wide) => {
    wide.decorate("wide", () => "everywhere");
    wide.get("/wide", async () => "from the plugin");
  }, { name: "wide" }), { prefix: "/ignored" });

  fastify.register(fp(async (kept) => {
    kept.decorate("kept", true);
  }, { name: "kept", encapsulate: true }));

  fastify.register(async (user) => {
    user.get("/plugins", async () => ({
      wide: user.hasPlugin("wide"),
      kept: user.hasPlugin("kept"),
      none: user.hasPlugin("none"),
      name: user.pluginName.split(" -> ").length,
    }));
  });

  const failures = {
    twice: attempt(() => fastify.decorate("root", 2)),
    requestTwice: attempt(() => fastify.decorateRequest("user", 2)),
    replyTwice: attempt(() => fastify.decorateReply("shout", 2)),
    builtInRequest: attempt(() => fastify.decorateRequest("body", 2)),
    reference: attempt(() => fastify.decorateRequest("list", [])),
    referenceReply: attempt(() => fastify.decorateReply("map", {})),
    missing: attempt(() => fastify.decorate("needs", 1, ["absent"])),
    notAnArray: attempt(() => fastify.decorate("needs2", 1, "absent")),
    getter: attempt(() => fastify.getDecorator("absent")),
    found: attempt(() => fastify.getDecorator("root")),
  };
  fastify.get("/failures", async () => failures);
  fastify.get("/late", async () => ({
    decorate: attempt(() => fastify.decorate("late", 1)),
    decorateRequest: attempt(() => fastify.decorateRequest("late", 1)),
    hook: attempt(() => fastify.addHook("onRequest", async () => {})),
    route: attempt(() => fastify.get("/very-late", async () => 1)),
    parser: attempt(() => fastify.addContentTypeParser("a/b", async () => 1)),
    handler: attempt(() => fastify.setErrorHandler(async () => 1)),
    notFound: attempt(() => fastify.setNotFoundHandler(async () => 1)),
    schema: attempt(() => fastify.setSchemaController({})),
    register: attempt(() => fastify.register(async () => {})),
  }));
  fastify.get("/has", async () => ({
    instance: [fastify.hasDecorator("root"), fastify.hasDecorator("one"), fastify.hasDecorator("wide")],
    request: [fastify.hasRequestDecorator("user"), fastify.hasRequestDecorator("inOne")],
    reply: [fastify.hasReplyDecorator("shout"), fastify.hasReplyDecorator("whisper")],
  }));
  fastify.get("/state", async (request) => {
    const before = request.user;
    request.user = request.query.name ?? null;
    return { before, after: request.user };
  });
  fastify.register(async (named) => {
    let count = 0;
    named.setGenReqId((raw) => `named-${raw.method}-${++count}`);
    named.get("/id/named", async (request) => ({ id: request.id, own: named.genReqId === fastify.genReqId }));
    named.register(async (inner) => {
      inner.get("/id/named/inner", async (request) => request.id);
      inner.setGenReqId(() => "inner");
      inner.get("/id/own", async (request) => request.id);
    });
  });
  fastify.get("/id/plain", async (request) => /^req-/.test(request.id));
  fastify.get("/this", async function (request, reply) {
    return { instance: this.root, same: this === fastify, server: request.server === fastify, reply: reply.server === fastify };
  });
}

function seen(instance) {
  const names = ["root", "one", "inner", "two", "shared", "wide", "kept"];
  return names.filter((name) => instance.hasDecorator(name) && instance[name] !== undefined);
}
