//! The session store with its cookies, and the session of each exchange.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use deno_core::OpState;
use hyper::HeaderMap;
use hyper::header::HeaderValue;

use super::renewal::Renewals;
use super::watch::Watchers;
use crate::clock::unix_time;
use crate::ext::OpError;
use crate::ext::exchange::ExchangeState;
use crate::http::Signer;
use crate::random;
use liveline_proto::network;
use liveline_store::{SESSION_LIFETIME, SessionState, SessionStore};

/// The key of the user's id, which `runtime-js/session/session.js` stores in the session. Setting it is a
/// sign-in.
const USER_ID: &str = "user/id";

/// All sessions: the store, the signer of cookies, subscribers and renewed ids. Clones share the data.
#[derive(Clone)]
pub(crate) struct Sessions {
    pub(super) store: Arc<dyn SessionStore>,
    signer: Arc<Signer>,
    pub(super) watchers: Watchers,
    pub(super) renewals: Renewals,
}

impl Sessions {
    /// Sessions whose cookies are signed with `key`.
    pub(crate) fn new(store: Arc<dyn SessionStore>, key: &[u8], is_secure: bool) -> Sessions {
        let signer = Signer::new(key, SESSION_LIFETIME.as_secs(), is_secure);
        let (watchers, renewals) = Default::default();
        Sessions { store, signer: Arc::new(signer), watchers, renewals }
    }

    /// The session id in the cookie of a request, if this server issued it and has not renewed it since.
    pub(crate) fn of(&self, headers: &HeaderMap) -> Option<String> {
        self.signer.read(headers).filter(|id| !self.renewals.is_over(id))
    }

    /// The name of a session, which stays the same when its id is renewed.
    pub(crate) fn name(&self, id: &str) -> String {
        self.renewals.name(id)
    }

    /// Whether the session has a newer id than this one.
    pub(crate) fn is_over(&self, id: &str) -> bool {
        self.renewals.is_over(id)
    }

    /// Renews the id of a session.
    async fn renew(&self, old: &str, new: &str) -> Result<(), OpError> {
        // From here on, exchanges and lines with the old id use the new one.
        self.renewals.renewed(old, new);
        Ok(self.store.rename(old, new, now()).await?)
    }

    /// Sets a value, also if the session id is renewed at the same time. A new session is that of a client at `address`.
    pub(super) async fn set(&self, id: &str, key: &str, json: &str, address: IpAddr) -> Result<(), OpError> {
        let mut id = id.to_owned();
        loop {
            self.store.set(&id, key, json, network(address), now()).await?;
            let newest = self.renewals.newest(&id);
            if newest == id {
                break;
            }
            // The old id is no longer valid, so no value may stay under it.
            self.store.rename(&id, &newest, now()).await?;
            id = newest;
        }
        self.watchers.tell(&self.name(&id), key, Some(json));
        Ok(())
    }

    /// The `Set-Cookie` value for a session; `is_secure`: the client connected with TLS.
    pub(crate) fn cookie(&self, id: &str, is_secure: bool) -> HeaderValue {
        self.signer.write(id, is_secure)
    }
}

/// The session of an exchange.
#[derive(Default)]
pub(in crate::ext) struct ExchangeSession {
    /// The id in the cookie of the request, or the one created for the exchange.
    pub id: Option<Box<str>>,
    /// The session with this id was found or created.
    is_open: bool,
    /// The answer sets the cookie, because the session began in this exchange or was renewed.
    pub sets_cookie: bool,
    /// The id was created for this exchange, so no other client can have it.
    is_fresh: bool,
}

impl ExchangeSession {
    pub(in crate::ext) fn of(id: Option<String>) -> ExchangeSession {
        ExchangeSession { id: id.map(Into::into), ..ExchangeSession::default() }
    }
}

pub(super) type State = Rc<RefCell<OpState>>;

pub(super) fn sessions(state: &State) -> Sessions {
    state.borrow_mut().exchanges().host.sessions.clone()
}

