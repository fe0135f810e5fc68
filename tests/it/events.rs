//! The event a handler gets, its life, and the line it talks on.

use std::io::Read;

use serde_json::{Value, json};

use crate::support::{Host, Site, observed, serve};

// -- The request --------------------------------------------------------------------------------------

#[test]
fn the_event_knows_its_request() {
    let host = serve(
        r#"
        export async function POST(event) {
          const { request, url } = event;
          return {
            method: request.method,
            header: request.headers.get("x-a"),
            body: await request.json(),
            path: url.pathname,
            query: url.searchParams.get("q"),
            absolute: request.url.startsWith("http://"),
            isRequest: request instanceof Request,
            state: event.readyState,
          };
        }"#,
    );

    let answer = host.request("POST", "/a%20b?q=1%202").header("x-a", "1").json(&json!({ "n": [1] })).send();

    assert_eq!(
        answer.json(),
        json!({
            "method": "POST", "header": "1", "body": { "n": [1] }, "path": "/a%20b", "query": "1 2",
            "absolute": true, "isRequest": true, "state": "waiting",
        })
    );
}

#[test]
fn a_form_can_be_read() {
    let host = serve(
        r#"
        export async function POST(event) {
          const form = await event.request.formData();
          return Object.fromEntries(form);
        }"#,
    );

    let answer = host
        .request("POST", "/")
        .header("content-type", "application/x-www-form-urlencoded")
        .body("name=Ada+L.&age=36")
        .send();

    assert_eq!(answer.json(), json!({ "name": "Ada L.", "age": "36" }));
}

#[test]
fn a_body_may_stream_in() {
    let host = serve(
        r#"
        export async function POST(event) {
          let length = 0;
          for await (const piece of event.request.body) length += piece.length;
          return length;
        }"#,
    );

    assert_eq!(host.request("POST", "/").body(vec![b'x'; 300_000]).send().text(), "300000");
}

