//! Messages of the client that are kept until a listener is added.

use std::time::Instant;

use deno_core::{OpState, op2};
use serde::Serialize;
use serde_json::value::RawValue;

use super::EarlyMessages;
use crate::ext::OpError;
use crate::ext::exchange::{Current, ExchangeState};
use liveline_proto::{FRAME_COST, InboundMessage};

/// Keeps a message that has no listener yet. `payload` is null for undefined.
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

/// A listener was added: for a message type (`scope` 0), for the channel `name` that the client has joined
/// (1), or for all types, by a relay (2). Ends the line if messages that it would receive were dropped.
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
        all.close_incomplete_line(id);
    }
}

/// The index of the first kept message from `at` on that has one of these types, or any type if `types` is
/// null; -1 if there is none.
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
    let is_wanted =
        |message: &InboundMessage| types.as_ref().is_none_or(|types| types.contains(&message.kind));
    let found = early.messages.iter().enumerate().skip(at as usize).find(|(_, message)| is_wanted(message));
    found.and_then(|(at, _)| i32::try_from(at).ok()).unwrap_or(-1)
}

/// The type of the kept message at an index.
#[op2]
#[string]
pub(crate) fn op_early_type(state: &mut OpState, id: f64, #[smi] at: u32) -> Option<String> {
    let Current { all, id } = state.exchange(id);
    let early = all.early(id)?;
    early.messages.get(at as usize).map(|message| message.kind.clone())
}

/// Removes a kept message and returns it as JSON.
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
    let message = all.early(id).and_then(|early| early.take(at as usize));
    let Some(InboundMessage { event_id, ports, payload, .. }) = message else { return Ok(None) };
    Ok(Some(serde_json::to_string(&Parts { event_id: &event_id, ports, data: payload.as_deref() })?))
}

/// Removes a kept message for a channel that the handler has entered meanwhile, and routes it again.
#[op2(fast)]
pub(crate) fn op_early_repeat(state: &mut OpState, id: f64, #[smi] at: u32) {
    let Current { all, id } = state.exchange(id);
    if let Some(message) = all.early(id).and_then(|early| early.take(at as usize))
        && let Some(line) = all.line(id)
    {
        all.host.hub.deferred_turn().repeat(line, message);
    }
}
