//! One HTTP/1.1 connection: hyper reads its requests and writes their answers.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{self, Poll};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::accepted::Accepted;
use super::context::Context;
use super::instrumented::{Instrumented, InstrumentedBody, Monitor};
use super::reply::{Reply, Upgrade};
use super::rewind::Rewind;
use super::service::{self, Replying};
use super::timeouts::{ConnectionTimeouts, Late};
use super::{TableEntry, Worker, proxied};
use crate::trust::Peer;

/// The answer to a client whose request does not come to its end in time.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// The answer to a client behind a proxy that has too many connections.
const CROWDED: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 10\r\n\
    content-length: 0\r\n\r\n";

/// How long the connection reads what its client still sends, after its last answer.
const LINGER: Duration = Duration::from_secs(10);

/// The same if the client sends nothing more, and for all clients where the worker waits for the end of the connection.
const LINGER_IDLE: Duration = Duration::from_secs(1);

/// Bytes that are read at a time while the connection lingers.
const LINGER_BYTES: usize = 8 * 1024;

/// Serves a connection. Idle connections of a retiring worker move on to the next generation, upgraded ones to the
/// runtime of the live lines.
pub(super) async fn serve(worker: Rc<Worker>, connection: Accepted<TableEntry>) {
    if let Err(error) = serve_connection(worker, connection).await {
        tracing::debug!("connection: {error}");
    }
}

async fn serve_connection(
    worker: Rc<Worker>,
    connection: Accepted<TableEntry>,
) -> Result<(), ConnectionError> {
    let began = Instant::now();
    let Some(Opened { stream, peer }) = open(&worker, connection, began).await? else { return Ok(()) };
    let limits = &worker.config.connections;
    let permit = peer.is_proxy.then(|| stream.entry.permit());
    let timeouts = ConnectionTimeouts::new(limits, began);
    let monitor = Rc::new(Monitor::new(timeouts, stream.entry.progress.clone(), permit));
    let arrived_at = stream.stream.local_addr().ok().map(|address| address.ip());
    let context = Rc::new(Context { worker: worker.clone(), peer, arrived_at, monitor: monitor.clone() });
    let upgrade = Rc::new(RefCell::new(None));
    let mut builder = http1::Builder::new();
    // The connection's own timeouts tell idle connections from slow ones, and need no timer for each request.
    builder.header_read_timeout(None).max_buf_size(limits.header.max(8192));
    let stream = Instrumented { stream, monitor: monitor.clone() };
    let requests = Requests { context, upgrade: upgrade.clone() };
    let mut http = builder.serve_connection(TokioIo::new(stream), requests);

    let (end, idle_since_retiring) = drive(&mut http, &worker, &monitor, &upgrade, began).await;

    let parts = http.into_parts();
    let Rewind { read, entry, stream } = parts.io.into_inner().stream;
    let read = if read.is_empty() { parts.read_buf } else { [parts.read_buf, read].concat().into() };
    match (end, upgrade.take()) {
        (End::Late(late), upgrade) => {
            tracing::debug!("{}: the client is late: {late:?}", peer.address);
            if let Some(upgrade) = upgrade {
                upgrade.abandon(&worker.config.hub);
            }
            end_late(&stream, late)?;
        }
        (End::Upgraded | End::Served(_), Some(upgrade)) => {
            // Where another thread has ended the connection, it has ended the line, too.
            let Some(permit) = entry.leave() else { return Ok(()) };
            upgrade.serve(&worker.config.hub, stream, read, permit, limits.frame)?;
        }
        // Where the client closed at the same moment, the next worker sees the end of the stream.
        (End::Served(Ok(())), None) if idle_since_retiring == Some(monitor.answers()) => {
            if let Some(holds) = entry.leave() {
                let stream = stream.into_std()?;
                worker.pass_on(Accepted { stream, peer, is_fresh: false, read, holds });
            }
        }
        (End::Served(served), None) => {
            linger(stream, if *worker.retiring().borrow() { LINGER_IDLE } else { LINGER }).await?;
            served?;
        }
        (End::Upgraded, None) => unreachable!("an upgrade ends HTTP only where there is one"),
    }
    Ok(())
}

