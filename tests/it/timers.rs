//! Timers belong to the exchange whose code started them.

use serde_json::json;

use crate::support::{Site, serve};

/// A handler that starts a timer at `/`, returns at `/ticks` how often it fired, and answers `/wait` when a timer
/// has fired that was started later and is longer.
fn ticking(timer: &str) -> String {
    format!(
        r#"
        let ticks = 0, atModule = 0;
        setInterval(() => atModule++, 1);
        export default async function (event, next) {{
          if (next.stepname === "ticks") return {{ ticks, atModule }};
          if (next.stepname === "wait") {{
            await new Promise((done) => setTimeout(done, 30));
            return {{ ticks }};
          }}
          {timer}
        }}"#
    )
}

#[test]
fn a_timer_of_an_answered_request_does_not_fire() {
    let host =
        serve(&ticking(r#"setTimeout(() => ticks++, 1); setInterval(() => ticks++, 1); return "answered";"#));

    assert_eq!(host.get("/").text(), "answered");

    // A timer that is longer and was started later has fired, so the other would have.
    assert_eq!(host.get("/wait").json(), json!({ "ticks": 0 }));
}

#[test]
fn wait_until_holds_the_timers() {
    let host = serve(&ticking(
        r#"event.waitUntil(new Promise((done) => setTimeout(() => { ticks++; done(); }, 1))); return "answered";"#,
    ));

    assert_eq!(host.get("/").text(), "answered");

    host.until("/ticks", |answer| answer.json()["ticks"] == 1);
}

#[test]
fn timers_of_a_live_exchange_fire_until_its_client_leaves() {
    let host = serve(&ticking(
        r#"
        const data = { n: 0 };
        setInterval(() => { ticks++; Observer.set(data, "n", ticks); }, 1);
        event.respondWith(data, { done: false });"#,
    ));

    let (_, mut line) = host.open("/");
    line.expect("initial_response.mutate");
    line.close();
    let ticks = |path: &str| host.get(path).json()["ticks"].clone();
    // It stops at some time: between two answers nothing was counted.
    host.until("/wait", |answer| answer.json()["ticks"] == ticks("/ticks"));

    assert_eq!(ticks("/ticks"), ticks("/wait"));
}

#[test]
fn a_timer_started_after_the_end_does_not_fire() {
    let host = serve(&ticking(
        r#"Promise.resolve().then(() => {}).then(() => {}).then(() => {}).then(() => setTimeout(() => ticks++, 0));
        return "answered";"#,
    ));

    host.get("/");

    assert_eq!(host.get("/wait").json(), json!({ "ticks": 0 }));
}

#[test]
fn timers_of_modules_run_on() {
    let host = serve(&ticking(r#"return "answered";"#));

    host.get("/");
    let before = host.get("/ticks").json()["atModule"].as_u64().unwrap_or(0);

    host.until("/ticks", |answer| answer.json()["atModule"].as_u64().is_some_and(|now| now > before));
}

#[test]
fn timers_can_be_cleared_and_take_arguments() {
    let host = serve(
        r#"
        export default async () => {
          const cleared = setTimeout(() => { throw new Error("cleared"); }, 0);
          clearTimeout(cleared);
          const seen = await new Promise((done) => setTimeout((...values) => done(values), 0, 1, 2));
          await new Promise((done) => { const id = setInterval(() => { clearInterval(id); done(); }, 0); });
          return { seen, kind: typeof cleared };
        }"#,
    );

    assert_eq!(host.get("/").json(), json!({ "seen": [1, 2], "kind": "number" }));
}

#[test]
fn a_timeout_of_a_package_fires_after_the_end() {
    let package = r#"
        let ticks = 0;
        export const soon = () => setTimeout(() => ticks++, 0);
        export const count = () => ticks;"#;
    let handler = r#"
        import { count, soon } from "p";
        let own = 0;
        export const GET = () => ({ own, ofPackage: count() });
        export const POST = () => {
          setTimeout(() => own++, 0);
          soon();
          return "answered";
        };"#;
    let host = Site::new()
        .file("package.json", "{}")
        .file("node_modules/p/package.json", r#"{ "type": "module", "exports": "./p.js" }"#)
        .file("node_modules/p/p.js", package)
        .file("handler.js", handler)
        .serve();

    host.request("POST", "/").send();

    let counted = host.until("/", |answer| answer.json()["ofPackage"] == 1);
    assert_eq!(counted.json()["own"], 0);
}
