// The client's end of a line: handshake, messages, requests, and a LiveResponse that follows it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { LiveResponse } from "../../runtime-js/live_response/live_response.js";
import { setPortOpener, statesOf } from "../../runtime-js/live_response/states.js";
import { kHold } from "../../runtime-js/port/port.js";
import { Observer } from "../../runtime-js/observer/observer.js";
import { heard, line, openLine } from "./support/transport.mjs";

describe("handshake", () => {
  test("it_greets_when_the_transport_is_open_and_is_open_when_answered", async () => {
    const { port, host } = line();
    assert.equal(port.readyState, "connecting");
    host.receiver.opened();
    const [{ ping, ".wq": { eventID } }] = host.sent;
    assert.equal(ping, "connect");
    host.say(`${eventID}:0:message`, { isOpen: true });
    assert.equal(port.readyState, "open");
    assert.equal(await port.readyStateChange("open"), port);
  });

  test("a_connect_ping_of_the_host_is_answered_and_opens", () => {
    const { port, host } = line();
    host.receiver.opened();
    host.receiver.frame(JSON.stringify({ ping: "connect", ".wq": { type: "message", eventID: "h-1" } }));
    assert.equal(port.readyState, "open");
    assert.equal(host.sent.at(-1)[".wq"].type, "h-1:0:message");
    assert.deepEqual(host.sent.at(-1).message, { isOpen: true });
  });

  test("messages_wait_for_the_line_to_open_in_their_order", () => {
    const { port, host } = line();
    port.postMessage(1);
    port.postMessage(2, { type: "two" });
    assert.deepEqual(host.sent, []);
    host.open();
    assert.deepEqual(host.sent.map((frame) => [frame[".wq"].type, frame.message]), [["message", 1], ["two", 2]]);
  });

  test("what_waits_is_bounded", () => {
    const { port } = line();
    const big = "x".repeat(1 << 19);
    port.postMessage(big);
    assert.throws(() => port.postMessage(big), { name: "QuotaExceededError" });
  });

  test("the_greeting_waits_for_what_it_is_held_for", async () => {
    const { port, host } = line();
    let go;
    port[kHold](new Promise((resolve) => go = resolve));
    host.receiver.opened();
    assert.deepEqual(host.sent, []);
    go();
    await new Promise(setImmediate);
    assert.equal(host.sent[0].ping, "connect");
  });
});

