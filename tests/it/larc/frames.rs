//! The formats of frames on one socket.

use serde_json::json;

use super::{Page, post, site};
use crate::support::Site;

#[test]
fn a_ping_is_answered_without_javascript() {
    let host = site()
        .file("handler.js", "export const GET = () => 'there'")
        .file("routes/none.txt", "")
        .arg("--hub")
        .arg("--metrics=127.0.0.1:0")
        .serve();
    let mut page = Page::open(&host, "");
    let exchanges = || host.figures().find("liveline_exchanges_total", &[]).unwrap_or_default();
    let before = exchanges();
    page.text(r#"{"type":"ping","payload":{},"timestamp":1}"#);
    let frame = page.next();
    assert_eq!((&frame["type"], &frame["payload"]), (&json!("pong"), &json!({})));
    page.text(r#"{"topic":"sys.ping","ts":1}"#);
    assert_eq!(page.next()["topic"], "sys.pong");
    assert_eq!(exchanges(), before);
}

#[test]
fn a_message_reaches_every_page_but_its_own() {
    let host = site().serve();
    let (mut ann, mut bob) = (Page::open(&host, ""), Page::open(&host, ""));
    let mut echoed = Page::open(&host, "?echo=1");
    ann.send("chat.message", &json!({ "text": "Hello!" }));
    assert_eq!(bob.of("chat.message"), json!({ "text": "Hello!" }));
    echoed.send("chat.message", &json!({ "text": "I" }));
    let texts = [echoed.of("chat.message"), echoed.of("chat.message")];
    assert_eq!(texts, [json!({ "text": "Hello!" }), json!({ "text": "I" })]);
    let own = ann.settled().into_iter().filter(|frame| frame["type"] == "chat.message");
    assert_eq!(own.map(|frame| frame["payload"]["text"].clone()).collect::<Vec<_>>(), ["I"]);
}

#[test]
fn a_page_receives_the_format_that_it_sends() {
    let host = site().serve();
    let (mut book, mut pan, mut silent) =
        (Page::open(&host, ""), Page::open(&host, ""), Page::open(&host, ""));
    book.settled();
    pan.text(r#"{"topic":"sys.ping","ts":1}"#);
    while pan.next()["topic"] != "sys.pong" {}
    let id = post(&host, &json!({ "topic": "users.saved", "data": { "id": 1 } }))["id"].clone();

    let expected = json!({ "type": "users.saved", "payload": { "id": 1 }, "id": id });
    assert_eq!(book.next(), expected);
    assert_eq!(pan.next(), json!({ "topic": "users.saved", "data": { "id": 1 }, "id": id }));
    // LARC's components take the payload of a frame that has a topic and no data.
    let both = json!({ "type": "users.saved", "topic": "users.saved", "payload": { "id": 1 }, "id": id });
    assert_eq!(silent.next(), both);

    // One that sends both receives both.
    pan.send("ping", &json!({}));
    while pan.next()["type"] != "pong" {}
    post(&host, &json!({ "topic": "users.saved", "data": 2, "id": "second" }));
    assert_eq!(pan.next()["topic"], "users.saved");
}

#[test]
fn pages_that_send_back_what_they_receive_do_not_storm() {
    let host = site().serve();
    let mut pages = [Page::open(&host, ""), Page::open(&host, "")];
    pages[0].text(r#"{"topic":"chat.x","data":{"n": 1.0},"ts":1,"id":"first"}"#);
    let received = pages[1].next();
    assert_eq!(received["payload"], json!({ "n": 1.0 }));
    // As `<pan-websocket>` does whose inbound topics are outbound, too: with an id of its own.
    pages[1].text(r#"{"topic":"chat.x","data":{"n":1},"ts":2,"id":"other"}"#);
    pages[1].text(r#"{"topic":"chat.x","data":{"n":2},"ts":2,"id":"new"}"#);
    assert_eq!(pages[0].next()["data"], json!({ "n": 2 }));
}

#[test]
fn a_message_with_an_id_that_is_known_is_a_duplicate() {
    let host = site().serve();
    let mut page = Page::open(&host, "");
    let message = json!({ "topic": "chat.x", "data": 1, "id": "same" });
    let (first, second) = (post(&host, &message), post(&host, &message));
    assert_eq!(first, second);
    assert_eq!(first["ok"], true);
    assert_eq!(page.next()["id"], first["id"]);
    post(&host, &json!({ "topic": "chat.x", "data": 2 }));
    assert_eq!(page.next()["payload"], 2);
}

#[test]
fn a_retained_message_comes_first_and_is_flagged() {
    let host = site().serve();
    let mut one = Page::open(&host, "");
    one.text(r#"{"topic":"users.list.state","data":[1],"retain":true}"#);
    one.text(r#"{"topic":"users.saved","data":2}"#);
    one.settled();
    let mut late = Page::open(&host, "");
    let frame = late.next();
    assert_eq!(
        (&frame["topic"], &frame["payload"], &frame["retain"]),
        (&json!("users.list.state"), &json!([1]), &json!(true))
    );
    assert!(late.settled().iter().all(|frame| frame["type"] != "users.saved"));
}

#[test]
fn a_page_may_follow_some_topics_only() {
    let host = site().serve();
    let mut page = Page::open(&host, "?topics=users.*");
    let mut other = Page::open(&host, "");
    for topic in ["users.list.state", "orders.saved", "users.saved"] {
        other.send(topic, &json!(topic));
    }
    assert_eq!(page.next()["payload"], "users.saved");
    page.send("subscribe", &json!({ "topics": ["orders.**"] }));
    page.settled();
    for topic in ["users.saved", "orders.a.b"] {
        other.send(topic, &json!(topic));
    }
    assert_eq!(page.next()["payload"], "orders.a.b");
}

#[test]
fn a_frame_without_a_meaning_is_an_error_and_the_page_goes_on() {
    let host = site().serve();
    let mut page = Page::open(&host, "");
    for (frame, reason) in [
        ("no json", "JSON object"),
        ("[]", "JSON object"),
        ("{}", "neither"),
        (r#"{"type":"a b","payload":1}"#, "no ' '"),
        (r#"{"type":"/private","payload":1}"#, "no '/'"),
        (r#"{"type":"collaborator-left","payload":{"userId":"x"}}"#, "only the server"),
        (r#"{"type":"document-update","payload":{"docId":"d"}}"#, "content"),
        (r#"{"type":"subscribe","payload":{"topics":["a b#"]}}"#, "no '#'"),
    ] {
        page.text(frame);
        let error = page.of("hub.error");
        assert!(error["message"].as_str().is_some_and(|text| text.contains(reason)), "{frame}: {error}");
    }
    page.0.send(tokio_tungstenite::tungstenite::Message::binary(vec![1])).expect("the hub reads");
    assert!(page.of("hub.error")["message"].as_str().expect("a text").contains("frames are text"));
    page.settled();
}

#[test]
fn handlers_publish_to_pages_and_keep_topics_of_their_own() {
    let host = site()
        .file(
            "notify/handler.js",
            r#"import { topic } from "liveline:topics";
            export const POST = async ({ request }) => {
              topic("/private").publish("secret");
              topic("notification").publish(await request.json());
            };"#,
        )
        .serve();
    let mut page = Page::open(&host, "");
    let mut all = Page::open(&host, "?topics=*,/private,/**");
    host.request("POST", "/notify").json(&json!({ "id": 1, "title": "Hi" })).send();
    assert_eq!(page.of("notification"), json!({ "id": 1, "title": "Hi" }));
    assert_eq!(all.next()["type"], "notification");
}

#[test]
fn the_hub_is_there_for_pages_of_larc_and_where_it_is_asked_for() {
    let plain = || Site::new().file("public/index.html", "<script>customElements.define('x-y', X)</script>");
    assert_eq!(Page::dial(&plain().serve(), "", &[]).err(), Some(404));
    let host = plain().arg("--hub").serve();
    Page::open(&host, "").settled();
    assert_eq!(Page::dial(&site().arg("--hub=off").serve(), "", &[]).err(), Some(404));
}

#[test]
fn a_route_of_the_site_has_its_path() {
    let own = "export const GET = () => 'mine'";
    let host = site().file("handler.js", own).serve();
    assert_eq!(host.get("/sse").text(), "mine");
    let host = site().file("sse/handler.js", own).arg("--hub").serve();
    assert_eq!(host.get("/sse").text(), "mine");
    Page::open(&host, "").settled();
    let host = site().file("handler.js", own).arg("--hub").serve();
    Page::open(&host, "").settled();
}
