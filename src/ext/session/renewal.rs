//! Maps older ids of renewed sessions to the newest id, for exchanges, lines and subscribers that began
//! before the renewal.
//!
//! A cookie with an older id is not accepted, so an attacker who planted it has no access to the renewed
//! session.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

/// How many renewed sessions are remembered. Beyond that, the sessions that were renewed first are forgotten:
/// their lines and exchanges lose the session.
const MAX_SESSIONS: usize = 65_536;
/// How many ids of one session are remembered, including the newest.
const MAX_IDS: usize = 8;

/// The ids of sessions that had more than one. Clones share the data.
#[derive(Clone, Default)]
pub(super) struct Renewals(Arc<Mutex<Index>>);

#[derive(Default)]
struct Index {
    /// The name of the session of each id. The name is the first id of the session.
    names: HashMap<String, Arc<str>>,
    /// The ids of each session, the newest last.
    ids: HashMap<Arc<str>, VecDeque<String>>,
    /// Names in the order of first renewal.
    order: VecDeque<Arc<str>>,
}

impl Renewals {
    /// Records the new id of a session.
    pub(super) fn renewed(&self, old: &str, new: &str) {
        let mut index = self.lock();
        let name = index.names.get(old).cloned().unwrap_or_else(|| index.begin(old));
        index.names.insert(new.to_owned(), name.clone());
        let ids = index.ids.entry(name).or_default();
        ids.push_back(new.to_owned());
        if ids.len() > MAX_IDS
            && let Some(oldest) = ids.pop_front()
        {
            index.names.remove(&oldest);
        }
    }

    /// The name of the session, for any of its ids.
    pub(super) fn name(&self, id: &str) -> String {
        self.lock().names.get(id).map_or_else(|| id.to_owned(), |name| name.to_string())
    }

    /// The newest id of a session, for any of its ids.
    pub(super) fn newest(&self, id: &str) -> String {
        let index = self.lock();
        let newest = index.names.get(id).and_then(|name| index.ids.get(name)?.back());
        newest.map_or_else(|| id.to_owned(), Clone::clone)
    }

    /// Whether this is an older id of a session that was renewed.
    pub(super) fn is_over(&self, id: &str) -> bool {
        self.newest(id) != id
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.0.lock().expect("nothing panics while renewals are locked")
    }
}

impl Index {
    /// Adds a session that is renewed for the first time.
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
    fn the_oldest_renewals_are_forgotten() {
        let renewals = Renewals::default();
        for number in 0..100 {
            renewals.renewed(&format!("0-{number}"), &format!("0-{}", number + 1));
        }
        assert_eq!(renewals.lock().names.len(), MAX_IDS);
        assert_eq!(renewals.name("0-100"), "0-0", "its name stays");
        for session in 1..=MAX_SESSIONS {
            renewals.renewed(&format!("{session}-0"), &format!("{session}-1"));
        }
        let index = renewals.lock();
        assert_eq!((index.order.len(), index.ids.len()), (MAX_SESSIONS, MAX_SESSIONS));
        assert_eq!(index.names.len(), 2 * MAX_SESSIONS);
    }
}
