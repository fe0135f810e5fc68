//! Code that V8 cannot interrupt: its isolate is given up, its requests and lines are ended, and another isolate
//! serves.

use std::io::{Read, Write};
use std::thread;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::{Host, Site, read_to_close};

/// What no interrupt gets into. None of it ends while a test runs.
const STUCK: [(&str, &str); 3] = [
    ("includes", "Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1);"),
    ("reverse", "new Array(2 ** 32 - 2).reverse();"),
    ("power", "(3n ** (2n ** 27n)) ** 2n;"),
];

/// A route that is stuck at once, one that is after an await, one that waits, and lines.
fn handler(stuck: &str) -> String {
    format!(
        r#"
        export default async (event, next) => {{
          const {{ searchParams, pathname }} = new URL(event.request.url);
          if (pathname === "/stuck") {{ {stuck} }}
          if (pathname === "/later") {{ await new Promise((r) => setTimeout(r)); {stuck} }}
          if (pathname === "/posted") {{ await event.request.text(); {stuck} }}
          if (pathname === "/busy") {{
            console.error("busy");
            for (const end = Date.now() + 150; Date.now() < end;);
          }}
          if (pathname === "/waits") {{ console.error("waits"); return new Promise(() => {{}}); }}
          if (pathname === "/line") {{
            event.client.addEventListener("ask", () => event.client.postMessage("alive"));
            event.client.addEventListener("stuck", () => {{ {stuck} }});
            event.waitUntilNavigate();
            return "open";
          }}
          if (pathname === "/socket") {{
            const {{ 0: far, 1: near }} = new WebSocketPair();
            near.accept();
            near.addEventListener("message", ({{ data }}) => near.send(data));
            return new Response(null, {{ status: 101, webSocket: far }});
          }}
          return "fine";
        }};"#
    )
}

fn site(stuck: &str) -> Site {
    Site::new().file("handler.js", handler(stuck)).arg("--cpu-timeout=200ms")
}

fn one_worker(stuck: &str) -> Host {
    site(stuck).arg("--workers=1").serve()
}

#[test]
fn requests_get_503_and_the_next_ones_an_answer() {
    for (name, stuck) in STUCK {
        let host = one_worker(stuck);

        let answer = host.get("/stuck");

        assert_eq!(answer.status, 503, "{name}: {answer:?}");
        assert_eq!(answer.header("connection"), Some("close"), "{name}");
        let line = host.log.next("an isolate is lost");
        assert!(line.contains("GET /stuck runs on") && line.contains("exchange="), "{name}: {line}");
        assert_eq!(host.get("/").text(), "fine", "{name}");
        assert_eq!(host.log.text().matches("ERROR").count(), 1, "{name}: {}", host.log.text());
    }
}

/// V8 ends the process for an array that is too long; it is to cost one isolate.
#[test]
fn an_array_of_too_many_items_costs_an_isolate() {
    let handler = handler(r#""x".repeat(2 ** 28).split("");"#);
    let host = Site::new().file("handler.js", handler).arg("--cpu-timeout=20s").arg("--workers=1").serve();

    for _ in 0..2 {
        assert_eq!(host.get("/stuck").status, 503);

        host.log.next("V8 cannot go on");
        let line = host.log.next("an isolate is lost");
        assert!(line.contains("GET /stuck"), "{line}");
        assert_eq!(host.get("/").text(), "fine");
    }
}

#[test]
fn a_request_that_is_stuck_after_an_await_is_named() {
    let host = one_worker(STUCK[0].1);

    assert_eq!(host.get("/later").status, 503);

    let line = host.log.next("an isolate is lost");
    assert!(line.contains("GET /later runs on"), "{line}");
    assert_eq!(host.get("/").text(), "fine");
}

#[test]
fn a_request_with_a_body_gets_503() {
    let host = one_worker(STUCK[0].1);

    assert_eq!(host.request("POST", "/posted").body(vec![b'x'; 100_000]).send().status, 503);

    assert_eq!(host.get("/").text(), "fine");
}

#[test]
fn others_that_wait_get_503_as_well() {
    let host = one_worker(STUCK[0].1);
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let request = host.request("GET", "/waits");
            let waiting = thread::spawn(move || request.send().status);
            host.log.next("waits");
            waiting
        })
        .collect();

    assert_eq!(host.get("/stuck").status, 503);

    for waiting in waiting {
        assert_eq!(waiting.join().expect("an answer"), 503);
    }
    assert_eq!(host.get("/").text(), "fine");
}

