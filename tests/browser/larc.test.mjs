// Pages of LARC in a browser: the code of its realtime chapter as it is published, elements that bridge LARC's bus of a
// page to the hub, and the example.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { connect } from "./support/browser.mjs";
import { folderWith } from "./support/folder.mjs";
import { explain, startHost } from "./support/host.mjs";
import { Window } from "./support/visitor.mjs";

const seed = (file) => readFileSync(new URL(`../it/larc/seed/${file}`, import.meta.url), "utf8");
const example = (file) => readFileSync(new URL(`../../examples/larc/public/${file}`, import.meta.url), "utf8");
const bus = readFileSync(new URL("site/public/pan.js", import.meta.url), "utf8");

/** What the published classes lack, and the names under which they are known to pages. */
const GLUE = `
import { WebSocketClient } from "/services/websocket-client.js";
import { SSEClient } from "/services/sse-client.js";
globalThis.log = [];
globalThis.wsClient = new WebSocketClient({
  url: \`ws://\${location.host}/ws\${location.search}\`,
  reconnectInterval: 200,
});
globalThis.sseClient = new SSEClient({ url: "/api/events", withCredentials: true, reconnectDelay: 3000 });
for (const type of ["connected", "disconnected", "reconnect-failed"]) {
  wsClient.on(type, (payload) => log.push(payload === undefined ? type : type + " " + payload.code));
}
sseClient.on("disconnected", () => log.push("events lost"));
sseClient.on("connected", () => log.push("events open"));
globalThis.received = [];
wsClient.on("chat.message", (payload) => received.push(payload));
sseClient.connect();
await wsClient.connect();
globalThis.isReady = true;
`;

/** The elements of the chapter. Their methods that it does not show are added. */
const PAGE = `<!doctype html>
<link rel="icon" href="data:," />
<script type="module" src="/glue.js"></script>
<script type="module">
  await import("/components/notification-feed.js");
  await import("/components/activity-feed.js");
  customElements.get("notification-feed").prototype.removeNotification = function (id) {
    this.notifications = this.notifications.filter((it) => it.id !== id);
    this.render();
  };
  await import("/components/collaborative-editor.js");
  await import("/components/optimistic-list.js");
  globalThis.isDefined = true;
</script>
<body></body>`;

const files = {
  "public/index.html": PAGE,
  "public/glue.js": GLUE,
  "public/services/websocket-client.js": example("services/websocket-client.js").split("/** The user of this tab")[0],
  "public/services/sse-client.js": example("services/sse-client.js"),
  "public/components/notification-feed.js": seed("notification-feed.js"),
  "public/components/activity-feed.js": seed("activity-feed.js"),
  "public/components/collaborative-editor.js": seed("collaborative-editor.js"),
  "public/components/optimistic-list.js": `${seed("optimistic-list.js")}
    OptimisticList.prototype.items = [];
    OptimisticList.prototype.render = function () {
      this.textContent = this.items.map((it) => it.id ?? "pending").join(" ");
    };
    customElements.define("optimistic-list", OptimisticList);`,
  "public/presence.js": `${seed("presence-tracker.js")}
    PresenceTracker.prototype.notifySubscribers = function () {
      globalThis.online = this.getOnlineUsers().map(({ userId }) => userId).toSorted();
    };
    globalThis.tracker = new PresenceTracker();`,
  "public/resolver.js": `${seed("conflict-resolver.js")}
    globalThis.ConflictResolver = ConflictResolver;`,
  "public/throttled-input.js": `${seed("throttled-input.js")}
    customElements.define("throttled-input", ThrottledInput);`,
  "public/tab-sync.js": seed("tab-sync.js").replace("on(type, handler) {\n    // Subscribe to message type\n  }", `
    handlers = new Map();
    on(type, handler) { this.handlers.set(type, handler); }
    handleMessage({ type, payload }) { this.handlers.get(type)?.(payload); }
    generateTabId() { return Math.random().toString(36); }`) + "globalThis.tabSync = tabSync;",
  "public/workers/data-processor.js": `${seed("data-processor.js")}
    function sortedBy(items, field) { return items.filter((it) => it[field]); }
    function filterData(data, { field }) { return sortedBy(data, field); }
    function aggregateData(data) { return data.length; }`,
  "public/worker-manager.js": `${seed("worker-manager.js").replace(/const sorted = [^]*$/, "")}
    globalThis.dataWorker = dataWorker;`,
  "public/pan.html": `<!doctype html><link rel="icon" href="data:," /><script type="module" src="/pan.js"></script>`,
  "public/pan.js": bus,
  "api/activities/handler.js": `export const GET = () => [{ userName: "Ann", action: "opened", target: "it", timestamp: 1 }];`,
  "api/items/handler.js": `
    let last = 0;
    let release;
    const second = new Promise((resolve) => release = resolve);
    export async function POST({ request }) {
      const item = { ...JSON.parse(await request.text()), id: ++last, type: request.headers.get("content-type") };
      if (item.id === 1) await second;
      else release();
      return item;
    }`,
};

