// How a line travels: sockets, and the way round them, with stand-ins for the browser's own.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { answerDialog } from "../../runtime-js/client/dialogs.js";
import { openEvents, readEvents } from "../../runtime-js/client/events.js";
import { Hub } from "../../runtime-js/client/hub.js";
import { portPair } from "../../runtime-js/client/local_ports.js";
import { keepLine } from "../../runtime-js/client/sockets.js";
import { openSocketOrEvents, PROTOCOL, transportFor } from "../../runtime-js/client/transport.js";

const URL_OF_LINE = "http://app.example/.liveline/0?v=2";

/** Remembers what the transport tells, and lets a test wait for it. */
function listener() {
  const told = [];
  let wake = () => {};
  const note = (...what) => {
    told.push(what);
    wake();
  };
  return {
    told,
    receiver: {
      opened: () => note("opened"),
      frame: (text) => note("frame", text),
      closed: (...how) => note("closed", ...how),
    },
    async until(count) {
      while (told.length < count) await new Promise((resolve) => wake = resolve);
      return told;
    },
  };
}

/** What the app loads when it needs it. */
const PARTS = { events: { openEvents }, sockets: { keepLine } };

/** A browser in which sockets behave as `socket` says, and whose server answers requests. */
function world({ socket, events = [], storage = new Map(), status = 200, load = async (part) => PARTS[part] }) {
  const requests = [];
  const timers = new Map();
  const sockets = [];
  const states = [];
  let timerCount = 0;
  const browser = {
    requests,
    sockets,
    /** What the document was told of lines. */
    states,
    tell: (...told) => states.push(told),
    load,
    time: 0,
    now: () => browser.time,
    network: new EventTarget(),
    elapse() {
      const due = [...timers.values()];
      timers.clear();
      for (const call of due) call();
    },
    storage: { getItem: (key) => storage.get(key) ?? null, setItem: (key, value) => storage.set(key, value) },
    setTimeout(call) {
      timerCount += 1;
      timers.set(timerCount, call);
      return timerCount;
    },
    clearTimeout: (id) => timers.delete(id),
    WebSocket: class {
      constructor(url, protocols) {
        this.url = url;
        this.asked = protocols;
        this.protocol = "";
        this.sent = [];
        this.readyState = 1;
        sockets.push(this);
        socket?.(this);
      }
      send(text) {
        this.sent.push(text);
      }
      close(code, reason) {
        this.closedWith = [code, reason];
      }
    },
    async fetch(url, { method = "GET", body, signal } = {}) {
      requests.push([method, url, body]);
      if (method !== "GET") return new Response(null, { status: status === 200 ? 204 : status });
      const stream = new ReadableStream({
        start(controller) {
          for (const event of events) controller.enqueue(new TextEncoder().encode(event));
          signal?.addEventListener("abort", () => controller.error(signal.reason));
        },
      });
      return new Response(stream, { status });
    },
  };
  return browser;
}

const refuse = (socket) => queueMicrotask(() => socket.onclose({ code: 1006, reason: "", wasClean: false }));

describe("an address", () => {
  test("is_followed_where_this_page_can", () => {
    for (const address of ["socket:///.liveline/0?v=2", "socket://ws://api.example/0", "socket://wss://api.example/0"]) {
      assert.equal(typeof transportFor(address, "http://app.example/"), "function", address);
    }
    for (const address of ["tcp://x", "socket://", "socket://ftp://x/y"]) {
      assert.equal(transportFor(address, "http://app.example/"), null, address);
    }
  });
});

