//! Who may join a line, what may be sent over it, and how it ends.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Event, Host, Site, serve};

/// Live until the user navigates away; echoes messages.
const STAYS: &str = r#"
    export default function (event, next) {
      event.client.addEventListener("message", (e) => event.client.postMessage(e.data));
      event.respondWith("live", { done: false });
    }"#;

#[track_caller]
fn refused(host: &Host, path: &str, headers: &[(&str, &str)]) -> u16 {
    let dial = headers.iter().fold(host.dial(path), |dial, (name, value)| dial.header(name, value));
    dial.connect().err().unwrap_or_else(|| panic!("{path} was not refused"))
}

// -- Joining ------------------------------------------------------------------------------------------

#[test]
fn a_token_is_good_for_one_line() {
    let host = serve(STAYS);

    let (answer, mut line) = host.open("/");

    assert_eq!(refused(&host, &answer.line_path(), &[]), 404);
    // The line itself is not disturbed.
    line.send("message", json!("still here"));
    assert_eq!(line.expect("message"), json!("still here"));
}

#[test]
fn both_headers_lead_to_the_line() {
    let host = serve(STAYS);

    let answer = host.get("/");
    let port = answer.header("x-background-messaging-port").expect("the older header");
    let path = format!("/{}", port.strip_prefix("ws:").expect("a WebSocket"));
    let mut line = host.dial(&path).connect().expect("the line");
    line.handshake();
    line.send("message", json!(1));

    assert_eq!(line.expect("message"), json!(1));
}

#[test]
fn tokens_differ() {
    let host = serve(STAYS);

    let mut paths: Vec<_> = (0..20).map(|_| host.get("/").line_path()).collect();
    paths.sort();
    paths.dedup();

    assert_eq!(paths.len(), 20);
}

#[test]
fn an_unknown_token_is_a_404() {
    let host = serve(STAYS);

    for token in ["0", "00000000000000000000000000000000", "AAAAAAAAAAAAAAAAAAAAAA", "..", ""] {
        assert_eq!(refused(&host, &format!("/.liveline/{token}?v=2"), &[]), 404, "{token}");
    }
}

#[test]
fn a_line_cannot_be_had_by_plain_http() {
    let host = serve(STAYS);

    let answer = host.get("/");
    let plain = host.get(&answer.line_path());

    assert!((400..500).contains(&plain.status), "{plain:?}");
    // It was no attempt to join: the token is still good.
    host.join(&answer);
}

#[test]
fn a_foreign_origin_is_refused() {
    let host = serve(STAYS);

    let path = host.get("/").line_path();
    assert_eq!(refused(&host, &path, &[("origin", "https://evil.example")]), 403);

    // Its own origin is welcome.
    let path = host.get("/").line_path();
    let own = format!("http://{}", host.address());
    assert!(host.dial(&path).header("origin", &own).connect().is_ok());
}

#[test]
fn an_allowed_origin_is_welcome() {
    let site = Site::new().file("handler.js", STAYS).arg("--allow-origin").arg("https://friend.example");
    let host = site.serve();

    let path = host.get("/").line_path();
    assert!(host.dial(&path).header("origin", "https://friend.example").connect().is_ok());
    let path = host.get("/").line_path();
    assert_eq!(refused(&host, &path, &[("origin", "https://evil.example")]), 403);
}

#[test]
fn a_line_belongs_to_its_visitor() {
    let host = serve(
        r#"export default async function (event) {
          await event.session.set("visited", true);
          event.waitUntilNavigate();
          return "live";
        }"#,
    );
    let visitor = || {
        let answer = host.get("/");
        let cookie = answer.header("set-cookie").expect("a session cookie");
        cookie.split(';').next().expect("a cookie").to_owned()
    };
    let (mine, others) = (visitor(), visitor());

    let open = || host.request("GET", "/").header("cookie", &mine).send().line_path();

    assert_eq!(refused(&host, &open(), &[("cookie", &others)]), 403);
    assert_eq!(refused(&host, &open(), &[]), 403);
    assert!(host.dial(&open()).header("cookie", &mine).connect().is_ok());
}

#[test]
fn a_line_that_is_not_joined_expires() {
    let site = Site::new()
        .file(
            "handler.js",
            r#"
            export default (event) => {
              event.signal.addEventListener("abort", () => console.error("nobody came"));
              event.waitUntilNavigate();
              return "live";
            };"#,
        )
        .arg("--join-timeout=200ms");
    let host = site.serve();

    let answer = host.get("/");
    host.log.next("nobody came");

    assert_eq!(refused(&host, &answer.line_path(), &[]), 404);
}

#[test]
fn a_joined_line_does_not_expire() {
    let site = Site::new()
        .file(
            "handler.js",
            r#"
            export default async (event, next) => {
              event.respondWith("live", { done: false });
              if (next.stepname) event.signal.addEventListener("abort", () => console.error("expired"));
              await new Promise((r) => event.client.addEventListener("go", r));
              event.respondWith("after the window");
            };"#,
        )
        .arg("--join-timeout=300ms");
    let host = site.serve();

    let (_, mut line) = host.open("/");
    // A line that was offered later expires.
    host.get("/later");
    host.log.next("expired");
    line.send("go", Value::Null);

    assert_eq!(line.expect_body(), json!("after the window"));
    line.done();
}

#[test]
fn frames_wait_for_the_first_frame_of_the_client() {
    let host = serve(
        r#"
        export default (event) => {
          event.client.postMessage("early");
          event.client.addEventListener("message", (e) => event.client.postMessage(e.data));
          event.waitUntilNavigate();
          return "live";
        }"#,
    );

    // A client that knows no pings just talks.
    let path = host.get("/").line_path();
    let mut line = host.dial(&path).connect().expect("the line");
    line.send("message", json!("first word"));

    assert_eq!(line.expect("message"), json!("early"));
    assert_eq!(line.expect_body(), json!("live"));
    assert_eq!(line.expect("message"), json!("first word"));
}

