export default async function (fastify, opts) {
  fastify.get("/fixed", async () => "params/_prefix/fixed/index.mjs");
}
