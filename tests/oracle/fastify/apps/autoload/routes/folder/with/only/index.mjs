export default async function (fastify, opts) {
  fastify.get("/end", async () => "routes/folder/with/only/index.mjs");
}
