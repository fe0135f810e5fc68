//! One HTTP/1.1 connection.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

use super::observed::Observed;
use super::pace::{Late, Pace};
use super::{Connection, Counted, Enlisted, Progress, Taken, Worker};
use super::{proxied, service};
use crate::lines::socket;
use crate::trust::Peer;
use liveline_proto::Format;
use liveline_proto::http1::Framing;
use liveline_proto::{Attachment, CloseCode, LineId, TransportKind};

/// What a client hears whose request does not come to its end.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// What the client of a proxy hears for whom there is no place.
const CROWDED: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 10\r\n\
    content-length: 0\r\n\r\n";

/// How long what a client still sends is read, after the answer with which its connection ends.
const LINGER: Duration = Duration::from_secs(10);

/// The same for a client that sends nothing more, and for all where the worker waits for its end.
const LINGER_IDLE: Duration = Duration::from_secs(1);

/// What is read of it at a time.
const LINGER_BYTES: usize = 8 * 1024;

/// Serves a connection. Idle connections of a retiring worker move on to the next generation, upgraded ones to the
/// runtime of the live lines.
pub(super) async fn serve(worker: Rc<Worker>, connection: Taken) {
    if let Err(error) = serve_connection(worker, connection).await {
        tracing::debug!("connection: {error}");
    }
}

/// What the requests of one connection share.
pub(super) struct Shared {
    pub worker: Rc<Worker>,
    pub peer: Peer,
    /// The address of this machine that the connection came to.
    pub arrived_at: Option<IpAddr>,
    /// Whom a proxy's connection counts for, from request to request.
    pub counted: Option<Counted>,
    /// The line that the connection carries from its next answer on.
    pub carried: Cell<Option<Carried>>,
    /// Requests that are being answered, and those that were.
    pub pending: Cell<usize>,
    pub served: Cell<usize>,
    pub pace: Pace,
    pub framing: RefCell<Framing>,
    /// How far it has come, for other threads.
    pub progress: Arc<Progress>,
}

/// How a connection goes on as a line.
pub(super) enum Carried {
    /// As a WebSocket that has joined it.
    Socket(Attachment),
    /// As the WebSocket that a handler answered with, and how it begins.
    Raw(LineId, Vec<u8>),
    /// As a response that tells the events of a line that was joined, and how it begins.
    Events(Attachment, Vec<u8>),
    /// As the messages of `dev` to a page, and how it begins.
    Dev(crate::dev::Socket, Vec<u8>),
    /// As the answer that opened it, in this format, and how it begins.
    Answer(LineId, Format, Vec<u8>),
}

/// What interrupts a connection.
enum Notice {
    /// It is time to see whether the client is late.
    Look,
    /// A newer generation serves.
    Retiring,
}

