export default async function (fastify, opts) {
  fastify.get("/", async () => "index/sub/main.mjs");
}
