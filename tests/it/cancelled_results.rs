//! Results whose clients are gone by the time they are there.

use serde_json::json;

use crate::support::{Host, Site};

/// A handler at `/work` whose client leaves before it has returned, and `/seen`, which returns
/// what `body` puts into `seen`. In `body` the promise `gone` settles when the client has left.
fn site(body: &str) -> Host {
    Site::new()
        .file("state.js", "export const seen = [];")
        .file("seen/handler.js", "import { seen } from '../state.js'; export default () => ({ seen });")
        .file(
            "work/handler.js",
            format!(
                r#"import {{ seen }} from "../state.js";
                   const bytes = () => new ReadableStream({{
                     pull: () => new Promise(() => {{}}),
                     cancel: (reason) => {{ seen.push(`cancelled: ${{reason.name}}`); }},
                   }});
                   export default async function (event) {{
                     const gone = new Promise((r) => event.signal.addEventListener("abort", r));
                     console.error("working");
                     {body}
                   }}"#
            ),
        )
        .arg("--answer-timeout")
        .arg("1s")
        .serve()
}

/// Asks, and leaves as soon as the handler works.
fn leave(host: &Host, method: &str) {
    let _stream = host.begin(method, "/work");
    host.log.next("working");
}

#[track_caller]
fn ends(body: &str, seen: &[&str]) {
    let host = site(body);
    leave(&host, "GET");
    host.until("/seen", |answer| answer.json() == json!({ "seen": seen }));
}

#[test]
fn a_body_that_comes_too_late_is_cancelled() {
    ends("await gone; return new Response(bytes());", &["cancelled: AbortError"]);
    ends("await gone; return bytes();", &["cancelled: AbortError"]);
    ends("return gone.then(() => new Response(bytes()));", &["cancelled: AbortError"]);
}

#[test]
fn a_body_for_respond_with_is_cancelled() {
    ends("await gone; await event.respondWith(new Response(bytes()));", &["cancelled: AbortError"]);
    ends("await event.respondWith(gone.then(() => new Response(bytes())));", &["cancelled: AbortError"]);
}

#[test]
fn a_body_that_is_being_sent_is_cancelled() {
    ends("return new Response(bytes());", &["cancelled: AbortError"]);
    ends(
        r#"async function* parts() {
             try { yield "a"; await gone; yield "b"; yield "c"; } finally { seen.push("finally"); }
           }
           return new Response(ReadableStream.from(parts()));"#,
        &["finally"],
    );
}

#[test]
fn a_generator_runs_its_finally() {
    // Whatever it waits for, it ends where it goes on.
    ends(
        r#"async function* states() {
             try { await gone; yield 1; seen.push("went on"); } finally { seen.push("finally"); }
           }
           return states();"#,
        &["finally"],
    );
    // One that had begun before it was returned.
    ends(
        r#"async function* states() { try { yield 1; yield 2; } finally { seen.push("finally"); } }
           const begun = states();
           await begun.next();
           await gone;
           return begun;"#,
        &["finally"],
    );
}

#[test]
fn a_body_of_a_generator_runs_its_finally() {
    for body in ["parts()", "{ [Symbol.asyncIterator]: parts }"] {
        ends(
            &format!(
                r#"async function* parts() {{ try {{ yield new Uint8Array(1); await gone; yield new Uint8Array(1); yield new Uint8Array(1); }} finally {{ seen.push("finally"); }} }}
                   return new Response({body});"#
            ),
            &["finally"],
        );
    }
}

#[test]
fn a_result_after_the_last_state_is_cancelled() {
    let host = site("await event.respondWith({ n: 1 }); return new Response(bytes());");
    assert_eq!(host.get("/work").json(), json!({ "n": 1 }));
    host.until("/seen", |answer| answer.json() == json!({ "seen": ["cancelled: AbortError"] }));
}

#[test]
fn a_socket_whose_client_is_gone_is_closed() {
    ends(
        r#"await gone;
           const [near, far] = Object.values(new WebSocketPair());
           far.accept();
           far.addEventListener("close", (e) => seen.push(`closed: ${e.code}`));
           return new Response(null, { status: 101, webSocket: near });"#,
        &["closed: 1006"],
    );
}

#[test]
fn a_live_program_stops() {
    ends(
        r#"await gone;
           return { [Symbol.toStringTag]: "LiveProgramHandle", value: 1, abort: () => seen.push("stopped") };"#,
        &["stopped"],
    );
}

#[test]
fn a_body_that_comes_after_the_time_to_answer_is_cancelled() {
    let host = site("await gone; return new Response(bytes());");
    assert_eq!(host.get("/work").status, 504);
    host.until("/seen", |answer| answer.json() == json!({ "seen": ["cancelled: AbortError"] }));
}

#[test]
fn the_body_of_an_answer_to_head_is_cancelled_and_not_read() {
    let host = site(
        r#"return new Response(new ReadableStream({
             pull: (controller) => { seen.push("pulled"); controller.enqueue(new Uint8Array(9)); },
             cancel: (reason) => { seen.push(`cancelled: ${reason.name}`); },
           }, { highWaterMark: 0 }));"#,
    );
    let head = host.request("HEAD", "/work").send();
    assert_eq!((head.status, head.text()), (200, ""));
    host.until("/seen", |answer| answer.json() == json!({ "seen": ["cancelled: AbortError"] }));
}
