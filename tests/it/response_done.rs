//! `response.done` is sent when the response is done. The line stays for as long as the exchange does: messages go on,
//! and so do changes of the last state.

use serde_json::{Value, json};

use crate::support::{Host, Line, Site, apply, on_go, serve};

#[track_caller]
fn is_done(line: &mut Line) {
    assert_eq!(line.expect("response.done"), Value::Null);
}

#[test]
fn a_response_is_done_before_its_exchange() {
    let host = serve(&on_go(
        r#"event.waitUntil(go.then(() => event.client.postMessage("after the last state")));
        event.respondWith({ step: 1 }, { done: false });
        event.respondWith({ step: 2 });"#,
    ));

    let (answer, mut line) = host.open("/");
    assert_eq!(answer.json(), json!({ "step": 1 }));
    assert_eq!(line.expect_body(), json!({ "step": 2 }));
    is_done(&mut line);
    line.send("go", Value::Null);
    assert_eq!(line.expect("message"), "after the last state");
    // It is sent once.
    assert_eq!(line.closed(), 1000);
}

#[test]
fn what_a_handler_returns_is_done_at_once() {
    let host = serve(&on_go(
        r#"const data = { n: 1 };
        event.waitUntil(go.then(() => Observer.set(data, "n", 2)));
        return data;"#,
    ));

    let (answer, mut line) = host.open("/");
    assert_eq!(answer.json(), json!({ "n": 1 }));
    is_done(&mut line);
    line.send("go", Value::Null);
    let mut body = answer.json();
    apply(&mut body, &line.expect("initial_response.mutate"));
    assert_eq!(body, json!({ "n": 2 }));
    assert_eq!(line.closed(), 1000);
}

#[test]
fn the_end_of_the_exchange_sends_done_if_nothing_did_before() {
    let host =
        serve(&on_go("event.respondWith({ n: 1 }, { done: false }); await go; event.respondWith({ n: 2 });"));

    let (_, mut line) = host.open("/");
    line.send("go", Value::Null);
    assert_eq!(line.expect_body(), json!({ "n": 2 }));
    line.done();
}

#[test]
fn a_question_after_the_last_state_is_answered() {
    let host = serve(
        r#"export default async (event) => {
          event.respondWith({ n: 1 });
          const { data } = await event.user.confirm("and now?");
          event.client.postMessage({ data });
        };"#,
    );

    let (answer, mut line) = host.open("/");
    assert_eq!(answer.json(), json!({ "n": 1 }));
    // The question was asked within the turn, before the response was done.
    let question = line.next_frame();
    assert_eq!(question.kind, "confirm");
    is_done(&mut line);
    line.reply(&question, json!(true));
    assert_eq!(line.expect("message"), json!({ "data": true }));
    assert_eq!(line.closed(), 1000);
}

#[test]
fn two_answers_in_one_turn_are_two_states() {
    let host = serve(
        r#"export default (event) => {
          event.respondWith({ step: 1 });
          event.respondWith({ step: 2 }, { done: false });
          event.respondWith({ step: 3 });
        };"#,
    );

    let (answer, mut line) = host.open("/");
    assert_eq!(answer.json(), json!({ "step": 1 }));
    assert_eq!(line.expect_body(), json!({ "step": 2 }));
    assert_eq!(line.expect_body(), json!({ "step": 3 }));
    line.done();
    assert_eq!(host.request("GET", "/").plain().send().json(), json!({ "step": 3 }));
}

#[test]
fn a_later_turn_finds_the_response_done() {
    let host = serve(&on_go(
        r#"event.waitUntil(go);
        event.respondWith({ step: 1 });
        await new Promise((resolve) => setTimeout(resolve));
        const error = await event.respondWith({ step: 2 }).catch((error) => error.name);
        event.client.postMessage(error);"#,
    ));

    let (answer, mut line) = host.open("/");
    assert_eq!((answer.status, answer.json()), (200, json!({ "step": 1 })));
    is_done(&mut line);
    assert_eq!(line.expect("message"), "InvalidStateError");
    line.send("go", Value::Null);
    assert_eq!(line.closed(), 1000);
}

/// What the line brings that a handler passes on: messages and changes after the last state, and its end.
#[test]
fn a_response_that_is_passed_on_lasts_as_long_as_its_line() {
    let passing = r#"export default async (event) => await fetch(new URL("/up", event.url));"#;
    let host = Site::new()
        .file(
            "up/handler.js",
            on_go(
                r#"const data = { n: 1 };
                event.waitUntil(go.then(() => {
                  Observer.set(data, "n", 2);
                  event.client.postMessage("bye");
                }));
                return data;"#,
            ),
        )
        .file("pass/handler.js", passing)
        .file("twice/handler.js", passing.replace("/up", "/pass"))
        .serve();

    for path in ["/pass", "/twice"] {
        let (answer, mut line) = host.open(path);
        assert_eq!(answer.json(), json!({ "n": 1 }), "{path}");
        is_done(&mut line);
        line.send("go", Value::Null);
        let mut body = answer.json();
        let mut seen = Vec::new();
        while seen.len() < 2 {
            let frame = line.next_frame();
            match &*frame.kind {
                "message" => assert_eq!(frame.message, "bye"),
                _ => apply(&mut body, &frame.message),
            }
            seen.push(frame.kind);
        }
        assert_eq!(body, json!({ "n": 2 }), "{path}");
        assert_eq!(line.closed(), 1000, "{path}");
    }
}

