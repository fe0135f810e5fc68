import formbody from "@fastify/formbody";

export default async function (fastify, opts) {
  fastify.register(formbody, { bodyLimit: 64 });
  fastify.post("/", async (request) => ({ ...request.body }));
  fastify.post("/schema", { schema: { body: { type: "object", properties: { n: { type: "integer" } }, required: ["n"] } } }, async (request) => request.body);
}
