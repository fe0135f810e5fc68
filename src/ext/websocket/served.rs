//! WebSockets of applications that serve many clients themselves, such as Fastify's. Half of
//! `runtime-js/fastify/transport.js`.

use bytes::Bytes;
use deno_core::{OpState, op2};
use hyper::StatusCode;

use super::pair::answer_with;
use crate::ext::OpError;
use crate::ext::answer::head;
use crate::ext::exchange::ExchangeState;
use crate::http::LongestMessage;
use liveline_proto::{Close, CloseCode, FRAME_COST, Frame, Priority, QueuedFrame};

/// Bytes that may wait for one client where `--max-queue` allows less: an application sends large messages, and paces
/// itself by `bufferedAmount`.
const MOST_QUEUED: usize = 64 * 1024 * 1024;

/// The text that was sent last, which the next client may get as well. Clones of it share its bytes.
#[derive(Default)]
pub(crate) struct LastText(Option<Frame>);

/// Answers with a WebSocket whose client may send messages of `longest` bytes. Returns whether one was opened.
#[op2(fast)]
pub(crate) fn op_served_open(
    state: &mut OpState,
    id: f64,
    #[string] headers: &str,
    longest: f64,
) -> Result<bool, OpError> {
    let mut answer = head(state, StatusCode::SWITCHING_PROTOCOLS.as_u16(), "", headers)?;
    answer.extensions.insert(LongestMessage(longest.max(0.) as usize));
    answer_with(state, id, answer)
}

/// Sends a text, and keeps it for [`op_served_again`].
#[op2(fast)]
pub(crate) fn op_served_text(state: &mut OpState, id: f64, #[string] text: String) {
    let frame = Frame::Text(text.into());
    state.borrow_mut::<LastText>().0 = Some(frame.clone());
    send(state, id, frame);
}

/// Sends the text that was sent last.
#[op2(fast)]
pub(crate) fn op_served_again(state: &mut OpState, id: f64) {
    if let Some(frame) = state.borrow::<LastText>().0.clone() {
        send(state, id, frame);
    }
}

/// Forgets the text that was sent last.
#[op2(fast)]
pub(crate) fn op_served_forget(state: &mut OpState) {
    state.borrow_mut::<LastText>().0 = None;
}

/// Sends a binary message.
#[op2]
pub(crate) fn op_served_bytes(state: &mut OpState, id: f64, #[anybuffer] bytes: &[u8]) {
    send(state, id, Frame::Binary(Bytes::copy_from_slice(bytes)));
}

/// Sends a ping or a pong.
#[op2]
pub(crate) fn op_served_control(state: &mut OpState, id: f64, is_pong: bool, #[anybuffer] bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    send(state, id, if is_pong { Frame::Pong(bytes) } else { Frame::Ping(bytes) });
}

/// From now on the client's pings and pongs are delivered like messages.
#[op2(fast)]
pub(crate) fn op_served_follow_pings(state: &mut OpState, id: f64) {
    if let Some((hub, line)) = state.exchange(id).line() {
        hub.deferred_turn().follow_pings(line);
    }
}

fn send(state: &mut OpState, id: f64, frame: Frame) {
    let has_room = state.exchange(id).line().is_none_or(|(hub, line)| {
        let engine = hub.engine();
        let queued = engine.queued_bytes(line).saturating_sub(engine.limits().queue_bytes);
        queued + frame.len() <= MOST_QUEUED && engine.has_room_among_all(line, FRAME_COST + frame.len())
    });
    if !has_room {
        return state.exchange(id).finish(CloseCode::TooSlow.into());
    }
    // The limit above is in place of that of lines. After the end of the exchange, frames are dropped.
    let _ = state.exchange(id).send(QueuedFrame::new(Priority::Control, frame));
}

/// Ends the connection without a close frame: its client sees the code 1006.
#[op2(fast)]
pub(crate) fn op_served_drop(state: &mut OpState, id: f64) {
    state.exchange(id).finish(Close::because(CloseCode::Abnormal, String::new()));
}
