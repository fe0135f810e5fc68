// What Workers have of the web in their own way: headers as UTF-8, methods, streams of bytes, events of streams.

const encoded = (text) => new TextEncoder().encode(text);

/** What a function gives, or its error. */
async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    return error.name;
  }
}

async function all(tries) {
  const results = {};
  for (const [name, work] of Object.entries(tries)) results[name] = (await attempt(work)) ?? null;
  return Response.json(results);
}

/** What the stream of the last answer to /written has seen. */
let seen = [];

function written() {
  seen = [];
  let chunks = 0;
  return new ReadableStream({
    pull(controller) {
      seen.push("pull");
      if (chunks++ < 3) controller.enqueue(encoded("chunk"));
      else controller.close();
    },
    cancel() {
      seen.push("cancel");
    },
  }, { highWaterMark: 0 });
}

function piped(ctx) {
  seen = [];
  const { readable, writable } = new TransformStream();
  const writer = writable.getWriter();
  ctx.waitUntil((async () => {
    try {
      await writer.write(encoded("a"));
      await writer.close();
      seen.push("closed");
    } catch (error) {
      seen.push(error.name);
    }
  })());
  return readable;
}

/** All that a reader gives with buffers of a size. */
async function reads(stream, size, least) {
  const reader = stream.getReader({ mode: "byob" });
  const results = [];
  while (true) {
    const buffer = new Uint8Array(size);
    const { value, done } = await (least === undefined ? reader.read(buffer) : reader.readAtLeast(least, buffer));
    results.push([done, value?.length]);
    if (done) return results;
  }
}

const bytesInTwo = () =>
  new ReadableStream({
    type: "bytes",
    start(controller) {
      controller.enqueue(new Uint8Array(3));
      controller.enqueue(new Uint8Array(3));
      controller.close();
    },
  });

/** What an EventSource of a stream dispatches until it ends. */
function eventsOf(stream, types = []) {
  const source = EventSource.from(stream);
  const events = [[source.url, source.readyState, source.withCredentials, source instanceof EventSource, source instanceof EventTarget]];
  for (const type of ["message", ...types]) {
    source.addEventListener(type, (event) => events.push([event.constructor.name, event.type, event.data, event.lastEventId]));
  }
  return new Promise((resolve) => {
    source.onerror = (event) => {
      events.push([event.constructor.name, String(event.error), source.readyState]);
      resolve(events);
    };
  });
}

const failing = () =>
  new ReadableStream({
    start(controller) {
      controller.error(new Error("bad"));
    },
  });

const TEXT = "encoded ".repeat(20);

/** A Response of a text, with `Content-Encoding`. */
const encodedAs = (coding, init = {}) => () => new Response(TEXT, { ...init, headers: { "Content-Encoding": coding, ...init.headers } });

/** The text that passes through a stream, or the error of writing it. */
async function passed({ readable, writable }, ...chunks) {
  const writer = writable.getWriter();
  const text = new Response(readable).text();
  text.catch(() => {});
  for (const chunk of chunks) await writer.write(chunk);
  await writer.close();
  return text;
}

/** A stream that says how long it is. */
function fixed(text, length) {
  const { readable, writable } = new FixedLengthStream(length);
  const writer = writable.getWriter();
  writer.write(encoded(text));
  writer.close();
  return readable;
}

const methodOf = (method) => () => new Request("http://x/", { method }).method;

