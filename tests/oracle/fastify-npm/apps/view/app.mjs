import { join } from "node:path";
import view from "@fastify/view";
import ejs from "ejs";

export default async function (fastify, opts) {
  fastify.register(view, {
    engine: { ejs },
    root: join(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "views"),
    defaultContext: { site: "Liveline" },
    propertyName: "render",
  });
  fastify.get("/", (request, reply) => reply.render("index.ejs", { name: request.query.name ?? "<nobody>" }));
  fastify.get("/text", async (request, reply) => {
    const html = await fastify.render("index.ejs", { name: "by hand" });
    reply.type("text/plain");
    return html.length > 0 ? html.trim() : "";
  });
  fastify.get("/absent", (request, reply) => reply.render("absent.ejs"));
}
