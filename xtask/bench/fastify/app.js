// The benchmark's plugin tree, the same for Fastify on Node and for liveline.
"use strict";

const item = { type: "object", properties: { id: { type: "integer" }, title: { type: "string" }, on: { type: "boolean" } } };
const schema = {
  response: {
    200: {
      type: "object",
      properties: { path: { type: "string" }, name: { type: "string" }, list: { type: "array", items: item } },
    },
  },
};

// About one kilobyte of JSON, made for each request. The schema leaves out one field.
const list = () => Array.from({ length: 24 }, (_, id) => ({ id, title: `Entry ${id} of a list`, on: true, secret: id }));

module.exports = async function (fastify, opts) {
  await fastify.register(require("@fastify/websocket"), { options: { perMessageDeflate: false } });

  fastify.get("/hello", async (request) => `0 ${request.url} ${request.headers["x-name"]}`);
  fastify.get("/json", { schema }, async (request) => ({ path: request.url, name: request.headers["x-name"], list: list() }));
  fastify.get("/echo", { websocket: true }, (socket) => {
    socket.on("message", (data) => socket.send(data, { binary: false }));
  });
  fastify.get("/room", { websocket: true }, (socket) => {
    socket.on("message", (data) => {
      const text = data.toString();
      for (const client of fastify.websocketServer.clients) {
        if (client.readyState === 1) client.send(text);
      }
    });
  });
};
