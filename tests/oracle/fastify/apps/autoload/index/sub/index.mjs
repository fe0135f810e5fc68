export default async function (fastify, opts) {
  fastify.get("/index-of-sub", async () => "index/sub/index.mjs");
}
