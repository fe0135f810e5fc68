//! Lines of clients that cannot have a socket: events downward, requests upward.
//!
//! `LIVELINE_TRANSPORT=events` runs every other suite this way too; here stands what only this way has.

use std::io::{Read, Write};
use std::net::Shutdown;

use serde_json::{Value, json};

use crate::support::{Host, PATIENCE, Site, on_go, serve};

/// Live until the user navigates away; echoes messages, and logs how it ends.
const ECHO: &str = r#"
    export default function (event) {
      event.client.addEventListener("message", (e) => event.client.postMessage(e.data));
      event.client.addEventListener("close", (e) => console.error(`closed ${e.code} ${e.reason}.`));
      event.waitUntilNavigate();
      return "live";
    }"#;

fn message(data: Value) -> String {
    json!({ "message": data, ".wq": { "type": "message", "eventID": "m" } }).to_string()
}

#[track_caller]
fn post(host: &Host, path: &str, body: impl Into<String>) -> u16 {
    host.request("POST", path).body(body.into()).send().status
}

#[test]
fn a_whole_conversation_needs_no_socket() {
    let host = serve(&on_go("event.respondWith({ n: 0 }, { done: false }); await go; return { n: 1 };"));
    let answer = host.get("/");

    let mut line = host.dial(&answer.line_path()).listen().expect("the line");
    line.handshake();
    line.send("go", Value::Null);

    assert_eq!(line.expect_body(), json!({ "n": 1 }));
    line.done();
}

#[test]
fn a_stream_of_events_is_not_kept_by_anybody() {
    let host = serve(ECHO);
    let path = host.get("/").line_path();

    let stream = host.request("GET", &path).header("accept", "text/event-stream").stream();

    assert_eq!(stream.header("content-type"), Some("text/event-stream"));
    assert_eq!(stream.header("cache-control"), Some("no-store, no-transform"));
    assert_eq!(stream.header("x-accel-buffering"), Some("no"));
}

/// A proxy may pass the head on with the first bytes of the body, which may be far.
#[test]
fn a_stream_of_events_begins_with_its_head() {
    let host = serve(
        r#"export default function (event) {
          event.client.enterChannel("quiet");
          event.waitUntilNavigate();
          if (event.url.searchParams.has("silent")) return new Promise(() => {});
          return "live";
        }"#,
    );
    let line = host.get("/").line_path();

    // No event follows on either stream for now.
    for path in [&*line, "/?silent"] {
        let mut stream = host.connect();
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: {}\r\naccept: text/event-stream\r\n\r\n", host.address());
        stream.write_all(request.as_bytes()).expect("the host reads");
        let mut text = String::new();
        while !text.contains("\r\n\r\n:") {
            let mut bytes = [0; 1024];
            let read = stream.read(&mut bytes).expect("the beginning of a body");
            assert!(read > 0, "{text}");
            text.push_str(std::str::from_utf8(&bytes[..read]).expect("a text"));
        }
    }
}

/// A proxy that writes its upstream's name into `Host`: pages join without an Origin, and are refused with one.
#[test]
fn the_log_has_once_why_pages_are_refused() {
    let host = serve(ECHO);
    let mut refused = 0;
    for site in [Some("cross-site"), None, Some("same-origin")] {
        let path = host.get("/").line_path();
        let mut line = host.dial(&path).listen().expect("the line");
        line.handshake();
        let request =
            host.request("POST", &path).header("origin", "https://site.example").body(message(json!(1)));
        let request = site.into_iter().fold(request, |request, site| request.header("sec-fetch-site", site));
        refused += u32::from(request.send().status == 403);
    }

    assert_eq!(refused, 3);
    let told = host.log.next("pages at https://site.example are not live");
    assert!(told.contains("Host") && told.contains("--allow-origin https://site.example"), "{told}");
    let (text, once) = (host.log.text(), "are not live");
    assert_eq!(text.matches(once).count(), 1, "{text}");
}

#[test]
fn several_frames_may_come_at_once() {
    let host = serve(ECHO);
    let path = host.get("/").line_path();
    let mut line = host.dial(&path).listen().expect("the line");
    line.handshake();

    let status = post(&host, &path, [message(json!(1)), message(json!(2))].join("\n"));

    assert_eq!(status, 204);
    assert_eq!((line.expect("message"), line.expect("message")), (json!(1), json!(2)));
}

