//! Writing to a connection.

use std::cell::RefCell;
use std::fmt::Debug;
use std::io::{self, ErrorKind, IoSlice};
use std::net::Shutdown;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::net::TcpStream;

use super::{Encoding, Socket};
use crate::lines::{Hub, tcp};
use liveline_proto::{Attachment, Close, CloseCode, Frame, Outgoing, Take};

/// Bytes of payload that are taken from the engine at a time.
const BATCH_BYTES: usize = 32 * 1024;

/// How far a connection has been written.
pub(super) struct Writer {
    pub(super) flow: Flow,
    /// A close frame was written; nothing may come after it.
    pub(super) has_closed: bool,
    /// Bytes that the system did not accept.
    pub(super) rest: Option<Box<Rest>>,
    /// The connection's place under the limit of connections; `None` when it is over. It is here, because an idle connection
    /// has no room for one more lock.
    pub(super) place: Option<Box<dyn Debug + Send>>,
}

/// Who may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// Any thread may write.
    Flowing,
    /// The system accepts no more for now; the task waits for it.
    Blocked,
    /// The connection broke, or its line is gone.
    Over,
}

/// Bytes to write, of which `at` are written. A large frame at the end is shared with other lines.
pub(super) struct Rest {
    pub(super) bytes: Vec<u8>,
    pub(super) tail: Option<Frame>,
    pub(super) at: usize,
}

impl Socket {
    /// Writes the line's frames, as far as the system accepts them.
    pub(in crate::lines) fn flush(&self) {
        self.wake_if_paused();
        let mut writer = self.writer();
        if writer.flow == Flow::Flowing {
            let flow = self.write_out(&mut writer);
            self.wrote(&mut writer, flow);
        }
    }

    /// Lets the task look whether it may read again.
    fn wake_if_paused(&self) {
        if self.paused.load(Ordering::Acquire) {
            self.waker.wake();
        }
    }

    /// Leaves to the task what the system did not accept.
    pub(super) fn wrote(&self, writer: &mut Writer, flow: Flow) {
        writer.flow = flow;
        if flow != Flow::Flowing {
            self.waker.wake();
        }
    }

    pub(super) fn write_out(&self, writer: &mut Writer) -> Flow {
        if let Some(mut rest) = writer.rest.take() {
            match write(self.stream(), &rest.bytes, rest.tail.as_ref(), &mut rest.at) {
                Ok(true) => self.end_if_last(writer),
                Ok(false) => {
                    writer.rest = Some(rest);
                    return Flow::Blocked;
                }
                Err(_) => return Flow::Over,
            }
        }
        SCRATCH.with_borrow_mut(|Scratch { outgoing, bytes }| {
            loop {
                outgoing.clear();
                let take = self.hub.take(self.attachment, BATCH_BYTES, outgoing);
                if let Some(flow) = self.write_taken(writer, take, outgoing.drain(..), bytes) {
                    return flow;
                }
            }
        })
    }

    /// Writes what was taken from the engine, by way of the buffer `bytes`. `None`: the engine may have more.
    fn write_taken(
        &self,
        writer: &mut Writer,
        take: Take,
        taken: impl Iterator<Item = Outgoing>,
        bytes: &mut Vec<u8>,
    ) -> Option<Flow> {
        bytes.clear();
        let is_last = take == Take::Last;
        let tail = match take {
            Take::Idle => return Some(Flow::Flowing),
            Take::Gone => return Some(Flow::Over),
            Take::Some | Take::Last => self.encoding.encode(taken, bytes),
            Take::Close(close) if self.is_dropped_by(&close) => return Some(Flow::Over),
            Take::Close(close) => {
                self.encoding.close(&close, bytes);
                writer.has_closed = true;
                None
            }
        };
        let mut at = 0;
        match write(self.stream(), bytes, tail.as_ref(), &mut at) {
            Ok(true) => {
                self.end_if_last(writer);
                is_last.then_some(Flow::Flowing)
            }
            Ok(false) => {
                let unwritten = bytes.split_off(at.min(bytes.len()));
                let at = at.saturating_sub(bytes.len());
                writer.rest = Some(Box::new(Rest { bytes: unwritten, tail, at }));
                Some(Flow::Blocked)
            }
            Err(_) => Some(Flow::Over),
        }
    }

