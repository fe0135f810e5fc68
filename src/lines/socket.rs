//! One connection that carries a line: a WebSocket, or a response that does not end.
//!
//! An idle connection has no buffer. Bytes are read into a buffer of the thread. Frames are taken from the engine and
//! written, many in one system call, by the thread that flushes the hub. Only bytes that the system did not accept are
//! kept; the connection's task then waits until it does.
//!
//! A raw socket is read by its isolate's thread, so that a message and its answer need no change of threads. While that
//! thread runs JavaScript for long, the watchdog's thread reads the socket now and then (`meanwhile.rs`), and when that
//! thread ends or is lost, the connection [moves](move_to_hub) to the runtime of the hub.

use std::cell::RefCell;
use std::fmt::Debug;
use std::future::Future;
use std::io::{self, ErrorKind, IoSlice, Read as _};
use std::net::Shutdown;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::Hub;
use liveline_proto::websocket::{self, Decoder, FrameError, Kind, Received};
use liveline_proto::{Attachment, Close, CloseCode, Format, Frame, Outgoing, OwnerId, Take};

/// Bytes of payload that are taken from the engine at a time.
const BATCH_BYTES: usize = 32 * 1024;

/// A frame of this many bytes is not copied but written from its own buffer.
const LARGE_BYTES: usize = 16 * 1024;

/// Bytes that one read returns at most.
const READ_BYTES: usize = 64 * 1024;

/// How often one connection is read before others have their turn.
const READS_PER_TURN: usize = 4;

/// How frames are encoded on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As WebSocket frames, both ways. A message may be `limit` bytes long.
    WebSocket { limit: usize },
    /// As WebSocket frames without envelopes.
    Raw { limit: usize },
    /// As a response of this format, to the client only. Bytes from the client are ignored.
    Events(Format),
}

/// A connection whose handshake is done.
pub(crate) struct Connection {
    pub stream: TcpStream,
    /// Bytes that were read from it already.
    pub read: Bytes,
    /// Bytes to be written before all frames: the head of the response.
    pub head: Vec<u8>,
    pub encoding: Encoding,
    /// The owner on whose thread it is read; `None`: on the runtime of the hub.
    pub reader: Option<OwnerId>,
    /// Dropped with the connection: its place under the limit of connections.
    pub place: Box<dyn Debug + Send>,
}

/// Carries the line of `attachment` until the line or the connection ends. Belongs on the runtime that the connection's
/// stream was made on.
pub(crate) fn serve(
    hub: &Hub,
    attachment: Attachment,
    connection: Connection,
) -> impl Future<Output = ()> + Send + use<> {
    let Connection { stream, read: first, head, encoding, reader, place } = connection;
    let rest = (!head.is_empty()).then(|| Box::new(Rest { bytes: head, tail: None, at: 0 }));
    let input = match encoding {
        Encoding::WebSocket { limit } | Encoding::Raw { limit } => Input::Frames(Decoder::new(limit)),
        Encoding::Events(_) => Input::Ignored,
    };
    let socket = Arc::new(Socket {
        hub: hub.clone(),
        attachment,
        encoding,
        stream,
        reader,
        moved: OnceLock::new(),
        input: Mutex::new(input),
        place: Mutex::new(Some(place)),
        writer: Mutex::new(Writer { flow: Flow::Flowing, has_closed: false, rest }),
        waker: AtomicWaker::new(),
        paused: AtomicBool::new(false),
        is_unanswered: AtomicBool::new(false),
    });
    hub.attached(&socket);
    let over = match first.is_empty() {
        true => None,
        false => socket.take_in(&mut socket.input(), &mut first.to_vec()),
    };
    socket.flush();
    Carrying { socket, has_moved: false, over: over.map(Box::new) }
}

/// Reads a connection on the runtime of the hub from now on: the thread that read it ends or is lost.
pub(super) fn move_to_hub(socket: Arc<Socket>) {
    let runtime = socket.hub.runtime().clone();
    let _entered = runtime.enter();
    // The task of that thread does not look at the connection meanwhile.
    let input = socket.input();
    if socket.moved.get().is_some() || socket.place().is_none() {
        // It has moved before, or is over.
        return;
    }
    let moved = duplicate(&socket.stream).map(|stream| socket.moved.set(Box::new(stream)));
    drop(input);
    match moved {
        Ok(_) => drop(runtime.spawn(Carrying { socket, has_moved: true, over: None })),
        Err(error) => {
            // With many of them there may be no descriptor left. Why their isolate has ended was logged.
            tracing::debug!("a connection ends with its isolate, because it cannot move: {error}");
            // If this fails, the connection is gone.
            let _ = SockRef::from(&socket.stream).shutdown(Shutdown::Both);
            socket.over(CloseCode::Abnormal.into());
        }
    }
}

// Besides the socket, this is the memory of an idle connection's task. With tokio's part it fills 128 bytes, and tokio
// makes tasks in multiples of these.
const _: () = assert!(size_of::<Carrying>() <= 24);

