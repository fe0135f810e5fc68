export default async function (fastify, opts) {
  fastify.get("/second", async () => ({ first: fastify.first ?? null }));
}
