// A room whose sockets outlive its instances.

import { DurableObject } from "cloudflare:workers";
import { answer, attempt, exactly, show } from "./shared/show.mjs";

const cases = {
  state: async ({ ctx }) => ({
    sockets: ctx.getWebSockets().map((socket) => ({ tags: ctx.getTags(socket), attachment: socket.deserializeAttachment(), state: socket.readyState })),
    log: (await ctx.storage.get("log")) ?? [],
  }),
  constructions: ({ ctx }) => ctx.storage.get("constructions"),
  tagged: ({ ctx, query }) => ctx.getWebSockets(query.get("tag")).map((socket) => socket.deserializeAttachment()),
  broadcast({ ctx, query }) {
    for (const socket of ctx.getWebSockets(query.get("tag") ?? undefined)) socket.send(query.get("text"));
    return ctx.getWebSockets().length;
  },
  closeAll({ ctx }) {
    for (const socket of ctx.getWebSockets()) socket.close(4100, "room closed");
    return ctx.getWebSockets().length;
  },

  async refused({ ctx }) {
    const accept = (tags) => attempt(() => (ctx.acceptWebSocket(new WebSocketPair()[1], tags), "accepted"));
    const twice = new WebSocketPair()[1];
    ctx.acceptWebSocket(twice);
    const ordinary = new WebSocketPair()[1];
    ordinary.accept();
    const result = {
      ten: await accept(Array.from({ length: 10 }, (_, at) => `tag ${at}`)),
      eleven: await accept(Array.from({ length: 11 }, (_, at) => `tag ${at}`)),
      long256: await accept(["t".repeat(256)]),
      long257: await accept(["t".repeat(257)]),
      repeated: await accept(["same", "same"]),
      empty: await accept([""]),
      none: await accept([]),
      number: await accept([5]),
      text: await accept("text"),
      twice: await attempt(() => ctx.acceptWebSocket(twice)),
      ordinary: await attempt(() => ctx.acceptWebSocket(ordinary)),
      acceptAfter: await attempt(() => twice.accept()),
      noSocket: await attempt(() => ctx.acceptWebSocket({})),
      tagsOfForeign: await attempt(() => ctx.getTags(new WebSocketPair()[0])),
      tagsOfRepeated: await attempt(() => ctx.getWebSockets("same").map((socket) => ctx.getTags(socket))),
      unknownTag: ctx.getWebSockets("unknown"),
    };
    return result;
  },

  async attachments({ ctx }) {
    const socket = new WebSocketPair()[1];
    ctx.acceptWebSocket(socket);
    const keep = (value) => attempt(() => (socket.serializeAttachment(value), socket.deserializeAttachment()));
    const given = { list: [1] };
    socket.serializeAttachment(given);
    given.list.push(2);
    return {
      copied: socket.deserializeAttachment(),
      map: await keep(new Map([["a", new Date(0)]])),
      null: await keep(null),
      undefined: await keep(undefined),
      nothing: await attempt(() => socket.serializeAttachment()),
      function: await keep(() => {}),
      limit: await attempt(() => (socket.serializeAttachment("x".repeat(16_000)), "kept")),
      tooLong: await attempt(() => socket.serializeAttachment("x".repeat(17_000))),
      kept: socket.deserializeAttachment()?.length,
    };
  },

  async autoResponse({ ctx }) {
    const set = (request, response) => attempt(() => (ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(request, response)), "set"));
    const result = {
      before: ctx.getWebSocketAutoResponse(),
      set: await set("ping", "pong"),
      got: [ctx.getWebSocketAutoResponse()?.request, ctx.getWebSocketAutoResponse()?.response],
      limit: await set("r".repeat(2048), "s".repeat(2048)),
      tooLong: await set("r".repeat(2049), "s"),
      answerTooLong: await set("r", "s".repeat(2049)),
      wrong: await attempt(() => ctx.setWebSocketAutoResponse({})),
      noArguments: await attempt(() => new WebSocketRequestResponsePair("one")),
    };
    ctx.setWebSocketAutoResponse();
    return { ...result, unset: ctx.getWebSocketAutoResponse() };
  },

  async timeout({ ctx }) {
    const set = (value) => attempt(() => (ctx.setHibernatableWebSocketEventTimeout(value), ctx.getHibernatableWebSocketEventTimeout()));
    return { before: ctx.getHibernatableWebSocketEventTimeout(), one: await set(1000), zero: await set(0), tooLong: await set(604_800_001), negative: await set(-1), unset: await set() };
  },

  timestamps: ({ ctx }) => ctx.getWebSockets().map((socket) => {
    const time = ctx.getWebSocketAutoResponseTimestamp(socket);
    return time === null ? null : time instanceof Date && Math.abs(time - Date.now()) < 60_000;
  }),
};

