// The packages of docs/npm.md: what the handler of each has to answer.
//
// `folder` is the handler's, below routes/, where it is not the package's name. `expected` is the answer to GET /;
// regular expressions stand for texts that match them. `requests` replaces it where there is more to ask; the log of the
// host matches `log`, a mail that was sent `mail`. `limits` says what does not work, and makes the package "partly", or
// "not" where `refused` is set.

const basic = (user) => ({ authorization: `Basic ${Buffer.from(user).toString("base64")}` });
const json = { "content-type": "application/json" };
const SERVER_ONLY = "needs a database server: here it is constructed and fails to connect";

/** A form with a field and a file. */
const form = () => {
  const data = new FormData();
  data.set("name", "value");
  data.set("file", new Blob(["content"], { type: "text/plain" }), "a.txt");
  return data;
};

export const packages = [
  {
    name: "zod",
    expected: {
      good: { id: 1, mail: "a@example.org", tags: [] },
      bad: [/^id: invalid_type$/, /^mail: invalid_format$/],
    },
  },
  { name: "nanoid", expected: { different: 100, length: 10, digits: true } },
  {
    name: "date-fns",
    expected: { end: "2026-03-02 Montag", hours: 72, distance: "3 days", parsed: "2026-01-02T03:04:05.000Z" },
  },
  {
    name: "lodash",
    expected: {
      groups: { odd: [1, 3], even: [2] },
      merged: { a: { b: 1, c: 2 } },
      chain: [3, 2, 1],
      chunk: [[1, 2], [3]],
      template: "Hello you",
    },
  },
  { name: "lodash-es", expected: { calls: 1, name: "aBC", unique: [{ a: 1 }, { a: 2 }] } },
  {
    name: "uuid",
    expected: {
      v4: [true, 4],
      v5: "aad03681-8b63-5304-89e0-8ca8f49461b5",
      v7: 7,
      bytes: "0190a0b0-c0d0-7000-8000-000000000001",
    },
  },
  { name: "marked", expected: { html: /^<h1>Title<\/h1>\s*<ul>\s*<li><strong>one<\/strong><\/li>\s*<li><code>two/ } },
  {
    name: "jose",
    expected: {
      hs256: /^eyJhbGciOiJIUzI1NiJ9\.[\w-]+\.[\w-]{43}$/,
      hmac: { role: "admin", sub: "me" },
      es256: { role: "user" },
      forged: "ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
      opened: { a: 1 },
    },
  },
  {
    name: "hono",
    requests: async (ask) => {
      const token = (await ask({ path: "/token" })).text;
      return [
        [{ path: "/users/7?q=x" }, { json: { id: "7", q: "x" } }],
        [{ path: "/secret/page" }, { status: 401 }],
        [{ path: "/secret/page", headers: basic("me:word") }, { text: "for members" }],
        [{ path: "/api/me" }, { status: 401 }],
        [{ path: "/api/me", headers: { authorization: `Bearer ${token}` } }, { json: { sub: "me" } }],
        [{ path: "/stream" }, { text: "one two three" }],
        [{ path: "/echo", method: "POST", headers: json, body: '{"a":1}' }, { status: 201, json: { a: 1 } }],
        [{ path: "/nowhere" }, { status: 404 }],
      ];
    },
  },
  {
    name: "express",
    requests: () => [
      [{ path: "/users/7?q=x" }, { json: { id: "7", base: "", url: "/users/7?q=x", q: { q: "x" } } }],
      [
        { path: "/users", method: "POST", headers: json, body: '{"a":1}' },
        { status: 201, json: { a: 1 }, headers: { "set-cookie": "seen=1; Path=/", location: "/users/7" } },
      ],
      [{ path: "/old" }, { status: 302, headers: { location: "/users/1" } }],
      [{ path: "/fails" }, { status: 418, json: { error: "on purpose" } }],
      [{ path: "/nowhere" }, { status: 404 }],
    ],
  },
  {
    name: "express",
    package: "express4",
    folder: "express4",
    requests: () => [
      [{ path: "/users/7?q=x" }, { json: { id: "7", q: { q: "x" } } }],
      [
        { path: "/users", method: "POST", body: new URLSearchParams("a[b]=1") },
        { status: 201, json: { a: { b: "1" } } },
      ],
      [{ path: "/view" }, { text: "<p>hello", headers: { "content-type": "text/html; charset=utf-8" } }],
    ],
  },
  {
    name: "koa",
    requests: () => [
      [
        { path: "/a?b=1" },
        { json: { path: "/a", q: { b: "1" } }, headers: { "x-layers": "2", "set-cookie": "seen=1; path=/; httponly" } },
      ],
    ],
  },
  {
    name: "connect",
    requests: () => [
      [{ path: "/deep/x" }, { text: '{"url":"/x","original":"/deep/x"}', headers: { "x-first": "1" } }],
      [{ path: "/nowhere" }, { status: 404 }],
    ],
  },
  {
    name: "multer",
    requests: () => [
      [{ path: "/upload", method: "POST", body: form() }, { json: { name: "value", file: "a.txt", size: 7 } }],
    ],
  },
  {
    name: "preact-render-to-string",
    expected: { html: '<main><button class="counter">Count: 3</button><i>a</i><i>b</i></main>' },
  },
  { name: "react", expected: { string: '<p class="x">hello <!-- -->1</p>', fallback: true, late: true } },
  {
    name: "drizzle-orm",
    expected: {
      added: 2,
      one: { id: 1, name: "Ada L." },
      all: [{ id: 1, name: "Ada L." }, { id: 2, name: "Grace" }],
    },
  },
  {
    name: "kysely",
    expected: {
      added: [{ id: 1, name: "Ada" }, { id: 2, name: "Grace" }],
      changed: 1,
      undone: "rolled back",
      names: ["Ada L.", "Grace", "Joan"],
      columns: ["id", "name"],
    },
  },
  { name: "ioredis", note: SERVER_ONLY, expected: { status: "end", failed: /closed|ECONNREFUSED/ } },
  { name: "redis", note: SERVER_ONLY, expected: { open: false, failed: /ECONNREFUSED/ } },
  {
    name: "pg",
    note: SERVER_ONLY,
    expected: { failed: "ECONNREFUSED", quoted: '"a""b"', types: 23, array: [1, 2] },
  },
  { name: "postgres", note: SERVER_ONLY, expected: { failed: "ECONNREFUSED" } },
  {
    name: "mongodb",
    note: SERVER_ONLY,
    expected: {
      failed: "MongoServerSelectionError",
      id: "64b7f0f0f0f0f0f0f0f0f0f0",
      copy: { a: [1, "b"], id: "64b7f0f0f0f0f0f0f0f0f0f0" },
    },
  },
  {
    name: "better-sqlite3",
    refused: true,
    limits: "a native addon; use `liveline:sql`",
    requests: () => [[{}, { status: 500 }]],
    log: /better-sqlite3 (needs|is) a native addon.*liveline:sql/,
  },
  { name: "ms", expected: { parsed: 172800000, short: "1m", long: "2 minutes" } },
  { name: "dayjs", expected: { next: "2026-04-27", german: "Freitag", tokyo: "21:00" } },
  { name: "dotenv", note: "`.env` files are read without it", expected: { name: "one", another: "two words" } },
  {
    name: "jsonwebtoken",
    expected: {
      token: /^eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9\./,
      hs256: { sub: "me", iat: 1 },
      rs256: { sub: "you", iat: 1 },
      refused: "invalid signature",
    },
  },
  { name: "qs", expected: { parsed: { a: { b: ["1", "2"] }, c: "x y" }, text: "a[0]=1&a[1]=2&b[c]=d" } },
  {
    name: "cookie",
    expected: { parsed: { a: "1", b: "x y" }, text: "a=1; Max-Age=60; Path=/; HttpOnly; SameSite=Lax" },
  },
  { name: "validator", expected: { mail: [true, false], card: true, escaped: "&lt;b&gt;" } },
  { name: "handlebars", expected: { html: "<li>A</li><li>&lt;B&gt;</li><p>2</p>" } },
  { name: "mustache", expected: { html: "<li>a</li><li>&lt;b&gt;</li><hr>" } },
  {
    name: "undici",
    expected: { statusCode: 200, type: "application/json", body: "by undici", test: "1", url: "/echo?b" },
  },
  { name: "eventemitter3", expected: { seen: [1, -1, 2], listeners: 1 } },
  { name: "ws", note: "as a client", expected: { seen: ["text", [1, 2, 3], 1000] } },
  { name: "socket.io-client", expected: { greeting: "hello", reply: 42, upgraded: true } },
  {
    name: "pino",
    note: "without worker threads for transports",
    expected: {
      lines: [
        { level: 30, msg: "hello you", request: 1, password: "[Redacted]" },
        { level: 50, msg: "on purpose" },
      ],
    },
  },
  {
    name: "axios",
    expected: {
      status: 200,
      url: "/echo?q=2",
      body: '{"a":1}',
      test: "1",
      missing: "ERR_BAD_REQUEST 404",
      text: "one two three",
    },
  },
  { name: "ky", expected: { url: "/echo?q=2", body: '{"a":1}', missing: "HTTPError 404" } },
  { name: "bcryptjs", note: "`liveline:password` needs no package", expected: { right: true, wrong: false, rounds: 4 } },
  { name: "stripe", expected: { url: "/v1/customers", body: "email=a%40example.org", event: "ping" } },
  {
    name: "cheerio",
    expected: {
      texts: ["One", "And", "Two"],
      html: '<li class="a" title="first">One</li><li>And</li><li>Two</li>',
    },
  },
  { name: "ejs", expected: { html: "<li>a</li><li>&lt;b&gt;</li>", file: "<h1>From a file</h1>" } },
  {
    name: "nodemailer",
    expected: { accepted: ["you@example.org"], response: "250 kept" },
    mail: /Subject: =\?UTF-8\?Q\?Gr=C3=BC=C3=9Fe\?=[^]*Hello[^]*filename=a\.txt/,
  },
  {
    name: "immer",
    expected: {
      before: { list: [{ done: false }], other: {} },
      after: { list: [{ done: true }, { done: false }], other: {} },
      shared: true,
      frozen: true,
    },
  },
  { name: "rxjs", expected: { squares: [1, 4, 9], ticks: [[0, 1], [2, 3]] } },
  { name: "@tanstack/store", folder: "tanstack-store", expected: { seen: [1, 2], state: { count: 2 } } },
  { name: "chalk", expected: { red: "\u001b[31mno\u001b[39m", plain: "yes" } },
  { name: "p-limit", expected: { results: [2, 4, 6, 8], most: 2 } },
  { name: "superjson", expected: { at: true, set: [1], big: "100000000000000000000", hasNone: true } },
  { name: "ulid", expected: { length: 26, time: 1000, sorted: true } },
  {
    name: "valibot",
    expected: { good: { mail: "a@example.org", age: 18 }, bad: { mail: [/email/], age: [/18/] } },
  },
  { name: "openai", expected: { answer: "Hello", streamed: "Hello" } },
  {
    name: "graphql",
    expected: { good: { data: { greet: "Hello you", sum: 6 } }, bad: [/Cannot query field/] },
  },
  {
    name: "sharp",
    refused: true,
    limits: "a native addon; use a service for images, or a program with `--allow-run`",
    expected: { error: /native/ },
  },
  {
    name: "@prisma/client",
    folder: "prisma-client",
    refused: true,
    limits: "the client that `prisma generate` makes with the provider `prisma-client` works with a driver adapter; none is made here",
    requests: () => [[{}, { status: 500 }]],
    log: /Cannot find module '\.prisma\/client/,
  },
  { name: "winston", expected: { lines: ["info: hello me", "warn: careful you"] } },
  { name: "commander", expected: { seen: [["it", true, 3]], refused: "commander.unknownOption" } },
  { name: "semver", expected: { satisfies: true, next: "1.3.0", sorted: ["1.9.0", "1.10.0", "2.0.0"] } },
  {
    name: "yaml",
    expected: {
      parsed: { a: 1, b: ["x"] },
      text: "a:\n  - 1\n  - b: null\n",
      edited: "# kept\na: 1\nb: [ x, &y { c: d }, *y ]\ne: true\n",
    },
  },
  {
    name: "fast-xml-parser",
    expected: { parsed: { a: { b: ["x", 2], "@_id": "1" } }, text: '<a id="1"><b>x</b><b>2</b></a>' },
  },
  { name: "iconv-lite", expected: { latin1: "G\u00fc", japanese: /\u65e5\u672c/, known: true } },
  { name: "sanitize-html", expected: { html: "<p>Hi <a>a</a> <b>b</b></p>" } },
  { name: "luxon", expected: { utc: "2026-02-27T09:00:00.000Z", french: "vendredi 27 f\u00e9vrier", length: 48 } },
  { name: "moment", expected: { next: "2026-03-27", german: "Freitag", from: "in 7 days" } },
  { name: "async", expected: { doubled: [2, 4, 6], order: ["a", "b", "c"], waterfall: 2 } },
  { name: "bluebird", expected: { mapped: [2, 4, 6], read: "value", timeout: "TimeoutError" } },
  {
    name: "got",
    expected: {
      url: "/echo?q=2",
      body: '{"a":1}',
      missing: "ERR_NON_2XX_3XX_RESPONSE 404",
      streamed: "one two three",
    },
  },
  {
    name: "node-fetch",
    note: "`fetch` is there without it",
    expected: { status: 200, body: "x", test: "1", form: true, streamed: "one two three" },
  },
  { name: "form-data", expected: { type: "multipart/form-data", name: true, file: true } },
  {
    name: "busboy",
    requests: () => [
      [
        { method: "POST", body: form() },
        { json: [{ name: "name", value: "value" }, { name: "file", filename: "a.txt", mimeType: "text/plain", size: 7 }] },
      ],
    ],
  },
];
