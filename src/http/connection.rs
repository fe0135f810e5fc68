//! One HTTP/1.1 connection.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::head_timer::HeadTimer;
use super::service;
use crate::engine::LineId;
use crate::isolate::{Connection, Worker};
use crate::ports::{events, websocket};
use crate::wire::Format;

/// Serves a connection. Idle connections of a retiring worker move on to the next generation, upgraded ones to the
/// runtime of the live lines.
pub fn serve(worker: Rc<Worker>, connection: Connection) -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async move {
        if let Err(error) = serve_connection(worker, connection).await {
            tracing::debug!("connection: {error}");
        }
    })
}

/// What the requests of one connection share.
pub(super) struct Shared {
    pub worker: Rc<Worker>,
    pub peer: std::net::SocketAddr,
    /// The line that the connection carries from its next answer on.
    pub carried: Cell<Option<Carried>>,
    /// Requests that are being answered, and those that were.
    pub pending: Cell<usize>,
    pub served: Cell<usize>,
}

/// How a connection goes on as a line.
pub(super) enum Carried {
    /// As a WebSocket.
    Socket(LineId),
    /// As a response that tells the line's events, and how it begins.
    Events(LineId, Format, Vec<u8>),
}

/// What interrupts a connection.
enum Notice {
    /// The client takes too long for a request's head.
    Late,
    /// A newer generation serves.
    Retiring,
}

async fn serve_connection(worker: Rc<Worker>, connection: Connection) -> Result<(), ConnectionError> {
    let Connection { stream, peer, read } = connection;
    stream.set_nonblocking(true)?;
    let stream = TcpStream::from_std(stream)?;
    let mut retiring = worker.retiring();
    if read.is_empty() {
        // A connection without a request yet can still go to newer code.
        tokio::select! {
            readable = stream.readable() => readable?,
            () = tokio::time::sleep(worker.settings.limits.header_read) => return Ok(()),
            _ = retiring.wait_for(|retiring| *retiring) => {
                worker.pass_on(Connection { stream: stream.into_std()?, peer, read });
                return Ok(());
            }
        }
    }
    let limits = &worker.settings.limits;
    let heads = HeadTimer::new();
    let mut builder = http1::Builder::new();
    builder
        .timer(heads.clone())
        .header_read_timeout(limits.header_read)
        .max_buf_size(limits.header.max(8192));
    let shared = Rc::new(Shared {
        worker: worker.clone(),
        peer,
        carried: Cell::new(None),
        pending: Cell::new(0),
        served: Cell::new(0),
    });
    let requests = shared.clone();
    let service = service_fn(move |request| service::answer(&requests, request));
    let mut http = builder.serve_connection(TokioIo::new(Rewound { read, stream }), service);

    // Polled only when one of them has something to say, not with each request.
    let mut notices = FuturesUnordered::<Pin<Box<dyn Future<Output = Notice>>>>::new();
    let late = || async {
        heads.late(limits.header_read).await;
        Notice::Late
    };
    notices.push(Box::pin(late()));
    notices.push(Box::pin(async move {
        // An error means that the worker is gone, and this connection with it.
        let _ = retiring.wait_for(|retiring| *retiring).await;
        Notice::Retiring
    }));
    let mut idle_since_retiring = None;
    let served = loop {
        tokio::select! {
            biased;
            served = poll_fn(|cx| http.poll_without_shutdown(cx)) => break served,
            Some(notice) = notices.next() => match notice {
                // hyper reads it from the timer. Where the head came just now, the next may be late, too.
                Notice::Late => notices.push(Box::pin(late())),
                Notice::Retiring => {
                    idle_since_retiring = Some((shared.pending.get() == 0).then(|| shared.served.get()));
                    Pin::new(&mut http).graceful_shutdown();
                }
            },
        }
    };
    drop(notices);
    let parts = http.into_parts();
    let Rewound { read, stream } = parts.io.into_inner();
    let read = if read.is_empty() { parts.read_buf } else { [parts.read_buf, read].concat().into() };
    if let Some(carried) = shared.carried.take() {
        if matches!(carried, Carried::Socket(_)) {
            served?;
        }
        let (hub, max_frame) = (worker.settings.hub.clone(), limits.frame);
        // The connection leaves this thread's reactor for that of the live lines.
        let stream = stream.into_std()?;
        worker.settings.hub.runtime().spawn(async move {
            let io = match TcpStream::from_std(stream) {
                Ok(stream) => Rewound { read, stream },
                Err(error) => return tracing::warn!("a connection could not carry its line: {error}"),
            };
            match carried {
                Carried::Socket(line) => websocket::serve(hub, line, io, max_frame).await,
                Carried::Events(line, format, head) => events::serve(hub, line, io, head, format).await,
            }
        });
        return Ok(());
    }
    served?;
    match idle_since_retiring.flatten() {
        // Where the client closed at the same moment, the next worker sees the end of the stream.
        Some(served) if served == shared.served.get() => {
            worker.pass_on(Connection { stream: stream.into_std()?, peer, read });
        }
        _ => {
            let mut stream = stream;
            poll_fn(|cx| Pin::new(&mut stream).poll_shutdown(cx)).await?;
        }
    }
    Ok(())
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
struct Rewound {
    read: Bytes,
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

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
