import { raw } from "../raw.mjs";

export const application = "ws";

/** Opens a path, reads so many messages, and closes. */
const reads = (path, count = 1, init = {}) => async (t) => {
  const socket = await t.socket(path, { as: path, ...init });
  for (let n = 0; n < count; n += 1) await socket.next();
  socket.close(1000);
  await socket.closed();
};
const logged = (t, word) => t.until(async () => (await t.ask("GET", "/log")).text.includes(word), `${word} in the log`);

export const scripts = {
  "texts and bytes come back": async (t) => {
    const socket = await t.socket("/echo");
    for (const message of ["text", "", "\u{1f600}\u00df", '{"a":1}', new Uint8Array([0, 255]), new Uint8Array()]) {
      socket.send(message);
      await socket.next();
    }
    socket.close(1000, "bye");
    await socket.closed();
  },
  "what a socket is": async (t) => {
    const socket = await t.socket("/shape?a=1&b=2", { headers: { "x-own": "mine" } });
    await socket.next();
  },
  "messages of listeners are buffers": async (t) => {
    const socket = await t.socket("/types");
    socket.send('{"a":1}');
    await socket.next();
    socket.send(new Uint8Array([123, 125]));
    await socket.next();
  },
  "messages of event listeners": async (t) => {
    const socket = await t.socket("/events");
    socket.send("text");
    await socket.next();
    socket.send(new Uint8Array([1, 171]));
    await socket.next();
    socket.close(4005, "event");
    await socket.closed();
    await logged(t, "4005");
    t.note("log", (await t.ask("GET", "/log")).json.filter(([kind]) => kind === "close event"));
  },
  "onmessage and onclose": async (t) => {
    const socket = await t.socket("/properties");
    socket.send("text");
    await socket.next();
    socket.close(4006, "property");
    await socket.closed();
    await logged(t, "4006");
    t.note("log", (await t.ask("GET", "/log")).json.filter(([kind]) => kind === "onclose"));
  },
  "once, off and listenerCount": async (t) => {
    const socket = await t.socket("/once");
    for (const [word, count] of [["one", 3], ["stop", 2], ["two", 1]]) {
      socket.send(word);
      for (let n = 0; n < count; n += 1) await socket.next();
    }
  },
  "all that can be sent": reads("/sends", 10),
  "what cannot be sent": reads("/send-fails"),
  "sending after the close": async (t) => {
    const socket = await t.socket("/after-close");
    await socket.closed();
    await logged(t, "after close");
    t.note("log", (await t.ask("GET", "/log")).json.filter(([kind]) => kind === "after close"));
  },
  "the server closes": async (t) => {
    for (const code of [1000, 1001, 1008, 1011, 3000, 4999, "none", "terminate"]) {
      const socket = await t.socket(`/closes/${code}`, { as: `closes ${code}` });
      await socket.closed();
    }
  },
  "the client closes": async (t) => {
    for (const [name, code, reason] of [["a", 1000, ""], ["b", 4000, "reason"], ["c", undefined, undefined], ["d", "drop"]]) {
      const socket = await t.socket(`/close-log/${name}`, { as: name });
      await socket.next();
      if (code === "drop") socket.drop();
      else socket.close(code, reason);
      await logged(t, `"close","${name}"`);
      t.note(name, (await t.ask("GET", "/log")).json.filter(([kind, of]) => kind === "close" && of === name));
    }
  },
  "pings and pongs": async (t) => {
    const socket = await t.socket("/pings");
    await socket.next();
    await socket.next();
    socket.ping("hello");
    await socket.next();
  },
  "handlers that fail": async (t) => {
    for (const name of ["throws", "rejects", "rejects-later"]) {
      const socket = await t.socket(`/${name}`, { as: name });
      await socket.closed();
    }
    await logged(t, "later");
    t.note("log", (await t.ask("GET", "/log")).json.filter(([kind]) => kind === "errorHandler"));
  },
  "parameters, wildcards and queries": async (t) => {
    await reads("/params/a%20b?x=1&x=2")(t);
    await reads("/wild/a/b")(t);
    await reads("/wild/")(t);
  },
  "prefixes": async (t) => {
    for (const path of ["/prefix", "/prefix/", "/prefix/7", "/prefix/deep/a/b", "/prefix/deep"]) await reads(path)(t);
  },
  "one path for both": async (t) => {
    await t.get("/twofold");
    await reads("/twofold")(t);
    await t.request("HEAD", "/twofold");
  },
  "plain requests to routes of sockets": async (t) => {
    await t.get("/echo");
    await t.request("HEAD", "/echo");
    await t.request("POST", "/echo");
    await t.get("/wild/x");
    await t.get("/http");
  },
  "sockets to paths without one": async (t) => {
    const missing = await t.socket("/nowhere");
    t.note("status", missing.status);
    const http = await t.socket("/http");
    if (http.status === 101) await http.closed();
    const posted = await t.socket("/prefix/deep/", { as: "empty wildcard" });
    if (posted.status === 101) await posted.next();
  },
  "hooks of a socket": async (t) => {
    await reads("/hooked/ordered")(t);
    await t.until(async () => (await t.ask("GET", "/hook-log")).text.includes("closed"), "the close");
    await t.get("/hook-log");
  },
  "hooks that refuse": async (t) => {
    for (const name of ["onRequest", "preParsing", "preValidation", "preHandler"]) {
      for (const way of ["throws", "answers"]) await t.socket(`/guarded/${name}/${way}`, { as: `${name} ${way}` });
    }
    await t.socket("/guarded/error-handler", { as: "error handler" });
    await t.socket("/guarded/schema", { as: "schema" });
    await t.get("/guarded/onRequest/throws");
    await t.get("/guarded/schema?token=1");
  },
  "hooks that are slow lose no message": async (t) => {
    const socket = await t.socket("/guarded/slow");
    socket.send("one");
    socket.send("two");
    await socket.next();
    await socket.next();
  },
  "hooks leave something on the request": reads("/guarded/user"),
  "listeners before the first await": async (t) => {
    const socket = await t.socket("/async-listener");
    socket.send("x");
    // Which one is first depends on the machine.
    t.note("both", [await socket.unrecorded(), await socket.unrecorded()].sort());
  },
  "a room": async (t) => {
    const [a, b, c] = [await t.socket("/room/red", { as: "a" }), await t.socket("/room/red", { as: "b" }), await t.socket("/room/blue", { as: "c" })];
    for (const socket of [a, b, c]) await socket.next();
    a.send("hello");
    await a.next();
    await b.next();
    c.send("alone");
    await c.next();
  },
  "pause and resume": async (t) => {
    const socket = await t.socket("/pause");
    socket.send("pause");
    await socket.next();
    socket.send("while paused");
    await socket.next();
    await socket.next();
  },
  "messages up to the limit": async (t) => {
    const socket = await t.socket("/echo");
    for (const size of [125, 126, 16_383, 16_384, 16_385, 65_535, 65_536]) {
      socket.send("x".repeat(size));
      t.note(`of ${size}`, (await socket.unrecorded()).length);
    }
  },
  "messages over the limit": async (t) => {
    const socket = await t.socket("/echo");
    socket.send("x".repeat(65_537));
    await socket.closed();
  },
  "declarations that are refused": async (t) => {
    await t.get("/refused");
  },
  "sockets from inside": async (t) => {
    for (const form of ["open", "missing", "refused"]) await t.get(`/inject/${form}`);
  },
  "frames that break the protocol": async (t) => {
    await raw(t, "/echo", "an unmasked frame", [0x81, 0x01, 0x61]);
    await raw(t, "/echo", "a reserved bit", [0xc1, 0x80, 0, 0, 0, 0]);
    await raw(t, "/echo", "an unknown opcode", [0x83, 0x80, 0, 0, 0, 0]);
    await raw(t, "/echo", "text that is no UTF-8", [0x81, 0x81, 0, 0, 0, 0, 0xff]);
    await raw(t, "/echo", "a close of one byte", [0x88, 0x81, 0, 0, 0, 0, 0x03]);
    await raw(t, "/echo", "a close with a code that is none", [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xed]);
    await raw(t, "/echo", "a continuation of nothing", [0x80, 0x80, 0, 0, 0, 0]);
    await raw(t, "/echo", "a long ping", [0x89, 0xfe, 0, 126, 0, 0, 0, 0, ...new Array(126).fill(97)]);
  },
  "handshakes that are not well formed": async (t) => {
    const base = { connection: "Upgrade", upgrade: "websocket" };
    await t.request("GET", "/echo", { headers: { ...base, "sec-websocket-version": "13" }, as: "without a key" });
    await t.request("GET", "/echo", { headers: { ...base, "sec-websocket-version": "13", "sec-websocket-key": "short" }, as: "with a bad key" });
    await t.request("GET", "/echo", { headers: { ...base, "sec-websocket-version": "9", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==" }, as: "with an old version" });
    await t.request("GET", "/echo", { headers: { connection: "Upgrade", upgrade: "nonsense", "sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==" }, as: "another protocol" });
  },
};
