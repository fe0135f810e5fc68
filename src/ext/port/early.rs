//! Messages of the client that wait for a listener.

use std::time::Instant;

use deno_core::{OpState, op2};
use serde::Serialize;
use serde_json::value::RawValue;

use super::EarlyMessages;
use crate::ext::OpError;
use crate::ext::exchange::{Current, ExchangeState};
use liveline_proto::{FRAME_COST, InboundMessage};

/// Nobody listens for a message yet: keeps it. `payload` is null for undefined.
#[op2]
pub(crate) fn op_early_keep(
    state: &mut OpState,
    id: f64,
    #[string] kind: String,
    #[string] event_id: String,
    #[string] payload: Option<String>,
    #[smi] ports: u32,
) -> Result<(), OpError> {
    let size = FRAME_COST + kind.len() + event_id.len() + payload.as_ref().map_or(0, String::len);
    let payload = payload.map(RawValue::from_string).transpose()?.map(Into::into);
    let host = &state.exchanges().host;
    let (limit, budget) = (host.hub.engine().limits().queue_bytes, host.bodies.budget.clone());
    let Ok(slot) = state.exchange(id).slot() else { return Ok(()) };
    let now = Instant::now();
    let address = slot.requester.address;
    let early = &mut slot.rare.get_or_insert_default().early;
    let early = early.get_or_insert_with(|| EarlyMessages::new(budget.begin(address, now)));
    early.keep(InboundMessage { kind, event_id, payload, ports, size }, limit, now);
    Ok(())
}

/// Somebody listens for a type from now on, the client is in a channel, or all that nobody here takes goes on to somebody
/// else. Where messages of that were given up, it ends the line.
#[op2(fast)]
pub(crate) fn op_early_listen(state: &mut OpState, id: f64, #[string] name: &str, #[smi] scope: u32) {
    let Current { all, id } = state.exchange(id);
    let Some(EarlyMessages { given_up, .. }) = all.early(id) else { return };
    let is_incomplete = match scope {
        0 => given_up.has(name),
        1 => given_up.has_of_channel(name),
        _ => given_up.is_any || !given_up.names.is_empty(),
    };
    if is_incomplete {
        all.is_incomplete(id);
    }
}

/// The place of the first message from `at` on that has one of these types, or any where `types` is null; -1: none.
#[op2]
#[smi]
pub(crate) fn op_early_find(
    state: &mut OpState,
    id: f64,
    #[smi] at: u32,
    #[serde] types: Option<Vec<String>>,
) -> i32 {
    let Current { all, id } = state.exchange(id);
    let Some(early) = all.early(id) else { return -1 };
    let is_wanted = |said: &InboundMessage| types.as_ref().is_none_or(|types| types.contains(&said.kind));
    let found = early.messages.iter().enumerate().skip(at as usize).find(|(_, said)| is_wanted(said));
    found.and_then(|(at, _)| i32::try_from(at).ok()).unwrap_or(-1)
}

/// The type of a message that is kept, by its place.
#[op2]
#[string]
pub(crate) fn op_early_type(state: &mut OpState, id: f64, #[smi] at: u32) -> Option<String> {
    let Current { all, id } = state.exchange(id);
    let early = all.early(id)?;
    early.messages.get(at as usize).map(|said| said.kind.clone())
}

/// Takes a message out: its parts as JSON.
#[op2]
#[string]
pub(crate) fn op_early_take(state: &mut OpState, id: f64, #[smi] at: u32) -> Result<Option<String>, OpError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Parts<'a> {
        event_id: &'a str,
        ports: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<&'a RawValue>,
    }
    let Current { all, id } = state.exchange(id);
    let said = all.early(id).and_then(|early| early.take(at as usize));
    let Some(InboundMessage { event_id, ports, payload, .. }) = said else { return Ok(None) };
    Ok(Some(serde_json::to_string(&Parts { event_id: &event_id, ports, data: payload.as_deref() })?))
}

/// Takes out a message for a channel that the handler has entered meanwhile, and lets it go where it would have gone.
#[op2(fast)]
pub(crate) fn op_early_repeat(state: &mut OpState, id: f64, #[smi] at: u32) {
    let Current { all, id } = state.exchange(id);
    if let Some(said) = all.early(id).and_then(|early| early.take(at as usize))
        && let Some(line) = all.line(id)
    {
        all.host.hub.deferred_turn().repeat(line, said);
    }
}
