export default async function (fastify, opts) {
  fastify.get("/", async () => fastify.prefix);
}
export const autoPrefix = "/own";
