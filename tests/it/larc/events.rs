//! Messages as server-sent events, and by POST.

use serde_json::{Value, json};

use super::{Page, post, site};
use crate::support::{EventStream, Host};

fn stream(host: &Host, path: &str) -> EventStream {
    host.request("GET", path).header("accept", "text/event-stream").stream()
}

#[track_caller]
fn next(stream: &mut EventStream) -> (String, Value) {
    let event = stream.next_event().expect("an event");
    (event.name, serde_json::from_str(&event.data).expect("data is JSON"))
}

#[test]
fn events_are_named_after_their_topic_at_api_events() {
    let host = site().serve();
    let mut events = stream(&host, "/api/events");
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
    assert_eq!(events.header("x-accel-buffering"), Some("no"));
    post(&host, &json!({ "topic": "activity", "data": { "userName": "Ann" } }));
    let event = events.next_event().expect("an event");
    assert_eq!((event.name.as_str(), event.data.as_str()), ("activity", r#"{"userName":"Ann"}"#));
    assert!(!event.id.is_empty());
    // A name that means something else to `SSEClient` or `EventSource` is no event's name.
    post(&host, &json!({ "topic": "open", "data": 1 }));
    assert_eq!(next(&mut events), ("message".to_owned(), json!(1)));
}

#[test]
fn events_have_their_topic_in_json_at_sse() {
    let host = site().serve();
    let mut events = stream(&host, "/sse?topics=users.*%20orders.*");
    post(&host, &json!({ "topic": "other.saved", "data": 0 }));
    post(&host, &json!({ "topic": "users.saved", "data": { "id": 1 } }));
    let expected = json!({ "topic": "users.saved", "data": { "id": 1 } });
    assert_eq!(next(&mut events), ("message".to_owned(), expected));
    let mut named = stream(&host, "/sse?events=named");
    post(&host, &json!({ "topic": "orders.new", "payload": 2, "retain": true }));
    assert_eq!(next(&mut named), ("orders.new".to_owned(), json!(2)));
    assert_eq!(next(&mut events).1, json!({ "topic": "orders.new", "data": 2, "retain": true }));
    // A page that comes later receives what is retained first, flagged.
    let mut late = stream(&host, "/sse?topics=*");
    assert_eq!(next(&mut late).1["retain"], true);
}

#[test]
fn wildcards_stand_for_segments() {
    let host = site().serve();
    let topics = ["users.saved", "users.list.state", "orders.saved"];
    for (pattern, expected) in [
        ("users.*", vec!["users.saved"]),
        ("users.**", vec!["users.saved", "users.list.state"]),
        ("*.saved", vec!["users.saved", "orders.saved"]),
        ("*", topics.to_vec()),
    ] {
        let mut events = stream(&host, &format!("/sse?topics={pattern},end"));
        for topic in topics.iter().chain(["end"].iter()) {
            post(&host, &json!({ "topic": topic, "data": 1 }));
        }
        let mut seen = Vec::new();
        loop {
            let topic = next(&mut events).1["topic"].as_str().expect("a topic").to_owned();
            if topic == "end" {
                break;
            }
            seen.push(topic);
        }
        assert_eq!(seen, expected, "{pattern}");
    }
}

#[test]
fn a_post_is_json_whatever_its_type_and_errors_are_json() {
    let host = site().serve();
    let mut page = Page::open(&host, "");
    for kind in ["text/plain;charset=UTF-8", "application/json", "application/x-www-form-urlencoded"] {
        for path in ["/sse", "/api/events"] {
            let answer = host
                .request("POST", path)
                .header("content-type", kind)
                .body(json!({ "topic": "t", "data": kind }).to_string())
                .send();
            assert_eq!((answer.status, &answer.json()["ok"]), (200, &json!(true)), "{kind}");
            assert_eq!(page.next()["payload"], kind);
        }
    }
    for (body, status, reason) in [
        ("{", 400, "JSON"),
        ("{\"data\":1}", 400, "neither"),
        (r#"{"topic":"a b","data":1}"#, 400, "no ' '"),
        (r#"{"type":"join-document","payload":{"docId":"d"}}"#, 400, "WebSocket"),
    ] {
        let answer = host.request("POST", "/sse").body(body).send();
        assert_eq!((answer.status, &answer.json()["ok"]), (status, &json!(false)), "{body}");
        assert!(
            answer.json()["error"].as_str().is_some_and(|error| error.contains(reason)),
            "{}",
            answer.text()
        );
    }
    assert_eq!(host.request("DELETE", "/sse").send().status, 405);
}

#[test]
fn pages_of_allowed_origins_send_credentials() {
    let host = site().arg("--allow-origin=http://localhost:5050").serve();
    let from = |origin: &str, method: &str| host.request(method, "/sse").header("origin", origin);
    let mine = from("http://localhost:5050", "OPTIONS")
        .header("access-control-request-method", "PUT")
        .header("access-control-request-headers", "content-type,x-own")
        .send();
    assert_eq!(mine.status, 204);
    assert_eq!(mine.header("access-control-allow-origin"), Some("http://localhost:5050"));
    assert_eq!(mine.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(mine.header("access-control-allow-headers"), Some("content-type,x-own"));
    assert!(
        mine.header("access-control-allow-methods")
            .is_some_and(|it| it.contains("PUT") && it.contains("DELETE"))
    );
    assert!(mine.all("vary").contains(&"Origin"));
    let message = json!({ "topic": "t", "data": 1 }).to_string();
    assert_eq!(from("http://localhost:5050", "POST").body(message.clone()).send().status, 200);

    // A page of another origin cannot publish in the name of its visitor, and its stream ends for good.
    let other = from("http://evil.example", "POST").body(message).send();
    assert_eq!((other.status, other.header("access-control-allow-origin")), (403, None));
    let stream = from("http://evil.example", "GET").header("accept", "text/event-stream").send();
    assert_eq!(stream.status, 204);
    assert_eq!(Page::dial(&host, "", &[("origin", "http://evil.example")]).err(), Some(403));
    Page::dial(&host, "", &[("origin", "http://localhost:5050")]).expect("an allowed page");
}

#[test]
fn in_development_pages_of_this_machine_are_allowed() {
    let host = site().dev();
    let answer = host.request("OPTIONS", "/sse").header("origin", "http://localhost:5050").send();
    assert_eq!(answer.header("access-control-allow-origin"), Some("http://localhost:5050"));
    let answer = host.request("OPTIONS", "/sse").header("origin", "http://evil.example").send();
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[test]
fn an_event_source_is_answered_with_200_or_204_only() {
    let host = site().arg("--max-topic-subscribers=1").serve();
    let _first = stream(&host, "/api/events");
    // A stream that cannot be served now ends at once, and is asked for again.
    let full = host.request("GET", "/api/events").header("accept", "text/event-stream").send();
    assert_eq!((full.status, full.header("content-type")), (200, Some("text/event-stream")));
    assert!(full.text().contains("retry: 5000") && full.text().contains(": there are 1 subscribers"));
    let none = host.request("GET", "/sse?topics=a%23").header("accept", "text/event-stream").send();
    assert_eq!(none.status, 204);
}