/// The states, messages and end of a handler that drives the port of its client by hand.
#[test]
fn states_may_be_sent_on_the_port_itself() {
    let host = serve(&on_go(
        r#"const first = { a: 1 }, second = { b: 1 }, third = { c: 1 };
        const controller = new AbortController();
        const { signal } = controller;
        const replace = (body, concurrent, signal) =>
          event.client.postMessage({ body, concurrent }, { type: "response.replace", live: true, signal });
        event.respondWith("initial content", { done: false });
        await event.client.readyStateChange("open");
        replace(first, true, signal);
        Observer.set(first, "n", 1);
        replace(second, true, signal);
        Observer.set(first, "n", 2);
        Observer.set(second, "n", 3);
        controller.abort();
        replace(third, false, null);
        event.client.postMessage(null, { type: "response.done" });
        Observer.set(first, "n", 4);
        Observer.set(second, "n", 5);
        Observer.set(third, "n", 6);
        await go;"#,
    ));

    let (_, mut line) = host.open("/");
    let mut told = Vec::new();
    for _ in 0..8 {
        let frame = line.next_frame();
        told.push(match &frame.message {
            Value::Array(records) => json!([records[0]["path"], records[0]["value"]]),
            Value::Object(state) => state["body"].clone(),
            _ => json!(frame.kind),
        });
    }
    assert_eq!(
        told,
        [
            json!({ "a": 1 }),
            json!([["body", "n"], 1]),
            json!({ "b": 1 }),
            json!([["body", "n"], 2]),
            json!([["body", "n"], 3]),
            json!({ "c": 1 }),
            json!("response.done"),
            json!([["body", "n"], 6]),
        ]
    );
}

#[test]
fn a_live_response_may_publish_itself_on_a_port() {
    let host = serve(&on_go(
        r#"const data = { n: 0 };
        const live = new LiveResponse(data, { done: false, headers: { "x-a": "1" } });
        go.then(async () => {
          Observer.set(data, "n", 1);
          const next = { m: 0 };
          live.replaceWith(next, { done: false });
          Observer.set(data, "n", 2);
          Observer.set(next, "m", 1);
          await live.replaceWith({ last: true });
        });
        return live.toResponse({ port: event.client });"#,
    ));

    let (answer, mut line) = host.open("/");
    assert_eq!((answer.json(), answer.header("x-a")), (json!({ "n": 0 }), Some("1")));
    line.send("go", Value::Null);
    assert_eq!(line.next_frame().message[0]["value"], 1);
    let next = line.next_frame();
    assert_eq!(next.message["body"], json!({ "m": 0 }));
    let change = line.next_frame();
    assert_eq!(
        (change.kind, &change.message[0]["path"]),
        (format!("{}.mutate", next.id), &json!(["body", "m"]))
    );
    assert_eq!(line.expect_body(), json!({ "last": true }));
    line.done();
}

#[test]
fn the_changes_of_a_live_message_end_with_its_signal() {
    let host = serve(&on_go(
        r#"const data = { n: 0 }, never = { n: 0 };
        const controller = new AbortController();
        event.respondWith({}, { done: false });
        await event.client.readyStateChange("open");
        event.client.postMessage(data, { type: "live", live: true, signal: controller.signal });
        event.client.postMessage(never, { type: "live", live: true, signal: AbortSignal.abort() });
        Observer.set(data, "n", 1);
        controller.abort();
        Observer.set(data, "n", 2);
        Observer.set(never, "n", 3);
        event.client.postMessage("end");
        await go;"#,
    ));

    let (_, mut line) = host.open("/");
    assert_eq!(line.expect("live"), json!({ "n": 0 }));
    assert_eq!(line.expect("live"), json!({ "n": 0 }));
    let change = line.next_frame();
    assert_eq!((change.kind.ends_with(".mutate"), &change.message[0]["value"]), (true, &json!(1)));
    assert_eq!(line.expect("message"), "end");
}

/// A client that is slow after the last state gets what it missed as changes: it expects no other state.
#[test]
fn a_slow_client_gets_changes_after_the_last_state_in_place() {
    let host = Site::new()
        .file(
            "handler.js",
            on_go(
                r#"const data = { n: 0, gone: true, text: "" };
                event.waitUntil(event.client.readyStateChange("open").then(async () => {
                  for (let n = 1; n <= 400; n++) {
                    data.text = "x".repeat(20_000);
                    Observer.set(data, { n, text: `${n}`.padEnd(20_000, "x") });
                    if (n === 200) Observer.deleteProperty(data, "gone");
                  }
                  event.client.postMessage("said");
                  await go;
                }));
                return data;"#,
            ),
        )
        .arg("--max-queue=64KiB")
        .serve();
    let (answer, mut line) = host.open("/");
    is_done(&mut line);

    let mut body = answer.json();
    while body["n"] != 400 || body.get("gone").is_some() {
        let frame = line.next_frame();
        match &*frame.kind {
            "message" => assert_eq!(frame.message, "said"),
            kind => {
                assert!(kind.ends_with(".mutate"), "{kind}");
                apply(&mut body, &frame.message);
            }
        }
    }
    line.send("go", Value::Null);
}

#[test]
fn a_stream_of_events_has_done_in_time() {
    let host: Host = serve(&on_go(
        r#"event.waitUntil(new Promise((resolve) => setTimeout(resolve)).then(() => event.client.postMessage("late")));
        return { n: 1 };"#,
    ));

    let answer = host.request("GET", "/").plain().header("accept", "application/x-ndjson").send();

    let names: Vec<_> = answer
        .text()
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).expect("JSON")["event"].as_str().expect("a name").to_owned()
        })
        .collect();
    assert_eq!(names, ["state", "done", "message", "close"]);
}
