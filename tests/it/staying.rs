//! What keeps an exchange on the line, and what comes over it until it ends: one test for each rule.

use serde_json::{Value, json};

use crate::support::{Host, apply, handler, on_go, serve};

// -- Live responses, promises and messages ------------------------------------------------------------

#[test]
fn a_live_response_stays_until_its_last_frame() {
    let host = serve(&on_go(
        r#"
        const live = new LiveResponse({ step: 1 }, { done: false });
        go.then(async () => {
          await live.replaceWith({ step: 2 }, { done: false });
          await live.replaceWith({ step: 3 });
        });
        return live;"#,
    ));

    let (answer, mut line) = host.open("/");
    line.send("go", Value::Null);

    assert_eq!(answer.text(), r#"{"step":1}"#);
    assert_eq!(line.expect_body(), json!({ "step": 2 }));
    assert_eq!(line.expect_body(), json!({ "step": 3 }));
    line.done();
}

#[test]
fn live_response_from_works_with_and_without_await() {
    for keyword in ["", "await "] {
        let host = serve(&on_go(&format!(
            r#"
            const live = {keyword}LiveResponse.from({{ step: 1 }}, {{ done: false }});
            go.then(() => live.replaceWith({{ step: 2 }}));
            return live;"#
        )));

        let (answer, mut line) = host.open("/");
        line.send("go", Value::Null);

        assert_eq!(answer.text(), r#"{"step":1}"#);
        assert_eq!(line.expect_body(), json!({ "step": 2 }), "{keyword}");
        line.done();
    }
}

#[test]
fn wait_until_takes_times_that_are_longer_than_a_timers() {
    for time in ["Infinity", "2 ** 31", "2 ** 40"] {
        let host = serve(&handler(&format!(
            r#"
            event.waitUntil(new Promise(() => {{}}), {time});
            event.client.addEventListener("ask", () => event.client.postMessage("here", {{ type: "answer" }}));
            return {{ a: 1 }};"#
        )));

        let (_, mut line) = host.open("/");
        line.send("ask", Value::Null);

        assert_eq!(line.expect("answer"), "here", "{time}");
    }
}

#[test]
fn wait_until_keeps_the_line_until_its_promise_settles() {
    for body in ["{ a: 1 }", r#"Response.json({ a: 1 })"#] {
        let host = serve(&on_go(&format!("event.waitUntil(go); return {body};")));

        let (answer, mut line) = host.open("/");
        line.send("go", Value::Null);

        assert_eq!((answer.status, answer.text()), (200, r#"{"a":1}"#), "{body}");
        line.done();
    }
}

#[test]
fn a_body_that_waits_is_observed() {
    let host = serve(&on_go(
        r#"
        const data = { menu: ["Home"], header: "Loading..." };
        event.waitUntil(go.then(() => {
          Observer.set(data, "header", "Ready");
          Observer.proxy(data.menu).push("About");
        }));
        return data;"#,
    ));

    let (answer, mut line) = host.open("/");
    line.send("go", Value::Null);
    let (frames, code) = line.rest();

    let mut body = answer.json();
    for frame in frames.iter().filter(|frame| frame.kind == "initial_response.mutate") {
        apply(&mut body, &frame.message);
    }
    assert_eq!(answer.json(), json!({ "menu": ["Home"], "header": "Loading..." }));
    assert_eq!(body, json!({ "menu": ["Home", "About"], "header": "Ready" }));
    // What was returned is the last state; only that one changes.
    assert_eq!(frames.iter().filter(|frame| frame.kind == "response.done").count(), 1);
    assert_eq!(code, 1000);
}

#[test]
fn wait_until_navigate_keeps_the_line_until_navigation() {
    let host = serve(
        r#"
        export default (event) => {
          event.waitUntilNavigate();
          event.client.addEventListener("ask", () => event.client.postMessage("here"));
          return { a: 1 };
        }"#,
    );

    let (answer, mut line) = host.open("/");
    line.send("ask", Value::Null);

    assert_eq!(answer.text(), r#"{"a":1}"#);
    assert_eq!(line.expect("message"), json!("here"));
    line.navigate("/elsewhere");
    assert_eq!(line.closed(), 4001);
}

#[test]
fn a_message_first_is_a_202() {
    let host = serve(&on_go(r#"event.client.postMessage({ progress: 10 }); await go; return { ok: 1 };"#));

    let (answer, mut line) = host.open("/");
    let message = line.expect("message");
    line.send("go", Value::Null);

    assert_eq!((answer.status, answer.text(), answer.header("content-type")), (202, "", None));
    assert_eq!(message, json!({ "progress": 10 }));
    assert_eq!(line.expect_body(), json!({ "ok": 1 }));
    line.done();
}

#[test]
fn a_message_after_the_first_frame_comes_over_the_line() {
    let host = serve(
        r#"
        export default async (event) => {
          event.respondWith({ a: 1 }, { done: false });
          event.client.postMessage("more");
          event.respondWith({ b: 2 });
        }"#,
    );

    let (answer, mut line) = host.open("/");

    assert_eq!((answer.status, answer.text()), (200, r#"{"a":1}"#));
    assert_eq!(line.expect("message"), json!("more"));
    assert_eq!(line.expect_body(), json!({ "b": 2 }));
    line.done();
}

// -- Generators ---------------------------------------------------------------------------------------

#[test]
fn every_yield_of_an_async_generator_is_a_frame() {
    let host = serve(
        r#"
        export default async function* () {
          for (let n = 1; n <= 3; n++) {
            yield { n };
            await new Promise((r) => setTimeout(r));
          }
        }"#,
    );

    assert_frames(&host, &json!({ "n": 1 }), &[json!({ "n": 2 }), json!({ "n": 3 })]);
}

#[test]
fn every_yield_of_a_sync_generator_is_a_frame() {
    let host = serve("export function* GET() { yield { n: 1 }; yield { n: 2 }; return { n: 3 }; }");

    assert_frames(&host, &json!({ "n": 1 }), &[json!({ "n": 2 }), json!({ "n": 3 })]);
}

#[test]
fn a_generator_object_made_by_hand_works_too() {
    let host = serve(
        r#"
        export default async function () {
          let n = 0;
          return {
            next: async () => (++n < 3 ? { done: false, value: { n } } : { done: true }),
            return: async () => undefined,
            throw: async () => undefined,
          };
        }"#,
    );

    assert_frames(&host, &json!({ "n": 1 }), &[json!({ "n": 2 })]);
}

#[test]
fn responses_in_a_generator_are_unwrapped() {
    let host = serve(
        r#"
        import { LiveResponse } from "@webqit/webflo";
        export default async function* (event) {
          yield { n: 1 };
          yield Response.json({ n: 2 }, { status: 201 });
          yield new LiveResponse(null, { status: 302, headers: { Location: "/" } });
        }"#,
    );

    let (answer, mut line) = host.open("/");

    assert_eq!(answer.text(), r#"{"n":1}"#);
    let second = line.expect("response.replace");
    assert_eq!((&second["body"], &second["status"]), (&json!({ "n": 2 }), &json!(201)));
    let third = line.expect("response.replace");
    assert_eq!((&third["body"], &third["headers"]["location"]), (&Value::Null, &json!("/")));
    line.done();
}

#[test]
fn a_generator_stops_when_the_client_leaves() {
    let host = serve(
        r#"
        let stopped = false;
        export default async function* (event, next) {
          if (next.stepname === "stopped") return { stopped };
          try {
            for (let n = 0; ; n++) {
              yield { n };
              await new Promise((r) => setTimeout(r));
            }
          } finally {
            stopped = true;
          }
        }"#,
    );

    let (_, mut line) = host.open("/");
    line.expect_body();
    line.close();

    host.until("/stopped", |answer| answer.text() == r#"{"stopped":true}"#);
}

// -- Helpers ------------------------------------------------------------------------------------------

#[track_caller]
fn assert_frames(host: &Host, first: &Value, others: &[Value]) {
    let (answer, mut line) = host.open("/");
    assert_eq!(answer.status, 200);
    assert_eq!(&answer.json(), first);
    for body in others {
        assert_eq!(&line.expect_body(), body);
    }
    line.done();
}

#[test]
fn what_an_idle_line_does_not_need_is_collected() {
    let host = serve(
        r#"export default (event) => {
          globalThis.registry = new FinalizationRegistry(() => event.client.postMessage("collected"));
          let kept = {};
          registry.register(kept);
          // So much that what survives it is collected rarely; afterwards nothing is made that could be the occasion.
          let used = Array.from({ length: 200_000 }, () => ({}));
          setTimeout(() => kept = used = null, 0);
          event.waitUntilNavigate();
          return {};
        }"#,
    );

    let (_, mut line) = host.open("/");

    assert_eq!(line.expect("message"), "collected");
}
