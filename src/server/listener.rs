//! The TCP listener.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use socket2::TcpKeepalive;
use tokio::net::{TcpListener, TcpStream};

use super::Pool;
use super::accepted::Accepted;
use super::limiter::{ConnectionLimiter, Permit};
use crate::trust::{Peer, Proxies};

/// The answer to connections over the limit.
const TURNED_AWAY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 10\r\n\
    content-length: 0\r\n\r\n";

/// How long a connection is silent before the system probes whether its peer is reachable.
const PROBE_AFTER: Duration = Duration::from_secs(60);

/// How many unsent bytes the system buffers for a connection; its default is megabytes.
#[cfg(target_os = "linux")]
const UNSENT_BYTES: u32 = 128 * 1024;

/// Bound addresses with one port: one, or those of a name.
pub(crate) struct Listener {
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    /// The name, if the listener was bound by one.
    name: Option<String>,
}

/// The host to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BindHost {
    Address(IpAddr),
    Name(String),
}

impl FromStr for BindHost {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<BindHost, Infallible> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        Ok(bare.parse().map_or_else(|_| BindHost::Name(text.to_owned()), BindHost::Address))
    }
}

impl BindHost {
    /// Whether it is the name `localhost`.
    pub(crate) fn is_localhost(&self) -> bool {
        matches!(self, BindHost::Name(name) if name.eq_ignore_ascii_case("localhost"))
    }

    async fn addresses(&self) -> Result<Vec<IpAddr>, ListenError> {
        let name = match self {
            BindHost::Address(address) => return Ok(vec![*address]),
            // Clients try both, whatever the system's tables contain (RFC 6761 section 6.3).
            BindHost::Name(_) if self.is_localhost() => {
                return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
            }
            BindHost::Name(name) => name,
        };
        let unknown = |source| ListenError::Unknown { name: name.clone(), source };
        let mut addresses = Vec::new();
        for found in tokio::net::lookup_host((name.as_str(), 0)).await.map_err(unknown)? {
            if !addresses.contains(&found.ip()) {
                addresses.push(found.ip());
            }
        }
        Ok(addresses)
    }
}

/// How many ports are tried to find one that is free at every address.
const TRIES: usize = 32;

/// Why an address cannot be bound.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    #[error(
        "cannot listen on `{name}`, which no address is known for ({source}): give an address of this machine, localhost, \
         or 0.0.0.0 for all"
    )]
    Unknown { name: String, source: io::Error },
    #[error("cannot listen on `{name}`: its addresses ({}) are not this machine's", list(.addresses))]
    Elsewhere { name: String, addresses: Vec<IpAddr> },
    #[error("port {} is in use on {}; choose another with --port, or 0 for any free one", .0.port(), .0.ip())]
    InUse(SocketAddr),
    #[error("cannot listen on {address}: {source}")]
    Other { address: SocketAddr, source: io::Error },
}

impl Listener {
    /// Binds an address, or those addresses of a name that this machine has. Port 0 picks a free one. `timeout`: how long a
    /// peer may be unreachable before its connection is closed.
    pub(crate) async fn bind(
        place: &BindHost,
        port: u16,
        timeout: Duration,
    ) -> Result<Listener, ListenError> {
        let hosts = place.addresses().await?;
        let mut tries = 0;
        loop {
            match Listener::bind_all(place, &hosts, port, timeout).await {
                Err(ListenError::InUse(_)) if port == 0 && tries < TRIES => tries += 1,
                bound => return bound,
            }
        }
    }

