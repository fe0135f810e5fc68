// A chat: rooms keep their last messages and hibernate while nobody writes; a limiter for each address slows down who
// writes too fast.

import { DurableObject } from "cloudflare:workers";
import page from "./page.html";

const BACKLOG = 100;
const LONGEST_MESSAGE = 256;
const LONGEST_NAME = 32;
/** Every message costs five seconds; who is twenty seconds ahead has to wait. */
const COST = 5;
const CREDIT = 20;

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const [first, kind, name, action] = url.pathname.slice(1).split("/");
    if (first === "") return new Response(page, { headers: { "content-type": "text/html;charset=UTF-8" } });
    if (first !== "api" || kind !== "room") return new Response("Not found", { status: 404 });
    if (!name) {
      if (request.method !== "POST") return new Response("Method not allowed", { status: 405 });
      return new Response(env.ROOMS.newUniqueId().toString());
    }
    let id;
    if (/^[0-9a-f]{64}$/.test(name)) id = env.ROOMS.idFromString(name);
    else if (name.length <= 32) id = env.ROOMS.idFromName(name);
    else return new Response("Name too long", { status: 404 });
    const target = new URL(url);
    target.pathname = `/${action ?? ""}`;
    return env.ROOMS.get(id).fetch(target, request);
  },
};

export class Room extends DurableObject {
  constructor(state, env) {
    super(state, env);
    this.sessions = new Map();
    this.lastTimestamp = 0;
    for (const socket of state.getWebSockets()) {
      this.sessions.set(socket, { ...socket.deserializeAttachment(), queued: [] });
    }
  }

  async fetch(request) {
    if (new URL(request.url).pathname !== "/websocket") return new Response("Not found", { status: 404 });
    if (request.headers.get("upgrade") !== "websocket") return new Response("expected websocket", { status: 400 });
    const address = request.headers.get("cf-connecting-ip") ?? "local";
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server);
    const limiter = this.env.LIMITERS.idFromName(address).toString();
    server.serializeAttachment({ limiter });
    const session = { limiter, queued: [] };
    this.sessions.set(server, session);
    for (const other of this.sessions.values()) if (other.name) session.queued.push(JSON.stringify({ joined: other.name }));
    const backlog = await this.ctx.storage.list({ reverse: true, limit: BACKLOG });
    session.queued.push(...[...backlog.values()].reverse());
    return new Response(null, { status: 101, webSocket: client });
  }

  async webSocketMessage(socket, text) {
    const session = this.sessions.get(socket);
    try {
      if (session.quit) {
        socket.close(1011, "The socket is broken.");
        return;
      }
      const limiter = this.env.LIMITERS.get(this.env.LIMITERS.idFromString(session.limiter));
      if ((await limiter.fetch("https://limiter/", { method: "POST" }).then((answer) => answer.text())) !== "0") {
        socket.send(JSON.stringify({ error: "Your address is being rate-limited, please try again later." }));
        return;
      }
      const data = JSON.parse(text);
      if (!session.name) {
        const name = String(data.name || "anonymous");
        if (name.length > LONGEST_NAME) {
          socket.send(JSON.stringify({ error: "Name too long." }));
          socket.close(1009, "Name too long.");
          return;
        }
        session.name = name;
        socket.serializeAttachment({ ...socket.deserializeAttachment(), name });
        for (const queued of session.queued) socket.send(queued);
        session.queued = [];
        this.broadcast({ joined: name });
        socket.send(JSON.stringify({ ready: true }));
        return;
      }
      const message = String(data.message);
      if (message.length > LONGEST_MESSAGE) {
        socket.send(JSON.stringify({ error: "Message too long." }));
        return;
      }
      this.lastTimestamp = Math.max(Date.now(), this.lastTimestamp + 1);
      const line = JSON.stringify({ name: session.name, message, timestamp: this.lastTimestamp });
      this.broadcast(line);
      await this.ctx.storage.put(new Date(this.lastTimestamp).toISOString(), line);
    } catch (error) {
      socket.send(JSON.stringify({ error: String(error) }));
    }
  }

  webSocketClose(socket) {
    this.leave(socket);
  }

  webSocketError(socket) {
    this.leave(socket);
  }

  leave(socket) {
    const session = this.sessions.get(socket);
    if (!session) return;
    session.quit = true;
    this.sessions.delete(socket);
    if (session.name) this.broadcast({ quit: session.name });
  }

  broadcast(message) {
    const text = typeof message === "string" ? message : JSON.stringify(message);
    const quitters = [];
    for (const [socket, session] of this.sessions) {
      if (!session.name) {
        session.queued.push(text);
        continue;
      }
      try {
        socket.send(text);
      } catch {
        session.quit = true;
        this.sessions.delete(socket);
        quitters.push(session);
      }
    }
    for (const { name } of quitters) if (name) this.broadcast({ quit: name });
  }
}

export class Limiter extends DurableObject {
  next = 0;

  async fetch(request) {
    const now = Date.now() / 1000;
    this.next = Math.max(now, this.next);
    if (request.method === "POST") this.next += COST;
    return new Response(String(Math.max(0, this.next - now - CREDIT)));
  }
}
