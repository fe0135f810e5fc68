// Bodies: types of content, their parsers, and limits.

export default async function (fastify, opts) {
  const echo = async (request) => ({ type: typeof request.body, body: request.body === undefined ? "(undefined)" : request.body });

  fastify.route({ method: ["POST", "PUT", "PATCH", "DELETE"], url: "/echo", handler: echo });
  fastify.get("/echo", echo);
  fastify.post("/small", { bodyLimit: 8 }, echo);

  fastify.register(async (own) => {
    own.addContentTypeParser("text/csv", { parseAs: "string" }, (request, body, done) => {
      done(null, body.split("\n").map((line) => line.split(",")));
    });
    own.addContentTypeParser("application/octet-stream", { parseAs: "buffer" }, async (request, body) => ({
      buffer: Buffer.isBuffer(body),
      length: body.length,
    }));
    own.addContentTypeParser("application/x-stream", (request, payload, done) => {
      let length = 0;
      payload.on("data", (piece) => length += piece.length);
      payload.on("end", () => done(null, { length }));
    });
    own.addContentTypeParser(["a/one", "a/two"], { parseAs: "string" }, async (request, body) => ({ either: body }));
    own.addContentTypeParser(/^image\/.+$/, { parseAs: "buffer" }, async (request, body) => ({ image: body.length }));
    own.addContentTypeParser("application/vnd.api+json", { parseAs: "string" }, own.getDefaultJsonParser("error", "ignore"));
    own.addContentTypeParser("a/fails", { parseAs: "string" }, async () => {
      throw Object.assign(new Error("not parsed"), { statusCode: 406 });
    });
    own.addContentTypeParser("a/limited", { parseAs: "string", bodyLimit: 4 }, async (request, body) => body);
    own.post("/", echo);
    own.get("/has", async () => ({
      csv: own.hasContentTypeParser("text/csv"),
      json: own.hasContentTypeParser("application/json"),
      xml: own.hasContentTypeParser("application/xml"),
      image: own.hasContentTypeParser(/^image\/.+$/),
    }));
    own.register(async (child) => child.post("/child", echo));
  }, { prefix: "/own" });

  fastify.register(async (any) => {
    any.addContentTypeParser("*", { parseAs: "string" }, async (request, body) => ({ any: body, type: request.headers["content-type"] }));
    any.post("/", echo);
  }, { prefix: "/any" });

  fastify.register(async (none) => {
    none.removeAllContentTypeParsers();
    none.post("/", echo);
  }, { prefix: "/none" });

  fastify.register(async (less) => {
    less.removeContentTypeParser(["application/json"]);
    less.post("/", echo);
    less.register(async (again) => {
      again.addContentTypeParser("application/json", { parseAs: "string" }, async (request, body) => ({ own: body }));
      again.post("/again", echo);
    });
  }, { prefix: "/less" });

  fastify.register(async (poison) => {
    poison.removeContentTypeParser("application/json");
    poison.addContentTypeParser("application/json", { parseAs: "string" }, poison.getDefaultJsonParser("remove", "remove"));
    poison.post("/", echo);
  }, { prefix: "/poison" });

  fastify.register(async (raw) => {
    raw.removeAllContentTypeParsers();
    raw.addContentTypeParser("*", (request, payload, done) => done(null, payload));
    raw.post("/", async (request, reply) => reply.type("text/plain").send(request.body));
  }, { prefix: "/raw" });

  const refused = {};
  const attempt = (name, run) => {
    try {
      run();
      refused[name] = "ok";
    } catch (error) {
      refused[name] = { code: error.code, message: error.message };
    }
  };
  fastify.register(async (bad) => {
    bad.addContentTypeParser("b/b", async () => 1);
    attempt("twice", () => bad.addContentTypeParser("b/b", async () => 1));
    attempt("json again", () => bad.addContentTypeParser("application/json", async () => 1));
    attempt("empty", () => bad.addContentTypeParser("", async () => 1));
    attempt("number", () => bad.addContentTypeParser(7, async () => 1));
    attempt("parse as", () => bad.addContentTypeParser("d/d", { parseAs: "object" }, async () => 1));
    attempt("not a type", () => bad.addContentTypeParser("nonsense", async () => 1));
    attempt("limit", () => bad.get("/limit", { bodyLimit: -1 }, async () => 1));
    attempt("limit text", () => bad.get("/limit", { bodyLimit: "1" }, async () => 1));
  });
  fastify.get("/refused", async () => refused);
}
