export default async function (fastify, opts) {
  fastify.get("/overridden", async () => fastify.prefix);
}
export const prefixOverride = "/over";
