export default async function (fastify, opts) {
  fastify.get("/unprefixed", async () => fastify.prefix);
}
export const prefixOverride = "";
