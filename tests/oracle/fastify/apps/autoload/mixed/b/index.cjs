"use strict";

module.exports = async function (fastify, opts) {
  fastify.get("/", async () => "mixed/b/index.cjs");
};