describe("messages", () => {
  test("a_frame_becomes_an_event_of_its_type", () => {
    const { port, host } = openLine();
    const events = heard(port, "tick");
    host.say("tick", { n: 1 }, { eventID: "tick-1" });
    assert.deepEqual(events.map(({ data, eventID }) => [data, eventID]), [[{ n: 1 }, "tick-1"]]);
  });

  test("a_frame_that_lists_members_becomes_the_message_that_each_would_have_been", () => {
    const { port, host } = openLine();
    const messages = heard(port, "room:7:message");
    const counts = heard(port, "room:7:joins-leaves");
    host.say("room:7:joins-leaves", {
      joins: 1,
      leaves: 1,
      events: [
        { event: "joins", eventID: "joins-4", message: { event: "joins", user: "Ann" } },
        { event: "leaves", eventID: "leaves-3" },
      ],
    });
    assert.deepEqual(messages.map(({ data, eventID }) => [data, eventID]), [
      [{ event: "joins", user: "Ann" }, "joins-4"],
      [undefined, "leaves-3"],
    ]);
    assert.equal(counts.length, 0);
    host.say("room:7:joins-leaves", { joins: 400, leaves: 2 });
    assert.deepEqual([messages.length, counts.map(({ data }) => data)], [2, [{ joins: 400, leaves: 2 }]]);
  });

  test("bare_json_is_a_message", () => {
    const { port, host } = openLine();
    const seen = [];
    port.onmessage = (event) => seen.push(event.data);
    for (const text of ['{"a":1}', "7", "null", '"s"', '{".wq":1}']) host.receiver.frame(text);
    assert.deepEqual(seen, [{ a: 1 }, 7, null, "s", { ".wq": 1 }]);
  });

  test("frames_that_make_no_sense_are_passed_over", () => {
    const { port, host } = openLine();
    const events = ["message", "open", "close", "error"].map((type) => heard(port, type));
    const hostile = ["", "{", "\u0000", '{".wq":{"type":7}}', '{".wq":{"eventID":{}}}', '{".wq":{},"ping":"disconnect"}'];
    for (const text of hostile) host.receiver.frame(text);
    for (const type of ["open", "close", "error", "x.mutate", "response.replace", "a:b:c", ":0:", "::"]) {
      host.say(type, type === "x.mutate" ? [1, null, { path: 3 }] : null);
    }
    assert.deepEqual(events.flat(), []);
    assert.equal(port.readyState, "open");
  });

  test("a_channel_whose_name_looks_like_a_reply_is_heard", () => {
    const { port, host } = openLine();
    const events = heard(port, "room:1:message");
    host.say("room:1:message", "hi");
    assert.deepEqual(events.map(({ data }) => data), ["hi"]);
  });

  test("a_live_message_changes_in_place", () => {
    const { port, host } = openLine();
    const events = heard(port, "message");
    host.say("message", { list: [1] }, { eventID: "m-1", live: true });
    const [{ data }] = events;
    const seen = [];
    Observer.observe(data, Observer.subtree(), (records) => seen.push(...records.map(({ path }) => path.join("."))));
    host.say("m-1.mutate", [{ type: "set", key: "1", value: 2, operation: "set", path: ["list", "1"] }]);
    assert.deepEqual(data, { list: [1, 2] });
    assert.deepEqual(seen, ["list.1", "list.length"]);
  });

  test("the_parent_hears_everything_and_may_prevent", () => {
    const { port, host } = openLine();
    const parent = port.parent = new EventTarget();
    const own = heard(port, "confirm");
    parent.addEventListener("confirm", (event) => {
      event.preventDefault();
      event.ports[0].postMessage(true);
    });
    host.say("confirm", "sure?", { eventID: "c-1", numPorts: 1 });
    assert.equal(own[0].defaultPrevented, true);
    assert.deepEqual([host.sent[0][".wq"].type, host.sent[0].message], ["c-1:0:message", true]);
    const closes = heard(parent, "close");
    host.close(4002, "failed");
    assert.deepEqual(closes.map(({ code, reason, wasClean }) => [code, reason, wasClean]), [[4002, "failed", true]]);
  });
});

