//! Defects that were found and mended: one test each, so that none comes back.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};

use crate::support::{Host, PATIENCE, Site, executable, handler, observed, on_go, serve};

// -- Requests and methods -----------------------------------------------------------------------------

#[test]
fn two_loops_at_once_are_both_ended() {
    let host = Site::new()
        .file("loop/handler.js", "export default () => { for (;;); }")
        .file("fine/handler.js", r#"export default () => "fine""#)
        .arg("--cpu-timeout=200ms")
        .serve();

    let mut looping = [begin(&host, "/loop"), begin(&host, "/loop")];
    let heads = looping.each_mut().map(|stream| read_until(stream, "\r\n\r\n"));

    for head in heads {
        assert!(head.starts_with("HTTP/1.1 500"), "{head}");
    }
    for _ in 0..3 {
        assert_eq!(host.get("/fine").text(), "fine");
    }
}

#[test]
fn a_method_runs_no_export_that_is_not_a_method() {
    let host = serve(
        r#"
        let deleted = false;
        export function deleteEverything() { deleted = true; return "deleted"; }
        export const GET = () => ({ deleted });"#,
    );

    let answer = host.request("deleteEverything", "/").send();

    assert!(matches!(answer.status, 404 | 405), "{answer:?}");
    assert_eq!(host.get("/").json(), json!({ "deleted": false }));
}

#[test]
fn a_request_body_can_be_the_answer() {
    let host = serve("export const POST = (event) => new Response(event.request.body);");
    let body: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();

    let answer = host.request("POST", "/").body(body.clone()).send();

    assert_eq!((answer.status, answer.body.len()), (200, body.len()));
    assert!(answer.body == body, "the bytes are others");
}

#[test]
fn a_reroute_may_carry_a_url_in_its_query() {
    let host = Site::new()
        .file("a/handler.js", r#"export default (event, next) => next("/ok?back=http://x/")"#)
        .file("ok/handler.js", r#"export default (event) => event.url.searchParams.get("back")"#)
        .serve();

    let answer = host.get("/a");

    assert_eq!((answer.status, answer.text()), (200, "http://x/"));
}

#[test]
fn a_handlers_fetch_is_a_get_of_its_own() {
    let host = Site::new()
        .file("a/handler.js", r#"export const POST = (event, next, fetch) => fetch("/other")"#)
        .file("other/handler.js", "export default (event) => event.request.method")
        .serve();

    let answer = host.request("POST", "/a").body("text").send();

    assert_eq!((answer.status, answer.text()), (200, "GET"));
}

#[test]
fn a_post_can_be_rerouted_to_a_file() {
    let host = Site::new()
        .file(
            "app/a/handler.js",
            r#"export const POST = (event, next) => next("/file.txt", { method: "GET" })"#,
        )
        .file("public/file.txt", "static")
        .serve();

    let answer = host.request("POST", "/a").body("text").send();

    assert_eq!((answer.status, answer.text()), (200, "static"));
}

// -- Answers ------------------------------------------------------------------------------------------

#[test]
fn the_signal_is_quiet_while_a_body_flows() {
    let host = serve(
        r#"
        const finish = Promise.withResolvers();
        export default (event, next) => {
          if (next.stepname === "finish") return finish.resolve(), "finished";
          const { signal } = event;
          signal.addEventListener("abort", () => console.error("aborted"));
          const encoder = new TextEncoder();
          const start = async (controller) => {
            controller.enqueue(encoder.encode("begun;"));
            await finish.promise;
            controller.enqueue(encoder.encode(signal.aborted ? "too early;" : "in time;"));
            controller.close();
          };
          return new Response(new ReadableStream({ start }));
        };"#,
    );

    let mut stream = begin(&host, "/");
    read_until(&mut stream, "begun;");
    host.get("/finish");

    let rest = read_until(&mut stream, ";");
    assert!(rest.contains("in time;"), "{rest}");
    host.log.next("aborted");
}

#[test]
fn an_empty_generator_is_an_empty_answer() {
    let answer = serve("export async function* GET() {}").get("/");

    assert_eq!((answer.status, answer.text()), (200, ""));
}

#[test]
fn a_live_response_that_rejects_is_a_500() {
    let host =
        serve(r#"export default () => LiveResponse.from(Promise.reject(new Error("boom at the source")))"#);

    assert_eq!(host.get("/").status, 500);
    host.log.next("boom at the source");
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

#[test]
fn a_body_that_is_not_data_can_be_caught() {
    let host = serve(
        r#"
        export default async (event) => {
          const cyclic = {};
          cyclic.self = cyclic;
          try { await event.respondWith(cyclic); } catch { return { caught: true }; }
        };"#,
    );

    let answer = host.get("/");

    assert_eq!((answer.status, answer.text()), (200, r#"{"caught":true}"#));
}

#[test]
fn a_cookie_set_before_a_message_is_in_the_202() {
    let host = serve(
        r#"
        export default async (event) => {
          await event.cookies.set("a", "1");
          event.client.postMessage("first");
        };"#,
    );

    let answer = host.get("/");

    assert_eq!(answer.status, 202);
    assert!(answer.all("set-cookie").iter().any(|cookie| cookie.starts_with("a=1;")), "{answer:?}");
}

#[test]
fn a_session_cannot_begin_after_the_answer() {
    let host = serve(&on_go(
        r#"
        event.respondWith("answered", { done: false });
        await go;
        return await event.session.set("a", 1).then(() => "kept", (error) => error.name);"#,
    ));

    let (_, mut line) = host.open("/");
    line.send("go", Value::Null);

    assert_eq!(line.expect_body(), json!("InvalidStateError"));
}

// -- Files --------------------------------------------------------------------------------------------

#[test]
fn every_answer_about_a_file_says_what_it_is() {
    let host = Site::new().file("app/a/handler.js", "").file("public/digits.txt", "0123456789").serve();

    let head = host.request("HEAD", "/digits.txt").send();
    let part = host.request("GET", "/digits.txt").header("range", "bytes=2-4").send();
    let beyond = host.request("GET", "/digits.txt").header("range", "bytes=10-").send();

    for (answer, status) in [(head, 200), (part, 206)] {
        assert_eq!(answer.status, status);
        assert!(
            answer.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")),
            "{answer:?}"
        );
    }
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */10")));
}

#[cfg(target_os = "linux")] // It looks into /proc.
#[test]
fn files_that_nobody_reads_are_closed() {
    let host = Site::new()
        .file(
            "app/a/handler.js",
            r#"
            export default async (event, next) => {
              const file = await next("/file.txt");
              return { status: file.status };
            };"#,
        )
        .file("public/file.txt", "static")
        .serve();

    for _ in 0..300 {
        assert_eq!(host.get("/a").json(), json!({ "status": 200 }));
    }

    let open = open_files_of_the_child();
    assert!(open < 100, "{open} open files");
}

// -- The line -----------------------------------------------------------------------------------------

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

#[test]
fn a_shared_live_response_outlives_each_of_its_clients() {
    let host = serve(
        r#"
        let step = 1;
        const shared = new LiveResponse({ step }, { done: false });
        export default (event, next) => {
          if (next.stepname === "step") {
            shared.replaceWith({ step: ++step }, { done: false });
            return step;
          }
          event.signal.addEventListener("abort", () => console.error("one left"));
          return shared;
        };"#,
    );

    let (_, mut leaving) = host.open("/");
    let (_, mut staying) = host.open("/");
    host.get("/step");
    for line in [&mut leaving, &mut staying] {
        assert_eq!(line.expect_body(), json!({ "step": 2 }));
    }

    leaving.close();
    host.log.next("one left");
    host.get("/step");

    assert_eq!(staying.expect_body(), json!({ "step": 3 }));
}

#[test]
fn a_generator_may_close_its_own_line() {
    let mut host = serve(&observed(
        r#"
        event.client.addEventListener("close", () => seen.push("closed"));
        return (function* () {
          yield { n: 1 };
          event.client.close();
          yield { n: 2 };
        })();"#,
    ));

    host.get("/");

    host.until("/seen", |answer| answer.text().contains("closed"));
    host.signal("TERM");
    assert_eq!(host.ended(), Some(0));
    let log = host.log.end();
    assert!(!log.to_lowercase().contains("error"), "{log}");
}

#[test]
fn whoever_hears_an_upstream_and_throws_does_not_break_its_line() {
    let upstream = serve(&handler(
        r#"const data = { n: 0 };
        event.client.addRequestListener("add", (e) => (Observer.set(data, "n", data.n + 1), data.n));
        event.respondWith(data, { done: false });"#,
    ));
    let host = serve(&handler(&format!(
        r#"const live = LiveResponse.from(await fetch("http://{}"));
        await live.readyStateChange("live");
        Observer.observe(live.body, "n", () => {{ throw new Error("the observer's"); }});
        const options = {{ type: "add" }};
        await live.background.postRequest(0, () => {{ throw new Error("the callback's"); }}, options);
        return (await live.background.postRequest(0, options)).data;"#,
        upstream.address()
    )));

    assert_eq!(host.get("/").json(), json!(2));

    host.log.next("the observer's");
    host.log.next("the callback's");
}

#[test]
fn a_response_can_be_passed_on_after_its_line_was_looked_into() {
    let upstream =
        serve(&on_go("event.respondWith({ a: 1 }, { done: false }); await go; event.respondWith({ a: 2 });"));
    let host = serve(&handler(&format!(
        r#"const response = await fetch("http://{}");
        const twice = [LiveResponse.from(response), LiveResponse.from(response)];
        const done = Promise.all(twice.map((live) => live.readyStateChange("done")));
        event.waitUntil(done.then(() => console.error(JSON.stringify(twice.map(({{ body }}) => body)))));
        return response;"#,
        upstream.address()
    )));

    let (answer, mut line) = host.open("/");

    assert_eq!(answer.json(), json!({ "a": 1 }));
    line.send("go", json!(null));
    assert_eq!(line.expect_body(), json!({ "a": 2 }));
    line.done();
    host.log.next(r#"[{"a":2},{"a":2}]"#);
}

#[test]
fn a_live_value_that_cannot_be_sent_ends_the_line() {
    let host = serve(
        r#"export default live function (event) {
          let n = 1;
          event.client.addEventListener("go", () => n = 2n);
          return { n };
        }"#,
    );
    let (_, mut line) = host.open("/");

    line.send("go", json!(null));

    assert_eq!(line.closed(), 4002);
    host.log.next("$.body.n is a BigInt");
}

#[test]
fn no_step_of_a_path_answers_after_it_has_returned() {
    let host = Site::new()
        .file("handler.js", "export default (event, next) => next();")
        .file(
            "step/handler.js",
            r#"export default (event) => {
              event.waitUntil(Promise.resolve().then(() => event.respondWith("late")));
              return "in time";
            };"#,
        )
        .serve();

    assert_eq!(host.get("/step").text(), "in time");

    host.log.next("the handler has already answered by returning");
}

#[test]
fn work_that_ends_with_its_exchange_is_no_error() {
    let mut host = serve(
        r#"export default (event) => {
          event.waitUntil(new Promise((_, reject) => {
            event.signal.addEventListener("abort", () => reject(event.signal.reason));
          }));
          event.client.addEventListener("close", () => console.error("left"));
          return "here";
        }"#,
    );
    let (_, line) = host.open("/");

    line.close();

    host.log.next("left");
    host.signal("TERM");
    assert_eq!(host.ended(), Some(0));
    assert!(!host.log.text().contains("AbortError"), "{}", host.log.text());
}

#[test]
fn a_live_function_may_return_what_another_handler_answered() {
    let host = Site::new()
        .file(
            "handler.js",
            "export default async live function (event, next) { if (next.stepname) return await next(); }",
        )
        .file("response/handler.js", r#"export default () => Response.json({ a: 1 }, { status: 201 })"#)
        .file(
            "live/handler.js",
            r#"export default async (event) => {
              event.respondWith({ n: 1 }, { done: false });
              await event.client.readyStateChange("open");
              event.respondWith({ n: 2 });
            }"#,
        )
        .serve();

    let (answer, line) = host.open("/response");
    assert_eq!((answer.status, answer.json()), (201, json!({ "a": 1 })));
    line.close();

    let (answer, mut line) = host.open("/live");
    assert_eq!(answer.json(), json!({ "n": 1 }));
    assert_eq!(line.expect_body(), json!({ "n": 2 }));
}

#[test]
fn every_source_can_be_concurrent_with_the_state_before() {
    for source in ["LiveResponse.from({ m: 0 })", "Response.json({ m: 0 })", "[{ m: 0 }].values()"] {
        let host = serve(&on_go(&format!(
            r#"const first = {{ n: 0 }};
            event.respondWith(first, {{ done: false }});
            event.respondWith({source}, {{ done: false, concurrent: true }});
            await go;
            Observer.set(first, "n", 1);
            event.client.close();"#
        )));
        let (_, mut line) = host.open("/");

        assert_eq!(line.expect("response.replace")["concurrent"], json!(true), "{source}");
        line.send("go", json!(null));
        assert_eq!(line.expect("initial_response.mutate")[0]["value"], json!(1), "{source}");
    }
}

// -- Commands, stops and reloads ----------------------------------------------------------------------

#[test]
fn a_handler_that_answered_but_never_returns_holds_up_no_end() {
    let site = Site::new().file(
        "handler.js",
        r#"
        export default (event) => {
          event.signal.addEventListener("abort", () => console.error("aborted"));
          event.respondWith("answered");
          return new Promise(() => {});
        };"#,
    );
    let mut host = site.arg("--drain-timeout=10s").serve();

    assert_eq!(host.get("/").text(), "answered");
    host.log.next("aborted");
    host.signal("TERM");

    assert_eq!(host.ended(), Some(0));
    let log = host.log.end();
    assert!(!log.contains("gave up"), "{log}");
}

#[test]
fn check_does_not_care_for_the_port() {
    let site = Site::new().file("handler.js", "export default () => 1");

    let checked = site.run_by(&executable(), &[("PORT", "abc")]).run("check");

    assert_eq!(checked.code, Some(0), "{}", checked.output());
}

#[test]
fn a_caught_import_hides_no_error() {
    let site = Site::new()
        .file("a/handler.js", "await import(\"./missing.js\").catch(() => {});\nexport default () => 1;\n")
        .file("b/handler.js", "throw new RangeError(\"at load\");\n");

    let checked = site.run("check");

    let said = checked.output();
    assert_eq!(checked.code, Some(1), "{said}");
    assert!(said.contains("at load") && said.contains("b/handler.js:1"), "{said}");
    assert!(!said.contains("missing.js"), "{said}");
}

#[test]
fn no_request_fails_during_reloads() {
    let says = |n: u32| format!("export default () => {n};\n");
    let host = Site::new().file("handler.js", says(0)).dev();

    thread::scope(|scope| {
        // Dropped after the last save, and also when the test fails before it.
        let saving = Arc::new(());
        for _ in 0..3 {
            let (saving, host) = (Arc::downgrade(&saving), &host);
            scope.spawn(move || {
                while saving.strong_count() > 0 {
                    let answer = host.get("/");
                    assert_eq!(answer.status, 200, "{answer:?}");
                }
            });
        }
        for n in 1..=15 {
            host.site.write("handler.js", says(n));
            host.until("/", |answer| answer.text() == n.to_string());
        }
    });
}

#[test]
fn broken_code_outside_the_folder_is_waited_for() {
    let project = Site::new()
        .file("package.json", "{}")
        .file("lib/x.js", "export const x = ;")
        .file("routes/handler.js", r#"import { x } from "../lib/x.js"; export default () => x;"#);
    let mut host = Site::of(project.path("routes")).begin_dev();
    host.log.next("waiting for a change");

    project.write("lib/x.js", r#"export const x = "mended";"#);

    host.ready();
    host.until("/", |answer| answer.text() == "mended");
}

// -- Helpers ------------------------------------------------------------------------------------------

/// Sends a GET on a connection that stays open, and does not wait for the answer.
#[track_caller]
fn begin(host: &Host, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(host.address()).expect("the host accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    let request = format!("GET {path} HTTP/1.1\r\nHost: here\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a written request");
    stream
}

/// What comes until this text has come.
#[track_caller]
fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut heard = String::new();
    while !heard.contains(end) {
        let mut piece = [0; 1024];
        let length = stream.read(&mut piece).unwrap_or_else(|error| panic!("{error} after {heard:?}"));
        assert!(length > 0, "closed after {heard:?}");
        heard += std::str::from_utf8(&piece[..length]).expect("text");
    }
    heard
}

/// How many files are open in the one process that this test has started.
#[cfg(target_os = "linux")]
fn open_files_of_the_child() -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", child())).expect("the open files of a process").count()
}

/// How many isolates it has, by the names of their threads.
#[cfg(target_os = "linux")]
fn isolates_of_the_child() -> usize {
    let threads = std::fs::read_dir(format!("/proc/{}/task", child())).expect("the threads of a process");
    let names = threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("liveline-isola")).count()
}

#[cfg(target_os = "linux")]
fn child() -> u32 {
    let children =
        std::fs::read_to_string("/proc/thread-self/children").expect("the children of this thread");
    children.trim().parse().unwrap_or_else(|_| panic!("not one child: {children:?}"))
}

#[test]
fn a_handler_that_ends_with_its_exchange_is_no_error() {
    let mut host = serve(
        r#"export default async (event) => {
          event.signal.addEventListener("abort", () => console.error("left"));
          await event.user.confirm("Sure?");
        }"#,
    );
    let (_, line) = host.open("/");

    line.close();

    host.log.next("left");
    host.signal("TERM");
    assert_eq!(host.ended(), Some(0));
    assert!(!host.log.text().contains("ERROR"), "{}", host.log.text());
}

/// Conversations of every kind that end in every way. The generation that held them ends only when no exchange and no
/// connection of it is left, and with it go its threads.
#[cfg(target_os = "linux")] // It looks into /proc.
#[test]
fn nothing_is_left_of_a_thousand_conversations() {
    const EACH: usize = 100;
    let site = Site::new().file("app/handler.js", CONVERSATIONS).file("app/version/handler.js", VERSION);
    // Some clients never come to their lines.
    let host = site.arg("--join-timeout=3s").dev();
    host.until("/version", |answer| answer.text() == "1");
    let files = open_files_of_the_child();

    let kinds = ["returns", "stays", "throws", "room", "rows", "session", "transaction", "asks"];
    thread::scope(|scope| {
        for kind in kinds {
            let host = &host;
            scope.spawn(move || (0..EACH).for_each(|n| converse(host, kind, n)));
        }
        let host = &host;
        scope.spawn(move || {
            for _ in 0..EACH {
                // A stream that nobody reads, and one whose client leaves at once.
                let accept = ("accept".to_owned(), "application/x-ndjson".to_owned());
                drop(host.request("GET", "/stays").header(&accept.0, &accept.1).stream());
                drop(begin(host, "/endless"));
            }
        });
    });

    host.until("/room-size", |answer| answer.text() == "0");
    host.site.write("app/version/handler.js", VERSION.replace('1', "2"));
    host.until("/version", |answer| answer.text() == "2");
    // The one that serves, and the one that waits for the next reload.
    host.until("/version", |_| isolates_of_the_child() == 2);
    host.until("/version", |_| open_files_of_the_child() <= files + 8);
}

const VERSION: &str = "export default () => '1';";

const CONVERSATIONS: &str = r#"
    import { client as database } from "liveline:sql";
    await database.exec("CREATE TABLE IF NOT EXISTS t (n)");
    export default async function (event, next) {
      const { client } = event;
      switch (next.stepname) {
        case "version": return await next();
        case "returns": event.respondWith(1, { done: false }); await null; return 2;
        case "stays": event.waitUntilNavigate(); return { stays: true };
        case "throws":
          event.respondWith(1, { done: false });
          await new Promise((resolve) => client.addEventListener("open", resolve));
          throw new Error("on purpose");
        case "room": client.enterChannel("room"); return "in";
        case "room-size": {
          const { channel, leave } = client.enterChannel("room");
          const { size } = channel;
          leave();
          return String(size);
        }
        case "rows": return await database.query("SELECT * FROM t", { live: true });
        case "session":
          await event.session.set("n", 1);
          event.session.subscribe("n", () => {});
          event.waitUntilNavigate();
          return "kept";
        case "transaction":
          event.respondWith(1, { done: false });
          return await database.transaction(async (tx) => {
            await tx.query("INSERT INTO t VALUES (1)");
            throw new Error("on purpose");
          });
        case "asks": return await event.user.confirm("Sure?");
        case "endless": return new Response(new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(1000)),
        }));
      }
    }"#;

/// Begins a conversation, and leaves it in one of several ways.
#[cfg(target_os = "linux")]
fn converse(host: &Host, kind: &str, n: usize) {
    let answer = host.get(&format!("/{kind}"));
    if !answer.is_live() {
        return;
    }
    match n % 4 {
        0 => host.join(&answer).close(),
        1 => drop(host.join(&answer)),
        2 => drop(host.dial(&answer.line_path()).connect()),
        // Its client says that it goes before it has come.
        _ => assert!(host.request("DELETE", &answer.line_path()).send().status >= 400),
    }
}