async fn serve_connection(worker: Rc<Worker>, connection: Taken) -> Result<(), ConnectionError> {
    let began = Instant::now();
    // What is declared last is dropped first: the stream is not closed while other threads find it.
    let Taken { stream, mut peer, is_fresh, mut read, enlisted } = connection;
    stream.set_nonblocking(true)?;
    let (stream, enlisted) = (TcpStream::from_std(stream)?, enlisted);
    let mut retiring = worker.retiring();
    if read.is_empty() {
        // A connection without a request yet can still go to newer code.
        tokio::select! {
            // Where the host was busy, what came meanwhile came in time.
            biased;
            readable = stream.readable() => readable?,
            () = sleep_until(began + worker.settings.limits.header_read) => {
                tracing::debug!("{}: the client said nothing", peer.address);
                return Ok(());
            }
            _ = retiring.wait_for(|retiring| *retiring) => {
                if let Some(place) = enlisted.leave() {
                    worker.pass_on(Connection { stream: stream.into_std()?, peer, is_fresh, read, place });
                }
                return Ok(());
            }
        }
    }
    if is_fresh && peer.is_proxy {
        let deadline = began + worker.settings.limits.header_read;
        match proxied::begin(&stream, deadline, &mut peer, &mut read, &worker.settings.trust.proxies).await {
            Ok(()) => {}
            Err(error) => {
                tracing::debug!("{}: {error}", peer.address);
                return Ok(());
            }
        }
        if let Err(reason) = enlisted.counted().count_for((!peer.is_proxy).then_some(peer.address)) {
            tracing::debug!("{}: {reason}", peer.address);
            drop(stream.try_write(CROWDED));
            return Ok(linger(stream, LINGER_IDLE).await?);
        }
    }
    let limits = &worker.settings.limits;
    let mut builder = http1::Builder::new();
    // The connection's own clocks are cheaper, and tell idle connections from slow ones.
    builder.header_read_timeout(None).max_buf_size(limits.header.max(8192));
    let shared = Rc::new(Shared {
        worker: worker.clone(),
        peer,
        arrived_at: stream.local_addr().ok().map(|address| address.ip()),
        counted: peer.is_proxy.then(|| enlisted.counted()),
        carried: Cell::new(None),
        pending: Cell::new(0),
        served: Cell::new(0),
        pace: Pace::new(limits, began),
        framing: RefCell::default(),
        progress: enlisted.progress.clone(),
    });
    let requests = shared.clone();
    let service = service_fn(move |request| service::answer(&requests, request));
    let stream = Observed { stream: Rewound { read, enlisted, stream }, shared: shared.clone() };
    let mut http = builder.serve_connection(TokioIo::new(stream), service);

    // Polled only when one of them has something to say, not with each request.
    let mut notices = FuturesUnordered::<Pin<Box<dyn Future<Output = Notice>>>>::new();
    let look = |at: Instant| async move {
        sleep_until(at).await;
        Notice::Look
    };
    notices.push(Box::pin(look(shared.pace.look(began).unwrap_or(began))));
    notices.push(Box::pin(async move {
        // An error means that the worker is gone, and this connection with it.
        let _ = retiring.wait_for(|retiring| *retiring).await;
        Notice::Retiring
    }));
    let mut idle_since_retiring = None;
    let mut late = None;
    let served = loop {
        tokio::select! {
            biased;
            // To its end: without it an answer to a request that was not read could lose what the system had not taken yet.
            served = poll_fn(|cx| Pin::new(&mut http).poll(cx)) => break served,
            Some(notice) = notices.next() => match notice {
                Notice::Look => match shared.pace.look(Instant::now()) {
                    Ok(next) => notices.push(Box::pin(look(next))),
                    Err(it) => {
                        late = Some(it);
                        break Ok(());
                    }
                },
                Notice::Retiring => {
                    idle_since_retiring = Some((shared.pending.get() == 0).then(|| shared.served.get()));
                    Pin::new(&mut http).graceful_shutdown();
                }
            },
        }
    };
    drop(notices);
    let parts = http.into_parts();
    let Rewound { read, enlisted, stream } = parts.io.into_inner().stream;
    if let Some(late) = late {
        tracing::debug!("{}: the client is late: {late:?}", peer.address);
        match late {
            Late::Idle => {}
            // It is short, and nothing else is on its way: what the system does not take at once is not waited for.
            Late::Head => drop(stream.try_write(TOO_SLOW)),
            // Closed in order, the system would keep what nobody reads.
            Late::Reading => socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?,
        }
        return Ok(());
    }
    let read = if read.is_empty() { parts.read_buf } else { [parts.read_buf, read].concat().into() };
    if let Some(carried) = shared.carried.take() {
        if let (&Carried::Socket(seat), Err(_)) = (&carried, &served) {
            // It never got its answer, so nobody carries the line.
            worker.settings.hub.turn().disconnected(seat, CloseCode::Abnormal.into());
            served?;
        }
        // Where it was ended by another thread, that has ended the line, too.
        let Some(place) = enlisted.leave() else { return Ok(()) };
        let (hub, limit) = (worker.settings.hub.clone(), limits.frame);
        // The connection leaves this thread's reactor for that of the live lines.
        let stream = stream.into_std()?;
        let (seat, framing, head) = match carried {
            Carried::Dev(socket, head) => {
                let _of_lines = hub.runtime().enter();
                let stream = TcpStream::from_std(stream)?;
                hub.runtime().spawn(async move {
                    socket.serve(stream, head).await;
                    drop(place);
                });
                return Ok(());
            }
            Carried::Socket(seat) => (Some(seat), socket::Framing::WebSocket { limit }, Vec::new()),
            Carried::Raw(line, head) => {
                (hub.turn().attach(line, TransportKind::Raw), socket::Framing::Raw { limit }, head)
            }
            Carried::Events(seat, head) => (Some(seat), socket::Framing::Events(Format::Envelopes), head),
            Carried::Answer(line, format, head) => {
                (hub.turn().attach(line, TransportKind::Events), socket::Framing::Events(format), head)
            }
        };
        // Somebody may have joined an answer's line meanwhile.
        let Some(seat) = seat else { return Ok(()) };
        let _of_lines = hub.runtime().enter();
        match TcpStream::from_std(stream) {
            Ok(stream) => {
                let connection = socket::Connection { stream, read, head, framing, place };
                // The task is made of this alone: it lasts as long as the line.
                hub.runtime().spawn(socket::serve(&hub, seat, connection));
            }
            Err(error) => tracing::warn!("a connection could not carry its line: {error}"),
        }
        return Ok(());
    }
    match idle_since_retiring.flatten() {
        // Where the client closed at the same moment, the next worker sees the end of the stream.
        Some(count) if count == shared.served.get() && served.is_ok() => {
            if let Some(place) = enlisted.leave() {
                let stream = stream.into_std()?;
                worker.pass_on(Connection { stream, peer, is_fresh: false, read, place });
            }
        }
        _ => {
            let limit = if *worker.retiring().borrow() { LINGER_IDLE } else { LINGER };
            linger(stream, limit).await?;
        }
    }
    Ok(served?)
}

