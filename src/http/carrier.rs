//! What a connection carries after the head of an answer, in place of a body.

use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use tokio::net::TcpStream;

/// Dropped with the connection: its place under the limit of connections.
type Place = Box<dyn fmt::Debug + Send>;

type Carrying = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Serves a connection from the head of an answer on. It is called with the connection, the head, bytes that were read
/// already, and what is to be dropped with the connection; the result lasts as long as the connection.
pub(crate) struct Carrier(Box<dyn FnOnce(TcpStream, Vec<u8>, Bytes, Place) -> Carrying + Send>);

impl Carrier {
    pub(crate) fn new(
        serve: impl FnOnce(TcpStream, Vec<u8>, Bytes, Place) -> Carrying + Send + 'static,
    ) -> Carrier {
        Carrier(Box::new(serve))
    }

    /// Serves the connection.
    pub(crate) fn serve(self, stream: TcpStream, head: Vec<u8>, read: Bytes, place: Place) -> Carrying {
        (self.0)(stream, head, read, place)
    }
}

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Carrier")
    }
}
