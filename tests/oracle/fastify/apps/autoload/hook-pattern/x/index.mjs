export default async function (fastify, opts) {
  fastify.get("/", async () => "hook-pattern/x/index.mjs");
}
