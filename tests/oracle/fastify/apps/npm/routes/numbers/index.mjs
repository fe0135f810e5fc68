const number = { type: "object", required: ["n"], properties: { n: { type: "integer" } } };

export default async function (fastify, opts) {
  fastify.post("/", { schema: { body: number, response: { 200: number } } }, async (request) => ({ ...request.body, more: 1 }));
  fastify.get("/fails", async () => {
    throw fastify.httpErrors.conflict("no numbers");
  });
}
