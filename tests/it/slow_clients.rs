//! Clients of lines that read slowly, send nothing, or let too much be queued: what the host does, and that others are
//! not delayed.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::{Host, Line, Site, apply};

/// Logs "flooded" when everything was sent.
const FLOOD: &str = r#"
export default (event) => {
  event.client.addEventListener("flood", async () => {
    for (let n = 0; n < 2000 && !event.signal.aborted; n++) {
      event.client.postMessage({ n, piece: "x".repeat(16 * 1024) }, { type: "piece" });
      if (n % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    console.error("flooded");
    event.client.postMessage("over", { type: "over" });
    event.client.close();
  });
  event.waitUntilNavigate();
  return "live";
};
"#;

fn flooded(overflow: &str) -> (Host, Vec<(String, Value)>, u16) {
    let site = Site::new().file("handler.js", FLOOD).arg("--max-queue=256KiB");
    let host = site.arg(&format!("--overflow={overflow}")).serve();
    let (_, mut line) = host.open("/");
    line.send("flood", Value::Null);
    // Nothing is read until far more was sent than any buffer holds.
    host.log.next("flooded");
    let (frames, code) = line.rest();
    let frames = frames.into_iter().map(|frame| (frame.kind, frame.message)).collect();
    (host, frames, code)
}

fn numbers(frames: &[(String, Value)]) -> Vec<u64> {
    frames.iter().filter_map(|(_, message)| message["n"].as_u64()).collect()
}

#[test]
fn the_oldest_messages_can_be_dropped() {
    let (_host, frames, code) = flooded("drop-oldest");

    let numbers = numbers(&frames);
    assert!(numbers.is_sorted(), "{numbers:?}");
    assert!(numbers.len() < 2000, "all {} came through", numbers.len());
    assert_eq!(numbers.last(), Some(&1999), "the newest are kept");
    assert_eq!(frames.last(), Some(&("over".to_owned(), json!("over"))));
    assert_eq!(code, 1000);
}

#[test]
fn the_newest_messages_can_be_dropped() {
    let (_host, frames, code) = flooded("drop-newest");

    let numbers = numbers(&frames);
    assert!(numbers.is_sorted(), "{numbers:?}");
    assert!(numbers.len() < 1999, "all {} came through", numbers.len());
    let kept = numbers.iter().zip(0..).take_while(|(number, at)| *number == at).count();
    assert!(kept > 10, "the oldest are kept: {numbers:?}");
    assert_eq!(code, 1000);
}

#[test]
fn changes_of_a_slow_clients_state_become_one_state() {
    let handler = r#"
        export default async (event) => {
          const state = { count: 0, list: [] };
          event.respondWith(state, { done: false });
          event.client.addEventListener("work", async () => {
            for (let n = 1; n <= 3000; n++) {
              Observer.set(state, "count", n);
              Observer.set(state, "text", "x".repeat(16 * 1024) + n);
              if (n % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
            }
            Observer.set(state, "list", ["the end"]);
            console.error("worked");
          });
          await event.client.readyStateChange("close");
        };
        "#;
    let host = Site::new().file("handler.js", handler).arg("--max-queue=256KiB").serve();
    let (answer, mut line) = host.open("/");
    let mut state = answer.json();
    line.send("work", Value::Null);
    host.log.next("worked");

    let (mut states, mut changes) = (0, 0);
    while state["list"] != json!(["the end"]) {
        let frame = line.next_frame();
        match frame.kind.as_str() {
            "response.replace" => {
                state = frame.message["body"].clone();
                states += 1;
            }
            _ => {
                let path = if frame.kind.starts_with("initial_response") { "" } else { "body" };
                let mut whole = if path.is_empty() { state.clone() } else { json!({ "body": state }) };
                apply(&mut whole, &frame.message);
                state = if path.is_empty() { whole } else { whole["body"].take() };
                changes += 1;
            }
        }
    }

    assert_eq!(state["count"], 3000);
    assert_eq!(state["text"].as_str().map(|text| &text[16 * 1024..]), Some("3000"));
    assert!(states > 0, "no state came in full");
    assert!(changes < 6000, "nothing was left out");
}

#[test]
fn a_handler_can_wait_for_a_slow_client() {
    let handler = r#"
        export default async (event) => {
          event.client.addEventListener("export", async () => {
            for (let n = 0; n < 500; n++) {
              const waits = event.client.postMessage({ n, piece: "x".repeat(16 * 1024) }, { type: "piece" });
              if (waits) console.error("it waits");
              await waits;
            }
            event.client.close();
          });
          event.waitUntilNavigate();
          return "live";
        };
        "#;
    let host = Site::new().file("handler.js", handler).arg("--max-queue=64KiB").serve();
    let (_, mut line) = host.open("/");
    line.send("export", Value::Null);
    host.log.next("it waits");

    let (frames, code) = line.rest();

    let numbers: Vec<_> = frames.iter().filter_map(|frame| frame.message["n"].as_u64()).collect();
    assert_eq!(numbers, (0..500).collect::<Vec<_>>(), "nothing is dropped");
    assert_eq!(code, 1000);
}

#[test]
fn lines_that_nobody_joins_keep_no_more_than_all_queues_together_may() {
    let handler = r#"
        let opened = 0;
        export default (event) => {
          const number = ++opened;
          event.client.addEventListener("close", ({ code }) => console.error(`line ${number} closed with ${code}`));
          event.respondWith("live", { done: false });
          event.client.postMessage("x".repeat(100_000));
          console.error(`line ${number} has its message`);
          return new Promise(() => {});
        };
        "#;
    let host = Site::new().file("handler.js", handler).arg("--max-queues=400KiB").serve();

    // Half of the limit is for one address, and 16 KiB of each line are free.
    let answers: Vec<_> = (1..=3).map(|_| host.get("/")).collect();
    host.log.next("line 3 closed with 1013");

    let first = host.join(&answers[0]).next_frame();
    assert_eq!(first.message.as_str().map(str::len), Some(100_000));
}

#[test]
fn a_handler_that_waits_goes_on_when_its_client_leaves() {
    let handler = r#"
        export default async (event) => {
          event.client.addEventListener("export", async () => {
            while (!event.signal.aborted) await event.client.postMessage("x".repeat(16 * 1024));
            console.error("it went on");
          });
          event.waitUntilNavigate();
          return "live";
        };
        "#;
    let host = Site::new().file("handler.js", handler).arg("--max-queue=64KiB").serve();
    let (_, mut line) = host.open("/");
    line.send("export", Value::Null);
    line.next_frame();
    drop(line);

    host.log.next("it went on");
}

const STAYS: &str = r#"
export default (event) => {
  event.client.addEventListener("close", ({ code }) => console.error(`closed ${code}`));
  event.client.addEventListener("spin", () => { for (;;); });
  event.waitUntilNavigate();
  return "live";
};
"#;

#[test]
fn a_silent_client_is_pinged_and_stays() {
    let site = Site::new().file("handler.js", STAYS);
    let host = site.arg("--ping-interval=100ms").arg("--ping-timeout=400ms").serve();
    let mut line = host.open_socket("/");

    // A client that answers pings lives longer than one that does not.
    for _ in 0..8 {
        line.pinged();
    }
    line.send("navigate", json!({ "pathname": "/" }));
    assert_eq!(line.closed(), 4001);
}

#[test]
fn a_client_without_a_sign_of_life_is_gone() {
    let site = Site::new().file("handler.js", STAYS);
    let host = site.arg("--ping-interval=100ms").arg("--ping-timeout=300ms").serve();
    let line = host.open_socket("/");

    // It does not read, so it answers no ping.
    host.log.next("closed 1006");
    drop(line);
}

#[test]
fn a_spinning_handler_delays_no_ping() {
    let site = Site::new().file("handler.js", STAYS).arg("--cpu-timeout=20s");
    let mut host = site.arg("--ping-interval=100ms").serve();
    let mut line = host.open_socket("/");
    line.send("spin", Value::Null);

    for _ in 0..5 {
        line.pinged();
    }
    host.signal("KILL");
    host.ended();
}

#[test]
fn frames_of_a_spinning_handler_from_before_are_not_held_back() {
    let handler = r#"
        export default (event) => {
          event.client.addEventListener("spin", () => {
            event.client.postMessage("before");
            for (;;);
          });
          event.waitUntilNavigate();
          return "live";
        };
        "#;
    let mut host = Site::new().file("handler.js", handler).arg("--cpu-timeout=20s").serve();
    let (_, mut line) = host.open("/");
    line.send("spin", Value::Null);

    assert_eq!(line.expect("message"), "before");
    host.signal("KILL");
    host.ended();
}

#[test]
fn one_session_has_so_many_lines() {
    let site = Site::new().file("handler.js", STAYS);
    let host = site.arg("--max-lines-per-address=3").serve();
    let mut lines: Vec<Line> = (0..3).map(|_| host.open("/").1).collect();

    let refused = host.request("GET", "/").header("x-accept-live", "*").send();
    assert_eq!(refused.status, 429, "{}", refused.text());
    let mut text = String::new();
    write!(text, "{}", refused.text()).expect("a string takes text");
    assert!(text.contains("Too many live lines"), "{text}");

    lines.remove(0).close();
    host.log.next("closed 1000");
    lines.push(host.open("/").1);
    for line in &mut lines {
        line.send("navigate", json!({ "pathname": "/" }));
        assert_eq!(line.closed(), 4001);
    }
}

/// One client sends many requests at once, each of which takes a while: the requests of others come in between.
#[test]
fn requests_that_came_together_leave_others_their_turn() {
    let host = Site::new()
        .file(
            "busy/handler.js",
            r#"export let count = 0;
            export default () => {
              count += 1;
              for (const end = performance.now() + 10; performance.now() < end;);
              return count;
            };"#,
        )
        .file(
            "count/handler.js",
            r#"import { count } from "../busy/handler.js"; export default () => count;"#,
        )
        .serve();
    assert_eq!(host.get("/count").text(), "0");
    let mut greedy = TcpStream::connect(host.address()).expect("the host listens");
    greedy
        .write_all("GET /busy HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100).as_bytes())
        .expect("requests");
    let mut first = [0; 12];
    greedy.read_exact(&mut first).expect("an answer");

    let count: u32 = host.get("/count").text().parse().expect("a number");

    assert!(count < 50, "{count} of 100 came before another client's request");
}
