// Schemas: what they refuse, and what they leave out of answers.

export default async function (fastify, opts) {
  fastify.addSchema({
    $id: "person",
    type: "object",
    required: ["name"],
    properties: { name: { type: "string", minLength: 2 }, age: { type: "integer", minimum: 0 } },
  });
  fastify.addSchema({ $id: "common", definitions: { id: { type: "integer" }, tag: { type: "string", enum: ["a", "b"] } } });

  const seen = async (request) => ({ body: request.body, query: request.query, params: request.params });

  fastify.post("/person", { schema: { body: { $ref: "person#" } } }, seen);
  fastify.post("/body", {
    schema: {
      body: {
        type: "object",
        required: ["a", "b"],
        additionalProperties: false,
        properties: {
          a: { type: "integer" },
          b: { type: "boolean" },
          c: { type: "array", items: { type: "number" }, maxItems: 2 },
          d: { type: "string", default: "of the schema" },
          e: { type: "string", format: "email" },
          f: { type: ["string", "null"], pattern: "^x" },
          g: { type: "object", properties: { h: { type: "integer", multipleOf: 2 } } },
          i: { $ref: "common#/definitions/tag" },
        },
      },
    },
  }, seen);
  fastify.get("/query", {
    schema: {
      querystring: {
        type: "object",
        required: ["page"],
        properties: { page: { type: "integer", minimum: 1 }, all: { type: "boolean" }, tags: { type: "array", items: { type: "string" } }, size: { type: "integer", default: 20 } },
      },
    },
  }, seen);
  fastify.get("/short", { schema: { query: { type: "object", properties: { n: { type: "number" } } } } }, seen);
  fastify.get("/items/:id", { schema: { params: { type: "object", properties: { id: { type: "integer" } } } } }, seen);
  fastify.get("/headers", {
    schema: { headers: { type: "object", required: ["x-count"], properties: { "x-count": { type: "integer" } } } },
  }, async (request) => ({ count: request.headers["x-count"] }));
  fastify.post("/attached", {
    attachValidation: true,
    schema: { body: { type: "object", required: ["a"], properties: { a: { type: "integer" } } } },
  }, async (request) => {
    const error = request.validationError;
    return error === undefined ? { ok: true } : {
      message: error.message,
      context: error.validationContext,
      validation: error.validation,
      statusCode: error.statusCode,
      code: error.code,
    };
  });
  fastify.post("/types", {
    schema: {
      body: {
        content: {
          "application/json": { schema: { type: "object", required: ["json"] } },
          "text/plain": { schema: { type: "string", minLength: 3 } },
        },
      },
    },
  }, seen);
  fastify.post("/formatted", {
    schemaErrorFormatter: (errors, scope) => new Error(`${scope}: ${errors.map(({ keyword }) => keyword).join()}`),
    schema: { body: { type: "object", required: ["a"] } },
  }, seen);
  fastify.post("/one-of", {
    schema: { body: { oneOf: [{ type: "object", required: ["a"], properties: { a: { type: "integer" } } }, { type: "object", required: ["b"] }] } },
  }, seen);
  fastify.post("/if", {
    schema: {
      body: {
        type: "object",
        properties: { kind: { const: "x" } },
        if: { properties: { kind: { const: "x" } }, required: ["kind"] },
        then: { required: ["x"] },
        else: { required: ["other"] },
      },
    },
  }, seen);
  fastify.post("/formats", {
    schema: {
      body: {
        type: "object",
        properties: {
          date: { type: "string", format: "date" },
          moment: { type: "string", format: "date-time" },
          uri: { type: "string", format: "uri" },
          uuid: { type: "string", format: "uuid" },
          ipv4: { type: "string", format: "ipv4" },
          time: { type: "string", format: "time" },
        },
      },
    },
  }, seen);

  fastify.register(async (handled) => {
    handled.setErrorHandler((error, request, reply) => {
      reply.code(422).send({ code: error.code, context: error.validationContext, errors: error.validation });
    });
    handled.post("/", { schema: { body: { $ref: "person#" } } }, seen);
  }, { prefix: "/handled" });

  fastify.register(async (own) => {
    own.setValidatorCompiler(({ schema, httpPart, method, url }) => (data) => {
      if (data?.fail) return { error: new Error(`${method} ${url} ${httpPart} ${schema.rule}`) };
      return { value: { ...data, compiled: true } };
    });
    own.post("/", { schema: { body: { rule: "mine" } } }, seen);
    own.post("/route", {
      validatorCompiler: () => (data) => data?.fail ? false : true,
      schema: { body: { rule: "of the route" } },
    }, seen);
  }, { prefix: "/own" });

  fastify.register(async (answers) => {
    const get = (path, response, value, status = 200) => answers.get(path, { schema: { response } }, (request, reply) => {
      reply.code(status).send(value);
    });
    const person = { type: "object", properties: { name: { type: "string" }, age: { type: "integer" } } };
    get("/drops", { 200: person }, { name: "ada", age: 36, password: "secret" });
    get("/coerces", { 200: person }, { name: 7, age: "36" });
    get("/nested", { 200: { type: "object", properties: { list: { type: "array", items: person } } } }, { list: [{ name: "a", x: 1 }, {}] });
    get("/class", { "2xx": person }, { name: "b", extra: 1 }, 201);
    get("/other-status", { 200: person }, { name: "c", extra: 1 }, 202);
    get("/default", { 200: person, default: { type: "object", properties: { only: { type: "string" } } } }, { only: "d", extra: 1 }, 404);
    get("/ref", { 200: { $ref: "person#" } }, { name: "eve", age: 1, extra: 1 });
    get("/required", { 200: { ...person, required: ["name", "age"] } }, { name: "f" });
    get("/date", { 200: { type: "object", properties: { at: { type: "string", format: "date-time" }, day: { type: "string", format: "date" } } } }, { at: new Date(0), day: new Date(0) });
    get("/nullable", { 200: { type: "object", properties: { a: { type: ["string", "null"] }, b: { type: "string", nullable: true } } } }, { a: null, b: null });
    get("/defaults", { 200: { type: "object", properties: { a: { type: "string", default: "filled" } } } }, {});
    get("/additional", { 200: { type: "object", properties: {}, additionalProperties: { type: "integer" } } }, { a: "1", b: 2.7 });
    get("/patterns", { 200: { type: "object", patternProperties: { "^x": { type: "string" } } } }, { xa: 1, y: 2 });
    get("/any-of", { 200: { type: "object", properties: { a: { anyOf: [{ type: "string" }, { type: "integer" }] } } } }, { a: 5 });
    get("/string", { 200: { type: "string" } }, "as it is");
    get("/number", { 200: { type: "number" } }, 3.5);
    get("/array", { 200: { type: "array", items: { type: "integer" } } }, [1.2, "3", true]);
    get("/unicode", { 200: person }, { name: "\u{1f600}\"\\\n\u2028" });
    get("/big", { 200: { type: "object", properties: { n: { type: "integer" } } } }, { n: 12345678901234567890n });
    get("/content", { 200: { content: { "application/json": { schema: person }, "application/vnd.v1+json": { schema: { type: "object", properties: { v: { type: "integer" } } } } } } }, { name: "g", v: 1 });
    answers.get("/no-schema", async () => ({ a: undefined, b: new Date(0), c: NaN, d: () => 1, e: new Map([[1, 2]]), f: { toJSON: () => "json" } }));
    answers.get("/circular", async () => {
      const value = {};
      value.self = value;
      return value;
    });
    answers.get("/bigint", async () => ({ n: 1n }));
    answers.get("/serialize", { schema: { response: { 200: person, "4xx": { type: "object", properties: { m: { type: "string" } } } } } }, async (request, reply) => ({
      name: [
        reply.serialize({ name: "x", drop: 1 }),
        reply.serializeInput({ name: "y", drop: 1 }, 200),
        reply.serializeInput({ m: "z", drop: 1 }, "4xx"),
        reply.serializeInput({ q: "w", drop: 1 }, { type: "object", properties: { q: { type: "string" } } }),
        request.validateInput({ a: 1 }, { type: "object", required: ["b"] }),
      ].join(" "),
    }));
  }, { prefix: "/answers" });

  fastify.register(async (custom) => {
    custom.setSerializerCompiler(({ httpStatus, url }) => (data) => `{"by":"compiler","status":"${httpStatus}","url":"${url}","n":${data.n}}`);
    custom.get("/compiler", { schema: { response: { 200: { any: "thing" } } } }, async () => ({ n: 1 }));
    custom.get("/route", { serializerCompiler: () => () => '"route"', schema: { response: { 200: {} } } }, async () => ({ n: 1 }));
  }, { prefix: "/custom" });
  fastify.register(async (custom) => {
    custom.setReplySerializer((payload, statusCode) => `[${statusCode}] ${JSON.stringify(payload)}`);
    custom.get("/reply", async () => ({ n: 1 }));
    custom.get("/own", (request, reply) => reply.serializer((payload) => `own ${payload.n}`).type("text/own").send({ n: 2 }));
  }, { prefix: "/custom" });

  fastify.get("/schemas", async () => ({ all: Object.keys(fastify.getSchemas()).sort(), one: fastify.getSchema("person"), none: String(fastify.getSchema("none")) }));

  const refused = {};
  const attempt = (name, run) => {
    try {
      run();
      refused[name] = "ok";
    } catch (error) {
      refused[name] = { code: error.code, message: error.message };
    }
  };
  attempt("twice", () => fastify.addSchema({ $id: "person" }));
  attempt("without id", () => fastify.addSchema({ type: "object" }));
  fastify.get("/refused", async () => refused);
}
