export default async function (fastify, opts) {
  fastify.get("/first", async () => "routes/files/first.mjs");
}