/// Waits, and lets others see what the system has for them: a process that was stopped finds that it is late before it
/// has read what came meanwhile.
async fn sleep_until(at: Instant) {
    tokio::time::sleep_until(at.into()).await;
    tokio::task::yield_now().await;
}

/// Ends a connection so that its client can read the answer: what it has sent and nobody has read would otherwise
/// reset the connection (RFC 9112 section 9.6).
async fn linger(mut stream: TcpStream, limit: Duration) -> std::io::Result<()> {
    stream.shutdown().await?;
    let deadline = Instant::now() + limit;
    let mut rest = vec![0; LINGER_BYTES];
    loop {
        let until = deadline.min(Instant::now() + LINGER_IDLE);
        match tokio::time::timeout_at(until.into(), stream.read(&mut rest)).await {
            Ok(Ok(1..)) => {}
            // Whether its client leaves in time makes no difference.
            _ => return Ok(()),
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum ConnectionError {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Http(#[from] hyper::Error),
}

/// What is written in one piece.
const SMALL: usize = 1024;

/// A stream of which something was read already.
pub(super) struct Rewound {
    read: Bytes,
    /// It has to be left, as it is when this is dropped, before the stream is closed.
    enlisted: Enlisted,
    stream: TcpStream,
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let length = self.read.len().min(buf.remaining());
        buf.put_slice(&self.read[..length]);
        self.read.advance(length);
        if self.read.is_empty() {
            self.read = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let length: usize = bufs.iter().map(|buf| buf.len()).sum();
        if length <= SMALL {
            // To copy a small answer's head and body costs less than to have the system collect them.
            let mut whole = [0; SMALL];
            let mut rest = &mut whole[..];
            for buf in bufs {
                rest[..buf.len()].copy_from_slice(buf);
                rest = &mut rest[buf.len()..];
            }
            return Pin::new(&mut self.stream).poll_write(cx, &whole[..length]);
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Whoever serves the connection decides whether it ends or goes on elsewhere.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.poll_flush(cx)
    }
}
