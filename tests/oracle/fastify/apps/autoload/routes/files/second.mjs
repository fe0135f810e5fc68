export default async function (fastify, opts) {
  fastify.get("/second", async () => "routes/files/second.mjs");
}
