module.exports.default = async function (fastify, opts) {
  fastify.get("/", async () => "default of CommonJS");
};
