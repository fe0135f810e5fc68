//! The beginning of a proxy's connection: a header of the PROXY protocol may name the client.

use std::time::Instant;

use bytes::Bytes;
use tokio::net::TcpStream;

use crate::http::within;
use crate::trust::proxy_protocol::{self, Beginning, Header, ProxyProtocolError};
use crate::trust::{Peer, Proxies};

/// Why a proxy's connection is closed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProxyHeaderError {
    #[error(transparent)]
    Protocol(#[from] ProxyProtocolError),
    #[error("its PROXY protocol header did not come in time")]
    Late,
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Reads the header, if there is one. Afterwards `peer` is the client that it names, and `read` the client's first bytes.
pub(super) async fn begin(
    stream: &TcpStream,
    deadline: Instant,
    peer: &mut Peer,
    read: &mut Bytes,
    proxies: &Proxies,
) -> Result<(), ProxyHeaderError> {
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
        within(deadline, stream.readable()).await.ok_or(ProxyHeaderError::Late)??;
        // The bytes after the header are the client's: the connection gets them in `read`.
        let mut piece = [0; 512];
        match stream.try_read(&mut piece) {
            // The stream ended, perhaps in the middle of a header.
            Ok(0) => break,
            Ok(length) => bytes.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
    *read = bytes.into();
    Ok(())
}
