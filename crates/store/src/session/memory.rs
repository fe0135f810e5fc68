//! Sessions in memory, which end with the process.

use std::collections::{BTreeMap, HashMap};
use std::future;
use std::sync::{Mutex, MutexGuard};

use super::{
    MAX_BYTES, MAX_SESSIONS, SessionError, SessionState, SessionStore, StoreFuture, UnixTime, oldest,
};

/// Sessions in memory.
#[derive(Default)]
pub struct MemorySessions(Mutex<HashMap<String, Session>>);

struct Session {
    /// JSON by key.
    values: BTreeMap<String, String>,
    renewed: UnixTime,
}

impl Session {
    fn new(now: UnixTime) -> Session {
        Session { values: BTreeMap::new(), renewed: now }
    }
}

impl MemorySessions {
    fn touch_now(&self, id: &str, now: UnixTime, may_renew: bool) -> SessionState {
        let mut sessions = self.lock();
        let Some(session) = sessions.get_mut(id) else { return SessionState::Unknown };
        let state = SessionState::of(session.renewed, now, may_renew);
        if state == SessionState::Renewed {
            session.renewed = now;
        }
        state
    }

    fn set_now(&self, id: &str, key: &str, json: &str, now: UnixTime) -> Result<(), SessionError> {
        let mut sessions = self.lock();
        if sessions.len() >= MAX_SESSIONS && !sessions.contains_key(id) {
            sessions.retain(|_, session| session.renewed >= oldest(now));
            let first = sessions.iter().min_by_key(|(_, session)| session.renewed).map(|(id, _)| id.clone());
            if let Some(first) = first.filter(|_| sessions.len() >= MAX_SESSIONS) {
                sessions.remove(&first);
            }
        }
        let session = sessions.entry(id.to_owned()).or_insert_with(|| Session::new(now));
        let others = session.values.iter().filter(|(other, _)| *other != key);
        let size: usize = others.map(|(key, json)| key.len() + json.len()).sum();
        if size + key.len() + json.len() > MAX_BYTES {
            return Err(SessionError::Full);
        }
        session.values.insert(key.to_owned(), json.to_owned());
        Ok(())
    }

    fn rename_now(&self, old: &str, new: &str, now: UnixTime) {
        let mut sessions = self.lock();
        if let Some(Session { values, .. }) = sessions.remove(old) {
            let session = sessions.entry(new.to_owned()).or_insert_with(|| Session::new(now));
            session.values.extend(values);
        }
    }

    fn entries_now(&self, id: &str, prefix: &str) -> Vec<(String, String)> {
        let sessions = self.lock();
        let values = sessions.get(id).into_iter().flat_map(|session| &session.values);
        let inside = values.filter(|(key, _)| key.starts_with(prefix));
        inside.map(|(key, json)| (key.clone(), json.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.0.lock().expect("nothing panics while sessions are locked")
    }
}

impl SessionStore for MemorySessions {
    fn touch<'a>(&'a self, id: &'a str, now: UnixTime, may_renew: bool) -> StoreFuture<'a, SessionState> {
        ready(Ok(self.touch_now(id, now, may_renew)))
    }

    fn get<'a>(&'a self, id: &'a str, key: &'a str) -> StoreFuture<'a, Option<String>> {
        ready(Ok(self.lock().get(id).and_then(|session| session.values.get(key).cloned())))
    }

    fn set<'a>(&'a self, id: &'a str, key: &'a str, json: &'a str, now: UnixTime) -> StoreFuture<'a, ()> {
        ready(self.set_now(id, key, json, now))
    }

    fn delete<'a>(&'a self, id: &'a str, key: &'a str) -> StoreFuture<'a, bool> {
        ready(Ok(self.lock().get_mut(id).is_some_and(|session| session.values.remove(key).is_some())))
    }

    fn rename<'a>(&'a self, old: &'a str, new: &'a str, now: UnixTime) -> StoreFuture<'a, ()> {
        self.rename_now(old, new, now);
        ready(Ok(()))
    }

    fn entries<'a>(&'a self, id: &'a str, prefix: &'a str) -> StoreFuture<'a, Vec<(String, String)>> {
        ready(Ok(self.entries_now(id, prefix)))
    }
}

fn ready<'a, T: Send + 'a>(result: Result<T, SessionError>) -> StoreFuture<'a, T> {
    Box::pin(future::ready(result))
}
