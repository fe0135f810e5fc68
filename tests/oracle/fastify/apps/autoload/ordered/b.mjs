import fp from "fastify-plugin";

export default fp(async (fastify, opts) => {
  fastify.decorate("fromB", "b");
  fastify.get("/order", async () => fastify.fromA);
}, { name: "b" });
