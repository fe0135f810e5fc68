//! One connection that carries a line: a WebSocket, or a response that does not end.
//!
//! An idle connection has no buffer. Bytes are read into a buffer of the thread. Frames are taken from the engine and
//! written, many in one system call, by the thread that flushes the hub. Only bytes that the system did not accept are
//! kept; the connection's task then waits until it does.
//!
//! A raw socket is read by its isolate's thread, so that a message and its answer need no change of threads. While that
//! thread runs JavaScript for long, the watchdog's thread reads the socket now and then (`../meanwhile.rs`), and when that
//! thread ends or is lost, the connection [moves](move_to_hub) to the runtime of the hub.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use socket2::SockRef;
use tokio::net::TcpStream;

pub(crate) use self::encoding::Encoding;
use self::reading::{Carrying, Input};
use self::writing::{Flow, Rest, Writer};
pub(super) use self::writing::{Taking, flush_together};
use super::Hub;
use liveline_proto::websocket::Decoder;
use liveline_proto::{Attachment, Close, CloseCode, OwnerId};

mod encoding;
mod reading;
mod writing;

/// A connection whose handshake is done.
pub(crate) struct Connection {
    pub stream: TcpStream,
    /// Bytes that were read from it already.
    pub read: Bytes,
    /// Bytes to be written before all frames: the head of the response.
    pub head: Vec<u8>,
    pub encoding: Encoding,
    /// Messages of the client may be this long, in bytes.
    pub limit: usize,
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
    let Connection { stream, read: first, head, encoding, limit, reader, place } = connection;
    let rest = (!head.is_empty()).then(|| Box::new(Rest { bytes: head, tail: None, at: 0 }));
    let input = match encoding {
        Encoding::WebSocket | Encoding::Raw => Input::Frames(Decoder::new(limit)),
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
        writer: Mutex::new(Writer { flow: Flow::Flowing, has_closed: false, rest, place: Some(place) }),
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
    if socket.moved.get().is_some() || socket.writer().place.is_none() {
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
    writer: Mutex<Writer>,
    /// The task that reads, and that waits until more can be written.
    waker: AtomicWaker,
    /// The task does not read, because the handler has too much to acknowledge.
    paused: AtomicBool,
    /// The client sent its close frame or broke the protocol: it does not answer a close frame.
    is_unanswered: AtomicBool,
}

// Thousands of connections are idle at a time. With the counts of its `Arc`, this fills a block of the allocator.
// In debug builds a stream is larger.
const _: () = assert!(size_of::<Socket>() <= if cfg!(debug_assertions) { 192 } else { 184 });

fn duplicate(stream: &TcpStream) -> io::Result<TcpStream> {
    TcpStream::from_std(SockRef::from(stream).try_clone()?.into())
}

impl Socket {
    /// The connection on the runtime whose tasks read it.
    fn stream(&self) -> &TcpStream {
        self.moved.get().map_or(&self.stream, |stream| stream)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().expect("writing does not panic")
    }

    fn input(&self) -> MutexGuard<'_, Input> {
        self.input.lock().expect("decoding does not panic")
    }

    /// The line or the connection is over.
    fn over(self: &Arc<Socket>, close: Close) {
        self.hub.detached(self, close);
        if self.moved.get().is_some() {
            // A lost thread keeps its descriptor for as long as it lives, as those of its requests. If this fails, the
            // connection is gone.
            let _ = SockRef::from(&self.stream).shutdown(Shutdown::Both);
        }
        let place = self.writer().place.take();
        drop(place);
    }

    /// The line has another connection now.
    pub(super) fn replaced(&self) {
        self.writer().flow = Flow::Over;
        self.waker.wake();
    }
}
