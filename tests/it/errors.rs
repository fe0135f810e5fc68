//! What can go wrong in a handler or a request: a defined answer each, a line in the log, and the host lives.

use std::io::Read;

use serde_json::Value;

use crate::support::{Answer, Host, Site, serve};

// -- Handlers that fail -------------------------------------------------------------------------------

/// The handler that fails, at `/fail`, and its neighbour that does not, at `/fine`.
fn fine_beside(failing: &str) -> Site {
    Site::new().file("fail/handler.js", failing).file("fine/handler.js", r#"export default () => "fine""#)
}

/// The same with limits that a test can wait for.
fn beside(failing: &str) -> Site {
    fine_beside(failing).arg("--cpu-timeout=300ms").arg("--answer-timeout=500ms")
}

#[track_caller]
fn assert_unharmed(host: &Host) {
    assert_eq!(host.get("/fine").text(), "fine");
}

#[test]
fn in_dev_a_thrown_error_shows_its_source() {
    let host =
        beside("export function GET() {\n  const x = 1;\n  throw new Error(\"boom \" + x);\n}\n").dev();

    let answer = host.get("/fail");

    assert_eq!(answer.status, 500);
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")), "{answer:?}");
    let said = answer.text();
    assert!(said.contains("boom 1"), "{said}");
    assert!(said.contains("fail/handler.js:3"), "{said}");
    assert!(said.contains("throw new Error(\"boom \" + x);"), "{said}");
    assert_unharmed(&host);
}

/// An error whose stack begins in a package, or does not leave it, as those of sockets.
#[test]
fn in_dev_an_error_of_a_package_shows_the_place_in_the_handler() {
    let package = r#"
        const made = new Error("made while loading");
        export const fail = () => { throw new Error("thrown by the package"); };
        export const reject = () => Promise.reject(made);"#;
    let site = |handler: &str| {
        Site::new()
            .file("package.json", "{}")
            .file("node_modules/p/package.json", r#"{ "type": "module", "exports": "./p.js" }"#)
            .file("node_modules/p/p.js", package)
            .file("inner/handler.js", handler)
            .file("handler.js", "export default async (event, next) => {\n  return await next();\n};")
            .dev()
    };
    for (handler, message, place) in [
        ("import { fail } from 'p';\nexport const GET = () =>\n  fail();", "thrown by the package", "3:3"),
        ("import { reject } from 'p';\nexport const GET = () => reject();", "made while loading", "2:1"),
        ("import { reject } from 'p';\n\nexport default async () => await reject();", "made while", "3:1"),
    ] {
        let host = site(handler);
        let answer = host.get("/inner");
        let said = answer.text();
        assert!(said.contains(message), "{said}");
        let first = said.lines().find(|line| line.contains("--> ")).unwrap_or_default();
        assert!(first.contains(&format!("inner/handler.js:{place}")), "{said}");
        assert!(said.contains("node_modules/p/p.js:"), "{said}");
    }
}

#[test]
fn in_dev_a_client_may_ask_for_the_error_as_json() {
    let host = beside("export function GET() {\n  throw new Error(\"boom\");\n}\n").dev();

    let answer = host.request("GET", "/fail").header("accept", "application/json").send();

    assert_eq!(answer.status, 500);
    assert!(answer.header("content-type").is_some_and(|kind| kind.contains("json")), "{answer:?}");
    assert!(answer.json().to_string().contains("boom"), "{answer:?}");
}

#[test]
fn in_serve_an_error_stays_inside() {
    let host = beside("export default async () => { throw new Error(\"secret boom\"); }").serve();

    let answer = host.get("/fail");

    assert_eq!((answer.status, answer.text().trim()), (500, "Internal Server Error"));
    // The log has it, once, with its place.
    host.log.next("secret boom");
    host.log.next("fail/handler.js:1");
    assert_eq!(host.log.text().matches("ERROR").count(), 1, "{}", host.log.text());
    assert_unharmed(&host);
}

#[test]
fn anything_can_be_thrown() {
    for thrown in
        ["undefined", "null", "1", "'text'", "{ a: 1 }", "Symbol('s')", "new Response('no')", "() => {}"]
    {
        let host = beside(&format!("export default () => {{ throw {thrown}; }}")).serve();

        assert_eq!(host.get("/fail").status, 500, "{thrown}");
        assert_unharmed(&host);
    }
}

#[test]
fn an_unhandled_error_affects_no_other_request() {
    for failure in [
        r#"Promise.reject(new Error("nobody's"))"#,
        // Timers end with their exchange unless something holds it.
        r#"event.waitUntil(new Promise((done) => setTimeout(() => { done(); throw new Error("nobody's"); }, 1)))"#,
    ] {
        let host =
            beside(&format!(r#"export default (event) => {{ {failure}; return "answered"; }}"#)).serve();

        assert_eq!(host.get("/fail").text(), "answered", "{failure}");
        host.log.next("nobody's");
        assert_unharmed(&host);
    }
}

#[test]
fn bodies_that_are_not_data_are_named() {
    for (body, problem) in [
        ("const a = {}; a.self = a; return a;", "cyclic"),
        ("return { n: 1n };", "BigInt"),
        ("return 1n;", "BigInt"),
        ("return { get a() { throw new Error('in a getter'); } };", "in a getter"),
        ("return () => 1;", "function"),
        ("return Symbol('s');", "symbol"),
    ] {
        let host = beside(&format!("export default () => {{ {body} }}")).dev();

        let answer = host.get("/fail");

        assert_eq!(answer.status, 500, "{body}: {answer:?}");
        let said = answer.text().to_lowercase();
        let synonym = if problem == "cyclic" { "circular" } else { problem };
        assert!(said.contains(&problem.to_lowercase()) || said.contains(synonym), "{body}: {said}");
        assert_unharmed(&host);
    }
}

#[test]
fn a_handler_that_never_answers_is_a_504() {
    let host = beside("export default () => new Promise(() => {})").serve();

    let answer = host.get("/fail");

    assert_eq!(answer.status, 504);
    host.log.next("/fail");
    assert_unharmed(&host);
}

#[test]
fn the_signal_aborts_when_the_answer_came_too_late() {
    let host = beside(
        r#"export default (event) => {
          event.signal.addEventListener("abort", () => console.error("gave up"));
          return new Promise(() => {});
        }"#,
    )
    .serve();

    assert_eq!(host.get("/fail").status, 504);

    host.log.next("gave up");
}

#[test]
fn an_endless_loop_is_ended() {
    for endless in [
        "for (;;);",
        "await null; for (;;);",
        "await new Promise((r) => setTimeout(r, 1)); while (true) {}",
        "for (;;) await null;",
    ] {
        let host = beside(&format!("export default async () => {{ {endless} }}")).serve();

        let answer = host.get("/fail");

        assert_eq!(answer.status, 500, "{endless}");
        host.log.next("/fail");
        assert_unharmed(&host);
        // The isolate that took its place ends the next loop too.
        assert_eq!(host.get("/fail").status, 500, "{endless}");
        assert_unharmed(&host);
    }
}

#[test]
fn a_loop_while_loading_is_ended() {
    let checked = Site::new().file("handler.js", "for (;;);").run("check");

    assert_eq!(checked.code, Some(1), "{}", checked.output());
}

#[test]
fn a_full_heap_is_ended() {
    let failing = r#"
        export default () => {
          const kept = [];
          for (;;) kept.push(new Array(1000).fill({}));
        }"#;
    // The heap fills long before the time is over.
    let host = fine_beside(failing).arg("--cpu-timeout=20s").arg("--max-heap=64MiB").serve();

    let answer = host.get("/fail");

    assert_eq!(answer.status, 500);
    host.log.next("/fail");
    assert_unharmed(&host);
}

#[test]
fn requests_beside_a_loop_are_answered() {
    let host = beside(r#"export default () => { console.error("looping"); for (;;); }"#).serve();

    let looping = host.request("GET", "/fail");
    let looping = std::thread::spawn(move || looping.send().status);
    host.log.next("looping");
    // On the same isolate or on its successor, but never lost.
    assert_unharmed(&host);

    assert_eq!(looping.join().expect("an answer"), 500);
}

#[test]
fn deep_recursion_is_an_error_like_others() {
    let host = beside("export default function f() { return f() + 1; }").dev();

    let answer = host.get("/fail");

    assert_eq!(answer.status, 500);
    assert!(answer.text().contains("RangeError") || answer.text().contains("call stack"), "{answer:?}");
    assert_unharmed(&host);
}

// -- Failures on a live line --------------------------------------------------------------------------

#[test]
fn a_failure_on_a_live_line_closes_it_with_4002() {
    for failure in [
        r#"event.respondWith({ a: 1 }, { done: false }); await go; throw new Error("boom");"#,
        r#"event.respondWith({ a: 1 }, async () => { await go; throw new Error("boom"); });"#,
        r#"return (async function* () { yield 1; await go; throw new Error("boom"); })();"#,
    ] {
        let host = beside(&format!(
            r#"export default async (event) => {{
              const go = new Promise((r) => event.client.addEventListener("go", r));
              {failure}
            }}"#
        ))
        .serve();

        let (answer, mut line) = host.open("/fail");
        line.send("go", Value::Null);
        let (frames, code) = line.rest();

        assert_eq!(answer.status, 200, "{failure}");
        assert_eq!(code, 4002, "{failure}: {frames:?}");
        host.log.next("boom");
        assert_unharmed(&host);
    }
}

#[test]
fn a_rejected_wait_lets_go_of_the_line() {
    let host = beside(
        r#"export default (event) => {
          const go = new Promise((r) => event.client.addEventListener("go", r));
          event.waitUntil(go.then(() => { throw new Error("boom"); }));
          return 1;
        }"#,
    )
    .serve();

    let (_, mut line) = host.open("/fail");
    line.send("go", Value::Null);

    line.done();
    host.log.next("boom");
}

#[test]
fn a_listener_that_throws_is_logged() {
    let host = beside(
        r#"export default (event) => {
          event.client.addEventListener("go", () => { throw new Error("in a listener"); });
          event.client.addEventListener("ask", () => event.client.postMessage("alive"));
          event.waitUntilNavigate();
          return 1;
        }"#,
    )
    .serve();

    let (_, mut line) = host.open("/fail");
    line.send("go", Value::Null);
    line.send("ask", Value::Null);

    assert_eq!(line.expect("message"), "alive");
    host.log.next("in a listener");
}