/// A line's connection, as the threads that write to it share it.
pub(super) struct Socket {
    hub: Hub,
    pub(super) attachment: Attachment,
    encoding: Encoding,
    stream: TcpStream,
    /// The owner on whose thread it is read.
    pub(super) reader: Option<OwnerId>,
    /// The same connection on the runtime of the hub, when that reads it in place of `reader`.
    moved: OnceLock<Box<TcpStream>>,
    /// Locked while bytes are read and decoded, so that two threads cannot exchange the order of what they read, and while
    /// the connection moves.
    input: Mutex<Input>,
    /// Its place under the limit of connections; `None` when it is over.
    place: Mutex<Option<Box<dyn Debug + Send>>>,
    writer: Mutex<Writer>,
    /// The task that reads, and that waits until more can be written.
    waker: AtomicWaker,
    /// The task does not read, because the handler has too much to acknowledge.
    paused: AtomicBool,
    /// The client sent its close frame or broke the protocol: it does not answer a close frame.
    is_unanswered: AtomicBool,
}

struct Writer {
    flow: Flow,
    /// A close frame was written; nothing may come after it.
    has_closed: bool,
    /// Bytes that the system did not accept.
    rest: Option<Box<Rest>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// Any thread may write.
    Flowing,
    /// The system accepts no more for now; the task waits for it.
    Blocked,
    /// The connection broke, or its line is gone.
    Over,
}

/// Bytes to write, of which `at` are written. A large frame at the end is shared with other lines.
struct Rest {
    bytes: Vec<u8>,
    tail: Option<Frame>,
    at: usize,
}

fn duplicate(stream: &TcpStream) -> io::Result<TcpStream> {
    TcpStream::from_std(SockRef::from(stream).try_clone()?.into())
}

impl Socket {
    /// The connection on the runtime whose tasks read it.
    fn stream(&self) -> &TcpStream {
        self.moved.get().map_or(&self.stream, |stream| stream)
    }

    /// Writes the line's frames, as far as the system accepts them.
    pub(super) fn flush(&self) {
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
    fn wrote(&self, writer: &mut Writer, flow: Flow) {
        writer.flow = flow;
        if flow != Flow::Flowing {
            self.waker.wake();
        }
    }

    fn write_out(&self, writer: &mut Writer) -> Flow {
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
        let is_dropped = matches!(self.encoding, Encoding::Raw { .. }) && close.code == CloseCode::Abnormal;
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
    fn answer(&self, bytes: &[u8]) {
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
    fn poll_flow(&self, cx: &mut Context<'_>) -> Poll<()> {
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

    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let stream = self.stream();
        loop {
            ready!(stream.poll_read_ready(cx))?;
            let mut short = None;
            let read = stream.try_io(Interest::READABLE, || {
                match (&*SockRef::from(stream)).read(buffer)? {
                    // Everything was read: without this, tokio would have the system say so in another call.
                    read if (1..buffer.len()).contains(&read) => {
                        short = Some(read);
                        Err(ErrorKind::WouldBlock.into())
                    }
                    read => Ok(read),
                }
            });
            match read {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if let Some(read) = short {
                        return Poll::Ready(Ok(read));
                    }
                }
                read => return Poll::Ready(read),
            }
        }
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().expect("writing does not panic")
    }

    fn input(&self) -> MutexGuard<'_, Input> {
        self.input.lock().expect("decoding does not panic")
    }

    fn place(&self) -> MutexGuard<'_, Option<Box<dyn Debug + Send>>> {
        self.place.lock().expect("nothing panics while this is locked")
    }

    /// The line or the connection is over.
    fn over(self: &Arc<Socket>, close: Close) {
        self.hub.detached(self, close);
        if self.moved.get().is_some() {
            // A lost thread keeps its descriptor for as long as it lives, as those of its requests. If this fails, the
            // connection is gone.
            let _ = SockRef::from(&self.stream).shutdown(Shutdown::Both);
        }
        drop(self.place().take());
    }

    /// Reads once, and writes what the system did not accept before, in place of the thread that otherwise does. That
    /// the connection is over is left to that thread.
    pub(super) fn meanwhile(&self) {
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
            let Ok(read @ 1..) = (&*SockRef::from(self.stream())).read(buffer) else { return };
            if let Some(close) = self.take_in(&mut input, &mut buffer[..read]) {
                *input = Input::Over(close);
                self.waker.wake();
            }
        });
    }

    /// The line has another connection now.
    pub(super) fn replaced(&self) {
        self.writer().flow = Flow::Over;
        self.waker.wake();
    }
}

