export default async function (fastify, opts) {
  fastify.get("/main", async () => "index/main.mjs");
}
