// What becomes of errors, and of paths that nobody serves.

const coded = (message, fields) => Object.assign(new Error(message), fields);

export default async function (fastify, opts) {
  fastify.get("/throw", () => {
    throw new Error("thrown");
  });
  fastify.get("/reject", async () => {
    throw new Error("rejected");
  });
  fastify.get("/status", async () => {
    throw coded("teapot", { statusCode: 418 });
  });
  fastify.get("/status-alias", async () => {
    throw coded("gone", { status: 410 });
  });
  fastify.get("/code", async () => {
    throw coded("with a code", { code: "MY_CODE", statusCode: 422, extra: 1 });
  });
  fastify.get("/status-of-reply", async (request, reply) => {
    reply.code(503);
    throw new Error("busy");
  });
  fastify.get("/low-status", async () => {
    throw coded("low", { statusCode: 200 });
  });
  fastify.get("/odd-status", async () => {
    throw coded("odd", { statusCode: 799 });
  });
  fastify.get("/headers", async () => {
    throw coded("with headers", { statusCode: 429, headers: { "retry-after": "7" } });
  });
  fastify.get("/string", async () => {
    throw "a string";
  });
  fastify.get("/object", async () => {
    throw { statusCode: 404, message: "an object" };
  });
  fastify.get("/null", async () => {
    throw null;
  });
  fastify.get("/undefined", async () => {
    throw undefined;
  });
  fastify.get("/send", (request, reply) => reply.send(coded("sent", { statusCode: 409 })));
  fastify.get("/return", async () => coded("returned", { statusCode: 402 }));
  fastify.get("/type-error", async () => undefined.property);
  fastify.get("/no-message", async () => {
    throw coded("", { statusCode: 400 });
  });
  fastify.get("/header-kept", async (request, reply) => {
    reply.header("x-kept", "yes").type("text/html").header("content-length", "3");
    throw new Error("typed");
  });
  fastify.get("/not-here", (request, reply) => reply.callNotFound());

  fastify.register(async (handled) => {
    handled.setErrorHandler((error, request, reply) => {
      reply.code(error.statusCode ?? 599).send({ handled: error.message, status: reply.statusCode });
    });
    handled.get("/throw", async () => {
      throw coded("one", { statusCode: 400 });
    });
    handled.get("/plain", async () => {
      throw new Error("plain");
    });
    handled.post("/body", async () => "never");
    handled.register(async (inner) => {
      inner.setErrorHandler(async (error) => {
        throw new Error(`inner passed on: ${error.message}`);
      });
      inner.get("/throw", async () => {
        throw new Error("two");
      });
      inner.register(async (deepest) => {
        deepest.setErrorHandler((error, request, reply) => {
          reply.send(coded(`deepest: ${error.message}`, { statusCode: 451 }));
        });
        deepest.get("/deepest", async () => {
          throw new Error("three");
        });
      });
    }, { prefix: "/inner" });
    handled.get("/route", {
      errorHandler: (error, request, reply) => void reply.code(400).send(`route: ${error.message}`),
    }, async () => {
      throw new Error("own");
    });
  }, { prefix: "/handled" });

  fastify.register(async (returning) => {
    returning.setErrorHandler(async (error, request, reply) => {
      reply.code(444);
      return { returned: error.message };
    });
    returning.get("/", async () => {
      throw new Error("x");
    });
    returning.get("/hook", {
      preHandler: (request, reply, done) => done(new Error("hook")),
    }, async () => 1);
    returning.get("/serialize", {
      schema: { response: { 200: { type: "object", properties: { a: { type: "integer" } }, required: ["a"] } } },
    }, async () => ({}));
  }, { prefix: "/returning" });

  fastify.register(async (empty) => {
    empty.setErrorHandler(async () => undefined);
    empty.get("/", async () => {
      throw new Error("swallowed");
    });
  }, { prefix: "/empty-handler" });

  fastify.register(async (lost) => {
    lost.addHook("preHandler", async (request, reply) => void reply.header("x-hook", "ran"));
    lost.setNotFoundHandler((request, reply) => {
      reply.code(404).send({ lost: request.url, is404: request.is404 });
    });
    lost.get("/found", async () => "found");
    lost.get("/call", (request, reply) => reply.callNotFound());
    lost.register(async (deeper) => {
      deeper.setNotFoundHandler({
        preHandler: (request, reply, done) => {
          reply.header("x-own", "yes");
          done();
        },
      }, async (request, reply) => {
        reply.code(410);
        return "deeper";
      });
      deeper.get("/call", (request, reply) => reply.callNotFound());
    }, { prefix: "/deeper" });
  }, { prefix: "/lost" });

  const refused = {};
  const attempt = (name, run) => {
    try {
      run();
      refused[name] = "ok";
    } catch (error) {
      refused[name] = { code: error.code, message: error.message };
    }
  };
  fastify.register(async (twice) => {
    twice.setNotFoundHandler(() => {});
    attempt("not found twice", () => twice.setNotFoundHandler(() => {}));
  }, { prefix: "/twice" });
  attempt("error handler", () => fastify.setErrorHandler("text"));
  fastify.get("/refused", async () => refused);

  fastify.get("/undefined-answer", async () => undefined);
  fastify.get("/sent-then-throws", (request, reply) => {
    reply.send("sent");
    throw new Error("too late");
  });
  fastify.get("/sent-then-rejects", async (request, reply) => {
    reply.send("sent");
    throw new Error("too late");
  });
}