    /// Whether the handler of a raw socket ends the connection without a close frame. If so, the client sees its end at
    /// once.
    fn is_dropped_by(&self, close: &Close) -> bool {
        let is_dropped = matches!(self.encoding, Encoding::Raw) && close.code == CloseCode::Abnormal;
        if is_dropped {
            // If this fails, the connection is gone.
            let _ = SockRef::from(&self.stream).shutdown(Shutdown::Both);
        }
        is_dropped
    }

    /// Shuts down this side of the connection after the close frame where no answer to it can come: the client closed
    /// first, broke the protocol, or waits for the end of a response.
    fn end_if_last(&self, writer: &Writer) {
        let is_response = matches!(self.encoding, Encoding::Events(_));
        if writer.has_closed && (is_response || self.is_unanswered.load(Ordering::Acquire)) {
            // If this fails, the connection is gone.
            let _ = SockRef::from(&self.stream).shutdown(Shutdown::Write);
        }
    }

    /// Writes pongs or a close frame at once, unless other bytes wait.
    pub(super) fn answer(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut writer = self.writer();
        if writer.has_closed {
            return;
        }
        if writer.flow != Flow::Flowing || writer.rest.is_some() {
            // A client that does not read gets no pongs.
            return;
        }
        let mut at = 0;
        let flow = match write(self.stream(), bytes, None, &mut at) {
            Ok(true) => Flow::Flowing,
            Ok(false) => {
                writer.rest = Some(Box::new(Rest { bytes: bytes.to_vec(), tail: None, at }));
                Flow::Blocked
            }
            Err(_) => Flow::Over,
        };
        self.wrote(&mut writer, flow);
    }

    /// Lets threads write again once the system accepts more. Ready: the connection is over.
    pub(super) fn poll_flow(&self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let flow = self.writer().flow;
            match flow {
                Flow::Flowing => return Poll::Pending,
                Flow::Over => return Poll::Ready(()),
                Flow::Blocked => {}
            }
            let writable = ready!(self.stream().poll_write_ready(cx));
            let mut writer = self.writer();
            writer.flow = if writable.is_ok() { self.write_out(&mut writer) } else { Flow::Over };
        }
    }
}

/// Writes from `at` on, and advances it. Returns whether everything is written.
fn write(stream: &TcpStream, bytes: &[u8], tail: Option<&Frame>, at: &mut usize) -> io::Result<bool> {
    let tail = tail.map_or(&[][..], Frame::as_bytes);
    let total = bytes.len() + tail.len();
    while *at < total {
        let (first, skipped) = (&bytes[(*at).min(bytes.len())..], at.saturating_sub(bytes.len()));
        match tcp::write(stream, &[first, &tail[skipped..]].map(IoSlice::new)) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => *at += written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// One connection of several that are written together.
pub(in crate::lines) struct Taking<'a> {
    socket: &'a Arc<Socket>,
    writer: MutexGuard<'a, Writer>,
    /// What the engine returned, and how many things it returned with that.
    pub(in crate::lines) take: Take,
    pub(in crate::lines) count: usize,
}

impl Taking<'_> {
    pub(in crate::lines) fn attachment(&self) -> Attachment {
        self.socket.attachment
    }
}

/// Writes the frames of several lines, which are taken from the engine together.
pub(in crate::lines) fn flush_together(hub: &Hub, sockets: &[Arc<Socket>]) {
    let mut again = Vec::new();
    SCRATCH.with_borrow_mut(|Scratch { outgoing, bytes }| {
        let mut batch = Vec::with_capacity(sockets.len());
        for socket in sockets {
            socket.wake_if_paused();
            // Another thread that writes here may hold it for long, and this thread holds other connections.
            match socket.writer.try_lock() {
                Ok(writer) if writer.flow != Flow::Flowing => {}
                Ok(writer) if writer.rest.is_none() => {
                    batch.push(Taking { socket, writer, take: Take::Idle, count: 0 });
                }
                _ => again.push(socket),
            }
        }
        outgoing.clear();
        hub.take_each(&mut batch, BATCH_BYTES, outgoing);
        let mut outgoing = outgoing.drain(..);
        for Taking { socket, mut writer, take, count } in batch {
            let taken = outgoing.by_ref().take(count);
            match socket.write_taken(&mut writer, take, taken, bytes) {
                Some(flow) => socket.wrote(&mut writer, flow),
                None => again.push(socket),
            }
        }
    });
    again.into_iter().for_each(|socket| socket.flush());
}

/// The buffers with which a thread writes.
struct Scratch {
    outgoing: Vec<Outgoing>,
    bytes: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> =
        const { RefCell::new(Scratch { outgoing: Vec::new(), bytes: Vec::new() }) };
}
