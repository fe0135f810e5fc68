// Applications of Express, Koa and Connect, and plain `(req, res)` functions, mounted in mounted/app/.

import assert from "node:assert/strict";
import http from "node:http";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { serve } from "./support.mjs";

const PATIENCE = 30_000;
let host, origin;

before(async () => {
  host = serve(fileURLToPath(new URL("mounted", import.meta.url)), {});
  origin = await host.started;
});
after(() => host.stop());

async function ask(path, init = {}) {
  const signal = AbortSignal.timeout(PATIENCE);
  const response = await fetch(origin + path, { redirect: "manual", signal, ...init });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) };
}

/** One request over an agent, by Node's own client. */
function request(path, { agent, method = "GET", headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const sent = http.request(origin + path, { agent, method, headers }, async (response) => {
      let text = "";
      try {
        for await (const chunk of response.setEncoding("utf8")) text += chunk;
      } catch (error) {
        return reject(error);
      }
      resolve({ status: response.statusCode, message: response.statusMessage, headers: response.headers, text });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** Asks until an answer is as wanted. */
async function until(path, isWanted) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const answer = await ask(path);
    if (isWanted(answer)) return answer;
    assert.ok(Date.now() < end, `${path} still answers ${answer.text}\n${host.log()}`);
  }
}

const json = (value) => ({ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(value) });

test("a router sees the path below the folder", async () => {
  const answer = await ask("/five/users/7?q=1");
  assert.deepEqual(answer.json(), { id: "7", base: "/five/users", url: "/7?q=1", original: "/five/users/7?q=1" });
  const older = await ask("/four/users/7?q=1");
  assert.deepEqual(older.json(), { id: "7", original: "/four/users/7?q=1" });
});

test("a request is as Node has it", async () => {
  const answer = await ask("/five/request?a=b", { headers: { cookie: "c=d", "x-agent": "me" } });
  assert.deepEqual(answer.json(), {
    method: "GET",
    url: "/request?a=b",
    httpVersion: "1.1",
    ip: "127.0.0.1",
    protocol: "http",
    hostname: "127.0.0.1",
    cookies: { c: "d" },
    address: "127.0.0.1",
    agent: "me",
    raw: true,
  });
});

test("bodies are parsed", async () => {
  const created = await ask("/five/echo", json({ a: [1] }));
  assert.equal(created.status, 201);
  assert.deepEqual(created.json(), { a: [1] });
  assert.deepEqual((await ask("/four/echo", json({ b: 2 }))).json(), { b: 2 });
  const form = await ask("/four/echo", { method: "POST", body: new URLSearchParams({ c: "3" }) });
  assert.deepEqual(form.json(), { c: "3" });
});

test("a body that a parser refuses is the client's mistake", async () => {
  const broken = await ask("/five/echo", { ...json(1), body: "{" });
  assert.equal(broken.status, 400, broken.text);
  const large = await ask("/five/echo", json("x".repeat(3_000_000)));
  assert.equal(large.status, 413, large.text);
});

test("a big body streams in, and one over the server's limit is refused", async () => {
  const body = "x".repeat(8_000_000);
  assert.equal((await ask("/plain/upload", { method: "POST", body })).text, "8000000");
  assert.deepEqual((await ask("/five/count", { method: "POST", body })).json(), { size: 8_000_000 });
  const refused = await ask("/plain/upload", { method: "POST", body: "x".repeat(11_000_000) });
  assert.equal(refused.status, 413, refused.text);
});

test("an echo pipes the request into the answer", async () => {
  const body = "0123456789".repeat(100_000);
  assert.equal((await ask("/plain/echo", { method: "POST", body })).text, body);
});

test("redirects, cookies and statuses go out as they are", async () => {
  const moved = await ask("/five/old");
  assert.equal(moved.status, 301);
  assert.equal(moved.headers.get("location"), "/five/users/1");
  const cookies = (await ask("/five/cookies")).headers.getSetCookie();
  assert.deepEqual(cookies, ["visit=1; Path=/", "a=1; Path=/", "b=2; Path=/; HttpOnly"]);
  const empty = await ask("/five/empty");
  assert.deepEqual([empty.status, empty.text], [204, ""]);
  const attached = await ask("/four/download");
  assert.equal(attached.headers.get("content-disposition"), 'attachment; filename="a.txt"');
});

test("a list of headers, HEAD and 304", async () => {
  const whole = await request("/plain/head");
  assert.deepEqual([whole.status, whole.headers["x-number"], whole.text], [200, "1, 2", "body"]);
  const head = await request("/five/tagged", { method: "HEAD" });
  assert.deepEqual([head.status, head.headers["content-length"], head.text], [200, "23", ""]);
  const tag = head.headers.etag;
  const same = await request("/five/tagged", { headers: { "if-none-match": tag } });
  assert.deepEqual([same.status, same.text, same.headers.etag], [304, "", tag]);
  const plain = await request("/plain/not-modified");
  assert.deepEqual([plain.status, plain.headers.etag], [304, '"1"']);
});

test("requests and answers are of Node's classes", async () => {
  assert.deepEqual((await ask("/plain/classes")).json(), [true, true]);
});

test("listen() is refused, with what to do instead", async () => {
  assert.match((await ask("/plain/listen")).text, /^listen\(3000\) is not available .* `export default app`/);
});

test("answers stream", async () => {
  assert.equal((await ask("/five/pieces")).text, "one two three");
  assert.equal((await ask("/five/pipe")).text, "ab");
  assert.match((await ask("/five/file")).text, /^import \{ createReadStream \}/);
  const bytes = await fetch(`${origin}/five/bytes`);
  assert.deepEqual([...new Uint8Array(await bytes.arrayBuffer())], [0, 255, 128]);
  assert.equal((await ask("/koa/stream")).text, "ab");
});

test("a big answer waits for the client", async () => {
  const { text, headers } = await ask("/five/big?size=20000000");
  assert.equal(text.length, 20_000_000);
  assert.equal(headers.get("content-length"), "20000000");
  await until("/five/ends", ({ text }) => text.includes("big with back-pressure"));
});

test("server-sent events come one by one, and the end of the client is noticed", async () => {
  const controller = new AbortController();
  const response = await fetch(`${origin}/five/events`, { signal: controller.signal });
  assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  let text = "";
  for await (const chunk of response.body) {
    text += Buffer.from(chunk);
    if (text.includes("data: 3")) break;
  }
  controller.abort();
  assert.match(text, /^data: 1\n\ndata: 2\n\n/);
  await until("/five/ends", ({ text }) => text.includes("events"));
});

test("a client that leaves closes the request and the answer", async () => {
  const agent = new http.Agent();
  const sent = http.get(`${origin}/five/wait`, { agent });
  sent.on("error", () => {});
  const { log } = host;
  await new Promise((resolve) => sent.on("socket", (socket) => socket.on("connect", resolve)));
  await ask("/five/ends");
  sent.destroy();
  const { text } = await until("/five/ends", ({ text }) => text.includes('"res"'));
  assert.ok(text.includes('"req"'), text + log());
});

test("finish is emitted", async () => {
  assert.equal((await ask("/five/late")).text, "sent");
  await until("/five/ends", ({ text }) => text.includes("finish"));
});

test("errors go to the application's handlers, then to the host", async () => {
  const handled = await ask("/five/handled");
  assert.deepEqual([handled.status, handled.text], [418, "by its own handler"]);
  assert.equal((await ask("/five/fails")).status, 500);
  assert.equal((await ask("/five/rejects")).status, 500);
  assert.equal((await ask("/connect/fails")).status, 500);
  assert.equal((await ask("/five/status")).status, 403);
  assert.equal((await ask("/koa/fails")).status, 409);
  for (const message of ["an error of the application", "a late error of the application", "an error in connect"]) {
    await host.logged(new RegExp(message));
  }
});

test("an answer that breaks off is no whole answer", async () => {
  await assert.rejects(request("/five/breaks"));
});

test("next() leads to deeper handlers and to static files", async () => {
  const deep = await ask("/five/deep/x");
  assert.deepEqual([deep.status, deep.text], [200, "deep /five/deep/x"]);
  assert.deepEqual([deep.headers.get("x-first"), deep.headers.get("x-deep")], ["1", "1"]);
  assert.deepEqual(deep.headers.getSetCookie(), ["visit=1; Path=/"]);
  const file = await ask("/five/static.txt");
  assert.deepEqual([file.status, file.text], [200, "a static file\n"]);
  assert.equal((await ask("/five/nowhere")).status, 404);
  assert.equal((await ask("/connect/nowhere")).status, 404);
  assert.equal((await ask("/plain/nowhere")).status, 404);
});

test("Express serves files itself", async () => {
  const file = await ask("/four/files/static.txt");
  assert.deepEqual([file.status, file.text], [200, "a static file\n"]);
  const part = await ask("/four/files/static.txt", { headers: { range: "bytes=2-7" } });
  assert.deepEqual([part.status, part.text], [206, "static"]);
});

test("Koa and Connect answer", async () => {
  const koa = await ask("/koa/a/b");
  assert.deepEqual(koa.json(), { path: "/a/b", ip: "127.0.0.1", method: "GET" });
  assert.equal(koa.headers.get("x-layers"), "2");
  assert.equal((await ask("/koa/nothing")).status, 404);
  assert.deepEqual((await ask("/connect/deep/x")).json(), { url: "/x", original: "/connect/deep/x" });
});

test("a thousand requests over four connections", async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  const numbers = Array.from({ length: 1000 }, (_, number) => number);
  const answers = await Promise.all(numbers.map(async (number) => {
    const { text } = await request(`/five/users/${number}`, { agent });
    return JSON.parse(text).id;
  }));
  assert.deepEqual(answers, numbers.map(String));
  const open = [...Object.values(agent.freeSockets), ...Object.values(agent.sockets)].flat();
  assert.ok(open.length > 0 && open.length <= 4, `${open.length} connections are open`);
  agent.destroy();
});

test("a client that waits for 100 Continue may send its body", async () => {
  const body = '{"a":1}';
  const headers = { "content-type": "application/json", "content-length": body.length, expect: "100-continue" };
  const answer = await new Promise((resolve, reject) => {
    const sent = http.request(`${origin}/five/echo`, { method: "POST", headers });
    sent.on("continue", () => sent.end(body)).on("error", reject);
    sent.on("response", async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve({ status: response.statusCode, text });
    });
    sent.flushHeaders();
  });
  assert.deepEqual(answer, { status: 201, text: body });
});
