//! The hub and its topics in the metrics and in `liveline top`.

use serde_json::json;

use super::{Page, post, site};
use crate::support::Finished;

#[test]
fn figures_count_topics_their_subscribers_and_messages() {
    let host = site().arg("--metrics=127.0.0.1:0").serve();
    let (mut page, _other) = (Page::open(&host, ""), Page::open(&host, ""));
    post(&host, &json!({ "topic": "a.b", "data": 1 }));
    post(&host, &json!({ "topic": "c", "data": 2 }));
    assert_eq!((page.of("a.b"), page.of("c")), (json!(1), json!(2)));
    let figures = host.until_figures(|figures| figures.get("liveline_topic_deliveries_total", &[]) == 4.0);
    for (name, expected) in [
        ("liveline_topics", 2.0),
        ("liveline_topic_subscribers", 2.0),
        ("liveline_hub_pages", 2.0),
        ("liveline_topic_messages_total", 2.0),
        ("liveline_topic_messages_missed_total", 0.0),
    ] {
        assert_eq!(figures.get(name, &[]), expected, "{name}");
    }
    let top = Finished::of(&["top", "--once", &format!("http://{}/metrics", host.figures_address())]);
    assert_eq!(top.code, Some(0), "{}", top.output());
    let shown = |name: &str, value: &str| {
        top.stdout.lines().any(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            words == ["topics", name, value]
        })
    };
    assert!(shown("subscribers", "2") && shown("pages", "2") && shown("messages", "2"), "{}", top.stdout);
}
