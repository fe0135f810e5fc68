export default function (fastify, opts, done) {
  fastify.get("/", async () => "callback");
  done();
}
