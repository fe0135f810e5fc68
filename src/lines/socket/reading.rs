//! Reading from a connection: its task, and what reads in place of that.

use std::cell::RefCell;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::writing::Flow;
use super::{Encoding, Socket};
use crate::lines::tcp::{self, Chunk};
use liveline_proto::websocket::{self, Decoder, FrameError, Kind, Received};
use liveline_proto::{Close, CloseCode, Frame};

/// Bytes that one read returns at most.
const READ_BYTES: usize = 64 * 1024;

/// How often one connection is read before others have their turn.
const READS_PER_TURN: usize = 4;

thread_local! {
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The task of a connection: reads, and waits until more can be written.
pub(super) struct Carrying {
    pub(super) socket: Arc<Socket>,
    /// It has [moved](super::move_to_hub) to the runtime of the hub.
    pub(super) has_moved: bool,
    /// How the line or its connection has ended, if that has happened already.
    pub(super) over: Option<Box<Close>>,
}

// Besides the socket, this is the memory of an idle connection's task. With tokio's part it fills 128 bytes, and tokio
// makes tasks in multiples of these.
const _: () = assert!(size_of::<Carrying>() <= 24);

/// What is done with bytes of the client.
pub(super) enum Input {
    Frames(Decoder),
    /// The client may not send here, sent its close frame, or broke the protocol.
    Ignored,
    /// The connection ended with the client's close frame, which another thread than that of the task has read.
    Over(Box<Close>),
}

impl Future for Carrying {
    type Output = ();

    /// Carries a line until it or its connection ends.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let carrying = self.get_mut();
        let over = match carrying.over.take() {
            Some(close) => Some(*close),
            None => ready!(carrying.poll_end(cx)),
        };
        if let Some(close) = over {
            carrying.socket.over(close);
        }
        Poll::Ready(())
    }
}

