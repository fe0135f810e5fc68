// The browser client of RedwoodSDK's realtime page, against the room and the feed of the same page: sockets, events,
// sending and leaving.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { connect } from "./support/browser.mjs";
import { folderWith } from "./support/folder.mjs";
import { explain, startHost } from "./support/host.mjs";
import { Window } from "./support/visitor.mjs";

const seed = (file) => readFileSync(new URL(`../it/workers/seed/${file}`, import.meta.url), "utf8");

const CONFIGURATION = `name = "my-app"
compatibility_date = "2026-11-01"

[[d1_databases]]
binding = "DB"
database_name = "chat"
database_id = "00000000-0000-4000-8000-000000000000"

`;

const PAGE = `<!doctype html>
<link rel="icon" href="data:," />
<script src="/realtime.js"></script>
<h1>Room</h1>
<script>
  const client = new RealtimeClient(location.origin);
  const received = [];
  const log = [];
  client.connectWebSocket("/api/chat?room=browser", {
    onConnect: () => log.push("socket open"),
    onMessage: (data) => received.push(data),
    onDisconnect: () => log.push("socket closed"),
  });
  client.connectSSE("/api/live-feed?userId=u1", {
    onConnect: () => log.push("feed open"),
    onMessage: (data) => received.push(data),
  });
</script>`;

const TABLES = `
export default async function tables(request, { env }) {
  await env.DB.exec("CREATE TABLE IF NOT EXISTS messages (room_id TEXT, user_id TEXT, content TEXT, timestamp INTEGER)");
  await env.DB.exec("CREATE TABLE IF NOT EXISTS notifications (id INTEGER PRIMARY KEY, user_id TEXT, message TEXT, created_at TEXT)");
  return Response.json((await env.DB.prepare("SELECT COUNT(*) AS count FROM messages").all()).results);
}`;

const PRESENCE = `
import { ChatRoom } from "./ChatRoom.js";
const chat = ChatRoom.prototype.fetch;
ChatRoom.prototype.fetch = function (request) {
  return new URL(request.url).pathname === "/size" ? Response.json(this.sessions.size) : chat.call(this, request);
};
export class UserPresence {}`;

const SIZE = `
export default (request, { env }) => env.CHAT_ROOM.get(env.CHAT_ROOM.idFromName("browser")).fetch("http://localhost/size");`;

const files = {
  "wrangler.toml": CONFIGURATION + seed("wrangler.toml"),
  "functions/api/chat.js": seed("functions/api/chat.js"),
  "functions/api/live-feed.js": seed("functions/api/live-feed.js"),
  "functions/api/tables.js": TABLES,
  "functions/api/size.js": SIZE,
  "durable-objects/ChatRoom.js": seed("durable-objects/ChatRoom.js"),
  "durable-objects/UserPresence.js": PRESENCE,
  "public/index.html": PAGE,
  "public/realtime.js": seed("client/realtime.js"),
};

/** Waits until the page's list has an entry of this type; returns it. */
async function received(window, type) {
  const found = await window.page.waitForFunction((wanted) => received.find((it) => it.type === wanted), type);
  return found.jsonValue();
}

test("two pages in one room, with a feed each", async () => {
  const [browser, host] = await Promise.all([connect(), startHost(folderWith(files), [], { command: "serve" })]);
  const windows = [];
  try {
    await explain(() => visit(browser, host, windows), () => [...windows, host]);
  } finally {
    await Promise.all(windows.map((window) => window.close()));
    await Promise.all([browser.close(), host.stop()]);
  }
});

async function visit(browser, host, windows) {
  const tables = async () => (await fetch(`${host.url}/api/tables`)).json();
  assert.deepEqual(await tables(), [{ count: 0 }]);
  for (let count = 0; count < 2; count += 1) windows.push(await Window.open(browser, host, "/"));
  const [one, two] = windows;
  for (const window of windows) {
    assert.equal((await received(window, "welcome")).message, "Connected to chat room");
    assert.equal((await received(window, "connected")).userId, "u1");
    await window.page.waitForFunction(() => log.includes("socket open") && log.includes("feed open"));
  }

  const message = { type: "chat", roomId: "browser", userId: "u1", content: "hello" };
  await one.page.evaluate((it) => client.send("/api/chat?room=browser", it), message);
  assert.equal((await received(two, "message")).content, "hello");
  assert.equal(await one.page.evaluate(() => received.some((it) => it.type === "message")), false);
  assert.deepEqual(await tables(), [{ count: 1 }]);

  await two.page.evaluate(() => {
    client.disconnect("/api/chat?room=browser");
    client.disconnect("/api/live-feed?userId=u1");
  });
  await two.page.waitForFunction(() => log.includes("socket closed"));
  await two.page.waitForFunction(async () => (await (await fetch("/api/size")).json()) === 1);
  assert.deepEqual(windows.flatMap((window) => window.errors), [], "errors in the console");
}
