//! Reads from TCP connections and writes to them.
//!
//! The system is called without libc, whose functions let other threads cancel the call, which no thread here does. Writes
//! also go without tokio's bookkeeping, which is somewhere else in memory: tokio has to know only of a connection that
//! accepts no more, because a task waits for it then.

use std::io::{self, ErrorKind, IoSlice};
use std::task::{Context, Poll, ready};

use rustix::net::{self, RecvFlags, SendAncillaryBuffer, SendFlags};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Bytes that were read.
pub(crate) struct Chunk {
    /// Their number; 0 at the end of the connection.
    pub read: usize,
    /// Whether there were no more.
    pub is_last: bool,
}

/// Reads what has arrived, as much as the buffer has room for.
pub(crate) fn poll_read(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<Chunk>> {
    loop {
        ready!(stream.poll_read_ready(cx))?;
        let mut short = None;
        let read = stream.try_io(Interest::READABLE, || {
            let read = read(stream, buffer)?;
            if (1..buffer.len()).contains(&read) {
                // Everything was read: without this, tokio would have the system say so in another call.
                short = Some(read);
                return Err(ErrorKind::WouldBlock.into());
            }
            Ok(read)
        });
        match read {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if let Some(read) = short {
                    return Poll::Ready(Ok(Chunk { read, is_last: true }));
                }
            }
            read => return Poll::Ready(read.map(|read| Chunk { read, is_last: false })),
        }
    }
}

/// Reads what has arrived, for a thread that is not that of the connection's task. Fails with [`ErrorKind::WouldBlock`] if
/// there is nothing.
pub(crate) fn read(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let (read, _) = net::recv(stream, buffer, RecvFlags::empty())?;
    Ok(read)
}

/// Writes as many of these bytes as the system accepts. Fails with [`ErrorKind::WouldBlock`] if it accepts none for now.
pub(crate) fn write(stream: &TcpStream, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    // A program in Rust ignores the signal that the system sends where the connection is gone.
    let flags = SendFlags::empty();
    let sent = match parts {
        [first, rest @ ..] if rest.iter().all(|part| part.is_empty()) => net::send(stream, first, flags),
        several => net::sendmsg(stream, several, &mut SendAncillaryBuffer::default(), flags),
    };
    match sent.map_err(io::Error::from) {
        // From this call tokio knows it.
        Err(error) if error.kind() == ErrorKind::WouldBlock => stream.try_write_vectored(parts),
        sent => sent,
    }
}

/// The same, once the system accepts some.
pub(crate) fn poll_write(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    parts: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    loop {
        match write(stream, parts) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(stream.poll_write_ready(cx))?,
            written => return Poll::Ready(written),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    async fn a_connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (here, there) = tokio::join!(TcpStream::connect(address), listener.accept());
        (here.expect("a connection"), there.expect("a connection").0)
    }

    #[tokio::test]
    async fn what_arrives_is_read_until_the_end() {
        let (stream, mut client) = a_connection().await;
        client.write_all(b"some bytes").await.expect("they are sent");
        drop(client);
        let (mut buffer, mut all) = ([0; 4], Vec::new());
        loop {
            let chunk = poll_fn(|cx| poll_read(&stream, cx, &mut buffer)).await.expect("bytes");
            assert!(chunk.read == buffer.len() || chunk.is_last || chunk.read == 0);
            if chunk.read == 0 {
                break;
            }
            all.extend_from_slice(&buffer[..chunk.read]);
        }
        assert_eq!(all, b"some bytes");
    }

    #[tokio::test]
    async fn more_than_the_system_takes_at_once_is_written() {
        const PARTS: usize = 64;
        let (stream, mut client) = a_connection().await;
        let part = vec![b'x'; 128 * 1024];
        let reading = tokio::spawn(async move {
            let mut all = Vec::new();
            client.read_to_end(&mut all).await.map(|_| all)
        });
        let mut blocked = false;
        for _ in 0..PARTS {
            let mut at = 0;
            while at < part.len() {
                let (first, second) = part[at..].split_at((part.len() - at) / 2);
                let parts = [IoSlice::new(first), IoSlice::new(second)];
                let written = poll_fn(|cx| {
                    let polled = poll_write(&stream, cx, &parts);
                    blocked |= polled.is_pending();
                    polled
                });
                at += written.await.expect("the client reads");
            }
        }
        drop(stream);
        let all = reading.await.expect("no panic").expect("bytes");
        assert!(blocked, "the test has to send more than the system takes");
        assert!(all == part.repeat(PARTS));
    }

    #[tokio::test]
    async fn a_connection_that_is_gone_is_an_error() {
        let (stream, client) = a_connection().await;
        client.set_zero_linger().expect("an open connection");
        drop(client);
        let error = loop {
            let bytes = [IoSlice::new(b"x")];
            if let Err(error) = poll_fn(|cx| poll_write(&stream, cx, &bytes)).await {
                break error;
            }
        };
        assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
    }
}
