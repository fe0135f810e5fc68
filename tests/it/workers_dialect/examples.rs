//! The examples of Workers, as they are.

use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use crate::support::{Host, Line, Site};

/// An example, with stored data of its own.
fn example(name: &str) -> (Host, TempDir) {
    let data = tempfile::tempdir().expect("a folder");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/workers").join(name);
    let flag = format!("--data={}", data.path().display());
    (Site::of(folder).arg(&flag).serve(), data)
}

#[track_caller]
fn open(host: &Host, path: &str) -> Line {
    host.dial(path).connect().unwrap_or_else(|status| panic!("refused with {status}"))
}

#[track_caller]
fn text(line: &mut Line) -> String {
    line.receive_text().unwrap_or_else(|code| panic!("closed with {code}"))
}

#[test]
fn people_in_one_room_of_the_chat_receive_each_others_messages() {
    let (host, _data) = example("chat");
    let join = |room: &str| open(&host, &format!("/api/chat?room={room}"));
    let people = |count: u32| format!(r#"{{"type":"people","people":{count}}}"#);
    let mut one = join("a");
    assert_eq!(text(&mut one), people(1));
    let mut two = join("a");
    assert_eq!([text(&mut one), text(&mut two)], [people(2), people(2)]);
    let mut other = join("b");
    assert_eq!(text(&mut other), people(1));

    one.send_text(r#"{ "user": "Ada", "content": "hello" }"#);
    let expected = r#"{"type":"message","user":"Ada","content":"hello"}"#;
    assert_eq!([text(&mut one), text(&mut two)], [expected, expected]);
    other.send_text("no JSON");
    assert_eq!(text(&mut other), r#"{"type":"error","error":"This is no JSON."}"#);
    let history = host.get("/api/chat?room=a").json();
    assert_eq!((history[0]["user"].clone(), history[0]["content"].clone()), (json!("Ada"), json!("hello")));
    assert!(host.get("/").text().contains("<h1>Chat</h1>"));
    two.close();
    assert_eq!(text(&mut one), people(1));
}

#[test]
fn the_hibernating_room_knows_who_writes() {
    let (host, _data) = example("room");
    let [mut ada, mut bob] = ["/r?name=Ada", "/r?name=Bob"].map(|path| open(&host, path));

    ada.send_text("ping");
    assert_eq!(text(&mut ada), "pong");
    bob.send_text("hello");
    assert_eq!([text(&mut ada), text(&mut bob)], ["Bob: hello", "Bob: hello"]);
    bob.close();
    assert_eq!(text(&mut ada), "Bob has left");
}

#[test]
fn the_counter_and_the_notes_are_stored() {
    let (host, _data) = example("counter");
    for count in 1..=3 {
        assert_eq!(host.request("POST", "/a").send().json(), json!({ "count": count }));
    }
    assert_eq!(host.get("/b").json(), json!({ "count": 0 }));

    let (host, _data) = example("notes");
    assert_eq!(host.request("POST", "/").body("milk").send().json(), json!({ "id": 1 }));
    assert_eq!(host.get("/").json(), json!([{ "id": 1, "text": "milk" }]));
    let deleted = ["/1", "/1"].map(|path| host.request("DELETE", path).send().status);
    assert_eq!(deleted, [204, 404]);
}

#[test]
fn the_reminder_wakes_itself() {
    let (host, _data) = example("alarm");
    assert_eq!(host.request("POST", "/r?seconds=0").body("tea").send().status, 200);
    host.until("/r", |answer| answer.json() == json!({ "due": null, "reminded": "tea" }));
}
