export default async function (fastify, opts) {
  fastify.decorate("first", "yes");
}