/** Gives `visit` a host with these files and a function that opens windows. */
async function served(visit, { options = [], folder = folderWith(files), errors = [] } = {}) {
  const browser = await connect();
  let host = await startHost(folder, options, { command: "serve" });
  const windows = [];
  const open = async (path = "/") => {
    const window = await Window.open(browser, host, path);
    windows.push(window);
    return window.page;
  };
  const restart = async (signal) => {
    const { port } = new URL(host.url);
    await host.stop(signal);
    host = await startHost(folder, ["--port", port, ...options], { command: "serve" });
  };
  try {
    await explain(() => visit({ open, restart, host }), () => [...windows, host]);
    const unexpected = windows.flatMap((window) => window.errors);
    assert.deepEqual(unexpected.filter((error) => !errors.some((it) => it.test(error))), [], "errors in the console");
    if (process.env.LIVELINE_SCREENSHOTS) {
      const open = windows.filter(({ page }) => !page.isClosed());
      for (const [index, { page }] of open.entries()) {
        await page.screenshot({ path: `${process.env.LIVELINE_SCREENSHOTS}/larc-${index}.png`, fullPage: true });
      }
    }
  } finally {
    await Promise.all(windows.map((window) => window.close().catch(() => {})));
    await Promise.all([browser.close(), host.stop()]);
  }
}

const post = (host, topic, data) => fetch(`${host.url}/sse`, { method: "POST", body: JSON.stringify({ topic, data }) });

/** Opens a page of the chapter's elements, ready. */
async function opened(open, path) {
  const page = await open(path);
  await page.waitForFunction(() => globalThis.isReady && globalThis.isDefined);
  return page;
}

const add = (page, html) => page.evaluate((html) => document.body.insertAdjacentHTML("beforeend", html), html);

test("pages connect, and receive each other's messages", () =>
  served(async ({ open }) => {
    const [one, two] = [await opened(open), await opened(open)];
    assert.equal(await one.evaluate(() => wsClient.isConnected()), true);
    assert.equal(await one.evaluate(() => log.filter((it) => it === "connected").length), 1);
    await one.evaluate(() => wsClient.send("chat.message", { text: "Hello!" }));
    await two.waitForFunction(() => received.length === 1);
    assert.deepEqual(await two.evaluate(() => received), [{ text: "Hello!" }]);
    assert.deepEqual(await one.evaluate(() => received), []);
  }));

test("a restart closes with 1012, and pages come back by themselves", () =>
  served(async ({ open, restart, host }) => {
    const page = await opened(open);
    await page.waitForFunction(() => sseClient.isConnected());
    await page.evaluate(() => sseClient.on("activity", (it) => log.push(`activity ${it.n}`)));
    await restart();
    await page.waitForFunction(() => wsClient.isConnected() && sseClient.isConnected());
    assert.ok((await page.evaluate(() => log)).includes("disconnected 1012"));
    await restart("SIGKILL");
    await page.waitForFunction(() => log.includes("disconnected 1006") && wsClient.isConnected());
    await page.waitForFunction(() => sseClient.isConnected());
    // The listeners of the EventSource are still there.
    await post(host, "activity", { n: 7 });
    await page.waitForFunction(() => log.includes("activity 7"));
    assert.equal((await page.evaluate(() => log)).includes("reconnect-failed"), false);
  }, { errors: [/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE|WebSocket connection/] }));

test("the feeds of notifications and activities", () =>
  served(async ({ open, host }) => {
    const page = await opened(open);
    await page.clock.install();
    await add(page, "<notification-feed></notification-feed><activity-feed></activity-feed>");
    await page.waitForFunction(() => document.querySelectorAll(".activity").length === 1);
    await post(host, "notification", { id: 1, type: "info", title: "New", message: "A message" });
    await page.waitForSelector(".notification.info");
    await page.clock.runFor(5001);
    await page.waitForFunction(() => document.querySelector(".notification") === null);
    for (let n = 0; n < 150; n += 1) {
      await post(host, "activity", { userName: "Bob", action: "made", target: `#${n}`, timestamp: Date.now() });
    }
    await page.waitForFunction(() => document.querySelector(".activity em")?.textContent === "#149");
    assert.equal(await page.locator(".activity").count(), 100);
  }));

