import underPressure from "@fastify/under-pressure";

export default async function (fastify, opts) {
  let healthy = true;
  await fastify.register(underPressure, {
    maxEventLoopDelay: 60000,
    healthCheck: async () => healthy,
    healthCheckInterval: 20,
    exposeStatusRoute: { routeOpts: { logLevel: "error" }, url: "/alive" },
    message: "under pressure",
    retryAfter: 50,
  });
  fastify.get("/", async () => ({ pressure: fastify.isUnderPressure(), memory: Object.keys(fastify.memoryUsage()).sort() }));
  fastify.post("/health/:state", { config: {}, onRequest: [] }, async (request) => {
    healthy = request.params.state === "good";
    return { healthy };
  });
}
