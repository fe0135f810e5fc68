// WebSocket routes of one instance of @fastify/websocket.

import { EventEmitter } from "node:events";
import websocket from "@fastify/websocket";

const log = [];
const soon = (milliseconds = 5) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export default async function (fastify, opts) {
  await fastify.register(websocket, {
    options: { maxPayload: 64 * 1024 },
    errorHandler(error, socket, request, reply) {
      log.push(["errorHandler", error.message, typeof socket.send, request.url, typeof reply.send, typeof this.get]);
      socket.close(1011, `handled: ${error.message}`);
    },
  });

  const echo = (socket) => {
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  };

  fastify.get("/log", async () => log);
  fastify.get("/clients", async () => ({ size: fastify.websocketServer.clients.size }));
  fastify.get("/http", async (request) => ({ ws: request.ws }));
  fastify.get("/echo", { websocket: true }, echo);

  fastify.get("/shape", { websocket: true }, function (socket, request) {
    socket.send(JSON.stringify({
      emitter: socket instanceof EventEmitter,
      methods: ["on", "once", "off", "addListener", "removeListener", "removeAllListeners", "emit", "listenerCount", "send", "ping", "pong", "close", "terminate", "pause", "resume", "addEventListener", "removeEventListener"].filter((name) => typeof socket[name] !== "function"),
      states: [socket.CONNECTING, socket.OPEN, socket.CLOSING, socket.CLOSED],
      ofClass: [socket.constructor.CONNECTING, socket.constructor.OPEN, socket.constructor.CLOSING, socket.constructor.CLOSED],
      readyState: socket.readyState,
      bufferedAmount: socket.bufferedAmount,
      binaryType: socket.binaryType,
      protocol: socket.protocol,
      extensions: socket.extensions,
      isPaused: socket.isPaused,
      on: [socket.onmessage, socket.onclose, socket.onerror, socket.onopen],
      request: { ws: request.ws, url: request.url, method: request.method, params: request.params, query: request.query, own: request.headers["x-own"], upgrade: request.headers.upgrade },
      instance: typeof this.websocketServer,
      parameters: arguments.length,
      clients: this.websocketServer.clients.has(socket),
    }));
  });

  fastify.get("/types", { websocket: true }, (socket) => {
    socket.on("message", (data, isBinary) => {
      socket.send(JSON.stringify({ buffer: Buffer.isBuffer(data), isBinary, text: data.toString(), json: isBinary ? null : JSON.parse(data) }));
    });
  });
  fastify.get("/events", { websocket: true }, (socket) => {
    socket.addEventListener("message", ({ data, type, target }) => {
      socket.send(JSON.stringify({ type, kind: typeof data, data: typeof data === "string" ? data : Buffer.from(data).toString("hex"), same: target === socket }));
    });
    socket.addEventListener("close", ({ code, reason, wasClean, type }) => log.push(["close event", type, code, reason, wasClean]));
  });
  fastify.get("/properties", { websocket: true }, (socket) => {
    socket.onmessage = (event) => socket.send(`onmessage ${event.data}`);
    socket.onclose = (event) => log.push(["onclose", event.code, event.reason]);
  });
  fastify.get("/once", { websocket: true }, (socket) => {
    socket.once("message", (data) => socket.send(`once ${data}`));
    const other = (data) => socket.send(`other ${data}`);
    socket.on("message", other);
    socket.on("message", (data) => {
      if (data.toString() === "stop") socket.off("message", other);
      socket.send(`count ${socket.listenerCount("message")}`);
    });
  });
  fastify.get("/sends", { websocket: true }, (socket) => {
    socket.send("text");
    socket.send(Buffer.from("buffer"));
    socket.send(new Uint8Array([1, 2]));
    socket.send(new Uint8Array([3, 4]).buffer);
    socket.send(Buffer.from("as text"), { binary: false });
    socket.send("as bytes", { binary: true });
    socket.send(7);
    socket.send("");
    socket.send("called back", (error) => socket.send(`callback: ${error}`));
  });
  fastify.get("/send-fails", { websocket: true }, (socket) => {
    const results = [];
    const attempt = (name, run) => {
      try {
        run();
        results.push(`${name}: ok`);
      } catch (error) {
        results.push(`${name}: ${error.constructor.name}`);
      }
    };
    attempt("object", () => socket.send({ a: 1 }));
    attempt("null", () => socket.send(null));
    attempt("close code", () => socket.close(1005));
    attempt("close code 999", () => socket.close(999));
    attempt("long reason", () => socket.close(1000, "x".repeat(124)));
    attempt("long ping", () => socket.ping("x".repeat(126)));
    socket.send(JSON.stringify(results));
  });
  fastify.get("/after-close", { websocket: true }, (socket) => {
    socket.close(4001, "done");
    const state = socket.readyState;
    socket.send("too late");
    socket.send("too late", (error) => log.push(["after close", state, error instanceof Error]));
    socket.close(4002, "again");
  });
  fastify.get("/closes/:code", { websocket: true }, (socket, request) => {
    if (request.params.code === "none") socket.close();
    else if (request.params.code === "terminate") socket.terminate();
    else socket.close(Number(request.params.code), "by the server");
  });
  fastify.get("/close-log/:name", { websocket: true }, (socket, request) => {
    socket.on("close", (code, reason) => log.push(["close", request.params.name, code, reason.toString(), Buffer.isBuffer(reason), socket.readyState]));
    socket.send("ready");
  });
  fastify.get("/pings", { websocket: true }, (socket) => {
    socket.on("ping", (data) => socket.send(`ping ${data}`));
    socket.on("pong", (data) => socket.send(`pong ${data}`));
    socket.ping("are you there");
  });

  fastify.get("/throws", { websocket: true }, () => {
    throw new Error("sync");
  });
  fastify.get("/rejects", { websocket: true }, async () => {
    throw new Error("async");
  });
  fastify.get("/rejects-later", { websocket: true }, async (socket) => {
    socket.send("first");
    await soon();
    throw new Error("later");
  });

  fastify.get("/params/:name", { websocket: true }, (socket, request) => socket.send(JSON.stringify({ params: request.params, query: request.query, route: request.routeOptions.url })));
  fastify.get("/wild/*", { websocket: true }, (socket, request) => socket.send(`wild ${request.params["*"]}`));
  fastify.route({
    method: "GET",
    url: "/twofold",
    handler: async () => ({ by: "http" }),
    wsHandler: (socket, request) => socket.send(`by socket ${request.ws}`),
  });

  const hooks = [];
  fastify.get("/hook-log", async () => hooks);
  fastify.register(async (hooked) => {
    for (const name of ["onRequest", "preParsing", "preValidation", "preHandler", "preSerialization", "onSend", "onResponse"]) {
      hooked.addHook(name, async (request) => void hooks.push([name, request.ws]));
    }
    hooked.get("/ordered", { websocket: true }, (socket) => {
      hooks.push("handler");
      socket.send("ordered");
      socket.on("close", () => hooks.push("closed"));
    });
    hooked.get("/plain", async () => ({ plain: true }));
  }, { prefix: "/hooked" });

  fastify.register(async (guarded) => {
    for (const name of ["onRequest", "preParsing", "preValidation", "preHandler"]) {
      guarded.get(`/${name}/throws`, {
        websocket: true,
        [name]: async () => {
          throw Object.assign(new Error(`${name} refuses`), { statusCode: 401, code: "NOT_YOU" });
        },
      }, echo);
      guarded.get(`/${name}/answers`, { websocket: true, [name]: async (request, reply) => reply.code(403).header("x-by", name).send({ by: name }) }, echo);
    }
    guarded.get("/slow", { websocket: true, preValidation: () => soon(50) }, (socket) => {
      socket.on("message", (data) => socket.send(`slow ${data}`));
    });
    guarded.get("/user", { websocket: true, preHandler: async (request) => void (request.user = "ada") }, (socket, request) => socket.send(request.user));
    guarded.setErrorHandler((error, request, reply) => {
      reply.code(error.statusCode ?? 500).send({ handled: error.message });
    });
    guarded.get("/error-handler", { websocket: true, onRequest: async () => Promise.reject(new Error("before")) }, echo);
    guarded.get("/schema", { websocket: true, schema: { querystring: { type: "object", required: ["token"] } } }, echo);
  }, { prefix: "/guarded" });

  fastify.register(async (late) => {
    late.get("/async-listener", { websocket: true }, async (socket) => {
      socket.on("message", (data) => socket.send(`at once ${data}`));
      await soon();
      socket.send("later");
    });
  });

  fastify.register(async (prefixed) => {
    prefixed.get("/", { websocket: true }, (socket) => socket.send("prefix root"));
    prefixed.get("/:id", { websocket: true }, (socket, request) => socket.send(`id ${request.params.id}`));
    prefixed.get("/deep/*", { websocket: true }, (socket, request) => socket.send(`deep ${request.params["*"]}`));
  }, { prefix: "/prefix" });

  fastify.get("/room/:name", { websocket: true }, (socket, request) => {
    socket.room = request.params.name;
    socket.on("message", (data) => {
      for (const client of fastify.websocketServer.clients) {
        if (client.readyState === 1 && client.room === socket.room) client.send(`${request.params.name}: ${data}`);
      }
    });
    socket.send("joined");
  });

  fastify.get("/pause", { websocket: true }, (socket) => {
    socket.on("message", async (data) => {
      if (data.toString() === "pause") {
        socket.pause();
        socket.send(`paused ${socket.isPaused}`);
        await soon(20);
        socket.resume();
      }
      socket.send(`got ${data}`);
    });
  });

  const refused = {};
  const attempt = (name, run) => {
    try {
      run();
      refused[name] = "ok";
    } catch (error) {
      refused[name] = { code: error.code ?? null, message: error.message };
    }
  };
  attempt("post", () => fastify.post("/no", { websocket: true }, echo));
  attempt("several", () => fastify.route({ method: ["GET", "POST"], url: "/no", websocket: true, handler: echo }));
  attempt("no handler", () => fastify.get("/no", { websocket: true }));
  attempt("wsHandler is text", () => fastify.route({ method: "GET", url: "/no2", handler: async () => 1, wsHandler: "text" }));
  attempt("wsHandler of POST", () => fastify.route({ method: "POST", url: "/no3", handler: async () => 1, wsHandler: echo }));
  fastify.get("/refused", async () => refused);

  fastify.get("/inject/:form", async (request) => {
    if (request.params.form === "missing") {
      try {
        await fastify.injectWS("/nowhere");
        return "connected";
      } catch (error) {
        return { message: error.message };
      }
    }
    if (request.params.form === "refused") {
      try {
        await fastify.injectWS("/guarded/onRequest/throws");
        return "connected";
      } catch (error) {
        return { message: error.message };
      }
    }
    const seen = [];
    const client = await fastify.injectWS("/echo", { headers: { "x-own": "1" } }, {
      onInit: (socket) => seen.push(["onInit", typeof socket.on]),
      onOpen: (socket) => seen.push(["onOpen", socket.readyState]),
    });
    seen.push(["state", client.readyState]);
    const answer = new Promise((resolve) => client.once("message", (data) => resolve(data.toString())));
    client.send("from inside");
    seen.push(await answer);
    const closed = new Promise((resolve) => client.once("close", (code) => resolve(code)));
    client.close(4321, "over");
    seen.push(await closed);
    return seen;
  });
}
