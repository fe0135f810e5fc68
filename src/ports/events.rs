//! A live line over a response that does not end: for clients that cannot have a socket, or only read.

use std::future::poll_fn;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Hub;
use crate::engine::{Close, CloseCode, LineId, Take};
use crate::wire::Format;

/// How many bytes of frames are written at a time.
const BATCH_BYTES: usize = 16 * 1024;

/// Carries `line` over `io`, after the response's `head`, until either is gone. What the client sends on the same
/// connection is ignored: its messages come by requests of their own.
pub async fn serve(hub: Hub, line: LineId, io: impl AsyncRead + AsyncWrite, head: Vec<u8>, format: Format) {
    // The client of an answer listens already; one that came to the line's address says so itself.
    if format != Format::Envelopes && !hub.attach(line) {
        return;
    }
    let (read, write) = tokio::io::split(io);
    let mut read = Box::pin(read);
    let mut write = Box::pin(write);
    let left = async {
        let mut ignored = [0; 512];
        while read.read(&mut ignored).await.is_ok_and(|length| length > 0) {}
    };
    let close = tokio::select! {
        close = tell(&hub, line, &mut write, head, format) => close,
        () = left => CloseCode::Abnormal.into(),
        // A client that does not read cannot hold the connection longer than its line lives.
        () = hub.gone(line) => CloseCode::Abnormal.into(),
    };
    hub.socket_closed(line, close);
}

async fn tell(
    hub: &Hub,
    line: LineId,
    write: &mut (impl AsyncWrite + Unpin),
    head: Vec<u8>,
    format: Format,
) -> Close {
    let mut out = head;
    loop {
        if write.write_all(&out).await.is_err() || write.flush().await.is_err() {
            return CloseCode::Abnormal.into();
        }
        // An idle line keeps no buffer.
        out = Vec::new();
        let mut frames = Vec::new();
        match poll_fn(|cx| hub.poll_take(line, BATCH_BYTES, &mut frames, cx)).await {
            Take::Frames => frames.iter().for_each(|frame| format.frame(frame, &mut out)),
            Take::Close(close) => {
                format.close(close.code.number(), &close.reason, &mut out);
                // Whether the client still reads this makes no difference to the line.
                let _ = write.write_all(&out).await;
                let _ = write.shutdown().await;
                return close;
            }
            Take::Gone => return CloseCode::Abnormal.into(),
            Take::Idle => {}
        }
    }
}
