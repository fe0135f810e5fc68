// The benchmark's sockets for Node with Fastify.
const fastify = require("fastify")();

fastify.register(require("@fastify/websocket"), { options: { perMessageDeflate: false } });
fastify.register(async (app) => {
  app.get("/echo", { websocket: true }, (socket) => {
    socket.on("message", (data) => socket.send(data, { binary: false }));
  });
});

fastify.listen({ host: "127.0.0.1", port: 0 }).then(() => {
  console.log(`listening on http://127.0.0.1:${fastify.server.address().port}`);
});
