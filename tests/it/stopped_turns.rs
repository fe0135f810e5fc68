//! A turn that is stopped, because it runs too long or fills the heap, ends one exchange and costs the others nothing.

use std::io::Read as _;

use serde_json::{Value, json};

use crate::support::{Host, Line, Site, handler, on_go, read_until};

/// Routes that are stopped, and one with a line that answers and counts what its isolate has answered.
const HANDLER: &str = r#"
    let served = 0;
    const kept = [];
    export default (event, next) => {
      if (next.stepname === "spin") for (;;);
      if (next.stepname === "fill") { const list = []; for (;;) list.push(new Array(1000).fill({})); }
      if (next.stepname === "timers") for (;;) setTimeout(() => {}, 1e6);
      if (next.stepname === "leak") for (;;) kept.push(new Array(1000).fill({}));
      if (next.stepname === "count") return served += 1;
      let asked = 0;
      event.client.addEventListener("leak", () => { for (;;) kept.push(new Array(1000).fill({})); });
      event.client.addEventListener("ask", () => event.client.postMessage({ asked: asked += 1 }));
      event.waitUntilNavigate();
      return "open";
    };"#;

fn site(handler: &str) -> Site {
    Site::new().file("handler.js", handler).arg("--cpu-timeout=100ms")
}

/// Lines of several visitors.
fn open_lines(host: &Host) -> Vec<Line> {
    (0..3).map(|_| host.open("/line").1).collect()
}

#[track_caller]
fn assert_lines_answer(lines: &mut [Line], asked: u32) {
    for line in lines {
        line.send("ask", Value::Null);
        assert_eq!(line.expect("message"), json!({ "asked": asked }));
    }
}

#[track_caller]
fn trips_cost_no_line(host: &Host, path: &str, trips: u32) {
    let mut lines = open_lines(host);
    for trip in 1..=trips {
        assert_eq!(host.get(path).status, 500);
        assert_lines_answer(&mut lines, trip);
    }
    lines.into_iter().for_each(Line::close);
}

#[test]
fn fifty_loops_cost_no_line() {
    trips_cost_no_line(&site(HANDLER).arg("--workers=1").serve(), "/spin", 50);
}

#[test]
fn nine_loops_cost_no_line_with_two_workers() {
    trips_cost_no_line(&site(HANDLER).arg("--workers=2").serve(), "/spin", 9);
}

#[test]
fn nine_loops_cost_no_line_in_dev() {
    trips_cost_no_line(&site(HANDLER).dev(), "/spin", 9);
}

#[test]
fn nine_full_heaps_cost_no_line() {
    let site = Site::new().file("handler.js", HANDLER).arg("--cpu-timeout=20s").arg("--max-heap=64MiB");
    let host = site.serve();
    trips_cost_no_line(&host, "/fill", 9);
    // Nor was anything replaced, with what modules keep.
    assert_eq!(host.get("/count").text(), "1");
}

/// The client of an answer that had begun sees that it is not whole.
#[test]
fn a_stream_whose_source_is_stopped_ends() {
    for source in [
        "pull: (controller) => { if (n++ < 3) controller.enqueue(bytes); else for (;;); }",
        "async pull(controller) { await null; if (n++ < 3) controller.enqueue(bytes); else for (;;); }",
        "start: (controller) => { setInterval(() => { controller.enqueue(bytes); if (n++) for (;;); }, 5); }",
    ] {
        let host = site(&handler(&format!(
            "if (next.stepname === 'fine') return 'fine';
             let n = 0;
             const bytes = new Uint8Array(10);
             return new Response(new ReadableStream({{ {source} }}, {{ highWaterMark: 0 }}));"
        )))
        .serve();
        let mut client = host.begin("GET", "/");

        let mut answer = Vec::new();
        client.read_to_end(&mut answer).expect("the end of the connection");

        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{source}");
        assert!(!answer.ends_with(b"\r\n0\r\n\r\n"), "{source}: no end of a whole body");
        assert_eq!(host.get("/fine").text(), "fine");
    }
}

