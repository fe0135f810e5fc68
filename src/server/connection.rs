//! One connection, from its first byte to its end: HTTP, and what comes before and after it.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::accepted::Accepted;
use super::context::Context;
use super::http1::{End, Http, HttpError, Parts};
use super::monitor::Monitor;
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

/// Serves a connection. Idle connections of a retiring worker move on to the next generation. For upgraded ones see
/// [`Upgrade::serve`](super::reply::Upgrade::serve).
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
    let Some(Opened { read, entry, stream, peer }) = open(&worker, connection, began).await? else {
        return Ok(());
    };
    let limits = &worker.config.connections;
    let permit = peer.is_proxy.then(|| entry.permit());
    let timeouts = ConnectionTimeouts::new(limits, began);
    let monitor = Rc::new(Monitor::new(timeouts, entry.progress.clone(), permit));
    let arrived_at = stream.local_addr().ok().map(|address| address.ip());
    let context = Rc::new(Context { worker: worker.clone(), peer, arrived_at, monitor: monitor.clone() });
    let mut http = Http::new(context, stream, entry, &read, limits.header);
    drop(read);

    let end = drive(&mut http, &worker, &monitor, began).await;

    let is_reusable = http.is_reusable();
    let Parts { stream, entry, read, upgrade } = http.into_parts();
    match (end, upgrade) {
        (Ended::Late(late), upgrade) => {
            tracing::debug!("{}: the client is late: {late:?}", peer.address);
            if let Some(upgrade) = upgrade {
                upgrade.abandon(&worker.config.hub);
            }
            end_late(&stream, late)?;
        }
        (Ended::Http(End::Upgraded), Some(upgrade)) => {
            // Where another thread has ended the connection, it has ended the line, too.
            let Some(permit) = entry.leave() else { return Ok(()) };
            upgrade.serve(&worker.config.hub, worker.owner, stream, read, permit, limits.frame)?;
        }
        // Where the client closed at the same moment, the next worker sees the end of the stream.
        (Ended::Http(End::Served(Ok(()))), _) if is_reusable => {
            if let Some(holds) = entry.leave() {
                let stream = stream.into_std()?;
                worker.pass_on(Accepted { stream, peer, is_fresh: false, read, holds });
            }
        }
        (Ended::Http(End::Served(served)), upgrade) => {
            if let Some(upgrade) = upgrade {
                upgrade.abandon(&worker.config.hub);
            }
            linger(stream, if *worker.retiring().borrow() { LINGER_IDLE } else { LINGER }).await?;
            served?;
        }
        (Ended::Http(End::Upgraded), None) => {
            unreachable!("an upgrade ends HTTP only where there is one")
        }
    }
    Ok(())
}

/// A connection of which the first bytes are there.
struct Opened {
    read: Bytes,
    /// Dropped before the stream is closed: other threads use its descriptor for as long as this entry exists.
    entry: TableEntry,
    stream: TcpStream,
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
    Ok(Some(Opened { read, entry, stream, peer }))
}

/// How HTTP on a connection ended.
enum Ended {
    /// A timeout of the client passed.
    Late(Late),
    Http(End),
}

/// What interrupts a connection.
enum Notice {
    /// It is time to check the timeouts.
    Check,
    /// A newer generation serves.
    Retiring,
}

/// Serves HTTP on the connection, to its end.
async fn drive(http: &mut Http, worker: &Worker, monitor: &Monitor, began: Instant) -> Ended {
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
    loop {
        tokio::select! {
            biased;
            end = poll_fn(|cx| http.poll(cx)) => return Ended::Http(end),
            Some(notice) = notices.next() => match notice {
                Notice::Check => match monitor.check(Instant::now()) {
                    Ok(next) => notices.push(Box::pin(check(next))),
                    Err(late) => return Ended::Late(late),
                },
                Notice::Retiring => http.retire(),
            },
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
    Http(#[from] HttpError),
}