describe("a line over a socket", () => {
  test("carries_frames_both_ways_and_closes_with_its_code", () => {
    const { told, receiver } = listener();
    const browser = world({});
    const line = openSocketOrEvents(URL_OF_LINE, receiver, browser);
    const [socket] = browser.sockets;
    assert.equal(socket.url, "ws://app.example/.liveline/0?v=2");
    socket.onopen();
    line.send("up");
    socket.onmessage({ data: "down" });
    socket.onclose({ code: 4001, reason: "gone", wasClean: true });
    assert.deepEqual(socket.sent, ["up"]);
    assert.deepEqual(told, [["opened"], ["frame", "down"], ["closed", 4001, "gone", true]]);
    assert.deepEqual(browser.requests, []);
  });

  test("that_is_closed_here_says_nothing_more", () => {
    const { told, receiver } = listener();
    const browser = world({});
    const line = openSocketOrEvents(URL_OF_LINE, receiver, browser);
    browser.sockets[0].onopen();
    line.close(4001, "gone");
    browser.sockets[0].onclose({ code: 4001, reason: "gone", wasClean: true });
    assert.deepEqual(browser.sockets[0].closedWith, [4001, "gone"]);
    assert.deepEqual(told, [["opened"]]);
  });
});

describe("a line that a host resumes", () => {
  const welcome = (token, more = {}) => ({
    type: "message",
    data: `w${JSON.stringify({ token, window: 30_000, received: 0, lost: false, ...more })}`,
  });
  const turns = async () => {
    for (let turn = 0; turn < 10; turn++) await null;
  };
  const broken = { type: "close", code: 1006, reason: "", wasClean: false };

  /** Opens a line whose first socket is welcomed. */
  async function open(options = {}) {
    const { told, receiver } = listener();
    const browser = world(options);
    const line = openSocketOrEvents(URL_OF_LINE, receiver, browser);
    await opens(browser);
    await turns();
    browser.sockets[0].onmessage(welcome("t1"));
    return { told, browser, line };
  }

  function opens(browser) {
    const socket = browser.sockets.at(-1);
    socket.protocol = PROTOCOL;
    return socket.onopen();
  }

  /** Time passes, and what is due happens. */
  function elapse(browser) {
    browser.time += 5_000;
    browser.elapse();
  }

  test("is_asked_for_and_goes_on_with_the_next_socket", async () => {
    const { told, browser, line } = await open();
    assert.deepEqual(browser.sockets[0].asked, ["liveline.v1"]);
    line.send("up");
    browser.sockets[0].onmessage({ type: "message", data: "1 down" });
    browser.sockets[0].onclose(broken);
    line.send("more");
    elapse(browser);
    const [first, second] = browser.sockets;
    assert.deepEqual(first.sent, ["a0", "1 up"]);
    assert.equal(second.url, "ws://app.example/.liveline/t1?v=2&after=1");
    opens(browser);
    second.onmessage(welcome("t2", { received: 1 }));
    second.onmessage({ type: "message", data: "2 again" });
    second.onclose({ type: "close", code: 1000, reason: "done", wasClean: true });
    assert.deepEqual(second.sent, ["a1", "2 more"]);
    assert.deepEqual(told, [["opened"], ["frame", "down"], ["frame", "again"], ["closed", 1000, "done", true]]);
    assert.deepEqual(browser.states, [["away"], ["resumed", false]]);
    assert.deepEqual(browser.requests, []);
  });

  test("sends_nothing_on_a_socket_that_closes_and_all_of_it_on_the_next", async () => {
    const { browser, line } = await open();
    const [first] = browser.sockets;
    first.readyState = 2;
    line.send("while it closes");
    assert.deepEqual(first.sent, ["a0"]);
    first.onclose(broken);
    elapse(browser);
    opens(browser);
    browser.sockets[1].onmessage(welcome("t2", { received: 0 }));
    assert.deepEqual(browser.sockets[1].sent, ["a0", "1 while it closes"]);
  });

  test("is_not_asked_for_of_other_hosts_because_browsers_fail_where_none_is_picked", () => {
    const { told, receiver } = listener();
    const browser = world({ load: () => assert.fail("nothing is to be loaded") });
    openSocketOrEvents("http://api.example/ports/0?v=2", receiver, browser);
    browser.sockets[0].onopen();
    browser.sockets[0].onmessage({ data: "1 as it is" });
    browser.sockets[0].onclose(broken);
    assert.deepEqual(browser.sockets[0].asked, []);
    assert.deepEqual(told, [["opened"], ["frame", "1 as it is"], ["closed", 1006, "", false]]);
    assert.deepEqual(browser.states, [["lost"]]);
  });

  test("keeps_what_comes_before_its_part_is_loaded", async () => {
    let arrive;
    const part = new Promise((resolve) => arrive = resolve);
    const { told, receiver } = listener();
    const browser = world({ load: () => part });
    openSocketOrEvents(URL_OF_LINE, receiver, browser);
    opens(browser);
    const [socket] = browser.sockets;
    socket.onmessage(welcome("t1"));
    socket.onmessage({ type: "message", data: "1 early" });
    socket.onclose({ type: "close", code: 1000, reason: "", wasClean: true });
    assert.deepEqual(told, []);
    arrive(PARTS.sockets);
    await turns();
    assert.deepEqual(told, [["opened"], ["frame", "early"], ["closed", 1000, "", true]]);
  });

  test("is_lost_when_its_part_cannot_be_loaded", async () => {
    const { told, receiver } = listener();
    const browser = world({ load: async () => { throw new Error("no network"); } });
    openSocketOrEvents(URL_OF_LINE, receiver, browser);
    await opens(browser);
    assert.deepEqual(told, [["closed", 1006, "", false]]);
    assert.deepEqual(browser.states, [["lost"]]);
    assert.ok(browser.sockets[0].closedWith);
  });

  test("is_closed_before_its_part_is_loaded", async () => {
    const { told, receiver } = listener();
    const browser = world({});
    const line = openSocketOrEvents(URL_OF_LINE, receiver, browser);
    opens(browser);
    line.close(4001, "gone");
    await turns();
    assert.deepEqual(browser.sockets[0].closedWith, [4001, "gone"]);
    assert.deepEqual(told, []);
  });

  test("is_lost_at_once_when_the_host_knows_no_such_line", async () => {
    const { told, browser } = await open({ status: 404 });
    browser.sockets[0].onclose(broken);
    elapse(browser);
    browser.sockets[1].onclose(broken);
    await turns();
    assert.deepEqual(browser.requests, [["GET", "http://app.example/.liveline/t1?v=2&after=0", undefined]]);
    assert.deepEqual(told, [["opened"], ["closed", 1006, "", false]]);
    assert.deepEqual(browser.states, [["away"], ["lost"]]);
  });

  test("is_tried_again_when_the_host_cannot_be_asked", async () => {
    const { told, browser } = await open({ status: 426 });
    browser.sockets[0].onclose(broken);
    elapse(browser);
    browser.sockets[1].onclose(broken);
    await turns();
    browser.network.dispatchEvent(new Event("online"));
    assert.equal(browser.sockets.length, 3);
    assert.deepEqual(told, [["opened"]]);
  });

  test("leaves_a_dead_socket_alone_until_the_host_has_welcomed_the_next", async () => {
    const { browser } = await open();
    browser.sockets[0].onmessage({ type: "message", data: "5 gap" });
    elapse(browser);
    opens(browser);
    const [dead, next] = browser.sockets;
    assert.equal(dead.closedWith, undefined);
    dead.onmessage({ type: "message", data: "1 late" });
    next.onmessage(welcome("t2"));
    assert.ok(dead.closedWith);
    assert.deepEqual(next.sent, ["a0"]);
  });

  test("asks_for_no_network_once_it_is_over", async () => {
    const { browser } = await open();
    browser.sockets[0].onclose({ type: "close", code: 1000, reason: "", wasClean: true });
    browser.network.dispatchEvent(new Event("online"));
    elapse(browser);
    assert.equal(browser.sockets.length, 1);
  });
});

