// Options of the server of sockets, and the default handling of errors.

import websocket from "@fastify/websocket";

export default async function (fastify, opts) {
  await fastify.register(websocket, {
    options: {
      verifyClient: (info, next) => {
        if (info.req.headers["x-refuse"]) return next(false, 402, "pay first", { "x-why": "money" });
        next(info.req.headers["x-deny"] === undefined);
      },
      handleProtocols: (protocols) => ["two", "one"].find((name) => protocols.has(name)) ?? false,
    },
  });
  fastify.get("/echo", { websocket: true }, (socket) => {
    socket.on("message", (data) => socket.send(`${socket.protocol}: ${data}`));
  });
  fastify.get("/throws", { websocket: true }, async () => {
    throw new Error("default");
  });
  fastify.get("/no-listener", { websocket: true }, (socket) => socket.send("ready"));
  fastify.get("/alive", async () => "alive");
}
