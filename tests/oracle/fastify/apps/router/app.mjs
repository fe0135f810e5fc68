// Which route answers: methods, paths, parameters, constraints, prefixes.

export default async function (fastify, opts) {
  const seen = async (request) => ({ method: request.method, route: request.routeOptions.url, params: request.params, query: request.query });

  for (const method of ["get", "post", "put", "delete", "options", "patch"]) fastify[method]("/verbs", seen);
  fastify.head("/only-head", (request, reply) => reply.header("x-head", "yes").send());
  fastify.all("/all", seen);
  fastify.trace("/traced", seen);
  fastify.route({ method: ["GET", "POST"], url: "/several", handler: seen });
  fastify.route({ method: "GET", path: "/by-path", handler: seen });
  fastify.route({ method: "post", url: "/lower", handler: seen });
  fastify.get("/no-head", { exposeHeadRoute: false }, seen);
  fastify.get("/in-options", { handler: seen });
  fastify.get("/config", { config: { a: 1 } }, async (request) => ({ config: request.routeOptions.config, limit: request.routeOptions.bodyLimit, method: request.routeOptions.method, exposed: request.routeOptions.exposeHeadRoute }));
  fastify.addHttpMethod("PROPFIND").propfind("/found", seen);
  fastify.addHttpMethod("MKCALENDAR", { hasBody: true }).route({ method: "MKCALENDAR", url: "/found", handler: async (request) => ({ body: request.body }) });

  fastify.get("/users/:id", seen);
  fastify.get("/users/me", seen);
  fastify.get("/users/:id/posts/:post", seen);
  fastify.get("/files/*", seen);
  fastify.get("/files/fixed", seen);
  fastify.get("/range/:from-:to", seen);
  fastify.get("/at/:hour(^\\d{2})h:minute(^\\d{2})m", seen);
  fastify.get("/digits/:id(^\\d+$)", seen);
  fastify.get("/maybe/:id?", seen);
  fastify.get("/file/:name.png", seen);
  fastify.get("/colon/::not-a-parameter", seen);
  fastify.get("/Case/Sensitive", seen);
  fastify.get("/slash/", seen);
  fastify.get("/no-slash", seen);
  fastify.get("/stra\u00dfe", seen);
  fastify.get("/with space", seen);

  fastify.register(async (v1) => {
    v1.get("/", seen);
    v1.get("/sub", seen);
    v1.register(async (inner) => {
      inner.get("/", seen);
      inner.get("/:name", seen);
    }, { prefix: "/inner/:room" });
  }, { prefix: "/v1" });
  fastify.register(async (both) => both.get("/", { prefixTrailingSlash: "both" }, seen), { prefix: "/both" });
  fastify.register(async (slash) => slash.get("/", { prefixTrailingSlash: "slash" }, seen), { prefix: "/slashed" });
  fastify.register(async (bare) => bare.get("/", { prefixTrailingSlash: "no-slash" }, seen), { prefix: "/bare" });
  fastify.register(async (trailing) => {
    trailing.get("/x", seen);
    trailing.get("/", seen);
  }, { prefix: "/trailing/" });

  fastify.get("/hosted", { constraints: { host: "one.example" } }, async () => "one");
  fastify.get("/hosted", { constraints: { host: /.*\.two\.example/ } }, async () => "two");
  fastify.get("/hosted", async () => "any");
  fastify.get("/versioned", { constraints: { version: "1.2.0" } }, async () => "1.2.0");
  fastify.get("/versioned", { constraints: { version: "2.0.0" } }, async () => "2.0.0");

  const refused = {};
  const attempt = (name, run) => {
    try {
      run();
      refused[name] = "ok";
    } catch (error) {
      refused[name] = { code: error.code, message: error.message };
    }
  };
  attempt("twice", () => fastify.get("/users/me", seen));
  attempt("no handler", () => fastify.get("/nothing"));
  attempt("handler is text", () => fastify.get("/nothing", "text"));
  attempt("handler in both", () => fastify.get("/nothing", { handler: seen }, seen));
  attempt("options are text", () => fastify.get("/nothing", "text", seen));
  attempt("no options", () => fastify.route());
  attempt("method", () => fastify.route({ method: "NONSENSE", url: "/", handler: seen }));
  attempt("method is a number", () => fastify.route({ method: 7, url: "/", handler: seen }));
  attempt("no method", () => fastify.route({ url: "/", handler: seen }));
  attempt("empty methods", () => fastify.route({ method: [], url: "/", handler: seen }));
  attempt("no path", () => fastify.route({ method: "GET", handler: seen }));
  attempt("relative path", () => fastify.get("relative", seen));
  attempt("path is a number", () => fastify.get(7, seen));
  attempt("unclosed", () => fastify.get("/x/:id(\\d", seen));
  attempt("known method", () => fastify.addHttpMethod("GET"));
  attempt("unknown method", () => fastify.addHttpMethod("WHATEVER"));
  fastify.get("/refused", async () => refused);
  fastify.get("/has", async () => ({
    users: fastify.hasRoute({ method: "GET", url: "/users/:id" }),
    other: fastify.hasRoute({ method: "GET", url: "/users/:other" }),
    post: fastify.hasRoute({ method: "POST", url: "/users/:id" }),
    found: fastify.findRoute({ method: "GET", url: "/users/:id" }) !== null,
    methods: fastify.supportedMethods.length,
  }));
}
