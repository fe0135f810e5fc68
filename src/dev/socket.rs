//! The WebSocket of an open page in `dev`. It belongs to no isolate, so it survives reloads and does not wait for handlers.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::broadcast::error::RecvError;

use super::{Dev, PageEvents};
use liveline_proto::websocket::{Kind, frame};

/// How many pages are connected at a time.
const MAX_PAGES: usize = 200;

/// How many bytes are read at a time. A page only sends its close frame.
const READ: usize = 1024;

/// The opcode of a close frame (RFC 6455 section 5.2).
const CLOSE: u8 = 8;

/// The connection of one page.
pub(crate) struct Socket(PageEvents);

impl Socket {
    /// Subscribes one more page; None if there are too many.
    pub(crate) fn open(dev: &Arc<Dev>) -> Option<Socket> {
        (dev.pages() < MAX_PAGES).then(|| Socket(dev.subscribe()))
    }

    /// Writes `head`, which ends the handshake, and then every message, until the page leaves or is too far behind.
    pub(crate) async fn serve(self, stream: TcpStream, head: Vec<u8>) {
        let _ = self.write(stream, head).await;
    }

    async fn write(self, mut stream: TcpStream, head: Vec<u8>) -> std::io::Result<()> {
        let Socket(PageEvents { hello, mut messages }) = self;
        let mut out = head;
        frame(Kind::Text, hello.as_bytes(), &mut out);
        stream.write_all(&out).await?;
        let mut read = [0; READ];
        loop {
            tokio::select! {
                message = messages.recv() => {
                    let message = match message {
                        Ok(message) => message,
                        // The page connects again and gets the present state.
                        Err(RecvError::Lagged(_) | RecvError::Closed) => return Ok(()),
                    };
                    out.clear();
                    frame(Kind::Text, message.as_bytes(), &mut out);
                    stream.write_all(&out).await?;
                }
                count = stream.read(&mut read) => match count? {
                    0 => return Ok(()),
                    _ if read[0] & 0xf == CLOSE => {
                        out.clear();
                        frame(Kind::Close, &[], &mut out);
                        return stream.write_all(&out).await;
                    }
                    _ => {}
                },
            }
        }
    }
}