test("editors show their collaborators and the same text", () =>
  served(async ({ open }) => {
    const [one, two, other] = [
      await opened(open, "/?userId=ann&name=Ann"),
      await opened(open, "/?userId=bob&name=Bob"),
      await opened(open, "/?userId=eve&name=Eve"),
    ];
    const editor = (id) => `<collaborative-editor doc-id="${id}"></collaborative-editor>`;
    await add(one, editor("d1"));
    await add(two, editor("d1"));
    await add(other, editor("d2"));
    const badges = (page, count) =>
      page.waitForFunction((count) => document.querySelectorAll(".badge").length === count, count);
    await Promise.all([badges(one, 2), badges(two, 2), badges(other, 1)]);
    const type = (page, text) =>
      page.evaluate((text) => {
        const area = document.querySelector("textarea");
        area.value = text;
        area.dispatchEvent(new Event("input"));
      }, text);
    const shows = (page, text) =>
      page.waitForFunction((text) => document.querySelector("textarea").value === text, text);
    await type(one, "Hello");
    await shows(two, "Hello");
    assert.equal(await other.evaluate(() => document.querySelector("textarea").value), "");

    // Both type within the 100 ms in which the element ignores the other.
    const value = (page) => page.evaluate(() => document.querySelector("textarea").value);
    for (let round = 0; round < 20; round += 1) {
      await Promise.all([type(one, `one ${round}`), type(two, `two ${round}`)]);
    }
    await one.waitForFunction(() => document.querySelector("textarea").value.endsWith("19"));
    const settles = Date.now() + 10_000;
    while (await value(one) !== await value(two)) assert.ok(Date.now() < settles, "the texts stay different");

    await two.close();
    await badges(one, 1);
  }));

test("presence is by sockets, and a user may have two tabs", () =>
  served(async ({ open }) => {
    const watcher = await opened(open, "/?userId=watcher");
    await watcher.evaluate(() => import("/presence.js"));
    const online = (list) =>
      watcher.waitForFunction((list) => JSON.stringify(globalThis.online) === JSON.stringify(list), list);
    const one = await opened(open, "/?userId=ann");
    await online(["ann"]);
    const two = await opened(open, "/?userId=ann");
    const bob = await opened(open, "/?userId=bob");
    await online(["ann", "bob"]);
    await one.close();
    await bob.close();
    await online(["ann"]);
    await two.close();
    await online([]);
  }));

test("lists are optimistic, tabs speak to each other, and workers sort", () =>
  served(async ({ open }) => {
    const page = await opened(open);
    await add(page, "<optimistic-list></optimistic-list>");
    // The answer to the first comes after the second's.
    const added = page.evaluate(async () => {
      const list = document.querySelector("optimistic-list");
      await Promise.all([list.addItem({ n: 1 }), list.addItem({ n: 2 })]);
      return list.items;
    });
    const items = await added;
    assert.deepEqual(items.map(({ id }) => id).toSorted(), [1, 2]);
    assert.equal(items[0].type, "text/plain;charset=UTF-8");

    const other = await page.context().newPage();
    await other.goto(page.url());
    for (const tab of [page, other]) await tab.evaluate(() => import("/tab-sync.js"));
    await other.evaluate(() => tabSync.on("auth-logout", () => globalThis.isLoggedOut = true));
    await page.evaluate(() => tabSync.broadcast("auth-logout", {}));
    await other.waitForFunction(() => globalThis.isLoggedOut);

    await page.evaluate(() => import("/worker-manager.js"));
    const sorted = await page.evaluate(async () => {
      const rows = Array.from({ length: 100_000 }, (_, n) => ({ name: (n * 7919) % 100_003 }));
      const sorted = await dataWorker.process("sort", rows, { field: "name", order: "asc" });
      return sorted.every((row, n) => n === 0 || sorted[n - 1].name <= row.name);
    });
    assert.equal(sorted, true);
    const ended = page.evaluate(() => {
      const waiting = dataWorker.process("sort", [], { field: "x" }).catch((error) => error.message);
      dataWorker.terminate();
      return waiting;
    });
    assert.equal(await ended, "Worker terminated");
  }));