/// An answer may wait for those of other connections, of which one is stuck.
#[test]
fn answers_that_are_not_sent_yet_are_not_cut() {
    let host = one_worker(STUCK[0].1);
    let [mut first, mut stuck] = [host.connect(), host.connect()];
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let slow = host.request("GET", "/busy");
    let slow = thread::spawn(move || slow.send().status);
    host.log.next("busy");

    // Both arrive while the thread is busy.
    first.write_all(request("/").as_bytes()).expect("the host reads");
    stuck.write_all(request("/stuck").as_bytes()).expect("the host reads");

    let answer = read_to_close(first);
    assert!(answer.starts_with("HTTP/1.1 200 ") || answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(read_to_close(stuck).starts_with("HTTP/1.1 503 "));
    assert!(matches!(slow.join(), Ok(200 | 503)));
}

#[test]
fn with_several_workers_the_others_go_on() {
    let host = site(STUCK[0].1).arg("--workers=2").serve();
    // A connection that stays open with one worker, so that the next goes to the other.
    let mut kept = host.begin("GET", "/");
    let mut answer = String::new();
    while !answer.ends_with("fine") {
        let mut piece = [0; 1024];
        let length = kept.read(&mut piece).expect("an answer");
        assert!(length > 0, "the connection ended after {answer:?}");
        answer += &String::from_utf8_lossy(&piece[..length]);
    }
    let (_, mut line) = host.open("/line");

    kept.write_all(b"GET /stuck HTTP/1.1\r\nHost: x\r\n\r\n").expect("the host reads");
    let mut refused = String::new();
    kept.read_to_string(&mut refused).expect("an answer, and the end of the connection");

    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert_eq!(host.get("/").text(), "fine");
    line.send("ask", Value::Null);
    assert_eq!(line.expect("message"), "alive");
}

#[test]
fn lines_and_sockets_are_closed_with_1011() {
    let host = one_worker(STUCK[0].1);
    let (_, mut line) = host.open("/line");
    let (mut socket, _) = host.dial("/socket").upgrade().expect("a socket");
    socket.send(Message::text("hello")).expect("a message");
    assert_eq!(socket.read().expect("an echo").into_text().expect("a text").as_str(), "hello");

    assert_eq!(host.get("/stuck").status, 503);

    assert_eq!(line.closed(), 1011);
    let close = loop {
        match socket.read() {
            Ok(Message::Close(close)) => break close.expect("a code"),
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(u16::from(close.code), 1011);
    // The host ends the connection, although the thread that read it still runs.
    let end = socket.read().expect_err("the end");
    assert!(matches!(end, Error::ConnectionClosed), "{end}");
    let (_, mut line) = host.open("/line");
    line.send("ask", Value::Null);
    assert_eq!(line.expect("message"), json!("alive"));
}

#[test]
fn a_line_may_be_what_is_stuck() {
    let host = one_worker(STUCK[0].1);
    let (_, mut line) = host.open("/line");

    line.send("stuck", Value::Null);

    assert_eq!(line.closed(), 1011);
    let told = host.log.next("an isolate is lost");
    assert!(told.contains("exchange="), "{told}");
    assert_eq!(host.get("/").text(), "fine");
}

/// Connections without a request end in order, and those that came meanwhile are served.
#[test]
fn idle_connections_end_and_new_ones_are_served() {
    let host = one_worker(STUCK[0].1);
    let connect = || host.connect();
    let ask = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut idle = connect();
    idle.write_all(ask).expect("a request");
    let mut answer = [0; 1024];
    let length = idle.read(&mut answer).expect("an answer");
    assert!(answer[..length].ends_with(b"fine"), "{}", String::from_utf8_lossy(&answer));
    let mut half = connect();
    half.write_all(b"GET / HTTP/1.1\r\nHos").expect("half a request");
    // By now the half request was read.
    assert_eq!(host.get("/").text(), "fine");

    let stuck = host.request("GET", "/stuck");
    let stuck = thread::spawn(move || stuck.send().status);
    // Whether this one comes before or after, it gets an answer.
    let mut late = connect();
    late.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("a request");

    assert_eq!(stuck.join().expect("an answer"), 503);
    assert_eq!(idle.read(&mut answer).expect("the end of the stream"), 0);
    let length = half.read(&mut answer).expect("an answer");
    assert!(answer[..length].starts_with(b"HTTP/1.1 503 "), "{}", String::from_utf8_lossy(&answer[..length]));
    let mut rest = String::new();
    late.read_to_string(&mut rest).expect("an answer");
    assert!(rest.starts_with("HTTP/1.1 200 ") || rest.starts_with("HTTP/1.1 503 "), "{rest}");
}

#[test]
fn again_and_again_is_logged_and_counted() {
    let host = site(STUCK[0].1).arg("--workers=1").arg("--metrics=127.0.0.1:0").serve();

    for _ in 0..3 {
        assert_eq!(host.get("/stuck").status, 503);
        host.until("/", |answer| answer.text() == "fine");
    }

    let told = host.log.next("isolates were lost within");
    assert!(told.contains("3 isolates") && told.contains("3 of the lost still run"), "{told}");
    assert_eq!(host.figures().get("liveline_isolates_lost_total", &[]), 3.0);
}

/// The thread is never killed. When its code ends, it goes by itself.
#[test]
#[ignore = "it ends at the lowest priority, which takes as long as others are busy"]
fn long_code_that_ends_after_all_ends_its_thread() {
    // A few seconds; the limits are short.
    let host = one_worker("for (let i = 0; i < 4; i++) \"a\".repeat(2 ** 24).replace(/a/g, \"bb\");");

    assert_eq!(host.get("/stuck").status, 503);

    assert_eq!(host.get("/").text(), "fine");
    host.log.next("the code of a lost isolate has ended; 0 still run");
    assert_eq!(host.get("/").text(), "fine");
}

#[test]
fn a_lost_isolate_does_not_hold_up_the_end() {
    let mut host = site(STUCK[0].1).arg("--workers=1").arg("--drain-timeout=60s").serve();
    assert_eq!(host.get("/stuck").status, 503);
    assert_eq!(host.get("/").text(), "fine");

    host.signal("TERM");

    assert_eq!(host.ended(), Some(0));
    assert!(!host.log.text().contains("gave up"), "{}", host.log.text());
}

#[test]
fn a_handler_that_is_stuck_while_it_loads_is_an_error() {
    let stuck = Site::new().file("a/handler.js", STUCK[0].1).arg("--cpu-timeout=200ms").arg("--port=0");

    let served = stuck.run("serve");

    assert_eq!(served.code, Some(1), "{}", served.output());
    assert!(served.stderr.contains("a/handler.js: its top-level code runs on"), "{}", served.output());
}

#[test]
fn dev_goes_on_when_saved_code_is_stuck() {
    let host = Site::new().file("handler.js", "export default () => 'old';").arg("--cpu-timeout=200ms").dev();

    host.site.write("handler.js", STUCK[0].1);
    host.log.next("reload failed");
    assert_eq!(host.get("/").text(), "old");

    host.site.write("handler.js", "export default () => 'mended';");
    host.until("/", |answer| answer.text() == "mended");
}

/// As on the main thread of a page.
#[test]
fn a_handler_cannot_block_on_a_lock() {
    let host = Site::new()
        .file(
            "handler.js",
            r#"export default () => {
              try {
                Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0);
              } catch (error) {
                return error.name;
              }
            };"#,
        )
        .serve();

    assert_eq!(host.get("/").text(), "TypeError");
}
