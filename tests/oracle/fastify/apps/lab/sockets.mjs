import Fastify from "fastify";
import websocket from "@fastify/websocket";
import * as module from "@fastify/websocket";
import { boot, shown } from "./show.mjs";

export const modules = async () => [typeof websocket, typeof module.fastifyWebsocket, module.default === websocket];

export const declarations = async () => ({
  post: await boot(async (app) => {
    await app.register(websocket);
    app.post("/", { websocket: true }, () => {});
  }),
  several: await boot(async (app) => {
    await app.register(websocket);
    app.route({ method: ["GET", "POST"], url: "/", websocket: true, handler: () => {} });
  }),
  noServer: await boot((app) => app.register(websocket, { options: { noServer: true } })),
  errorHandler: await boot((app) => app.register(websocket, { errorHandler: "text" })),
  preClose: await boot((app) => app.register(websocket, { preClose: "text" })),
  noHandler: await boot(async (app) => {
    await app.register(websocket);
    app.route({ method: "GET", url: "/", wsHandler: "text", handler: async () => 1 });
  }),
});

/** What happens to open sockets when their instance is closed. */
export const closing = async () => {
  const app = Fastify();
  await app.register(websocket);
  app.get("/", { websocket: true }, () => {});
  await app.ready();
  const client = await app.injectWS("/");
  const closed = new Promise((resolve) => client.on("close", (code) => resolve(`client ${code}`)));
  const size = app.websocketServer.clients.size;
  await app.close();
  return { closed: await closed, size };
};

export const ownPreClose = async () => {
  const log = [];
  const app = Fastify();
  await app.register(websocket, {
    preClose(done) {
      log.push(`preClose ${typeof this.websocketServer} ${this.websocketServer.clients.size}`);
      for (const client of this.websocketServer.clients) client.close(4100, "restarting");
      done();
    },
  });
  app.get("/", { websocket: true }, () => {});
  await app.ready();
  const client = await app.injectWS("/");
  const closed = new Promise((resolve) => client.on("close", (code, reason) => resolve(`client ${code} ${reason}`)));
  await app.close();
  log.push(await closed);
  return log;
};

export const inject = async () => {
  const app = Fastify();
  await app.register(websocket);
  app.get("/", { websocket: true }, (socket, request) => {
    socket.send(JSON.stringify({ own: request.headers["x-own"], ws: request.ws, query: request.query }));
  });
  await app.ready();
  const seen = [];
  let received;
  const message = new Promise((resolve) => received = resolve);
  const client = await app.injectWS("/?a=1", { headers: { "x-own": "yes" } }, {
    onInit: (socket) => socket.on("message", (data) => received(JSON.parse(data))),
  });
  seen.push(await message);
  client.terminate();
  const missing = await app.injectWS("/nowhere").then(() => "connected", shown);
  seen.push(missing.message);
  await app.close();
  return seen;
};
