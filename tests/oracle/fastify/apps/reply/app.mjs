// What a reply can send, and what is seen of it.

import { PassThrough, Readable } from "node:stream";

export default async function (fastify, opts) {
  const get = (path, handler) => fastify.get(path, handler);

  get("/object", async () => ({ a: 1 }));
  get("/array", async () => [1, 2]);
  get("/string", async () => "text");
  get("/empty-string", async () => "");
  get("/number", async () => 7);
  get("/zero", (request, reply) => reply.send(0));
  get("/true", async () => true);
  get("/false", (request, reply) => reply.send(false));
  get("/null", async () => null);
  get("/send-nothing", (request, reply) => reply.send());
  get("/send-null", (request, reply) => reply.send(null));
  get("/buffer", async () => Buffer.from("buffer"));
  get("/typed-array", async () => new Uint8Array([104, 105]));
  get("/array-buffer", (request, reply) => reply.send(new Uint8Array([104, 105]).buffer));
  get("/float-array", (request, reply) => reply.send(new Float32Array([1])));
  get("/unicode", async () => "Stra\u00dfe \u{1f600}");
  get("/stream", (request, reply) => reply.send(Readable.from(["one ", "two"])));
  get("/stream-typed", (request, reply) => reply.type("text/plain").send(Readable.from(["one ", "two"])));
  get("/stream-length", (request, reply) => reply.header("content-length", 3).send(Readable.from(["abc"])));
  get("/stream-returned", async () => Readable.from(["returned"]));
  get("/stream-later", (request, reply) => {
    const stream = new PassThrough();
    reply.send(stream);
    setImmediate(() => stream.end("later"));
  });
  get("/stream-fails", (request, reply) => {
    reply.send(new Readable({
      read() {
        this.destroy(Object.assign(new Error("no stream"), { statusCode: 503 }));
      },
    }));
  });
  get("/web-stream", (request, reply) => reply.send(new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode("web "));
      controller.enqueue(new TextEncoder().encode("stream"));
      controller.close();
    },
  })));
  get("/web-response", async () => new Response("web", { status: 203, headers: { "x-web": "yes", "content-type": "text/web" } }));
  get("/web-response-json", (request, reply) => reply.send(Response.json({ a: 1 }, { status: 201 })));
  get("/object-with-type", (request, reply) => reply.type("text/html").send({ a: 1 }));
  get("/string-as-json", (request, reply) => reply.type("application/json").send('{"raw":true}'));
  get("/json-suffix", (request, reply) => reply.type("application/problem+json").send({ a: 1 }));
  get("/json-charset", (request, reply) => reply.type("application/json; charset=latin1").send({ a: 1 }));
  get("/object-as-stream", (request, reply) => reply.type("a/b").send({ a: 1 }));

  get("/type/:type", (request, reply) => reply.type(request.params.type.replace("-", "/")).send("x"));
  get("/status", (request, reply) => reply.status(206).send("x"));
  get("/status-set", async (request, reply) => {
    reply.statusCode = 208;
    return "x";
  });
  get("/status-text", (request, reply) => reply.code("201").send("x"));
  get("/no-content", async (request, reply) => void reply.code(204).send());
  get("/no-content-body", (request, reply) => reply.code(204).send({ a: 1 }));
  get("/not-modified", (request, reply) => reply.code(304).send("dropped"));
  get("/undefined-204", async (request, reply) => {
    reply.code(204);
  });
  for (const bad of [99, 600, 1000, "abc"]) {
    get(`/bad-status/${bad}`, (request, reply) => {
      try {
        reply.code(bad).send("sent");
      } catch (error) {
        reply.code(500).send({ code: error.code, message: error.message, statusCode: error.statusCode });
      }
    });
  }

  get("/headers", (request, reply) => {
    reply.header("x-one", "1").header("X-Two", 2).headers({ "x-three": "3", "x-four": true });
    reply.header("x-gone", "x").removeHeader("x-gone");
    reply.header("x-undefined", undefined);
    reply.send({
      get: reply.getHeader("x-two"),
      has: [reply.hasHeader("X-One"), reply.hasHeader("x-gone")],
      all: reply.getHeaders(),
    });
  });
  get("/cookies", (request, reply) => reply.header("set-cookie", "a=1").header("set-cookie", "b=2").header("set-cookie", ["c=3", "d=4"]).send({ set: reply.getHeader("set-cookie") }));
  get("/header-list", (request, reply) => reply.header("x-list", ["a", "b"]).send("x"));
  get("/header-twice", (request, reply) => reply.header("x-a", "1").header("x-a", "2").send("x"));
  get("/header-bad", async (request, reply) => {
    reply.header("x-bad", "line\nbreak");
    return "x";
  });
  get("/redirect", (request, reply) => reply.redirect("/elsewhere"));
  get("/redirect-code", (request, reply) => reply.redirect("/elsewhere?a=b c", 301));
  get("/redirect-kept", (request, reply) => reply.code(307).redirect("/kept"));
  get("/redirect-unicode", (request, reply) => reply.redirect("/stra\u00dfe"));
  get("/hijack", (request, reply) => {
    reply.hijack();
    reply.raw.writeHead(202, { "x-raw": "yes", "content-type": "text/raw" });
    reply.raw.end("hijacked");
  });
  get("/raw-end", (request, reply) => {
    reply.raw.end("raw");
  });
  get("/raw-header", (request, reply) => {
    reply.raw.setHeader("x-raw", "1");
    reply.header("x-mine", "2").send("x");
  });
  get("/sent", (request, reply) => {
    const before = reply.sent;
    reply.header("x-before", String(before)).send("x");
    return reply;
  });
  get("/twice", (request, reply) => {
    reply.send("first");
    reply.send("second");
  });
  get("/return-and-send", async (request, reply) => {
    reply.send("sent");
    return "returned";
  });
  get("/await-reply", async (request, reply) => {
    setImmediate(() => reply.send("later"));
    await reply;
    return reply;
  });
  get("/callback-later", (request, reply) => {
    setTimeout(() => reply.send({ later: true }), 5);
  });
  get("/then", async (request, reply) => {
    reply.then(() => {}, () => {});
    return "x";
  });
  get("/elapsed", async (request, reply) => ({ positive: reply.elapsedTime > 0, type: typeof reply.elapsedTime }));
  get("/trailer", (request, reply) => {
    reply.trailer("x-length", (reply, payload, done) => done(null, String(payload.length)));
    reply.send({ has: reply.hasTrailer("x-length") });
  });
  get("/early-hints", async (request, reply) => ({ hints: typeof reply.writeEarlyHints }));
  get("/request", async (request, reply) => ({ same: reply.request === request, log: typeof reply.log.info, context: typeof reply.routeOptions }));
  get("/function", (request, reply) => {
    try {
      reply.send(() => 1);
    } catch (error) {
      reply.send({ code: error.code });
    }
  });
  get("/symbol", (request, reply) => {
    try {
      reply.type("text/plain").send({ a: 1 });
    } catch (error) {
      reply.send({ code: error.code, message: error.message });
    }
  });
  get("/not-found", (request, reply) => reply.callNotFound());
  get("/date", async () => new Date(0));
  get("/map", async () => new Map([["a", 1]]));
  get("/class", async () => new (class Point {
    x = 1;
    get y() {
      return 2;
    }
  })());
  get("/large", async () => "x".repeat(200_000));
  get("/content-length", (request, reply) => reply.header("content-length", 2).send("text"));
}
