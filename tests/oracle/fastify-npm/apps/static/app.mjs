import { join } from "node:path";
import files from "@fastify/static";

const at = (...parts) => join(import.meta.dirname ?? new URL(".", import.meta.url).pathname, ...parts);

export default async function (fastify, opts) {
  fastify.register(files, { root: at("public"), prefix: "/public/", lastModified: false, etag: false });
  fastify.register(files, { root: at("public"), prefix: "/listed/", decorateReply: false, list: true, index: false, lastModified: false, etag: false });
  fastify.get("/sent", (request, reply) => reply.sendFile("text.txt"));
  fastify.get("/downloaded", (request, reply) => reply.download("text.txt", "other.txt"));
  fastify.get("/absent", (request, reply) => reply.sendFile("absent.txt"));
}
