import { DurableObject } from "cloudflare:workers";

/** Sends each message to everyone else. */
export class Room extends DurableObject {
  #sessions = new Set();

  async fetch(request) {
    if (request.headers.get("upgrade") !== "websocket") return Response.json({ sessions: this.#sessions.size });
    const [client, server] = Object.values(new WebSocketPair());
    server.accept();
    this.#sessions.add(server);
    server.send(`welcome ${this.#sessions.size}`);
    server.addEventListener("message", ({ data }) => {
      if (data === "close me") return server.close(4000, "as you wish");
      if (data === "count") return server.send(String(this.#sessions.size));
      if (this.#sessions.size === 1) server.send(`alone: ${data}`);
      for (const session of this.#sessions) if (session !== server) session.send(data);
    });
    server.addEventListener("close", () => this.#sessions.delete(server));
    return new Response(null, { status: 101, webSocket: client });
  }
}
