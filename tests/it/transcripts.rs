//! The golden transcripts: what goes over the wire, frame by frame, with the random ids left out.

use serde_json::{Value, json};

use crate::support::{Frame, on_go, serve};

#[test]
fn t1_a_second_step_replaces_the_first() {
    let host = serve(
        r#"
        export async function GET(event, next) {
          if (next.stepname) return await next();
          event.respondWith({ step: 1 }, { done: false });
          await event.client.readyStateChange("open");
          event.respondWith({ step: 2 });
        }"#,
    );

    let (answer, mut line) = host.open("/");
    let (frames, code) = line.rest();

    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.text(), r#"{"step":1}"#);
    assert_eq!(sequence(&frames), [replace(json!({ "step": 2 })), done()]);
    assert_eq!(code, 1000);
    // Deltas may follow a frame, so it is marked as live; the last frame has no ports and no deltas.
    assert!(frames[0].live);
    assert_eq!((frames[1].live, frames[1].ports), (false, 0));
}

#[test]
fn t2_a_reactive_callback_sends_deltas() {
    let host = serve(
        r#"
        export function GET(event) {
          event.respondWith({ p: 0 }, async ($d) => {
            await event.client.readyStateChange("open");
            $d.p = 1;
            await null;
            $d.q = { z: 1 };
            await null;
            $d.q.z = 2;
          });
        }"#,
    );

    let (answer, mut line) = host.open("/");
    let (frames, code) = line.rest();

    assert_eq!(answer.text(), r#"{"p":0}"#);
    let (last, deltas) = frames.split_last().expect("frames");
    let records: Vec<_> = deltas
        .iter()
        .flat_map(|frame| {
            assert_eq!(frame.kind, "initial_response.mutate");
            frame.message.as_array().expect("records").clone()
        })
        .map(|record| json!([record["type"], record["path"], record["key"], record["value"]]))
        .collect();
    assert_eq!(
        records,
        [
            json!(["set", ["p"], "p", 1]),
            json!(["set", ["q"], "q", { "z": 1 }]),
            json!(["set", ["q", "z"], "z", 2])
        ]
    );
    assert_eq!(sequence(std::slice::from_ref(last)), [done()]);
    assert_eq!(code, 1000);
}

#[test]
fn t3_a_confirmation_comes_before_the_answer() {
    let host = serve(
        r#"
        export async function DELETE(event) {
          const answer = await event.user.confirm({ message: "sure?" });
          return Response.json({ ok: answer?.data === true });
        }"#,
    );

    let answer = host.request("DELETE", "/").send();
    let mut line = host.join(&answer);
    let question = line.next_frame();
    line.reply(&question, json!(true));
    let (frames, code) = line.rest();

    assert_eq!(answer.status, 202);
    assert_eq!(answer.header("content-type"), None);
    assert_eq!(answer.text(), "");
    assert_eq!(question.kind, "confirm");
    assert_eq!(question.message, json!({ "message": "sure?" }));
    assert_eq!(question.ports, 1);
    let [replaced, end] = frames.as_slice() else { panic!("{frames:?}") };
    assert_eq!(replaced.kind, "response.replace");
    assert_eq!(replaced.message["body"], json!({ "ok": true }));
    assert_eq!(replaced.message["status"], 200);
    assert_eq!(sequence(std::slice::from_ref(end)), [done()]);
    assert_eq!(code, 1000);
}

#[test]
fn t4_a_redirect_follows_the_work() {
    let host = serve(
        r#"
        export async function POST(event) {
          event.respondWith({ step: 1 }, { done: false });
          await event.client.readyStateChange("open");
          event.respondWith({ step: 2 }, { done: false });
          event.respondWith(null, { status: 302, headers: { Location: "/done" } });
        }"#,
    );

    let answer = host.request("POST", "/").send();
    let (frames, code) = host.join(&answer).rest();

    assert_eq!((answer.status, answer.text()), (200, r#"{"step":1}"#));
    let mut redirect = replace(Value::Null);
    redirect.1["status"] = json!(302);
    redirect.1["headers"] = json!({ "location": "/done" });
    assert_eq!(sequence(&frames), [replace(json!({ "step": 2 })), redirect, done()]);
    assert_eq!(code, 1000);
}

/// The seed's generators yield `new LiveResponse(null, { headers: { Location: '/' } })`.
#[test]
fn a_location_without_a_status_is_a_redirect() {
    let host = serve(
        r#"export default async function* () {
          yield { step: 1 };
          yield new LiveResponse(null, { headers: { Location: '/' } });
        }"#,
    );

    let (_, mut line) = host.open("/");

    let state = line.expect("response.replace");
    assert_eq!((&state["status"], &state["headers"]), (&json!(302), &json!({ "location": "/" })));
    line.done();
}

#[test]
fn t5_a_message_comes_before_the_answer() {
    let host = serve(
        r#"
        export default async function (event) {
          event.client.postMessage({ progress: 10 });
          await event.client.readyStateChange("open");
          return { ok: 1 };
        }"#,
    );

    let (answer, mut line) = host.open("/");
    let (frames, code) = line.rest();

    assert_eq!(answer.status, 202);
    assert_eq!(answer.header("content-type"), None);
    assert_eq!(answer.text(), "");
    assert_eq!(
        sequence(&frames),
        [("message".into(), json!({ "progress": 10 })), replace(json!({ "ok": 1 })), done()]
    );
    assert_eq!(code, 1000);
}

#[test]
fn t6_navigating_away_ends_the_line() {
    let host = serve(LISTENS_TO_NAVIGATION);

    let (answer, mut line) = host.open("/");
    // The handler has returned its last state; only the line stays.
    assert_eq!(line.expect("response.done"), Value::Null);
    line.navigate("/other");

    assert_eq!(answer.text(), "{}");
    assert_eq!(line.closed(), 4001);
    let seen = host.until("/seen", |seen| seen.text().contains("aborted")).json();
    let seen: Vec<_> =
        seen.as_array().expect("events").iter().map(|event| event.as_str().expect("a name")).collect();
    let (last, mut events) = (seen[seen.len() - 1], seen[..seen.len() - 1].to_vec());
    events.sort();
    assert_eq!(events, ["navigate /other", "navigateaway /other"]);
    assert_eq!(last, "aborted");
}

#[test]
fn t6_a_prevented_navigation_keeps_the_line() {
    let host = serve(LISTENS_TO_NAVIGATION);

    let (_, mut line) = host.open("/stay");
    assert_eq!(line.expect("response.done"), Value::Null);
    line.navigate("/other");
    line.send("message", json!("still here?"));

    assert_eq!(line.expect("message"), json!("still here"));
    // The handler then closes its side by itself.
    assert_eq!(line.closed(), 1000);
    assert!(host.get("/seen").text().contains("/other"));
}

/// Returns at `/seen` what happened; at `/stay` it prevents the navigation and answers one message.
const LISTENS_TO_NAVIGATION: &str = r#"
    const seen = [];

    export function GET(event, next) {
      if (next.stepname === "seen") return seen;
      for (const type of ["navigate", "navigateaway", "navigatein"]) {
        event.client.addEventListener(type, (e) => {
          seen.push(`${type} ${e.data.pathname}`);
          if (next.stepname === "stay") e.preventDefault();
        });
      }
      event.client.addEventListener("message", () => {
        event.client.postMessage("still here");
        event.client.close();
      });
      event.signal.addEventListener("abort", () => seen.push("aborted"));
      event.waitUntilNavigate();
      return {};
    }"#;

#[test]
fn t8_a_concurrent_frame_keeps_the_state_before_it_alive() {
    let host = serve(&on_go(
        r#"
        const first = { n: 0 };
        event.respondWith(first, { done: false });
        await go;
        event.respondWith({ m: 0 }, { done: false, concurrent: true });
        Observer.set(first, "n", 1);
        event.respondWith({ z: 1 }, { done: false });
        Observer.set(first, "n", 2);
        event.client.close();"#,
    ));

    let (answer, mut line) = host.open("/");
    line.send("go", Value::Null);
    let (frames, code) = line.rest();

    assert_eq!(answer.text(), r#"{"n":0}"#);
    let [second, delta, third] = &frames[..] else { panic!("{frames:?}") };
    assert_eq!((&second.message["body"], &second.message["concurrent"]), (&json!({ "m": 0 }), &json!(true)));
    assert_eq!((&*delta.kind, &delta.message[0]["value"]), ("initial_response.mutate", &json!(1)));
    assert_eq!(third.message["body"], json!({ "z": 1 }));
    assert_eq!(code, 1000);
}

/// Upstream lets several sockets share a port and closes it with the last. Here an address is good for one client,
/// so that a client that learns the address later cannot join.
#[test]
fn t9_a_second_socket_does_not_get_the_line() {
    let host = serve(&on_go(r#"event.respondWith({ n: 0 }, { done: false }); await go; return { n: 1 };"#));

    let (answer, mut line) = host.open("/");
    let second = host.dial(&answer.line_path()).connect();

    assert_eq!(second.err(), Some(404));
    line.send("go", Value::Null);
    assert_eq!(line.expect_body(), json!({ "n": 1 }));
    line.done();
}

/// Types and payloads: a transcript without its ids.
fn sequence(frames: &[Frame]) -> Vec<(String, Value)> {
    frames.iter().map(|frame| (frame.kind.clone(), frame.message.clone())).collect()
}

fn replace(body: Value) -> (String, Value) {
    let frame = json!({
        "body": body, "status": 200, "statusText": "", "headers": {}, "type": "basic", "url": null,
        "concurrent": false,
    });
    ("response.replace".into(), frame)
}

fn done() -> (String, Value) {
    ("response.done".into(), Value::Null)
}
