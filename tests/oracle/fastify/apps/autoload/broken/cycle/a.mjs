import fp from "fastify-plugin";

export default fp(async (fastify, opts) => {}, { name: "a", dependencies: ["b"] });