#[test]
fn a_loop_on_a_line_closes_that_line_and_no_other() {
    let host = beside(
        r#"export default (event) => {
          event.client.addEventListener("go", () => { for (;;); });
          event.client.addEventListener("ask", () => event.client.postMessage("alive"));
          event.waitUntilNavigate();
          return 1;
        }"#,
    )
    .serve();

    let (_, mut other) = host.open("/fail");
    let (_, mut line) = host.open("/fail");
    line.send("go", Value::Null);

    assert_eq!(line.closed(), 4002);
    other.send("ask", Value::Null);
    assert_eq!(other.expect("message"), "alive");
    assert_unharmed(&host);
}

#[test]
fn a_frame_that_is_not_data_fails_the_line() {
    let host = beside(
        r#"export default async (event) => {
          event.respondWith({ a: 1 }, { done: false });
          await event.client.readyStateChange("open");
          await event.respondWith({ b: 1n });
        }"#,
    )
    .serve();

    let (_, mut line) = host.open("/fail");

    assert_eq!(line.closed(), 4002);
    host.log.next("BigInt");
    assert_unharmed(&host);
}

// -- Requests that are wrong --------------------------------------------------------------------------

const READS: &str = r#"
    export const POST = async (event) => (await event.request.text()).length;
    export const GET = () => "fine";"#;

