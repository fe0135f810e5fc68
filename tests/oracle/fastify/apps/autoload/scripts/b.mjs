export default async function (fastify, opts) {
  fastify.get("/b", async () => "scripts/b.mjs");
}
