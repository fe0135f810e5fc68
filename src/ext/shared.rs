//! Named values that several isolates share. Half of `runtime-js/shared/shared.js`.
//!
//! One holder of a value at a time has the lead: it alone sets the value. When it closes, another holder gets
//! the lead.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use deno_core::{OpState, Resource, ResourceId, op2};
use serde::Serialize;
use tokio::sync::{Mutex as Lead, OwnedMutexGuard, watch};

use super::{Exchanges, OpError};

/// Maximum size of a value as JSON, in bytes. Each value is stored once for all holders.
const MAX_VALUE: usize = 1 << 20;

/// The values of the process. Clones share the data.
#[derive(Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<HashMap<String, Weak<Named>>>>);

/// One value, which exists while a holder refers to it.
struct Named {
    name: String,
    values: Shared,
    latest: watch::Sender<Latest>,
    lead: Arc<Lead<()>>,
}

#[derive(Debug, Clone, Default)]
struct Latest {
    /// Incremented with each value; 0 if there is none.
    version: u32,
    json: Arc<str>,
}

impl Shared {
    fn named(&self, name: &str) -> Arc<Named> {
        let mut values = self.lock();
        if let Some(named) = values.get(name).and_then(Weak::upgrade) {
            return named;
        }
        let named = Arc::new(Named {
            name: name.to_owned(),
            values: self.clone(),
            latest: watch::Sender::default(),
            lead: Arc::default(),
        });
        values.insert(name.to_owned(), Arc::downgrade(&named));
        named
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Weak<Named>>> {
        self.0.lock().expect("nothing panics while values are looked up")
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let mut values = self.values.lock();
        // Another isolate may have created a new value with this name meanwhile.
        if values.get(&self.name).is_some_and(|named| named.strong_count() == 0) {
            values.remove(&self.name);
        }
    }
}

/// A reference of an isolate to a value.
struct Holder {
    named: Arc<Named>,
    lead: RefCell<Option<OwnedMutexGuard<()>>>,
    /// Set when the holder is closed, to end pending ops.
    closed: watch::Sender<bool>,
}

impl Resource for Holder {
    fn name(&self) -> Cow<'_, str> {
        "shared".into()
    }

    fn close(self: Rc<Self>) {
        self.lead.take();
        self.closed.send_replace(true);
    }
}

/// The holder; `None` if it was closed.
fn holder(state: &OpState, id: ResourceId) -> Option<Rc<Holder>> {
    state.resource_table.get::<Holder>(id).ok()
}

/// Opens the value of a name. With `of_code`, only isolates of the same generation share it.
#[op2(fast)]
#[smi]
pub(crate) fn op_shared_open(state: &mut OpState, #[string] name: &str, of_code: bool) -> ResourceId {
    let exchanges = state.borrow::<Exchanges>();
    let name = if of_code { format!("{}/{name}", exchanges.host.code) } else { format!("/{name}") };
    let named = exchanges.host.shared.named(&name);
    let (closed, _) = watch::channel(false);
    state.resource_table.add(Holder { named, lead: RefCell::default(), closed })
}

/// Closes the holder. Does nothing if it is already closed.
#[op2(fast)]
pub(crate) fn op_shared_close(state: &mut OpState, #[smi] id: ResourceId) {
    if let Ok(holder) = state.resource_table.take::<Holder>(id) {
        holder.close();
    }
}

/// Resolves with true when this holder gets the lead, and with false if it was closed before.
#[op2]
pub(crate) async fn op_shared_lead(state: Rc<RefCell<OpState>>, #[smi] id: ResourceId) -> bool {
    let Some(holder) = holder(&state.borrow(), id) else { return false };
    let mut closed = holder.closed.subscribe();
    let guard = tokio::select! {
        guard = holder.named.lead.clone().lock_owned() => guard,
        _ = closed.wait_for(|closed| *closed) => return false,
    };
    if *holder.closed.borrow() {
        return false;
    }
    *holder.lead.borrow_mut() = Some(guard);
    true
}

/// Sets the value for all holders.
#[op2(fast)]
pub(crate) fn op_shared_put(
    state: &mut OpState,
    #[smi] id: ResourceId,
    #[string] json: &str,
) -> Result<(), OpError> {
    if json.len() > MAX_VALUE {
        return Err(OpError::SharedTooLong(MAX_VALUE));
    }
    if let Some(holder) = holder(state, id) {
        holder.named.latest.send_modify(|latest| {
            *latest = Latest { version: latest.version.wrapping_add(1).max(1), json: json.into() };
        });
    }
    Ok(())
}

/// A value and its version.
#[derive(Serialize)]
pub(super) struct Put {
    version: u32,
    json: Arc<str>,
}

/// Resolves with the latest value as soon as its version is not `seen`; null if the holder was closed.
#[op2]
#[serde]
pub(crate) async fn op_shared_next(
    state: Rc<RefCell<OpState>>,
    #[smi] id: ResourceId,
    seen: u32,
) -> Option<Put> {
    let holder = holder(&state.borrow(), id)?;
    let (mut values, mut closed) = (holder.named.latest.subscribe(), holder.closed.subscribe());
    tokio::select! {
        latest = values.wait_for(|latest| latest.version != seen) => {
            let latest = latest.ok()?.clone();
            Some(Put { version: latest.version, json: latest.json })
        }
        _ = closed.wait_for(|closed| *closed) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lasts_as_long_as_it_is_held() {
        let values = Shared::default();
        let (one, other) = (values.named("a"), values.named("a"));
        one.latest.send_modify(|latest| latest.version = 7);
        assert_eq!(other.latest.borrow().version, 7);
        drop((one, other));
        assert!(values.lock().is_empty());
        assert_eq!(values.named("a").latest.borrow().version, 0);
    }

    #[tokio::test]
    async fn the_lead_passes_on_when_it_is_let_go() {
        let values = Shared::default();
        let (one, other) = (values.named("a"), values.named("a"));
        let lead = one.lead.clone().lock_owned().await;
        assert!(other.lead.clone().try_lock_owned().is_err());
        drop(lead);
        assert!(other.lead.clone().try_lock_owned().is_ok());
    }
}
