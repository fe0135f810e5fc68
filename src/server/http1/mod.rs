//! HTTP/1.1 on a stream: reads requests, has them answered one after the other, and sends the answers.
//!
//! [`Connection`] decides what bytes mean and what may be sent; [`Http`] moves the bytes. An idle connection has no
//! buffer: bytes are read into one that the connections of the thread share.

mod buffers;
mod output;
mod request;
pub(super) mod round;
mod wire;

use std::cell::{RefCell, RefMut};
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{self, Poll};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use hyper::body::Body as _;
use hyper::ext::ReasonPhrase;
use hyper::{Request, Response, StatusCode};
use liveline_proto::http1::{
    AnswerHead, BodyError, BodyLength, Connection, Flaw, HeadError, HeadLimits, Received, ShortBody,
};
use tokio::net::TcpStream;

use self::output::Output;
use self::wire::Wire;
use super::TableEntry;
use super::context::Context;
use super::reply::{Reply, Upgrade};
use super::service::{self, Replying};
use crate::clock::unix_time;
use crate::http::strict::RequestError;
use crate::http::{Answer, AnswerBody, BodyError as AnswerError, BodyFailure, BodyFeed, ReceivedBody, spare};
use crate::lines::tcp::{self, Chunk};

/// Field lines of a head.
const FIELDS: usize = 100;

/// Bytes of a target, as many as an address may have.
const TARGET: usize = 65_534;

/// A head of so many bytes is accepted whatever the limit is.
const SMALL_HEAD: usize = 8192;

/// After so many steps without a pause other connections have their turn.
const STEPS: usize = 64;

/// After this time others have their turn, if more requests have come together.
const TURN: Duration = Duration::from_millis(5);

/// See the module.
pub(super) struct Http {
    context: Rc<Context>,
    connection: Connection,
    /// Received, and not read yet.
    input: BytesMut,
    /// The client will send nothing more.
    has_ended: bool,
    /// The body of the current request, if its end was not received.
    body: Option<BodyFeed>,
    answering: Answering,
    /// Dropped before the stream is closed: other threads use its descriptor for as long as this entry exists.
    entry: TableEntry,
    /// The thread's [round] has it, too, while it holds an answer of it.
    wire: Rc<RefCell<Wire>>,
}

/// The answer to the current request.
enum Answering {
    /// There is no request, or its answer is complete.
    Nothing,
    Waiting(Pin<Box<dyn Future<Output = Reply>>>),
    /// The rest of the body.
    Sending(AnswerBody),
    /// The connection leaves HTTP when everything before is sent.
    Leaving(Upgrade),
    /// The body failed: the connection is cut when everything before is sent.
    Failed(HttpError),
}

/// How HTTP on a connection ended.
pub(super) enum End {
    /// The connection goes on with another protocol.
    Upgraded,
    /// Every request is answered, and there will be none any more.
    Served(Result<(), HttpError>),
}

/// What is left when HTTP ends.
pub(super) struct Parts {
    pub stream: TcpStream,
    pub entry: TableEntry,
    /// Received, and not read.
    pub read: Bytes,
    pub upgrade: Option<Upgrade>,
}

