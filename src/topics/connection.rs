//! One connection that carries a feed: a response that does not end, or a WebSocket.
//!
//! An idle connection has no buffer. The bytes of a message are shared by all connections; what the system does not
//! accept waits here, and more is taken only when it is written.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::io::{self, ErrorKind, IoSlice};
use std::ops::ControlFlow;
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

use super::feed::{Feed, Wire};
use liveline_proto::websocket::{self, Decoder, Kind, Received};

/// How long a connection may be silent before something is written.
const PING_AFTER: Duration = Duration::from_secs(15);

/// How long the client of a WebSocket may be silent before its connection is lost.
const LOST_AFTER: Duration = Duration::from_secs(40);

/// How long a client may leave everything unread.
const STALL_LIMIT: Duration = Duration::from_secs(60);

/// How long the events of Durable Streams last, so that caches can join clients again.
const STREAM_LIFETIME: Duration = Duration::from_secs(60);

/// How many buffers one system call writes at most.
const MAX_SLICES: usize = 64;

impl Feed {
    /// Serves the feed on its connection, after `head`, until one of both ends. `read` was received already; `place` is
    /// dropped with the connection.
    pub(crate) async fn serve(
        mut self,
        stream: TcpStream,
        mut head: Vec<u8>,
        read: Bytes,
        place: Box<dyn Debug + Send>,
    ) {
        let _served = self.subscriber.hub().begin_feed();
        self.wire.begin(&mut head);
        let input = match self.wire {
            Wire::Socket { limit } => Some(Decoder::new(limit)),
            Wire::Events(_) | Wire::Stream(_) => None,
        };
        let connection = Connection {
            stream,
            out: VecDeque::from([head.into()]),
            input,
            heard_at: Instant::now(),
            ended: false,
        };
        // An error means that the client is gone.
        let _ = connection.run(&mut self, &read).await;
        drop(place);
    }
}

struct Connection {
    stream: TcpStream,
    out: VecDeque<Bytes>,
    /// Decodes what the client sends, where it may send.
    input: Option<Decoder>,
    /// When the client last sent something.
    heard_at: Instant,
    /// Nothing more is written after `out`.
    ended: bool,
}

impl Connection {
    async fn run(mut self, feed: &mut Feed, read: &[u8]) -> io::Result<()> {
        let mut stopping = feed.subscriber.hub().stopping();
        let began = Instant::now();
        if !read.is_empty() {
            self.receive(&mut read.to_vec(), feed);
        }
        loop {
            if !self.ended {
                self.ended = feed.fill(&mut self.out);
            }
            self.write().await?;
            if self.ended {
                return self.finish().await;
            }
            let ends_at = began + STREAM_LIFETIME;
            let is_stream = matches!(feed.wire, Wire::Stream(_));
            tokio::select! {
                () = feed.subscriber.changed() => {}
                readable = self.stream.readable() => {
                    readable?;
                    self.read(feed)?;
                }
                () = sleep_until(Instant::now() + PING_AFTER) => {
                    if self.input.is_some() && self.heard_at.elapsed() > LOST_AFTER {
                        return Err(ErrorKind::TimedOut.into());
                    }
                    self.out.push_back(feed.wire.ping());
                }
                () = sleep_until(ends_at), if is_stream => self.ended = true,
                _ = stopping.wait_for(|stopping| *stopping) => {
                    // What was published before is still sent.
                    self.ended = feed.fill(&mut self.out);
                    if !self.ended {
                        feed.wire.restart(&mut self.out);
                        self.ended = true;
                    }
                }
            }
        }
    }

    /// Writes everything. Fails if the client does not read for a while.
    async fn write(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            let slices: Vec<IoSlice<'_>> =
                self.out.iter().take(MAX_SLICES).map(|bytes| IoSlice::new(bytes)).collect();
            match self.stream.try_write_vectored(&slices) {
                Ok(0) if slices.iter().any(|slice| !slice.is_empty()) => {
                    return Err(ErrorKind::WriteZero.into());
                }
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    timeout(STALL_LIMIT, self.stream.writable()).await??;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(first) = self.out.front_mut() {
            if written < first.len() {
                first.advance(written);
                return;
            }
            written -= first.len();
            self.out.pop_front();
        }
        // An idle connection keeps no buffer.
        self.out.shrink_to_fit();
    }

    /// Reads what the client has sent. Fails at its end.
    fn read(&mut self, feed: &Feed) -> io::Result<()> {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.try_read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    self.heard_at = Instant::now();
                    self.receive(&mut buffer[..read], feed);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn receive(&mut self, bytes: &mut [u8], feed: &Feed) {
        let Some(decoder) = &mut self.input else { return };
        let mut answers = Vec::new();
        let mut ended = false;
        let fed = decoder.feed(bytes, |received| {
            match received {
                // Messages of the client have no meaning here.
                Received::Text(_) | Received::Binary(_) | Received::Pong(_) => {}
                Received::Ping(payload) => websocket::frame(Kind::Pong, payload, &mut answers),
                Received::Close(code, reason) => {
                    websocket::close_frame(code.unwrap_or(1005), reason, &mut answers);
                    ended = true;
                    if let Some(presence) = &feed.presence {
                        presence.leave();
                    }
                }
            }
            if ended { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if let Err(error) = fed {
            websocket::close_frame(error.code(), &error.to_string(), &mut answers);
            ended = true;
        }
        if !answers.is_empty() {
            self.out.push_back(answers.into());
        }
        if ended {
            self.input = None;
            self.ended = true;
        }
    }

    /// Closes the connection so that the client receives everything that was written.
    async fn finish(self) -> io::Result<()> {
        const CLIENT_MAY_TAKE: Duration = Duration::from_secs(2);
        socket2::SockRef::from(&self.stream).shutdown(std::net::Shutdown::Write)?;
        let drained = async {
            let mut buffer = [0; 1024];
            loop {
                self.stream.readable().await?;
                match self.stream.try_read(&mut buffer) {
                    Ok(0) => return Ok(()),
                    Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                    _ => {}
                }
            }
        };
        timeout(CLIENT_MAY_TAKE, drained).await.unwrap_or(Ok(()))
    }
}
