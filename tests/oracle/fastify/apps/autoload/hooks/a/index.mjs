export default async function (fastify, opts) {
  fastify.get("/", async () => "hooks/a/index.mjs");
}
