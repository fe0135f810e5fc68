//! WebSockets that handlers serve. Half of `runtime-js/websocket/pair.js`.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use deno_core::{OpState, op2};
use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, SEC_WEBSOCKET_PROTOCOL};

use crate::ext::OpError;
use crate::ext::answer::{give, head};
use crate::ext::exchange::ExchangeState;
use crate::http::{Answer, Audience, lists};
use liveline_proto::Frame;
use liveline_proto::{Close, CloseCode, FRAME_COST, Input, Priority, QueuedFrame};

/// Answers with a WebSocket, or with 426 if the request is not for one. Returns whether a WebSocket was
/// opened.
#[op2(fast)]
pub(crate) fn op_answer_socket(
    state: &mut OpState,
    id: f64,
    #[string] headers: &str,
) -> Result<bool, OpError> {
    let answer = head(state, StatusCode::SWITCHING_PROTOCOLS.as_u16(), "", headers)?;
    answer_with(state, id, answer)
}

/// Answers with a WebSocket whose head is `answer`, or with 426 if the request is not for one.
pub(super) fn answer_with(state: &mut OpState, id: f64, mut answer: Answer) -> Result<bool, OpError> {
    if !may_open(state, id, &mut answer)? {
        return Ok(false);
    }
    let mut exchange = state.exchange(id);
    exchange.input(Input::Upgrade(Box::new(answer)))?;
    Ok(exchange.line().is_some())
}

/// Whether a WebSocket may be opened whose head is `answer`. If the request is not for one, answers it with 426.
pub(in crate::ext) fn may_open(state: &mut OpState, id: f64, answer: &mut Answer) -> Result<bool, OpError> {
    answer.headers.remove(CONTENT_LENGTH);
    let slot = state.exchange(id).slot()?;
    if slot.client != Audience::Socket {
        give(state, id, Answer::needs_websocket(), true)?;
        return Ok(false);
    }
    match answer.headers.get(SEC_WEBSOCKET_PROTOCOL) {
        Some(protocol)
            if !lists(&slot.request.parts().headers, SEC_WEBSOCKET_PROTOCOL, |offered| {
                protocol == offered
            }) =>
        {
            Err(OpError::Protocol(String::from_utf8_lossy(protocol.as_bytes()).into_owned()))
        }
        _ => Ok(true),
    }
}

/// Delivers the messages of the client to the handler from now on.
#[op2(fast)]
pub(crate) fn op_websocket_accept(state: &mut OpState, id: f64) {
    if let Some((hub, line)) = state.exchange(id).line() {
        hub.deferred_turn().accept(line);
    }
}

/// Sends a text message.
#[op2(fast)]
pub(crate) fn op_websocket_text(state: &mut OpState, id: f64, #[string] text: Cow<'_, str>) {
    let text = match text {
        // Copied into memory of its length.
        Cow::Borrowed(text) => text.into(),
        Cow::Owned(text) => text.into(),
    };
    send(state, id, Frame::Text(text));
}

/// Sends a binary message.
#[op2]
pub(crate) fn op_websocket_bytes(state: &mut OpState, id: f64, #[anybuffer] bytes: &[u8]) {
    send(state, id, Frame::Binary(Bytes::copy_from_slice(bytes)));
}

fn send(state: &mut OpState, id: f64, frame: Frame) {
    // After the end of the exchange, frames are dropped.
    let _ = state.exchange(id).send(QueuedFrame::new(Priority::Message, frame));
}

/// Number of bytes queued for the client.
#[op2(fast)]
pub(crate) fn op_websocket_unsent(state: &mut OpState, id: f64) -> f64 {
    state.exchange(id).line().map_or(0., |(hub, line)| hub.engine().queued_bytes(line) as f64)
}

/// How long to wait before the queue of a client is looked at again. The hub tells only the owner of a line that its queue
/// has drained, and that in turns of the event loop.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Resolves when a message of so many bytes fits into the queue for the client, or nothing waits there, or the client is
/// gone.
#[op2]
pub(crate) async fn op_websocket_room(state: Rc<RefCell<OpState>>, id: f64, bytes: f64) {
    let has_room = || {
        let mut state = state.borrow_mut();
        let Some((hub, line)) = state.exchange(id).line() else { return true };
        let engine = hub.engine();
        let queued = engine.queued_bytes(line);
        let cost = bytes as usize + FRAME_COST;
        queued == 0 || queued + cost <= engine.limits().queue_bytes && engine.has_room_among_all(line, cost)
    };
    while !has_room() {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Closes the socket after all queued frames are sent, and ends the exchange.
#[op2(fast)]
pub(crate) fn op_websocket_close(state: &mut OpState, id: f64, #[smi] code: u16, #[string] reason: String) {
    state.exchange(id).finish(Close::because(CloseCode::from(code), reason));
}
