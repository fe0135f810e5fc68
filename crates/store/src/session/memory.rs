//! Sessions in memory, which end with the process.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future;
use std::sync::{Arc, Mutex, MutexGuard};

use super::budget::{Budget, SESSION_COST};
use super::{MAX_BYTES, SessionError, SessionState, SessionStore, StoreFuture, UnixTime, oldest};

/// Sessions in memory.
pub struct MemorySessions(Mutex<Kept>);

struct Kept {
    sessions: HashMap<Arc<str>, Session>,
    by_age: BTreeSet<(UnixTime, Arc<str>)>,
    by_network: BTreeSet<(u64, UnixTime, Arc<str>)>,
    budget: Budget,
}

struct Session {
    /// JSON by key.
    values: BTreeMap<String, String>,
    network: u64,
    renewed: UnixTime,
}

impl Session {
    fn cost(&self) -> usize {
        SESSION_COST + self.values.iter().map(|(key, json)| key.len() + json.len()).sum::<usize>()
    }
}

impl Kept {
    fn insert(&mut self, id: &str, session: Session) {
        let id: Arc<str> = id.into();
        self.by_age.insert((session.renewed, id.clone()));
        self.by_network.insert((session.network, session.renewed, id.clone()));
        self.budget.change(session.network, 0, session.cost());
        self.sessions.insert(id, session);
    }

    fn remove(&mut self, id: &str) -> Option<Session> {
        let (id, session) = self.sessions.remove_entry(id)?;
        self.by_age.remove(&(session.renewed, id.clone()));
        self.by_network.remove(&(session.network, session.renewed, id));
        self.budget.change(session.network, session.cost(), 0);
        Some(session)
    }

    /// Changes the values of a session.
    fn edit<T>(&mut self, id: &str, edit: impl FnOnce(&mut BTreeMap<String, String>) -> T) -> Option<T> {
        let session = self.sessions.get_mut(id)?;
        let before = session.cost();
        let result = edit(&mut session.values);
        self.budget.change(session.network, before, session.cost());
        Some(result)
    }

    fn touch(&mut self, id: &str, now: UnixTime, may_renew: bool) -> SessionState {
        let Some(session) = self.sessions.get(id) else { return SessionState::Unknown };
        let state = SessionState::of(session.renewed, now, may_renew);
        if state == SessionState::Renewed
            && let Some(session) = self.remove(id)
        {
            self.insert(id, Session { renewed: now, ..session });
        }
        state
    }

    fn set(
        &mut self,
        id: &str,
        key: &str,
        json: &str,
        network: u64,
        now: UnixTime,
    ) -> Result<(), SessionError> {
        if !self.sessions.contains_key(id) {
            self.remove_expired(now);
            self.insert(id, Session { values: BTreeMap::new(), network, renewed: now });
        }
        let is_set = self.edit(id, |values| {
            let others = values.iter().filter(|(other, _)| *other != key);
            let size: usize = others.map(|(key, json)| key.len() + json.len()).sum();
            let has_room = size + key.len() + json.len() <= MAX_BYTES;
            if has_room {
                values.insert(key.to_owned(), json.to_owned());
            }
            has_room
        });
        self.make_room(id, now);
        if is_set == Some(true) { Ok(()) } else { Err(SessionError::Full) }
    }

    fn remove_expired(&mut self, now: UnixTime) {
        while let Some((renewed, id)) = self.by_age.first()
            && *renewed < oldest(now)
        {
            let id = id.clone();
            self.remove(&id);
        }
    }

    /// Removes sessions until all together fit, but not `id`.
    fn make_room(&mut self, id: &str, now: UnixTime) {
        while self.budget.is_over() {
            let first = self.budget.networks().find_map(|network| {
                let of_network = self.by_network.range((network, 0, "".into())..);
                let of_network = of_network.take_while(|(other, ..)| *other == network);
                of_network.map(|(.., first)| first).find(|first| ***first != *id)
            });
            let Some(first) = first.cloned() else { return };
            self.remove(&first);
            self.budget.count_removal(now);
        }
    }

    fn rename(&mut self, old: &str, new: &str, now: UnixTime) {
        let Some(Session { values, network, .. }) = self.remove(old) else { return };
        if !self.sessions.contains_key(new) {
            self.insert(new, Session { values: BTreeMap::new(), network, renewed: now });
        }
        self.edit(new, |all| all.extend(values));
    }

    fn entries(&self, id: &str, prefix: &str) -> Vec<(String, String)> {
        let values = self.sessions.get(id).into_iter().flat_map(|session| &session.values);
        let inside = values.filter(|(key, _)| key.starts_with(prefix));
        inside.map(|(key, json)| (key.clone(), json.clone())).collect()
    }
}

impl MemorySessions {
    /// No sessions yet; all together may hold `limit` bytes.
    pub fn new(limit: usize) -> MemorySessions {
        let (sessions, by_age, by_network) = Default::default();
        MemorySessions(Mutex::new(Kept { sessions, by_age, by_network, budget: Budget::new(limit) }))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().expect("nothing panics while sessions are locked")
    }
}

impl SessionStore for MemorySessions {
    fn touch<'a>(&'a self, id: &'a str, now: UnixTime, may_renew: bool) -> StoreFuture<'a, SessionState> {
        ready(Ok(self.lock().touch(id, now, may_renew)))
    }

    fn get<'a>(&'a self, id: &'a str, key: &'a str) -> StoreFuture<'a, Option<String>> {
        ready(Ok(self.lock().sessions.get(id).and_then(|session| session.values.get(key).cloned())))
    }

    fn set<'a>(
        &'a self,
        id: &'a str,
        key: &'a str,
        json: &'a str,
        network: u64,
        now: UnixTime,
    ) -> StoreFuture<'a, ()> {
        ready(self.lock().set(id, key, json, network, now))
    }

    fn delete<'a>(&'a self, id: &'a str, key: &'a str) -> StoreFuture<'a, bool> {
        ready(Ok(self.lock().edit(id, |values| values.remove(key).is_some()) == Some(true)))
    }

    fn rename<'a>(&'a self, old: &'a str, new: &'a str, now: UnixTime) -> StoreFuture<'a, ()> {
        self.lock().rename(old, new, now);
        ready(Ok(()))
    }

    fn entries<'a>(&'a self, id: &'a str, prefix: &'a str) -> StoreFuture<'a, Vec<(String, String)>> {
        ready(Ok(self.lock().entries(id, prefix)))
    }
}

fn ready<'a, T: Send + 'a>(result: Result<T, SessionError>) -> StoreFuture<'a, T> {
    Box::pin(future::ready(result))
}
