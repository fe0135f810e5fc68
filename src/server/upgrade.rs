//! Connections that leave HTTP. Raw WebSockets whose handler runs on this thread stay on it; all others move to the
//! runtime of the live lines.

use bytes::Bytes;
use tokio::net::TcpStream;

use super::limiter::Permit;
use super::reply::{Protocol, Upgrade};
use crate::lines::Hub;
use crate::lines::socket::{self, Connection, Encoding};
use liveline_proto::{CloseCode, Format, OwnerId, TransportKind};

impl Upgrade {
    /// Serves the protocol on its connection, of which `read` was received already. `owner` is the worker of this thread.
    /// Messages of a client may be `limit` bytes long.
    pub(super) fn serve(
        self,
        hub: &Hub,
        owner: OwnerId,
        stream: TcpStream,
        read: Bytes,
        permit: Permit,
        mut limit: usize,
    ) -> std::io::Result<()> {
        let Upgrade { head, protocol } = self;
        let place = Box::new(permit);
        let (attachment, encoding) = match protocol {
            Protocol::Raw(line, longest) => {
                limit = longest.unwrap_or(limit);
                let mut turn = hub.turn();
                let is_own = turn.owner(line) == Some(owner);
                let attachment = turn.attach(line, TransportKind::Raw);
                drop(turn);
                match attachment {
                    Some(attachment) if is_own => {
                        let reader = Some(owner);
                        let connection =
                            Connection { stream, read, head, encoding: Encoding::Raw, limit, reader, place };
                        tokio::task::spawn_local(socket::serve(hub, attachment, connection));
                        return Ok(());
                    }
                    // The line is over already, or what receives its messages is elsewhere, as an actor may be.
                    attachment => (attachment, Encoding::Raw),
                }
            }
            Protocol::Dev(socket) => {
                let stream = moved(hub, stream)?;
                hub.runtime().spawn(async move {
                    socket.serve(stream, head).await;
                    drop(place);
                });
                return Ok(());
            }
            Protocol::Carried(carrier) => {
                hub.runtime().spawn(carrier.serve(moved(hub, stream)?, head, read, place));
                return Ok(());
            }
            Protocol::Line(attachment) => (Some(attachment), Encoding::WebSocket),
            Protocol::Events(attachment) => (Some(attachment), Encoding::Events(Format::Envelopes)),
            Protocol::Stream(line, format) => {
                (hub.turn().attach(line, TransportKind::Events), Encoding::Events(format))
            }
        };
        // A client may have joined the line of an answer in the meantime.
        let Some(attachment) = attachment else { return Ok(()) };
        match moved(hub, stream) {
            Ok(stream) => {
                let connection = Connection { stream, read, head, encoding, limit, reader: None, place };
                // The task consists of this alone: it lasts as long as the line.
                let _entered = hub.runtime().enter();
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

/// The connection on the runtime of the live lines.
fn moved(hub: &Hub, stream: TcpStream) -> std::io::Result<TcpStream> {
    let stream = stream.into_std()?;
    let _entered = hub.runtime().enter();
    TcpStream::from_std(stream)
}
