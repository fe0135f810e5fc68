// What a request has, and requests from inside.

import { Readable } from "node:stream";

export default async function (fastify, opts) {
  fastify.addHook("onRequest", async (request, reply) => {
    reply.header("x-first", request.body === undefined ? "no body yet" : "body");
  });
  fastify.all("/request/:name", async (request) => ({
    method: request.method,
    url: request.url,
    originalUrl: request.originalUrl,
    host: request.host.replace(/:\d+$/, ":PORT"),
    hostname: request.hostname,
    port: typeof request.port,
    protocol: request.protocol,
    ip: request.ip,
    ips: request.ips === undefined ? "(undefined)" : request.ips,
    id: typeof request.id,
    is404: request.is404,
    params: request.params,
    query: request.query,
    body: request.body === undefined ? "(undefined)" : request.body,
    type: request.mediaType ?? "(none)",
    headers: { own: request.headers["x-own"], twice: request.headers["x-twice"], cookie: request.headers.cookie },
    raw: [request.raw.method, request.raw.url, request.raw.headers["x-own"], request.raw.httpVersion],
    socket: typeof request.socket.remoteAddress,
    server: request.server.version === fastify.version,
    log: ["trace", "debug", "info", "warn", "error", "fatal", "child"].every((name) => typeof request.log[name] === "function"),
    route: { url: request.routeOptions.url, method: request.routeOptions.method },
    signal: request.signal === undefined ? "(undefined)" : request.signal.aborted,
  }));
  fastify.get("/ids", async (request) => {
    const [one, two] = await Promise.all([fastify.inject("/id"), fastify.inject("/id")]);
    return { different: one.body !== two.body };
  });
  fastify.get("/id", async (request) => request.id);
  fastify.get("/set-headers", async (request) => {
    request.headers = { "x-set": "1" };
    return { set: request.headers["x-set"], host: request.headers.host !== undefined };
  });

  fastify.all("/target", async (request, reply) => {
    reply.header("x-target", "yes").header("set-cookie", "a=b; Path=/; HttpOnly").code(request.method === "POST" ? 201 : 200);
    return { method: request.method, body: request.body, query: request.query, own: request.headers["x-own"], agent: request.headers["user-agent"], type: request.headers["content-type"], cookie: request.headers.cookie, host: request.host };
  });
  fastify.get("/streamed", (request, reply) => reply.send(Readable.from(["a", "b"])));

  const shown = (response) => ({
    status: response.statusCode,
    message: response.statusMessage,
    body: response.body,
    payload: response.payload === response.body,
    header: response.headers["x-target"],
    type: response.headers["content-type"],
    cookies: response.cookies,
    raw: response.rawPayload.length,
    json: typeof response.json,
  });
  fastify.get("/inject/:form", async (request) => {
    switch (request.params.form) {
      case "string":
        return shown(await fastify.inject("/target?a=1"));
      case "object":
        return shown(await fastify.inject({ method: "POST", url: "/target", payload: { a: 1 }, headers: { "x-own": "2" }, query: { q: "3" } }));
      case "text":
        return shown(await fastify.inject({ method: "POST", path: "/target", body: "text", headers: { "content-type": "text/plain" } }));
      case "stream":
        return shown(await fastify.inject({ method: "POST", url: "/target", payload: Readable.from(['{"b"', ":1}"]), headers: { "content-type": "application/json" } }));
      case "cookies":
        return shown(await fastify.inject({ method: "GET", url: "/target", cookies: { one: "1", two: "a b" } }));
      case "authority":
        return shown(await fastify.inject({ method: "GET", url: "/target", authority: "example.org:8080" }));
      case "absolute":
        return shown(await fastify.inject({ method: "GET", url: "http://example.org/target?a=b" }));
      case "chain":
        return shown(await fastify.inject().post("/target").headers({ "x-own": "chain" }).query({ c: "1" }).body({ d: 2 }).end());
      case "get":
        return shown(await fastify.inject().get("/target"));
      case "callback":
        return new Promise((resolve, reject) => fastify.inject({ url: "/target" }, (error, response) => error ? reject(error) : resolve(shown(response))));
      case "missing":
        return shown(await fastify.inject("/nowhere"));
      case "streamed":
        return shown(await fastify.inject("/streamed"));
      case "head":
        return shown(await fastify.inject({ method: "HEAD", url: "/target" }));
      case "json":
        return (await fastify.inject("/target")).json();
      case "form": {
        const response = await fastify.inject({ method: "POST", url: "/target", payload: "a=1", headers: { "content-type": "application/x-www-form-urlencoded" } });
        return shown(response);
      }
      default:
        return null;
    }
  });
}
