export default async function (fastify, opts) {
  fastify.get("/", async () => "prefixed/x/index.mjs");
}
