//! What a client sends before its handler listens: kept in order, delivered when a listener comes, within a budget.

use serde_json::{Value, json};

use crate::support::{Event, Frame, Line, Site, on_go, serve, without_sockets};

/// Asks the handler something, as a message with a reply port.
#[track_caller]
fn ask(line: &mut Line, kind: &str, id: &str, message: Value) {
    let meta = json!({ "type": kind, "eventID": id, "numPorts": 1 });
    line.send_text(&json!({ "message": message, ".wq": meta }).to_string());
}

/// The payloads of the next frames, which are messages.
#[track_caller]
fn messages(line: &mut Line, count: usize) -> Vec<Value> {
    (0..count).map(|_| line.expect("message")).collect()
}

#[test]
fn a_message_waits_for_its_listener() {
    let host = serve(&on_go(
        r#"event.respondWith({ loading: true }, { done: false });
        await go;
        event.client.addEventListener("buy", (e) => event.client.postMessage(["bought", e.data]));
        event.client.addRequestListener("price", () => 42);
        event.waitUntilNavigate();
        event.respondWith({ ready: true }, { done: false });"#,
    ));
    let (_, mut line) = host.open("/");

    line.send("buy", json!("tea"));
    ask(&mut line, "price", "q-1", Value::Null);
    line.send("buy", json!("milk"));
    line.send("go", Value::Null);

    let mut frames: Vec<Frame> = (0..4).map(|_| line.next_frame()).collect();
    frames.retain(|frame| frame.kind != "response.replace");
    let told: Vec<_> = frames.iter().map(|frame| (&*frame.kind, &frame.message)).collect();
    let (tea, milk) = (json!(["bought", "tea"]), json!(["bought", "milk"]));
    // An answer takes a turn of its own.
    assert_eq!(told, [("message", &tea), ("message", &milk), ("q-1:0:message", &json!(42))]);
}

#[test]
fn listeners_that_come_together_get_all_in_order() {
    let host = serve(&on_go(
        r#"event.respondWith({}, { done: false });
        await go;
        for (const type of ["b", "message", "a"]) {
          event.client.addEventListener(type, (e) => event.client.postMessage([type, e.data]));
        }
        event.waitUntilNavigate();"#,
    ));
    let (_, mut line) = host.open("/");

    for (kind, number) in [("a", 1), ("b", 2), ("a", 3), ("message", 4), ("b", 5)] {
        line.send(kind, json!(number));
    }
    line.send("go", Value::Null);

    let expected =
        [json!(["a", 1]), json!(["b", 2]), json!(["a", 3]), json!(["message", 4]), json!(["b", 5])];
    assert_eq!(messages(&mut line, 5), expected);
    line.send("a", json!(6));
    assert_eq!(line.expect("message"), json!(["a", 6]));
}

#[test]
fn a_handler_that_has_returned_may_listen_later() {
    let host = serve(&on_go(
        r#"event.waitUntilNavigate();
        go.then(() => event.client.onmessage = (e) => event.client.postMessage(["heard", e.data]));
        return "here";"#,
    ));
    let (_, mut line) = host.open("/");
    assert_eq!(line.expect("response.done"), Value::Null);

    line.send("message", json!(1));
    line.send_text("2");
    line.send("go", Value::Null);

    assert_eq!(messages(&mut line, 2), [json!(["heard", 1]), json!(["heard", 2])]);
}

/// One message at a time, with work between them: none is lost in the meantime.
#[test]
fn nothing_is_lost_between_two_listeners() {
    let host = serve(&on_go(
        r#"event.respondWith({}, { done: false });
        await go;
        const chunk = () => new Promise((r) => event.client.addEventListener("chunk", r, { once: true }));
        const chunks = [];
        while (chunks.length < 5) {
          chunks.push((await chunk()).data);
          await new Promise((r) => setTimeout(r));
        }
        return chunks;"#,
    ));
    let (_, mut line) = host.open("/");

    for number in 0..3 {
        line.send("chunk", json!(number));
    }
    line.send("go", Value::Null);
    for number in 3..5 {
        line.send("chunk", json!(number));
    }

    assert_eq!(line.expect_body(), json!([0, 1, 2, 3, 4]));
    line.done();
}

#[test]
fn messages_from_before_the_channel_are_delivered_in_it() {
    let host = serve(&on_go(
        r#"event.respondWith({}, { done: false });
        await go;
        event.client.addEventListener("room:message", (e) => event.client.postMessage(["own", e.data]));
        event.client.enterChannel("room", { announce: false });
        event.client.postMessage("entered");
        event.waitUntilNavigate();"#,
    ));
    let (_, mut first) = host.open("/");
    first.send("go", Value::Null);
    assert_eq!(first.expect("message"), "entered");
    let (_, mut second) = host.open("/");

    second.send("room:message", json!("hello"));
    second.send("go", Value::Null);

    assert_eq!(second.expect("message"), "entered");
    assert_eq!(second.expect("message"), json!(["own", "hello"]));
    assert_eq!(first.expect("room:message"), "hello");
}

