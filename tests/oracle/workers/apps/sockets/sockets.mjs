import { show } from "./shared/show.mjs";

function accepted(options) {
  const [client, server] = Object.values(new WebSocketPair());
  server.accept(options);
  return { client, server, answer: (init = {}) => new Response(null, { status: 101, webSocket: client, ...init }) };
}

function kindOf(data) {
  if (typeof data === "string") return "string";
  if (data instanceof ArrayBuffer) return "ArrayBuffer";
  return data instanceof Blob ? "Blob" : typeof data;
}

/** What the last sockets saw: the events that a client cannot see. */
let seen = [];

export const sockets = {
  seen() {
    const list = seen;
    seen = [];
    return Response.json(show(list));
  },

  echo() {
    const { server, answer } = accepted();
    server.addEventListener("message", ({ data }) => server.send(data instanceof Blob ? "a blob" : data));
    return answer();
  },

  /** Answers with the type of each message, its `binaryType` chosen by the query. */
  types({ url }) {
    const { server, answer } = accepted();
    const wanted = url.searchParams.get("type");
    const start = server.binaryType;
    let failure = null;
    if (wanted) {
      try {
        server.binaryType = wanted;
      } catch (error) {
        failure = error.name;
      }
    }
    server.addEventListener("message", async ({ data }) => {
      const size = data.size ?? data.byteLength ?? data.length;
      server.send(JSON.stringify({ kind: kindOf(data), size, start, now: server.binaryType, failure }));
    });
    return answer();
  },

  /** Sends before the client can have answered. */
  greets() {
    const { server, answer } = accepted();
    for (const text of ["one", "two", "three"]) server.send(text);
    server.send(new Uint8Array([1, 2, 3]));
    server.send(new Uint8Array([4, 5, 6]).subarray(1));
    server.send(new Uint8Array([7]).buffer);
    server.send("");
    server.send("\u00e9\u{1F600}");
    return answer();
  },

  /** The server's end is accepted only when a message is long there. */
  late({ ctx }) {
    const [client, server] = Object.values(new WebSocketPair());
    ctx.waitUntil((async () => {
      await scheduler.wait(50);
      server.addEventListener("message", ({ data }) => server.send(`got ${data}`));
      server.accept();
    })());
    return new Response(null, { status: 101, webSocket: client });
  },

  /** Does with the socket what each message asks for. */
  told() {
    const { server, answer } = accepted();
    const attempt = (work) => {
      try {
        work();
        return "done";
      } catch (error) {
        return `${error.name}${error.code === undefined || error.name === "TypeError" ? "" : ` ${error.code}`}`;
      }
    };
    server.addEventListener("message", ({ data }) => {
      const [what, ...given] = JSON.parse(data);
      if (what === "close") {
        const outcome = attempt(() => server.close(...given));
        if (outcome !== "done") return server.send(outcome);
        seen.push({ state: server.readyState, again: attempt(() => server.close(1000)), send: attempt(() => server.send("after close")) });
      }
      if (what === "longReason") server.send(attempt(() => server.close(3000, "\u00e9".repeat(given[0]))));
      if (what === "accept") server.send(attempt(() => server.accept()));
      if (what === "state") server.send(`state ${server.readyState}`);
      if (what === "throw") throw new Error("in the listener");
      if (what === "send") server.send(attempt(() => server.send(given[0] === "number" ? 5 : given[0] === "object" ? {} : null)));
    });
    for (const type of ["close", "error"]) {
      server.addEventListener(type, (event) => {
        seen.push({ type, code: event.code, reason: event.reason, wasClean: event.wasClean, state: server.readyState, message: event.message === undefined ? "none" : "some" });
      });
    }
    return answer();
  },

  /** Answers a close of the client by one of its own. */
  replies() {
    const { server, answer } = accepted();
    server.addEventListener("close", (event) => {
      let outcome = "done";
      try {
        server.close(4001, "own reply");
      } catch (error) {
        outcome = error.name;
      }
      seen.push({ code: event.code, reason: event.reason, wasClean: event.wasClean, outcome, state: server.readyState });
    });
    return answer();
  },

  halfOpen() {
    const { server, answer } = accepted({ allowHalfOpen: true });
    server.addEventListener("close", async (event) => {
      const states = [server.readyState];
      server.send("still open");
      server.close(4002, "closed later");
      states.push(server.readyState);
      seen.push({ code: event.code, states });
    });
    return answer();
  },

  protocol({ request }) {
    const { server, answer } = accepted();
    server.send(request.headers.get("sec-websocket-protocol") ?? "none");
    return answer({ headers: { "sec-websocket-protocol": "second", "x-extra": "1" } });
  },

  counting() {
    const { server, answer } = accepted();
    for (let n = 0; n < 30; n += 1) server.send(String(n));
    server.close(1000, "counted");
    return answer();
  },

  refuses: () => new Response("no sockets today", { status: 403, headers: { "x-why": "closed" } }),
  noSocket: () => new Response(null, { status: 101 }),

  acceptedEnd() {
    const [client, server] = Object.values(new WebSocketPair());
    client.accept();
    server.accept();
    return new Response(null, { status: 101, webSocket: client });
  },
};
