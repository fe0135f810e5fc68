// Pairs whose both ends stay inside.

import { attempt, exactly } from "./shared/show.mjs";

const event = (socket, type) => new Promise((resolve) => socket.addEventListener(type, resolve, { once: true }));

export const inside = {
  async pair() {
    const pair = new WebSocketPair();
    const [one, two] = Object.values(pair);
    const result = { keys: Object.keys(pair), same: pair[0] === one && pair[1] === two, constructor: one.constructor.name, states: [one.readyState, two.readyState], url: one.url, protocol: one.protocol, extensions: one.extensions };
    result.sendBefore = await attempt(() => one.send("x"));
    result.closeBefore = await attempt(() => new WebSocketPair()[0].close(1000));
    one.accept();
    result.acceptAgain = await attempt(() => one.accept());
    one.send("first");
    one.send("second");
    const received = [];
    const both = new Promise((resolve) => two.addEventListener("message", ({ data }) => received.push(data) === 2 && resolve()));
    two.accept();
    await both;
    const message = event(one, "message");
    two.send(new Uint8Array([1, 2]));
    const { data } = await message;
    result.received = received;
    result.binary = data instanceof Blob ? new Uint8Array(await data.arrayBuffer()) : data;
    const closed = event(two, "close");
    one.close(3001, "bye");
    const { code, reason, wasClean, type } = await closed;
    return { ...result, closed: { code, reason, wasClean, type }, after: [one.readyState, two.readyState] };
  },

  constants: () => ({ CONNECTING: [WebSocket.CONNECTING, WebSocket.READY_STATE_CONNECTING], OPEN: [WebSocket.OPEN, WebSocket.READY_STATE_OPEN], CLOSING: [WebSocket.CLOSING], CLOSED: [WebSocket.CLOSED, WebSocket.READY_STATE_CLOSED], instance: new WebSocketPair()[0].OPEN }),

  async closeCodes() {
    const result = {};
    for (const code of [undefined, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1009, 1011, 1012, 1015, 1016, 2999, 3000, 4999, 5000, 0, -1, "1000", "x", 1000.9]) {
      const [one, two] = Object.values(new WebSocketPair());
      one.accept();
      two.accept();
      const closed = event(two, "close");
      result[String(code)] = await attempt(async () => {
        one.close(code);
        const { code: got, reason, wasClean } = await closed;
        return { got, reason, wasClean };
      });
    }
    return result;
  },

  async closeReasons() {
    const result = {};
    for (const [name, given] of Object.entries({ none: [], codeOnly: [1000], text: [1000, "r"], long123: [1000, "x".repeat(123)], long124: [1000, "x".repeat(124)], reasonOnly: [undefined, "r"], number: [1000, 5] })) {
      const [one, two] = Object.values(new WebSocketPair());
      one.accept();
      two.accept();
      const closed = event(two, "close");
      result[name] = await attempt(async () => {
        one.close(...given);
        const { code, reason } = await closed;
        return { code, reason: reason.length };
      });
    }
    return result;
  },

  /** The caller of an object takes the socket itself. */
  async throughFetch({ env }) {
    const stub = env.ROOM.getByName("through fetch");
    const response = await stub.fetch("http://x/room/y", { headers: { upgrade: "websocket" } });
    const socket = response.webSocket;
    const received = [];
    const enough = new Promise((resolve) => socket.addEventListener("message", ({ data }) => received.push(data) === 2 && resolve()));
    socket.accept();
    socket.send("hello");
    await enough;
    const closed = event(socket, "close");
    socket.send("close me");
    const { code, reason } = await closed;
    return { status: response.status, received, code, reason, plain: (await stub.fetch("http://x/room/y")).webSocket };
  },

  async construct() {
    return {
      status: await attempt(() => new Response(null, { status: 101 }).status),
      other: await attempt(() => new Response(null, { status: 200, webSocket: new WebSocketPair()[0] }).status),
      notASocket: await attempt(() => new Response(null, { status: 101, webSocket: {} }).status),
      pairCall: await attempt(() => WebSocketPair()),
      nullSocket: await attempt(() => new Response("x", { webSocket: null }).webSocket),
    };
  },

  async events() {
    const [one, two] = Object.values(new WebSocketPair());
    const log = [];
    two.addEventListener("message", { handleEvent: ({ data }) => log.push(`object ${data}`) });
    two.onmessage = ({ data, type, target }) => log.push(`property ${data} ${type} ${target === two}`);
    two.addEventListener("message", () => log.push("once"), { once: true });
    const removed = () => log.push("removed");
    two.addEventListener("message", removed);
    two.removeEventListener("message", removed);
    const closed = event(two, "close");
    one.accept();
    two.accept();
    one.send("a");
    one.send("b");
    one.close();
    await closed;
    return log;
  },

  async serialize() {
    const socket = new WebSocketPair()[0];
    return { attachment: await attempt(() => socket.deserializeAttachment()), set: await exactly(() => (socket.serializeAttachment({ a: 1 }), socket.deserializeAttachment())) };
  },
};
