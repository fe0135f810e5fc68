//! Order, and clients that connect again.

use std::collections::BTreeSet;
use std::thread;

use serde_json::{Value, json};

use super::{Page, post, site};
use crate::support::{EventStream, Host};

fn stream(host: &Host, path: &str, after: Option<&str>) -> EventStream {
    let request = host.request("GET", path).header("accept", "text/event-stream");
    let request = after.into_iter().fold(request, |request, id| request.header("last-event-id", id));
    request.stream()
}

#[test]
fn ten_thousand_messages_arrive_in_order_on_both_transports() {
    const MESSAGES: u64 = 10_000;
    let host = site().arg("--hub-rate=1000000").arg("--max-topic-bytes=512MiB").serve();
    let (mut sender, mut page) = (Page::open(&host, ""), Page::open(&host, ""));
    let mut events = stream(&host, "/api/events", None);
    let by_page = thread::spawn(move || {
        (0..MESSAGES).for_each(|n| assert_eq!(page.next()["payload"], n));
    });
    let by_events = thread::spawn(move || {
        (0..MESSAGES).for_each(|n| assert_eq!(events.next_event().expect("an event").data, n.to_string()));
    });
    (0..MESSAGES).for_each(|n| sender.send("n", &json!(n)));
    by_page.join().expect("the page received all");
    by_events.join().expect("the stream received all");
}

#[test]
fn a_client_that_lost_its_connection_receives_every_message_once() {
    const MESSAGES: u64 = 900;
    let host = site().serve();
    let publish = |range: std::ops::Range<u64>| {
        range.for_each(|n| drop(post(&host, &json!({ "topic": format!("t{}.n", n % 3), "data": n }))));
    };
    let mut first = stream(&host, "/sse?topics=*", None);
    publish(0..MESSAGES / 2);
    let (mut seen, mut last) = (BTreeSet::new(), String::new());
    for _ in 0..100 {
        let event = first.next_event().expect("an event");
        assert!(seen.insert(number(&event.data)));
        last = event.id;
    }
    // The connection is cut in the middle of what was sent.
    drop(first);
    publish(MESSAGES / 2..MESSAGES);

    let by_header = rest(stream(&host, "/sse?topics=*", Some(&last)), MESSAGES);
    let by_query = rest(stream(&host, &format!("/sse?topics=*&lastEventId={last}"), None), MESSAGES);
    assert_eq!(by_header, by_query);
    let all: Vec<u64> = seen.into_iter().chain(by_header).collect();
    assert_eq!(all, (0..MESSAGES).collect::<Vec<_>>());

    // A socket continues where the stream was: both have the same ids.
    let mut page = Page::open(&host, &format!("?lastEventId={last}"));
    let by_socket: Vec<_> =
        (100..MESSAGES).map(|_| page.next()["payload"].as_u64().expect("a number")).collect();
    assert_eq!(by_socket, by_query);
}

fn number(data: &str) -> u64 {
    let data: Value = serde_json::from_str(data).expect("JSON");
    data["data"].as_u64().expect("a number")
}

fn rest(mut stream: EventStream, messages: u64) -> Vec<u64> {
    let mut seen = Vec::new();
    while seen.last() != Some(&(messages - 1)) {
        let event = stream.next_event().expect("an event");
        assert_eq!(event.name, "message");
        seen.push(number(&event.data));
    }
    seen
}

#[test]
fn an_id_that_is_not_known_is_a_gap_and_never_silence() {
    let host = site().serve();
    post(&host, &json!({ "topic": "t", "data": 1 }));
    let mut events = stream(&host, "/sse", Some("from-another-server"));
    assert_eq!(events.next_event().expect("a notice").name, "gap");
    assert_eq!(number(&events.next_event().expect("what is kept").data), 1);
    let mut page = Page::open(&host, "?lastEventId=from-another-server");
    assert_eq!(page.of("hub.gap")["missed"], Value::Null);
    assert_eq!(page.of("t"), 1);
}
