import swagger from "@fastify/swagger";

export default async function (fastify, opts) {
  await fastify.register(swagger, { openapi: { info: { title: "Shop", version: "1.0.0" } } });
  fastify.addSchema({ $id: "product", type: "object", properties: { id: { type: "string" } } });
  fastify.get("/products/:id", {
    schema: {
      summary: "One product",
      tags: ["shop"],
      params: { type: "object", properties: { id: { type: "string" } } },
      querystring: { type: "object", properties: { page: { type: "integer" } } },
      response: { 200: { description: "found", $ref: "product#" } },
    },
  }, async (request) => ({ id: request.params.id, dropped: true }));
  fastify.post("/products", { schema: { body: { $ref: "product#" } } }, async (request) => request.body);
  fastify.get("/hidden", { schema: { hide: true } }, async () => "hidden");
  fastify.get("/openapi.json", { schema: { hide: true } }, async () => fastify.swagger());
  fastify.get("/openapi.yaml", { schema: { hide: true } }, async (request, reply) => reply.type("text/yaml").send(fastify.swagger({ yaml: true })));
}