#[test]
fn nothing_can_be_sent_before_a_client_listens() {
    let host = serve(ECHO);
    let path = host.get("/").line_path();

    assert_eq!(post(&host, &path, message(json!(1))), 404);
    assert!(host.dial(&path).connect().is_ok(), "the address is still good");
}

#[test]
fn a_line_with_a_socket_takes_no_requests() {
    let host = serve(ECHO);
    let path = host.get("/").line_path();
    let mut line = host.dial(&path).connect().expect("the line");
    line.handshake();

    assert_eq!(post(&host, &path, message(json!(1))), 404);
    assert_eq!(host.request("DELETE", &path).send().status, 404);
}

#[test]
fn an_address_is_listened_to_once() {
    let host = serve(ECHO);
    let path = host.get("/").line_path();
    let mut line = host.dial(&path).listen().expect("the line");
    line.handshake();

    assert_eq!(host.dial(&path).listen().err(), Some(404));
    assert_eq!(host.dial(&path).connect().err(), Some(404));
    // The line itself is not disturbed.
    line.send("message", json!("still here"));
    assert_eq!(line.expect("message"), json!("still here"));
}

#[test]
fn the_client_may_send_a_close_code() {
    let host = serve(ECHO);
    let path = host.get("/").line_path();
    let mut line = host.dial(&path).listen().expect("the line");
    line.handshake();

    let status = host.request("DELETE", &format!("{path}&code=4100&reason=had%20enough")).send().status;

    assert_eq!(status, 204);
    host.log.next("closed 4100 had enough.");
}

#[test]
fn what_crosses_the_end_of_the_line_is_no_error() {
    let host = serve(&on_go("event.respondWith({ n: 0 }, { done: false }); await go; return { n: 1 };"));
    let path = host.get("/").line_path();
    let mut line = host.dial(&path).listen().expect("the line");
    line.handshake();
    line.send("go", Value::Null);
    line.expect_body();
    line.done();

    assert_eq!(post(&host, &path, message(json!(1))), 204);
    assert_eq!(host.request("DELETE", &path).send().status, 204);
    let foreign =
        host.request("POST", &path).header("origin", "https://evil.example").body(message(json!(1)));
    assert_eq!(foreign.send().status, 404);
    assert_eq!(host.dial(&path).listen().err(), Some(404), "it is over all the same");
}

#[test]
fn frames_that_break_off_are_ignored() {
    let host = serve(ECHO);
    let path = host.get("/").line_path();
    let mut line = host.dial(&path).listen().expect("the line");
    line.handshake();

    let mut half = host.connect();
    let body = [message(json!("first")), message(json!("second"))].join("\n");
    let head = format!("POST {path} HTTP/1.1\r\nhost: here\r\ncontent-length: {}\r\n\r\n", body.len());
    half.write_all(head.as_bytes()).expect("the host reads");
    half.write_all(&body.as_bytes()[..body.len() - 5]).expect("the host reads");
    half.shutdown(Shutdown::Both).expect("a connection can end");
    drop(half);

    line.send("message", json!("third"));
    assert_eq!(line.expect("message"), json!("third"));
}

#[test]
fn frames_that_do_not_come_hold_nothing() {
    let host = Site::new().file("handler.js", ECHO).arg("--answer-timeout=200ms").serve();
    let path = host.get("/").line_path();
    let mut line = host.dial(&path).listen().expect("the line");
    line.handshake();

    let mut slow = host.connect();
    let head = format!("POST {path} HTTP/1.1\r\nhost: here\r\ncontent-length: 10\r\n\r\n");
    slow.write_all(head.as_bytes()).expect("the host reads");
    slow.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    let mut answer = [0; 12];
    slow.read_exact(&mut answer).expect("an answer");

    assert_eq!(&answer, b"HTTP/1.1 408");
    line.send("message", json!("still here"));
    assert_eq!(line.expect("message"), json!("still here"));
}

