export default async function (fastify, opts) {
  fastify.get("/", async () => "params/_id/posts/_post/index.mjs");
}