/// What a stranger can bring about with a regular expression of the handler's.
#[test]
fn nine_slow_regexps_cost_no_line() {
    let handler = HANDLER.replace("for (;;);", r#"/^(a|a)+$/.test("a".repeat(60) + "b");"#);
    trips_cost_no_line(&site(&handler).arg("--workers=1").serve(), "/spin", 9);
}

#[test]
fn the_state_of_modules_outlives_a_loop() {
    let host = site(HANDLER).serve();
    assert_eq!(host.get("/count").text(), "1");

    assert_eq!(host.get("/spin").status, 500);

    assert_eq!(host.get("/count").text(), "2");
}

#[test]
fn a_heap_that_stays_full_is_left_behind() {
    let site = Site::new().file("handler.js", HANDLER).arg("--cpu-timeout=20s").arg("--max-heap=64MiB");
    let host = site.serve();
    let mut lines = open_lines(&host);
    assert_eq!(host.get("/count").text(), "1");

    assert_eq!(host.get("/leak").status, 500);
    host.log.next("of its heap of 64 MiB");

    // A new isolate counts from the beginning; the lines of the old one go on there.
    host.until("/count", |answer| answer.text() == "1");
    assert_lines_answer(&mut lines, 1);
}

/// Another one that fills it before the isolate is replaced, or while its lines go on, is no reason to end them.
#[test]
fn a_heap_that_stays_full_twice_costs_no_other_line() {
    let site = Site::new().file("handler.js", HANDLER).arg("--cpu-timeout=20s").arg("--max-heap=64MiB");
    let host = site.serve();
    let mut lines = open_lines(&host);
    let leaking = open_lines(&host);

    for mut line in leaking.into_iter().take(2) {
        line.send("leak", Value::Null);
        assert_eq!(line.closed(), 4002);
        host.log.next("of its heap of 64 MiB");
    }

    assert_lines_answer(&mut lines, 1);
}

/// Timers that an exchange filled the heap with go with it.
#[test]
fn a_heap_full_of_timers_is_empty_again() {
    let site = Site::new().file("handler.js", HANDLER).arg("--cpu-timeout=20s").arg("--max-heap=64MiB");
    let host = site.serve();
    assert_eq!(host.get("/count").text(), "1");

    trips_cost_no_line(&host, "/timers", 3);

    assert_eq!(host.get("/count").text(), "2");
}

#[test]
fn a_loop_is_logged_once_with_its_request() {
    let host = site(&handler("await null; for (;;);")).serve();

    assert_eq!(host.get("/slow").status, 500);

    host.log.next("GET /slow: the handler ran for 100ms without yielding and was stopped");
    host.log.next("--> handler.js:");
    host.get("/slow");
    host.log.next("GET /slow");
    host.log.next("--> handler.js:");
    assert_eq!(host.log.text().matches("was stopped").count(), 2, "{}", host.log.text());
}

#[test]
fn serve_keeps_the_code_that_it_loaded() {
    const LEAK: &str = r#"
        import { name } from "./lib/name.js";
        const kept = [];
        export default async (event, next) => {
          if (next.stepname === "leak") for (;;) kept.push(new Array(1000).fill({}));
          if (next.stepname === "later") return (await import("./lib/later.js")).name;
          if (next.stepname === "count") return kept.length;
          return name;
        };"#;
    let page = |text: &str| format!("<!doctype html><title>{text}</title><p>{text}</p>");
    let host = Site::new()
        .file("handler.js", LEAK)
        .file("lib/name.js", r#"export const name = "old";"#)
        .file("lib/later.js", r#"export const name = "old later";"#)
        .file("shown/handler.js", "export default () => ({ a: 1 });")
        .file("shown/index.html", page("old page"))
        .file("seen/handler.client.js", "export default () => 'old client';")
        .arg("--cpu-timeout=20s")
        .arg("--max-heap=64MiB")
        .serve();
    assert_eq!(host.get("/later").text(), "old later");

    // The new version of the file is only half written.
    host.site.write("handler.js", "export default () => {");
    host.site.write("lib/name.js", r#"export const name = "new";"#);
    host.site.write("lib/later.js", r#"export const name = "new later";"#);
    host.site.write("shown/index.html", page("new page"));
    host.site.write("added/handler.js", "export default () => 'added';");
    assert_eq!(host.get("/leak").status, 500);
    host.log.next("another takes its place");
    host.log.next("an isolate was replaced");

    assert_eq!(host.get("/").text(), "old");
    assert_eq!(host.get("/later").text(), "old later");
    assert_eq!(host.get("/added").text(), "old");
    let shown = host.request("GET", "/shown").header("accept", "text/html").send();
    assert!(shown.text().contains("old page"), "{}", shown.text());
    let client = host.get("/.liveline/client/seen/handler.client.js");
    assert_eq!(client.status, 200, "{client:?}");
    assert!(client.text().contains("old client"), "{}", client.text());
}

// -- Exchanges that share a turn ----------------------------------------------------------------------

/// A promise that several exchanges await settles, and one of them is then stopped.
#[test]
fn other_exchanges_that_await_the_same_promise_go_on() {
    for waits in ["await gate", "await gate; await null; await null"] {
        let host = site(&format!(
            r#"
            let open;
            const gate = new Promise((resolve) => open = resolve);
            export default async (event, next) => {{
              if (next.stepname === "open") {{ open(); return "opened"; }}
              console.error("waits");
              {waits};
              if (next.stepname === "spin") for (;;);
              return "passed";
            }};"#
        ))
        .serve();
        let ask = |path: &'static str| {
            let request = host.request("GET", path);
            let asked = std::thread::spawn(move || request.send());
            host.log.next("waits");
            asked
        };
        let asked = [ask("/a"), ask("/spin"), ask("/b"), ask("/spin"), ask("/c")];

        assert_eq!(host.get("/open").text(), "opened");

        let answers = asked.map(|asked| asked.join().expect("an answer"));
        assert_eq!(answers.each_ref().map(|answer| answer.status), [200, 500, 200, 500, 200], "{waits}");
    }
}

/// Timers that are due at once.
#[test]
fn timers_of_others_fire() {
    let host = site(
        r#"
        let due;
        export default async (event, next) => {
          if (next.stepname === "fine") return "fine";
          console.error("waits");
          due ??= Date.now() + 300;
          await new Promise((resolve) => setTimeout(() => {
            if (next.stepname === "spin") for (;;);
            resolve();
          }, next.stepname === "late" ? 301 : 300));
          return "fired";
        };"#,
    )
    .serve();
    let ask = |path: &'static str| {
        let request = host.request("GET", path);
        let asked = std::thread::spawn(move || request.send());
        host.log.next("waits");
        asked
    };
    let asked = [ask("/spin"), ask("/a"), ask("/spin"), ask("/b"), ask("/late")];

    let statuses = asked.map(|asked| asked.join().expect("an answer").status);

    assert_eq!(statuses, [500, 200, 500, 200, 200]);
    assert_eq!(host.get("/fine").text(), "fine");
}

/// Storms of promises that an exchange leaves behind end with it.
#[test]
fn promises_without_end_are_stopped() {
    let host = site(
        r#"
        export default (event, next) => {
          if (next.stepname === "fine") return "fine";
          const loop = async () => { for (;;) await null; };
          for (let i = 0; i < 100; i++) loop();
          return new Promise(() => {});
        };"#,
    )
    .serve();

    assert_eq!(host.get("/storm").status, 500);
    assert_eq!(host.get("/fine").text(), "fine");
}

/// An exchange that uses much of the time does not cost the next one its own.
#[test]
fn time_of_others_is_not_counted() {
    let host = Site::new()
        .file(
            "handler.js",
            r#"
            let open;
            const gate = new Promise((resolve) => open = resolve);
            const work = () => { const end = Date.now() + 450; while (Date.now() < end); };
            export default async (event, next) => {
              if (next.stepname === "open") { open(); return "opened"; }
              console.error("waits");
              await gate;
              work();
              return "worked";
            };"#,
        )
        .arg("--cpu-timeout=800ms")
        .serve();
    let asked: Vec<_> = (0..4)
        .map(|_| {
            let request = host.request("GET", "/");
            let asked = std::thread::spawn(move || request.send().status);
            host.log.next("waits");
            asked
        })
        .collect();

    assert_eq!(host.get("/open").text(), "opened");

    for asked in asked {
        assert_eq!(asked.join().expect("an answer"), 200);
    }
}

/// Messages of raw sockets come to their handlers many at a time.
#[test]
fn messages_that_came_together_are_delivered_once_each() {
    let host = site(
        r#"
        export default (event, next) => {
          const { 0: far, 1: near } = new WebSocketPair();
          near.accept();
          near.addEventListener("message", ({ data }) => {
            if (data === "spin") for (;;);
            near.send(data);
          });
          return new Response(null, { status: 101, webSocket: far });
        };"#,
    )
    .serve();
    let socket = || host.dial("/").upgrade().expect("a socket").0;
    let (mut one, mut other) = (socket(), socket());
    use tokio_tungstenite::tungstenite::Message;

    for round in 0..3 {
        let mut spinning = socket();
        for n in 0..50 {
            one.write(Message::text(format!("{round} {n}"))).expect("a message");
            other.write(Message::text(format!("{round} {n}"))).expect("a message");
            if n == 20 {
                spinning.send(Message::text("spin")).expect("a message");
            }
        }
        one.flush().expect("messages");
        other.flush().expect("messages");
        for socket in [&mut one, &mut other] {
            for n in 0..50 {
                let heard = socket.read().expect("an echo").into_text().expect("a text");
                assert_eq!(heard.as_str(), format!("{round} {n}"));
            }
        }
    }
}

// -- What a stop leaves behind ------------------------------------------------------------------------

/// No `finally` runs where code is stopped: neither a handler's nor the host's.
#[test]
fn observers_are_called_after_a_batch_was_stopped() {
    for stopped in [
        "Observer.batch(state, () => { state.n += 1; for (;;); });",
        "Observer.observe(state, () => { if (state.n === 1) for (;;); }); Observer.set(state, 'n', 1);",
        "const watch = live function () { if (state.n === 1) for (;;); }; watch(); Observer.set(state, 'n', 1);",
    ] {
        let host = site(&format!(
            r#"
            const state = {{ n: 0 }};
            export default (event, next) => {{
              if (next.stepname === "stopped") {{ {stopped} return 1; }}
              if (next.stepname === "set") return Observer.set(state, "n", 100);
              const stop = Observer.observe(state, "n", () => {{
                if (state.n === 100) event.client.postMessage({{ n: state.n }});
              }});
              event.signal.addEventListener("abort", () => stop.abort?.());
              event.waitUntilNavigate();
              return "follows";
            }};"#
        ))
        .serve();
        let (_, mut line) = host.open("/follow");

        assert_eq!(host.get("/stopped").status, 500, "{stopped}");
        assert_eq!(host.get("/set").status, 200, "{stopped}");

        assert_eq!(line.expect("message"), json!({ "n": 100 }), "{stopped}");
    }
}

#[test]
fn the_signal_of_a_stopped_exchange_aborts() {
    for stopped in ["for (;;);", "await null; for (;;);"] {
        let host = site(&handler(&format!(
            r#"
            event.signal.addEventListener("abort", () => console.error("aborted"));
            {stopped}"#
        )))
        .serve();

        assert_eq!(host.get("/").status, 500, "{stopped}");

        host.log.next("aborted");
    }
}

/// What an exchange holds is let go of, also where a listener of its end is stopped.
#[test]
fn an_end_that_is_stopped_goes_on() {
    let host = site(&handler(
        r#"
        if (next.stepname === "fine") return "fine";
        setInterval(() => console.error("tick"), 1);
        event.signal.addEventListener("abort", () => { console.error("aborted"); for (;;); });
        event.respondWith({ a: 1 }, { done: false });
        await new Promise((resolve) => event.client.addEventListener("go", resolve));
        event.client.close();"#,
    ))
    .serve();
    let (_, mut line) = host.open("/");
    host.log.next("tick");

    line.send("go", Value::Null);

    host.log.next("aborted");
    host.log.next("was stopped");
    // Intervals end with their exchange: from here on there are no more.
    assert_eq!(host.get("/fine").text(), "fine");
    let ticks = |host: &Host| host.log.text().matches("tick").count();
    let before = ticks(&host);
    for _ in 0..20 {
        assert_eq!(host.get("/fine").text(), "fine");
    }
    assert_eq!(ticks(&host), before);
}

/// Others need not wait for it.
#[test]
fn a_transaction_that_is_stopped_is_rolled_back() {
    let host = site(
        r#"
        import { client } from "liveline:sql";
        await client.exec("CREATE TABLE IF NOT EXISTS t (n)");
        export default async (event, next) => {
          if (next.stepname === "count") return (await client.query("SELECT count(*) AS n FROM t")).rows[0].n;
          return await client.transaction(async (tx) => {
            await tx.exec("INSERT INTO t VALUES (1)");
            if (next.stepname === "spin") for (;;);
            return "committed";
          });
        };"#,
    )
    .arg("--database=data.sqlite")
    .serve();

    assert_eq!(host.get("/spin").status, 500);

    assert_eq!(host.get("/").text(), "committed");
    assert_eq!(host.get("/count").text(), "1");
}

#[test]
fn a_stopped_line_is_closed_and_can_be_opened_again() {
    let host = site(&on_go("event.respondWith({ a: 1 }, { done: false }); await go; for (;;);")).serve();

    for _ in 0..9 {
        let (_, mut line) = host.open("/");
        line.send("go", Value::Null);
        assert_eq!(line.closed(), 4002);
    }
}

/// Exchanges that wake each other by turns, in one turn of the event loop.
#[test]
fn two_that_never_yield_to_others_are_both_stopped() {
    let host = site(
        r#"
        let open;
        const gate = new Promise((resolve) => open = resolve);
        export default async (event, next) => {
          if (next.stepname === "open") { open(); return "opened"; }
          if (next.stepname === "fine") return "fine";
          console.error("waits");
          await gate;
          for (;;) await null;
        };"#,
    )
    .serve();
    let asked = ["/a", "/b"].map(|path| {
        let request = host.request("GET", path);
        let asked = std::thread::spawn(move || request.send().status);
        host.log.next("waits");
        asked
    });

    assert_eq!(host.get("/open").text(), "opened");

    assert_eq!(asked.map(|asked| asked.join().expect("an answer")), [500, 500]);
    assert_eq!(host.get("/fine").text(), "fine");
}

/// One step of it cannot be interrupted, and the loop between them can.
#[test]
fn a_loop_of_long_steps_is_stopped() {
    let host = site(&handler(
        r#"if (next.stepname === "fine") return "fine";
        for (;;) "a".repeat(2 ** 20).replace(/a/g, "bb");"#,
    ))
    .serve();

    assert_eq!(host.get("/").status, 500);
    assert_eq!(host.get("/fine").text(), "fine");
}

#[test]
fn two_loops_at_once_are_both_ended() {
    let host = Site::new()
        .file("loop/handler.js", "export default () => { for (;;); }")
        .file("fine/handler.js", r#"export default () => "fine""#)
        .arg("--cpu-timeout=200ms")
        .serve();

    let mut looping = [host.begin("GET", "/loop"), host.begin("GET", "/loop")];
    let heads = looping.each_mut().map(|stream| read_until(stream, "\r\n\r\n"));

    for head in heads {
        assert!(head.starts_with("HTTP/1.1 500"), "{head}");
    }
    for _ in 0..3 {
        assert_eq!(host.get("/fine").text(), "fine");
    }
}

/// Large packages take longer to load than a handler may run; a loop without an end does not load at all.
#[test]
fn modules_have_ten_times_as_long_while_handlers_load() {
    let long = "const end = Date.now() + 400; while (Date.now() < end); export default () => 'loaded';";
    let host = site(long).serve();
    assert_eq!(host.get("/").text(), "loaded");

    let endless = site("for (;;); export default () => 'never';").run("serve");
    assert_eq!(endless.code, Some(1), "{}", endless.output());
    let reason = "a module ran for 1s without yielding and was stopped (see --cpu-timeout)";
    assert!(endless.output().contains(reason), "{}", endless.output());
}
