export default async function (fastify, opts) {
  fastify.get("/two", async () => "flat/b/two.mjs");
}