/// A connection of which the first bytes are there.
struct Opened {
    stream: Rewind,
    peer: Peer,
}

/// Waits for the first bytes of a connection, and reads the header of a proxy. `None` if the connection ended or moved
/// on to another worker.
async fn open(
    worker: &Worker,
    connection: Accepted<TableEntry>,
    began: Instant,
) -> Result<Option<Opened>, ConnectionError> {
    // What is declared last is dropped first: the stream is not closed while other threads find it.
    let Accepted { stream, mut peer, is_fresh, mut read, holds } = connection;
    stream.set_nonblocking(true)?;
    let (stream, entry) = (TcpStream::from_std(stream)?, holds);
    let deadline = began + worker.config.connections.header_read;
    if read.is_empty() {
        let mut retiring = worker.retiring();
        // A connection without a request yet can still go to newer code.
        tokio::select! {
            // Bytes that arrived while the host was busy arrived in time.
            biased;
            readable = stream.readable() => readable?,
            () = sleep_until(deadline) => {
                tracing::debug!("{}: the client sent nothing", peer.address);
                return Ok(None);
            }
            _ = retiring.wait_for(|retiring| *retiring) => {
                if let Some(holds) = entry.leave() {
                    worker.pass_on(Accepted { stream: stream.into_std()?, peer, is_fresh, read, holds });
                }
                return Ok(None);
            }
        }
    }
    if is_fresh && peer.is_proxy {
        let proxies = &worker.config.trust.proxies;
        if let Err(error) = proxied::begin(&stream, deadline, &mut peer, &mut read, proxies).await {
            tracing::debug!("{}: {error}", peer.address);
            return Ok(None);
        }
        if let Err(reason) = entry.permit().count_for((!peer.is_proxy).then_some(peer.address)) {
            tracing::debug!("{}: {reason}", peer.address);
            drop(stream.try_write(CROWDED));
            linger(stream, LINGER_IDLE).await?;
            return Ok(None);
        }
    }
    Ok(Some(Opened { stream: Rewind { read, entry, stream }, peer }))
}

/// Where a request puts the upgrade that it leads to.
type UpgradeSlot = Rc<RefCell<Option<Upgrade>>>;

type Http = http1::Connection<TokioIo<Instrumented<Rewind>>, Requests>;

/// How HTTP on a connection ended.
enum End {
    /// The connection goes on with another protocol.
    Upgraded,
    /// A timeout of the client passed.
    Late(Late),
    /// hyper is done with it.
    Served(hyper::Result<()>),
}

/// What interrupts a connection.
enum Notice {
    /// It is time to check the timeouts.
    Check,
    /// A newer generation serves.
    Retiring,
}

/// Lets hyper serve the connection. Returns how that ended and, if the connection was idle when its worker retired, how
/// many requests had been answered then.
async fn drive(
    http: &mut Http,
    worker: &Worker,
    monitor: &Monitor,
    upgrade: &UpgradeSlot,
    began: Instant,
) -> (End, Option<usize>) {
    // Polled only when one of them is due, not with each request.
    let mut notices = FuturesUnordered::<Pin<Box<dyn Future<Output = Notice>>>>::new();
    let check = |at: Instant| async move {
        sleep_until(at).await;
        Notice::Check
    };
    notices.push(Box::pin(check(monitor.check(began).unwrap_or(began))));
    let mut retiring = worker.retiring();
    notices.push(Box::pin(async move {
        // An error means that the worker is gone, and this connection with it.
        let _ = retiring.wait_for(|retiring| *retiring).await;
        Notice::Retiring
    }));
    let mut idle_since_retiring = None;
    loop {
        tokio::select! {
            biased;
            end = poll_fn(|cx| poll(http, monitor, upgrade, cx)) => return (end, idle_since_retiring),
            Some(notice) = notices.next() => match notice {
                Notice::Check => match monitor.check(Instant::now()) {
                    Ok(next) => notices.push(Box::pin(check(next))),
                    Err(late) => return (End::Late(late), None),
                },
                Notice::Retiring => {
                    idle_since_retiring = monitor.is_idle().then(|| monitor.answers());
                    Pin::new(&mut *http).graceful_shutdown();
                }
            },
        }
    }
}

