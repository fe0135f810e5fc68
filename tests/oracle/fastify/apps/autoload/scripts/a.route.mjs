export default async function (fastify, opts) {
  fastify.get("/a", async () => "scripts/a.route.mjs");
}
