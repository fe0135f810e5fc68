// What an application does wrong after a handler has answered, and around it.

import { Readable } from "node:stream";

const later = (value) => new Promise((resolve) => setImmediate(resolve, value));
const failing = (start) => new ReadableStream({ start, pull: (controller) => controller.error(new Error("the stream fails")) });

export default async function (fastify, opts) {
  const log = [];
  fastify.get("/log", async () => log.splice(0));

  for (const [name, value] of Object.entries({ number: 7, object: { a: 1 }, nothing: undefined, null: null, boolean: true, promise: Promise.resolve("later") })) {
    fastify.get(`/serializer/${name}`, (request, reply) => reply.serializer(() => value).send({ a: 1 }));
  }
  fastify.get("/serializer/throws", (request, reply) => reply.serializer(() => {
    throw new RangeError("cannot be serialized");
  }).send({ a: 1 }));
  fastify.get("/serializer/buffer", (request, reply) => reply.serializer(() => Buffer.from("bytes")).send({ a: 1 }));
  fastify.get("/serializer/circular", async () => {
    const circle = {};
    circle.circle = circle;
    return circle;
  });
  fastify.get("/serializer/bigint", async () => ({ n: 1n }));

  fastify.get("/web/at-once", async () => failing());
  fastify.get("/web/response", async () => new Response(failing(), { status: 201, headers: { "x-own": "1" } }));
  fastify.get("/node/at-once", async () => new Readable({ read() {
    this.destroy(new Error("the stream fails"));
  } }));
  fastify.get("/node/own", async (request, reply) => {
    reply.code(206).header("x-own", "1").type("text/plain");
    return new Readable({ read() {
      this.destroy(Object.assign(new Error("the stream fails"), { statusCode: 418 }));
    } });
  });

  fastify.register(async (inner) => {
    inner.setSchemaErrorFormatter((errors, where) => {
      if (where === "querystring") throw new RangeError("the formatter fails");
      return new TypeError(`formatted ${where} ${errors.length}`);
    });
    inner.post("/formatter", { schema: { body: { type: "object", required: ["a"] }, querystring: { type: "object", properties: { n: { type: "integer" } } } } }, async () => "valid");
  });

  fastify.register(async (inner) => {
    inner.setNotFoundHandler((request, reply) => {
      log.push("not found");
      if (log.length < 5) return reply.callNotFound();
      return reply.code(404).send("given up");
    });
    inner.get("/loop", (request, reply) => reply.callNotFound());
  }, { prefix: "/inner" });

  fastify.register(async (inner) => {
    inner.addHook("onError", async (request, reply, error) => void log.push(`onError ${error.message}`));
    inner.addHook("onResponse", async (request, reply) => void log.push(`onResponse ${reply.statusCode}`));
    inner.addHook("onSend", async (request, reply, payload) => {
      log.push(`onSend ${typeof payload}`);
      if (request.headers["x-fail"] === "always" || (request.headers["x-fail"] === "once" && reply.statusCode < 400)) throw new Error("onSend fails");
      if (request.headers["x-fail"] === "type") return 7;
      return payload;
    });
    inner.get("/send", async () => ({ a: 1 }));
    inner.get("/send/error", async () => {
      throw new Error("the handler fails");
    });
  });

  fastify.register(async (inner) => {
    inner.setErrorHandler((error, request, reply) => {
      log.push(`handler ${error.message}`);
      if (request.query.again === "throw") throw new Error("the error handler fails");
      if (request.query.again === "reject") return later().then(() => Promise.reject(new Error("the error handler rejects")));
      if (request.query.again === "nothing") return undefined;
      if (request.query.again === "value") return later({ from: "the error handler" });
      return reply.code(409).send({ handled: error.message });
    });
    inner.get("/handled", async () => {
      throw new Error("first");
    });
    inner.get("/handled/twice", async (request, reply) => {
      reply.send({ sent: true });
      throw new Error("after send");
    });
    inner.get("/handled/serializer", { schema: { response: { 200: { type: "object", properties: { n: { type: "integer" } }, required: ["n"] } } } }, async () => ({}));
    inner.get("/handled/text", () => {
      throw "only text";
    });
    inner.get("/handled/null", async () => {
      throw null;
    });
  });

  fastify.get("/promise/rejects-undefined", () => Promise.reject());
  fastify.get("/promise/never-sends", async (request, reply) => void setImmediate(() => reply.send("late")));
  fastify.get("/promise/reply", async (request, reply) => {
    setImmediate(() => reply.send("sent later"));
    return reply;
  });
  fastify.get("/code/:code", (request, reply) => {
    try {
      return reply.code(request.params.code === "none" ? undefined : JSON.parse(request.params.code)).send("code");
    } catch (error) {
      return reply.code(500).send({ name: error.name, code: error.code, message: error.message });
    }
  });
  fastify.get("/send/:kind", (request, reply) => {
    const kinds = { number: 7, boolean: false, symbol: Symbol("s"), array: [1, "a"], date: new Date(0), map: new Map([[1, 2]]), fn: () => 1, view: new Uint8Array([65, 66]), buffer: new Uint8Array([67]).buffer, view16: new Uint16Array([0x4142]) };
    return reply.send(kinds[request.params.kind]);
  });
}
