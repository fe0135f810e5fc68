//! `liveline:topics`: publishing, following by every kind of client, resuming, presence, and what survives a reload and
//! a restart. The protocol of Durable Streams has the suite of its authors: `cargo xtask streams`.

mod errors;
mod faults;
mod following;
mod lines;
mod presence;
mod stored;

use std::time::Instant;

use serde_json::Value;

use crate::support::{EventStream, Host, PATIENCE, Site};

/// Publishes what is posted, and answers with what `publish()` returns. Options of the call are in the query.
const PUBLISH: &str = r#"
    import { topic } from "liveline:topics";
    export const POST = async ({ request, url }) => {
      const options = Object.fromEntries(url.searchParams);
      const { to, filter, ...rest } = options;
      if (filter !== undefined) rest.filter = JSON.parse(filter);
      if (rest.retain !== undefined) rest.retain = true;
      return topic(to).publish(await request.json(), rest);
    };"#;

/// A site that publishes at `/publish?to=TOPIC`, and has this handler at the root.
fn site(handler: &str) -> Site {
    let import = r#"import { topic, topics } from "liveline:topics";"#;
    Site::new()
        .file("publish/handler.js", PUBLISH)
        // The handler at the root runs first.
        .file("handler.js", format!("{import}\n{handler}"))
}

#[track_caller]
fn publish(host: &Host, to: &str, data: &Value) -> Value {
    let answer = host.request("POST", &format!("/publish?to={to}")).json(data).send();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Waits until a topic has no subscriber.
#[track_caller]
fn all_leave(host: &Host, topic: &str) {
    let start = Instant::now();
    while publish(host, topic, &Value::Null)["subscribers"] != 0 {
        assert!(start.elapsed() < PATIENCE, "the topic {topic} keeps subscribers");
    }
}

fn follow(host: &Host, path: &str, headers: &[(&str, &str)]) -> EventStream {
    let mut request = host.request("GET", path).header("accept", "text/event-stream");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.stream()
}

/// The data of the next event, which has to be a message.
#[track_caller]
fn next(stream: &mut EventStream) -> Value {
    let event = stream.next_event().expect("an event");
    assert_eq!(event.name, "message", "{event:?}");
    serde_json::from_str(&event.data).unwrap_or_else(|_| panic!("{event:?}"))
}