describe("a line without sockets", () => {
  const events = ['data: {"a":1}\n\n', "data: tw", "o\r\n\r\n", 'event: close\ndata: {"code":1000,"reason":"done"}\n\n'];

  test("takes_events_when_the_socket_fails_before_it_opened", async () => {
    const { receiver, until } = listener();
    const browser = world({ socket: refuse, events });
    openSocketOrEvents(URL_OF_LINE, receiver, browser);
    assert.deepEqual(await until(4), [
      ["opened"],
      ["frame", '{"a":1}'],
      ["frame", "two"],
      ["closed", 1000, "done", true],
    ]);
    assert.equal(browser.sockets.length, 1);
  });

  test("takes_events_when_a_policy_forbids_sockets_or_they_do_not_open_in_time", async () => {
    const forbidden = world({ socket: () => { throw new Error("policy"); }, events });
    const first = listener();
    openSocketOrEvents(URL_OF_LINE, first.receiver, forbidden);
    await first.until(4);
    const silent = world({ events });
    const second = listener();
    openSocketOrEvents(URL_OF_LINE, second.receiver, silent);
    silent.elapse();
    await second.until(4);
    assert.ok(silent.sockets[0].closedWith);
  });

  test("is_remembered_for_the_tab_only_when_it_worked", async () => {
    const storage = new Map();
    const broken = world({ socket: refuse, storage, status: 404 });
    const first = listener();
    openSocketOrEvents(URL_OF_LINE, first.receiver, broken);
    assert.deepEqual(await first.until(1), [["closed", 1006, "", false]]);
    assert.equal(storage.size, 0);
    const second = listener();
    openSocketOrEvents(URL_OF_LINE, second.receiver, world({ socket: refuse, events, storage }));
    await second.until(4);
    const third = listener();
    const browser = world({ events, storage });
    openSocketOrEvents(URL_OF_LINE, third.receiver, browser);
    await third.until(4);
    assert.equal(browser.sockets.length, 0);
  });

  test("sends_by_POST_in_order_and_what_waits_together", async () => {
    const { receiver, until } = listener();
    const browser = world({ socket: refuse });
    const line = openSocketOrEvents(URL_OF_LINE, receiver, browser);
    await until(1);
    line.send("1");
    line.send("2");
    line.send("3");
    while (browser.requests.length < 3) await null;
    assert.deepEqual(browser.requests.slice(1), [["POST", URL_OF_LINE, "1"], ["POST", URL_OF_LINE, "2\n3"]]);
  });

  test("sends_again_what_a_busy_handler_could_not_take", async () => {
    const { told, receiver, until } = listener();
    const browser = world({ socket: refuse });
    const { fetch } = browser;
    let isBusy = true;
    browser.fetch = async (url, init) => {
      const response = await fetch(url, init);
      return init.method === "POST" && isBusy ? new Response(null, { status: 429 }) : response;
    };
    const line = openSocketOrEvents(URL_OF_LINE, receiver, browser);
    await until(1);
    line.send("1");
    while (browser.requests.length < 2) await null;
    line.send("2");
    for (let turn = 0; turn < 10; turn++) await null;
    isBusy = false;
    browser.elapse();
    while (browser.requests.length < 3) await null;
    assert.deepEqual(browser.requests.slice(1), [["POST", URL_OF_LINE, "1"], ["POST", URL_OF_LINE, "1\n2"]]);
    assert.deepEqual(told, [["opened"]]);
  });

  test("says_all_before_it_closes", async () => {
    const { receiver, until } = listener();
    const browser = world({ socket: refuse });
    const line = openSocketOrEvents(URL_OF_LINE, receiver, browser);
    await until(1);
    line.send("1");
    line.send("2");
    line.close(1000, "");
    while (browser.requests.length < 4) await null;
    const methods = browser.requests.slice(1).map(([method, , body]) => [method, body]);
    assert.deepEqual(methods, [["POST", "1"], ["POST", "2"], ["DELETE", undefined]]);
  });

  test("is_closed_by_DELETE", async () => {
    const { told, receiver, until } = listener();
    const browser = world({ socket: refuse });
    const line = openSocketOrEvents(URL_OF_LINE, receiver, browser);
    await until(1);
    line.close(4001, "gone on");
    assert.deepEqual(browser.requests.at(-1), ["DELETE", `${URL_OF_LINE}&code=4001&reason=gone%20on`, undefined]);
    assert.deepEqual(told, [["opened"]]);
  });
});

