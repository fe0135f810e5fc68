// A tree whose Fastify and plugins are npm's, on liveline as well.

import { join } from "node:path";
import { createRequire } from "node:module";
import autoload from "@fastify/autoload";
import cors from "@fastify/cors";
import sensible from "@fastify/sensible";
import websocket from "@fastify/websocket";

export default async function (fastify, opts) {
  // The host's own Fastify has no such file.
  fastify.get("/package", async () => typeof createRequire(import.meta.url)("fastify/lib/reply.js"));
  await fastify.register(cors);
  await fastify.register(sensible);
  await fastify.register(websocket);
  fastify.get("/", async (request) => ({ query: request.query, hostname: typeof request.hostname }));
  fastify.get("/refused", { websocket: true, preValidation: async (request, reply) => reply.unauthorized() }, () => {});
  fastify.get("/socket", { websocket: true }, (socket, request) => {
    socket.send(`open ${request.query.name}`);
    socket.on("message", (data, isBinary) => {
      for (const client of fastify.websocketServer.clients) client.send(data, { binary: isBinary });
    });
  });
  fastify.register(autoload, { dir: join(import.meta.dirname, "routes") });
}
