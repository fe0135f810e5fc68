//! What a handler does, and what the client gets for it: one test for each rule.

use serde_json::{Value, json};

use crate::support::{Answer, Host, Site, serve};

// -- Plain answers ------------------------------------------------------------------------------------

#[test]
fn an_object_is_json() {
    let answer = answer_to("export default () => ({ a: 1 })");

    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.text(), r#"{"a":1}"#);
    assert!(!answer.is_live());
}

#[test]
fn an_array_is_json() {
    let answer = answer_to("export default async () => [1, [2], { three: 3 }]");

    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.text(), r#"[1,[2],{"three":3}]"#);
}

#[test]
fn nothing_is_an_empty_200() {
    for value in ["undefined", "null"] {
        let answer = answer_to(&format!("export default () => {value}"));

        assert_eq!(answer.status, 200, "{value}");
        assert_eq!(answer.header("content-type"), None, "{value}");
        assert_eq!(answer.text(), "", "{value}");
        assert!(!answer.is_live(), "{value}");
    }
}

#[test]
fn a_string_is_text() {
    let answer = answer_to(r#"export default () => "hell\u00f6""#);

    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.text(), "hell\u{f6}");
}

#[test]
fn a_number_or_a_boolean_is_json() {
    for value in ["42", "0", "true", "false"] {
        let answer = answer_to(&format!("export default () => {value}"));

        assert_eq!(answer.header("content-type"), Some("application/json"), "{value}");
        assert_eq!(answer.text(), value);
    }
}

