export default async function (fastify, opts) {
  fastify.get("/", async () => "params/users/__from-__to/index.mjs");
}
