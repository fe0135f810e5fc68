export default async function (fastify, opts) {
  fastify.get("/file", async () => "params/_file.mjs");
}