describe("requests", () => {
  test("a_message_with_ports_is_answered_on_them", () => {
    const { port, host } = openLine();
    port.addEventListener("confirm", (event) => event.respondWith(true));
    host.say("confirm", "sure?", { eventID: "confirm-1", numPorts: 2 });
    assert.deepEqual(host.sent.map((frame) => [frame[".wq"].type, frame.message]), [
      ["confirm-1:0:message", true],
      ["confirm-1:1:message", true],
    ]);
  });

  test("the_first_reply_settles_a_request", async () => {
    const { port, host } = openLine();
    const request = port.postRequest("name?", { type: "prompt" });
    const { type, eventID, numPorts } = host.sent[0][".wq"];
    assert.deepEqual([type, numPorts], ["prompt", 1]);
    host.say(`${eventID}:0:message`, { ".wq": {}, ping: "disconnect" });
    host.say(`${eventID}:0:message`, "bob");
    host.say(`${eventID}:0:message`, "late");
    assert.equal((await request).data, "bob");
  });

  test("requests_nest", async () => {
    const { port, host } = openLine();
    const asked = new Promise((resolve) => {
      port.addEventListener("buy", async ({ ports: [reply] }) => {
        resolve((await reply.postRequest("which?")).data);
      });
    });
    host.say("buy", null, { eventID: "buy-1", numPorts: 1 });
    const { type, eventID } = host.sent[0][".wq"];
    assert.equal(type, "buy-1:0:message");
    host.say(`${eventID}:0:message`, "the red one");
    assert.equal(await asked, "the red one");
  });

  test("a_reply_port_hears_what_follows", () => {
    const { port, host } = openLine();
    let more;
    port.addEventListener("talk", ({ ports: [reply] }) => more = heard(reply, "message"));
    host.say("talk", null, { eventID: "talk-1", numPorts: 1 });
    host.say("talk-1:0:message", "more");
    assert.deepEqual(more.map(({ data }) => data), ["more"]);
  });

  test("requests_end_with_the_line_or_their_signal", async () => {
    const { port, host } = openLine();
    const lost = port.postRequest("a");
    const given = new AbortController();
    const stopped = port.postRequest("b", { signal: given.signal });
    given.abort(new Error("enough"));
    host.close(1006);
    await assert.rejects(lost, { name: "AbortError" });
    await assert.rejects(stopped, { message: "enough" });
    await assert.rejects(port.postRequest("c"), { name: "InvalidStateError" });
  });

  test("an_answer_stands_for_its_value", async () => {
    const { port, host } = openLine();
    const request = port.postRequest("sure?", { type: "confirm" });
    host.say(`${host.sent[0][".wq"].eventID}:0:message`, true);
    const answer = await request;
    assert.equal(answer == true, true);
    assert.equal(`${answer}`, "true");
    assert.equal(JSON.stringify({ answer }), '{"answer":true}');
    assert.equal(+answer, 1);
  });
});

describe("closing", () => {
  test("close_ends_the_line_once", async () => {
    const { port, host } = openLine();
    const closes = heard(port, "close");
    port.close(1000, "enough");
    host.close(1000);
    port.close();
    assert.deepEqual(host.closes, [[1000, "enough"]]);
    assert.deepEqual(closes.map(({ code, reason }) => [code, reason]), [[1000, "enough"]]);
    assert.equal(port.readyState, "closed");
    await port.readyStateChange("close");
    port.postMessage("nobody hears this");
    assert.deepEqual(host.sent, []);
  });
});

