// The handlers of a Worker, and what stands around them.

import { env as importedEnv } from "cloudflare:workers";
import { Buffer } from "node:buffer";
import data from "./data.bin";
import html from "./page.html";
import page from "./page.md";
import { answer, attempt, show } from "./shared/show.mjs";

let log = [];
const atStart = await attempt(() => ({ now: Date.now() >= 0, env: typeof importedEnv.KV, random: typeof crypto.randomUUID() }));

const cases = {
  request: ({ request, url }) => ({ method: request.method, path: url.pathname, query: [...url.searchParams], cf: typeof request.cf, host: request.headers.get("host") === url.host, redirect: request.redirect, signal: request.signal?.aborted, body: request.body === null, headers: [...request.headers].filter(([name]) => name.startsWith("x-")) }),
  context: ({ ctx }) => ({ waitUntil: typeof ctx.waitUntil, passThroughOnException: typeof ctx.passThroughOnException, props: ctx.props, exports: typeof ctx.exports }),
  modules: () => ({ page, html, data, start: atStart }),

  waiting({ ctx }) {
    ctx.waitUntil(scheduler.wait(20).then(() => log.push("waited")));
    ctx.waitUntil(Promise.reject(new Error("rejected in waitUntil")));
    return "answered first";
  },

  log() {
    const list = log;
    log = [];
    return list;
  },

  globals: async () => ({
    types: Object.fromEntries(["Response", "HTMLRewriter", "WebSocketPair", "FixedLengthStream", "IdentityTransformStream", "scheduler", "caches", "navigator", "crypto", "structuredClone", "queueMicrotask", "URLPattern", "CompressionStream", "TextDecoderStream", "EventSource", "WebSocket", "FormData", "Blob", "File", "AbortSignal", "MessageChannel", "performance", "process", "global", "Buffer", "window", "XMLHttpRequest", "Cloudflare", "addEventListener", "self", "alert", "setImmediate"].map((name) => [name, typeof globalThis[name]])),
    agent: navigator.userAgent,
    waited: [await attempt(() => scheduler.wait(1)), await attempt(() => scheduler.wait(10_000, { signal: AbortSignal.timeout(5) })), await attempt(() => scheduler.wait(1, { signal: AbortSignal.abort() }))],
    buffer: Buffer.from("node").toString("hex"),
    timingSafeEqual: await attempt(() => crypto.subtle.timingSafeEqual(new Uint8Array([1]), new Uint8Array([1]))),
    digestStream: await attempt(async () => {
      const stream = new crypto.DigestStream("SHA-256");
      await new Response("abc").body.pipeTo(stream);
      return new Uint8Array(await stream.digest).slice(0, 4);
    }),
    fixedLength: await attempt(async () => {
      const { readable, writable } = new FixedLengthStream(3);
      const writer = writable.getWriter();
      writer.write(new Uint8Array([65, 66, 67]));
      writer.close();
      return new Response(readable).text();
    }),
    md5: await attempt(async () => (await crypto.subtle.digest("MD5", new Uint8Array())).byteLength),
  }),

  responses: async () => ({
    json: await Response.json({ a: 1 }, { status: 201 }).text(),
    error: await attempt(() => Response.error().type),
    redirect: [Response.redirect("http://x/y", 303).status, Response.redirect("http://x/y").headers.get("location")],
    status99: await attempt(() => new Response(null, { status: 99 })),
    status600: await attempt(() => new Response(null, { status: 600 })),
    status204: await attempt(() => new Response("body", { status: 204 }).status),
    cookies: new Response(null, { headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"]] }).headers.getSetCookie(),
    all: await attempt(() => new Response(null, { headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"]] }).headers.getAll("set-cookie")),
  }),

  passing: ({ request }) => ({ url: new Request(request, { method: "PUT", body: "x" }).method, clone: request.clone().url === request.url }),
};

const answers = {
  "/cookies": () => new Response("two cookies", { headers: [["set-cookie", "a=1"], ["set-cookie", "b=2; Path=/"]] }),
  "/teapot": () => new Response("short and stout", { status: 418, statusText: "I am a teapot", headers: { "x-a": "1" } }),
  "/empty": () => new Response(null, { status: 204 }),
  "/not-modified": () => new Response(null, { status: 304, headers: { etag: '"x"' } }),
  "/bytes": () => new Response(new Uint8Array([0, 1, 255])),
  "/text": () => new Response("text without a type"),
  "/form": () => new Response(new URLSearchParams({ a: "1 2" })),
  "/blob": () => new Response(new Blob(["<p>"], { type: "text/html" })),
  "/redirect": () => Response.redirect("http://example.com/there", 302),
  "/hop": () => new Response("with headers of the connection", { headers: { connection: "keep-alive", "transfer-encoding": "chunked", "keep-alive": "timeout=5", "x-kept": "yes" } }),
  "/pieces": () => {
    const { readable, writable } = new TransformStream();
    const writer = writable.getWriter();
    (async () => {
      for (let n = 1; n <= 3; n += 1) {
        await writer.write(new TextEncoder().encode(`piece ${n}\n`));
        await scheduler.wait(10);
      }
      await writer.close();
    })();
    return new Response(readable);
  },
  "/broken": () => new Response(new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode("before\n"));
    },
    async pull(controller) {
      await scheduler.wait(10);
      controller.error(new Error("the body failed"));
    },
  })),
  "/events": (request) => {
    let timer;
    request.signal.addEventListener("abort", () => log.push("signal aborted"));
    return new Response(new ReadableStream({
      start(controller) {
        const send = (n) => controller.enqueue(new TextEncoder().encode(`data: ${n}\n\n`));
        let n = 0;
        send(n);
        timer = setInterval(() => send((n += 1)), 20);
      },
      cancel() {
        clearInterval(timer);
        log.push("cancelled");
      },
    }), { headers: { "content-type": "text/event-stream", "cache-control": "no-cache" } });
  },
  "/throw": () => {
    throw new Error("thrown by the handler");
  },
  "/reject": async () => {
    throw "a text";
  },
  "/number": () => 5,
  "/plain-object": () => ({ status: 200 }),
};

export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    if (answers[url.pathname]) return answers[url.pathname](request);
    if (url.pathname === "/cron") return Response.json((await env.KV.get("cron", "json")) ?? []);
    return answer(cases, url.pathname.slice(1), { request, env, ctx, url });
  },

  async scheduled(controller, env, ctx) {
    const seen = (await env.KV.get("cron", "json")) ?? [];
    seen.push({ cron: controller.cron, time: typeof controller.scheduledTime, type: controller.type, noRetry: typeof controller.noRetry, waitUntil: typeof ctx.waitUntil });
    await env.KV.put("cron", JSON.stringify(show(seen)));
    if (controller.cron === "0 0 1 1 *") throw new Error("the scheduled handler failed");
  },
};
