//! Every way in which a live exchange ends: what the handler sees, and what the client sees.

use serde_json::{Value, json};

use crate::support::{Host, Line, Site, observed, serve};

/// A handler with this body that records every event about its end.
fn watched(body: &str) -> Site {
    let handler = format!(
        r#"export default async function (event) {{
          const go = new Promise((r) => event.client.addEventListener("go", r, {{ once: true }}));
          for (const type of ["navigatein", "navigateaway", "navigate"]) {{
            event.client.addEventListener(type, () => console.error(`saw ${{type}}.`));
          }}
          event.client.addEventListener("close", (e) => console.error(`saw close ${{e.code}} ${{e.reason}}.`));
          event.signal.addEventListener("abort", () => console.error("saw abort."));
          {body}
        }}"#
    );
    Site::new().file("handler.js", handler)
}

/// Live until something ends it.
const STAYS: &str = "event.respondWith({}, { done: false });";

/// What the handler saw, from the first to its signal.
#[track_caller]
fn seen(host: &Host) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        let line = host.log.next("saw ");
        let said = line.split_once("saw ").map(|(_, said)| said.trim_end_matches('.').to_owned());
        let said = said.unwrap_or_else(|| panic!("{line}"));
        if said == "abort" {
            return seen;
        }
        seen.push(said);
    }
}

/// Expects that the host closes the line without `response.done`. Returns the code.
#[track_caller]
fn closed_without_done(line: &mut Line) -> u16 {
    let (frames, code) = line.rest();
    assert!(frames.iter().all(|frame| frame.kind != "response.done"), "{frames:?}");
    code
}

#[test]
fn the_handler_completes() {
    let host = watched("event.respondWith(1, { done: false }); await go; return 2;").serve();
    let (_, mut line) = host.open("/");

    line.send("go", Value::Null);

    assert_eq!(line.expect_body(), json!(2));
    line.done();
    assert_eq!(seen(&host), ["close 1000 done"]);
}

#[test]
fn the_handler_closes_its_port() {
    let host = watched("event.respondWith(1, { done: false }); await go; event.client.close();").serve();
    let (_, mut line) = host.open("/");

    line.send("go", Value::Null);

    assert_eq!(closed_without_done(&mut line), 1000);
    assert_eq!(seen(&host), ["close 1000 done"]);
}

#[test]
fn the_client_closes_its_port() {
    let host = watched(STAYS).serve();
    let (_, line) = host.open("/");

    line.close();

    assert_eq!(seen(&host), ["close 1000 "]);
}

#[test]
fn the_client_vanishes() {
    let host = watched(STAYS).serve();
    let (_, line) = host.open("/");

    drop(line);

    assert_eq!(seen(&host), ["close 1006 connection lost"]);
}

#[test]
fn no_client_joins() {
    let host = watched(STAYS).arg("--join-timeout=100ms").serve();

    host.get("/");

    assert_eq!(seen(&host), ["close 1001 nobody joined in time"]);
}

#[test]
fn the_user_navigates_away() {
    let host = watched(STAYS).serve();
    let (_, mut line) = host.open("/");

    line.navigate("/elsewhere");

    assert_eq!(closed_without_done(&mut line), 4001);
    assert_eq!(seen(&host), ["navigateaway", "navigate", "close 4001 navigated away"]);
}

#[test]
fn the_user_loads_the_page_again() {
    let host = watched(STAYS).serve();
    let (_, mut line) = host.open("/");

    line.navigate("/");

    assert_eq!(closed_without_done(&mut line), 4001);
    assert_eq!(seen(&host), ["navigatein", "navigate", "close 4001 navigated away"]);
}

