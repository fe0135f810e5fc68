//! The seed's event streams and streamed HTML: checks RW-A6 to RW-A9.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{seed, served_seed};
use crate::support::{Host, PATIENCE};

/// Counts the timers that are running, and the streams that ended.
const COUNTED_TIMERS: &str = r#"
import liveFeed from "../../functions/api/live-feed.js";

const running = new Set();
const { setInterval: start, clearInterval: stop } = globalThis;
globalThis.setInterval = (...given) => {
  const timer = start(...given);
  running.add(timer);
  return timer;
};
globalThis.clearInterval = (timer) => {
  running.delete(timer);
  stop(timer);
};

export default function counted(request, context) {
  if (new URL(request.url).searchParams.has("running")) return Response.json({ running: running.size });
  return liveFeed(request, context);
}
"#;

#[track_caller]
fn feed() -> Host {
    let host = seed().file("functions/api/counted.js", COUNTED_TIMERS).serve();
    assert_eq!(host.get("/api/probe?what=tables").json(), "made");
    host
}

/// The lines of a response, with the lengths of its chunks among them.
fn lines(reader: &mut BufReader<TcpStream>) -> impl Iterator<Item = String> {
    reader.by_ref().lines().map(|line| line.expect("a line"))
}

/// The value of the next event.
#[track_caller]
fn event(reader: &mut BufReader<TcpStream>) -> Value {
    let data = lines(reader).find_map(|line| line.strip_prefix("data: ").map(str::to_owned));
    serde_json::from_str(&data.expect("an event")).expect("JSON")
}

#[test]
fn a_feed_sends_notifications_and_stops_when_its_client_leaves() {
    let host = feed();
    let start = Instant::now();
    let mut events = BufReader::new(host.begin("GET", "/api/counted?userId=u1"));
    let head: Vec<_> = lines(&mut events).take_while(|line| !line.is_empty()).collect();
    for expected in ["HTTP/1.1 200 OK", "content-type: text/event-stream", "access-control-allow-origin: *"] {
        assert!(head.iter().any(|line| line == expected), "{expected}: {head:?}");
    }
    assert_eq!(event(&mut events), json!({ "type": "connected", "userId": "u1" }));
    // The target is 100 ms; a loaded machine gets more.
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!(host.get("/api/counted?running").json(), json!({ "running": 1 }));

    assert_eq!(host.get("/api/probe?what=notify&user=u1&text=hello").json(), true);
    assert_eq!(host.get("/api/probe?what=notify&user=u2&text=other").json(), true);
    let value = event(&mut events);
    assert_eq!((&value["type"], &value["message"]), (&json!("notification"), &json!("hello")));

    drop(events);
    let left = Instant::now();
    host.until("/api/counted?running", |answer| answer.json() == json!({ "running": 0 }));
    assert!(left.elapsed() < Duration::from_secs(5), "{:?}", left.elapsed());
    // Closing the stream after its end harms nothing.
    assert_eq!(host.get("/api/probe?what=messages").status, 200);
    assert!(!host.log.text().contains("rror"), "{}", host.log.text());
}

#[test]
fn headers_of_the_connection_are_the_hosts() {
    let host = served_seed();
    let mut stream = host.begin("GET", "/api/live-feed?userId=u1");
    let head = crate::support::read_until(&mut stream, "\r\n\r\n").to_ascii_lowercase();
    assert_eq!(head.matches("transfer-encoding").count(), 1, "{head}");
    assert!(head.matches("connection: keep-alive").count() <= 1, "{head}");
    assert!(head.contains("cache-control: no-cache"), "{head}");
}

/// The component's data, and a timer that makes its five minutes shorter if the request asks for it.
const METRICS: &str = r#"
import LiveMetrics from "../components/LiveMetrics.js";

let users = 1;
globalThis.getCurrentMetrics = async () => ({ activeUsers: users, requestsPerMinute: 2, avgResponseTime: 3 });
const { setTimeout: after, setInterval: every } = globalThis;
globalThis.setInterval = (work, time, ...given) => every(work, time === 2000 ? 20 : time, ...given);
let isShort = false;
globalThis.setTimeout = (work, time, ...given) => after(work, time === 300000 && isShort ? 200 : time, ...given);

