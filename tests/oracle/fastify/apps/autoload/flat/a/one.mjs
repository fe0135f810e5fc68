export default async function (fastify, opts) {
  fastify.get("/one", async () => "flat/a/one.mjs");
}