#[test]
fn the_handler_prevents_the_navigation_and_closes_later() {
    let host = watched(
        r#"event.client.addEventListener("navigate", (e) => e.preventDefault());
        event.respondWith(1, { done: false });
        await go;
        event.client.close();"#,
    )
    .serve();
    let (_, mut line) = host.open("/");

    line.navigate("/elsewhere");
    line.send("go", Value::Null);

    assert_eq!(closed_without_done(&mut line), 1000);
    assert_eq!(seen(&host), ["navigateaway", "navigate", "close 1000 done"]);
}

#[test]
fn the_handler_throws() {
    let host =
        watched("event.respondWith(1, { done: false }); await go; throw new Error('too bad');").serve();
    let (_, mut line) = host.open("/");

    line.send("go", Value::Null);

    assert_eq!(closed_without_done(&mut line), 4002);
    assert_eq!(seen(&host), ["close 4002 the handler failed"]);
}

#[test]
fn a_promise_that_holds_the_exchange_rejects() {
    let host = watched("event.waitUntil(go.then(() => { throw new Error('too bad'); })); return 1;").serve();
    let (_, mut line) = host.open("/");

    line.send("go", Value::Null);

    // What was answered stands: a hold that fails is a hold that is over.
    line.done();
    assert_eq!(seen(&host), ["close 1000 done"]);
}

#[test]
fn the_handler_never_yields() {
    let host = watched("event.respondWith(1, { done: false }); await go; for (;;);")
        .arg("--cpu-timeout=100ms")
        .serve();
    let (_, mut line) = host.open("/");

    line.send("go", Value::Null);

    assert_eq!(closed_without_done(&mut line), 4002);
    host.log.next("without yielding");
}

#[test]
fn the_server_stops() {
    let host = watched(STAYS).serve();
    let (_, mut line) = host.open("/");

    host.signal("TERM");

    assert_eq!(closed_without_done(&mut line), 1012);
    assert_eq!(seen(&host), ["close 1012 server restarting"]);
}

#[test]
fn the_client_breaks_the_protocol() {
    let host = watched(STAYS).serve();
    let (_, mut line) = host.open("/");

    line.send_text("{ this is no JSON");

    assert_eq!(closed_without_done(&mut line), 1003);
    assert_eq!(seen(&host), ["close 1003 frames must be JSON text"]);
}

#[test]
fn the_client_floods_a_handler_that_does_not_listen() {
    let host = watched(STAYS).arg("--max-frame=1KiB").serve();
    let (_, mut line) = host.open("/");

    line.send("big", json!("x".repeat(2000)));

    assert_eq!(closed_without_done(&mut line), 1009);
    assert_eq!(seen(&host), ["close 1009 frame too large"]);
}

#[test]
fn what_is_sent_to_a_client_that_has_left_is_no_error_of_the_handler() {
    let host = watched(
        "event.respondWith(1, { done: false });
         await new Promise((r) => event.signal.addEventListener('abort', r));
         event.respondWith(2);
         const refused = await event.respondWith(3).catch((error) => error.name);
         console.error(`went on: ${refused}`);",
    )
    .serve();
    let (_, line) = host.open("/");

    line.close();

    // Who waits for it gets to know; who does not has nothing to mend.
    host.log.next("went on: InvalidStateError");
    host.signal("TERM");
    let log = host.log.end();
    assert!(!log.contains("ERROR"), "{log}");
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

/// A module that was stopped while it ran begins anew: nobody gets the half of it.
#[test]
fn a_required_module_that_was_stopped_is_loaded_again() {
    let host = Site::new()
        .file(
            "slow.cjs",
            "globalThis.runs = (globalThis.runs ?? 0) + 1;
             exports.first = 1;
             if (globalThis.runs === 1) for (;;);
             exports.second = 2;",
        )
        .file(
            "handler.js",
            r#"import { createRequire } from "node:module";
            const require = createRequire(import.meta.url);
            export default () => require("./slow.cjs");"#,
        )
        .arg("--cpu-timeout=300ms")
        .serve();

    assert_eq!(host.get("/").status, 500);

    assert_eq!(host.get("/").json(), json!({ "first": 1, "second": 2 }));
}
