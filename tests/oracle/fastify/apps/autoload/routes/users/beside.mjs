export default async function (fastify, opts) {
  fastify.get("/beside", async () => "routes/users/beside.mjs");
}
