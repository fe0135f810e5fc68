export default async function (fastify, opts) {
  fastify.get("/three", async () => "flat/b/c/three.mjs");
}
