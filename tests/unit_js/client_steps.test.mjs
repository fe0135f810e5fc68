// Which client handlers are asked for a path, and what `next()` does in a browser.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { LiveResponse } from "../../runtime-js/live_response/live_response.js";
import { ClientEvent } from "../../runtime-js/client/event.js";
import { Router, StepTree } from "../../runtime-js/client/steps.js";

const ORIGIN = "http://app.example";

function asked(patterns, pathname) {
  const tree = new StepTree(patterns.map((pattern) => [pattern, () => ({})]));
  return tree.resolve(pathname).map(({ dirname, depth }) => `${dirname} ${depth}`);
}

/** Runs a request through handlers; `server` stands for what is past the last step. */
async function run(handlers, path, { method = "GET", server = () => new Response("server") } = {}) {
  const tree = new StepTree(Object.entries(handlers).map(([pattern, module]) => [pattern, async () => module]));
  const reported = [];
  const controller = new AbortController();
  const report = (error) => reported.push(error);
  const request = new Request(ORIGIN + path, { method });
  const event = new ClientEvent(request, { detail: {}, controller, report, openClient: () => null });
  const answer = await new Router(tree, async (last) => server(last)).run(event);
  return { answer, controller, reported };
}

describe("parts of a page", () => {
  /** A request as a service worker gets it for a style sheet. */
  async function style(handlers, path, destination = "style") {
    const tree = new StepTree(Object.entries(handlers).map(([pattern, module]) => [pattern, () => module]));
    const request = Object.defineProperty(new Request(ORIGIN + path), "destination", { value: destination });
    const event = new ClientEvent(request, { detail: {}, controller: new AbortController(), report: () => {}, openClient: () => null });
    return await new Router(tree, async () => "server").run(event);
  }

  test("they_go_past_handlers_that_only_take_the_event", async () => {
    for (const handler of [() => "handler", (event) => "handler", async (event) => "handler", function (event) { return "handler"; }]) {
      assert.equal(await style({ "/": { default: handler } }, "/style.css"), "server", String(handler));
      assert.equal(await style({ "/": { default: handler } }, "/style.css", ""), "handler", String(handler));
    }
  });

  test("handlers_that_may_ask_for_the_rest_of_the_path_see_them", async () => {
    for (const handler of [(event, next) => "handler", (...all) => "handler", (event, next = null) => "handler", function () { return arguments.length && "handler"; }]) {
      assert.equal(await style({ "/": { default: handler } }, "/style.css"), "handler", String(handler));
    }
  });

  test("the_handler_of_the_path_itself_answers", async () => {
    assert.equal(await style({ "/picture": { GET: () => "handler" } }, "/picture", "image"), "handler");
  });
});

describe("waits", () => {
  const event = (controller) =>
    new ClientEvent(new Request(ORIGIN), { detail: {}, controller, report: () => {}, openClient: () => null });

  test("a_callback_is_called_no_more_after_the_promise_has_settled", async () => {
    const controller = new AbortController();
    const told = [];
    await event(controller).waitUntil(Promise.resolve(1), 1, ({ type }) => told.push(type));
    controller.abort();
    assert.deepEqual(told, []);
  });

  test("a_callback_is_told_of_the_end_and_ends_the_wait", async () => {
    const controller = new AbortController();
    const told = [];
    const wait = event(controller).waitUntil(new Promise(() => {}), Infinity, ({ type }, resolve) => {
      told.push(type);
      resolve();
    });
    controller.abort();
    controller.signal.dispatchEvent(new Event("abort"));
    await wait;
    assert.deepEqual(told, ["abort"]);
  });

  test("times_that_mean_nothing_are_errors", () => {
    for (const timeout of [NaN, -1, "1"]) {
      assert.throws(() => event(new AbortController()).waitUntil(Promise.resolve(), timeout), { name: "TypeError" });
    }
  });
});

describe("the steps of a path", () => {
  test("every_folder_answers_and_all_are_asked_in_order", () => {
    assert.deepEqual(asked(["/", "/products", "/products/-"], "/products/7"), ["/ 0", "/products 1", "/products/- 2"]);
  });

  test("a_folder_without_handler_is_walked_through", () => {
    assert.deepEqual(asked(["/", "/a/b"], "/a/b"), ["/ 0", "/a/b 2"]);
  });

  test("a_wildcard_with_a_handler_beats_a_mere_folder", () => {
    assert.deepEqual(asked(["/-", "/a/b"], "/a/b"), ["/- 1"]);
  });

  test("a_name_with_a_handler_beats_the_wildcard", () => {
    assert.deepEqual(asked(["/a", "/-", "/-/b"], "/a/b"), ["/a 1"]);
    assert.deepEqual(asked(["/a", "/-", "/-/b"], "/c/b"), ["/- 1", "/-/b 2"]);
  });

  test("of_two_mere_folders_the_next_segment_decides", () => {
    const patterns = ["/a/x", "/-/y", "/a/both", "/-/both"];
    assert.deepEqual(asked(patterns, "/a/x"), ["/a/x 2"]);
    assert.deepEqual(asked(patterns, "/a/y"), ["/-/y 2"]);
    assert.deepEqual(asked(patterns, "/a/both"), ["/a/both 2"]);
  });

  test("empty_segments_are_dropped_and_escapes_compared_with_names", () => {
    assert.deepEqual(asked(["/a/b"], "//a///b/"), ["/a/b 2"]);
    assert.deepEqual(asked(["/%zz", "/a b"], "/a%20b"), ["/a b 1"]);
    assert.deepEqual(asked(["/%zz", "/a b"], "/%25zz"), ["/%zz 1"]);
    assert.deepEqual(asked(["/%zz", "/a b"], "/%zz"), ["/%zz 1"]);
  });

  test("a_segment_that_is_no_name_matches_nothing", () => {
    for (const path of ["/a/%2e%2e", "/a/%ff", "/a/.%2e/b"]) {
      assert.deepEqual(asked(["/", "/a", "/a/-", "/-"], path), ["/ 0", "/a 1"], path);
    }
  });
});

