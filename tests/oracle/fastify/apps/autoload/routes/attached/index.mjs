async function routes(fastify, opts) {
  fastify.get("/", async () => ({ prefix: fastify.prefix, options: opts }));
}
routes.autoPrefix = "/by-property";
routes.autoConfig = { by: "property" };
export default routes;
