import fp from "fastify-plugin";

export default fp(async (fastify, opts) => {
  fastify.decorate("marked", "by plugins/marked.mjs");
});
