export default async function (fastify, opts) {
  fastify.get("/", async () => "routes/versioned/v1/index.mjs");
}
