//! The WebSocket by which a page of `dev` gets its messages. It belongs to no isolate, so it outlasts reloads and does
//! not wait for handlers.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::broadcast::error::RecvError;

use super::{Dev, News};
use liveline_proto::websocket::{Kind, frame};

/// So many pages get messages at a time. More is no developer.
const MAX_PAGES: usize = 200;

/// What is read of a page at a time. It has nothing to say but that it leaves.
const READ: usize = 1024;

/// The opcode of a close frame (RFC 6455 section 5.2).
const CLOSE: u8 = 8;

/// One page's end of the news.
pub(crate) struct Socket(News);

impl Socket {
    /// For one page more, if there are not too many.
    pub(crate) fn open(dev: &Arc<Dev>) -> Option<Socket> {
        (dev.pages() < MAX_PAGES).then(|| Socket(dev.news()))
    }

    /// Writes the rest of the handshake and then every message, until the page leaves or is too far behind.
    pub(crate) async fn serve(self, stream: TcpStream, head: Vec<u8>) {
        let _ = self.write(stream, head).await;
    }

    async fn write(self, mut stream: TcpStream, head: Vec<u8>) -> std::io::Result<()> {
        let Socket(News { hello, mut messages }) = self;
        let mut out = head;
        frame(Kind::Text, hello.as_bytes(), &mut out);
        stream.write_all(&out).await?;
        let mut read = [0; READ];
        loop {
            tokio::select! {
                message = messages.recv() => {
                    let message = match message {
                        Ok(message) => message,
                        // It connects again and gets the state as it is then.
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