#[test]
fn a_second_connect_ping_is_answered_too() {
    let host = serve(STAYS);

    let (_, mut line) = host.open("/");
    line.handshake();
    line.send("message", json!(1));

    assert_eq!(line.expect("message"), json!(1));
}

// -- Frames that are wrong ----------------------------------------------------------------------------

#[test]
fn wrong_frames_close_the_line_with_their_code() {
    let site = Site::new().file("handler.js", STAYS).arg("--max-frame=1KiB");
    let host = site.serve();
    let long = format!("\"{}\"", "x".repeat(1100));

    for (message, code) in [
        (Message::text("not json"), 1003),
        (Message::text(""), 1003),
        (Message::binary(vec![1, 2, 3]), 1003),
        (Message::text(long), 1009),
    ] {
        let mut line = host.open_socket("/");
        line.send_message(message.clone());
        assert_eq!(line.closed(), code, "{message:?}");
    }
    assert_eq!(host.get("/").text(), "live");
}

#[test]
fn a_frame_may_be_as_large_as_the_limit() {
    let host = Site::new().file("handler.js", STAYS).arg("--max-frame=1KiB").serve();

    let (_, mut line) = host.open("/");
    // A bare frame: 1022 letters and two quotes.
    line.send_text(&format!("\"{}\"", "x".repeat(1022)));

    assert_eq!(line.expect("message"), json!("x".repeat(1022)));
}

#[test]
fn odd_envelopes_are_tolerated() {
    let host = serve(STAYS);

    let (_, mut line) = host.open("/");
    for text in [
        r#"{"message":1,".wq":null}"#,
        r#"{"message":1,".wq":{}}"#,
        r#"{"message":1,".wq":{"type":"x"}}"#,
        r#"{"message":1,".wq":{"type":"__proto__","eventID":"constructor"}}"#,
        r#"{"message":1,".wq":{"type":"unknown-1:0:message","eventID":"e"}}"#,
        r#"{"message":1,".wq":{"type":"close","eventID":"e"}}"#,
        r#"{"message":1,".wq":{"type":"response.done","eventID":"e"}}"#,
        r#"{".wq":{"type":"x:0:message","eventID":"e"},"ping":"disconnect"}"#,
    ] {
        line.send_text(text);
    }
    line.send("message", json!("unharmed"));

    // Some of the above are messages, others are nothing; none of them ends the line.
    loop {
        match line.next_event() {
            Event::Frame(frame) if frame.message == json!("unharmed") => break,
            Event::Frame(frame) => assert_eq!(frame.kind, "message"),
            Event::Closed(code) => panic!("closed with {code}: {}", line.transcript()),
        }
    }
}

#[test]
fn a_navigation_without_data_is_tolerated() {
    let host = serve(STAYS);

    let (_, mut line) = host.open("/");
    line.send("navigate", Value::Null);
    let Event::Closed(code) = line.next_event() else { panic!("{}", line.transcript()) };

    assert!(matches!(code, 1003 | 1008 | 4001), "{code}");
    assert_eq!(host.get("/").text(), "live");
}

// -- Ends ---------------------------------------------------------------------------------------------

#[test]
fn draining_closes_every_line_with_1012() {
    let mut host = serve(STAYS);
    let (_, mut first) = host.open("/");
    let (_, mut second) = host.open("/");

    host.signal("TERM");

    assert_eq!(first.closed(), 1012);
    assert_eq!(second.closed(), 1012);
    assert_eq!(host.ended(), Some(0));
    assert!(!host.accepts());
}

#[test]
fn draining_does_not_wait_for_lines_that_are_not_joined() {
    let mut host = serve(STAYS);
    host.get("/");

    host.signal("INT");

    assert_eq!(host.ended(), Some(0));
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let site = Site::new()
        .file(
            "handler.js",
            r#"
            export default (event, next) => {
              event.client.addEventListener("flood", async () => {
                const piece = "x".repeat(64 * 1024);
                for (let n = 0; n < 2000 && !event.signal.aborted; n++) {
                  event.client.postMessage(piece);
                  if (n % 10 === 0) await new Promise((r) => setTimeout(r, 0));
                }
                console.error("flooded");
              });
              event.waitUntilNavigate();
              return "live";
            };"#,
        )
        .arg("--max-queue=256KiB");
    let host = site.serve();

    let (_, mut line) = host.open("/");
    line.send("flood", Value::Null);
    // The test does not read until the handler has written far more than any buffer holds.
    host.log.next("flooded");
    let (frames, code) = line.rest();

    assert_eq!(code, 1013);
    assert!(frames.len() < 2000, "{} frames came through", frames.len());
    // Others are served as before.
    host.open("/");
}

#[test]
fn a_close_of_the_client_is_answered() {
    let host = serve(STAYS);

    let mut line = host.open_socket("/");
    line.send_message(Message::Close(None));

    assert!(matches!(line.closed(), 1000 | 1005), "{}", line.transcript());
}

#[test]
fn a_frame_with_too_many_ports_brings_a_few() {
    let host = serve(
        r#"
        export default (event) => {
          event.client.addEventListener("x", (e) => event.client.postMessage(e.ports.length));
          event.waitUntilNavigate();
          return "fine";
        };"#,
    );

    let (_, mut line) = host.open("/");
    line.send_text(r#"{".wq":{"type":"x","eventID":"e","numPorts":4294967295}}"#);

    let ports = line.expect("message").as_u64().expect("a number");
    assert!((1..=16).contains(&ports), "{ports}");
    assert_eq!(host.get("/").text(), "fine");
}
