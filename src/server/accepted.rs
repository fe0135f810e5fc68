//! A connection between its listener, its worker, and the worker of the next generation.

use bytes::Bytes;

use super::limiter::Permit;
use crate::trust::Peer;

/// A client's connection with what it holds: on its way to a worker its [`Permit`], there its entry in the worker's
/// table of connections.
#[derive(Debug)]
pub(crate) struct Accepted<H = Permit> {
    pub stream: std::net::TcpStream,
    pub peer: Peer,
    /// Nothing was read of it, so a header of its proxy may still name another client.
    pub is_fresh: bool,
    /// Bytes that were read from the stream already.
    pub read: Bytes,
    /// Kept for as long as the stream, also when that leaves HTTP.
    pub holds: H,
}
