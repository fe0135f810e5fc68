//! Who is there.

use serde_json::{Value, json};

use super::{Page, site};

/// The next change of a user's presence: the status, or `offline`.
#[track_caller]
fn change(page: &mut Page, user: &str) -> String {
    loop {
        let frame = page.receive().expect("a frame");
        let payload = &frame["payload"];
        if payload["userId"] != user {
            continue;
        }
        match frame["type"].as_str() {
            Some("presence-update") => return payload["status"].as_str().expect("a status").to_owned(),
            Some("presence-offline") => return "offline".to_owned(),
            _ => {}
        }
    }
}

/// Waits until a user's presence changes to this. On a busy machine a heartbeat that is late repeats the status before.
#[track_caller]
fn becomes(page: &mut Page, user: &str, status: &str) {
    while change(page, user) != status {}
}

#[test]
fn a_user_is_online_while_one_of_the_tabs_is() {
    let host = site().serve();
    let mut watcher = Page::open(&host, "?userId=watcher");
    let one = Page::open(&host, "?token=secret");
    let (mut user, mut name) = (Value::Null, Value::Null);
    while user.as_str().is_none_or(|user| !user.starts_with("user-")) {
        let mut payload = watcher.of("presence-update");
        (user, name) = (payload["userId"].take(), payload["name"].take());
    }
    let user = user.as_str().expect("a text").to_owned();
    assert!(!user.contains("secret") && name == "User");
    let mut two = Page::open(&host, "?token=secret");
    assert_eq!(change(&mut two, "watcher"), "online");
    one.close();
    two.send("presence-update", &json!({ "status": "away" }));
    assert_eq!(change(&mut watcher, &user), "away");
    two.close();
    assert_eq!(change(&mut watcher, &user), "offline");
}

#[test]
fn a_user_whose_connection_is_lost_is_offline_a_moment_later() {
    let host = site().serve();
    let mut watcher = Page::open(&host, "?userId=watcher");
    drop(Page::open(&host, "?userId=ann"));
    assert_eq!(change(&mut watcher, "ann"), "online");
    assert_eq!(change(&mut watcher, "ann"), "offline");
}

#[test]
fn a_page_that_stops_its_heartbeats_is_offline_until_the_next_one() {
    let host = site().arg("--heartbeat=100ms").serve();
    let mut watcher = Page::open(&host, "?userId=watcher");
    let mut ann = Page::open(&host, "?userId=ann");
    ann.send("presence-heartbeat", &json!({}));
    assert_eq!(change(&mut watcher, "ann"), "online");
    // The socket answers pings while it is read, so that only heartbeats are missing.
    let reader = std::thread::spawn(move || {
        assert_eq!(change(&mut ann, "ann"), "online");
        becomes(&mut ann, "ann", "offline");
        ann.send("presence-heartbeat", &json!({}));
        ann
    });
    becomes(&mut watcher, "ann", "offline");
    becomes(&mut watcher, "ann", "online");
    reader.join().expect("the page lives");
}
