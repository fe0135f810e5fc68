// A room that hibernates: while nobody writes, its sockets stay open and the object is out of memory.

import { DurableObject } from "cloudflare:workers";

export class Room extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    // Answered without waking the object.
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  fetch(request) {
    const [client, server] = Object.values(new WebSocketPair());
    const name = new URL(request.url).searchParams.get("name") ?? "somebody";
    this.ctx.acceptWebSocket(server, [name]);
    server.serializeAttachment({ name, since: Date.now() });
    return new Response(null, { status: 101, webSocket: client });
  }

  webSocketMessage(socket, text) {
    const { name } = socket.deserializeAttachment();
    for (const other of this.ctx.getWebSockets()) other.send(`${name}: ${text}`);
  }

  webSocketClose(socket) {
    const { name } = socket.deserializeAttachment();
    for (const other of this.ctx.getWebSockets()) if (other !== socket) other.send(`${name} has left`);
  }
}

export default {
  fetch(request, env) {
    if (request.headers.get("Upgrade") !== "websocket") return new Response("Connect a WebSocket.", { status: 426 });
    return env.ROOM.getByName(new URL(request.url).pathname).fetch(request);
  },
};
