export default async function (fastify, opts) {
  fastify.get("/", async () => "hooks/other/index.mjs");
}
