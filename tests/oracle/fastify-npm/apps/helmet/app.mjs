import helmet from "@fastify/helmet";

export default async function (fastify, opts) {
  await fastify.register(helmet, { global: true, contentSecurityPolicy: { directives: { scriptSrc: ["'self'", "example.com"] } } });
  fastify.get("/", async () => ({ safe: true }));
  fastify.get("/without", { helmet: false }, async () => ({ safe: false }));
  fastify.get("/other", { helmet: { frameguard: { action: "deny" }, contentSecurityPolicy: false } }, async () => ({ other: true }));
  fastify.get("/fails", async () => {
    throw new Error("with headers");
  });
}
