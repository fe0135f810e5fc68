export default async function (fastify, opts) {
  fastify.get("/spec", async () => "routes/spec.spec.mjs");
}
