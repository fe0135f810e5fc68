// @fastify/sensible: errors by name, and small helpers.

import sensible from "@fastify/sensible";

export default async function (fastify, opts) {
  await fastify.register(sensible, { sharedSchemaId: "HttpError" });

  fastify.get("/instance/:name", async (request) => {
    throw fastify.httpErrors[request.params.name]("by the instance");
  });
  fastify.get("/bare/:name", async (request) => {
    throw fastify.httpErrors[request.params.name]();
  });
  fastify.get("/reply/:name", (request, reply) => reply[request.params.name]("by the reply"));
  fastify.get("/bare-reply/:name", (request, reply) => reply[request.params.name]());
  fastify.get("/code/:code", async (request) => {
    throw fastify.httpErrors.getHttpError(Number(request.params.code), "by its code");
  });
  fastify.get("/reply-code/:code", (request, reply) => reply.getHttpError(request.params.code, "by its code"));
  fastify.get("/create", async () => {
    throw fastify.httpErrors.createError(422, "created", { extra: 1, headers: { "x-own": "1" } });
  });
  fastify.get("/names", async () => Object.keys(fastify.httpErrors).sort());

  fastify.get("/assert", async (request) => {
    fastify.assert(request.query.ok, 403, "not ok");
    fastify.assert.equal(1, Number(request.query.n ?? 1), 400, "not equal");
    fastify.assert.ok(true, 400);
    fastify.assert.deepEqual({ a: 1 }, { a: 1 }, 400);
    return "passed";
  });
  fastify.get("/to", async () => {
    const [error, value] = await fastify.to(Promise.resolve("value"));
    const [failure, nothing] = await fastify.to(Promise.reject(new Error("failure")));
    return { error, value, failure: failure.message, nothing: String(nothing) };
  });
  fastify.get("/vary", (request, reply) => {
    reply.vary("Accept");
    reply.vary(["Origin", "User-Agent"]);
    reply.vary("accept");
    reply.send("x");
  });
  fastify.get("/cache", (request, reply) => {
    reply.cacheControl("public").cacheControl("max-age", "1d").cacheControl("stale-while-revalidate", 60);
    reply.send("x");
  });
  fastify.get("/prevent", (request, reply) => reply.preventCache().send("x"));
  fastify.get("/revalidate", (request, reply) => reply.revalidate().send("x"));
  fastify.get("/static", (request, reply) => reply.staticCache(42).send("x"));
  fastify.get("/stale", (request, reply) => reply.stale("while-revalidate", 42).send("x"));
  fastify.get("/max-age", (request, reply) => reply.maxAge("2h").send("x"));
  fastify.get("/forwarded", async (request) => request.forwarded());
  fastify.post("/is", async (request) => [request.is("json"), request.is(["html", "json"]), request.is("text/*"), request.is("html")]);
  fastify.get("/schema", async () => fastify.getSchema("HttpError"));
  fastify.get("/with-schema", { schema: { response: { "4xx": { $ref: "HttpError#" } } } }, (request, reply) => reply.notFound("with a schema"));
}
