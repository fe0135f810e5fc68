export default async function (fastify, opts) {
  fastify.get("/deeper", async () => "routes/users/deep/deeper/index.mjs");
}
