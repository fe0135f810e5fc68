//! The dialect of aiwebengine: the scripts of its streaming guide as they are (`seed/`), and what its later versions have.

mod graphql;
mod loading;
mod reloads;
mod requests;
mod services;
mod sockets;
mod streams;

use std::time::Instant;

use serde_json::Value;

use crate::support::{Answer, EventStream, Host, PATIENCE, Site};

/// A script of the guide.
macro_rules! seed {
    ($name:literal) => {
        include_str!(concat!("seed/", $name))
    };
}
use seed;

/// A project with one script.
fn script(text: &str) -> Site {
    Site::new().file("scripts/main.js", text)
}

fn follow(host: &Host, path: &str) -> EventStream {
    follow_with(host, path, &[])
}

fn follow_with(host: &Host, path: &str, headers: &[(&str, &str)]) -> EventStream {
    let mut request = host.request("GET", path).plain();
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let stream = request.stream();
    assert_eq!(stream.status, 200);
    stream
}

/// The JSON of the next message.
#[track_caller]
fn next(stream: &mut EventStream) -> Value {
    let text = next_text(stream);
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"))
}

#[track_caller]
fn next_text(stream: &mut EventStream) -> String {
    let event = stream.next_event().expect("an event");
    assert_eq!(event.name, "message", "{event:?}");
    event.data
}

/// Posts a form.
#[track_caller]
fn post(host: &Host, path: &str, form: &str) -> Answer {
    host.request("POST", path)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.to_owned())
        .send()
}

/// Waits until a script's answer is as wished.
#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}");
    }
}

/// The members of an answer that is an error of the host.
#[track_caller]
fn failure(answer: &Answer) -> Value {
    assert_eq!(answer.header("content-type"), Some("application/json"), "{}", answer.text());
    let json = answer.json();
    assert_eq!(json["status"], answer.status);
    let id = json["error"]["request_id"].as_str().expect("an id of the request");
    assert_eq!(answer.header("x-request-id"), Some(id));
    assert!(json["error"]["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{json}");
    json["error"].clone()
}