impl Carrying {
    /// Reads until the line or its connection has ended. Ready with `None` if another task carries the line now.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<Close>> {
        let Carrying { socket, has_moved, .. } = self;
        let mut input = socket.input();
        if !*has_moved && socket.moved.get().is_some() {
            return Poll::Ready(None);
        }
        socket.waker.register(cx.waker());
        if socket.poll_flow(cx).is_ready() {
            return Poll::Ready(Some(CloseCode::Abnormal.into()));
        }
        INPUT.with_borrow_mut(|buffer| {
            buffer.resize(READ_BYTES, 0);
            for _ in 0..READS_PER_TURN {
                if !socket.may_read() {
                    return Poll::Pending;
                }
                if let Input::Over(close) = &*input {
                    return Poll::Ready(Some(Close::clone(close)));
                }
                let Ok(Chunk { read: read @ 1.., is_last }) =
                    ready!(tcp::poll_read(socket.stream(), cx, buffer))
                else {
                    return Poll::Ready(Some(CloseCode::Abnormal.into()));
                };
                if let Some(close) = socket.take_in(&mut input, &mut buffer[..read]) {
                    return Poll::Ready(Some(close));
                }
                if is_last && socket.stream().poll_read_ready(cx).is_pending() {
                    return Poll::Pending;
                }
                // On the thread of an isolate, requests wait for a client that sends much.
                if read == READ_BYTES && socket.reader.is_some() {
                    break;
                }
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    }
}

impl Socket {
    /// Whether the handler has kept up with the client.
    fn may_read(&self) -> bool {
        let Socket { hub, attachment, paused, .. } = self;
        if hub.engine().may_read(*attachment) {
            paused.store(false, Ordering::Relaxed);
            return true;
        }
        paused.store(true, Ordering::Release);
        // The handler may have caught up before the flag was set.
        let may = hub.engine().may_read(*attachment);
        if may {
            paused.store(false, Ordering::Release);
        }
        may
    }

    /// Processes bytes of the client. Returns its close frame if the connection ends with that.
    pub(super) fn take_in(&self, input: &mut Input, bytes: &mut [u8]) -> Option<Close> {
        let Socket { hub, attachment, encoding, is_unanswered, .. } = self;
        let Input::Frames(decoder) = input else { return None };
        let attachment = *attachment;
        let is_raw = matches!(encoding, Encoding::Raw);
        let (mut answers, mut closed, mut is_closing) = (Vec::new(), None, false);
        let mut turn = hub.turn();
        let result = decoder.feed(bytes, |received| {
            match received {
                Received::Text(text) if is_raw => turn.receive_raw(attachment, text.into()),
                Received::Binary(bytes) if is_raw => {
                    turn.receive_raw(attachment, Frame::Binary(Bytes::copy_from_slice(bytes)));
                }
                Received::Text(text) => turn.receive(attachment, text),
                Received::Binary(_) => turn.reject(attachment, CloseCode::Unsupported.into()),
                Received::Ping(payload) => {
                    turn.receive_control(attachment, || Frame::Ping(Bytes::copy_from_slice(payload)));
                    websocket::frame(Kind::Pong, payload, &mut answers);
                }
                Received::Pong(payload) => {
                    turn.receive_control(attachment, || Frame::Pong(Bytes::copy_from_slice(payload)));
                }
                Received::Close(code, reason) => {
                    let close = closed_by_client(code, reason, is_raw);
                    // The handler of a raw socket first answers the messages before it.
                    is_unanswered.store(is_raw, Ordering::Release);
                    is_closing = is_raw && turn.close_received(attachment, close.clone());
                    if is_closing {
                        return ControlFlow::Break(());
                    }
                    websocket::close_frame(close.code.number(), &close.reason, &mut answers);
                    closed = Some(close);
                }
            }
            if closed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let result =
            result.and_then(|()| decoder.reserve(hub.unfinished(), || turn.network(attachment.line)));
        // Pongs and the close frame go out before the owner receives anything.
        let after = turn.unlock();
        self.answer(&answers);
        drop(after);
        if is_closing {
            *input = Input::Ignored;
        }
        if let Err(error) = result {
            *input = Input::Ignored;
            self.reject(error);
        }
        closed
    }

    /// The client broke the protocol: its line ends, and later bytes are ignored.
    fn reject(&self, error: FrameError) {
        let Socket { hub, attachment, is_unanswered, .. } = self;
        is_unanswered.store(true, Ordering::Release);
        let close = Close::because(CloseCode::from(error.code()), error.to_string());
        hub.turn().reject(*attachment, close);
    }

    /// Reads once, and writes what the system did not accept before, in place of the thread that otherwise does. That
    /// the connection is over is left to that thread.
    pub(in crate::lines) fn meanwhile(&self) {
        let mut writer = self.writer();
        if writer.flow == Flow::Blocked {
            let flow = self.write_out(&mut writer);
            self.wrote(&mut writer, flow);
        }
        drop(writer);
        let mut input = self.input();
        // Whether the task is paused is for the task to decide.
        if !matches!(*input, Input::Frames(_)) || !self.hub.engine().may_read(self.attachment) {
            return;
        }
        INPUT.with_borrow_mut(|buffer| {
            buffer.resize(READ_BYTES, 0);
            let Ok(read @ 1..) = tcp::read(self.stream(), buffer) else { return };
            if let Some(close) = self.take_in(&mut input, &mut buffer[..read]) {
                *input = Input::Over(Box::new(close));
                self.waker.wake();
            }
        });
    }
}

fn closed_by_client(code: Option<u16>, reason: &str, is_raw: bool) -> Close {
    match code {
        Some(code) => Close::because(CloseCode::from(code), reason.to_owned()),
        // The number for a close frame without a code (RFC 6455 section 7.1.5).
        None if is_raw => Close::because(CloseCode::Other(1005), String::new()),
        None => CloseCode::Done.into(),
    }
}