/// The id of the session of the exchange, if it exists in the store.
pub(super) async fn known(state: &State, exchange: f64) -> Result<Option<String>, OpError> {
    let (id, is_answered) = {
        let mut state = state.borrow_mut();
        let is_answered = state.exchange(exchange).is_answered();
        let session = &state.exchange(exchange).slot()?.session;
        match session.id() {
            Some(id) if !session.is_open => (id, is_answered),
            None => return Ok(None),
            Some(id) => {
                let newest = state.exchanges().host.sessions.renewals.newest(&id);
                if newest != id {
                    let session = &mut state.exchange(exchange).slot()?.session;
                    // Only the client whose request renewed the session receives the new id.
                    (session.id, session.sets_cookie) = (Some(newest.as_str().into()), false);
                }
                return Ok(Some(newest));
            }
        }
    };
    let known = sessions(state).store.touch(&id, now(), !is_answered).await?;
    let mut state = state.borrow_mut();
    let session = &mut state.exchange(exchange).slot()?.session;
    if session.is_open {
        // Another op of the exchange was faster, and may have created a new session.
        return Ok(session.id());
    }
    session.is_open = known != SessionState::Unknown;
    session.sets_cookie |= known == SessionState::Renewed;
    Ok(session.id().filter(|_| session.is_open))
}

/// The id of the session of the exchange. Creates a session if none exists.
pub(super) async fn begun(state: &State, exchange: f64) -> Result<String, OpError> {
    if let Some(id) = known(state, exchange).await? {
        return Ok(id);
    }
    let mut state = state.borrow_mut();
    if state.exchange(exchange).is_answered() {
        return Err(OpError::HeadersSent("a new session's cookie"));
    }
    Ok(state.exchange(exchange).slot()?.session.begin())
}

impl ExchangeSession {
    fn id(&self) -> Option<String> {
        self.id.as_deref().map(str::to_owned)
    }

    /// Creates a new id, which the answer sends to the client.
    fn begin(&mut self) -> String {
        let id = random::hexadecimal(&random::bytes::<16>());
        *self = ExchangeSession {
            id: Some(id.as_str().into()),
            is_open: true,
            sets_cookie: true,
            is_fresh: true,
        };
        id
    }
}

/// Renews the session id of the exchange, so that a client with the old id has no access. Returns the new id,
/// or `None` if there is no session.
pub(super) async fn renewed(state: &State, exchange: f64) -> Result<Option<String>, OpError> {
    let Some(old) = known(state, exchange).await? else { return Ok(None) };
    let (sessions, new) = {
        let mut state = state.borrow_mut();
        if state.exchange(exchange).is_answered() {
            return Err(OpError::HeadersSent("a session's new id"));
        }
        // The answer sends the new id to the client, even if it is sent before the store has finished.
        let new = state.exchange(exchange).slot()?.session.begin();
        (state.exchanges().host.sessions.clone(), new)
    };
    sessions.renew(&old, &new).await?;
    Ok(Some(new))
}

/// Renews the session id if the value about to be set signs a user in. After the HTTP answer, as on a line,
/// the id stays, because no header could send it to the client.
pub(super) async fn renewed_at_sign_in(
    state: &State,
    exchange: f64,
    key: &str,
    json: &str,
) -> Result<(), OpError> {
    if key != USER_ID {
        return Ok(());
    }
    let Some(id) = known(state, exchange).await? else { return Ok(()) };
    if sessions(state).store.get(&id, key).await?.as_deref() == Some(json) {
        return Ok(());
    }
    let may_renew = {
        let mut state = state.borrow_mut();
        !state.exchange(exchange).is_answered() && !state.exchange(exchange).slot()?.session.is_fresh
    };
    if may_renew {
        renewed(state, exchange).await?;
    }
    Ok(())
}

fn now() -> u64 {
    unix_time().as_secs()
}
