import fp from "fastify-plugin";

export default fp(async (fastify, opts) => {
  fastify.decorate("fromA", `a after ${fastify.fromB}`);
}, { name: "a", dependencies: ["b"] });
