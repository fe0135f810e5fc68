"use strict";

module.exports = async function (fastify, opts) {
  fastify.get("/", async () => "routes/cjs/index.cjs");
};
