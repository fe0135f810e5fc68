//! Pages by example.

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::topic::Millis;

struct Site {
    pages: Pages,
}

impl Site {
    fn new() -> Site {
        Site { pages: Pages::new(PageLimits::default()) }
    }

    /// A page of a user, which has taken what it receives at first.
    fn open(&mut self, id: u64, user: &str) -> PageId {
        self.pages.connect(PageId(id), User::new(user, Some(user)), false);
        PageId(id)
    }

    fn join(&mut self, id: PageId, document: &str) {
        self.pages.join(id, document, &Named::default(), None).unwrap();
    }

    fn typed(&mut self, id: PageId, document: &str, content: &str) {
        let payload = json!({ "docId": document, "content": content }).to_string();
        self.pages.update(id, document, &Named::default(), &payload, None).unwrap();
    }

    /// What a page receives, as `[type, payload]`.
    fn taken(&mut self, id: PageId) -> Vec<(String, Value)> {
        let mut taken = Vec::new();
        while let Some(frame) = self.pages.take(id).unwrap() {
            let bytes = frame.frame(Wire::Book).clone();
            let start = bytes.iter().position(|byte| *byte == b'{').unwrap();
            let frame: Value = serde_json::from_slice(&bytes[start..]).unwrap();
            taken.push((frame["type"].as_str().unwrap().to_owned(), frame["payload"].clone()));
        }
        taken
    }

    fn types(&mut self, id: PageId) -> Vec<String> {
        let describe = |(kind, payload): (String, Value)| {
            let what = payload.get("content").or(payload.get("userId")).unwrap_or(&Value::Null);
            format!("{kind} {}", what.as_str().unwrap_or_default())
        };
        self.taken(id).into_iter().map(describe).collect()
    }

    fn at(&mut self, now: u64) {
        self.pages.at(Millis(now));
        self.pages.tick();
    }
}

#[test]
fn page_that_joins_receives_everybody_and_the_document() {
    let mut site = Site::new();
    let (ada, bob) = (site.open(1, "ada"), site.open(2, "bob"));
    site.join(ada, "d1");
    site.typed(ada, "d1", "Hello");
    site.types(ada);
    site.types(bob);

    site.join(bob, "d1");

    assert_eq!(site.types(ada), ["collaborator-joined bob"]);
    let expected = ["collaborator-joined ada", "collaborator-joined bob", "document-update Hello"];
    assert_eq!(site.types(bob), expected);
}

#[test]
fn update_is_for_the_pages_of_its_document_only() {
    let mut site = Site::new();
    let pages = [site.open(1, "ada"), site.open(2, "bob"), site.open(3, "eve")];
    site.join(pages[0], "d1");
    site.join(pages[1], "d1");
    site.join(pages[2], "d2");
    pages.iter().for_each(|page| drop(site.types(*page)));

    site.typed(pages[0], "d1", "x");

    let update = site.taken(pages[1]).remove(0).1;
    assert_eq!(
        update,
        json!({ "docId": "d1", "content": "x", "userId": "ada", "name": "ada", "version": 1 })
    );
    assert_eq!((site.types(pages[0]).len(), site.types(pages[2]).len()), (0, 0));
}

#[test]
fn update_that_a_page_may_have_ignored_comes_again_when_its_user_pauses() {
    let mut site = Site::new();
    let (ada, bob) = (site.open(1, "ada"), site.open(2, "bob"));
    site.join(ada, "d");
    site.join(bob, "d");
    site.typed(ada, "d", "a");
    site.at(50);
    site.typed(bob, "d", "b");
    site.types(ada);
    site.types(bob);

    site.at(149);
    assert!(site.types(ada).is_empty());
    site.at(150);
    assert_eq!(site.types(ada), ["document-update b"]);
    site.at(10_000);
    assert_eq!(site.types(ada), ["document-update b"]);
    site.at(20_000);
    assert!(site.types(ada).is_empty());
}

