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

use super::feed::{Feed, Filled, Incoming, Wire};
use liveline_proto::websocket::{self, Decoder, Kind, Received};

/// After how many heartbeats without a sign of life the connection of a WebSocket is lost.
const LOST_AFTER: f64 = 2.5;

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
        let incoming = self.wire.incoming();
        let input = incoming.map(|Incoming { limit, network }| (Decoder::new(limit), network));
        if let Wire::Page { page, .. } = &self.wire {
            page.wake_by(self.subscriber.waker());
        }
        let connection = Connection {
            stream,
            out: VecDeque::from([head.into()]),
            input,
            heard_at: Instant::now(),
            closes: None,
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
    /// Decodes what the client sends, where it may send; and its network.
    input: Option<(Decoder, u64)>,
    /// When the client last sent something.
    heard_at: Instant,
    /// The answer to the client's close frame, which is sent when what the client sent before is done.
    closes: Option<Bytes>,
    /// Nothing more is written after `out`.
    ended: bool,
}

impl Connection {
    async fn run(mut self, feed: &mut Feed, read: &[u8]) -> io::Result<()> {
        let heartbeat = feed.subscriber.hub().heartbeat();
        let mut ping_at = Instant::now() + heartbeat;
        let mut stopping = feed.subscriber.hub().stopping();
        let mut stops = false;
        let began = Instant::now();
        if !read.is_empty() {
            self.receive(&mut read.to_vec(), feed);
        }
        loop {
            if feed.may_receive()
                && let Some(closes) = self.closes.take()
            {
                self.out.push_back(closes);
                self.ended = true;
            }
            let mut has_more = false;
            if !self.ended {
                let filled = feed.fill(&mut self.out);
                has_more = filled == Filled::HasMore;
                self.ended = filled == Filled::Ended;
                // What was published before is still sent.
                if stops && filled == Filled::Waits {
                    feed.wire.restart(&mut self.out);
                    self.ended = true;
                }
            }
            let before = Instant::now();
            self.write().await?;
            // While it could not be written to, the client was sent no ping that it could have answered.
            self.heard_at += before.elapsed();
            if self.ended {
                return self.finish().await;
            }
            let ends_at = began + STREAM_LIFETIME;
            let is_stream = matches!(feed.wire, Wire::Stream(_));
            let may_receive = feed.may_receive();
            let lost_at = self.heard_at + heartbeat.mul_f64(LOST_AFTER);
            let is_open = self.closes.is_none();
            let is_watched = self.input.is_some() && may_receive && is_open;
            tokio::select! {
                // What the client has sent is read before it counts as lost: the host may have been stopped meanwhile.
                biased;
                readable = self.stream.readable(), if may_receive && is_open => {
                    readable?;
                    self.read(feed)?;
                }
                outcome = Feed::waited(&mut feed.wire), if !may_receive => {
                    feed.carry_out(outcome, &mut self.out);
                    // The time in which it was not read does not count.
                    self.heard_at = Instant::now();
                }
                () = sleep_until(ping_at) => {
                    self.out.push_back(feed.wire.ping());
                    ping_at = Instant::now() + heartbeat;
                }
                () = sleep_until(lost_at), if is_watched => return Err(ErrorKind::TimedOut.into()),
                () = sleep_until(ends_at), if is_stream => self.ended = true,
                _ = stopping.wait_for(|stopping| *stopping), if !stops => stops = true,
                () = feed.subscriber.changed() => {}
                () = std::future::ready(()), if has_more => {}
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
    fn read(&mut self, feed: &mut Feed) -> io::Result<()> {
        let mut buffer = [0; 4096];
        while feed.may_receive() {
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
        Ok(())
    }

    fn receive(&mut self, bytes: &mut [u8], feed: &mut Feed) {
        let Some((decoder, network)) = &mut self.input else { return };
        let mut answers = Vec::new();
        let mut ended = false;
        let fed = decoder.feed(bytes, |received| {
            match received {
                Received::Text(text) => {
                    if let Wire::Page { page, .. } = &mut feed.wire {
                        page.receive(text);
                    }
                }
                Received::Binary(_) => {
                    if let Wire::Page { page, .. } = &feed.wire {
                        page.refuse_binary(&mut self.out);
                    }
                }
                Received::Pong(_) => {}
                Received::Ping(payload) => websocket::frame(Kind::Pong, payload, &mut answers),
                Received::Close(code, reason) => {
                    websocket::close_frame(code.unwrap_or(1005), reason, &mut answers);
                    ended = true;
                    if let Some(presence) = &feed.presence {
                        presence.leave();
                    }
                    if let Wire::Page { page, .. } = &mut feed.wire {
                        page.leave();
                    }
                }
            }
            if ended { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let unfinished = feed.subscriber.hub().unfinished();
        if let Err(error) = fed.and_then(|()| decoder.reserve(unfinished, || *network)) {
            websocket::close_frame(error.code(), &error.to_string(), &mut answers);
            ended = true;
        }
        feed.proceed(&mut self.out);
        if ended {
            self.input = None;
            self.closes = Some(answers.into());
        } else if !answers.is_empty() {
            self.out.push_back(answers.into());
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
