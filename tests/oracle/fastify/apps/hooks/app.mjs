// The hooks of a request, in their order, with promises and callbacks, and what they may do.

import { Readable } from "node:stream";

const logs = new Map();
const note = (request, name) => {
  const key = request.headers["x-log"];
  if (key === undefined) return;
  if (!logs.has(key)) logs.set(key, []);
  logs.get(key).push(name);
};
const soon = () => new Promise((resolve) => setImmediate(resolve));

export default async function (fastify, opts) {
  fastify.get("/log/:key", async (request) => logs.get(request.params.key) ?? []);

  fastify.register(async (all) => {
    for (const name of ["onRequest", "preValidation", "preHandler"]) {
      all.addHook(name, async (request) => {
        note(request, `${name} 1 (async) ${request.body === undefined ? "no body" : JSON.stringify(request.body)}`);
        await soon();
      });
      all.addHook(name, (request, reply, done) => {
        note(request, `${name} 2 (callback)`);
        setImmediate(done);
      });
    }
    all.addHook("preParsing", async (request, reply, payload) => {
      note(request, `preParsing 1 ${typeof payload.pipe}`);
    });
    all.addHook("preParsing", (request, reply, payload, done) => {
      note(request, "preParsing 2");
      done(null, payload);
    });
    all.addHook("preSerialization", async (request, reply, payload) => {
      note(request, `preSerialization 1 ${JSON.stringify(payload)}`);
      return { ...payload, one: 1 };
    });
    all.addHook("preSerialization", (request, reply, payload, done) => {
      note(request, `preSerialization 2 ${JSON.stringify(payload)}`);
      done(null, { ...payload, two: 2 });
    });
    all.addHook("onSend", async (request, reply, payload) => {
      note(request, `onSend 1 ${typeof payload === "string" ? payload : typeof payload}`);
    });
    all.addHook("onSend", (request, reply, payload, done) => {
      note(request, `onSend 2 ${reply.getHeader("content-type")}`);
      done(null, typeof payload === "string" ? `${payload} ` : payload);
    });
    all.addHook("onError", async (request, reply, error) => note(request, `onError ${error.message}`));
    all.addHook("onResponse", (request, reply, done) => {
      note(request, `onResponse 1 ${reply.statusCode} ${reply.sent}`);
      done();
    });
    all.addHook("onResponse", async (request, reply) => note(request, `onResponse 2 ${reply.elapsedTime > 0}`));

    all.post("/echo", async (request) => {
      note(request, "handler");
      return { body: request.body };
    });
    all.get("/plain", async (request) => {
      note(request, "handler");
      return "text";
    });
    all.get("/fails", async (request) => {
      note(request, "handler");
      throw new Error("on purpose");
    });
    all.get("/null", async () => null);
    all.get("/stream", (request, reply) => reply.send(Readable.from(["a", "b"])));

    all.register(async (child) => {
      child.addHook("onRequest", async (request) => note(request, "onRequest of the child"));
      child.get("/child", {
        onRequest: async (request) => note(request, "onRequest of the route"),
        preHandler: [
          async (request) => note(request, "preHandler of the route 1"),
          (request, reply, done) => {
            note(request, "preHandler of the route 2");
            done();
          },
        ],
        onSend: async (request, reply, payload) => note(request, "onSend of the route"),
        onResponse: async (request) => note(request, "onResponse of the route"),
      }, async (request) => {
        note(request, "handler");
        return {};
      });
    });
  }, { prefix: "/all" });

  fastify.register(async (early) => {
    for (const name of ["onRequest", "preParsing", "preValidation", "preHandler"]) {
      early.post(`/async/${name}`, { [name]: async (request, reply) => reply.code(201).send({ by: name }) }, fail);
      early.post(`/returns/${name}`, {
        [name]: async (request, reply) => {
          reply.code(202).send(`by ${name}`);
          return reply;
        },
      }, fail);
      early.post(`/callback/${name}`, { [name]: (request, reply) => void reply.code(203).send({ by: name }) }, fail);
      early.post(`/throws/${name}`, {
        [name]: async () => {
          throw Object.assign(new Error(`thrown by ${name}`), { statusCode: 418 });
        },
      }, fail);
      early.post(`/errs/${name}`, {
        [name]: (request, reply, ...rest) => rest.at(-1)(new Error(`passed by ${name}`)),
      }, fail);
    }
    early.get("/second", {
      preHandler: [async (request, reply) => void (await reply.send("first hook")), async () => {
        throw new Error("the second hook is not run");
      }],
    }, fail);
  }, { prefix: "/early" });

  fastify.register(async (change) => {
    change.post("/parsing", {
      preParsing: async (request, reply, payload) => {
        let text = "";
        for await (const piece of payload) text += piece;
        const next = Readable.from([text.toUpperCase()]);
        next.receivedEncodedLength = text.length;
        return next;
      },
    }, async (request) => request.body);
    change.get("/serialization", { preSerialization: async (request, reply, payload) => ({ wrapped: payload }) }, async () => ({ a: 1 }));
    change.get("/string", { preSerialization: async () => ({ never: true }) }, async () => "a string has no serialization");
    change.get("/send", { onSend: async (request, reply, payload) => payload.replace("before", "after") }, async () => ({ word: "before" }));
    change.get("/send-null", { onSend: async () => null }, async (request, reply) => {
      reply.code(304);
      return "dropped";
    });
    change.get("/send-buffer", { onSend: async (request, reply, payload) => Buffer.from(payload) }, async () => ({ a: 1 }));
    change.get("/send-object", { onSend: async () => ({ not: "a string" }) }, async () => "x");
    change.get("/send-throws", {
      onSend: async () => {
        throw new Error("in onSend");
      },
    }, async () => "x");
    change.get("/serialization-throws", {
      preSerialization: async () => {
        throw Object.assign(new Error("in preSerialization"), { statusCode: 409 });
      },
    }, async () => ({}));
    change.get("/header-late", {
      onSend: async (request, reply) => {
        reply.header("x-late", "yes").code(207);
      },
    }, async () => "x");
    change.get("/both", {
      preHandler: async (request) => {
        request.from = "hook";
      },
    }, async (request) => ({ from: request.from }));
  }, { prefix: "/change" });

  fastify.addHook("onRoute", (route) => {
    if (route.url === "/changed-by-onroute") {
      route.preHandler = async (request, reply) => void reply.header("x-by", "onRoute");
      route.config = { ...route.config, seen: route.method };
    }
  });
  fastify.get("/changed-by-onroute", { exposeHeadRoute: false }, async (request) => request.routeOptions.config);
}

async function fail() {
  throw new Error("the handler must not run");
}