describe("a client handler", () => {
  test("its_method_comes_before_the_default", async () => {
    const module = { POST: () => "post", default: () => "default" };
    assert.equal((await run({ "/": module }, "/", { method: "POST" })).answer, "post");
    assert.equal((await run({ "/": module }, "/")).answer, "default");
  });

  test("without_an_export_for_the_method_the_server_is_asked", async () => {
    const { answer } = await run({ "/": { POST: () => "post" } }, "/");
    assert.equal(await answer.text(), "server");
  });

  test("next_goes_on_to_the_next_step_and_then_to_the_server", async () => {
    const seen = [];
    const step = {
      async default(event, next) {
        seen.push([this.pathname, this.stepname, this.dirname, next.stepname, next.pathname]);
        return await next();
      },
    };
    const { answer } = await run({ "/": step, "/a/-": step }, "/a/7/x");
    assert.equal(await answer.text(), "server");
    assert.deepEqual(seen, [["/", undefined, "/", "a", "a/7/x"], ["/a/7", "7", "/a/-", "x", "x"]]);
  });

  test("next_with_a_path_asks_from_the_root_and_a_relative_one_from_what_is_shared", async () => {
    const seen = [];
    const step = (name, then) => ({
      default: async (event, next) => {
        seen.push(name);
        return await then(event, next);
      },
    });
    const on = (event, next) => next();
    const handlers = {
      "/": step("root", on),
      "/a": step("a", (event, next) => next.stepname === "rel" ? next("b?q=1") : next("/c")),
      "/a/b": step("b", (event) => event.url.search),
      "/c": step("c", () => "at c"),
    };
    assert.equal((await run(handlers, "/a")).answer, "at c");
    assert.deepEqual(seen.splice(0), ["root", "a", "root", "c"]);
    assert.equal((await run(handlers, "/a/rel")).answer, "?q=1");
    assert.deepEqual(seen, ["root", "a", "b"]);
  });

  test("next_cannot_leave_the_origin_and_endless_re_routes_end", async () => {
    const out = { default: (event, next) => next("https://elsewhere.example/") };
    await assert.rejects(run({ "/": out }, "/"), /another origin/);
    const loop = { default: (event, next) => next("/") };
    await assert.rejects(run({ "/": loop }, "/"), /more than 32 re-routes/);
    const changed = { default: (event, next) => next({ with: { headers: { "X-Changed": "1" } } }) };
    await assert.rejects(run({ "/": changed, "/a": { default: (event, next) => next("/a") } }, "/a"), /more than 32 re-routes/);
  });

  test("an_answer_comes_as_soon_as_there_is_a_state_and_the_handler_goes_on", async () => {
    let goOn;
    const waiting = new Promise((resolve) => goOn = resolve);
    const module = {
      async default(event) {
        await event.respondWith({ n: 1 }, { done: false });
        await waiting;
        return { n: 2 };
      },
    };
    const { answer } = await run({ "/": module }, "/");
    assert.ok(answer instanceof LiveResponse);
    assert.deepEqual(answer.body, { n: 1 });
    const replaced = new Promise((resolve) => answer.addEventListener("replace", resolve, { once: true }));
    goOn();
    assert.deepEqual((await replaced).data.body, { n: 2 });
  });

  test("an_error_before_the_answer_fails_it_and_one_after_it_is_reported", async () => {
    const early = { default: async () => { throw new Error("early"); } };
    await assert.rejects(run({ "/": early }, "/"), /early/);
    const late = {
      async default(event) {
        await event.respondWith({}, { done: false });
        throw new Error("late");
      },
    };
    const { reported } = await run({ "/": late }, "/");
    assert.deepEqual(reported.map(String), ["Error: late"]);
  });

  test("what_it_said_ends_when_the_user_has_gone_on", async () => {
    let respond;
    const module = {
      async default(event) {
        respond = (data) => event.respondWith(data, { done: false });
        await respond({ n: 1 });
        await new Promise((resolve) => event.signal.addEventListener("abort", resolve));
      },
    };
    const { controller } = await run({ "/": module }, "/");
    controller.abort();
    await assert.doesNotReject(respond({ n: 2 }));
  });
});
