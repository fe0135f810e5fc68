// What an older compatibility date changes.

import { DurableObject } from "cloudflare:workers";

let seen = [];

export class Room extends DurableObject {
  async fetch(request) {
    if (request.headers.get("upgrade") === "websocket") {
      const [client, server] = Object.values(new WebSocketPair());
      this.ctx.acceptWebSocket(server);
      return new Response(null, { status: 101, webSocket: client });
    }
    await this.ctx.storage.setAlarm(Date.now() + 3_600_000);
    await this.ctx.storage.deleteAll();
    const kept = (await this.ctx.storage.getAlarm()) !== null;
    await this.ctx.storage.deleteAlarm();
    return Response.json({ alarmKept: kept, closes: (await this.ctx.storage.get("closes")) ?? [] });
  }
  alarm() {}
  webSocketMessage(socket, message) {
    socket.send(typeof message === "string" ? message : message.constructor.name);
  }
  async webSocketClose(socket, code, reason) {
    await this.ctx.storage.put("closes", [{ code, reason, state: socket.readyState }]);
    socket.close(code, `reply to ${reason}`);
  }
}

export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname === "/seen") {
      const list = seen;
      seen = [];
      return Response.json(list);
    }
    if (pathname === "/context") return Response.json({ exports: typeof ctx.exports, text: env.TEXT });
    if (pathname.startsWith("/room")) return env.ROOM.getByName("room").fetch(request);
    const [client, server] = Object.values(new WebSocketPair());
    server.accept();
    server.addEventListener("message", ({ data }) => {
      if (data === "long reason") {
        try {
          server.close(3000, "x".repeat(200));
          seen.push("closed with a long reason");
        } catch (error) {
          seen.push(error.name);
        }
        return;
      }
      server.send(typeof data === "string" ? data : `${data.constructor.name} ${server.binaryType}`);
    });
    server.addEventListener("close", ({ code, reason, wasClean }) => {
      seen.push({ code, reason, wasClean, state: server.readyState });
      if (pathname === "/replies") server.close(code, "my reply");
    });
    return new Response(null, { status: 101, webSocket: client });
  },
};