#[test]
fn update_of_one_user_at_a_time_does_not_come_again() {
    let mut site = Site::new();
    let (ada, bob) = (site.open(1, "ada"), site.open(2, "bob"));
    site.join(ada, "d");
    site.join(bob, "d");
    site.typed(ada, "d", "a");
    site.at(5000);
    site.typed(bob, "d", "ab");
    site.types(ada);
    site.types(bob);
    site.at(30_000);
    assert!(site.types(ada).is_empty() && site.types(bob).is_empty());
}

#[test]
fn page_that_is_slow_receives_the_newest_text_only() {
    let mut site = Site::new();
    let (ada, bob) = (site.open(1, "ada"), site.open(2, "bob"));
    site.join(ada, "d");
    site.join(bob, "d");
    site.types(bob);
    for n in 0..100 {
        site.typed(ada, "d", &n.to_string());
    }
    assert_eq!(site.types(bob), ["document-update 99"]);
}

#[test]
fn update_of_a_page_that_did_not_join_joins() {
    let mut site = Site::new();
    let (ada, bob) = (site.open(1, "ada"), site.open(2, "bob"));
    site.join(bob, "d");
    site.types(bob);
    site.typed(ada, "d", "again");
    assert_eq!(site.types(bob), ["collaborator-joined ada", "document-update again"]);
    site.types(ada);
    site.at(5000);
    site.typed(bob, "d", "and back");
    assert_eq!(site.types(ada), ["document-update and back"]);
}

#[test]
fn collaborator_leaves_with_the_last_page() {
    let mut site = Site::new();
    let (one, two, bob) = (site.open(1, "ada"), site.open(2, "ada"), site.open(3, "bob"));
    for page in [one, two, bob] {
        site.join(page, "d");
    }
    site.types(bob);
    site.pages.disconnect(one, true);
    assert!(site.types(bob).iter().all(|kind| !kind.starts_with("collaborator-left")));
    site.pages.leave(two, "d");
    assert_eq!(site.types(bob), ["collaborator-left ada"]);
}

#[test]
fn document_continues_from_what_was_kept() {
    let mut site = Site::new();
    let ada = site.open(1, "ada");
    site.typed(ada, "d", "kept");
    let kept = site.pages.actions().find_map(|action| match action {
        PageAction::Keep { payload, .. } => Some(payload),
        PageAction::Wake(_) => None,
    });
    site.pages.disconnect(ada, false);
    assert!(!site.pages.has_document("d"));
    let bob = site.open(2, "bob");
    site.types(bob);
    site.pages.join(bob, "d", &Named::default(), kept).unwrap();
    assert_eq!(site.types(bob), ["collaborator-joined bob", "document-update kept"]);
    let (eve, broken) = (site.open(3, "eve"), Bytes::from_static(b"{"));
    site.pages.join(eve, "e", &Named::default(), Some(broken)).unwrap();
}

#[test]
fn user_is_online_from_the_first_page_to_the_last() {
    let mut site = Site::new();
    let watcher = site.open(9, "watcher");
    assert_eq!(site.types(watcher), ["presence-update watcher"]);
    let one = site.open(1, "ada");
    assert_eq!(site.types(watcher), ["presence-update ada"]);
    assert_eq!(site.types(one).len(), 2);
    let two = site.open(2, "ada");
    site.pages.disconnect(one, false);
    assert!(site.types(watcher).is_empty());
    site.pages.disconnect(two, false);
    assert_eq!(site.types(watcher), ["presence-offline ada"]);
}

#[test]
fn user_whose_connection_was_lost_may_come_back() {
    let mut site = Site::new();
    let (watcher, one) = (site.open(9, "watcher"), site.open(1, "ada"));
    site.types(watcher);
    site.pages.disconnect(one, true);
    site.at(1000);
    let two = site.open(2, "ada");
    site.at(10_000);
    assert!(site.types(watcher).is_empty());
    site.pages.disconnect(two, true);
    site.at(12_000);
    assert_eq!(site.types(watcher), ["presence-offline ada"]);
}

