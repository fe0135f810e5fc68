const fp = require("fastify-plugin");

module.exports = fp(async (fastify, opts) => {
  fastify.get("/from-fp", async () => fastify.prefix);
}, { name: "mixed-e" });
module.exports.autoPrefix = "/pre";
