export default async function (fastify, opts) {
  fastify.get("/", async () => ({ prefix: fastify.prefix, options: opts }));
}
export const autoPrefix = "/instead";
export const autoConfig = { configured: true };