#[test]
fn user_whose_page_misses_its_heartbeat_is_offline_until_the_next() {
    let mut site = Site::new();
    let (watcher, one) = (site.open(9, "watcher"), site.open(1, "ada"));
    site.pages.heartbeat(one, &Named::default(), None);
    site.types(watcher);
    site.at(74_999);
    assert!(site.types(watcher).is_empty());
    site.at(75_000);
    assert_eq!(site.types(watcher), ["presence-offline ada"]);
    site.pages.heartbeat(one, &Named::default(), Some("away"));
    let taken = site.taken(watcher);
    assert_eq!(taken[0].1, json!({ "userId": "ada", "name": "ada", "status": "away" }));
}

#[test]
fn user_that_a_frame_names_replaces_the_one_before() {
    let mut site = Site::new();
    let (watcher, one) = (site.open(9, "watcher"), site.open(1, "guest-1"));
    site.types(watcher);
    let named = Named { id: Some("ada".into()), name: Some("Ada".into()) };
    site.pages.join(one, "d", &named, None).unwrap();
    assert_eq!(site.types(watcher), ["presence-offline guest-1", "presence-update ada"]);
    assert_eq!(site.pages.user(one).unwrap().name.as_ref(), "Ada");
}

#[test]
fn user_that_the_site_knows_is_not_what_frames_name() {
    let mut site = Site::new();
    site.pages.connect(PageId(1), User::new("ada", None), true);
    let named = Named { id: Some("eve".into()), name: None };
    site.pages.join(PageId(1), "d", &named, None).unwrap();
    assert_eq!(site.pages.user(PageId(1)).unwrap().id.as_ref(), "ada");
}

#[test]
fn presence_of_a_crowd_is_for_pages_that_take_part() {
    let mut site = Site { pages: Pages::new(PageLimits { announced: 2, ..PageLimits::default() }) };
    let pages: Vec<_> = (0..5).map(|n| site.open(n, &format!("u{n}"))).collect();
    pages.iter().for_each(|page| drop(site.types(*page)));
    site.open(9, "late");
    assert!(site.types(pages[0]).is_empty());
    site.pages.heartbeat(pages[0], &Named::default(), None);
    assert_eq!(site.types(pages[0]).len(), 6);
    site.open(10, "later");
    assert_eq!(site.types(pages[0]), ["presence-update later"]);
}

#[test]
fn limits_of_strangers_are_errors() {
    let limits = PageLimits { documents: 2, members: 1, joined: 1, bytes: 2000, ..PageLimits::default() };
    let mut site = Site { pages: Pages::new(limits) };
    let (ada, bob) = (site.open(1, "ada"), site.open(2, "bob"));
    let nobody = Named::default();
    site.pages.join(ada, "a", &nobody, None).unwrap();
    let error = |joined: Result<(), PageError>| joined.unwrap_err().to_string();
    assert!(error(site.pages.join(ada, "b", &nobody, None)).contains("one page"));
    assert!(error(site.pages.join(bob, "a", &nobody, None)).contains("this document"));
    let large = json!({ "docId": "a", "content": "x".repeat(3000) }).to_string();
    assert_eq!(site.pages.update(ada, "a", &nobody, &large, None), Err(PageError::Full));
    site.pages.leave(ada, "a");
    site.pages.join(ada, "a", &nobody, None).unwrap();
}

#[test]
fn page_that_takes_nothing_is_too_slow() {
    let mut site = Site { pages: Pages::new(PageLimits { waiting: 3, ..PageLimits::default() }) };
    let slow = site.open(1, "slow");
    (2..9).for_each(|n| _ = site.open(n, &format!("u{n}")));
    assert_eq!(site.pages.take(slow).unwrap_err(), super::pages::TooSlow);
}