#[test]
fn a_response_goes_as_it_is() {
    let answer = answer_to(
        r#"
        export default () => {
          const headers = new Headers({ "content-type": "text/x-mine", "x-a": "1" });
          headers.append("set-cookie", "a=1");
          headers.append("set-cookie", "b=2");
          return new Response("made", { status: 201, statusText: "Made", headers });
        }"#,
    );

    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("content-type"), Some("text/x-mine"));
    assert_eq!(answer.header("x-a"), Some("1"));
    assert_eq!(answer.all("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(answer.text(), "made");
    assert!(!answer.is_live());
}

#[test]
fn a_response_may_carry_bytes_or_a_stream() {
    let host = serve(
        r#"
        export default (event, next) => {
          if (next.stepname === "bytes") return new Response(new Uint8Array([0, 255, 10]));
          return new Response(new ReadableStream({
            async start(controller) {
              for (const word of ["one ", "two"]) {
                await new Promise((r) => setTimeout(r, 1));
                controller.enqueue(new TextEncoder().encode(word));
              }
              controller.close();
            },
          }));
        }"#,
    );

    assert_eq!(&host.get("/bytes").body[..], [0, 255, 10]);
    assert_eq!(host.get("/stream").text(), "one two");
}

#[test]
fn a_finished_live_response_is_like_its_body() {
    let answer = answer_to(&live_response("return new LiveResponse({ a: 1 }, { status: 203 });"));

    assert_eq!(answer.status, 203);
    assert_eq!(answer.text(), r#"{"a":1}"#);
    assert!(!answer.is_live());
}

#[test]
fn a_promise_is_awaited() {
    let answer = answer_to("export default () => Promise.resolve({ late: true })");

    assert_eq!(answer.text(), r#"{"late":true}"#);
    assert!(!answer.is_live());
}

#[test]
fn a_redirect_has_its_location_and_status() {
    let host = serve(
        r#"
        export default (event, next) =>
          next.stepname === "other" ? event.redirect("/there", 303) : event.redirect("/x");"#,
    );

    let (plain, other) = (host.get("/"), host.get("/other"));

    assert_eq!((plain.status, plain.header("location"), plain.text()), (302, Some("/x"), ""));
    assert_eq!((other.status, other.header("location")), (303, Some("/there")));
}

#[test]
fn without_a_handler_there_is_an_empty_404() {
    let host = Site::new().file("a/handler.js", "export default () => 1").serve();

    let answer = host.get("/b");

    assert_eq!((answer.status, answer.text()), (404, ""));
}

// -- Frames through respondWith -----------------------------------------------------------------------

#[test]
fn an_answer_that_is_not_done_can_be_replaced() {
    let host = serve(&on_go(
        r#"
        event.respondWith({ a: 1 }, { done: false, status: 201, headers: { "x-a": "1" } });
        await go;
        event.respondWith({ b: 2 }, { status: 203, headers: { "X-B": "2" } });"#,
    ));

    let (answer, mut line) = host.open("/");
    line.send("go", Value::Null);
    let frame = line.expect("response.replace");

    assert_eq!((answer.status, answer.header("x-a")), (201, Some("1")));
    assert_eq!(answer.text(), r#"{"a":1}"#);
    assert_eq!(frame["body"], json!({ "b": 2 }));
    assert_eq!(frame["status"], 203);
    assert_eq!(frame["headers"], json!({ "x-b": "2" }));
    line.done();
}

#[test]
fn both_headers_name_the_same_line() {
    let host = serve(&on_go("event.respondWith(1, { done: false }); await go;"));

    let answer = host.get("/");

    let port = answer.header("x-background-messaging-port").expect("the older header");
    let session = answer.header("x-live-session").expect("today's header");
    let token = port.strip_prefix("ws:.liveline/").expect("the older form");
    assert_eq!(session, format!("socket:///.liveline/{token}?v=2"));
    assert!(
        token.len() >= 22 && token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)),
        "{token}"
    );
}

#[test]
fn frames_of_one_burst_all_arrive() {
    let host = serve(
        r#"
        export async function GET(event) {
          await event.respondWith({ n: 1 }, { done: false });
          await event.respondWith({ n: 2 }, { done: false });
          await event.respondWith({ n: 3 });
        }"#,
    );

    let (answer, mut line) = host.open("/");

    assert_eq!(answer.text(), r#"{"n":1}"#);
    assert_eq!(line.expect_body(), json!({ "n": 2 }));
    assert_eq!(line.expect_body(), json!({ "n": 3 }));
    line.done();
}

#[test]
fn a_done_answer_cannot_be_replaced() {
    let host = serve(
        r#"
        let late;
        export async function GET(event, next) {
          if (next.stepname === "late") return late;
          await event.respondWith({ a: 1 });
          late = event.respondWith({ b: 2 }).then(() => "sent", (e) => `${e.name}: ${e.message}`);
        }"#,
    );

    let answer = host.get("/");
    let late = host.get("/late");

    assert_eq!(answer.text(), r#"{"a":1}"#);
    assert!(!answer.is_live());
    assert!(late.text().starts_with("InvalidStateError: "), "{late:?}");
    assert!(late.text().contains("already"), "{late:?}");
}

#[test]
fn after_the_handler_returned_a_value_nothing_can_be_sent() {
    let host = serve(
        r#"
        let late;
        export function GET(event, next) {
          if (next.stepname === "late") return late;
          late = new Promise((r) => setTimeout(r, 10))
            .then(() => event.respondWith({ b: 2 }))
            .then(() => "sent", (e) => `${e.name}: ${e.message}`);
          return { a: 1 };
        }"#,
    );

    let (answer, late) = (host.get("/"), host.get("/late"));

    assert_eq!(answer.text(), r#"{"a":1}"#);
    assert!(late.text().starts_with("InvalidStateError: "), "{late:?}");
}

#[test]
fn a_promise_given_to_respond_with_is_not_lost() {
    let host = serve(
        r#"
        export function GET(event) {
          event.respondWith(new Promise((resolve) => setTimeout(() => resolve({ late: 1 }), 20)));
        }"#,
    );

    let answer = host.get("/");

    assert_eq!((answer.status, answer.text()), (200, r#"{"late":1}"#));
}

#[test]
fn responses_and_live_responses_can_be_sent() {
    let host = serve(&live_response(
        r#"
        event.respondWith(new Response("one", { status: 201 }), { done: false });
        await new Promise((r) => setTimeout(r, 5));
        await event.respondWith(LiveResponse.from({ two: 2 }, { status: 203 }), { done: false });
        await event.respondWith(new Response("three"));"#,
    ));

    let (answer, mut line) = host.open("/");

    assert_eq!((answer.status, answer.text()), (201, "one"));
    let two = line.expect("response.replace");
    assert_eq!((&two["body"], &two["status"]), (&json!({ "two": 2 }), &json!(203)));
    assert_eq!(line.expect_body(), json!("three"));
    line.done();
}

#[test]
fn a_callback_may_stand_before_or_after_the_options() {
    let change = "async ($d) => { await go; $d.n = 1; }";
    for arguments in [format!("{change}, {{ status: 201 }}"), format!("{{ status: 201 }}, {change}")] {
        let host = serve(&on_go(&format!("await event.respondWith({{ n: 0 }}, {arguments});")));

        let (answer, mut line) = host.open("/");
        line.send("go", Value::Null);

        assert_eq!((answer.status, answer.text()), (201, r#"{"n":0}"#), "{arguments}");
        let delta = line.expect("initial_response.mutate");
        assert_eq!((&delta[0]["path"], &delta[0]["value"]), (&json!(["n"]), &json!(1)), "{arguments}");
        line.done();
    }
}

#[test]
fn a_callback_of_an_unfinished_answer_leaves_it_open() {
    let host = serve(&on_go(
        r#"
        await event.respondWith({ n: 0 }, async ($d) => { await go; $d.n = 1; }, { done: false });
        await event.respondWith({ last: true });"#,
    ));

    let (_, mut line) = host.open("/");
    line.send("go", Value::Null);

    assert_eq!(line.expect("initial_response.mutate")[0]["value"], 1);
    assert_eq!(line.expect_body(), json!({ "last": true }));
    line.done();
}

#[test]
fn what_is_returned_after_respond_with_is_the_last_frame() {
    let host = serve(&on_go(
        r#"
        event.respondWith({ a: 1 }, { done: false });
        await go;
        return { b: 2 };"#,
    ));

    let (answer, mut line) = host.open("/");
    line.send("go", Value::Null);

    assert_eq!(answer.text(), r#"{"a":1}"#);
    assert_eq!(line.expect_body(), json!({ "b": 2 }));
    line.done();
}

#[test]
fn nothing_returned_after_respond_with_ends_the_line() {
    let host = serve(&on_go("event.respondWith({ a: 1 }, { done: false }); await go;"));

    let (_, mut line) = host.open("/");
    line.send("go", Value::Null);

    line.done();
}

// -- Live responses and what keeps them open ----------------------------------------------------------

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
    assert_eq!(frames.last().expect("frames").kind, "response.done");
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
            await new Promise((r) => setTimeout(r, 1));
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
    let host = serve(&format!(
        r#"{IMPORTS}
        export default async function* (event) {{
          yield {{ n: 1 }};
          yield Response.json({{ n: 2 }}, {{ status: 201 }});
          yield new LiveResponse(null, {{ status: 302, headers: {{ Location: "/" }} }});
        }}"#
    ));

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
              await new Promise((r) => setTimeout(r, 1));
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

const IMPORTS: &str = r#"
    import { LiveResponse } from "@webqit/webflo";
    import Observer from "@webqit/observer";
"#;

/// The answer of a host with this one handler.
#[track_caller]
fn answer_to(handler: &str) -> Answer {
    serve(handler).get("/")
}

/// A handler with this body, with the imports of live responses.
fn live_response(body: &str) -> String {
    format!("{IMPORTS}\nexport default async function (event, next) {{ {body} }}")
}

/// A handler with this body, in which `go` is a promise: the client's `go` message.
fn on_go(body: &str) -> String {
    live_response(&format!(
        r#"const go = new Promise((r) => event.client.addEventListener("go", r, {{ once: true }}));
        {body}"#
    ))
}

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

/// Applies deltas as a client does: set, delete, and the length of arrays.
fn apply(body: &mut Value, records: &Value) {
    for record in records.as_array().expect("records") {
        let path = record["path"].as_array().expect("a path");
        let (last, parents) = path.split_last().expect("a key");
        let key = |part: &Value| part.as_str().map_or_else(|| part.to_string(), str::to_owned);
        let parent = parents.iter().fold(&mut *body, |at, part| match at {
            Value::Array(list) => &mut list[key(part).parse::<usize>().expect("an index")],
            other => &mut other[key(part)],
        });
        match (parent, key(last)) {
            (Value::Array(list), key) if key == "length" => {
                list.resize(record["value"].as_u64().expect("a length") as usize, Value::Null);
            }
            (Value::Array(list), key) => {
                let index: usize = key.parse().expect("an index");
                if index >= list.len() {
                    list.resize(index + 1, Value::Null);
                }
                list[index] = record["value"].clone();
            }
            (Value::Object(map), key) if record["type"] == "delete" => {
                map.remove(&key);
            }
            (parent, key) => parent[key] = record["value"].clone(),
        }
    }
}