/// Why a connection ended before everything was sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the client closed the connection in the middle of a request's head")]
    HeadCut,
    #[error("the client closed the connection before it had its answer")]
    Gone,
    #[error("the answer's body failed: {0}")]
    Body(#[from] AnswerError),
    #[error("the answer is cut: {0}")]
    Short(#[from] ShortBody),
}

/// Whether there is more to do at once.
enum Step {
    More,
    /// Something that was polled has to become ready first.
    Wait,
    End(End),
}

impl Http {
    /// HTTP on a stream of which `read` was received already. Heads may be `limit` bytes long.
    pub(super) fn new(
        context: Rc<Context>,
        stream: TcpStream,
        entry: TableEntry,
        read: &[u8],
        limit: usize,
    ) -> Http {
        let limits =
            HeadLimits { bytes: limit.clamp(SMALL_HEAD, u32::MAX as usize), target: TARGET, fields: FIELDS };
        let wire = Rc::new(RefCell::new(Wire::new(stream, context.monitor.clone())));
        let mut http = Http {
            context,
            connection: Connection::new(limits),
            input: BytesMut::new(),
            has_ended: false,
            body: None,
            answering: Answering::Nothing,
            entry,
            wire,
        };
        http.received(read);
        http
    }

    /// The current request is the last one. If there is none, HTTP ends as soon as everything is sent.
    pub(super) fn retire(&mut self) {
        self.connection.retire();
    }

    /// Whether HTTP can begin anew where it ended: see [`Connection::is_reusable`].
    pub(super) fn is_reusable(&self) -> bool {
        self.connection.is_reusable()
    }

    /// Serves until something has to become ready first.
    pub(super) fn poll(&mut self, cx: &mut task::Context<'_>) -> Poll<End> {
        let mut began = None;
        for _ in 0..STEPS {
            match self.step(cx) {
                Ok(Step::More) => {}
                Ok(Step::Wait) => return Poll::Pending,
                Ok(Step::End(end)) => return Poll::Ready(end),
                Err(error) => return Poll::Ready(End::Served(Err(error))),
            }
            // Handlers may take long, and a client may have sent many requests at once.
            if !self.input.is_empty() && began.get_or_insert_with(Instant::now).elapsed() > TURN {
                break;
            }
        }
        // Woken only after what is ready elsewhere was found: a task that wakes itself would run before that.
        let _ = std::pin::pin!(tokio::task::yield_now()).poll(cx);
        Poll::Pending
    }

    pub(super) fn into_parts(self) -> Parts {
        let upgrade = match self.answering {
            Answering::Leaving(upgrade) => Some(upgrade),
            _ => None,
        };
        round::leave(&self.wire);
        let wire = Rc::into_inner(self.wire).expect("nothing but the round has a connection's wire");
        let stream = wire.into_inner().stream;
        Parts { stream, entry: self.entry, read: self.input.freeze(), upgrade }
    }

    fn step(&mut self, cx: &mut task::Context<'_>) -> Result<Step, HttpError> {
        // First, so that the first bytes of a body are sent with the head.
        let has_answered = self.answer(cx);
        let has_output = !self.output().is_empty() && !self.may_wait();
        // What waits for the end of the round is as good as sent.
        let is_sent = self.may_wait() || self.send(cx)?;
        if is_sent {
            match std::mem::replace(&mut self.answering, Answering::Nothing) {
                Answering::Leaving(upgrade) => {
                    self.answering = Answering::Leaving(upgrade);
                    return Ok(Step::End(End::Upgraded));
                }
                Answering::Failed(error) => return Err(error),
                answering => self.answering = answering,
            }
            if self.connection.is_closed() {
                return Ok(Step::End(End::Served(Ok(()))));
            }
        }
        // Where everything is sent, there is room for more of the answer.
        let has_moved = has_answered
            || (has_output && is_sent)
            || self.receive_body(cx)
            || (is_sent && self.next_request(cx))
            || match self.read(cx)? {
                Read::Bytes => true,
                Read::Nothing => false,
                Read::End => return self.client_ended(),
            };
        Ok(if has_moved { Step::More } else { Step::Wait })
    }

    fn output(&self) -> RefMut<'_, Output> {
        RefMut::map(self.wire.borrow_mut(), |wire| &mut wire.output)
    }

    /// Sends what is ready. Returns whether everything is sent.
    fn send(&mut self, cx: &mut task::Context<'_>) -> io::Result<bool> {
        let mut wire = self.wire.borrow_mut();
        wire.release();
        match wire.poll_send(cx) {
            Poll::Pending => Ok(false),
            Poll::Ready(sent) => sent.map(|()| true),
        }
    }

    /// Has an answer that is complete wait for the thread's other answers.
    fn hold(&self, cx: &task::Context<'_>) {
        let is_complete = matches!(self.answering, Answering::Nothing) && !self.output().is_empty();
        if is_complete && !self.wire.borrow().is_held() {
            let completed = self.context.monitor.completed_at().unwrap_or_else(Instant::now);
            round::hold(&self.wire, completed, cx);
        }
    }

    /// Whether what is held may wait further: nothing depends on that it is sent, and there is room for more.
    fn may_wait(&self) -> bool {
        self.wire.borrow().is_held()
            && matches!(self.answering, Answering::Nothing | Answering::Waiting(_))
            && !self.connection.is_closed()
            && !self.has_ended
            && self.output().has_room()
    }

    /// Reads the next request, if it is there, and begins to answer it.
    fn next_request(&mut self, cx: &task::Context<'_>) -> bool {
        if !self.connection.is_idle() || self.input.is_empty() {
            return false;
        }
        let (received, request) = buffers::shared(|shared| {
            let (received, read) = self.connection.receive(&self.input, &mut shared.head);
            let bytes = self.input.split_to(read).freeze();
            self.free_input();
            let request = match &received {
                Received::Request(head, _) => request::request(&shared.head, &bytes.slice(head.clone()), ()),
                _ => None,
            };
            (received, request)
        });
        match (received, request) {
            (Received::Request(_, flaw), Some(request)) => {
                let body = self.begin_body();
                self.ask(request.map(|()| body), flaw);
                self.hold(cx);
                true
            }
            (Received::Request(..), None) => {
                self.connection.abandon_body();
                self.refuse(RequestError::Target.answer());
                true
            }
            (Received::NoHead(error), _) => {
                tracing::debug!("{}: {error}", self.context.peer.address);
                self.refuse(unreadable(error));
                true
            }
            _ => {
                if !self.input.is_empty() {
                    // A part of a head was received, perhaps with the request before.
                    self.context.monitor.received();
                }
                false
            }
        }
    }

    fn ask(&mut self, request: Request<ReceivedBody>, flaw: Option<Flaw>) {
        match service::answer(&self.context, request, flaw) {
            Replying::Now(reply) => self.reply(reply),
            Replying::Later(reply) => self.answering = Answering::Waiting(reply),
        }
    }

    /// Answers bytes that are no request.
    fn refuse(&mut self, Answer { status, headers, body, .. }: Answer) {
        let mut response = Response::new(body);
        (*response.status_mut(), *response.headers_mut()) = (status, headers);
        self.respond(response);
    }

    fn reply(&mut self, reply: Reply) {
        match reply {
            Reply::Respond(response) => self.respond(response),
            Reply::Upgrade(upgrade) => self.answering = Answering::Leaving(upgrade),
        }
    }

    fn respond(&mut self, response: Response<AnswerBody>) {
        self.settle_body();
        let (parts, body) = response.into_parts();
        let reason = parts.extensions.get::<ReasonPhrase>().map(ReasonPhrase::as_bytes);
        let answer = AnswerHead {
            status: parts.status.as_u16(),
            reason: reason.unwrap_or_else(|| parts.status.canonical_reason().unwrap_or_default().as_bytes()),
            length: body.size_hint().exact(),
        };
        let fields = parts.headers.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
        let second = unix_time().as_secs();
        let mut wire = self.wire.borrow_mut();
        let buffer = wire.output.buffer();
        buffers::shared(|shared| self.connection.respond(answer, fields, shared.date.at(second), buffer));
        drop(wire);
        spare::keep_headers(parts.headers);
        match body {
            AnswerBody::Data(data) => {
                self.push(data);
                self.finish();
            }
            AnswerBody::Empty => self.finish(),
            body => self.answering = Answering::Sending(body),
        }
    }

    /// Appends a part of the answer's body.
    fn push(&mut self, mut data: Bytes) {
        let output = &mut self.wire.borrow_mut().output;
        let part = self.connection.part(data.len(), output.buffer());
        data.truncate(part.length);
        output.push(data, part.end);
    }

    /// The answer's body is complete.
    fn finish(&mut self) {
        // An answer of one large part has no end of its own.
        let mut end = Vec::new();
        let mut wire = self.wire.borrow_mut();
        let buffer = if wire.output.has_room() { wire.output.buffer() } else { &mut end };
        let finished = self.connection.finish(buffer);
        drop(wire);
        debug_assert!(end.is_empty(), "there is room for the end of chunks");
        self.answering =
            finished.map_or_else(|short| Answering::Failed(short.into()), |()| Answering::Nothing);
        self.context.monitor.completed();
    }

    /// Polls for the answer to the current request, and for the rest of its body.
    fn answer(&mut self, cx: &mut task::Context<'_>) -> bool {
        let mut has_moved = false;
        if let Answering::Waiting(reply) = &mut self.answering
            && let Poll::Ready(reply) = reply.as_mut().poll(cx)
        {
            self.answering = Answering::Nothing;
            self.reply(reply);
            self.hold(cx);
            has_moved = true;
        }
        while let Answering::Sending(body) = &mut self.answering
            && self.wire.borrow().output.has_room()
        {
            if !self.connection.wants_parts() {
                self.finish();
                return true;
            }
            match Pin::new(body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    // Answers have no trailers.
                    if let Ok(data) = frame.into_data() {
                        self.push(data);
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    self.answering = Answering::Failed(error.into());
                    self.context.monitor.completed();
                }
                Poll::Ready(None) => self.finish(),
                Poll::Pending => return has_moved,
            }
            has_moved = true;
        }
        has_moved
    }

    /// Begins with the body of a request of which the head was read.
    fn begin_body(&mut self) -> ReceivedBody {
        if !self.connection.has_body() {
            return ReceivedBody::whole(Bytes::new());
        }
        let (data, end) = self.gather();
        match end {
            Some(Ok(())) => ReceivedBody::whole(data),
            end => {
                let left = match self.connection.body_left() {
                    BodyLength::Known(left) => Some(left),
                    _ => None,
                };
                let (feed, body) = BodyFeed::new(data, left);
                match end {
                    Some(Err(error)) => feed.end(Err(error.into())),
                    _ => self.body = Some(feed),
                }
                body
            }
        }
    }

    /// Receives what the reader of the current request's body waits for.
    fn receive_body(&mut self, cx: &mut task::Context<'_>) -> bool {
        let Some(body) = &self.body else { return false };
        body.follow(cx);
        if !body.is_wanted() {
            if body.is_dropped() && matches!(self.answering, Answering::Nothing) {
                self.skip_body();
                return true;
            }
            return false;
        }
        let has_sent = {
            let output = &mut self.wire.borrow_mut().output;
            let before = output.is_empty();
            if output.has_room() {
                self.connection.want_body(output.buffer());
            }
            before != output.is_empty()
        };
        let (data, end) = self.gather();
        let Some(body) = self.body.take() else { return has_sent };
        let has_data = !data.is_empty();
        if has_data {
            body.feed(data);
        }
        match end {
            Some(end) => body.end(end.map_err(BodyFailure::from)),
            None if self.has_ended => {
                self.connection.abandon_body();
                body.end(Err(BodyFailure::Cut));
            }
            None => {
                self.body = Some(body);
                return has_data || has_sent;
            }
        }
        true
    }

    /// Everything is sent but for the body that nobody reads: what is there of it is skipped. If that is not all, the
    /// connection ends.
    fn skip_body(&mut self) {
        self.read_ahead();
        self.gather();
        if self.connection.has_body() {
            self.connection.abandon_body();
        }
        self.body = None;
    }

    /// Before the answer begins: receives what has arrived of a body for which no reader waits. If that is not all, no
    /// request can follow on the connection before somebody reads the rest, and the head of the answer says that the
    /// connection ends.
    fn settle_body(&mut self) {
        if !self.connection.has_body() || self.body.as_ref().is_some_and(BodyFeed::is_wanted) {
            return;
        }
        self.read_ahead();
        let (data, end) = self.gather();
        match self.body.take().filter(|body| !body.is_dropped()) {
            Some(body) => {
                body.feed(data);
                match end {
                    Some(end) => body.end(end.map_err(BodyFailure::from)),
                    None => {
                        self.connection.retire();
                        self.body = Some(body);
                    }
                }
            }
            None if self.connection.has_body() => self.connection.abandon_body(),
            None => {}
        }
    }

    /// Reads what has arrived, whether or not anything waits for it.
    fn read_ahead(&mut self) {
        buffers::shared(|shared| {
            // The end of the connection and its errors are there for the next read as well.
            let read = tcp::read(&self.wire.borrow().stream, &mut shared.read).unwrap_or(0);
            self.received(&shared.read[..read]);
        });
    }

    /// What was received of the current request's body and not read, in one piece, since every piece costs its reader a
    /// turn; and the end, if that was received, too.
    fn gather(&mut self) -> (Bytes, Option<Result<(), BodyError>>) {
        let (mut at, mut only, mut more) = (0, None, BytesMut::new());
        let end = buffers::shared(|shared| {
            loop {
                if !self.connection.has_body() {
                    return Some(Ok(()));
                }
                let (received, read) = self.connection.receive(&self.input[at..], &mut shared.head);
                match received {
                    Received::Data(range) => {
                        let range = at + range.start..at + range.end;
                        if only.is_none() && more.is_empty() {
                            only = Some(range);
                        } else {
                            if let Some(first) = only.take() {
                                more.extend_from_slice(&self.input[first]);
                            }
                            more.extend_from_slice(&self.input[range]);
                        }
                    }
                    Received::End => {
                        at += read;
                        return Some(Ok(()));
                    }
                    Received::NoBody(error) => return Some(Err(error)),
                    _ => {
                        at += read;
                        return None;
                    }
                }
                at += read;
            }
        });
        let bytes = self.input.split_to(at).freeze();
        self.free_input();
        (only.map_or_else(|| more.freeze(), |only: Range<usize>| bytes.slice(only)), end)
    }

    /// Reads from the stream, if what can be read is needed: a request, its body, or the sign that the client is gone.
    fn read(&mut self, cx: &mut task::Context<'_>) -> io::Result<Read> {
        let is_needed = match &self.body {
            Some(body) => body.is_wanted(),
            None => self.connection.is_idle() || self.input.is_empty(),
        };
        if !is_needed || self.has_ended || matches!(self.answering, Answering::Leaving(_)) {
            return Ok(Read::Nothing);
        }
        self.read_some(cx)
    }

    fn read_some(&mut self, cx: &mut task::Context<'_>) -> io::Result<Read> {
        buffers::shared(|shared| {
            let polled = tcp::poll_read(&self.wire.borrow().stream, cx, &mut shared.read);
            match polled {
                Poll::Pending => Ok(Read::Nothing),
                Poll::Ready(Err(error)) => Err(error),
                Poll::Ready(Ok(Chunk { read: 0, .. })) => {
                    self.has_ended = true;
                    Ok(Read::End)
                }
                Poll::Ready(Ok(Chunk { read, .. })) => {
                    self.received(&shared.read[..read]);
                    Ok(Read::Bytes)
                }
            }
        })
    }

    fn received(&mut self, bytes: &[u8]) {
        self.free_input();
        self.input.extend_from_slice(bytes);
    }

    /// Frees the buffer of what was received, where all of that is read.
    fn free_input(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
    }

    /// The client will send nothing more.
    fn client_ended(&self) -> Result<Step, HttpError> {
        if self.body.is_some() || self.wire.borrow().is_held() {
            // Its reader gets an error, or the answer is sent before the end.
            return Ok(Step::More);
        }
        if !self.connection.is_idle() {
            return Err(HttpError::Gone);
        }
        if self.input.is_empty() { Ok(Step::End(End::Served(Ok(())))) } else { Err(HttpError::HeadCut) }
    }
}

/// The answer to bytes that are no request.
fn unreadable(error: HeadError) -> Answer {
    let status = StatusCode::from_u16(error.status()).expect("the errors of heads have statuses of HTTP");
    Answer::text(status, format!("{error}\n"))
}

/// What was read from the stream.
enum Read {
    Bytes,
    /// Nothing is there, or nothing is needed.
    Nothing,
    End,
}
