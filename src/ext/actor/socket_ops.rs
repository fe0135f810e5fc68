//! The ops of sockets that pass between isolates, clients and actors.

use std::sync::Arc;

use bytes::Bytes;
use deno_core::convert::Uint8Array;
use deno_core::{OpState, op2};
use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, SEC_WEBSOCKET_PROTOCOL};

use super::gate::Leaving;
use super::running::Running;
use super::sockets::{End, Item, OnLines};
use crate::ext::OpError;
use crate::ext::answer::{give, head};
use crate::ext::exchange::ExchangeState;
use crate::http::{Answer, Audience, lists};
use liveline_proto::{Close, CloseCode, Frame, Input};

/// The number that JavaScript passes for code that belongs to no actor.
const NO_INSTANCE: u32 = u32::MAX;

fn end(number: f64) -> End {
    End(number as u64)
}

/// Makes a pipe. Returns its first end, an even number; the other is the next number.
#[op2(fast)]
pub(crate) fn op_actor_pipe(state: &mut OpState) -> f64 {
    state.borrow::<Running>().actors.lock().open_pipe().0 as f64
}

/// JavaScript of this isolate receives what comes to an end; `instance` accepted it.
#[op2(fast)]
pub(crate) fn op_actor_end_attach(state: &mut OpState, #[smi] instance: u32, number: f64, #[smi] rate: u32) {
    let running = state.borrow::<Running>();
    let actor = running.instance(instance).map(|instance| instance.actor.clone());
    let mut on_lines = OnLines::default();
    running.actors.lock().attach_isolate(end(number), running.isolate, actor, rate, &mut on_lines);
    on_lines.carry_out(&running.actors);
}

/// An end is the socket of an actor from now on, which may hibernate.
#[op2]
pub(crate) fn op_actor_end_accept(
    state: &mut OpState,
    #[smi] instance: u32,
    number: f64,
    #[serde] tags: Vec<String>,
    #[smi] rate: u32,
) {
    let running = state.borrow::<Running>();
    let Some(instance) = running.instance(instance) else { return };
    let mut on_lines = OnLines::default();
    running.actors.lock().attach_actor(end(number), instance.actor.clone(), tags, rate, &mut on_lines);
    on_lines.carry_out(&running.actors);
}

fn send(running: &Running, instance: u32, number: f64, item: Item) {
    let end = end(number);
    match running.instance(instance).filter(|_| instance != NO_INSTANCE) {
        Some(instance) => instance.gate.pass(&running.actors, Leaving::Socket { end, item }),
        None => {
            let mut on_lines = OnLines::default();
            running.actors.lock().send(end, item, &mut on_lines);
            on_lines.carry_out(&running.actors);
        }
    }
}

/// Sends a text message from an end.
#[op2(fast)]
pub(crate) fn op_actor_end_text(
    state: &mut OpState,
    #[smi] instance: u32,
    number: f64,
    #[string] text: String,
) {
    let running = state.borrow_mut::<Running>();
    let frame = Frame::Text(text.into());
    running.last = Some(frame.clone());
    send(running, instance, number, Item::Message(frame));
}

/// Sends the text that was sent last from another end.
#[op2(fast)]
pub(crate) fn op_actor_end_again(state: &mut OpState, #[smi] instance: u32, number: f64) {
    let running = state.borrow::<Running>();
    if let Some(frame) = running.last.clone() {
        send(running, instance, number, Item::Message(frame));
    }
}

/// Sends a binary message from an end.
#[op2]
pub(crate) fn op_actor_end_bytes(
    state: &mut OpState,
    #[smi] instance: u32,
    number: f64,
    #[anybuffer] bytes: &[u8],
) {
    let frame = Frame::Binary(Bytes::copy_from_slice(bytes));
    send(state.borrow::<Running>(), instance, number, Item::Message(frame));
}

/// Closes a pipe from an end, after all messages.
#[op2(fast)]
pub(crate) fn op_actor_end_close(
    state: &mut OpState,
    #[smi] instance: u32,
    number: f64,
    #[smi] code: u16,
    #[string] reason: String,
) {
    let close = Close::because(CloseCode::from(code), reason);
    send(state.borrow::<Running>(), instance, number, Item::Close(close));
}

/// The open sockets of an actor that it may hibernate with, in the order in which it accepted them; those with a tag
/// if one is given.
#[op2]
#[serde]
pub(crate) fn op_actor_sockets(
    state: &mut OpState,
    #[smi] instance: u32,
    #[string] tag: Option<String>,
) -> Vec<f64> {
    let running = state.borrow::<Running>();
    let Some(instance) = running.instance(instance) else { return Vec::new() };
    let ends = running.actors.lock().sockets_of(&instance.actor, tag.as_deref());
    ends.into_iter().map(|end| end.0 as f64).collect()
}

