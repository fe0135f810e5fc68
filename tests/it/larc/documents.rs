//! Documents that several pages edit.

use serde_json::{Value, json};

use super::{Page, site};
use crate::support::Host;

#[track_caller]
fn join(host: &Host, user: &str, document: &str) -> Page {
    let mut page = Page::open(host, &format!("?userId={user}&name={user}"));
    page.send("join-document", &json!({ "docId": document }));
    while page.of("collaborator-joined")["userId"] != user {}
    page
}

fn edit(page: &mut Page, document: &str, content: &str) {
    page.send("document-update", &json!({ "docId": document, "content": content }));
}

#[test]
fn collaborators_receive_each_other_and_the_document() {
    let host = site().serve();
    let mut ann = join(&host, "ann", "d1");
    let mut eve = join(&host, "eve", "d2");
    edit(&mut ann, "d1", "Hello");
    ann.settled();
    let mut bob = join(&host, "bob", "d1");
    assert_eq!(ann.of("collaborator-joined"), json!({ "docId": "d1", "userId": "bob", "name": "bob" }));
    let document = bob.of("document-update");
    assert_eq!((&document["content"], &document["version"]), (&json!("Hello"), &json!(1)));
    edit(&mut bob, "d1", "Hello, world");
    assert_eq!(ann.of("document-update")["content"], "Hello, world");
    let others = eve.settled();
    assert!(others.iter().all(|frame| frame["type"] != "document-update"), "{others:?}");

    // The socket's end counts, whatever the page does before.
    drop(bob);
    assert_eq!(ann.of("collaborator-left"), json!({ "docId": "d1", "userId": "bob" }));
}

#[test]
fn a_collaborator_without_a_name_has_one() {
    let host = site().serve();
    let mut page = Page::open(&host, "");
    page.send("join-document", &json!({ "docId": "d" }));
    let name = page.of("collaborator-joined")["name"].take();
    assert!(name.as_str().is_some_and(|name| !name.is_empty()), "{name}");
}

#[test]
fn two_who_type_at_a_time_receive_the_same_text_when_they_pause() {
    let host = site().serve();
    let (mut ann, mut bob) = (join(&host, "ann", "d"), join(&host, "bob", "d"));
    for round in 0..5 {
        edit(&mut ann, "d", &format!("ann {round}"));
        edit(&mut bob, "d", &format!("bob {round}"));
    }
    // The last version that each receives is the same, though both may have ignored the first time.
    let last = |page: &mut Page| -> Value {
        let mut document = page.of("document-update");
        while document["version"] != 10 {
            document = page.of("document-update");
        }
        document
    };
    assert_eq!(last(&mut ann), last(&mut bob));
}

#[test]
fn a_page_that_comes_back_takes_part_with_its_next_update() {
    let host = site().serve();
    let mut ann = join(&host, "ann", "d");
    drop(join(&host, "bob", "d"));
    let mut bob = Page::open(&host, "?userId=bob&name=bob");
    edit(&mut bob, "d", "from bob");
    assert_eq!(ann.of("document-update")["content"], "from bob");
    edit(&mut ann, "d", "from ann");
    assert_eq!(bob.of("document-update")["content"], "from ann");
}

#[test]
fn a_document_outlives_its_pages_and_is_a_topic_for_handlers() {
    let host = site()
        .file(
            "documents/-/handler.js",
            r#"import { topic } from "liveline:topics";
            export function GET() { return topic(`/larc/documents/${this.stepname}`).latest?.data ?? null; }"#,
        )
        .serve();
    let mut ann = join(&host, "ann", "d1");
    edit(&mut ann, "d1", "kept");
    ann.settled();
    assert_eq!(host.get("/documents/d1").json()["content"], "kept");
    ann.close();
    let mut bob = join(&host, "bob", "d1");
    assert_eq!(bob.of("document-update")["content"], "kept");
}

#[test]
fn a_document_survives_a_restart_with_a_store() {
    let site = site();
    let store = site.path("topics.sqlite").display().to_string();
    let host = site.arg(&format!("--topic-store={store}")).serve();
    let mut ann = join(&host, "ann", "any name: /?#");
    edit(&mut ann, "any name: /?#", "kept");
    ann.settled();
    drop(ann);
    let host = host.restart("TERM");
    let mut bob = join(&host, "bob", "any name: /?#");
    assert_eq!(bob.of("document-update")["content"], "kept");
}
