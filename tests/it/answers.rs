//! What a handler returns or sends, and the HTTP answer that the client receives: one test for each rule.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::support::{Answer, Site, handler, on_go, read_to_close, serve};

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
    assert_eq!(answer.header("content-type"), Some("text/plain;charset=UTF-8"));
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
                await new Promise((r) => setTimeout(r));
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
fn what_a_response_can_carry_is_an_answer() {
    let host = serve(
        r#"
        const bytes = new Uint8Array([0, 255, 10]);
        const answers = {
          bytes: () => bytes,
          buffer: () => bytes.buffer,
          blob: () => new Blob(["a blob"], { type: "text/x-mine" }),
          stream: () => new Blob(["a stream"]).stream(),
          params: () => new URLSearchParams({ a: "1 2" }),
          form: () => {
            const form = new FormData();
            form.set("name", "ann");
            return form;
          },
        };
        export default (event, next) => answers[next.stepname]();"#,
    );
    let of = |path: &str| {
        let answer = host.get(path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let kind = answer.header("content-type").unwrap_or_default().to_owned();
        (String::from_utf8_lossy(&answer.body).into_owned(), kind)
    };

    for path in ["/bytes", "/buffer"] {
        assert_eq!(&host.get(path).body[..], [0, 255, 10], "{path}");
    }
    assert_eq!(of("/blob"), ("a blob".to_owned(), "text/x-mine".to_owned()));
    assert_eq!(of("/stream").0, "a stream");
    let params = ("a=1+2".to_owned(), "application/x-www-form-urlencoded;charset=UTF-8".to_owned());
    assert_eq!(of("/params"), params);
    let (form, kind) = of("/form");
    assert!(kind.starts_with("multipart/form-data") && form.contains("ann"), "{kind}: {form}");
}

#[test]
fn a_finished_live_response_is_like_its_body() {
    let answer = answer_to(&handler("return new LiveResponse({ a: 1 }, { status: 203 });"));

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
    // Whether or not something else keeps the exchange open.
    for hold in ["", "event.waitUntil(pause);"] {
        let host = serve(&format!(
            r#"
            let late, goOn, release;
            export function GET(event, next) {{
              if (next.stepname === "late") return goOn(), late.finally(release);
              const pause = new Promise((r) => release = r);
              late = new Promise((r) => goOn = r)
                .then(() => event.respondWith({{ b: 2 }}))
                .then(() => "sent", (e) => `${{e.name}}: ${{e.message}}`);
              {hold}
              return {{ a: 1 }};
            }}"#
        ));

        let (answer, late) = (host.get("/"), host.get("/late"));

        assert_eq!(answer.text(), r#"{"a":1}"#);
        assert!(late.text().starts_with("InvalidStateError: "), "{hold}: {late:?}");
    }
}

#[test]
fn a_promise_for_respond_with_is_awaited() {
    let host = serve(
        r#"
        export function GET(event) {
          event.respondWith(new Promise((resolve) => setTimeout(() => resolve({ late: 1 }))));
        }"#,
    );

    let answer = host.get("/");

    assert_eq!((answer.status, answer.text()), (200, r#"{"late":1}"#));
}

#[test]
fn responses_and_live_responses_can_be_sent() {
    let host = serve(&handler(
        r#"
        event.respondWith(new Response("one", { status: 201 }), { done: false });
        await new Promise((r) => setTimeout(r));
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
fn an_unfinished_answer_outlives_its_handler() {
    let host = serve(&on_go(
        r#"
        event.respondWith({ a: 1 }, { done: false });
        go.then(() => event.respondWith({ b: 2 }));"#,
    ));

    let (_, mut line) = host.open("/");
    line.send("go", Value::Null);

    assert_eq!(line.expect_body(), json!({ "b": 2 }));
    line.done();
}

#[test]
fn an_empty_generator_is_an_empty_answer() {
    let answer = serve("export async function* GET() {}").get("/");

    assert_eq!((answer.status, answer.text()), (200, ""));
}

#[test]
fn headers_of_the_connection_are_not_the_handlers() {
    for (transfer, connection, upgrade) in [
        ("Transfer-Encoding", "Connection", "Upgrade"),
        ("transfer-encoding", "connection", "upgrade"),
        ("TRANSFER-ENCODING", "CONNECTION", "UPGRADE"),
    ] {
        let init = format!(
            r#"{{ headers: {{ "{transfer}": "gzip", "{connection}": "upgrade", "{upgrade}": "h2c", "X-A": "1" }} }}"#
        );
        for made in ["Response", "LiveResponse"] {
            let host = serve(&format!(r#"export default () => new {made}("text", {init})"#));

            let answer = host.get("/");

            assert_eq!((answer.status, answer.text()), (200, "text"), "{made} {transfer}");
            assert_eq!(answer.header("x-a"), Some("1"), "{made} {transfer}");
            for name in [transfer, connection, upgrade] {
                assert_eq!(answer.header(name), None, "{made}: {answer:?}");
            }
        }
    }
}

// -- Helpers ------------------------------------------------------------------------------------------

/// The answer of a host with this one handler.
#[track_caller]
fn answer_to(source: &str) -> Answer {
    serve(source).get("/")
}

/// Small answers wait for others of the thread, and large ones do not.
#[test]
fn answers_to_pipelined_requests_come_in_order_whatever_their_size() {
    let host = Site::new()
        .file("small/handler.js", "export default () => 'small';")
        .file("large/handler.js", "export default () => 'x'.repeat(20_000);")
        .serve();
    let request = |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{more}\r\n");
    let paths = ["/small", "/large", "/small", "/large", "/small"];
    let mut requests: String = paths.iter().map(|path| request(path, "")).collect();
    requests.push_str(&request("/small", "connection: close\r\n"));
    for _ in 0..20 {
        let mut stream = host.connect();

        stream.write_all(requests.as_bytes()).expect("the host reads");

        let answers = read_to_close(stream);
        let bodies: Vec<_> = answers.split("HTTP/1.1 200 OK\r\n").skip(1).collect();
        let is_large: Vec<_> = bodies.iter().map(|body| body.len() > 20_000).collect();
        assert_eq!(is_large, [false, true, false, true, false, false], "{answers:.500}");
        assert!(bodies.iter().all(|body| body.ends_with("small") || body.ends_with("xxx")));
    }
    assert!(!host.log.text().contains("panicked"), "{}", host.log.text());
}
