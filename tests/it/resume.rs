//! Lines of `liveline.v1` over networks that lose things: nothing is lost, nothing comes twice, and the handler runs
//! once.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    Event, Fault, FaultProxy, Frame, Host, Line, PROTOCOL, ResumingLine, Site, Welcome, serve,
};

/// How long a connection may be silent before the client gives it up.
const SILENCE: Duration = Duration::from_millis(600);

/// How many messages may be on their way.
const AHEAD: u64 = 200;

/// Answers each message with its number, and logs when it begins.
const ECHO: &str = r#"
let runs = 0;
export default (event) => {
  runs += 1;
  console.error("a view begins");
  let expected = 1;
  event.client.addEventListener("up", ({ data }) => {
    event.client.postMessage({ number: data.number, expected }, { type: "down" });
    expected += 1;
  });
  event.client.addEventListener("runs", () => event.client.postMessage(runs, { type: "runs" }));
  event.respondWith({ is: "live" }, { done: false });
};
"#;

/// A line whose network is the proxy.
fn join(host: &Host, proxy: &FaultProxy) -> ResumingLine {
    let path = host.get("/").line_path();
    ResumingLine::join(proxy.address(), &path, SILENCE)
}

#[track_caller]
fn next(line: &mut ResumingLine) -> Frame {
    match line.next_event() {
        Event::Frame(frame) => frame,
        Event::Closed(code) => panic!("closed with {code}"),
    }
}

#[track_caller]
fn next_of(line: &mut ResumingLine, kind: &str) -> Value {
    let frame = next(line);
    assert_eq!(frame.kind, kind, "{frame:?}");
    frame.message
}

/// Sends numbered messages to a handler that answers them, over a network that loses connections, while the site is
/// edited.
fn converse(count: u64, seed: u64) {
    let host = Site::new()
        .file("handler.js", ECHO)
        .file("other/handler.js", "export default () => 0;")
        .arg("--ping-interval=200ms")
        .arg("--ping-timeout=1s")
        .dev();
    let proxy = FaultProxy::start(host.address(), seed);
    let mut line = join(&host, &proxy);
    let (mut sent, mut heard) = (0, 0);
    let start = Instant::now();
    while heard < count {
        while sent < count && sent < heard + AHEAD {
            sent += 1;
            line.send("up", &json!({ "number": sent, "filler": "some text that takes a few bytes" }));
        }
        let message = next_of(&mut line, "down");
        heard += 1;
        assert_eq!(message, json!({ "number": heard, "expected": heard }), "seed {seed}");
        if heard == 10 {
            proxy.begin();
        }
        if heard % (count / 4) == 0 {
            host.site.write("other/handler.js", format!("export default () => {heard};"));
        }
    }
    let faults = proxy.faults();
    proxy.calm();
    line.send("runs", &Value::Null);
    assert_eq!(next_of(&mut line, "runs"), json!(1), "the handler ran once");
    assert_eq!(line.lost, 0);
    host.log.next("reloaded");
    assert_eq!(host.log.text().matches("a view begins").count(), 1, "{}", host.log.text());
    let seconds = start.elapsed().as_secs_f64();
    eprintln!("{count} messages each way in {seconds:.1} s, resumed {} times, {faults:?}", line.resumed);
    let cuts: u64 = faults.iter().filter(|(fault, _)| **fault != Fault::Delay).map(|(_, count)| count).sum();
    assert!(cuts >= count / 100, "only {faults:?}");
    for fault in [Fault::Close, Fault::Reset, Fault::OneWay, Fault::Stall, Fault::Twice] {
        assert!(faults.contains_key(&fault), "no {fault:?}, only {faults:?}");
    }
}

#[test]
fn ten_thousand_messages_cross_a_faulty_network_once_and_in_order() {
    converse(10_000, 1);
}

/// Takes a quarter of an hour: `cargo test --release --test it -- --ignored long_`.
#[test]
#[ignore = "it takes long"]
fn long_a_million_messages_cross_a_faulty_network_once_and_in_order() {
    converse(1_000_000, 2);
}

// -- one thing at a time ------------------------------------------------------------------------------------------

/// The first message of a client, which opens the line.
const HELLO: &str = r#"1 {"ping":"connect",".wq":{"type":"message","eventID":"hello-1","numPorts":1}}"#;

