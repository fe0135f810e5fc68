export default async function (fastify, opts) {
  fastify.get("/index", async () => "index/index.mjs");
}