#[test]
fn one_connection_carries_many_requests() {
    let host = serve("let n = 0; export default () => ++n;");

    let keep = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    let answers =
        host.raw(format!("{keep}{keep}GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes());

    let bodies: Vec<_> =
        answers.split("HTTP/1.1 200 OK").skip(1).filter_map(|one| one.split("\r\n\r\n").nth(1)).collect();
    assert_eq!(bodies, ["1", "2", "3"], "{answers}");
}

#[test]
fn cookies_are_read_and_set() {
    let host = serve(
        r#"
        export default async function (event) {
          const before = await event.cookies.get("a");
          await event.cookies.set("b", "2");
          return { before, has: await event.cookies.has("nothing") };
        }"#,
    );

    let answer = host.request("GET", "/").header("cookie", "a=1; c=3").send();

    assert_eq!(answer.json(), json!({ "before": "1", "has": false }));
    let set = answer.all("set-cookie");
    assert!(set.iter().any(|cookie| cookie.starts_with("b=2")), "{set:?}");
    assert!(!set.iter().any(|cookie| cookie.starts_with("a=") || cookie.starts_with("c=")), "{set:?}");
}

#[test]
fn a_session_lasts_from_request_to_request() {
    let host = serve(COUNTS_VISITS);

    let first = host.get("/");
    let cookie = session_cookie(&host);
    let visits: Vec<_> =
        (0..2).map(|_| host.request("GET", "/").header("cookie", &cookie).send().text().to_owned()).collect();

    assert_eq!(first.text(), "1");
    let set = first.header("set-cookie").expect("a session cookie");
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax") && set.contains("Path=/"), "{set}");
    // The visit that made the cookie was the first of its session.
    assert_eq!(visits, ["2", "3"]);
}

#[test]
fn an_invented_session_is_nobodys() {
    let host = serve(COUNTS_VISITS);

    let answer = host.request("GET", "/").header("cookie", "__sessid=0000").send();

    assert_eq!(answer.text(), "1");
}

const COUNTS_VISITS: &str = r#"
    export default async function ({ session }) {
      await session.set("visits", ((await session.get("visits")) ?? 0) + 1);
      return await session.get("visits");
    }"#;

/// The `name=value` of a new session.
fn session_cookie(host: &Host) -> String {
    let answer = host.get("/");
    let set = answer.header("set-cookie").expect("a session cookie");
    assert!(set.starts_with("__sessid="), "{set}");
    set.split(';').next().expect("a cookie").to_owned()
}

// -- The life of an event -----------------------------------------------------------------------------

#[track_caller]
fn seen(host: &Host, expected: Value) {
    let expected = json!({ "seen": expected });
    host.until("/seen", |answer| answer.json() == expected);
}

#[test]
fn the_signal_aborts_when_the_exchange_is_over() {
    let host = serve(&observed("return 1;"));

    host.get("/");

    seen(&host, json!(["aborted"]));
}

#[test]
fn the_signal_aborts_when_the_client_closes() {
    let host = serve(&observed("event.waitUntilNavigate(); return 1;"));

    let (_, line) = host.open("/");
    assert_eq!(host.get("/seen").json(), json!({ "seen": [] }));
    line.close();

    seen(&host, json!(["aborted"]));
}

#[test]
fn the_signal_aborts_when_the_client_vanishes() {
    let host = serve(&observed("event.waitUntilNavigate(); return 1;"));

    let (_, line) = host.open("/");
    drop(line);

    seen(&host, json!(["aborted"]));
}

#[test]
fn the_signal_aborts_when_a_live_exchange_ends() {
    let host = serve(&observed(r#"event.waitUntil(go.then(() => seen.push("done"))); return 1;"#));

    let (_, mut line) = host.open("/");
    line.send("go", Value::Null);

    line.done();
    seen(&host, json!(["done", "aborted"]));
}

#[test]
fn several_promises_keep_the_line_until_the_last() {
    let host = serve(&observed(
        r#"
        event.waitUntil(go);
        event.waitUntil(go.then(() => new Promise((r) => setTimeout(r))).then(() => {
          event.client.postMessage("late");
        }));
        return 1;"#,
    ));

    let (_, mut line) = host.open("/");
    line.send("go", Value::Null);

    assert_eq!(line.expect("message"), json!("late"));
    line.done();
}

#[test]
fn a_finished_event_cannot_be_extended() {
    let host = serve(&observed(
        r#"
        event.signal.addEventListener("abort", () => {
          try { event.waitUntil(go); seen.push("extended"); } catch { seen.push("refused"); }
        });
        return 1;"#,
    ));

    host.get("/");

    seen(&host, json!(["aborted", "refused"]));
}

#[test]
fn a_spawned_event_holds_its_parent_open() {
    let host = serve(&observed("event.spawn().waitUntil(go); return 1;"));

    let (_, mut line) = host.open("/");
    line.send("go", Value::Null);

    line.done();
}

#[test]
fn the_state_of_an_event_goes_from_waiting_to_live_to_done() {
    let host = serve(
        r#"
        const seen = [];
        export default (event, next) => {
          if (next.stepname === "seen") return seen;
          seen.push(event.readyState);
          const go = new Promise((r) => event.client.addEventListener("go", r));
          event.waitUntil(go.then(() => seen.push(event.readyState)));
          event.readyStateChange("done").then(() => seen.push(event.readyState));
          return 1;
        };"#,
    );

    let (_, mut line) = host.open("/");
    line.send("go", Value::Null);
    line.done();

    host.until("/seen", |answer| answer.json() == json!(["waiting", "live", "done"]));
}

// -- The line -----------------------------------------------------------------------------------------

#[test]
fn messages_have_types_in_both_directions() {
    let host = serve(
        r#"
        export default function (event) {
          event.client.addEventListener("ask", (e) => {
            event.client.postMessage({ flat: e.data }, { type: "answer" });
            event.client.postMessage({ nested: e.type }, { wqEventOptions: { type: "answer" } });
          });
          event.client.addEventListener("message", (e) => event.client.postMessage(e.data));
          event.waitUntilNavigate();
          return 1;
        }"#,
    );

    let (_, mut line) = host.open("/");
    line.send("ask", json!([1, null]));
    line.send("message", json!("hello"));

    assert_eq!(line.expect("answer"), json!({ "flat": [1, null] }));
    assert_eq!(line.expect("answer"), json!({ "nested": "ask" }));
    assert_eq!(line.expect("message"), json!("hello"));
}

#[test]
fn a_bare_frame_is_a_message() {
    let host = serve(
        r#"
        export default function (event) {
          event.client.addEventListener("message", (e) => event.client.postMessage({ got: e.data }));
          event.waitUntilNavigate();
          return 1;
        }"#,
    );

    let (_, mut line) = host.open("/");
    line.send_text(r#"{"plain":true}"#);

    assert_eq!(line.expect("message"), json!({ "got": { "plain": true } }));
}

#[test]
fn messages_wait_for_the_client() {
    let host = serve(
        r#"
        export default async function (event) {
          for (let n = 0; n < 100; n++) event.client.postMessage(n);
          return "last";
        }"#,
    );

    let (_, mut line) = host.open("/");

    for n in 0..100 {
        assert_eq!(line.expect("message"), json!(n));
    }
    assert_eq!(line.expect_body(), json!("last"));
    line.done();
}

#[test]
fn a_prompt_resolves_to_an_event_with_the_reply() {
    let host = serve(
        r#"
        export default async function (event) {
          const first = await event.user.prompt({ message: "name?" });
          const second = await event.user.confirm("sure?");
          return { name: first.data.name, sure: second.data };
        }"#,
    );

    let (_, mut line) = host.open("/");
    let prompt = line.next_frame();
    line.reply(&prompt, json!({ "name": "Bob" }));
    let confirm = line.next_frame();
    line.reply(&confirm, json!(false));

    assert_eq!((prompt.kind.as_str(), &prompt.message), ("prompt", &json!({ "message": "name?" })));
    assert_eq!(confirm.kind, "confirm");
    assert_eq!(line.expect_body(), json!({ "name": "Bob", "sure": false }));
    line.done();
}

#[test]
fn requests_with_replies_go_both_ways() {
    let host = serve(
        r#"
        export default async function (event) {
          event.client.addRequestListener("double", (e) => e.data * 2);
          const reply = await event.client.postRequest({ how: "many" }, { type: "ask" });
          return reply.data;
        }"#,
    );

    let (_, mut line) = host.open("/");
    let question = line.next_frame();
    line.send_text(r#"{"message":21,".wq":{"type":"double","eventID":"mine-1","numPorts":1}}"#);
    let doubled = line.next_frame();
    line.reply(&question, json!(3));

    assert_eq!((question.kind.as_str(), question.ports), ("ask", 1));
    assert_eq!(question.message, json!({ "how": "many" }));
    assert_eq!((doubled.kind.as_str(), &doubled.message), ("mine-1:0:message", &json!(42)));
    assert_eq!(line.expect_body(), json!(3));
    line.done();
}

#[test]
fn a_dialog_is_rejected_when_the_client_leaves() {
    let host = serve(&observed(
        r#"
        try { await event.user.confirm("sure?"); } catch (e) { seen.push(e instanceof Error); }
        return 1;"#,
    ));

    let (_, mut line) = host.open("/");
    line.expect("confirm");
    line.close();

    host.until("/seen", |answer| answer.text().contains("true"));
}

#[test]
fn the_handler_may_close_the_line() {
    let host =
        serve(&observed(r#"go.then(() => event.client.close()); event.waitUntilNavigate(); return 1;"#));

    let (_, mut line) = host.open("/");
    line.send("go", Value::Null);

    assert_eq!(line.closed(), 1000);
    seen(&host, json!(["aborted"]));
}

#[test]
fn a_close_event_follows_when_the_client_leaves() {
    let host = serve(&observed(
        r#"
        event.client.addEventListener("close", () => seen.push("closed"));
        event.waitUntilNavigate();
        return 1;"#,
    ));

    let (_, line) = host.open("/");
    line.close();

    host.until("/seen", |answer| answer.text().contains("closed"));
}

#[test]
fn the_line_knows_whether_it_is_open() {
    let host = serve(&observed(
        r#"
        seen.push(event.client.readyState);
        event.client.readyStateChange("open").then(() => seen.push(event.client.readyState));
        event.client.readyStateChange("close").then(() => seen.push(event.client.readyState));
        event.waitUntil(go);
        return 1;"#,
    ));

    let (_, mut line) = host.open("/");
    host.until("/seen", |answer| answer.text() == r#"{"seen":["connecting","open"]}"#);
    line.send("go", Value::Null);
    line.done();

    host.until("/seen", |answer| answer.text().contains("\"closed\""));
}

#[test]
fn a_client_cannot_change_the_state_of_the_server() {
    let host = serve(&observed(
        r#"
        const body = { n: 1 };
        event.client.addEventListener("ask", () => event.client.postMessage([body, {}.x ?? "clean"]));
        event.waitUntilNavigate();
        return body;"#,
    ));

    let (_, mut line) = host.open("/");
    line.send("initial_response.mutate", json!([{ "type": "set", "key": "n", "value": 2, "path": ["n"] }]));
    line.send_text(r#"{"message":{},".wq":{"type":"x","eventID":"e","live":true}}"#);
    line.send(
        "e.mutate",
        json!([{ "type": "set", "operation": "set", "key": "x", "value": 1, "path": ["__proto__", "x"] }]),
    );
    line.send("ask", Value::Null);

    assert_eq!(line.expect("message"), json!([{ "n": 1 }, "clean"]));
}

#[test]
fn a_stream_lasts_until_its_client_leaves() {
    let host = Site::new()
        .file(
            "handler.js",
            r#"export default (event) => {
              event.signal.addEventListener("abort", () => console.error("aborted"));
              const start = (controller) => controller.enqueue(new TextEncoder().encode("data: 1\n\n"));
              const cancel = () => console.error("cancelled");
              const headers = { "content-type": "text/event-stream" };
              return new Response(new ReadableStream({ start, cancel }), { headers });
            }"#,
        )
        .serve();
    let mut client = host.begin("GET", "/");
    let mut received = String::new();
    while !received.contains("data: 1") {
        let mut chunk = [0; 1024];
        let length = client.read(&mut chunk).expect("the stream's first part");
        received += std::str::from_utf8(&chunk[..length]).expect("text");
    }
    assert!(!host.log.text().contains("aborted"), "the exchange lasts as long as its stream");

    drop(client);

    host.log.next("cancelled");
    host.log.next("aborted");
}
