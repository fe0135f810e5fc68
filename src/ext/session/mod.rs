//! Sessions: values that are stored for a visitor. Half of `runtime-js/session/session.js`.

mod renewal;
mod sessions;
mod watch;

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use deno_core::{OpState, Resource, ResourceId, op2};
use tokio::sync::{Mutex, mpsc};

pub(in crate::ext) use sessions::ExchangeSession;
pub(crate) use sessions::Sessions;

use self::sessions::{begun, known, renewed, renewed_at_sign_in, sessions as all};
use self::watch::{SessionChange, Watch};
use super::OpError;
use super::exchange::ExchangeState;

/// Replaces the id of the session and returns the new one; null if there is no session.
#[op2]
#[string]
pub(crate) async fn op_session_renew(
    state: Rc<RefCell<OpState>>,
    exchange: f64,
) -> Result<Option<String>, OpError> {
    renewed(&state, exchange).await
}

/// One value as JSON; null if it is absent.
#[op2]
#[string]
pub(crate) async fn op_session_get(
    state: Rc<RefCell<OpState>>,
    exchange: f64,
    #[string] key: String,
) -> Result<Option<String>, OpError> {
    let Some(id) = known(&state, exchange).await? else { return Ok(None) };
    Ok(all(&state).store.get(&id, &key).await?)
}

/// Sets a value.
#[op2]
pub(crate) async fn op_session_set(
    state: Rc<RefCell<OpState>>,
    exchange: f64,
    #[string] key: String,
    #[string] json: String,
) -> Result<(), OpError> {
    renewed_at_sign_in(&state, exchange, &key, &json).await?;
    let id = begun(&state, exchange).await?;
    let address = state.borrow_mut().exchange(exchange).slot()?.requester.address;
    all(&state).set(&id, &key, &json, address).await
}

/// Removes a value. Returns whether it existed.
#[op2]
pub(crate) async fn op_session_delete(
    state: Rc<RefCell<OpState>>,
    exchange: f64,
    #[string] key: String,
) -> Result<bool, OpError> {
    let Some(id) = known(&state, exchange).await? else { return Ok(false) };
    let sessions = all(&state);
    let was_there = sessions.store.delete(&id, &key).await?;
    if was_there {
        sessions.watchers.tell(&sessions.name(&id), &key, None);
    }
    Ok(was_there)
}

/// The values whose keys begin with `prefix`: key, JSON, key, JSON.
#[op2]
#[serde]
pub(crate) async fn op_session_entries(
    state: Rc<RefCell<OpState>>,
    exchange: f64,
    #[string] prefix: String,
) -> Result<Vec<String>, OpError> {
    let Some(id) = known(&state, exchange).await? else { return Ok(Vec::new()) };
    let entries = all(&state).store.entries(&id, &prefix).await?;
    Ok(entries.into_iter().flat_map(|(key, json)| [key, json]).collect())
}

/// The id of the session; null if there is none.
#[op2]
#[string]
pub(crate) fn op_session_id(state: &mut OpState, exchange: f64) -> Result<Option<String>, OpError> {
    let id = state.exchange(exchange).slot()?.session.id.clone();
    Ok(id.map(|id| state.exchanges().host.sessions.renewals.newest(&id)))
}

struct Watching {
    changes: Mutex<mpsc::Receiver<SessionChange>>,
    watch: RefCell<Option<Watch>>,
}

impl Resource for Watching {
    fn name(&self) -> Cow<'_, str> {
        "sessionChanges".into()
    }
}

/// Subscribes to changes of the session, which is created if there is none.
#[op2]
#[smi]
pub(crate) async fn op_session_watch(
    state: Rc<RefCell<OpState>>,
    exchange: f64,
) -> Result<ResourceId, OpError> {
    let id = begun(&state, exchange).await?;
    let sessions = all(&state);
    let (watch, changes) = sessions.watchers.watch(&sessions.name(&id));
    let watching = Watching { changes: Mutex::new(changes), watch: RefCell::new(Some(watch)) };
    Ok(state.borrow_mut().resource_table.add(watching))
}

/// The next change: the key, and its JSON or null. Null after the end of the subscription.
#[op2]
#[serde]
pub(crate) async fn op_session_change(
    state: Rc<RefCell<OpState>>,
    #[smi] watching: ResourceId,
) -> Option<(String, Option<String>)> {
    let watching = state.borrow().resource_table.get::<Watching>(watching).ok()?;
    let change = watching.changes.lock().await.recv().await?;
    Some((change.key, change.json))
}

#[op2(fast)]
pub(crate) fn op_session_unwatch(state: &mut OpState, #[smi] watching: ResourceId) {
    // A pending `op_session_change` still holds the resource; dropping the watch ends its wait.
    if let Ok(watching) = state.resource_table.take::<Watching>(watching) {
        drop(watching.watch.take());
    }
}
