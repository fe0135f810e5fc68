//! Connections that leave HTTP: they move from their worker's thread to the runtime of the live lines.

use bytes::Bytes;
use tokio::net::TcpStream;

use super::limiter::Permit;
use super::reply::{Protocol, Upgrade};
use crate::lines::Hub;
use crate::lines::socket::{self, Encoding};
use liveline_proto::{CloseCode, Format, TransportKind};

impl Upgrade {
    /// Serves the protocol on its connection, of which `read` was received already. Messages of a client may be `limit`
    /// bytes long.
    pub(super) fn serve(
        self,
        hub: &Hub,
        stream: TcpStream,
        read: Bytes,
        permit: Permit,
        limit: usize,
    ) -> std::io::Result<()> {
        let Upgrade { head, protocol } = self;
        let stream = stream.into_std()?;
        let (attachment, encoding) = match protocol {
            Protocol::Dev(socket) => {
                let _entered = hub.runtime().enter();
                let stream = TcpStream::from_std(stream)?;
                hub.runtime().spawn(async move {
                    socket.serve(stream, head).await;
                    drop(permit);
                });
                return Ok(());
            }
            Protocol::Carried(carrier) => {
                let _entered = hub.runtime().enter();
                let stream = TcpStream::from_std(stream)?;
                hub.runtime().spawn(carrier.serve(stream, head, read, Box::new(permit)));
                return Ok(());
            }
            Protocol::Line(attachment) => (Some(attachment), Encoding::WebSocket { limit }),
            Protocol::Events(attachment) => (Some(attachment), Encoding::Events(Format::Envelopes)),
            Protocol::Raw(line, longest) => {
                let encoding = Encoding::Raw { limit: longest.unwrap_or(limit) };
                (hub.turn().attach(line, TransportKind::Raw), encoding)
            }
            Protocol::Stream(line, format) => {
                (hub.turn().attach(line, TransportKind::Events), Encoding::Events(format))
            }
        };
        // A client may have joined the line of an answer in the meantime.
        let Some(attachment) = attachment else { return Ok(()) };
        let _entered = hub.runtime().enter();
        match TcpStream::from_std(stream) {
            Ok(stream) => {
                let permit = Box::new(permit);
                let connection = socket::Connection { stream, read, head, encoding, place: permit };
                // The task consists of this alone: it lasts as long as the line.
                hub.runtime().spawn(socket::serve(hub, attachment, connection));
            }
            Err(error) => tracing::warn!("a connection could not carry its line: {error}"),
        }
        Ok(())
    }

    /// The connection ended before its client got the head: a line that the client has joined loses its connection.
    pub(super) fn abandon(self, hub: &Hub) {
        if let Protocol::Line(attachment) | Protocol::Events(attachment) = self.protocol {
            hub.turn().disconnected(attachment, CloseCode::Abnormal.into());
        }
    }
}
