//! Frames from a handler to its client.

pub(crate) mod early;
mod early_messages;

pub(crate) use early_messages::EarlyMessages;

use deno_core::{OpState, op2};
use serde_json::value::RawValue;

use crate::ext::OpError;
use crate::ext::exchange::ExchangeState;
use crate::ext::exchange::Phase;
use liveline_proto::Envelope;
use liveline_proto::{Input, Priority, QueuedFrame};

/// Sends a further state of the response.
#[op2(fast)]
pub(crate) fn op_port_frame(
    state: &mut OpState,
    id: f64,
    #[string] event_id: &str,
    #[string] payload: &str,
    done: bool,
) -> Result<(), OpError> {
    let frame = state_frame(event_id, payload)?;
    state.exchange(id).input(Input::Frame { frame, done })?;
    Ok(())
}

/// Sends the newest state again, to a client that missed earlier frames. It does not count as a further
/// state.
#[op2(fast)]
pub(crate) fn op_port_state(
    state: &mut OpState,
    id: f64,
    #[string] event_id: &str,
    #[string] payload: &str,
) -> Result<(), OpError> {
    let frame = state_frame(event_id, payload)?;
    state.exchange(id).send(frame)?;
    Ok(())
}

/// Encodes a state, which is JSON, in its envelope.
fn state_frame(event_id: &str, payload: &str) -> Result<QueuedFrame, OpError> {
    let envelope = Envelope { kind: "response.replace", event_id, live: true, ..Default::default() };
    let frame = envelope.encode(Some(serde_json::from_str::<&RawValue>(payload)?));
    Ok(QueuedFrame::new(Priority::State, frame))
}

/// Sends changes inside the body of the current state.
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
    state.exchange(id).send(delta)?;
    Ok(())
}

/// The result of sending a message, numbered as in `port/client_port.js`.
enum Sent {
    /// It was sent or queued.
    Fine,
    /// The queue of the line is congested: the handler should wait.
    Behind,
    /// The exchange is over, and the message was dropped.
    Over,
}

/// Sends a message, a request with `ports` reply ports, or a reply. `payload` is null for undefined. Returns
/// a [`Sent`].
#[op2]
#[smi]
pub(crate) fn op_port_message(
    state: &mut OpState,
    id: f64,
    #[string] kind: &str,
    #[string] event_id: &str,
    #[string] payload: Option<String>,
    live: bool,
    bubbles: bool,
    #[smi] ports: u32,
) -> Result<u32, OpError> {
    let mut exchange = state.exchange(id);
    if exchange.phase() >= Phase::Complete {
        return Ok(Sent::Over as u32);
    }
    let payload = payload.map(RawValue::from_string).transpose()?;
    let envelope = Envelope { kind, event_id, live, bubbles, ports };
    let frame = envelope.encode(payload.as_deref());
    exchange.send(QueuedFrame::new(Priority::Message, frame))?;
    Ok(if exchange.is_congested() { Sent::Behind } else { Sent::Fine } as u32)
}

/// The handler sends its states in full from here on, as requested after a congestion.
#[op2(fast)]
pub(crate) fn op_port_refresh(state: &mut OpState, id: f64) {
    if let Some((hub, line)) = state.exchange(id).line() {
        hub.deferred_turn().refreshed(line);
    }
}

/// Closes the line for the handler.
#[op2(fast)]
pub(crate) fn op_port_close(state: &mut OpState, id: f64) {
    state.exchange(id).close();
}
