// Answers that come in pieces, and clients that leave before the end.

import { EventEmitter, once } from "node:events";
import { PassThrough, Readable } from "node:stream";

const log = [];
const note = (...words) => void log.push(words.join(" "));

export default async function (fastify, opts) {
  const signals = new EventEmitter();
  fastify.get("/log", async () => log);
  fastify.post("/go/:name", async (request) => ({ heard: signals.emit(request.params.name) }));

  fastify.get("/raw-events", (request, reply) => {
    reply.raw.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
    reply.raw.write("data: one\n\n");
    signals.once("raw-events", () => {
      reply.raw.write("data: two\n\n");
      reply.raw.end();
    });
    request.raw.on("close", () => note("raw-events: request closed"));
    reply.raw.on("finish", () => note("raw-events: finished"));
    reply.hijack();
  });
  fastify.get("/events", (request, reply) => {
    const stream = new PassThrough();
    stream.write("data: one\n\n");
    signals.once("events", () => stream.end("data: two\n\n"));
    reply.type("text/event-stream").header("cache-control", "no-cache").send(stream);
  });
  fastify.get("/generator", (request, reply) => {
    async function* lines() {
      try {
        yield "one\n";
        await once(signals, "generator");
        yield "two\n";
      } finally {
        note("generator: ended");
      }
    }
    reply.type("text/plain").send(Readable.from(lines()));
  });
  fastify.get("/left", (request, reply) => {
    const stream = new Readable({ read() {} });
    stream.on("close", () => note(`left: stream closed, destroyed ${stream.destroyed}`));
    stream.push("first\n");
    reply.type("text/plain").send(stream);
  });
  fastify.get("/left-raw", (request, reply) => {
    reply.hijack();
    reply.raw.writeHead(200, { "content-type": "text/plain" });
    reply.raw.write("first\n");
    reply.raw.on("close", () => note(`left-raw: closed, ended ${reply.raw.writableEnded}`));
  });
  fastify.register(async (aborted) => {
    aborted.addHook("onRequestAbort", async (request) => note(`onRequestAbort ${request.url}`));
    aborted.addHook("onResponse", async (request) => note(`onResponse ${request.url}`));
    aborted.get("/aborted", async (request) => {
      note("aborted: handler");
      await once(signals, "aborted");
      return "nobody reads";
    });
  });
  fastify.get("/fails-later", (request, reply) => {
    const stream = new PassThrough();
    stream.write("first\n");
    signals.once("fails-later", () => stream.destroy(new Error("in the middle")));
    reply.type("text/plain").send(stream);
  });
  fastify.post("/upload", async (request) => request.body);
  fastify.register(async (raw) => {
    raw.removeAllContentTypeParsers();
    raw.addContentTypeParser("*", (request, payload, done) => done(null, payload));
    raw.post("/count", async (request) => {
      let [bytes, text] = [0, ""];
      for await (const piece of request.body) {
        bytes += piece.length;
        text += piece;
      }
      return { bytes, end: text.slice(-5) };
    });
    raw.post("/mirror", (request, reply) => reply.type("text/plain").send(request.body));
  });
  fastify.get("/large", (request, reply) => {
    function* pieces() {
      for (let n = 0; n < 64; n += 1) yield Buffer.alloc(16_384, n);
    }
    reply.type("application/octet-stream").send(Readable.from(pieces()));
  });
}
