//! The TCP listener.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;

use crate::isolate::{Connection, Pool};

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
    /// Binds an address. Port 0 picks a free one.
    pub async fn bind(host: IpAddr, port: u16) -> Result<Listener, ListenError> {
        let address = SocketAddr::new(host, port);
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ListenError::InUse(address),
            _ => ListenError::Other { address, source },
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Listener { listener, address })
    }

    /// The address in use.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Hands connections to the pool for as long as the future is polled.
    pub async fn accept(&self, pool: &Arc<Pool>) {
        loop {
            let accepted = self.listener.accept().await.and_then(|(stream, peer)| {
                stream.set_nodelay(true)?;
                // The worker registers the socket with a reactor of its own.
                Ok(Connection { stream: stream.into_std()?, peer, read: Bytes::new() })
            });
            match accepted {
                Ok(connection) => pool.accept(connection),
                Err(error) => {
                    // Out of file descriptors, most likely: others have to close first.
                    tracing::warn!("a connection was not accepted: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}