fn limited() -> Host {
    Site::new().file("handler.js", READS).arg("--max-body=1KiB").arg("--max-header=8KiB").serve()
}

#[track_caller]
fn post(host: &Host, length: usize) -> Answer {
    host.request("POST", "/").body(vec![b'x'; length]).send()
}

#[test]
fn a_body_may_be_as_large_as_the_limit_and_no_larger() {
    let host = limited();

    assert_eq!(post(&host, 1024).text(), "1024");
    assert_eq!(post(&host, 1025).status, 413);
    assert_eq!(host.get("/").text(), "fine");
}

#[test]
fn a_body_that_turns_out_too_large_is_refused() {
    let host = limited();

    // Chunked, so its length is not known in advance.
    let mut request =
        b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..3 {
        request.extend_from_slice(format!("200\r\n{}\r\n", "x".repeat(0x200)).as_bytes());
    }
    request.extend_from_slice(b"0\r\n\r\n");

    assert!(host.raw(&request).starts_with("HTTP/1.1 413"));
    assert_eq!(host.get("/").text(), "fine");
}

#[test]
fn too_large_a_header_is_a_431() {
    let host = limited();

    let answer =
        host.raw(format!("GET / HTTP/1.1\r\nHost: x\r\nX-A: {}\r\n\r\n", "x".repeat(9000)).as_bytes());

    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert_eq!(host.get("/").text(), "fine");
}