/// How many sockets an actor has.
#[op2(fast)]
#[smi]
pub(crate) fn op_actor_socket_count(state: &mut OpState, #[smi] instance: u32) -> u32 {
    let running = state.borrow::<Running>();
    let count = running.instance(instance).map(|it| running.actors.lock().count_of(&it.actor));
    count.unwrap_or_default() as u32
}

/// An actor has received the end of a socket.
#[op2(fast)]
pub(crate) fn op_actor_socket_forget(state: &mut OpState, number: f64) {
    state.borrow::<Running>().actors.lock().forget(end(number));
}

/// The tags of a socket; null if no actor accepted it.
#[op2]
#[serde]
pub(crate) fn op_actor_tags(state: &mut OpState, number: f64) -> Option<Vec<String>> {
    state.borrow::<Running>().actors.lock().tags(end(number))
}

/// What a socket's actor has attached to it; null if nothing.
#[op2]
pub(crate) fn op_actor_attachment(state: &mut OpState, number: f64) -> Option<Uint8Array> {
    let attachment = state.borrow::<Running>().actors.lock().attachment(end(number))?;
    Some(Uint8Array::from(attachment.to_vec()))
}

/// Attaches data to a socket.
#[op2(fast)]
pub(crate) fn op_actor_set_attachment(state: &mut OpState, number: f64, #[buffer] data: &[u8]) {
    state.borrow::<Running>().actors.lock().set_attachment(end(number), Some(Arc::from(data)));
}

/// When the last automatic answer was sent to a socket, in milliseconds since 1970; -1 if none was.
#[op2(fast)]
pub(crate) fn op_actor_answered(state: &mut OpState, number: f64) -> f64 {
    state.borrow::<Running>().actors.lock().answered(end(number)).unwrap_or(-1.)
}

/// Sets the message that the host answers for an actor, and the answer.
#[op2]
pub(crate) fn op_actor_set_automatic(
    state: &mut OpState,
    #[smi] instance: u32,
    #[string] request: Option<String>,
    #[string] answer: Option<String>,
) {
    let running = state.borrow::<Running>();
    if let Some(instance) = running.instance(instance) {
        running.actors.lock().set_automatic(&instance.actor, request.zip(answer));
    }
}

/// The message that the host answers for an actor, and the answer.
#[op2]
#[serde]
pub(crate) fn op_actor_automatic(state: &mut OpState, #[smi] instance: u32) -> Option<(String, String)> {
    let running = state.borrow::<Running>();
    let instance = running.instance(instance)?;
    running.actors.lock().automatic_of(&instance.actor)
}

/// Answers with a WebSocket whose client is one end of a pipe; the exchange is over then. Returns why it is not opened:
/// the request is not for one, which is answered with 426, or the actor at the other end has more than `max` sockets,
/// which is answered with 503. Empty if it is opened. A `max` of 0 is no limit.
#[op2]
#[string]
pub(crate) fn op_answer_socket_end(
    state: &mut OpState,
    id: f64,
    #[string] headers: &str,
    number: f64,
    #[smi] max: u32,
) -> Result<&'static str, OpError> {
    const FULL: &str = "The room is full: MAX_CONNECTIONS_PER_ROOM";
    let mut answer = head(StatusCode::SWITCHING_PROTOCOLS.as_u16(), "", headers)?;
    answer.headers.remove(CONTENT_LENGTH);
    let slot = state.exchange(id).slot()?;
    if slot.client != Audience::Socket {
        give(state, id, Answer::needs_websocket(), true)?;
        return Ok("The request did not get a WebSocket.");
    }
    if let Some(protocol) = answer.headers.get(SEC_WEBSOCKET_PROTOCOL)
        && !lists(&slot.request.parts().headers, SEC_WEBSOCKET_PROTOCOL, |offered| protocol == offered)
    {
        return Err(OpError::Protocol(String::from_utf8_lossy(protocol.as_bytes()).into_owned()));
    }
    slot.rare.get_or_insert_default().end = Some(end(number));
    if max > 0 && state.borrow::<Running>().actors.lock().neighbours(end(number)) > max as usize {
        give(state, id, Answer::text(StatusCode::SERVICE_UNAVAILABLE, format!("{FULL}\n")), true)?;
        return Ok(FULL);
    }
    state.exchange(id).input(Input::Upgrade(Box::new(answer)))?;
    let is_open = state.exchange(id).line().is_some();
    // The line goes on without the exchange.
    state.exchange(id).input(Input::Gone)?;
    Ok(if is_open { "" } else { "The request did not get a WebSocket." })
}
