//! Sessions: values that stay with a visitor. Half of `runtime-js/13_session.js`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use deno_core::{OpState, op2};
use hyper::HeaderMap;
use hyper::header::{COOKIE, SET_COOKIE};

use super::exchange::exchange_id;
use super::{Exchanges, OpError};

/// The session cookie.
const COOKIE_NAME: &str = "__sessid";

/// How long a session lives after its last use.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What one session may hold.
const MAX_BYTES: usize = 64 * 1024;

/// How many sessions are kept; the one unused for longest goes first.
const MAX_SESSIONS: usize = 100_000;

/// All sessions, in memory. Clones share them, so they outlive every isolate.
#[derive(Clone, Default)]
pub struct Sessions(Arc<Mutex<HashMap<String, Session>>>);

struct Session {
    values: BTreeMap<String, String>,
    used: Instant,
}

impl Sessions {
    /// The session id that a request came with.
    pub fn of(&self, headers: &HeaderMap) -> Option<String> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == COOKIE_NAME).map(|(_, id)| id.to_owned())
    }

    /// Tells the client its session.
    pub fn set_cookie(&self, headers: &mut HeaderMap, id: &str) {
        let max_age = LIFETIME.as_secs();
        let cookie = format!("{COOKIE_NAME}={id}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age}");
        headers.append(SET_COOKIE, cookie.parse().expect("session ids are hexadecimal"));
    }

    fn get(&self, id: &str, key: &str) -> Option<String> {
        let mut sessions = self.lock();
        let session = sessions.get_mut(id)?;
        session.used = Instant::now();
        session.values.get(key).cloned()
    }

    fn set(&self, id: &str, key: String, json: String) -> Result<(), OpError> {
        let mut sessions = self.lock();
        if sessions.len() >= MAX_SESSIONS && !sessions.contains_key(id) {
            let now = Instant::now();
            sessions.retain(|_, session| now.duration_since(session.used) < LIFETIME);
            let oldest = sessions.iter().min_by_key(|(_, session)| session.used).map(|(id, _)| id.clone());
            if let Some(oldest) = oldest.filter(|_| sessions.len() >= MAX_SESSIONS) {
                sessions.remove(&oldest);
            }
        }
        let empty = || Session { values: BTreeMap::new(), used: Instant::now() };
        let session = sessions.entry(id.to_owned()).or_insert_with(empty);
        session.used = Instant::now();
        let others = session.values.iter().filter(|(other, _)| **other != key);
        let size: usize = others.map(|(key, json)| key.len() + json.len()).sum();
        if size + key.len() + json.len() > MAX_BYTES {
            return Err(OpError::SessionFull(MAX_BYTES));
        }
        session.values.insert(key, json);
        Ok(())
    }

    fn contains(&self, id: &str) -> bool {
        self.lock().get(id).is_some_and(|session| session.used.elapsed() < LIFETIME)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.0.lock().expect("nothing panics while sessions are locked")
    }
}

/// One value as JSON; null where there is none.
#[op2]
#[string]
pub fn op_session_get(
    state: &mut OpState,
    id: f64,
    #[string] key: String,
) -> Result<Option<String>, OpError> {
    let exchanges = state.borrow_mut::<Exchanges>();
    let sessions = exchanges.sessions.clone();
    Ok(exchanges.known(id)?.session.as_ref().and_then(|session| sessions.get(session, &key)))
}

/// Sets a value. A visitor without a session that the host knows gets a new one.
#[op2(fast)]
pub fn op_session_set(
    state: &mut OpState,
    id: f64,
    #[string] key: String,
    #[string] json: String,
) -> Result<(), OpError> {
    let exchanges = state.borrow_mut::<Exchanges>();
    let sessions = exchanges.sessions.clone();
    let answered = exchanges.is_answered(exchange_id(id));
    let slot = exchanges.known(id)?;
    let session = match &slot.session {
        Some(session) if slot.session_is_new || sessions.contains(session) => session.clone(),
        // An id that the host did not give out could have been planted.
        _ if answered => return Err(OpError::HeadersSent("a new session's cookie")),
        _ => {
            let mut bytes = [0; 16];
            getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
            let session = format!("{:032x}", u128::from_be_bytes(bytes));
            slot.session = Some(session.clone());
            slot.session_is_new = true;
            session
        }
    };
    sessions.set(&session, key, json)
}

/// Removes a value. Says whether there was one.
#[op2(fast)]
pub fn op_session_delete(state: &mut OpState, id: f64, #[string] key: String) -> Result<bool, OpError> {
    let exchanges = state.borrow_mut::<Exchanges>();
    let sessions = exchanges.sessions.clone();
    let Some(session) = &exchanges.known(id)?.session else { return Ok(false) };
    Ok(sessions.lock().get_mut(session).is_some_and(|session| session.values.remove(&key).is_some()))
}

/// Removes all values.
#[op2(fast)]
pub fn op_session_clear(state: &mut OpState, id: f64) -> Result<(), OpError> {
    let exchanges = state.borrow_mut::<Exchanges>();
    let sessions = exchanges.sessions.clone();
    if let Some(session) = &exchanges.known(id)?.session {
        sessions.lock().remove(session);
    }
    Ok(())
}

/// All values: key, JSON, key, JSON.
#[op2]
#[serde]
pub fn op_session_entries(state: &mut OpState, id: f64) -> Result<Vec<String>, OpError> {
    let exchanges = state.borrow_mut::<Exchanges>();
    let sessions = exchanges.sessions.clone();
    let Some(session) = &exchanges.known(id)?.session else { return Ok(Vec::new()) };
    let sessions = sessions.lock();
    let values = sessions.get(session).into_iter().flat_map(|session| &session.values);
    Ok(values.flat_map(|(key, json)| [key.clone(), json.clone()]).collect())
}