#[test]
fn what_is_not_http_is_a_400() {
    let host = limited();

    for bytes in [
        &b"nonsense\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ] {
        let answer = host.raw(bytes);
        assert!(answer.starts_with("HTTP/1.1 400"), "{:?}: {answer}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(host.get("/").text(), "fine");
}

#[test]
fn a_client_that_leaves_before_the_answer_affects_no_other_request() {
    let host = serve(
        r#"
        export default async (event, next) => {
          if (next.stepname === "fine") return "fine";
          event.signal.addEventListener("abort", () => console.error("left"));
          console.error("asked");
          return new Promise(() => {});
        }"#,
    );

    let stream = host.begin("GET", "/");
    host.log.next("asked");
    drop(stream);

    host.log.next("left");
    assert_eq!(host.get("/fine").text(), "fine");
}

#[test]
fn a_connection_without_a_request_is_closed() {
    let host = Site::new()
        .file("handler.js", "export default () => 1;")
        .arg("--header-timeout")
        .arg("200ms")
        .serve();
    let mut silent = host.connect();

    assert_eq!(silent.read(&mut [0; 8]).expect("the end of the stream"), 0);
}

#[test]
fn a_live_response_that_rejects_is_a_500() {
    let host =
        serve(r#"export default () => LiveResponse.from(Promise.reject(new Error("boom at the source")))"#);

    assert_eq!(host.get("/").status, 500);
    host.log.next("boom at the source");
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
fn what_was_thrown_and_is_no_error_is_described() {
    let handler = r#"
        const thrown = {
          text: "a text",
          object: { code: 5, message: "hm" },
          response: new Response("teapot", { status: 418 }),
          own: new (class Own { message = "own"; }),
        };
        export default (event, next) => { throw thrown[next.stepname]; };"#;
    let host = Site::new().file("handler.js", handler).dev();
    for (path, message, help) in [
        ("/text", "a text", "throw an Error"),
        ("/object", "an object of the class Object was thrown: hm", "throw an Error"),
        ("/response", "a Response was thrown", "a Response is returned"),
        ("/own", "an object of the class Own was thrown: own", "throw an Error"),
    ] {
        let answer = host.get(path);
        assert_eq!(answer.status, 500);
        assert!(answer.text().contains(message) && answer.text().contains(help), "{path}: {answer:?}");
    }
}

#[test]
fn mistakes_in_other_files_have_their_place_and_what_to_do() {
    let check = |site: Site| site.run("check").stderr;
    let broken = Site::new()
        .file(
            "handler.js",
            "import data from './data.json' with { type: 'json' };\nexport default () => data;",
        )
        .file("data.json", "{\n  \"a\": 1,\n}");
    let found = check(broken);
    assert!(found.contains("this is not JSON") && found.contains("data.json:3:1"), "{found}");

    let typed = "export default () => { const n: number = 1; return n; };";
    for (name, text, help) in [
        ("handler.js", typed, "let the name of the file end in .ts"),
        ("handler.js", "export default () => <p>hi</p>;", "let the name of the file end in .jsx"),
        ("handler.js", "export default () => { await 1; };", "write `async` before the function"),
        ("handler.js", "enum A { B }\nexport default () => A.B;", "let the name of the file end in .ts"),
    ] {
        let found = check(Site::new().file(name, text));
        assert!(found.contains(help), "{text}: {found}");
    }

    let package = Site::new()
        .file("handler.js", "import a from '#lib/a.js';\nexport default () => a;")
        .file("package.json", "{ \"imports\": { \"#lib/*\": \"./lib/*\" }, }");
    let found = check(package);
    assert!(found.contains("package.json:1:") && found.contains("trailing comma"), "{found}");
}

#[test]
fn values_are_not_assigned_to_a_session() {
    let handler = "export default async (event) => { event.session.visits = 1; return 1; };";
    let answer = Site::new().file("handler.js", handler).dev().get("/");
    assert_eq!(answer.status, 500);
    assert!(answer.text().contains("write await event.session.set(\"visits\", value)"), "{answer:?}");
}

#[test]
fn a_level_of_the_log_that_does_not_exist_is_refused() {
    let site = Site::new().file("handler.js", "export default () => 1;").arg("--log=loud");
    let failed = site.run("serve");
    assert!(failed.stderr.contains("`loud` is no level: error, warn, info"), "{}", failed.stderr);
}

#[test]
fn a_loop_is_shown_where_it_was_stopped() {
    let handler = "interface Job { done: boolean }\n\nfunction work(job: Job) {\n  while (!job.done) {\n    job.done = false;\n  }\n}\n\nexport default () => work({ done: false });\n";
    let host = Site::new().file("handler.ts", handler).arg("--cpu-timeout=100ms").dev();
    let answer = host.get("/");
    assert_eq!(answer.status, 500);
    let text = answer.text();
    let is_there = (4..=6).any(|line| text.contains(&format!("handler.ts:{line}:")));
    assert!(text.contains("without yielding and was stopped") && is_there, "{text}");

    // Nothing of the handlers runs to find the place.
    let evil = "Error.prepareStackTrace = () => { for (;;); };\nexport default () => { for (;;); };";
    let host = Site::new().file("handler.js", evil).arg("--cpu-timeout=100ms").dev();
    assert!(host.get("/").text().contains("handler.js:2:"));
    assert_eq!(host.get("/").status, 500);
}

#[test]
fn a_thrown_value_of_which_nothing_can_be_read_is_answered() {
    let handler = r#"
        const fails = () => { throw 1; };
        const thrown = {
          proxy: () => new Proxy({}, { get: fails, getPrototypeOf: fails, ownKeys: fails }),
          name: () => ({ get name() { throw 1; } }),
          message: () => ({ get message() { throw 1; } }),
        };
        export default (event, next) => {
          if (next.stepname in thrown) throw thrown[next.stepname]();
          return "fine";
        };"#;
    let host = Site::new().file("handler.js", handler).dev();
    for path in ["/proxy", "/name", "/message"] {
        assert_eq!(host.get(path).status, 500, "{path}");
    }
    assert_eq!(host.get("/").text(), "fine");
}