test("fields that throttle, and versions that conflict", () =>
  served(async ({ open }) => {
    const [page, other] = [await opened(open), await opened(open)];
    await other.evaluate(() => wsClient.on("input-update", ({ value }) => received.push(value)));
    await page.evaluate(() => import("/throttled-input.js"));
    await add(page, "<input id='raw' />");
    await page.evaluate(() => {
      const field = document.createElement("throttled-input");
      field.innerHTML = "<input />";
      document.body.append(field);
    });
    await page.locator("throttled-input input").pressSequentially("abc");
    await other.waitForFunction(() => received.length >= 1);
    assert.equal((await other.evaluate(() => received))[0], "a");
    await page.evaluate(() => import("/resolver.js"));
    const merged = await page.evaluate(() => {
      const local = { a: 1, a_timestamp: 2, b: 1, b_timestamp: 1 };
      return new ConflictResolver().merge(local, { a: 2, a_timestamp: 1, b: 2, b_timestamp: 2 });
    });
    assert.deepEqual([merged.a, merged.b], [1, 2]);
  }));

test("elements bridge the bus of a page to the hub", () =>
  served(async ({ open, host }) => {
    const [one, two] = [await open("/pan.html"), await open("/pan.html")];
    for (const page of [one, two]) {
      await page.waitForFunction(() => globalThis.pan !== undefined);
      const socket = "<pan-websocket url='/ws' outbound-topics='chat.*' inbound-topics='chat.*'></pan-websocket>";
      await add(page, socket);
      await page.waitForFunction(() => pan.seen("ws.connected").length === 1);
    }
    await one.evaluate(() => pan.publish({ topic: "chat.x", data: { text: "once" } }));
    await two.waitForFunction(() => pan.seen("chat.x").length === 1);
    // What the second page sends back is no message: a later one comes right after the first.
    await two.evaluate(() => pan.publish({ topic: "chat.x", data: { text: "back" } }));
    await one.waitForFunction(() => pan.seen("chat.x").length === 2);
    assert.deepEqual(await one.evaluate(() => pan.seen("chat.x").map(({ text }) => text)), ["once", "back"]);
    assert.ok(await one.evaluate(() => pan.frames) < 5);

    // A stream with a stored id receives after a reload what was missed; and a forwarder sends by POST.
    await add(two, "<pan-sse src='/sse' topics='users.* orders.*' persist-last-event='k'></pan-sse>");
    await two.waitForFunction(() => document.querySelector("pan-sse").isOpen);
    await post(host, "users.saved", { id: 1 });
    await two.waitForFunction(() => pan.seen("users.saved").length === 1);
    await two.goto(`${host.url}/`);
    await add(one, "<pan-forwarder dest='/sse' topics='users.*'></pan-forwarder>");
    await one.evaluate(() => pan.publish({ topic: "users.saved", data: { id: 2 } }));
    await one.waitForFunction(() => document.querySelector("pan-forwarder").sent === 1);
    await two.goto(`${host.url}/pan.html`);
    await two.waitForFunction(() => globalThis.pan !== undefined);
    await add(two, "<pan-sse src='/sse' topics='users.* orders.*' persist-last-event='k'></pan-sse>");
    await two.waitForFunction(() => pan.seen("users.saved").length === 1);
    assert.deepEqual(await two.evaluate(() => pan.seen("users.saved")), [{ id: 2 }]);
  }));

test("the example", () =>
  served(async ({ open }) => {
    const [one, two] = [await open("/"), await open("/")];
    for (const page of [one, two]) await page.waitForSelector("connection-state[data-state=connected]");
    for (const page of [one, two]) await page.waitForFunction(() => document.querySelectorAll("people-online .badge").length === 2);
    await one.getByLabel("Message").fill("Hello, <b>you</b>!");
    await one.getByRole("button", { name: "Send" }).click();
    await two.getByText("Hello, <b>you</b>!").waitFor();
    await one.getByLabel("Notes").fill("Agenda");
    await two.waitForFunction(() => document.querySelector("textarea").value === "Agenda");
    await two.getByLabel("Task").fill("Buy milk");
    await two.getByRole("button", { name: "Add" }).click();
    await one.locator(".items li").getByText("Buy milk").waitFor();
    await one.locator(".notification").getByText("Buy milk").waitFor();
    await one.locator(".activities li").getByText("Buy milk").waitFor();
    await two.waitForFunction(() => document.querySelectorAll(".items .pending").length === 0);
    const document = await one.evaluate(async () => (await fetch("/api/documents/notes")).json());
    assert.equal(document.content, "Agenda");
  }, { folder: "examples/larc" }));
