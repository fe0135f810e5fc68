//! The ops of sockets that pass between isolates, clients and actors.

use std::sync::Arc;

use bytes::Bytes;
use deno_core::convert::Uint8Array;
use deno_core::{OpState, op2};
use hyper::StatusCode;

use super::directory::{Engine, Leaving};
use super::running::Running;
use super::sockets::{End, Item, SocketLimits};
use crate::ext::OpError;
use crate::ext::answer::{give, head};
use crate::ext::exchange::ExchangeState;
use crate::ext::websocket::pair::may_open;
use crate::http::Answer;
use liveline_proto::actor::{AutoResponse, SocketError, SocketId};
use liveline_proto::{Close, CloseCode, Frame, Input};

/// The number that JavaScript passes for code that belongs to no actor.
const NO_INSTANCE: u32 = u32::MAX;

fn end(number: f64) -> End {
    End(number as u64)
}

/// How the engine knows the socket of an end.
fn socket(number: f64) -> SocketId {
    SocketId(end(number).0)
}

/// Makes a pipe. Returns its first end, an even number; the other is the next number.
#[op2(fast)]
pub(crate) fn op_actor_pipe(state: &mut OpState) -> f64 {
    state.borrow::<Running>().actors.with(|state, _| state.open_pipe()).0 as f64
}

/// JavaScript of this isolate receives what comes to an end; `instance` accepted it.
#[op2(fast)]
pub(crate) fn op_actor_end_attach(
    state: &mut OpState,
    #[smi] instance: u32,
    number: f64,
    #[smi] rate: u32,
    #[smi] max: u32,
) {
    let running = state.borrow::<Running>();
    let actor = running.instance(instance).map(|instance| instance.actor.clone());
    let limits = SocketLimits { rate, max };
    running.actors.with(|state, on_lines| {
        state.attach_isolate(end(number), running.isolate, actor, limits, on_lines);
    });
}

/// An end is the socket of an actor from now on, which may hibernate.
#[op2]
pub(crate) fn op_actor_end_accept(
    state: &mut OpState,
    #[smi] instance: u32,
    number: f64,
    #[serde] tags: Vec<String>,
    #[smi] rate: u32,
    #[smi] max: u32,
) -> Result<(), OpError> {
    let running = state.borrow::<Running>();
    let instance = running.instance(instance).ok_or(SocketError::Gone)?;
    let (owner, limits) = ((instance.id, instance.actor.clone()), SocketLimits { rate, max });
    running.actors.with(|state, on_lines| state.attach_actor(end(number), owner, &tags, limits, on_lines))?;
    Ok(())
}

fn send(running: &Running, instance: u32, number: f64, item: Item) {
    let end = end(number);
    match running.instance(instance).filter(|_| instance != NO_INSTANCE) {
        Some(instance) => {
            running.actors.engine(|engine| engine.output(instance.id, Leaving::Socket { end, item }));
        }
        None => running.actors.with(|state, on_lines| state.send(end, item, on_lines)),
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

/// The sockets of an actor that it may hibernate with, in the order in which it accepted them; those with a tag if one is
/// given.
#[op2]
#[serde]
pub(crate) fn op_actor_sockets(
    state: &mut OpState,
    #[smi] instance: u32,
    #[string] tag: Option<String>,
) -> Vec<f64> {
    let running = state.borrow::<Running>();
    let Some(instance) = running.instance(instance) else { return Vec::new() };
    let sockets = running.actors.engine(|engine| engine.sockets(instance.id, tag.as_deref()));
    sockets.into_iter().map(|SocketId(end)| end as f64).collect()
}

/// The tags of a socket; null if no actor accepted it.
#[op2]
#[serde]
pub(crate) fn op_actor_tags(state: &mut OpState, number: f64) -> Option<Vec<String>> {
    let texts = |tags: &[Arc<str>]| tags.iter().map(|tag| tag.to_string()).collect();
    state.borrow::<Running>().actors.engine(|engine| engine.tags(socket(number)).map(texts))
}

/// What a socket's actor has attached to it; null if nothing.
#[op2]
pub(crate) fn op_actor_attachment(state: &mut OpState, number: f64) -> Option<Uint8Array> {
    let attachment = |engine: &mut Engine| engine.attachment(socket(number)).map(|bytes| bytes.to_vec());
    state.borrow::<Running>().actors.engine(attachment).map(Uint8Array::from)
}

/// Attaches data to a socket.
#[op2(fast)]
pub(crate) fn op_actor_set_attachment(state: &mut OpState, number: f64, #[buffer] data: &[u8]) {
    let data = Bytes::copy_from_slice(data);
    state.borrow::<Running>().actors.engine(|engine| engine.attach(socket(number), data));
}

/// When the last automatic answer was sent to a socket, in milliseconds since 1970; -1 if none was.
#[op2(fast)]
pub(crate) fn op_actor_answered(state: &mut OpState, number: f64) -> f64 {
    let answered = state.borrow::<Running>().actors.engine(|engine| engine.answered(socket(number)));
    answered.map_or(-1., |at| at as f64)
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
    let pair = request.zip(answer);
    let pair =
        pair.map(|(request, response)| AutoResponse { request: request.into(), response: response.into() });
    if let Some(instance) = running.instance(instance) {
        running.actors.engine(|engine| engine.set_auto_response(instance.id, pair));
    }
}

/// The message that the host answers for an actor, and the answer.
#[op2]
#[serde]
pub(crate) fn op_actor_automatic(state: &mut OpState, #[smi] instance: u32) -> Option<(String, String)> {
    let running = state.borrow::<Running>();
    let instance = running.instance(instance)?;
    running.actors.engine(|engine| {
        let pair = engine.auto_response(instance.id)?;
        Some((pair.request.to_string(), pair.response.to_string()))
    })
}

/// Answers with a WebSocket whose client is one end of a pipe; the exchange is over then. Returns why it is not opened:
/// the request is not for one, which is answered with 426, or the actor at the other end has more sockets than it may,
/// which is answered with 503. Empty if it is opened.
#[op2]
#[string]
pub(crate) fn op_answer_socket_end(
    state: &mut OpState,
    id: f64,
    #[string] headers: &str,
    number: f64,
) -> Result<&'static str, OpError> {
    const FULL: &str = "The room is full: MAX_CONNECTIONS_PER_ROOM";
    let mut answer = head(state, StatusCode::SWITCHING_PROTOCOLS.as_u16(), "", headers)?;
    if !may_open(state, id, &mut answer)? {
        return Ok("The request did not get a WebSocket.");
    }
    state.exchange(id).slot()?.rare.get_or_insert_default().end = Some(end(number));
    if state.borrow::<Running>().actors.with(|state, _| state.is_crowded(end(number))) {
        give(state, id, Answer::text(StatusCode::SERVICE_UNAVAILABLE, format!("{FULL}\n")), true)?;
        return Ok(FULL);
    }
    state.exchange(id).input(Input::Upgrade(Box::new(answer)))?;
    let is_open = state.exchange(id).line().is_some();
    // The line goes on without the exchange.
    state.exchange(id).input(Input::Gone)?;
    Ok(if is_open { "" } else { "The request did not get a WebSocket." })
}