describe("server-sent events", () => {
  test("are_read_whatever_the_chunks_and_line_ends", async () => {
    const text = ": comment\r\nevent: x\r\ndata: 1\r\ndata:2\r\n\r\ndata\n\nid: 7\n\ndata: \u00e9\n\n";
    const bytes = new TextEncoder().encode(text);
    for (const size of [1, 2, 3, 7, bytes.length]) {
      const body = new ReadableStream({
        start(controller) {
          for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
          controller.close();
        },
      });
      const read = [];
      await readEvents(body, (event) => read.push(event));
      assert.deepEqual(read, [
        { event: "x", data: "1\n2" },
        { event: "message", data: "" },
        { event: "message", data: "\u00e9" },
      ], `chunks of ${size}`);
    }
  });
});

describe("app.background", () => {
  test("hears_every_line_and_speaks_on_all", async () => {
    const hub = new Hub();
    const pairs = [portPair(), portPair()];
    for (const [, far] of pairs) hub.add(far);
    assert.equal(hub.length, 2);
    await hub.readyStateChange("open");
    const heard = [];
    hub.addEventListener("note", (event) => heard.push(event.data));
    const answers = pairs.map(([near]) => new Promise((resolve) => near.addEventListener("hello", resolve)));
    pairs[0][0].postMessage(1, { type: "note" });
    pairs[1][0].postMessage(2, { type: "note" });
    hub.postMessage("all", { type: "hello" });
    assert.deepEqual((await Promise.all(answers)).map(({ data }) => data), ["all", "all"]);
    assert.deepEqual(heard, [1, 2]);
    for (const [near] of pairs) near.close();
    await hub.readyStateChange("close");
    assert.equal(hub.length, 0);
  });

  test("shows_dialogs", async () => {
    const hub = new Hub();
    const [near, far] = portPair();
    hub.add(far);
    const shown = [];
    hub.addEventListener("confirm", (event) => answerDialog(event, { confirm: (text) => shown.push(text) > 0 }));
    const answer = await near.postRequest({ message: "Sure?", details: "Really?" }, { type: "confirm" });
    assert.equal(answer.data, true);
    assert.deepEqual(shown, ["Sure?\r\nReally?"]);
  });

  test("asks_on_every_line_and_takes_the_first_answer", async () => {
    const hub = new Hub();
    await assert.rejects(hub.postRequest("anyone?"), { name: "InvalidStateError" });
    const pairs = [portPair(), portPair()];
    for (const [, far] of pairs) hub.add(far);
    pairs[1][0].addRequestListener("who", ({ data }) => `second: ${data}`);
    const told = [];
    const answer = await hub.postRequest("you?", ({ data }) => told.push(data), { type: "who" });
    assert.equal(answer.data, "second: you?");
    assert.deepEqual(told, ["second: you?"]);
  });

  test("calls_the_callback_of_a_request_once", async () => {
    const hub = new Hub();
    const [near, far] = portPair();
    hub.add(far);
    near.addRequestListener("message", ({ data }) => `to ${data}`);
    const told = [];
    await hub.postRequest("one", ({ data }) => told.push(data));
    await hub.postRequest("two", ({ data }) => told.push(data));
    assert.deepEqual(told, ["to one", "to two"]);
  });

  test("waits_for_each_of_its_ends", async () => {
    const hub = new Hub();
    for (const state of ["closed", "close"]) {
      const [near, far] = portPair();
      hub.add(far);
      let isClosed = false;
      const closed = hub.readyStateChange(state).then(() => isClosed = true);
      await hub.readyStateChange("open");
      assert.equal(isClosed, false);
      near.close();
      await closed;
      assert.equal(hub.readyState, "closed");
    }
    await assert.rejects(hub.readyStateChange("opened"), { name: "TypeError", message: /takes open, closed/ });
  });
});
