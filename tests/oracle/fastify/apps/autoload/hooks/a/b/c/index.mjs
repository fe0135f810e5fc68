export default async function (fastify, opts) {
  fastify.get("/", async () => "hooks/a/b/c/index.mjs");
}
