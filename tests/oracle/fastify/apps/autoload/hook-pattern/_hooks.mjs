export default async function (fastify, opts) {
  fastify.addHook("onRequest", async (request, reply) => {
    reply.header("x-hooks", [...(reply.getHeader("x-hooks") ?? []), "pattern"]);
  });
}
