//! Frames from a handler to its client.

pub(crate) mod early;

pub(crate) use early::EarlyMessages;

use deno_core::{OpState, op2};
use serde_json::value::RawValue;

use crate::ext::exchange::exchange_id;
use crate::ext::{Exchanges, OpError};
use liveline_proto::Envelope;
use liveline_proto::{CloseCode, Input, Priority, QueuedFrame};

/// A further state of the response.
#[op2(fast)]
pub(crate) fn op_port_frame(
    state: &mut OpState,
    id: f64,
    #[string] event_id: &str,
    #[string] payload: &str,
    done: bool,
) -> Result<(), OpError> {
    let envelope = Envelope { kind: "response.replace", event_id, live: true, ..Default::default() };
    let frame = envelope.encode(Some(serde_json::from_str::<&RawValue>(payload)?));
    let frame = QueuedFrame::new(Priority::State, frame);
    state.borrow_mut::<Exchanges>().input(exchange_id(id), Input::Frame { frame, done })?;
    Ok(())
}

/// The newest state again, for a client that missed what led to it. Unlike a frame it is no further state.
#[op2(fast)]
pub(crate) fn op_port_state(
    state: &mut OpState,
    id: f64,
    #[string] event_id: &str,
    #[string] payload: &str,
) -> Result<(), OpError> {
    let envelope = Envelope { kind: "response.replace", event_id, live: true, ..Default::default() };
    let frame = envelope.encode(Some(serde_json::from_str::<&RawValue>(payload)?));
    let parcel = QueuedFrame::new(Priority::State, frame);
    state.borrow_mut::<Exchanges>().input(exchange_id(id), Input::Message(parcel))?;
    Ok(())
}

/// Changes inside the current state's body.
#[op2(fast)]
pub(crate) fn op_port_delta(
    state: &mut OpState,
    id: f64,
    #[string] kind: &str,
    #[string] records: &str,
) -> Result<(), OpError> {
    let envelope = Envelope { kind, event_id: kind, ..Default::default() };
    let frame = envelope.encode(Some(serde_json::from_str::<&RawValue>(records)?));
    let delta = QueuedFrame::new(Priority::Delta, frame);
    state.borrow_mut::<Exchanges>().input(exchange_id(id), Input::Message(delta))?;
    Ok(())
}

/// A message, a request with `ports` reply ports, or a reply. `payload` is null for undefined. Says whether the client is
/// so far behind that the handler had better wait.
#[op2]
pub(crate) fn op_port_message(
    state: &mut OpState,
    id: f64,
    #[string] kind: &str,
    #[string] event_id: &str,
    #[string] payload: Option<String>,
    live: bool,
    bubbles: bool,
    #[smi] ports: u32,
) -> Result<bool, OpError> {
    let payload = payload.map(RawValue::from_string).transpose()?;
    let envelope = Envelope { kind, event_id, live, bubbles, ports };
    let frame = envelope.encode(payload.as_deref());
    let (exchanges, id) = (state.borrow_mut::<Exchanges>(), exchange_id(id));
    exchanges.input(id, Input::Message(QueuedFrame::new(Priority::Message, frame)))?;
    Ok(exchanges.is_congested(id))
}

/// The handler's side begins to send its states in full.
#[op2(fast)]
pub(crate) fn op_port_refresh(state: &mut OpState, id: f64) {
    let exchanges = state.borrow_mut::<Exchanges>();
    if let Some(line) = exchanges.line(exchange_id(id)) {
        exchanges.hub.deferred_turn().refreshed(line);
    }
}

/// The handler closes its line.
#[op2(fast)]
pub(crate) fn op_port_close(state: &mut OpState, id: f64) {
    let exchanges = state.borrow_mut::<Exchanges>();
    let id = exchange_id(id);
    // What was sent in this turn still decides the answer.
    let _ = exchanges.input(id, Input::TurnEnded);
    if let Some(line) = exchanges.line(id) {
        exchanges.hub.deferred_turn().finish(line, CloseCode::Done.into());
    }
    exchanges.close(id);
}
