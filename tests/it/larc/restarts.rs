//! The end of the process, and new code.

use serde_json::json;

use super::{Page, post, site};

#[test]
fn a_restart_closes_sockets_with_1012() {
    let mut host = site().serve();
    let mut page = Page::open(&host, "");
    let mut stream = host.request("GET", "/api/events").header("accept", "text/event-stream").stream();
    host.signal("TERM");
    let code = loop {
        if let Err(code) = page.receive() {
            break code;
        }
    };
    assert_eq!(code, 1012);
    assert!(stream.next_event().is_none());
    assert_eq!(host.ended(), Some(0));
}

#[test]
fn new_code_closes_nothing() {
    let host = site().file("x/handler.js", "export const GET = () => 1").serve();
    let mut page = Page::open(&host, "");
    let mut stream = host.request("GET", "/api/events").header("accept", "text/event-stream").stream();
    host.site.write("x/handler.js", "export const GET = () => 2");
    host.signal("HUP");
    host.until("/x", |answer| answer.text() == "2");
    post(&host, &json!({ "topic": "activity", "data": 1 }));
    assert_eq!(page.of("activity"), 1);
    assert_eq!(stream.next_event().expect("an event").name, "activity");
}
