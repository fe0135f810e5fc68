module.exports = function (fastify, opts, done) {
  fastify.get("/", (request, reply) => void reply.send("callback of CommonJS"));
  done();
};
module.exports.autoConfig = { a: 1 };
