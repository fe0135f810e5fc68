//! The beginning of a proxy's connection: whose it is, where the proxy says so before the client's first byte.

use std::time::Instant;

use bytes::Bytes;
use tokio::net::TcpStream;

use crate::http::within;
use crate::trust::proxy_protocol::{self, Beginning, Header, Violation};
use crate::trust::{Peer, Proxies};

/// Why a proxy's connection does not go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotBegun {
    #[error(transparent)]
    Violation(#[from] Violation),
    #[error("its PROXY protocol header did not come in time")]
    Late,
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Reads the header, if there is one. From then on `peer` is whom it names, and `read` the first bytes of the client.
pub(super) async fn begin(
    stream: &TcpStream,
    deadline: Instant,
    peer: &mut Peer,
    read: &mut Bytes,
    proxies: &Proxies,
) -> Result<(), NotBegun> {
    let mut bytes = std::mem::take(read).to_vec();
    loop {
        match proxy_protocol::read(&bytes)? {
            Beginning::Client => break,
            Beginning::Header(Header { source, is_secure }, length) => {
                bytes.drain(..length);
                if let Some(source) = source {
                    let address = source.ip();
                    *peer = Peer { address, is_secure, is_proxy: proxies.contain(address) };
                }
                break;
            }
            Beginning::Unknown => {}
        }
        within(deadline, stream.readable()).await.ok_or(NotBegun::Late)??;
        // What is not the header's is read once more, by the connection.
        let mut piece = [0; 512];
        match stream.try_read(&mut piece) {
            // It closes, or has half of a header to say.
            Ok(0) => break,
            Ok(length) => bytes.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
    *read = bytes.into();
    Ok(())
}