/// Polls hyper until HTTP ends. hyper gets no answer to the request that leads to an upgrade: the connection is taken
/// from it, once it has written every answer before.
fn poll(http: &mut Http, monitor: &Monitor, upgrade: &UpgradeSlot, cx: &mut task::Context<'_>) -> Poll<End> {
    // To its end, which a connection's graceful shutdown also comes to: before that, hyper may hold bytes of an answer.
    match Pin::new(http).poll(cx) {
        Poll::Ready(served) => Poll::Ready(End::Served(served)),
        // hyper has flushed what it holds, unless the system takes no more.
        Poll::Pending if upgrade.borrow().is_some() && !monitor.is_blocked() => Poll::Ready(End::Upgraded),
        Poll::Pending => Poll::Pending,
    }
}

/// The requests of a connection, as hyper passes them on.
struct Requests {
    context: Rc<Context>,
    upgrade: UpgradeSlot,
}

impl Service<Request<Incoming>> for Requests {
    type Response = Response<InstrumentedBody>;
    type Error = Infallible;
    type Future = Responding;

    fn call(&self, request: Request<Incoming>) -> Responding {
        match service::answer(&self.context, request) {
            Replying::Now(Reply::Respond(response)) => Responding::Now(Some(response)),
            Replying::Now(Reply::Upgrade(upgrade)) => {
                self.upgrade.replace(Some(upgrade));
                Responding::Upgraded
            }
            Replying::Later(reply) => Responding::Later(reply, self.upgrade.clone()),
        }
    }
}

/// hyper's end of a request.
enum Responding {
    Now(Option<Response<InstrumentedBody>>),
    Later(Pin<Box<dyn Future<Output = Reply>>>, UpgradeSlot),
    /// There is no response: see [`poll`].
    Upgraded,
}

impl Future for Responding {
    type Output = Result<Response<InstrumentedBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let reply = match &mut *self {
            Responding::Now(response) => {
                return Poll::Ready(Ok(response.take().expect("a future is polled to its end once")));
            }
            Responding::Later(reply, _) => task::ready!(reply.as_mut().poll(cx)),
            Responding::Upgraded => return Poll::Pending,
        };
        match reply {
            Reply::Respond(response) => Poll::Ready(Ok(response)),
            Reply::Upgrade(upgrade) => {
                if let Responding::Later(_, slot) = std::mem::replace(&mut *self, Responding::Upgraded) {
                    slot.replace(Some(upgrade));
                }
                Poll::Pending
            }
        }
    }
}

/// Ends a connection whose client is late.
fn end_late(stream: &TcpStream, late: Late) -> std::io::Result<()> {
    match late {
        Late::Idle => Ok(()),
        Late::Head => {
            // It is short, and nothing else is being sent: the system takes it at once, or the client does not get it.
            drop(stream.try_write(TOO_SLOW));
            Ok(())
        }
        // A reset: closed in order, the system would keep the bytes that the client does not read.
        Late::Reading => socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)),
    }
}

/// Sleeps until then, and yields once more: a process that was stopped finds a deadline passed before it has read the
/// bytes that arrived in the meantime.
async fn sleep_until(at: Instant) {
    tokio::time::sleep_until(at.into()).await;
    tokio::task::yield_now().await;
}

/// Ends a connection so that its client can read the answer: bytes that were received and not read would otherwise reset
/// the connection (RFC 9112 section 9.6).
async fn linger(mut stream: TcpStream, limit: Duration) -> std::io::Result<()> {
    stream.shutdown().await?;
    let deadline = Instant::now() + limit;
    let mut rest = vec![0; LINGER_BYTES];
    loop {
        let until = deadline.min(Instant::now() + LINGER_IDLE);
        match tokio::time::timeout_at(until.into(), stream.read(&mut rest)).await {
            Ok(Ok(1..)) => {}
            // The client closed, or its time is over.
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