#[test]
fn what_came_before_the_upstream_goes_on_to_it() {
    let host = Site::new()
        .file(
            "up/handler.js",
            r#"export default (event) => {
              event.client.addEventListener("note", (e) => event.client.postMessage(["up", e.data]));
              event.waitUntilNavigate();
              return { up: true };
            };"#,
        )
        .file(
            "pass/handler.js",
            on_go(
                r#"event.client.postMessage("wait");
                await go;
                return await fetch(new URL("/up", event.url));"#,
            ),
        )
        .arg("--allow-origin=*")
        .serve();
    let (_, mut line) = host.open("/pass");
    assert_eq!(line.expect("message"), "wait");

    line.send("note", json!(1));
    line.send("note", json!(2));
    line.send("go", Value::Null);

    assert_eq!(line.expect_body(), json!({ "up": true }));
    let mut told = Vec::new();
    while told.len() < 2 {
        let frame = line.next_frame();
        if frame.kind != "response.done" {
            told.push(frame.message);
        }
    }
    assert_eq!(told, [json!(["up", 1]), json!(["up", 2])]);
}

const FLOOD: &str = r#"event.respondWith({}, { done: false });
    event.client.addEventListener("listen", (e) => {
      event.client.addEventListener(e.data, ({ data }) => event.client.postMessage([e.data, data.length ?? data]));
    });
    event.waitUntilNavigate();
    await go;"#;

#[test]
fn more_than_the_budget_ends_the_line_when_a_listener_is_added() {
    let host = Site::new().file("handler.js", on_go(FLOOD)).arg("--max-queue=64KiB").serve();
    let (_, mut line) = host.open("/");
    line.send("rare", json!(7));
    for _ in 0..8 {
        line.send("big", json!("x".repeat(10_000)));
    }

    line.send("listen", json!("rare"));
    assert_eq!(line.expect("message"), json!(["rare", 7]));
    line.send("listen", json!("big"));

    assert_eq!(line.closed(), 1013, "{}", line.transcript());
    host.log.next("closes with 1013");
}

#[test]
fn messages_without_a_listener_end_no_line() {
    let host = Site::new().file("handler.js", on_go(FLOOD)).arg("--max-queue=64KiB").serve();
    let (_, mut line) = host.open("/");
    for _ in 0..40 {
        line.send("chatter", json!("x".repeat(10_000)));
    }

    line.send("listen", json!("rare"));
    line.send("rare", json!(1));

    assert_eq!(line.expect("message"), json!(["rare", 1]));
}

#[test]
fn within_the_budget_everything_comes() {
    let host = Site::new().file("handler.js", on_go(FLOOD)).arg("--max-queue=256KiB").serve();
    let (_, mut line) = host.open("/");
    for _ in 0..20 {
        line.send("big", json!("x".repeat(10_000)));
    }

    line.send("listen", json!("big"));

    assert!(messages(&mut line, 20).iter().all(|told| *told == json!(["big", 10_000])));
}

/// The client has the address of its line, and comes to learn what became of it.
#[test]
fn more_than_the_budget_before_the_client_joins_ends_the_line_when_it_joins() {
    let host = serve(
        r#"export default (event) => {
          event.waitUntilNavigate();
          event.client.addEventListener("close", (e) => console.error("closed at the handler with", e.code));
          for (let i = 0; i < 2000; i++) event.client.postMessage("x".repeat(1000), { type: "n" });
          return { end: 1 };
        };"#,
    );

    let answer = host.get("/");
    assert_eq!(answer.status, 202);
    host.log.next("closed at the handler with 1013");
    let dial = host.dial(&answer.line_path());
    let mut line = if without_sockets() { dial.listen() } else { dial.connect() }.expect("the line");
    let (frames, code) = line.rest();
    assert_eq!((frames.len(), code), (0, 1013), "{}", line.transcript());

    drop(line);
    // Once: the address is used up.
    assert_eq!(host.dial(&answer.line_path()).connect().err(), Some(404));
}

#[test]
fn a_stream_of_events_reports_it_too() {
    let host = serve(
        r#"export default (event) => {
          event.waitUntilNavigate();
          for (let i = 0; i < 2000; i++) event.client.postMessage("x".repeat(1000), { type: "n" });
          return { end: 1 };
        };"#,
    );

    let answer = host.request("GET", "/").plain().header("accept", "text/event-stream").send();

    assert!(answer.text().contains(r#""code":1013"#), "{}", answer.text());
}

#[test]
fn the_end_of_the_exchange_drops_messages_without_a_listener() {
    let host = serve(&on_go(
        r#"event.client.postMessage("begin");
        await go;
        return { end: true };"#,
    ));
    let (_, mut line) = host.open("/");
    assert_eq!(line.expect("message"), "begin");

    line.send("never", json!(1));
    line.send("go", Value::Null);

    assert_eq!(line.expect_body(), json!({ "end": true }));
    line.done();
    assert!(matches!(host.open("/").1.next_event(), Event::Frame(_)));
}
