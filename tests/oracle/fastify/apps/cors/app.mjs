// Cross-origin requests: each prefix has other options.

import cors from "@fastify/cors";

const variants = {
  default: {},
  none: undefined,
  star: { origin: "*" },
  text: { origin: "https://one.example" },
  list: { origin: ["https://one.example", /\.two\.example$/] },
  pattern: { origin: /example$/ },
  yes: { origin: true },
  no: { origin: false },
  function: { origin: (origin, next) => next(null, origin === "https://one.example") },
  promise: { origin: async (origin) => origin === "https://one.example" ? "https://answer.example" : false },
  fails: { origin: (origin, next) => next(new Error("not you"), false) },
  credentials: { origin: true, credentials: true },
  methods: { methods: ["GET", "PUT"], allowedHeaders: ["x-a", "x-b"], exposedHeaders: ["x-c", "x-d"], maxAge: 600 },
  texts: { methods: "GET,POST", allowedHeaders: "x-a, x-b", exposedHeaders: "x-c", maxAge: 0, cacheControl: 600 },
  cached: { cacheControl: "public, max-age=5" },
  status: { optionsSuccessStatus: 200 },
  continue: { preflightContinue: true },
  lax: { strictPreflight: false },
  "no-preflight": { preflight: false },
  hidden: { hideOptionsRoute: false },
  later: { hook: "preHandler" },
  delegator: {
    delegator: (request, done) => done(null, request.headers["x-open"] ? { origin: true } : { origin: false }),
  },
};

export default async function (fastify, opts) {
  for (const [prefix, options] of Object.entries(variants)) {
    fastify.register(async (instance) => {
      if (options === undefined) instance.register(cors);
      else instance.register(cors, options);
      instance.get("/", async () => prefix);
      instance.put("/", async () => prefix);
      if (prefix === "continue") instance.options("/", async (request, reply) => reply.header("x-continued", "yes").send("own"));
      if (prefix === "no-preflight") instance.options("/", async () => "own");
    }, { prefix: `/${prefix}` });
  }
  fastify.register(async (instance) => {
    instance.register(cors, () => (request, callback) => {
      callback(null, { origin: request.headers.origin?.startsWith("https") ?? false });
    });
    instance.get("/", async () => "x");
  }, { prefix: "/by-request" });
}