/// A handler that is behind slows its client down, and does not lose it.
#[test]
fn a_client_waits_for_a_handler_that_is_behind() {
    let handler = r#"
        export default function (event) {
          event.client.addEventListener("message", (e) => {
            const until = Date.now() + 20;
            while (Date.now() < until);
            if (e.data === "last") event.client.postMessage("heard all");
          });
          event.waitUntilNavigate();
          return "live";
        }"#;
    let host = Site::new().file("handler.js", handler).arg("--max-queue=4KiB").serve();
    let path = host.get("/").line_path();
    let mut line = host.dial(&path).listen().expect("the line");
    line.handshake();

    for _ in 0..3 {
        let body = vec![message(json!("x".repeat(500))); 10].join("\n");
        assert_eq!(post(&host, &path, body), 204);
    }
    assert_eq!(post(&host, &path, message(json!("last"))), 204);

    assert_eq!(line.expect("message"), json!("heard all"));
}

#[test]
fn a_client_that_vanishes_is_noticed() {
    let host = serve(ECHO);
    let mut line = host.dial(&host.get("/").line_path()).listen().expect("the line");
    line.handshake();

    drop(line);

    host.log.next("closed 1006 connection lost.");
}

#[test]
fn frames_over_the_limit_close_the_line() {
    let host = Site::new().file("handler.js", ECHO).arg("--max-frame=1KiB").serve();
    let path = host.get("/").line_path();
    let mut line = host.dial(&path).listen().expect("the line");
    line.handshake();

    assert_eq!(post(&host, &path, message(json!("x".repeat(2000)))), 413);
    assert_eq!(line.closed(), 1009);
}

#[test]
fn frames_that_are_no_text_close_the_line() {
    let host = serve(ECHO);
    let path = host.get("/").line_path();
    let mut line = host.dial(&path).listen().expect("the line");
    line.handshake();

    assert_eq!(host.request("POST", &path).body(vec![0xff, 0xfe]).send().status, 400);
    assert_eq!(line.closed(), 1003);
}

#[test]
fn a_foreign_page_neither_receives_nor_sends() {
    let host = serve(ECHO);
    let path = host.get("/").line_path();
    let foreign = |method: &str| {
        let request = host.request(method, &path).header("origin", "https://evil.example");
        let answer = request.header("accept", "text/event-stream").send();
        assert_eq!(answer.header("access-control-allow-origin"), None, "{answer:?}");
        answer.status
    };

    assert_eq!(foreign("GET"), 403);
    let mut line = host.dial(&path).listen().expect("the line");
    line.handshake();
    assert_eq!((foreign("POST"), foreign("DELETE")), (403, 403));
    line.send("message", json!("still here"));
    assert_eq!(line.expect("message"), json!("still here"));
}

#[test]
fn a_page_that_is_allowed_may_read_the_answers() {
    let host = Site::new().file("handler.js", ECHO).arg("--allow-origin=https://app.example").serve();
    let path = host.get("/").line_path();
    let request = |method: &str| host.request(method, &path).header("origin", "https://app.example");

    let preflight = request("OPTIONS").header("access-control-request-method", "POST").send();
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("https://app.example"));
    let stream = request("GET").header("accept", "text/event-stream").stream();

    assert_eq!(
        (stream.status, stream.header("access-control-allow-origin")),
        (200, Some("https://app.example"))
    );
}

#[test]
fn other_methods_get_a_405_with_the_allowed_ones() {
    let host = serve(ECHO);
    let path = host.get("/").line_path();

    let answer = host.request("PUT", &path).send();

    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, POST, DELETE")));
    assert_eq!(host.get(&path).status, 426);
}

/// Events of a line do not wait for the thread of its handler.
#[test]
fn a_spinning_handler_holds_up_no_events() {
    let site = Site::new()
        .file("handler.js", ECHO)
        .file("spin/handler.js", "export default () => { console.error('spinning'); for (;;); }");
    let root = r#"
        export default async function (event, next) {
          if (next.stepname) return await next();
          event.client.addEventListener("close", (e) => console.error(`closed ${e.code} ${e.reason}.`));
          event.waitUntilNavigate();
          return "live";
        }"#;
    let host = site.file("handler.js", root).arg("--cpu-timeout=5s").serve();
    let path = host.get("/").line_path();
    let mut line = host.dial(&path).listen().expect("the line");
    line.handshake();

    let _spinning = host.begin("GET", "/spin");
    host.log.next("spinning");
    // The host closes every line; the handler's thread could not.
    host.signal("TERM");
    assert_eq!(line.closed(), 1012);
}
