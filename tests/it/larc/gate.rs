//! `_hub.js`, which decides on what pages send.

use serde_json::json;

use super::{Page, site};
use crate::support::Site;

const HUB: &str = r#"
export default async function onHubMessage(topic, data, ctx) {
  if (topic === "connect") {
    if (ctx.token === "wrong") return false;
    return ctx.token ? { userId: ctx.token, name: ctx.token.toUpperCase() } : undefined;
  }
  if (topic === "subscribe") return ctx.query.all ? true : { topics: ["public.*"] };
  if (topic === "private.x") return false;
  if (topic === "public.shout") return { text: data.text.toUpperCase(), transport: ctx.transport };
  if (topic === "public.thrown") throw new Error("a secret of the site");
  if (topic === "public.refused") throw Object.assign(new Error("not on Sundays"), { expose: true });
  if (topic === "document-update") return { ...data, content: data.content.trim() };
}"#;

fn guarded() -> Site {
    site().file("routes/_hub.js", HUB)
}

#[test]
fn messages_pass_change_or_are_dropped() {
    let host = guarded().serve();
    let (mut ann, mut bob) = (Page::open(&host, ""), Page::open(&host, ""));
    ann.send("private.x", &json!(1));
    ann.send("public.shout", &json!({ "text": "hi" }));
    ann.send("public.plain", &json!({ "text": "hi" }));
    assert_eq!(bob.next()["payload"], json!({ "text": "HI", "transport": "websocket" }));
    assert_eq!(bob.next()["payload"], json!({ "text": "hi" }));
    let by_post = json!({ "topic": "public.shout", "data": { "text": "p" } });
    assert_eq!(host.request("POST", "/sse").body(by_post.to_string()).send().status, 200);
    assert_eq!(bob.next()["payload"], json!({ "text": "P", "transport": "post" }));
}

#[test]
fn an_error_refuses_a_message_and_its_text_stays_on_the_server() {
    let host = guarded().serve();
    let mut page = Page::open(&host, "");
    page.send("public.thrown", &json!(1));
    assert_eq!(page.of("hub.error")["message"], "public.thrown: refused");
    host.log.contains("a secret of the site");
    page.send("public.refused", &json!(1));
    assert_eq!(page.of("hub.error")["message"], "public.refused: not on Sundays");
    let refused = json!({ "topic": "public.refused", "data": 1 }).to_string();
    let answer = host.request("POST", "/sse").body(refused).send();
    assert_eq!((answer.status, answer.json()["error"].clone()), (403, json!("not on Sundays")));
}

#[test]
fn the_site_decides_who_connects_and_as_whom() {
    let host = guarded().serve();
    assert_eq!(Page::dial(&host, "?token=wrong", &[]).err(), Some(403));
    let mut ann = Page::open(&host, "?token=ann");
    ann.send("join-document", &json!({ "docId": "d", "userId": "root", "name": "Root" }));
    assert_eq!(ann.of("collaborator-joined"), json!({ "docId": "d", "userId": "ann", "name": "ANN" }));
    let mut bob = Page::open(&host, "?token=bob");
    bob.send("join-document", &json!({ "docId": "d" }));
    ann.send("document-update", &json!({ "docId": "d", "content": "  x  " }));
    assert_eq!(bob.of("document-update")["content"], "x");
}

#[test]
fn the_site_decides_what_a_stream_follows() {
    let host = guarded().serve();
    let mut stream = host.request("GET", "/sse?topics=*").header("accept", "text/event-stream").stream();
    let mut page = Page::open(&host, "");
    page.send("other", &json!(1));
    page.send("public.plain", &json!(2));
    let event = stream.next_event().expect("an event");
    assert!(event.data.contains("public.plain"), "{event:?}");
}

#[test]
fn the_function_is_reloaded_and_pages_stay() {
    let host = guarded().dev();
    let (mut ann, mut bob) = (Page::open(&host, ""), Page::open(&host, ""));
    ann.send("public.shout", &json!({ "text": "one" }));
    assert_eq!(bob.next()["payload"]["text"], "ONE");
    host.site.write("routes/_hub.js", "export default (topic, data) => ({ now: data.text })");
    host.log.contains("reloaded");
    ann.send("public.shout", &json!({ "text": "two" }));
    assert_eq!(bob.next()["payload"], json!({ "now": "two" }));
    // Code that does not load changes nothing.
    host.site.write("routes/_hub.js", "export default (");
    host.log.contains("_hub.js:1");
    ann.send("public.shout", &json!({ "text": "three" }));
    assert_eq!(bob.next()["payload"], json!({ "now": "three" }));
}

#[test]
fn a_file_without_a_function_is_an_error_at_the_start() {
    let run = site().file("routes/_hub.js", "export const x = 1").run("check");
    assert_ne!(run.code, Some(0));
    assert!(run.output().contains("_hub.js"), "{}", run.output());
}

#[test]
fn a_site_that_does_not_load_has_no_open_hub() {
    let mut host = site().file("routes/_hub.js", "export default (").begin_dev();
    host.ready();
    assert_eq!(Page::dial(&host, "", &[]).err(), Some(503));
    let stream = host.request("GET", "/sse").header("accept", "text/event-stream").send();
    assert_eq!(stream.status, 200);
    assert!(stream.text().contains("retry:"));
}