export class Room extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.handled = 0;
    ctx.blockConcurrencyWhile(async () => {
      await ctx.storage.put("constructions", ((await ctx.storage.get("constructions")) ?? 0) + 1);
    });
  }

  async fetch(request) {
    const url = new URL(request.url);
    const name = url.pathname.split("/")[2];
    if (name !== "socket") return answer(cases, name, { ctx: this.ctx, query: url.searchParams });
    const [client, server] = Object.values(new WebSocketPair());
    const tags = url.searchParams.getAll("tag");
    if (tags.length === 0) this.ctx.acceptWebSocket(server);
    else this.ctx.acceptWebSocket(server, tags);
    if (url.searchParams.has("attachment")) server.serializeAttachment({ name: url.searchParams.get("attachment") });
    if (url.searchParams.has("auto")) this.ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    if (url.searchParams.has("greet")) server.send("greeting");
    return new Response(null, { status: 101, webSocket: client });
  }

  async webSocketMessage(socket, message) {
    this.handled += 1;
    if (typeof message !== "string") {
      return socket.send(JSON.stringify({ type: message.constructor.name, size: message.byteLength, binaryType: socket.binaryType }));
    }
    const [what, ...given] = message.split(" ");
    if (what === "who") {
      return socket.send(JSON.stringify({ tags: this.ctx.getTags(socket), attachment: show(socket.deserializeAttachment()), count: this.ctx.getWebSockets().length, handled: this.handled, same: this.ctx.getWebSockets().includes(socket) }));
    }
    if (what === "attach") {
      socket.serializeAttachment({ text: given.join(" ") });
      return socket.send("attached");
    }
    if (what === "throw") throw new Error("in webSocketMessage");
    if (what === "constructions") return socket.send(String(await this.ctx.storage.get("constructions")));
    if (what === "close") {
      socket.close(Number(given[0]), given[1]);
      return undefined;
    }
    if (what === "closeTwice") {
      socket.close(4000, "once");
      await this.#log({ twice: await exactly(() => socket.close(4001, "twice")), state: socket.readyState, send: await attempt(() => socket.send("x")) });
      return undefined;
    }
    for (const other of this.ctx.getWebSockets()) if (other !== socket) other.send(message);
    return undefined;
  }

  async webSocketClose(socket, code, reason, wasClean) {
    await this.#log({ closed: code, reason, wasClean, state: socket.readyState, attachment: show(socket.deserializeAttachment()), listed: this.ctx.getWebSockets().includes(socket), arguments: arguments.length });
  }

  async webSocketError(socket, error) {
    await this.#log({ error: error instanceof Error, state: socket.readyState });
  }

  async #log(entry) {
    const log = (await this.ctx.storage.get("log")) ?? [];
    log.push(entry);
    await this.ctx.storage.put("log", log);
  }
}

export default {
  fetch(request, env) {
    return env.ROOM.getByName(new URL(request.url).pathname.split("/")[1]).fetch(request);
  },
};
