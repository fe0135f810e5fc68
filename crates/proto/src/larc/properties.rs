//! Random histories of pages over connections with delays.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::topic::Millis;

/// An editor of LARC's book: it ignores updates for 100 ms after its user has typed.
#[derive(Default)]
struct Editor {
    content: String,
    typed_at: Option<u64>,
}

impl Editor {
    fn receive(&mut self, content: &str, now: u64) {
        if self.typed_at.is_none_or(|at| at + 100 <= now) {
            self.content = content.to_owned();
        }
    }
}

/// What happens in the network.
enum Event {
    Types(u64),
    ToServer(u64, String),
    ToPage(u64, String),
}

fn content_of(frame: &Outgoing) -> Option<String> {
    let payload: Value = serde_json::from_str(frame.payload()).unwrap();
    payload.get("content").map(|content| content.as_str().unwrap().to_owned())
}

proptest! {
    #[test]
    fn editors_converge(
        typed in prop::collection::vec((0u64..2000, 0u64..4), 1..60),
        delays in prop::collection::vec(0u64..120, 4),
    ) {
        let mut pages = Pages::new(PageLimits::default());
        let mut editors: HashMap<u64, Editor> = HashMap::new();
        // Events by time, and by their number, so that each direction of a connection keeps its order.
        let mut events: BTreeMap<(u64, usize), Event> = BTreeMap::new();
        let mut number = 0;
        for page in 0..4 {
            pages.connect(PageId(page), User::new(&page.to_string(), None), false);
            pages.join(PageId(page), "d", &Named::default(), None).unwrap();
            editors.insert(page, Editor::default());
        }
        let mut add = |events: &mut BTreeMap<_, _>, at: u64, event| {
            number += 1;
            events.insert((at, number), event);
        };
        for (at, page) in &typed {
            add(&mut events, *at, Event::Types(*page));
        }
        let mut texts = 0;
        loop {
            let due = pages.next_deadline().map(|at| at.0);
            let next = events.keys().next().map(|(at, _)| *at);
            let now = match (due, next) {
                (None, None) => break,
                (Some(due), Some(next)) => due.min(next),
                (one, other) => one.or(other).unwrap(),
            };
            pages.at(Millis(now));
            pages.tick();
            while let Some(entry) = events.first_entry() && entry.key().0 <= now {
                match entry.remove() {
                    Event::Types(page) => {
                        texts += 1;
                        let editor = editors.get_mut(&page).unwrap();
                        editor.content = format!("{texts} of {page}");
                        editor.typed_at = Some(now);
                        let update = json!({ "docId": "d", "content": editor.content }).to_string();
                        add(&mut events, now + delays[page as usize], Event::ToServer(page, update));
                    }
                    Event::ToServer(page, update) => {
                        pages.update(PageId(page), "d", &Named::default(), &update, None).unwrap();
                    }
                    Event::ToPage(page, content) => editors.get_mut(&page).unwrap().receive(&content, now),
                }
            }
            for page in 0..4 {
                while let Some(frame) = pages.take(PageId(page)).unwrap() {
                    if let Some(content) = content_of(&frame) {
                        add(&mut events, now + delays[page as usize], Event::ToPage(page, content));
                    }
                }
            }
        }
        let contents: Vec<_> = (0..4).map(|page| editors[&page].content.clone()).collect();
        prop_assert!(contents.iter().all(|content| *content == contents[0]), "{contents:?}");
    }

    #[test]
    fn presence_converges(steps in prop::collection::vec((0u64..6, 0u64..3, 0u8..5, 0u64..90_000), 1..80)) {
        let mut pages = Pages::new(PageLimits::default());
        let watcher = PageId(99);
        pages.connect(watcher, User::new("watcher", None), false);
        let mut seen: HashMap<String, String> = HashMap::new();
        let mut open: BTreeMap<u64, u64> = BTreeMap::new();
        let mut now = 0;
        for (page, user, step, pause) in steps {
            now += pause;
            pages.at(Millis(now));
            pages.tick();
            let id = PageId(page);
            match step {
                0 | 1 if !open.contains_key(&page) => {
                    pages.connect(id, User::new(&format!("u{user}"), None), false);
                    open.insert(page, user);
                }
                2 => {
                    pages.disconnect(id, user == 0);
                    open.remove(&page);
                }
                3 => pages.heartbeat(id, &Named::default(), Some(if user == 0 { "away" } else { "online" })),
                4 if open.contains_key(&page) => {
                    let named = Named { id: Some(format!("u{user}").into()), name: None };
                    pages.heartbeat(id, &named, None);
                    open.insert(page, user);
                }
                _ => {}
            }
            while let Some(frame) = pages.take(watcher).unwrap() {
                let payload: Value = serde_json::from_str(frame.payload()).unwrap();
                let user = payload["userId"].as_str().unwrap().to_owned();
                match payload.get("status") {
                    Some(status) => seen.insert(user, status.as_str().unwrap().to_owned()),
                    None => seen.remove(&user),
                };
            }
            let mut online: Vec<_> = pages.online().map(|user| user.id.to_string()).collect();
            let mut known: Vec<_> = seen.keys().cloned().collect();
            online.sort();
            known.sort();
            prop_assert_eq!(online, known);
        }
        for page in 0..6 {
            pages.disconnect(PageId(page), false);
        }
        pages.at(Millis(now + 1_000_000));
        pages.tick();
        prop_assert_eq!(pages.online().count(), 1);
    }
}
