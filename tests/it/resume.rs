//! Lines of `liveline.v1` over networks that lose things: nothing is lost, nothing comes twice, and the handler runs
//! once.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Event, Fault, FaultProxy, Frame, Host, ResumingLine, Site};

/// How long a connection may be silent before the client gives it up.
const SILENCE: Duration = Duration::from_millis(600);

/// How many messages may be on their way.
const AHEAD: u64 = 200;

/// Answers each message with its number, and says in the log when it begins.
const ECHO: &str = r#"
let runs = 0;
export default (event) => {
  runs += 1;
  console.log("a view begins");
  let expected = 1;
  event.client.addEventListener("up", ({ data }) => {
    event.client.postMessage({ number: data.number, expected }, { type: "down" });
    expected += 1;
  });
  event.client.addEventListener("runs", () => event.client.postMessage(runs, { type: "runs" }));
  event.waitUntilNavigate();
  return { is: "live" };
};
"#;

fn serve(site: Site) -> Site {
    site.file("handler.js", ECHO)
        .file("other/handler.js", "export default () => 0;")
        .arg("--ping-interval=200ms")
        .arg("--ping-timeout=1s")
}

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
    let host = serve(Site::new()).dev();
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
