//! One HTTP/1.1 connection.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::service;
use crate::engine::{Carrier, CloseCode, LineId, Seat};
use crate::isolate::{Connection, Worker};
use crate::ports::socket::{self, Framing};
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
    /// As a WebSocket that has joined it.
    Socket(Seat),
    /// As a response that tells the events of a line that was joined, and how it begins.
    Events(Seat, Vec<u8>),
    /// As the answer that opened it, in this format, and how it begins.
    Answer(LineId, Format, Vec<u8>),
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
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
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
    let service = service_fn(move |request| Box::pin(service::answer(requests.clone(), request)));
    let mut http = builder.serve_connection(TokioIo::new(Rewound { read, stream }), service);

    let mut idle_since_retiring = None;
    let served = loop {
        tokio::select! {
            served = poll_fn(|cx| http.poll_without_shutdown(cx)) => break served,
            _ = retiring.wait_for(|retiring| *retiring), if idle_since_retiring.is_none() => {
                idle_since_retiring = Some((shared.pending.get() == 0).then(|| shared.served.get()));
                Pin::new(&mut http).graceful_shutdown();
            }
        }
    };
    let parts = http.into_parts();
    let Rewound { read, stream } = parts.io.into_inner();
    let read = if read.is_empty() { parts.read_buf } else { [parts.read_buf, read].concat().into() };
    if let Some(carried) = shared.carried.take() {
        if let (&Carried::Socket(seat), Err(_)) = (&carried, &served) {
            // It never got its answer, so nobody carries the line.
            worker.settings.hub.socket_closed(seat, CloseCode::Abnormal.into());
            served?;
        }
        let (hub, limit) = (worker.settings.hub.clone(), limits.frame);
        // The connection leaves this thread's reactor for that of the live lines.
        let stream = stream.into_std()?;
        worker.settings.hub.runtime().spawn(async move {
            let (seat, framing, head) = match carried {
                Carried::Socket(seat) => (Some(seat), Framing::WebSocket { limit }, Vec::new()),
                Carried::Events(seat, head) => (Some(seat), Framing::Events(Format::Envelopes), head),
                Carried::Answer(line, format, head) => {
                    (hub.attach(line, Carrier::Events), Framing::Events(format), head)
                }
            };
            // Somebody may have joined an answer's line meanwhile.
            let Some(seat) = seat else { return };
            match TcpStream::from_std(stream) {
                Ok(stream) => {
                    socket::serve(&hub, seat, socket::Connection { stream, read, head, framing }).await
                }
                Err(error) => tracing::warn!("a connection could not carry its line: {error}"),
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
