//! One WebSocket and the line it carries (RFC 6455, through tungstenite).

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::Hub;
use crate::engine::{Close, CloseCode, LineId, Take};

/// How many bytes of frames go to the socket before it is flushed.
const BATCH_BYTES: usize = 16 * 1024;

/// Buffers of a connection. The library's defaults are 128 KiB each way, which an idle line should not cost.
const BUFFER_BYTES: usize = 4 * 1024;

/// Carries `line` over `io`, whose handshake is done, until either is gone. `max_frame` limits what the client sends.
pub async fn serve(hub: Hub, line: LineId, io: impl AsyncRead + AsyncWrite + Unpin, max_frame: usize) {
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(Some(max_frame))
        .max_frame_size(Some(max_frame));
    let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    let close = carry(&hub, line, socket).await;
    hub.socket_closed(line, close);
}

/// What the socket's task has to do next.
enum Next {
    Write(Take),
    Read(Option<Result<Message, Error>>),
}

async fn carry<S>(hub: &Hub, line: LineId, socket: WebSocketStream<S>) -> Close
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut socket = pin!(socket);
    let mut frames = Vec::new();
    loop {
        let next = poll_fn(|cx| {
            if let Poll::Ready(take) = hub.poll_take(line, BATCH_BYTES, &mut frames, cx) {
                return Poll::Ready(Next::Write(take));
            }
            if hub.may_read(line) {
                return socket.as_mut().poll_next(cx).map(Next::Read);
            }
            Poll::Pending
        });
        let written = match next.await {
            Next::Write(Take::Frames) => {
                let messages = frames.drain(..).map(Message::Text);
                tokio::select! {
                    written = write(socket.as_mut(), messages) => written,
                    // A client that does not read cannot hold the socket longer than its line lives.
                    () = hub.gone(line) => return CloseCode::Abnormal.into(),
                }
            }
            Next::Write(Take::Close(Close { code, reason })) => {
                let reason = Utf8Bytes::from(reason.into_owned());
                let frame = CloseFrame { code: code.number().into(), reason };
                tokio::select! {
                    written = write(socket.as_mut(), [Message::Close(Some(frame))]) => written,
                    () = hub.gone(line) => return CloseCode::Abnormal.into(),
                }
            }
            Next::Write(Take::Gone) => return CloseCode::Abnormal.into(),
            Next::Write(Take::Idle) => Ok(()),
            Next::Read(Some(Ok(message))) => {
                match message {
                    Message::Text(text) => hub.receive(line, &text),
                    Message::Binary(_) => hub.cut(line, CloseCode::Unsupported),
                    Message::Close(frame) => {
                        // The answering close frame still has to leave.
                        tokio::select! {
                            _ = poll_fn(|cx| socket.as_mut().poll_close(cx)) => {}
                            () = hub.gone(line) => {}
                        }
                        return closed_by_client(frame);
                    }
                    Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                }
                Ok(())
            }
            Next::Read(Some(Err(error))) => Err(error),
            Next::Read(None) => return CloseCode::Abnormal.into(),
        };
        if let Err(error) = written {
            let Some(code) = fault(&error) else { return CloseCode::Abnormal.into() };
            // The client broke the rules. Its socket cannot be read any further, but it is told why.
            hub.cut(line, code);
            let close = Close::from(code);
            let frame =
                CloseFrame { code: code.number().into(), reason: close.reason.clone().into_owned().into() };
            tokio::select! {
                _ = write(socket.as_mut(), [Message::Close(Some(frame))]) => {}
                () = hub.gone(line) => {}
            }
            return close;
        }
    }
}

/// Writes messages and flushes once.
async fn write<S>(
    mut socket: std::pin::Pin<&mut WebSocketStream<S>>,
    messages: impl IntoIterator<Item = Message>,
) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    for message in messages {
        poll_fn(|cx| socket.as_mut().poll_ready(cx)).await?;
        socket.as_mut().start_send(message)?;
    }
    poll_fn(|cx| socket.as_mut().poll_flush(cx)).await
}

fn closed_by_client(frame: Option<CloseFrame>) -> Close {
    match frame {
        Some(CloseFrame { code, reason }) => {
            Close::because(CloseCode::from(u16::from(code)), reason.as_str().to_owned())
        }
        None => CloseCode::Done.into(),
    }
}

/// The code for what the client did wrong, if it was the client.
fn fault(error: &Error) -> Option<CloseCode> {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => Some(CloseCode::TooBig),
        Error::Utf8(_) => Some(CloseCode::Unsupported),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) => Some(CloseCode::Other(1002)),
        _ => None,
    }
}