describe("LiveResponse", () => {
  /** A LiveResponse of a Response with a line. */
  function following(response) {
    const { port, host } = line();
    LiveResponse.attachPort(response, port);
    return { live: LiveResponse.from(response), port, host };
  }

  const state = (body, rest = {}) => ({ body, status: 200, statusText: "", headers: {}, concurrent: false, ...rest });

  test("it_follows_states_to_the_last", async () => {
    const { live, port, host } = following(Response.json({ step: 1 }, { headers: { "X-Live-Session": "socket:///x" } }));
    assert.equal(live.background, port);
    assert.equal(await live, live);
    await live.readyStateChange("live");
    assert.deepEqual([live.body, live.headers.has("x-live-session")], [{ step: 1 }, false]);
    host.open();
    const bodies = [];
    live.addEventListener("replace", ({ data }) => bodies.push([data.body, data.status, data.headers.get("x-a")]));
    host.say("response.replace", state({ step: 2 }, { status: 201, headers: { "x-a": "1" } }));
    assert.equal(live.readyState, "live");
    host.say("response.done", null);
    host.close(1000, "done");
    await live.readyStateChange("done");
    assert.deepEqual(bodies, [[{ step: 2 }, 201, "1"]]);
  });

  test("a_202_waits_for_the_first_state", async () => {
    const { live, host } = following(new Response(null, { status: 202 }));
    await new Promise(setImmediate);
    assert.equal(live.readyState, "waiting");
    host.open();
    host.say("response.replace", state({ ok: true }));
    await live.readyStateChange("live");
    assert.deepEqual([live.body, live.status], [{ ok: true }, 200]);
  });

  test("deltas_change_the_current_body_and_no_former_one", async () => {
    const { live, host } = following(Response.json({ p: 0 }));
    await live.readyStateChange("live");
    host.open();
    const first = live.body;
    host.say("initial_response.mutate", [{ type: "set", key: "p", value: 1, path: ["p"] }]);
    assert.deepEqual(first, { p: 1 });
    host.say("response.replace", state({ q: 0 }), { eventID: "r-1", live: true });
    host.say("initial_response.mutate", [{ type: "set", key: "p", value: 2, path: ["p"] }]);
    host.say("r-1.mutate", [{ type: "set", key: "q", value: 1, path: ["body", "q"] }]);
    assert.deepEqual([first, live.body], [{ p: 1 }, { q: 1 }]);
  });

  test("a_concurrent_state_leaves_the_former_alive", async () => {
    const { live, host } = following(Response.json({ n: 0 }));
    await live.readyStateChange("live");
    host.open();
    const first = live.body;
    host.say("response.replace", state({ m: 0 }, { concurrent: true }));
    host.say("initial_response.mutate", [{ type: "set", key: "n", value: 1, path: ["n"] }]);
    assert.deepEqual([first, live.body, live.concurrent], [{ n: 1 }, { m: 0 }, true]);
  });

  test("observers_of_the_response_hear_of_each_state", async () => {
    const { live, host } = following(Response.json({ a: 1 }));
    const seen = [];
    Observer.observe(live, "body", ({ value }) => seen.push(value));
    Observer.observe(live, "status", ({ value, oldValue }) => seen.push([oldValue, value]));
    await live.readyStateChange("live");
    host.open();
    host.say("response.replace", state({ b: 1 }, { status: 201 }));
    assert.deepEqual(seen, [{ a: 1 }, [undefined, 200], { b: 1 }, [200, 201]]);
  });

  test("a_good_end_of_the_line_is_the_end_of_the_response", async () => {
    for (const code of [1000, 1001, 4001]) {
      const { live, host } = following(Response.json({}));
      await live.readyStateChange("live");
      host.open();
      host.close(code);
      await live.readyStateChange("done");
      assert.equal(statesOf(live).failure, null);
    }
  });

  test("a_lost_line_fails_the_response_and_whoever_follows_it", async () => {
    const { live, port, host } = following(Response.json({ a: 1 }));
    const copy = LiveResponse.from(live);
    assert.equal(copy.background, port);
    await copy.readyStateChange("live");
    host.open();
    host.close(4002, "the handler failed");
    await live.readyStateChange("done");
    await copy.readyStateChange("done");
    for (const response of [live, copy]) {
      const { error } = statesOf(response).failure;
      assert.deepEqual([error.name, error.code, error.reason], ["LineLostError", 4002, "the handler failed"]);
    }
  });

  test("states_that_make_no_sense_do_no_harm", async () => {
    const { live, host } = following(Response.json({ a: 1 }));
    await live.readyStateChange("live");
    host.open();
    for (const odd of [null, 7, "x", []]) host.say("response.replace", odd);
    host.say("response.replace", { status: "no", headers: { "b a d": "1", ok: "2", "set-cookie": "x=1" }, url: 7 });
    assert.deepEqual([live.body, live.status, [...live.headers], live.url], [undefined, 200, [["ok", "2"]], null]);
  });

  test("the_environment_says_how_a_line_is_opened", () => {
    const response = Response.json({}, { headers: { "X-Live-Session": "socket:///.liveline/0" } });
    assert.equal(LiveResponse.hasPort(response), true);
    assert.equal(LiveResponse.getPort(response), null);
    const { port } = line();
    setPortOpener((given) => given.headers.has(LiveResponse.xHeaderName) ? port : null);
    try {
      assert.equal(LiveResponse.getPort(response), port);
      assert.equal(LiveResponse.getPort(Response.json({})), null);
    } finally {
      setPortOpener(() => null);
    }
  });
});
