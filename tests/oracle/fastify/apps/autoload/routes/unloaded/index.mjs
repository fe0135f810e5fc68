export default async function (fastify, opts) {
  fastify.get("/", async () => "must not be there");
}
export const autoload = false;
