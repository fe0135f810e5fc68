//! The TCP listener.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use socket2::TcpKeepalive;
use tokio::net::{TcpListener, TcpStream};

use super::admission::{Doors, NowAndThen};
use crate::isolate::{Admitted, Connection, Pool};
use crate::trust::{Peer, Proxies};

/// What clients hear for whom there is no place.
const TURNED_AWAY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 10\r\n\
    content-length: 0\r\n\r\n";

/// How long a connection is silent before the system asks whether its peer is still there.
const PROBE_AFTER: Duration = Duration::from_secs(60);

/// How much of what a connection has yet to send the system takes in advance; by itself it takes megabytes.
#[cfg(target_os = "linux")]
const UNSENT_BYTES: u32 = 128 * 1024;

/// A bound address.
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

/// The address could not be bound.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("port {} is in use on {}; choose another with --port, or 0 for any free one", .0.port(), .0.ip())]
    InUse(SocketAddr),
    #[error("cannot listen on {address}: {source}")]
    Other { address: SocketAddr, source: io::Error },
}

impl Listener {
    /// Binds an address. Port 0 picks a free one. A peer may be out of reach for `patience`.
    pub async fn bind(host: IpAddr, port: u16, patience: Duration) -> Result<Listener, ListenError> {
        let address = SocketAddr::new(host, port);
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ListenError::InUse(address),
            _ => ListenError::Other { address, source },
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        prepare(&listener, patience).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Listener { listener, address })
    }

    /// The address in use.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Hands connections to the pool for as long as the future is polled, `doors` permitting.
    pub async fn accept(&self, pool: &Arc<Pool>, doors: &Doors, proxies: &Proxies) {
        let (mut refused, mut failed) = (NowAndThen::default(), NowAndThen::default());
        loop {
            let accepted = match self.listener.accept().await {
                Ok((stream, peer)) => match doors.admit(counted(peer, proxies)) {
                    Ok(place) => admitted(stream, peer_at(peer, proxies), Box::new(place)),
                    Err(reason) => {
                        turn_away(stream);
                        if let Some(count) = refused.happened(Instant::now()) {
                            tracing::warn!(
                                "{count} connections refused, the last from {}: {reason}",
                                peer.ip()
                            );
                        }
                        continue;
                    }
                },
                Err(error) => Err(error),
            };
            match accepted {
                Ok(connection) => pool.accept(connection),
                Err(error) => {
                    if let Some(count) = failed.happened(Instant::now()) {
                        tracing::warn!("{count} connections were not accepted: {error}");
                    }
                    // Out of file descriptors, most likely: others have to close first.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

/// Who is there. An IPv4 peer of an IPv6 socket is the same as elsewhere.
fn peer_at(address: SocketAddr, proxies: &Proxies) -> Peer {
    let address = address.ip().to_canonical();
    Peer { address, is_secure: None, is_proxy: proxies.contain(address) }
}

/// Whom a connection counts for: a proxy's is for others, who are not known yet.
fn counted(address: SocketAddr, proxies: &Proxies) -> Option<IpAddr> {
    let peer = peer_at(address, proxies);
    (!peer.is_proxy).then_some(peer.address)
}

fn admitted(stream: TcpStream, peer: Peer, place: Admitted) -> io::Result<Connection> {
    stream.set_nodelay(true)?;
    // The worker registers the socket with a reactor of its own.
    Ok(Connection { stream: stream.into_std()?, peer, is_fresh: true, read: Bytes::new(), place })
}

/// Says why, as far as that can be done without waiting, and closes.
fn turn_away(stream: TcpStream) {
    use io::Write;
    // A fresh socket takes so few bytes at once. If not, the client sees it closed.
    let _ = stream.into_std().and_then(|mut stream| stream.write_all(TURNED_AWAY));
}

/// What the system does for every connection; accepted sockets inherit it. It gives up peers that do not acknowledge
/// what they get, or whose window stays shut, for `patience`, and those that do not answer to probes. And it keeps
/// little of what they have not taken: the rest waits where it is counted.
fn prepare(listener: &TcpListener, patience: Duration) -> io::Result<()> {
    let socket = socket2::SockRef::from(listener);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_AFTER / 4))?;
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_user_timeout(Some(patience))?;
        socket.set_tcp_notsent_lowat(UNSENT_BYTES)?;
    }
    #[cfg(not(target_os = "linux"))]
    let _ = patience;
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn accepted_sockets_are_prepared() {
        let patience = Duration::from_secs(7);
        let host = IpAddr::from([127, 0, 0, 1]);
        let listener = Listener::bind(host, 0, patience).await.expect("a free port");
        let connecting = TcpStream::connect(listener.address());
        let (accepted, _client) = tokio::join!(listener.listener.accept(), connecting);
        let (stream, _) = accepted.expect("a connection");

        let socket = socket2::SockRef::from(&stream);
        assert!(socket.keepalive().expect("an option"));
        assert_eq!(socket.tcp_keepalive_time().expect("an option"), PROBE_AFTER);
        assert_eq!(socket.tcp_notsent_lowat().expect("an option"), UNSENT_BYTES);
        assert_eq!(socket.tcp_user_timeout().expect("an option"), Some(patience));
    }
}