export default function metrics(request) {
  const { searchParams } = new URL(request.url);
  if (searchParams.has("users")) {
    users = Number(searchParams.get("users"));
    return Response.json(users);
  }
  isShort = searchParams.has("short");
  return LiveMetrics({});
}
"#;

#[test]
fn streamed_html_comes_piece_by_piece_until_its_end() {
    let host = seed().file("functions/metrics.js", METRICS).serve();
    let stream = host.begin("GET", "/metrics");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    let mut reader = BufReader::new(stream);
    let mut until = |mark: &str| {
        let mut line = String::new();
        while !line.contains(mark) {
            line.clear();
            assert_ne!(reader.read_line(&mut line).expect("a line"), 0, "no {mark}");
        }
    };
    until("content-type: text/html");
    until("<span class=\"value\">1</span>");
    assert_eq!(host.get("/metrics?users=7").json(), 7);
    until("<span class=\"value\">7</span>");

    // The stream's own limit, which the seed sets to five minutes, ends it.
    let answer = host.get("/metrics?short");
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("<span class=\"label\">Active Users:</span>"), "{}", answer.text());
}

/// What renders an element: a small stand-in for a library, which sends what it has before it waits for a slow part.
const RENDERER: &str = r#"
export const jsx = (type, props) => ({ type, props });
export const jsxs = jsx;
export const Fragment = ({ children }) => children;

async function* pieces(node) {
  if (node === null || node === undefined || node === false) return;
  if (Array.isArray(node)) {
    for (const child of node) yield* pieces(child);
  } else if (typeof node !== "object") {
    yield String(node);
  } else if (typeof node.then === "function") {
    yield* pieces(await node);
  } else if (typeof node.type === "function") {
    yield* pieces(node.type(node.props));
  } else {
    const { children, className } = node.props;
    yield `<${node.type}${className ? ` class="${className}"` : ""}>`;
    yield* pieces(children);
    yield `</${node.type}>`;
  }
}

export function render(node) {
  const encoder = new TextEncoder();
  const source = pieces(node);
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await source.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
  });
}
"#;

/// The parts that the seed's dashboard uses and does not have. Its charts wait until they are released.
const DASHBOARD: &str = r#"
import LiveDashboard from "../components/LiveDashboard.js";
import { jsx, render } from "renderer/jsx-runtime";

let release;
globalThis.StatCard = ({ title, value }) => jsx("p", { children: [title, ": ", value] });
globalThis.LiveMetrics = () => jsx("p", { children: "metrics" });
globalThis.LiveChart = async () => {
  await new Promise((resolve) => (release = resolve));
  return jsx("p", { children: "slow chart" });
};
globalThis.ActivityFeed = () => jsx("p", { children: "activity" });

export default function dashboard(request) {
  if (new URL(request.url).searchParams.has("release")) {
    release();
    return Response.json("released");
  }
  const element = jsx(LiveDashboard, { initialData: { userCount: 12, revenue: 34 } });
  return new Response(render(element), { headers: { "content-type": "text/html" } });
}
"#;

/// The end of a body that was sent in chunks.
const LAST_CHUNK: &str = "0\r\n\r\n";

#[test]
fn a_dashboard_is_sent_before_its_slow_part_is_there() {
    let host = seed()
        .file("functions/dashboard.js", DASHBOARD)
        .file(
            "node_modules/renderer/package.json",
            r#"{ "name": "renderer", "exports": { "./jsx-runtime": "./jsx-runtime.js" }, "type": "module" }"#,
        )
        .file("node_modules/renderer/jsx-runtime.js", RENDERER)
        .file("package.json", r#"{ "name": "my-app", "jsxImportSource": "renderer" }"#)
        .serve();
    let mut stream = host.begin("GET", "/dashboard");
    let before = crate::support::read_until(&mut stream, "metrics");
    assert!(before.contains("<h1>"), "{before}");
    assert!(before.contains("12") && before.contains("34"), "{before}");
    assert!(!before.contains("slow chart"), "{before}");
    assert_eq!(host.get("/dashboard?release").json(), "released");
    let after = crate::support::read_until(&mut stream, "activity");
    assert!(after.contains("slow chart"), "{after}");
    // The end may have come with the text before it.
    if !after.ends_with(LAST_CHUNK) {
        let rest = crate::support::read_until(&mut stream, LAST_CHUNK);
        assert!(rest.ends_with(LAST_CHUNK), "{rest}");
    }
}
