//! Sessions that got a new id, for whoever goes on with an older one: exchanges, lines and subscribers of before.
//!
//! A cookie with an older id is worth nothing: whoever planted it is not let in by the renewal.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

/// How many renewed sessions are remembered. Beyond that, lines and exchanges of those that were renewed first lose
/// their session.
const MAX_SESSIONS: usize = 65_536;
/// How many ids of one session, the newest included.
const MAX_IDS: usize = 8;

/// The ids of sessions that had more than one. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Renewals(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    /// Which session an id is of. A session is called by the id that it began with.
    names: HashMap<String, Arc<str>>,
    /// The ids of each session, the newest last.
    ids: HashMap<Arc<str>, VecDeque<String>>,
    /// In the order in which they were first renewed.
    order: VecDeque<Arc<str>>,
}

impl Renewals {
    /// A session has a new id.
    pub(super) fn renewed(&self, old: &str, new: &str) {
        let mut known = self.lock();
        let name = known.names.get(old).cloned().unwrap_or_else(|| known.begin(old));
        known.names.insert(new.to_owned(), name.clone());
        let ids = known.ids.entry(name).or_default();
        ids.push_back(new.to_owned());
        if ids.len() > MAX_IDS
            && let Some(oldest) = ids.pop_front()
        {
            known.names.remove(&oldest);
        }
    }

    /// What a session is called, whichever of its ids is given.
    pub(super) fn name(&self, id: &str) -> String {
        self.lock().names.get(id).map_or_else(|| id.to_owned(), |name| name.to_string())
    }

    /// The id that a session has now.
    pub(super) fn newest(&self, id: &str) -> String {
        let known = self.lock();
        let newest = known.names.get(id).and_then(|name| known.ids.get(name)?.back());
        newest.map_or_else(|| id.to_owned(), Clone::clone)
    }

    /// Whether a session had this id once, and has another now.
    pub(super) fn is_over(&self, id: &str) -> bool {
        self.newest(id) != id
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().expect("nothing panics while renewals are locked")
    }
}

impl Known {
    /// Remembers a session that is renewed for the first time.
    fn begin(&mut self, id: &str) -> Arc<str> {
        if self.order.len() >= MAX_SESSIONS
            && let Some(first) = self.order.pop_front()
        {
            for id in self.ids.remove(&first).into_iter().flatten() {
                self.names.remove(&id);
            }
        }
        let name = Arc::<str>::from(id);
        self.names.insert(id.to_owned(), name.clone());
        self.ids.insert(name.clone(), VecDeque::from([id.to_owned()]));
        self.order.push_back(name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_keeps_its_name_and_only_the_newest_id_counts() {
        let renewals = Renewals::default();
        renewals.renewed("a", "b");
        renewals.renewed("b", "c");

        assert_eq!(["a", "b", "c", "x"].map(|id| renewals.name(id)), ["a", "a", "a", "x"]);
        assert_eq!(["a", "b", "c", "x"].map(|id| renewals.newest(id)), ["c", "c", "c", "x"]);
        assert_eq!(["a", "b", "c", "x"].map(|id| renewals.is_over(id)), [true, true, false, false]);
    }

    #[test]
    fn so_much_is_remembered() {
        let renewals = Renewals::default();
        for number in 0..100 {
            renewals.renewed(&format!("0-{number}"), &format!("0-{}", number + 1));
        }
        assert_eq!(renewals.lock().names.len(), MAX_IDS);
        assert_eq!(renewals.name("0-100"), "0-0", "its name stays");
        for session in 1..=MAX_SESSIONS {
            renewals.renewed(&format!("{session}-0"), &format!("{session}-1"));
        }
        let known = renewals.lock();
        assert_eq!((known.order.len(), known.ids.len()), (MAX_SESSIONS, MAX_SESSIONS));
        assert_eq!(known.names.len(), 2 * MAX_SESSIONS);
    }
}
