import jwt from "@fastify/jwt";

export default async function (fastify, opts) {
  fastify.register(jwt, { secret: "supersecret", sign: { expiresIn: "1h" } });
  fastify.decorate("authenticate", async (request, reply) => {
    try {
      await request.jwtVerify();
    } catch (error) {
      reply.send(error);
    }
  });
  fastify.get("/token/:name", async (request, reply) => {
    const token = await reply.jwtSign({ name: request.params.name });
    return { parts: token.split(".").length, decoded: fastify.jwt.decode(token).name, token };
  });
  fastify.get("/me", { onRequest: (request, reply) => fastify.authenticate(request, reply) }, async (request) => ({ name: request.user.name }));
  fastify.get("/sync", async () => {
    const token = fastify.jwt.sign({ a: 1 }, { noTimestamp: true, expiresIn: undefined });
    return fastify.jwt.verify(token).a;
  });
}
