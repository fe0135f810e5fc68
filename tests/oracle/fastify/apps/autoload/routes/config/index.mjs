export default async function (fastify, opts) {
  fastify.get("/", async () => ({ prefix: fastify.prefix, options: opts }));
}
export const options = { by: "options" };
export const autoConfig = (fastify) => ({ by: "function", sees: typeof fastify.get });