    async fn bind_all(
        place: &BindHost,
        hosts: &[IpAddr],
        mut port: u16,
        timeout: Duration,
    ) -> Result<Listener, ListenError> {
        let (mut listeners, mut addresses) = (Vec::new(), Vec::new());
        for host in hosts {
            let address = SocketAddr::new(*host, port);
            let failed = |source: io::Error| match source.kind() {
                io::ErrorKind::AddrInUse => ListenError::InUse(address),
                _ => ListenError::Other { address, source },
            };
            let listener = match TcpListener::bind(address).await {
                // A name may have more addresses than this machine.
                Err(error) if matches!(place, BindHost::Name(_)) && is_not_here(&error) => continue,
                bound => bound.map_err(failed)?,
            };
            prepare(&listener, timeout).map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            port = address.port();
            listeners.push(listener);
            addresses.push(address);
        }
        let name = match place {
            BindHost::Name(name) if listeners.is_empty() => {
                return Err(ListenError::Elsewhere { name: name.clone(), addresses: hosts.to_vec() });
            }
            BindHost::Name(name) => Some(name.to_ascii_lowercase()),
            BindHost::Address(_) => None,
        };
        Ok(Listener { listeners, addresses, name })
    }

    /// The bound addresses, at least one.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// HOST:PORT of an address that leads here.
    pub(crate) fn authority(&self) -> String {
        let first = self.addresses[0];
        self.name.as_ref().map_or_else(|| first.to_string(), |name| format!("{name}:{}", first.port()))
    }

    /// Sends connections that the limiter admits to the pool, for as long as the future is polled.
    pub(crate) async fn accept(&self, pool: &Arc<Pool>, limiter: &ConnectionLimiter, proxies: &Proxies) {
        let each = self.listeners.iter().map(|listener| accept_from(listener, pool, limiter, proxies));
        join_all(each).await;
    }
}

async fn accept_from(
    listener: &TcpListener,
    pool: &Arc<Pool>,
    limiter: &ConnectionLimiter,
    proxies: &Proxies,
) {
    let (mut refused, mut failed) = (LogThrottle::default(), LogThrottle::default());
    loop {
        let accepted = match listener.accept().await {
            Ok((stream, peer)) => match limiter.admit(counted(peer, proxies)) {
                Ok(permit) => admitted(stream, peer_at(peer, proxies), permit),
                Err(reason) => {
                    turn_away(stream);
                    if let Some(count) = refused.count(Instant::now()) {
                        tracing::warn!("{count} connections refused, the last from {}: {reason}", peer.ip());
                    }
                    continue;
                }
            },
            Err(error) => Err(error),
        };
        match accepted {
            Ok(connection) => pool.accept(connection),
            Err(error) => {
                if let Some(count) = failed.count(Instant::now()) {
                    tracing::warn!("{count} connections were not accepted: {error}");
                }
                if !is_of_client(&error) {
                    // Most likely there are no file descriptors left: wait until some close.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

/// Whether a connection was not accepted because its client has left, so that the next one can be accepted at once.
fn is_of_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, InvalidInput, NotConnected};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | NotConnected | InvalidInput
    )
}

/// Whether an address is not this machine's, or of a family that the system does not support.
fn is_not_here(error: &io::Error) -> bool {
    #[cfg(unix)]
    let knows_no_such = rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::AFNOSUPPORT);
    #[cfg(not(unix))]
    let knows_no_such = false;
    knows_no_such || error.kind() == io::ErrorKind::AddrNotAvailable
}

fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The peer of a connection. An IPv4 peer of an IPv6 socket has its IPv4 address.
fn peer_at(address: SocketAddr, proxies: &Proxies) -> Peer {
    let address = address.ip().to_canonical();
    Peer { address, is_secure: None, is_proxy: proxies.contain(address) }
}

/// The address that a connection counts for. A proxy's connection is for clients that are not known yet.
fn counted(address: SocketAddr, proxies: &Proxies) -> Option<IpAddr> {
    let peer = peer_at(address, proxies);
    (!peer.is_proxy).then_some(peer.address)
}

fn admitted(stream: TcpStream, peer: Peer, permit: Permit) -> io::Result<Accepted> {
    stream.set_nodelay(true)?;
    // The worker registers the socket with its own runtime.
    Ok(Accepted { stream: stream.into_std()?, peer, is_fresh: true, read: Bytes::new(), holds: permit })
}

/// Sends a 503, as far as that does not block, and closes.
fn turn_away(stream: TcpStream) {
    use io::Write;
    // A new socket takes so few bytes at once; if it does not, the client sees it closed.
    let _ = stream.into_std().and_then(|mut stream| stream.write_all(TURNED_AWAY));
}

/// Sets the options that accepted sockets inherit. The system closes connections whose peer acknowledges nothing, or
/// keeps its window shut, for `timeout`, or does not answer probes. And it buffers few unsent bytes: the rest waits in the
/// process, where it is counted.
fn prepare(listener: &TcpListener, timeout: Duration) -> io::Result<()> {
    let socket = socket2::SockRef::from(listener);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_AFTER / 4))?;
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_user_timeout(Some(timeout))?;
        socket.set_tcp_notsent_lowat(UNSENT_BYTES)?;
    }
    #[cfg(not(target_os = "linux"))]
    let _ = timeout;
    Ok(())
}

