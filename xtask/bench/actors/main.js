// The application of `cargo xtask bench actors`, for workerd and for Liveline. Every message goes through an object.

import { DurableObject } from "cloudflare:workers";

/** One object: what its sockets do is the first segment of the path. */
export class Room extends DurableObject {
  async fetch(request) {
    const { 0: client, 1: server } = new WebSocketPair();
    const mode = new URL(request.url).pathname.split("/")[1];
    this.ctx.acceptWebSocket(server, [mode]);
    return new Response(null, { status: 101, webSocket: client });
  }

  async webSocketMessage(socket, message) {
    switch (this.ctx.getTags(socket)[0]) {
      case "room":
        for (const other of this.ctx.getWebSockets("room")) if (other !== socket) other.send(message);
        return;
      case "write":
        // The answer leaves when the value is on the disk.
        await this.ctx.storage.put("last", message);
        socket.send(message);
        return;
      default:
        socket.send(message);
    }
  }

  webSocketClose() {}
}

const OBJECTS = 100;
let opened = 0;

export default {
  fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/hello") return new Response(`0 ${pathname} ${request.headers.get("x-name")}`);
    // `/echo/many` and `/write/many` spread their sockets over objects.
    const name = pathname.endsWith("/many") ? `object ${opened++ % OBJECTS}` : "the only one";
    return env.ROOM.get(env.ROOM.idFromName(name)).fetch(request);
  },
};