const routes = {
  "/written": () => new Response(written()),
  "/piped": (_request, ctx) => new Response(piped(ctx)),
  "/length": () => new Response(null, { headers: { "Content-Length": "12" } }),
  "/seen": () => Response.json(seen),
  "/echo": ({ headers }) => Response.json([...headers].filter(([name]) => /^x-.$/.test(name))),
  "/sent": () => new Response(null, { headers: [["X-A", "\u00e9"], ["X-B", "\u65e5\u672c"], ["X-C", "\u{1f600}"]] }),
  "/headers": () =>
    all({
      record: () => [...new Headers({ a: "\u00e9\u65e5\u{1f600}" })],
      list: () => [...new Headers([["a", "\u65e5"]])],
      map: () => [...new Headers(new Map([["a", "\u65e5"]]))],
      append: () => {
        const headers = new Headers();
        headers.append("a", "\u00e9");
        headers.append("a", "\u65e5");
        headers.set("b", "\u{1f600}");
        return [headers.get("a"), [...headers]];
      },
      line: () => [...new Headers({ a: "x\ny" })],
      cookies: () => {
        const headers = new Headers();
        headers.append("Set-Cookie", "a=\u00e9");
        headers.append("Set-Cookie", "b=2");
        return [headers.getSetCookie(), headers.getAll("set-cookie"), headers.get("Set-Cookie")];
      },
    }),
  "/fetched": async ({ url }) => {
    const echoed = await fetch(new URL("/echo", url), { headers: { "X-A": "\u00e9", "X-B": "\u65e5\u{1f600}" } });
    const sent = await fetch(new URL("/sent", url));
    return Response.json([await echoed.json(), ["X-A", "X-B", "X-C"].map((name) => sent.headers.get(name))]);
  },
  "/methods": () =>
    all({
      patch: methodOf("patch"),
      mixed: methodOf("Patch"),
      get: methodOf("get"),
      propfind: methodOf("propfind"),
      purge: methodOf("purge"),
      query: methodOf("query"),
      invalid: methodOf("a b"),
      copy: () => new Request(new Request("http://x/", { method: "patch" })).method,
    }),
  "/method": ({ method }) => new Response(method),
  "/fetched-method": async ({ url }) => {
    const methods = ["patch", "Delete", "propfind"];
    return Response.json(await Promise.all(methods.map(async (method) => (await fetch(new URL("/method", url), { method })).text())));
  },
  "/form": async (request) =>
    Response.json([...await request.formData()].map(([name, value]) => typeof value === "string" ? [name, value] : [name, "file", value.name, value.size])),
  "/text": async (request) => Response.json((await request.text()).length),
  "/json": async (request) => Response.json(await request.json()),
  "/texts": () =>
    all({
      text: async () => (await new Response("\ufeffabc").text()).length,
      json: () => new Response('\ufeff{"a":1}').json(),
      bytes: async () => (await new Response("\ufeffabc").bytes()).length,
    }),
  "/body": async (request) => Response.json(await reads(request.body, 4)),
  "/body-at-least": async (request) => Response.json(await reads(request.body, 8, 6)),
  "/byob": () =>
    all({
      text: () => reads(new Response("hello").body, 4),
      bytes: () => reads(new Response(new Uint8Array(5)).body, 4),
      copied: async () => {
        const bytes = new Uint8Array(5);
        await reads(new Response(bytes).body, 4);
        return bytes.length;
      },
      blob: () => reads(new Blob(["hello"]).stream(), 4),
      own: () => reads(bytesInTwo(), 5, 4),
      cloned: () => {
        const response = new Response("abc");
        response.clone();
        return reads(response.body, 8);
      },
      "at least": () => reads(new Response("hello").body, 4, 2),
      nothing: () => reads(new Response("hello").body, 4, 0),
      "too much": () => reads(new Response("hello").body, 4, 5),
      "no buffer": () => new Response("hello").body.getReader({ mode: "byob" }).readAtLeast(2),
      offset: async () => {
        const view = new Uint8Array(new ArrayBuffer(10), 3, 4);
        const { value } = await new Response("hello").body.getReader({ mode: "byob" }).readAtLeast(2, view);
        return [value.length, value.byteOffset, value.buffer.byteLength];
      },
      "no bytes": () => new ReadableStream().getReader({ mode: "byob" }),
      default: async () => (await new Response("abc").body.getReader().read()).value.length,
      teed: async () => Promise.all(new Response("abc").body.tee().map((stream) => new Response(stream).text())),
      again: async () => new Response(new Response("abc").body).text(),
    }),
  "/fixed": () => new Response(fixed("abc", 3)),
  "/fixed-with-type": () => new Response(fixed("abc", 3), { headers: { "Content-Type": "text/plain" } }),
  "/fixed-in-gzip": () => new Response(fixed("abc", 3), { headers: { "Content-Encoding": "gzip" } }),
  "/blob": () => new Response(new Blob(["abc"])),
  "/identity": () => {
    const { readable, writable } = new IdentityTransformStream();
    new Response("abc").body.pipeTo(writable);
    return new Response(readable);
  },
  "/length-of": ({ headers }) => Response.json(headers.get("Content-Length")),
  "/fetched-fixed": async ({ url }) => fetch(new URL("/length-of", url), { method: "POST", body: fixed("abc", 3) }),
  "/chunks": () =>
    all({
      identity: () => passed(new IdentityTransformStream(), "str\u00e9", new Uint16Array([0x6161]), encoded("b").buffer),
      fixed: () => passed(new FixedLengthStream(4), "\u00e9", new Uint16Array([0x6161])),
      number: () => passed(new IdentityTransformStream(), 5),
      longer: () => passed(new FixedLengthStream(1), "\u00e9"),
      shorter: () => passed(new FixedLengthStream(3), "\u00e9"),
      lengths: () => Promise.all([NaN, -1, "3", undefined, 2n, 2 ** 60].map((length) => attempt(() => new FixedLengthStream(length).constructor.name))),
    }),
  "/gzip": encodedAs("gzip"),
  "/length-and-gzip": encodedAs("gzip", { headers: { "Content-Length": String(TEXT.length) } }),
  "/manual": encodedAs("gzip", { encodeBody: "manual" }),
  "/other-coding": encodedAs("deflate"),
  "/two-codings": encodedAs("gzip, br"),
  "/set-later": () => {
    const response = new Response(TEXT);
    response.headers.set("content-encoding", "gzip");
    return response;
  },
  "/stream": () => new Response(written(), { headers: { "Content-Encoding": "gzip" } }),
  "/nothing": () => new Response(null, { headers: { "Content-Encoding": "gzip" } }),
  "/copied": () => new Response(TEXT, encodedAs("gzip", { encodeBody: "manual" })()),
  "/cloned": () => encodedAs("gzip", { encodeBody: "manual" })().clone(),
  "/wrong": () => all({ encodeBody: () => new Response("", { encodeBody: "other" }) }),
  "/events": () =>
    all({
      fields: () => eventsOf(new Response("retry: 1\nid: 5\nevent: foo\ndata: a\ndata: b\n\ndata: c\n\n: comment\n\ndata\n\nother: 1\ndata:  d\n\ndata: tail\n").body, ["foo"]),
      lines: () => eventsOf(new Response("\ufeffdata: a\r\rdata: b\r\n\r\nid\ndata: c\n\n").body),
      parts: () => eventsOf(new Response(new ReadableStream({
        start(controller) {
          for (const part of ["da", "ta: 1", "\n", "\nda", "ta: x\r\n", "\r\n", "data: "]) controller.enqueue(encoded(part));
          for (const byte of encoded("\u00e9\u65e5\n\n")) controller.enqueue(new Uint8Array([byte]));
          controller.close();
        },
      })).body),
      failing: () => eventsOf(failing()),
      locked: () => {
        const stream = new ReadableStream();
        stream.getReader();
        EventSource.from(stream);
      },
      none: () => EventSource.from({}),
      closed: async () => {
        const source = EventSource.from(new ReadableStream());
        source.close();
        return source.readyState;
      },
    }),
};

export default {
  fetch(request, _env, ctx) {
    const route = routes[new URL(request.url).pathname];
    return route === undefined ? new Response("nothing here", { status: 404 }) : route(request, ctx);
  },
};