/// How often an event that clients cause is logged.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Counts an event that clients cause, so that the log has it now and then: clients must not be able to fill the log.
#[derive(Debug, Default)]
struct LogThrottle {
    logged: Option<Instant>,
    count: u64,
}

impl LogThrottle {
    /// Counts one event. Returns the count since the last line in the log, if it is time for another one.
    fn count(&mut self, now: Instant) -> Option<u64> {
        self.count += 1;
        if self.logged.is_some_and(|logged| now.duration_since(logged) < LOG_EVERY) {
            return None;
        }
        self.logged = Some(now);
        Some(std::mem::take(&mut self.count))
    }
}

#[cfg(test)]
mod throttle_tests {
    use super::*;

    #[test]
    fn what_happens_often_is_logged_now_and_then() {
        let (mut refused, start) = (LogThrottle::default(), Instant::now());

        assert_eq!(refused.count(start), Some(1));
        assert_eq!(refused.count(start), None);
        assert_eq!(refused.count(start + LOG_EVERY / 2), None);
        assert_eq!(refused.count(start + LOG_EVERY), Some(3));
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn accepted_sockets_are_prepared() {
        let timeout = Duration::from_secs(7);
        let listener = Listener::bind(&BindHost::Address(Ipv4Addr::LOCALHOST.into()), 0, timeout).await;
        let listener = listener.expect("a free port");
        let connecting = TcpStream::connect(listener.addresses()[0]);
        let (accepted, _client) = tokio::join!(listener.listeners[0].accept(), connecting);
        let (stream, _) = accepted.expect("a connection");

        let socket = socket2::SockRef::from(&stream);
        assert!(socket.keepalive().expect("an option"));
        assert_eq!(socket.tcp_keepalive_time().expect("an option"), PROBE_AFTER);
        assert_eq!(socket.tcp_notsent_lowat().expect("an option"), UNSENT_BYTES);
        assert_eq!(socket.tcp_user_timeout().expect("an option"), Some(timeout));
    }

    #[test]
    fn places_are_addresses_or_names() {
        let place = |text: &str| text.parse::<BindHost>().expect("any text is one");
        assert_eq!(place("127.0.0.1"), BindHost::Address(Ipv4Addr::LOCALHOST.into()));
        assert_eq!(place("::1"), BindHost::Address(Ipv6Addr::LOCALHOST.into()));
        assert_eq!(place("[::1]"), BindHost::Address(Ipv6Addr::LOCALHOST.into()));
        assert!(place("LocalHost").is_localhost());
        assert_eq!(place("x86_64-pc-linux-gnu"), BindHost::Name("x86_64-pc-linux-gnu".into()));
    }

    #[tokio::test]
    async fn localhost_has_one_port_at_every_address() {
        let place = "localhost".parse().expect("a name");
        let listener = Listener::bind(&place, 0, Duration::from_secs(7)).await.expect("a free port");
        let port = listener.addresses()[0].port();
        assert!(
            listener.addresses().iter().all(|address| address.ip().is_loopback() && address.port() == port)
        );
        assert_eq!(listener.authority(), format!("localhost:{port}"));
        let second = Listener::bind(&place, port, Duration::from_secs(7)).await.err();
        assert!(matches!(second, Some(ListenError::InUse(_))), "{second:?}");
    }
}
