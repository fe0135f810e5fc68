//! What strangers can use.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Page, site};

#[test]
fn a_page_that_is_too_fast_waits_and_loses_nothing() {
    let host = site().arg("--hub-rate=200").serve();
    let (mut fast, mut other) = (Page::open(&host, ""), Page::open(&host, ""));
    let start = Instant::now();
    for n in 0..600 {
        fast.send("n", &json!(n));
    }
    fast.close();
    for n in 0..600 {
        assert_eq!(other.next()["payload"], n);
    }
    // 400 at once, and 200 in a second.
    assert!(start.elapsed() > Duration::from_millis(900), "{:?}", start.elapsed());
}

#[test]
fn topics_of_pages_are_limited() {
    let host = site().arg("--max-hub-topics=3").serve();
    let mut page = Page::open(&host, "");
    for n in 0..4 {
        page.send(&format!("t{n}"), &json!(n));
    }
    let error = page.of("hub.error")["message"].take();
    assert_eq!(error, "t3: there are 3 topics of pages already, the limit");
    page.send("t0", &json!(1));
    assert!(page.settled().is_empty());
}

#[test]
fn a_frame_that_is_too_large_ends_the_socket() {
    let host = site().arg("--max-frame=10KiB").serve();
    let mut page = Page::open(&host, "");
    page.send("large", &json!("x".repeat(11_000)));
    let code = loop {
        if let Err(code) = page.receive() {
            break code;
        }
    };
    assert_eq!(code, 1009);
    let large = json!({ "topic": "large", "data": "x".repeat(11_000) }).to_string();
    let answer = host.request("POST", "/sse").body(large).send();
    assert_eq!(
        (answer.status, answer.json()["error"].clone()),
        (413, json!("a message has at most 10240 bytes"))
    );
}

#[test]
fn a_page_that_reads_nothing_does_not_delay_others() {
    let host = site().arg("--hub-rate=100000").serve();
    let _slow = Page::open(&host, "");
    let (mut sender, mut other) = (Page::open(&host, ""), Page::open(&host, ""));
    let text = "x".repeat(10_000);
    for n in 0..2000 {
        sender.send("n", &json!({ "n": n, "text": text }));
        assert_eq!(other.next()["payload"]["n"], n);
    }
}

#[test]
fn a_connection_without_a_sign_of_life_is_lost() {
    let host = site().arg("--heartbeat=200ms").serve();
    let mut watcher = Page::open(&host, "?userId=watcher");
    // It is not read, so that it answers no pings; nothing else happens to it.
    let _hung = Page::open(&host, "?userId=hung");
    let start = Instant::now();
    while watcher.of("presence-offline")["userId"] != "hung" {}
    // Two and a half heartbeats, and the time in which a user may come back.
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(watcher.settled().iter().all(|frame| frame["type"] != "presence-offline"));
}
