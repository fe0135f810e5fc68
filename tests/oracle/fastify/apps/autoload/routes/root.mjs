export default async function (fastify, opts) {
  fastify.get("/", async () => ({ file: "routes/root.mjs", prefix: fastify.prefix, marked: fastify.marked, given: opts.given, own: opts.prefix ?? null }));
}
