import fp from "fastify-plugin";

export default fp(async (fastify, opts) => {}, { name: "b", dependencies: ["a"] });