/// Writes from `at` on, and advances it. Returns whether everything is written.
fn write(stream: &TcpStream, bytes: &[u8], tail: Option<&Frame>, at: &mut usize) -> io::Result<bool> {
    let tail = tail.map_or(&[][..], Frame::as_bytes);
    let total = bytes.len() + tail.len();
    while *at < total {
        let (first, skipped) = (&bytes[(*at).min(bytes.len())..], at.saturating_sub(bytes.len()));
        match send(stream, first, &tail[skipped..]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => *at += written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Calls the system without tokio's bookkeeping, which is somewhere else in memory. Tokio has to know only of a connection
/// that accepts no more, because a task waits for it then.
fn send(stream: &TcpStream, first: &[u8], tail: &[u8]) -> io::Result<usize> {
    let (socket, both) = (SockRef::from(stream), [IoSlice::new(first), IoSlice::new(tail)]);
    let sent = if tail.is_empty() { socket.send(first) } else { socket.send_vectored(&both) };
    match sent {
        Err(error) if error.kind() == ErrorKind::WouldBlock => stream.try_write_vectored(&both),
        sent => sent,
    }
}

/// One connection of several that are written together.
pub(super) struct Taking<'a> {
    socket: &'a Arc<Socket>,
    writer: MutexGuard<'a, Writer>,
    /// What the engine returned, and how many things it returned with that.
    pub(super) take: Take,
    pub(super) count: usize,
}

impl Taking<'_> {
    pub(super) fn attachment(&self) -> Attachment {
        self.socket.attachment
    }
}

/// Writes the frames of several lines, which are taken from the engine together.
pub(super) fn flush_together(hub: &Hub, sockets: &[Arc<Socket>]) {
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
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Encoding {
    /// Encodes what was taken. A large frame at the end is returned instead, to be written after the bytes.
    fn encode(self, outgoing: impl Iterator<Item = Outgoing>, out: &mut Vec<u8>) -> Option<Frame> {
        let mut tail: Option<Frame> = None;
        for outgoing in outgoing {
            // A large frame that is not the last is copied, so that later frames do not overtake it.
            if let Some(frame) = tail.take() {
                out.extend_from_slice(frame.as_bytes());
            }
            match self {
                Encoding::WebSocket { .. } | Encoding::Raw { .. } => tail = frame(outgoing, out),
                Encoding::Events(format) => match outgoing {
                    Outgoing::Frame(frame) | Outgoing::Numbered(_, frame) => format.frame(&frame, out),
                    Outgoing::Ping => format.ping(out),
                    Outgoing::Control(_) => {}
                },
            }
        }
        tail
    }

    fn close(self, close: &Close, out: &mut Vec<u8>) {
        match self {
            Encoding::WebSocket { .. } | Encoding::Raw { .. } => {
                websocket::close_frame(close.code.number(), &close.reason, out);
            }
            Encoding::Events(format) => format.close(close.code.number(), &close.reason, out),
        }
    }
}

/// Encodes a WebSocket frame. Of a large one only the header; its payload is returned.
fn frame(outgoing: Outgoing, out: &mut Vec<u8>) -> Option<Frame> {
    let (number, payload) = match outgoing {
        Outgoing::Frame(frame) => (String::new(), frame),
        Outgoing::Numbered(number, frame) => (format!("{number} "), frame),
        Outgoing::Control(text) => (String::new(), text.into()),
        Outgoing::Ping => {
            websocket::frame(Kind::Ping, &[], out);
            return None;
        }
    };
    let kind = match payload {
        Frame::Text(_) => Kind::Text,
        Frame::Binary(_) => Kind::Binary,
        Frame::Ping(_) => Kind::Ping,
        Frame::Pong(_) => Kind::Pong,
    };
    websocket::header(kind, number.len() + payload.len(), out);
    out.extend_from_slice(number.as_bytes());
    if payload.len() >= LARGE_BYTES {
        return Some(payload);
    }
    out.extend_from_slice(payload.as_bytes());
    None
}

/// The task of a connection: reads, and waits until more can be written.
struct Carrying {
    socket: Arc<Socket>,
    /// It has [moved](move_to_hub) to the runtime of the hub.
    has_moved: bool,
    /// How the line or its connection has ended, if that has happened already.
    over: Option<Box<Close>>,
}

enum Input {
    Frames(Decoder),
    /// The client may not send here, sent its close frame, or broke the protocol.
    Ignored,
    /// The connection ended with the client's close frame, which another thread than that of the task has read.
    Over(Close),
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
                    return Poll::Ready(Some(close.clone()));
                }
                match ready!(socket.poll_read(cx, buffer)) {
                    Ok(0) | Err(_) => return Poll::Ready(Some(CloseCode::Abnormal.into())),
                    Ok(read) => {
                        if let Some(close) = socket.take_in(&mut input, &mut buffer[..read]) {
                            return Poll::Ready(Some(close));
                        }
                        // On the thread of an isolate, requests wait for a client that sends much.
                        if read == READ_BYTES && socket.reader.is_some() {
                            break;
                        }
                    }
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
    fn take_in(&self, input: &mut Input, bytes: &mut [u8]) -> Option<Close> {
        let Socket { hub, attachment, encoding, is_unanswered, .. } = self;
        let Input::Frames(decoder) = input else { return None };
        let attachment = *attachment;
        let is_raw = matches!(encoding, Encoding::Raw { .. });
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
}

fn closed_by_client(code: Option<u16>, reason: &str, is_raw: bool) -> Close {
    match code {
        Some(code) => Close::because(CloseCode::from(code), reason.to_owned()),
        // The number for a close frame without a code (RFC 6455 section 7.1.5).
        None if is_raw => Close::because(CloseCode::Other(1005), String::new()),
        None => CloseCode::Done.into(),
    }
}
