// Frames from a service worker's handler to its page, over a channel.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { LiveResponse } from "../../runtime-js/live_response/live_response.js";
import { setPortOpener, statesOf } from "../../runtime-js/live_response/states.js";
import { RemotePort } from "../../runtime-js/port/remote_port.js";
import { Observer } from "../../runtime-js/observer/observer.js";
import { Downstream } from "../../runtime-js/client/downstream.js";
import { portPair } from "../../runtime-js/client/local_ports.js";
import { transportFor } from "../../runtime-js/client/transport.js";

setPortOpener((response) => {
  const address = response.headers.get("X-Live-Session");
  return address === null ? null : new RemotePort(transportFor(address, "http://app.example/"));
});

function follow(live) {
  const downstream = new Downstream((error) => { throw error; });
  statesOf(live).follow(downstream);
  return downstream;
}

/** Resolves when `live` has said something that `wish` likes. */
function until(live, wish) {
  return new Promise((resolve) => {
    const look = () => wish(live.body) && resolve();
    live.addEventListener("replace", look);
    if (live.body !== undefined && live.body !== null) Observer.observe(live.body, Observer.subtree(), look);
    look();
  });
}

describe("a worker's answer", () => {
  test("that_is_final_needs_no_line", async () => {
    const response = await follow(LiveResponse.from({ a: 1 }, { status: 201, headers: { "x-a": "1" } })).answer;
    assert.equal(response.status, 201);
    assert.equal(response.headers.get("x-a"), "1");
    assert.equal(response.headers.get("x-live-session"), null);
    assert.deepEqual(await response.json(), { a: 1 });
  });

  test("that_is_live_goes_on_with_changes_and_states_until_it_is_done", async () => {
    const source = LiveResponse.from({ n: 0 }, { done: false });
    const downstream = follow(source);
    const page = LiveResponse.from(await downstream.answer);
    await page.readyStateChange("live");
    assert.deepEqual(page.body, { n: 0 });
    Observer.set(source.body, "n", 1);
    await until(page, (body) => body.n === 1);
    source.replaceWith({ list: [] }, { done: false, status: 202 });
    await until(page, (body) => Array.isArray(body.list));
    assert.equal(page.status, 202);
    Observer.proxy(source.body.list).push("x");
    await until(page, (body) => body.list?.[0] === "x");
    source.replaceWith({ last: true });
    await page.readyStateChange("done");
    await downstream.over;
    assert.deepEqual(page.body, { last: true });
  });

  test("has_the_state_that_was_there_before_the_line_was_asked_for", async () => {
    const downstream = new Downstream((error) => { throw error; });
    downstream.openClient();
    statesOf(LiveResponse.from({ n: 0 }, { done: false })).follow(downstream);
    const response = await downstream.answer;
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), { n: 0 });
  });

  test("goes_on_with_an_earlier_state_next_to_a_concurrent_one", async () => {
    const source = LiveResponse.from({ n: 0 }, { done: false });
    const first = source.body;
    const page = LiveResponse.from(await follow(source).answer);
    await page.readyStateChange("live");
    const copy = page.body;
    source.replaceWith({ m: 0 }, { done: false, concurrent: true });
    await until(page, (body) => body.m === 0);
    const changed = new Promise((resolve) => Observer.observe(copy, "n", ({ value }) => resolve(value)));
    Observer.set(first, "n", 1);
    assert.equal(await changed, 1);
    source.replaceWith({});
    await page.readyStateChange("done");
  });

  test("ends_with_the_code_of_its_failure", async () => {
    const source = LiveResponse.from({ n: 0 }, { done: false });
    const errors = [];
    const downstream = new Downstream((error) => errors.push(error.message));
    statesOf(source).follow(downstream);
    const response = await downstream.answer;
    const port = LiveResponse.getPort(response);
    const closed = new Promise((resolve) => port.addEventListener("close", resolve));
    await port.readyStateChange("open");
    await source.replaceWith(Promise.reject(new Error("broken"))).catch(() => {});
    assert.deepEqual([(await closed).code, errors], [4002, ["broken"]]);
  });

  test("comes_early_where_the_handler_speaks_first", async () => {
    const downstream = new Downstream((error) => { throw error; });
    const client = downstream.openClient();
    const answered = client.postRequest({ message: "Sure?" }, { type: "confirm" });
    const response = await downstream.answer;
    assert.equal(response.status, 202);
    const page = LiveResponse.from(response);
    page.background.addEventListener("confirm", (event) => event.respondWith(true));
    assert.equal((await answered).data, true);
    statesOf(LiveResponse.from({ ok: true })).follow(downstream);
    await page.readyStateChange("done");
    assert.deepEqual(page.body, { ok: true });
  });

  test("passes_on_what_the_upstream_says_and_asks", async () => {
    const [near, far] = portPair();
    const upstream = new Response('{"n":1}', { headers: { "content-type": "application/json" } });
    LiveResponse.attachPort(upstream, far);
    const downstream = follow(LiveResponse.from(upstream));
    const answered = near.postRequest("Sure?", { type: "confirm" });
    const response = await downstream.answer;
    const page = LiveResponse.from(response);
    const heard = new Promise((resolve) => page.background.addEventListener("note", resolve));
    page.background.addEventListener("confirm", (event) => event.respondWith("yes"));
    near.postMessage("hello", { type: "note" });
    assert.equal((await heard).data, "hello");
    assert.equal((await answered).data, "yes");
    near.postMessage(null, { type: "response.done" });
    await page.readyStateChange("done");
    // The last state is there, and the upstream may still send messages.
    const later = new Promise((resolve) => page.background.addEventListener("note", resolve));
    near.postMessage("later", { type: "note" });
    assert.equal((await later).data, "later");
    near.close();
    await downstream.over;
  });
});
