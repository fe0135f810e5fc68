//! An application of two classes, as people write them for Durable Objects: check RW-B1.

use serde_json::{Value, json};

use super::Client;
use crate::support::{Host, Site};

fn chat() -> Site {
    Site::new()
        .file("wrangler.jsonc", include_str!("chat/wrangler.jsonc"))
        .file("main.mjs", include_str!("chat/main.mjs"))
        .file("page.html", include_str!("chat/page.html"))
}

/// Joins a room and returns what was sent before `ready`.
#[track_caller]
fn join(host: &Host, room: &str, name: &str) -> (Client, Vec<Value>) {
    let mut client = Client::open(host, &format!("/api/room/{room}/websocket"));
    client.send_json(&json!({ "name": name }));
    let before = std::iter::repeat_with(|| client.json()).take_while(|it| it["ready"].is_null()).collect();
    (client, before)
}

#[test]
fn the_page_and_new_rooms() {
    let host = chat().serve();
    let page = host.get("/");
    assert_eq!(page.header("content-type"), Some("text/html;charset=UTF-8"));
    assert!(page.text().contains("<h1>Rooms</h1>"), "{}", page.text());

    let room = host.request("POST", "/api/room").send();
    assert!(room.text().len() == 64 && room.text().chars().all(|it| it.is_ascii_hexdigit()), "{room:?}");
    assert_ne!(host.request("POST", "/api/room").send().text(), room.text());
    assert_eq!(host.get("/api/room").status, 405);
    assert_eq!(host.get("/api/other").status, 404);
    let (mut client, _) = join(&host, room.text(), "Ada");
    client.send_json(&json!({ "message": "in a room by its id" }));
    assert_eq!(client.json()["message"], "in a room by its id");
    assert_eq!(host.get(&format!("/api/room/{}/websocket", room.text())).status, 400, "no upgrade");
    assert_eq!(host.get(&format!("/api/room/{}/websocket", "f".repeat(64))).status, 500, "a foreign id");
}

#[test]
fn a_conversation() {
    let host = chat().serve();
    let (mut ada, before) = join(&host, "x", "Ada");
    assert_eq!(before, [json!({ "joined": "Ada" })]);
    let (mut bob, before) = join(&host, "x", "Bob");
    assert_eq!(before, [json!({ "joined": "Ada" }), json!({ "joined": "Bob" })]);
    assert_eq!(ada.json(), json!({ "joined": "Bob" }));

    let mut last = 0;
    for text in ["one", "two"] {
        ada.send_json(&json!({ "message": text }));
        let (to_ada, to_bob) = (ada.json(), bob.json());
        assert_eq!(to_ada, to_bob);
        assert_eq!((&to_ada["name"], &to_ada["message"]), (&json!("Ada"), &json!(text)));
        let timestamp = to_ada["timestamp"].as_u64().expect("a time");
        assert!(timestamp > last, "{timestamp} comes after {last}");
        last = timestamp;
    }

    bob.close(1000, "bye");
    assert_eq!(ada.json(), json!({ "quit": "Bob" }));
    // Another room has none of it.
    let (_, before) = join(&host, "y", "Cy");
    assert_eq!(before, [json!({ "joined": "Cy" })]);
}

#[test]
fn what_is_too_long_or_too_much() {
    let host = chat().serve();
    let mut client = Client::open(&host, "/api/room/x/websocket");
    client.send_json(&json!({ "name": "n".repeat(33) }));
    assert_eq!(client.json(), json!({ "error": "Name too long." }));
    assert_eq!(client.closed(), (1009, "Name too long.".to_owned()));

    let (mut ada, _) = join(&host, "x", "Ada");
    ada.send_json(&json!({ "message": "x".repeat(257) }));
    assert_eq!(ada.json(), json!({ "error": "Message too long." }));
    for _ in 0..6 {
        ada.send_json(&json!({ "message": "again and again" }));
    }
    let limited = std::iter::repeat_with(|| ada.json()).take(6).find(|it| it["error"].is_string());
    let limited = limited.expect("the limiter steps in");
    assert!(limited["error"].as_str().is_some_and(|it| it.contains("rate-limited")), "{limited}");
}

#[test]
fn a_killed_host_has_the_last_messages() {
    let host = chat().serve();
    let (mut ada, _) = join(&host, "kept", "Ada");
    for number in 0..3 {
        ada.send_json(&json!({ "message": format!("message {number}") }));
        ada.json();
    }
    // The join and three messages; a message that was received was stored before it was sent.
    let host = host.killed();
    let (_, before) = join(&host, "kept", "Bob");
    let kept: Vec<_> = before.iter().filter_map(|it| it["message"].as_str()).collect();
    assert_eq!(kept, ["message 0", "message 1", "message 2"]);
    assert_eq!(before.last(), Some(&json!({ "joined": "Bob" })));
}
