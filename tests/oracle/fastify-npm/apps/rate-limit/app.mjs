import rateLimit from "@fastify/rate-limit";

export default async function (fastify, opts) {
  await fastify.register(rateLimit, { max: 2, timeWindow: 600000, keyGenerator: (request) => request.headers["x-key"] ?? "anyone" });
  fastify.get("/", async () => "within the limit");
  fastify.get("/more", { config: { rateLimit: { max: 3, errorResponseBuilder: (request, context) => ({ statusCode: context.statusCode, own: true, max: context.max }) } } }, async () => "more");
  fastify.get("/free", { config: { rateLimit: false } }, async () => "free");
  fastify.setNotFoundHandler({ preHandler: fastify.rateLimit() }, (request, reply) => reply.code(404).send("nothing"));
}