/// Logs each message and the close code.
const LISTENER: &str = r#"
export default (event) => {
  event.client.addEventListener("say", (e) => event.client.postMessage(e.data));
  event.client.addEventListener("close", (e) => console.error(`closed with ${e.code}`));
  event.client.addEventListener("state", (e) => event.respondWith({ text: e.data }, { done: false }));
  event.client.addEventListener("finish", () => event.client.close());
  event.respondWith({ text: "" }, { done: false });
};
"#;

/// Connects to a path of a line, by the subprotocol.
fn connect(host: &Host, path: &str) -> Result<Line, u16> {
    host.dial(path).header("sec-websocket-protocol", PROTOCOL).connect()
}

#[track_caller]
fn welcome(line: &mut Line) -> Welcome {
    let text = line.receive_text().unwrap_or_else(|code| panic!("closed with {code}"));
    let welcome = text.strip_prefix('w').unwrap_or_else(|| panic!("{text} is no welcome"));
    serde_json::from_str(welcome).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn again(token: &str, after: u64) -> String {
    format!("/.liveline/{token}?v=2&after={after}")
}

fn say(number: u64, kind: &str, message: &Value) -> String {
    format!("{number} {}", json!({ "message": message, ".wq": { "type": kind, "eventID": kind } }))
}

/// The next envelope, which must have this number.
#[track_caller]
fn envelope(line: &mut Line, number: u64) -> Value {
    loop {
        let text = line.receive_text().unwrap_or_else(|code| panic!("closed with {code}"));
        if text.starts_with('a') {
            continue;
        }
        let (told, envelope) = text.split_once(' ').unwrap_or_else(|| panic!("{text} has no number"));
        assert_eq!(told, number.to_string(), "{text}");
        return serde_json::from_str(envelope).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
}

/// A line that is open, and its next token. The host has frame 1 of the client, and the client that of the host.
#[track_caller]
fn open(host: &Host) -> (Line, String) {
    let mut line = connect(host, &host.get("/").line_path()).expect("a line to join");
    let Welcome { token, received, lost, .. } = welcome(&mut line);
    assert_eq!((received, lost), (0, false));
    line.send_text("a0");
    line.send_text(HELLO);
    assert_eq!(envelope(&mut line, 1)["message"], json!({ "isOpen": true }));
    (line, token)
}

#[test]
fn clients_without_the_subprotocol_are_served_as_before() {
    let host = serve(LISTENER);
    let mut line = host.open_socket("/");
    line.send("say", json!("plain"));
    assert_eq!(line.expect("message"), json!("plain"));
}

#[test]
fn what_was_missed_comes_on_the_next_connection() {
    let host = serve(LISTENER);
    let (mut line, token) = open(&host);
    line.send_text(&say(2, "say", &json!("a")));
    line.send_text(&say(3, "say", &json!("b")));
    assert_eq!(envelope(&mut line, 2)["message"], json!("a"));
    assert_eq!(envelope(&mut line, 3)["message"], json!("b"));
    drop(line);

    let mut line = connect(&host, &again(&token, 2)).expect("the line waits");
    let Welcome { received, lost, .. } = welcome(&mut line);
    assert_eq!((received, lost), (3, false));
    assert_eq!(envelope(&mut line, 3)["message"], json!("b"));
    line.send_text("a3");
    // The host has received it, and ignores it the second time.
    line.send_text(&say(3, "say", &json!("b")));
    line.send_text(&say(4, "say", &json!("c")));
    assert_eq!(envelope(&mut line, 4)["message"], json!("c"));
}

#[test]
fn a_welcome_that_was_lost_costs_nothing() {
    let host = serve(LISTENER);
    let path = host.get("/").line_path();
    let token = path.trim_start_matches("/.liveline/").split('?').next().expect("a first part").to_owned();
    drop(connect(&host, &path).expect("a line to join"));
    let mut first = connect(&host, &again(&token, 0)).expect("the client knows no other token");
    let after_join = welcome(&mut first).token;
    drop(first);
    let mut second = connect(&host, &again(&after_join, 0)).expect("the newest token");
    // The client does not acknowledge it, so it may not have received it.
    welcome(&mut second);
    let mut third = connect(&host, &again(&after_join, 0)).expect("the token before the newest");
    let newest = welcome(&mut third).token;
    third.send_text("a0");
    third.send_text(HELLO);
    envelope(&mut third, 1);
    assert_eq!(
        connect(&host, &again(&after_join, 0)).err(),
        Some(404),
        "the client has shown that it has the newest"
    );
    assert!(connect(&host, &again(&newest, 0)).is_ok());
}

#[test]
fn a_request_that_is_made_twice_leaves_the_client_its_token() {
    let host = serve(LISTENER);
    let (line, token) = open(&host);
    drop(line);
    let mut meant = connect(&host, &again(&token, 1)).expect("the line waits");
    let newest = welcome(&mut meant).token;
    let mut second = connect(&host, &again(&token, 1)).expect("nobody has said anything on the newest");
    welcome(&mut second);
    let mut line = connect(&host, &again(&newest, 1)).expect("the token of the client's last welcome");
    welcome(&mut line);
    line.send_text("a1");
    line.send_text(&say(2, "say", &json!("still here")));
    assert_eq!(envelope(&mut line, 2)["message"], json!("still here"));
}

#[test]
fn a_second_connection_takes_the_line_over() {
    let host = serve(LISTENER);
    let (mut first, token) = open(&host);
    let mut second = connect(&host, &again(&token, 1)).expect("the line waits for nobody");
    welcome(&mut second);
    second.send_text("a1");
    // Frames on the first connection, and its end, are ignored from now on.
    first.send_text(&say(2, "say", &json!("from the first")));
    second.send_text(&say(2, "say", &json!("from the second")));
    assert_eq!(envelope(&mut second, 2)["message"], json!("from the second"));
    first.close();
    second.send_text(&say(3, "say", &json!("more")));
    assert_eq!(envelope(&mut second, 3)["message"], json!("more"));
}

#[test]
fn a_number_left_out_breaks_the_connection_and_not_the_line() {
    let host = serve(LISTENER);
    let (mut line, token) = open(&host);
    line.send_text(&say(3, "say", &json!("too far")));
    assert!(line.receive_text().is_err());
    let mut line = connect(&host, &again(&token, 1)).expect("the line waits");
    assert_eq!(welcome(&mut line).received, 1);
}

#[test]
fn a_close_frame_ends_the_line_for_good() {
    let host = serve(LISTENER);
    let (line, token) = open(&host);
    line.close();
    host.log.next("closed with 1000");
    assert_eq!(connect(&host, &again(&token, 1)).err(), Some(404));
}

#[test]
fn after_the_window_the_handler_gets_a_close_event() {
    let host = Site::new().file("handler.js", LISTENER).arg("--resume-window=300ms").serve();
    let (mut line, token) = open(&host);
    drop(line);
    line = connect(&host, &again(&token, 1)).expect("the window is not over");
    let Welcome { token, window, .. } = welcome(&mut line);
    assert_eq!(window, 300);
    assert!(!host.log.text().contains("closed with"), "{}", host.log.text());
    line.send_text("a1");
    drop(line);
    host.log.next("closed with 1006");
    assert_eq!(connect(&host, &again(&token, 1)).err(), Some(404));
}

#[test]
fn the_last_frames_and_the_code_wait_for_the_client() {
    let host = serve(LISTENER);
    let (mut line, token) = open(&host);
    line.send_text(&say(2, "say", &json!("last words")));
    line.send_text(&say(3, "finish", &Value::Null));
    // The line ends while the client is not connected.
    assert_eq!(envelope(&mut line, 2)["message"], json!("last words"));
    drop(line);
    let mut line = connect(&host, &again(&token, 1)).expect("the line has something to say");
    let received = welcome(&mut line).received;
    line.send_text("a1");
    if received == 2 {
        // It was lost with the connection.
        line.send_text(&say(3, "finish", &Value::Null));
    }
    assert_eq!(envelope(&mut line, 2)["message"], json!("last words"));
    let end = loop {
        match line.receive_text() {
            Ok(text) => assert!(
                text.starts_with('a') || text.contains("response.done") || text.contains("disconnect"),
                "{text}"
            ),
            Err(code) => break code,
        }
    };
    assert_eq!(end, 1000);
}

#[test]
fn a_client_gets_a_frame_at_each_ping_even_if_it_is_not_silent() {
    let host = Site::new().file("handler.js", LISTENER).arg("--ping-interval=100ms").serve();
    let mut line = connect(&host, &host.get("/").line_path()).expect("a line to join");
    assert_eq!(welcome(&mut line).ping, Some(100));
    line.send_text("a0");
    line.send_text(HELLO);
    envelope(&mut line, 1);
    for _ in 0..5 {
        assert_eq!(line.receive_text().as_deref(), Ok("a1"));
        line.send_text("a1");
    }
    let quiet = Site::new().file("handler.js", LISTENER).arg("--ping-interval=0s").serve();
    let mut line = connect(&quiet, &quiet.get("/").line_path()).expect("a line to join");
    assert_eq!(welcome(&mut line).ping, None);
}

#[test]
fn a_question_is_answered_on_the_next_connection() {
    let host =
        serve("export default async (event) => ({ answer: (await event.user.confirm('Sure?')).data });");
    let proxy = FaultProxy::start(host.address(), 1);
    let mut line = join(&host, &proxy);
    let question = next(&mut line);
    assert_eq!(question.kind, "confirm");
    proxy.cut();
    line.send(&format!("{}:0:message", question.id), &json!(true));
    assert_eq!(next_of(&mut line, "response.replace")["body"], json!({ "answer": true }));
    assert_eq!(line.resumed, 1);
}

#[test]
fn a_client_that_comes_too_late_gets_the_close_code() {
    let host = Site::new().file("handler.js", LISTENER).arg("--resume-window=200ms").serve();
    let proxy = FaultProxy::start(host.address(), 1);
    let mut line = join(&host, &proxy);
    line.send("say", &json!("a"));
    assert_eq!(next_of(&mut line, "message"), json!("a"));
    proxy.down();
    host.log.next("closed with 1006");
    proxy.up();
    assert!(matches!(line.next_event(), Event::Closed(1006)));
}

#[test]
fn a_plain_request_shows_whether_a_line_exists() {
    let host = serve(LISTENER);
    let (line, token) = open(&host);
    drop(line);
    assert_eq!(host.get(&again(&token, 1)).status, 426);
    let mut line = connect(&host, &again(&token, 1)).expect("a look changes nothing");
    welcome(&mut line);
    line.close();
    host.log.next("closed with 1000");
    assert_eq!(host.get(&again(&token, 1)).status, 404);
}

#[test]
fn one_close_frame_is_sent() {
    let host = serve(LISTENER);
    let (mut line, _) = open(&host);
    line.send_text(&say(2, "finish", &Value::Null));
    let end = loop {
        if let Err(code) = line.receive_text() {
            break code;
        }
    };
    assert_eq!(end, 1000);
    // The answer to it went out with the last read; browsers take a second frame for a broken connection.
    assert_eq!(line.bytes_to_end(), b"");
}

#[test]
fn another_visitor_cannot_go_on_with_a_line() {
    let host = Site::new()
        .file("handler.js", "export default async (event) => { await event.session.set('a', 1); event.waitUntilNavigate(); return 1; };")
        .serve();
    let answer = host.get("/");
    let cookie = answer.all("set-cookie").first().and_then(|cookie| cookie.split(';').next());
    let cookie = cookie.expect("a session has a cookie").to_owned();
    let join = |path: &str| {
        host.dial(path).header("sec-websocket-protocol", PROTOCOL).header("cookie", &cookie).connect()
    };
    let mut line = join(&answer.line_path()).expect("a line to join");
    let token = welcome(&mut line).token;
    drop(line);
    assert_eq!(connect(&host, &again(&token, 0)).err(), Some(403));
    assert!(join(&again(&token, 0)).is_ok());
}

#[test]
fn a_client_that_misses_too_much_gets_a_full_state() {
    let host = Site::new()
        .file(
            "handler.js",
            r#"
let goOn;
export default async (event, next) => {
  if (next.stepname === "go") return goOn();
  event.respondWith({ step: 0 }, { done: false });
  await event.client.readyStateChange("open");
  await new Promise((resolve) => goOn = resolve);
  for (let count = 0; count < 100; count++) event.client.postMessage("x".repeat(1000));
  event.respondWith({ step: 1 }, { done: false });
  console.error("all was said");
};"#,
        )
        .arg("--max-queue=20KiB")
        .arg("--metrics=0")
        .serve();
    let (line, token) = open(&host);
    drop(line);
    while host.figures().get("liveline_lines", &[("state", "away")]) == 0.0 {}
    host.get("/go");
    host.log.next("all was said");
    let mut line = connect(&host, &again(&token, 1)).expect("the line waits");
    assert!(welcome(&mut line).lost);
    line.send_text("a1");
    let state = loop {
        let text = line.receive_text().unwrap_or_else(|code| panic!("closed with {code}"));
        let (_, json) = text.split_once(' ').unwrap_or((&text, "null"));
        let envelope: Value = serde_json::from_str(json).expect("an envelope");
        if envelope[".wq"]["type"] == "response.replace" {
            break envelope["message"]["body"].clone();
        }
    };
    assert_eq!(state, json!({ "step": 1 }));
}
