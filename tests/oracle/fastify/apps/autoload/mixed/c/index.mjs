export default async function (fastify, opts) {
  fastify.get("/", async () => "mixed/c/index.mjs");
}
