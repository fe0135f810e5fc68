export default async function (fastify, opts) {
  fastify.get("/", async () => "routes/versioned/v2/index.mjs");
}
