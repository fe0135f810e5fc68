//! New code while clients follow streams, and restarts.

use super::{follow, follow_with, next, post, script, seed, until};
use crate::support::EventStream;

#[test]
fn new_code_takes_over_without_closing_a_stream() {
    let host = script(seed!("alerts.js")).serve();
    let mut streams: Vec<EventStream> = (0..100).map(|_| follow(&host, "/notifications")).collect();
    post(&host, "/send-alert", "type=a&message=old");
    for stream in &mut streams {
        assert_eq!(next(stream)["message"], "old");
    }

    host.site.write(
        "scripts/main.js",
        seed!("alerts.js").replace("message: message,", "message: `new ${message}`,"),
    );
    host.signal("HUP");
    host.log.next("reloaded");
    post(&host, "/send-alert", "type=a&message=code");

    for stream in &mut streams {
        assert_eq!(next(stream)["message"], "new code");
    }
}

#[test]
fn a_stream_that_is_not_registered_any_more_ends() {
    let host = script(seed!("alerts.js")).file("scripts/other.js", "registerWebStream('/other');").serve();
    let mut stream = follow(&host, "/notifications");
    let mut other = follow(&host, "/other");

    host.site
        .write("scripts/main.js", seed!("alerts.js").replace("registerWebStream(\"/notifications\");", ""));
    host.signal("HUP");
    host.log.next("reloaded");

    while stream.next_event().is_some() {}
    // An EventSource that is answered with 204 does not come back.
    until("the stream is there", || {
        host.request("GET", "/notifications").header("accept", "text/event-stream").send().status == 204
    });
    assert_eq!(host.get("/notifications").status, 404);
    post(&host, "/send-alert", "type=a&message=m");
    assert_eq!(next(&mut other)["message"], "m");

    host.site.write("scripts/main.js", seed!("alerts.js"));
    host.signal("HUP");
    host.log.next("reloaded");
    let mut again = follow(&host, "/notifications");
    post(&host, "/send-alert", "type=a&message=back");
    assert_eq!(next(&mut again)["message"], "back");
}

#[test]
fn code_that_does_not_load_does_not_take_over() {
    let host = script(seed!("alerts.js")).serve();
    let mut stream = follow(&host, "/notifications");
    host.site.write("scripts/main.js", "registerWebStream('no-slash');");
    host.signal("HUP");
    host.log.next("reload failed");
    post(&host, "/send-alert", "type=a&message=m");
    assert_eq!(next(&mut stream)["message"], "m");
}

#[test]
fn state_of_a_script_begins_anew_with_new_code() {
    let text = "let n = 0; register('/count', () => String(++n));";
    let host = script(text).arg("--workers").arg("1").serve();
    assert_eq!((host.get("/count").text(), host.get("/count").text()), ("1", "2"));
    host.site.write("scripts/main.js", format!("{text}\n"));
    host.signal("HUP");
    host.log.next("reloaded");
    until("the old code answers", || host.get("/count").text() == "1");
}

#[test]
fn a_client_continues_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("topics.sqlite");
    let site = || script(seed!("alerts.js")).arg("--topic-store").arg(store.to_str().expect("a path"));
    let host = site().serve();
    let mut stream = follow(&host, "/notifications");
    post(&host, "/send-alert", "type=a&message=1");
    let last = stream.next_event().expect("an event").id;
    post(&host, "/send-alert", "type=a&message=2");
    assert_eq!(next(&mut stream)["message"], "2");
    let mut host = host;
    host.signal("TERM");
    assert_eq!(host.ended(), Some(0));

    let host = site().serve();
    let mut stream = follow_with(&host, "/notifications", &[("last-event-id", &last)]);
    assert_eq!(next(&mut stream)["message"], "2");
    post(&host, "/send-alert", "type=a&message=3");
    assert_eq!(next(&mut stream)["message"], "3");
}
