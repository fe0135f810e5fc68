import multipart from "@fastify/multipart";

export default async function (fastify, opts) {
  fastify.register(multipart, { attachFieldsToBody: "keyValues" });
  fastify.post("/", async (request) => Object.fromEntries(Object.entries(request.body).map(([name, value]) => [name, Buffer.isBuffer(value) ? `bytes ${value}` : value])));
}
