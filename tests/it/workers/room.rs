//! The seed's chat room: checks RW-A1 to RW-A4, and its limits.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Client, seed, served_seed};

#[test]
fn other_methods_are_refused_and_a_missing_helper_is_a_located_error() {
    let host = served_seed();

    let refused = host.request("PUT", "/api/chat").send();
    assert_eq!((refused.status, refused.text()), (405, "Method not allowed"));

    // The seed calls a function that it does not have.
    assert_eq!(host.get("/api/chat").status, 500);
    let line = host.log.next("getChatHistory is not defined");
    assert!(line.contains("ReferenceError"), "{line}");
    host.log.contains("functions/api/chat.js:13");
    assert_eq!(host.request("PUT", "/api/chat").send().status, 405, "it goes on");
}

#[test]
fn a_message_reaches_the_others_of_its_room() {
    let host = served_seed();
    let [mut one, mut two, mut other] =
        ["r1", "r1", "r2"].map(|room| Client::open(&host, &format!("/api/chat?room={room}")));
    for client in [&mut one, &mut two, &mut other] {
        assert_eq!(client.json(), json!({ "type": "welcome", "message": "Connected to chat room" }));
    }

    let start = Instant::now();
    one.send_json(&json!({ "type": "chat", "roomId": "r1", "userId": "u1", "content": "hi" }));
    let mut message = two.json();
    let waited = start.elapsed();
    assert!(message["timestamp"].take().is_u64(), "{message}");
    assert_eq!(message, json!({ "type": "message", "userId": "u1", "content": "hi", "timestamp": null }));
    // The target is 50 ms; a loaded machine gets more.
    assert!(waited < Duration::from_secs(2), "{waited:?}");

    // Neither the sender nor the other room got it: what they get next is something else.
    one.send("not json");
    assert_eq!(one.json(), json!({ "error": "Invalid message format" }));
    other.send("not json");
    assert_eq!(other.json(), json!({ "error": "Invalid message format" }));
    let rows = host.get("/api/probe?what=messages").json();
    assert_eq!(rows.as_array().map(Vec::len), Some(1), "{rows}");
    assert_eq!(rows[0]["content"], "hi");
}

#[test]
fn bad_messages_are_answered_and_the_socket_stays_open() {
    let host = served_seed();
    let mut client = Client::open(&host, "/api/chat?room=bad");
    client.json();

    // The seed's class lacks what `typing` and `presence` call.
    for message in ["not json", r#"{"type":"typing"}"#, r#"{"type":"presence"}"#, "null", ""] {
        client.send(message);
        assert_eq!(client.json(), json!({ "error": "Invalid message format" }), "{message}");
    }
    client.send(r#"{"type":"unknown"}"#);
    client.send("still here");
    assert_eq!(client.json(), json!({ "error": "Invalid message format" }));
}

#[test]
fn a_lost_client_leaves_its_room() {
    let host = served_seed();
    let mut one = Client::open(&host, "/api/chat?room=lost");
    let mut two = Client::open(&host, "/api/chat?room=lost");
    one.json();
    two.json();
    let size = "/api/probe?what=size&room=lost";
    assert_eq!(host.get(size).json(), json!({ "size": 2 }));

    two.reset();
    one.send_json(&json!({ "type": "chat", "roomId": "lost", "userId": "u1", "content": "anybody?" }));
    host.until(size, |answer| answer.json() == json!({ "size": 1 }));
    one.send("still here");
    assert_eq!(one.json(), json!({ "error": "Invalid message format" }));

    // A proper close, too.
    one.close(1000, "bye");
    assert_eq!(one.closed(), (1000, "bye".to_owned()));
    host.until(size, |answer| answer.json() == json!({ "size": 0 }));
    assert!(!host.log.text().contains("rror"), "{}", host.log.text());
}

#[test]
fn rooms_come_and_go_without_a_rest() {
    let host = served_seed();
    for _ in 0..50 {
        let mut client = Client::open(&host, "/api/chat?room=many");
        client.json();
        client.reset();
    }
    host.until("/api/probe?what=size&room=many", |answer| answer.json() == json!({ "size": 0 }));
}

#[test]
fn a_class_that_does_not_exist_is_named_at_the_start() {
    let site = seed();
    site.remove("durable-objects/UserPresence.js");
    let checked = site.run("check");
    assert_ne!(checked.code, Some(0));
    let output = format!("{}{}", checked.stdout, checked.stderr);
    assert!(output.contains("UserPresence") && output.contains("wrangler.toml"), "{output}");
}

#[test]
fn variables_of_an_environment_limit_rooms_and_messages() {
    let production =
        "[env.production.vars]\nMAX_CONNECTIONS_PER_ROOM = \"1000\"\nMESSAGE_RATE_LIMIT = \"10\"\n";
    let bindings = r#"
[[env.production.d1_databases]]
binding = "DB"
database_name = "chat"
database_id = "00000000-0000-4000-8000-000000000000"

[[env.production.durable_objects.bindings]]
name = "CHAT_ROOM"
class_name = "ChatRoom"
"#;
    let configuration = include_str!("seed/wrangler.toml");
    assert!(configuration.contains(production.trim()), "{configuration}");
    let small = configuration.replace("\"1000\"", "\"2\"").replace("\"10\"", "\"5\"");
    let host = seed()
        .file("wrangler.toml", [super::HEAD, &small, bindings].concat())
        .arg("--env")
        .arg("production")
        .serve();
    assert_eq!(host.get("/api/probe?what=tables").json(), "made");

    let mut one = Client::open(&host, "/api/chat?room=full");
    let mut two = Client::open(&host, "/api/chat?room=full");
    one.json();
    two.json();
    let refused = match host.dial("/api/chat?room=full").upgrade() {
        Err(status) => status,
        Ok((socket, _)) => Client(socket).closed().0,
    };
    assert!(matches!(refused, 503 | 1013), "the third client of a full room gets {refused}");
    Client::open(&host, "/api/chat?room=other").json();

    // Five messages a second pass; of many at once, some are refused with a frame that names the limit.
    for _ in 0..30 {
        one.send("not json");
    }
    let refused =
        std::iter::repeat_with(|| one.text()).take(30).find(|text| !text.contains("Invalid message"));
    let refused = refused.expect("a message over the limit is refused");
    assert!(refused.contains("MESSAGE_RATE_LIMIT") || refused.contains("rate"), "{refused}");
}
