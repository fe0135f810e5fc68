export default async function (fastify, opts) {
  fastify.get("/", async () => "routes/users/deep/index.mjs");
}
