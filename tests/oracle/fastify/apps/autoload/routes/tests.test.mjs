export default async function (fastify, opts) {
  fastify.get("/test", async () => "routes/tests.test.mjs");
}
