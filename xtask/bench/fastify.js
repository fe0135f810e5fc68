// The benchmark's plugin tree for Node with Fastify.
const fastify = require("fastify")();

fastify.register(require("./fastify/app.js"));

fastify.listen({ host: "127.0.0.1", port: 0 }).then(() => {
  console.log(`listening on http://127.0.0.1:${fastify.server.address().port}`);
});
