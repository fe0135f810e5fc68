//! Topics in a file: a client that connects to the next process continues where it was.

use serde_json::json;

use super::{follow, next, publish, site};
use crate::support::Site;

const NEWS: &str = r#"
topic("/news", { history: 100 });
export default (event, next) => next.stepname ? next() : topic("/news");"#;

fn with_store(path: &std::path::Path) -> Site {
    site(NEWS).arg("--topic-store").arg(path.to_str().expect("a path"))
}

#[cfg(unix)]
#[test]
fn a_client_continues_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("topics.sqlite");
    let mut host = with_store(&path).serve();
    let mut stream = follow(&host, "/", &[]);
    publish(&host, "/news", &json!(1));
    let last = stream.next_event().expect("an event").id;
    let second = publish(&host, "/news", &json!(2))["id"].clone();
    let keyed = host.request("POST", "/publish?to=/news&key=k").json(&json!(3)).send().json();
    host.signal("TERM");
    assert_eq!(host.ended(), Some(0));

    let host = with_store(&path).serve();
    let mut stream = follow(&host, "/", &[("last-event-id", &last)]);
    let event = stream.next_event().expect("an event");
    assert_eq!((json!(event.id), event.data.as_str()), (second, "2"));
    assert_eq!(next(&mut stream), json!(3));
    let again = host.request("POST", "/publish?to=/news&key=k").json(&json!(3)).send().json();
    assert_eq!((&again["id"], &again["duplicate"]), (&keyed["id"], &json!(true)));
    publish(&host, "/news", &json!(4));
    assert_eq!(next(&mut stream), json!(4));
}

#[cfg(unix)]
#[test]
fn what_was_reported_as_stored_survives_a_kill() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("topics.sqlite");
    let mut host = with_store(&path)
        .file(
            "store/handler.js",
            r#"import { topic } from "liveline:topics";
            export const POST = async (event) => {
              const { id } = topic("/news").publish(await event.request.json());
              await topic("/news").stored();
              return id;
            };"#,
        )
        .serve();
    let first = host.request("POST", "/store").json(&json!(1)).send().text().trim_matches('"').to_owned();
    for n in 2..=50 {
        assert_eq!(host.request("POST", "/store").json(&json!(n)).send().status, 200);
    }
    host.signal("KILL");
    host.ended();
    let host = with_store(&path).serve();
    let mut stream = follow(&host, "/", &[("last-event-id", &first)]);
    for n in 2..=50 {
        assert_eq!(next(&mut stream), json!(n));
    }
}

#[test]
fn a_file_that_is_no_store_stops_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("text");
    std::fs::write(&path, "a text that is long enough to be read as the head of a database, but is none")
        .expect("a file");
    let finished = with_store(&path).arg("--port=0").run("serve");
    assert_eq!(finished.code, Some(1));
    assert!(finished.stderr.contains("the topics in"), "{}", finished.stderr);
}
