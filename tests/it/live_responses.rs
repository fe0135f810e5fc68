//! `LiveResponse` as an object: its parts, its states, what it is made of and what it becomes.

use serde_json::{Value, json};

use crate::support::{Site, handler, on_go, serve};

/// What a piece of code with LiveResponse at hand returns.
#[track_caller]
fn evaluate(code: &str) -> Value {
    let host = serve(&handler(code));
    let answer = host.get("/");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[test]
fn a_live_response_is_live_and_then_done() {
    let states = evaluate(
        r#"
        const live = new LiveResponse({ a: 1 });
        const states = [live.readyState];
        await live.readyStateChange("done");
        states.push(live.readyState);
        const waiting = new LiveResponse(Promise.resolve(2));
        states.push(waiting.readyState);
        await waiting.readyStateChange("live");
        return [...states, waiting.body];"#,
    );

    assert_eq!(states, json!(["live", "done", "waiting", 2]));
}

#[test]
fn a_live_response_has_the_parts_of_a_response() {
    let parts = evaluate(
        r#"
        const live = new LiveResponse({ a: 1 }, { status: 201, statusText: "Made", headers: { "X-A": "1" } });
        return [live.body, live.status, live.statusText, live.ok, live.headers.get("x-a"), live.bodyUsed];"#,
    );

    assert_eq!(parts, json!([{ "a": 1 }, 201, "Made", true, "1", true]));
}

#[test]
fn now_is_a_picture_of_the_current_frame() {
    let now = evaluate(
        r#"
        const live = new LiveResponse({ step: 1 }, { done: false, status: 201 });
        const first = await live.now();
        await live.replaceWith({ step: 2 });
        const second = await live.now();
        return [first.body, first.status, second.body, second.status];"#,
    );

    assert_eq!(now, json!([{ "step": 1 }, 201, { "step": 2 }, 200]));
}

/// Each call names what was at work then, also where something else took its place.
#[test]
fn now_is_the_frame_of_its_own_time() {
    let bodies = evaluate(
        r#"
        const later = (value) => new Promise((resolve) => setTimeout(resolve, 5, value));
        const live = new LiveResponse(later(1), { done: false });
        const now = [live.now()];
        const sources = [2, later(3), Response.json(4), later(new Response("5")), new LiveResponse(later(6)),
          (async function* () { yield later(7); })(), later(new LiveResponse(8)), later(9)];
        for (const source of sources) {
          live.replaceWith(source, { done: false });
          now.push(live.now());
        }
        return (await Promise.all(now)).map((frame) => frame.body);"#,
    );

    assert_eq!(bodies, json!([1, 2, 3, 4, "5", 6, 7, 8, 9]));
}

#[test]
fn now_fails_with_its_source() {
    let told = evaluate(
        r#"
        const live = new LiveResponse({ n: 1 }, { done: false });
        live.replaceWith(Promise.reject(new Error("broken")), { done: false }).catch(() => {});
        const failed = await live.now().catch((error) => error.message);
        const { body } = await live.replaceWith({ n: 2 }).then(() => live.now());
        return [failed, body];"#,
    );

    assert_eq!(told, json!(["broken", { "n": 2 }]));
}

#[test]
fn the_body_is_null_before_the_first_state() {
    let bodies = evaluate(
        r#"
        const lives = [new LiveResponse(), new LiveResponse(Promise.resolve(1)), new LiveResponse(Response.json(2))];
        return lives.map((live) => [live.body, live.readyState, live.status]);"#,
    );

    assert_eq!(bodies, json!([[null, "waiting", 200], [null, "waiting", 200], [null, "waiting", 200]]));
}

/// A value is the last state, but not before the code that runs has ended.
#[test]
fn a_live_response_may_be_replaced_while_it_is_live() {
    let told = evaluate(
        r#"
        const told = [];
        const live = new LiveResponse("initial");
        live.addEventListener("replace", () => told.push(live.body));
        live.replaceWith("updated");
        told.push(live.readyState, live.body);
        live.replaceWith("open", { done: false });
        await live.now();
        told.push(live.readyState);
        live.replaceWith("final");
        await live.now();
        told.push(live.readyState);
        const late = await live.replaceWith("late").catch((error) => error.name);
        return [...told, late, live.body];"#,
    );

    assert_eq!(
        told,
        json!(["updated", "live", "updated", "open", "live", "final", "done", "InvalidStateError", "final"])
    );
}

#[test]
fn a_state_becomes_a_response_at_once() {
    let parts = evaluate(
        r#"
        const response = new LiveResponse({ a: 1 }, { done: false }).toResponse();
        const waiting = new LiveResponse(Promise.resolve({ b: 1 })).toResponse();
        return [response instanceof Response, await response.json(), waiting instanceof Promise,
          await (await waiting).json()];"#,
    );

    assert_eq!(parts, json!([true, { "a": 1 }, true, { "b": 1 }]));
}

#[test]
fn each_new_frame_fires_a_replace_event() {
    let bodies = evaluate(
        r#"
        const live = new LiveResponse(1, { done: false });
        const bodies = [];
        live.addEventListener("replace", (e) => bodies.push([e.data.body, live.body]));
        await live.replaceWith(2, { done: false });
        await live.replaceWith(Promise.resolve(3), { done: false });
        await live.replaceWith(Response.json({ four: 4 }));
        return bodies;"#,
    );

    assert_eq!(bodies, json!([[2, 2], [3, 3], [{ "four": 4 }, { "four": 4 }]]));
}

#[test]
fn a_done_live_response_rejects_another_frame() {
    let error = evaluate(
        r#"
        const live = new LiveResponse(1);
        await live.readyStateChange("done");
        return await live.replaceWith(2).then(() => ["sent"], (e) => [e.name, live.body]);"#,
    );

    assert_eq!(error, json!(["InvalidStateError", 1]));
}

#[test]
fn a_new_frame_supersedes_a_promise() {
    let body = evaluate(
        r#"
        const live = new LiveResponse(1, { done: false });
        let resolve;
        live.replaceWith(new Promise((r) => (resolve = r)), { done: false });
        await live.replaceWith(3, { done: false });
        resolve(2);
        await new Promise((r) => setTimeout(r));
        return [live.body];"#,
    );

    assert_eq!(body, json!([3]));
}

#[test]
fn a_response_becomes_a_live_response() {
    let parts = evaluate(
        r#"
        const json = LiveResponse.from(Response.json({ a: 1 }, { status: 201 }));
        const text = LiveResponse.from(new Response("hello"));
        await Promise.all([json.readyStateChange("live"), text.readyStateChange("live")]);
        return [json.body, json.status, text.body, json.background ?? null];"#,
    );

    assert_eq!(parts, json!([{ "a": 1 }, 201, "hello", null]));
}

#[test]
fn a_live_response_becomes_a_response() {
    let parts = evaluate(
        r#"
        const response = await new LiveResponse({ a: 1 }, { status: 201, headers: { "x-a": "1" } }).toResponse();
        return [response instanceof Response, response.status, response.headers.get("x-a"), await response.json()];"#,
    );

    assert_eq!(parts, json!([true, 201, "1", { "a": 1 }]));
}

#[test]
fn a_generator_becomes_a_live_response_and_back() {
    let bodies = evaluate(
        r#"
        const live = new LiveResponse((async function* () { yield 1; yield Response.json([2]); return 3; })());
        const bodies = [];
        for await (const frame of live.toGenerator()) bodies.push(frame?.body ?? frame);
        return bodies;"#,
    );

    assert_eq!(bodies, json!([1, [2], 3]));
}

#[test]
fn a_form_is_read_like_a_query_and_bytes_stay_bytes() {
    let bodies = evaluate(
        r#"
        const form = new Response("a=1&a=2&user[name]=Ann", { headers: { "content-type": "application/x-www-form-urlencoded" } });
        const read = async (response) => (await new LiveResponse(response).now()).body;
        const bytes = await read(new Response(new Uint8Array([255, 0, 254])));
        return [await read(form), bytes instanceof Uint8Array, [...bytes], await read(new Response("text"))];"#,
    );

    assert_eq!(bodies, json!([{ "a": ["1", "2"], "user": { "name": "Ann" } }, true, [255, 0, 254], "text"]));
}

#[test]
fn a_generator_of_states_throws_what_the_source_threw() {
    let told = evaluate(
        r#"
        const live = new LiveResponse(async function* () { yield 1; throw new RangeError("no more"); }());
        const handle = live.toLiveProgramHandle();
        const told = [];
        try {
          for await (const body of live.toGenerator()) told.push(body);
        } catch (error) {
          told.push(error.name);
        }
        return [...told, handle.value, handle.error?.message];"#,
    );

    assert_eq!(told, json!([1, "RangeError", 1, "no more"]));
}

#[test]
fn signals_are_left_by_what_has_ended() {
    let listeners = evaluate(
        r#"
        const { signal } = new AbortController();
        let listeners = 0;
        for (const [name, step] of [["addEventListener", 1], ["removeEventListener", -1]]) {
          const method = EventTarget.prototype[name];
          signal[name] = function (...args) { listeners += step; return method.apply(this, args); };
        }
        const live = new LiveResponse({ n: 1 });
        for await (const body of live.toGenerator({ signal })) { /* to the end */ }
        live.toLiveProgramHandle({ signal }).abort();
        return [listeners];"#,
    );

    assert_eq!(listeners, json!([0]));
}

#[test]
fn the_kinds_of_sources_are_distinguished() {
    let kinds = evaluate(
        r#"
        return [new LiveResponse(1), new Response(), (function* () {})(), { a: 1 }].map((x) => LiveResponse.test(x));"#,
    );

    assert_eq!(kinds, json!(["LiveResponse", "Response", "Generator", "Default"]));
}

#[test]
fn an_invalid_status_throws() {
    let errors = evaluate(
        r#"
        return [100, 600, "x"].map((status) => {
          try { new LiveResponse(1, { status }); return "made"; } catch (e) { return e.name; }
        });"#,
    );

    assert_eq!(errors, json!(["RangeError", "RangeError", "RangeError"]));
}

#[test]
fn an_intermediate_handler_receives_what_passes() {
    let site = Site::new()
        .file(
            "handler.js",
            r#"
            import { LiveResponse } from "@webqit/webflo";
            const heard = [];
            export default async function (event, next) {
              if (next.stepname === "heard") return { heard };
              const live = LiveResponse.from(await next());
              live.background?.addEventListener("message", (e) => heard.push(e.data));
              live.addEventListener("replace", () => heard.push(live.body));
              return live;
            }"#,
        )
        .file(
            "work/handler.js",
            r#"
            export default async function (event) {
              event.respondWith({ step: 1 }, { done: false });
              await new Promise((r) => setTimeout(r));
              event.respondWith({ step: 2 });
            }"#,
        );
    let host = site.serve();

    let (answer, mut line) = host.open("/work");

    assert_eq!(answer.text(), r#"{"step":1}"#);
    assert_eq!(line.expect_body(), json!({ "step": 2 }));
    line.done();
    host.until("/heard", |answer| {
        answer.json()["heard"].as_array().is_some_and(|h| h.contains(&json!({ "step": 2 })))
    });
}

#[test]
fn an_intermediate_handler_answers_and_asks_as_the_client_would() {
    let site = Site::new()
        .file(
            "handler.js",
            r#"
            import { LiveResponse } from "@webqit/webflo";
            export default async function (event, next) {
              const live = LiveResponse.from(await next());
              live.background.addEventListener("confirm", (e) => {
                e.preventDefault();
                e.ports[0].postMessage("yes, " + e.data.message);
              });
              const { data } = await live.background.postRequest(2, { type: "double" });
              live.background.postMessage(data, { type: "go" });
              return live;
            }"#,
        )
        .file(
            "work/handler.js",
            r#"
            export default async function (event) {
              event.client.addRequestListener("double", (e) => e.data * 2);
              const go = new Promise((r) => event.client.addEventListener("go", r));
              event.respondWith({ step: 1 }, { done: false });
              const { data } = await go;
              const answer = await event.user.confirm("sure?");
              event.respondWith({ data, answer: answer.data });
            }"#,
        );
    let host = site.serve();

    let (answer, mut line) = host.open("/work");

    assert_eq!(answer.text(), r#"{"step":1}"#);
    assert_eq!(line.expect_body(), json!({ "data": 4, "answer": "yes, sure?" }));
    line.done();
}

#[test]
fn a_shared_live_response_outlives_each_of_its_clients() {
    let host = serve(
        r#"
        let step = 1;
        const shared = new LiveResponse({ step }, { done: false });
        export default (event, next) => {
          if (next.stepname === "step") {
            shared.replaceWith({ step: ++step }, { done: false });
            return step;
          }
          event.signal.addEventListener("abort", () => console.error("one left"));
          return shared;
        };"#,
    );

    let (_, mut leaving) = host.open("/");
    let (_, mut staying) = host.open("/");
    host.get("/step");
    for line in [&mut leaving, &mut staying] {
        assert_eq!(line.expect_body(), json!({ "step": 2 }));
    }

    leaving.close();
    host.log.next("one left");
    host.get("/step");

    assert_eq!(staying.expect_body(), json!({ "step": 3 }));
}

#[test]
fn every_source_can_be_concurrent_with_the_state_before() {
    for source in ["LiveResponse.from({ m: 0 })", "Response.json({ m: 0 })", "[{ m: 0 }].values()"] {
        let host = serve(&on_go(&format!(
            r#"const first = {{ n: 0 }};
            event.respondWith(first, {{ done: false }});
            event.respondWith({source}, {{ done: false, concurrent: true }});
            await go;
            Observer.set(first, "n", 1);
            event.client.close();"#
        )));
        let (_, mut line) = host.open("/");

        assert_eq!(line.expect("response.replace")["concurrent"], json!(true), "{source}");
        line.send("go", json!(null));
        assert_eq!(line.expect("initial_response.mutate")[0]["value"], json!(1), "{source}");
    }
}
