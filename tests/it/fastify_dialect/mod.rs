//! Applications of Fastify: the tree of plugins, their sockets, programs that listen, and reloads.

mod programs;
mod reloads;
mod sockets;
mod tree;

use std::net::TcpStream;

use tokio_tungstenite::tungstenite::protocol::WebSocket;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::{Host, Site};

/// An application file whose body is `body`, with `fastify` and `opts`.
fn application(body: &str) -> Site {
    Site::new().file("app.mjs", plugin(body))
}

/// A plugin with this body.
fn plugin(body: &str) -> String {
    format!("export default async function (fastify, opts) {{\n{body}\n}}\n")
}

/// Opens a WebSocket.
#[track_caller]
fn connect(host: &Host, path: &str) -> WebSocket<TcpStream> {
    host.dial(path).upgrade().unwrap_or_else(|status| panic!("refused with {status}")).0
}

/// The next text of a socket.
#[track_caller]
fn text(socket: &mut WebSocket<TcpStream>) -> String {
    match message(socket) {
        Some(Message::Text(text)) => text.to_string(),
        other => panic!("no text: {other:?}"),
    }
}

/// The next message that is not a sign of life; `None` where the connection broke.
#[track_caller]
fn message(socket: &mut WebSocket<TcpStream>) -> Option<Message> {
    loop {
        match socket.read() {
            Ok(Message::Ping(_) | Message::Pong(_)) => {}
            Ok(message) => return Some(message),
            Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("nothing came"),
            Err(_) => return None,
        }
    }
}

/// The code of the close frame that comes next; 1006 where there is none, 1005 where it has no code.
#[track_caller]
fn close_code(socket: &mut WebSocket<TcpStream>) -> u16 {
    match message(socket) {
        Some(Message::Close(Some(frame))) => frame.code.into(),
        Some(Message::Close(None)) => 1005,
        None => 1006,
        other => panic!("no close: {other:?}"),
    }
}
