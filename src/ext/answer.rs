//! HTTP answers. Half of `runtime-js/answer/answer.js`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use deno_core::{JsBuffer, OpState, op2, v8};
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{
    ACCEPT, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION,
    RETRY_AFTER, TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::Extensions;
use hyper::{Method, StatusCode, ext::ReasonPhrase};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tokio::sync::mpsc;

use super::exchange::exchange_id;
use super::files::FileBody;
use super::log::about;
use super::{Exchanges, OpError, from_exception};
use crate::metrics::HANDLER;
use liveline_compiler::Diagnostic;
use liveline_compiler::{ERROR_HEAD, escaped as html_escaped};
use liveline_proto::{ExchangeId, Input};

/// An HTTP answer without its connection.
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub extensions: Extensions,
    pub body: AnswerBody,
    /// Where in the body the address of a line stands, if there is one: in a page.
    pub line_at: Option<usize>,
    pub nature: Nature,
    /// The answer as a document, where a page that shows another one gets the answer itself.
    pub document: Option<Box<Html>>,
}

/// What an answer's body is to a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// It is shown as it is, as a document, an image or a download; or there is none.
    Own,
    /// A state: the page of the route shows it.
    State,
    /// It only says what went wrong. People get the site's error page for it.
    Failure,
}

/// A page as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Html {
    pub text: String,
    /// Where the address of a line may stand.
    pub line_at: Option<usize>,
}

impl Html {
    fn insert_line(&mut self, address: &str) {
        if let Some(at) = self.line_at.take() {
            self.text.insert_str(at, &line_meta(address));
        }
    }
}

/// The element that tells a page where its line can be joined.
fn line_meta(address: &str) -> String {
    format!(r#"<meta name="X-Live-Session" content="{address}">"#)
}

impl Answer {
    /// An answer without a body or a type.
    pub(crate) fn empty(status: StatusCode) -> Answer {
        let (headers, extensions) = Default::default();
        let (body, nature) = (AnswerBody::Empty, Nature::Own);
        Answer { status, headers, extensions, body, line_at: None, nature, document: None }
    }

    /// A plain sentence; with the status of an error, about what went wrong.
    pub(crate) fn text(status: StatusCode, text: impl Into<String>) -> Answer {
        let mut answer = Answer::empty(status);
        answer.headers.insert(CONTENT_TYPE, TEXT);
        answer.body = AnswerBody::Data(text.into().into());
        if is_error(status) {
            answer.nature = Nature::Failure;
        }
        answer
    }

    /// Whether it only says what went wrong.
    pub(crate) fn is_failure(&self) -> bool {
        let says_nothing = is_error(self.status) && matches!(self.body, AnswerBody::Empty);
        self.nature == Nature::Failure || (says_nothing && self.nature == Nature::Own)
    }

    /// The sentence about what went wrong, for the error page.
    pub(crate) fn complaint(&self) -> String {
        let is_text = self.headers.get(CONTENT_TYPE) == Some(&TEXT);
        let said = match &self.body {
            AnswerBody::Data(text) if is_text && self.status != StatusCode::INTERNAL_SERVER_ERROR => {
                std::str::from_utf8(text).unwrap_or_default().trim()
            }
            _ => "",
        };
        let usual = match self.status {
            StatusCode::NOT_FOUND => "There is no such page here.",
            status if status.is_server_error() => "Something went wrong here. Please try again later.",
            _ => "The request could not be answered.",
        };
        if said.is_empty() { usual } else { said }.to_owned()
    }

    /// A page for people about what went wrong, where the site has none of its own.
    pub(crate) fn plain_error_page(&self) -> String {
        plain_page(self.status, &self.complaint())
    }

    /// With a page as its body; `line_at` says where the address of a line may stand.
    pub(crate) fn with_page(mut self, html: String, line_at: Option<usize>) -> Answer {
        self.headers.insert(CONTENT_TYPE, HTML);
        self.body = AnswerBody::Data(html.into());
        self.line_at = line_at;
        self
    }

    /// Whether it comes with a line.
    pub(crate) fn is_live(&self) -> bool {
        self.headers.contains_key(LINE_HEADER)
    }

    /// A status may leave no place for a body (RFC 9110 sections 15.2, 15.3.5, 15.3.6 and 15.4.5). What would be one is
    /// not sent, or its client would read it as the next answer.
    pub(crate) fn drop_what_cannot_be_sent(&mut self) {
        const BODILESS: [StatusCode; 3] =
            [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::NOT_MODIFIED];
        if self.status.is_informational() || BODILESS.contains(&self.status) {
            self.body = AnswerBody::Empty;
            self.headers.remove(CONTENT_LENGTH);
        }
    }

    /// Says in a page where its line can be joined.
    pub(crate) fn insert_line(&mut self, address: &str) {
        if let (Some(at), AnswerBody::Data(html)) = (self.line_at.take(), &self.body) {
            let meta = line_meta(address);
            self.body = AnswerBody::Data([&html[..at], meta.as_bytes(), &html[at..]].concat().into());
        }
        if let Some(document) = &mut self.document {
            document.insert_line(address);
        }
    }

    /// The page about an error of a handler, with all that is known of it.
    pub(crate) fn error_page(diagnostic: &Diagnostic) -> Answer {
        Answer::empty(StatusCode::INTERNAL_SERVER_ERROR).with_page(diagnostic.to_html(), None)
    }

    /// The answer to a body over the limit.
    pub(crate) fn too_large(limit: usize) -> Answer {
        let text = format!("The request's body is larger than the limit of {limit} bytes.\n");
        Answer::text(StatusCode::PAYLOAD_TOO_LARGE, text).last()
    }

    /// Says that the bodies of other requests take all the memory that there is for them.
    pub(crate) fn too_busy() -> Answer {
        let text = "The server is receiving as much as it can: try again in a moment.\n";
        let mut answer = Answer::text(StatusCode::SERVICE_UNAVAILABLE, text).last();
        answer.headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        answer
    }

    /// Says that its connection ends with it.
    pub(crate) fn last(mut self) -> Answer {
        self.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        self
    }

    /// The answer where a handler asked the user something and the client cannot show it (RFC 9110 section 15.5.22).
    pub(crate) fn needs_live_client() -> Answer {
        let text = "The handler has a question for the user, which takes a live client: a browser, or a request with \
                    `X-Accept-Live: *` that joins the answer's line. `Accept: text/event-stream` works as well.\n";
        let mut answer = Answer::text(StatusCode::UPGRADE_REQUIRED, text);
        answer.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        answer
    }

    /// The answer where a handler serves a WebSocket and the request asks for none.
    pub(crate) fn needs_websocket() -> Answer {
        let mut answer =
            Answer::text(StatusCode::UPGRADE_REQUIRED, "A WebSocket is served here; connect one.\n");
        answer.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        answer
    }

    /// The answer for a visitor who has as many lines as one may have.
    pub(crate) fn too_many_lines() -> Answer {
        let text = "Too many live lines are open for you. Close some, or try again later.\n";
        Answer::text(StatusCode::TOO_MANY_REQUESTS, text)
    }

    /// The answer for a handler that failed, with what may be told of it.
    pub(crate) fn internal_error(diagnostic: Option<&Diagnostic>, json: bool) -> Answer {
        const MESSAGE: &str = "Internal Server Error";
        if !json {
            let text = diagnostic.map_or_else(|| MESSAGE.to_owned(), ToString::to_string);
            return Answer::text(StatusCode::INTERNAL_SERVER_ERROR, text + "\n");
        }
        let error = diagnostic.map_or_else(|| serde_json::json!({ "message": MESSAGE }), Diagnostic::to_json);
        let mut answer = Answer::empty(StatusCode::INTERNAL_SERVER_ERROR);
        answer.headers.insert(CONTENT_TYPE, JSON);
        answer.body = AnswerBody::Data(serde_json::json!({ "error": error }).to_string().into());
        answer.nature = Nature::Failure;
        answer
    }

    /// Whether a client would rather have JSON than text.
    pub(crate) fn prefers_json(headers: &HeaderMap) -> bool {
        let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        let mut types = accept.split(',').map(|part| part.split(';').next().unwrap_or_default().trim());
        types.find(|kind| kind.ends_with("/json") || kind.starts_with("text/")) == Some("application/json")
    }
}

/// Says where an answer's line can be joined.
pub(super) const LINE_HEADER: HeaderName = HeaderName::from_static("x-live-session");

const TEXT: HeaderValue = HeaderValue::from_static("text/plain;charset=UTF-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const HTML: HeaderValue = HeaderValue::from_static("text/html;charset=UTF-8");

fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// A page that says no more than this.
fn plain_page(status: StatusCode, text: &str) -> String {
    let reason = status.canonical_reason().unwrap_or_default();
    let (code, text) = (status.as_u16(), html_escaped(text));
    format!(
        "<!DOCTYPE html><html lang=\"en\">{ERROR_HEAD}<title>{reason}</title>\
         <main><small>{code}</small><h1>{reason}</h1><p>{text}</p></main></html>\n"
    )
}

/// The body of an answer, as hyper takes it.
pub(crate) enum AnswerBody {
    Empty,
    Data(Bytes),
    /// Chunks from JavaScript, with how many bytes they are in sum where that is known. The channel holds one, so a slow
    /// client slows its source.
    Stream(mpsc::Receiver<Chunk>, Option<u64>),
    // Large, and rare where it counts.
    File(Box<FileBody>),
}

impl AnswerBody {
    /// A file's bytes, or none.
    pub(crate) fn file(body: FileBody) -> AnswerBody {
        match body {
            FileBody::Empty => AnswerBody::Empty,
            body => AnswerBody::File(Box::new(body)),
        }
    }
}

/// A part of a streamed body. The end is said, because whoever waits for the client to leave holds a sender, too.
#[derive(Debug)]
pub(crate) enum Chunk {
    Data(Bytes),
    End,
    Failed,
}

/// The source of a streamed body failed; the connection has to end so that the client can tell.
#[derive(Debug, thiserror::Error)]
#[error("the response's stream failed")]
pub(crate) struct StreamFailed;

/// A body could not be sent to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error(transparent)]
    Stream(#[from] StreamFailed),
    #[error(transparent)]
    File(#[from] std::io::Error),
}

impl From<Infallible> for BodyError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            AnswerBody::Empty => Poll::Ready(None),
            AnswerBody::Data(_) => {
                let AnswerBody::Data(data) = std::mem::replace(&mut *self, AnswerBody::Empty) else {
                    unreachable!("matched just above");
                };
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            AnswerBody::Stream(chunks, _) => {
                let chunk = std::task::ready!(chunks.poll_recv(cx));
                let frame = match chunk {
                    Some(Chunk::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                    Some(Chunk::End) => None,
                    Some(Chunk::Failed) | None => Some(Err(BodyError::Stream(StreamFailed))),
                };
                // Nobody reads any further, and the source may know.
                *self = AnswerBody::Empty;
                Poll::Ready(frame)
            }
            AnswerBody::File(file) => Pin::new(&mut **file).poll_frame(cx).map_err(BodyError::from),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, AnswerBody::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            AnswerBody::Empty => SizeHint::with_exact(0),
            AnswerBody::Data(data) => SizeHint::with_exact(data.len() as u64),
            AnswerBody::Stream(_, length) => length.map_or_else(SizeHint::default, SizeHint::with_exact),
            AnswerBody::File(file) => file.size_hint(),
        }
    }
}

/// Streamed bodies that JavaScript still writes to, with the exchanges that they answer. A number is not used again
/// while JavaScript may hold it: who was stopped in the middle of a stream could end that of another exchange.
#[derive(Default)]
pub(crate) struct Streams {
    open: HashMap<u32, Open>,
    next: u32,
    /// The process ends, and streams of events with it.
    is_stopping: bool,
}

/// A stream that JavaScript writes to.
struct Open {
    exchange: ExchangeId,
    sender: mpsc::Sender<Chunk>,
    /// How many bytes it has, and how many of them are still to come, where its head said so.
    length: Option<Length>,
    /// Its client connects again where it ends.
    is_of_events: bool,
    /// It was ended from here. What its source says further is not sent.
    is_over: bool,
}

#[derive(Debug, Clone, Copy)]
struct Length {
    whole: u64,
    left: u64,
}

/// Numbers of streams stay within what V8 keeps as small integers.
const MAX_STREAM: u32 = (1 << 30) - 1;

impl Streams {
    fn insert(&mut self, mut open: Open) -> u32 {
        if self.is_stopping {
            open.stop();
        }
        while self.open.contains_key(&self.next) {
            self.next = (self.next + 1) & MAX_STREAM;
        }
        let stream = self.next;
        self.next = (stream + 1) & MAX_STREAM;
        self.open.insert(stream, open);
        stream
    }

    fn sender(&self, stream: u32) -> Option<mpsc::Sender<Chunk>> {
        self.open.get(&stream).map(|open| open.sender.clone())
    }

    /// Takes note that so many more bytes are written. `None`: nobody wants them.
    fn write(&mut self, stream: u32, bytes: u64) -> Result<Option<mpsc::Sender<Chunk>>, OpError> {
        let Some(open) = self.open.get_mut(&stream).filter(|open| !open.is_over) else { return Ok(None) };
        if let Some(length) = &mut open.length {
            length.left = length.left.checked_sub(bytes).ok_or(OpError::LongBody(length.whole))?;
        }
        Ok(Some(open.sender.clone()))
    }

    /// The process ends: streams of events come to their proper end, now and from now on. Their clients connect again,
    /// and would hold the end up.
    pub(crate) fn stop(&mut self) {
        self.is_stopping = true;
        self.open.values_mut().for_each(Open::stop);
    }

    /// An exchange was stopped: nothing ends the streams that its code wrote to, and their clients are to be told.
    pub(crate) fn stopped(&mut self, exchange: ExchangeId) {
        for (_, open) in self.open.extract_if(|_, open| open.exchange == exchange) {
            end(open.sender, Chunk::Failed);
        }
    }
}

impl Open {
    fn stop(&mut self) {
        if self.is_of_events && self.length.is_none() && !self.is_over {
            self.is_over = true;
            end(self.sender.clone(), Chunk::End);
        }
    }
}

/// Whether an answer is one of those that clients follow for as long as they are there, and ask for again.
fn is_of_events(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    ["text/event-stream", "application/x-ndjson"].iter().any(|events| kind.eq_ignore_ascii_case(events))
}

/// The last chunk. The channel's one place may be taken, and the end comes after what is in it.
fn end(sender: mpsc::Sender<Chunk>, last: Chunk) {
    deno_core::unsync::spawn(async move { sender.send(last).await });
}

/// Kinds of `op_answer_data`, as `answer/answer.js` numbers them.
const KIND_JSON: u32 = 1;
const KIND_TEXT: u32 = 2;
/// The text of a Response, which is no state.
const KIND_OWN_TEXT: u32 = 3;

/// The most common answer: 200 with nothing, JSON or text, and no headers of its own.
#[op2(fast)]
pub(crate) fn op_answer_data(
    state: &mut OpState,
    id: f64,
    #[smi] kind: u32,
    #[string] body: &str,
    done: bool,
) -> Result<(), OpError> {
    give(state, id, plain(kind, body), done)
}

fn plain(kind: u32, body: &str) -> Answer {
    let mut answer = Answer::empty(StatusCode::OK);
    match kind {
        KIND_JSON => drop(answer.headers.insert(CONTENT_TYPE, JSON)),
        KIND_TEXT | KIND_OWN_TEXT => drop(answer.headers.insert(CONTENT_TYPE, TEXT)),
        _ => {}
    }
    if kind != KIND_OWN_TEXT {
        answer.nature = Nature::State;
    }
    if !body.is_empty() {
        answer.body = AnswerBody::Data(Bytes::copy_from_slice(body.as_bytes()));
    }
    answer
}

/// The same for a handler that says no more, and has returned. Says whether that completes the exchange.
#[op2(fast)]
pub(crate) fn op_answer_plain(
    state: &mut OpState,
    id: f64,
    #[smi] kind: u32,
    #[string] body: &str,
) -> Result<bool, OpError> {
    let exchanges = state.borrow_mut::<Exchanges>();
    exchanges.input(exchange_id(id), Input::Answer { answer: Box::new(plain(kind, body)), done: true })?;
    Ok(exchanges.input(exchange_id(id), Input::Returned).unwrap_or(true))
}

/// An answer with a head of its own and a text, which may be a state.
#[op2(fast)]
pub(crate) fn op_answer(
    state: &mut OpState,
    id: f64,
    #[smi] status: u16,
    #[string] reason: &str,
    #[string] headers: &str,
    #[string] body: &str,
    done: bool,
    is_state: bool,
) -> Result<(), OpError> {
    let mut answer = head(status, reason, headers)?;
    if is_state {
        answer.nature = Nature::State;
    }
    answer_with(state, id, answer, body.as_bytes(), done)
}

/// The same with bytes.
#[op2]
pub(crate) fn op_answer_bytes(
    state: &mut OpState,
    id: f64,
    #[smi] status: u16,
    #[string] reason: &str,
    #[string] headers: &str,
    #[anybuffer] body: &[u8],
    done: bool,
) -> Result<(), OpError> {
    answer_with(state, id, head(status, reason, headers)?, body, done)
}

fn answer_with(
    state: &mut OpState,
    id: f64,
    mut answer: Answer,
    body: &[u8],
    done: bool,
) -> Result<(), OpError> {
    let is_spared = body.is_empty() && is_head(state, id)?;
    // How long a body is that is not sent, its handler may know. Else the connection does.
    if !is_spared || length_of(&answer.headers).is_none() {
        answer.headers.remove(CONTENT_LENGTH);
    }
    if !body.is_empty() {
        answer.body = AnswerBody::Data(Bytes::copy_from_slice(body));
    }
    give(state, id, answer, done)
}

/// An answer whose body is a file that JavaScript did not touch.
#[op2(fast)]
pub(crate) fn op_answer_file(
    state: &mut OpState,
    id: f64,
    #[smi] status: u16,
    #[string] headers: &str,
    #[smi] file: u32,
    done: bool,
) -> Result<(), OpError> {
    let mut answer = head(status, "", headers)?;
    if let Some(body) = state.borrow_mut::<Exchanges>().known(id)?.take_file(file) {
        answer.body = AnswerBody::file(body);
    }
    give(state, id, answer, done)
}

/// An answer whose body JavaScript writes bit by bit. Returns the stream's number.
#[op2(fast)]
#[smi]
pub(crate) fn op_answer_stream(
    state: &mut OpState,
    id: f64,
    #[smi] status: u16,
    #[string] reason: &str,
    #[string] headers: &str,
    done: bool,
) -> Result<u32, OpError> {
    let mut answer = head(status, reason, headers)?;
    let length = length_of(&answer.headers);
    // It stands there once, and as a number.
    answer.headers.remove(CONTENT_LENGTH);
    answer.headers.extend(length.map(|length| (CONTENT_LENGTH, HeaderValue::from(length))));
    let is_of_events = is_of_events(&answer.headers);
    let (sender, chunks) = mpsc::channel(1);
    answer.body = AnswerBody::Stream(chunks, length);
    give(state, id, answer, done)?;
    let exchange = exchange_id(id);
    state.borrow_mut::<Exchanges>().input(exchange, Input::StreamBegan)?;
    let length = length.map(|whole| Length { whole, left: whole });
    let open = Open { exchange, sender, length, is_of_events, is_over: false };
    Ok(state.borrow_mut::<Streams>().insert(open))
}

/// The one length that a head says, if it can be read.
fn length_of(headers: &HeaderMap) -> Option<u64> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter().map(|value| {
        let text = value.to_str().ok()?.trim();
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten()
    });
    let first = lengths.next()??;
    lengths.all(|length| length == Some(first)).then_some(first)
}

/// Whether the exchange's client wants the head alone.
fn is_head(state: &mut OpState, id: f64) -> Result<bool, OpError> {
    Ok(state.borrow_mut::<Exchanges>().known(id)?.request.parts().method == Method::HEAD)
}

/// Writes a chunk; resolves once the next may come. False: the client left.
#[op2]
pub(crate) async fn op_stream_write(
    state: Rc<RefCell<OpState>>,
    #[smi] stream: u32,
    #[buffer] chunk: JsBuffer,
) -> Result<bool, OpError> {
    let sender = state.borrow_mut().borrow_mut::<Streams>().write(stream, chunk.len() as u64)?;
    let Some(sender) = sender else { return Ok(false) };
    Ok(sender.send(Chunk::Data(Bytes::copy_from_slice(&chunk))).await.is_ok())
}

/// Resolves when nobody reads the body any more: it came to its end, or the client left.
#[op2]
pub(crate) async fn op_stream_gone(state: Rc<RefCell<OpState>>, #[smi] stream: u32) {
    let sender = state.borrow().borrow::<Streams>().sender(stream);
    if let Some(sender) = sender {
        sender.closed().await;
    }
}

/// The body is complete, or failed with `error`. Says whether that completes the exchange. Reentrant: reading an error may run its getters.
#[op2(fast, reentrant)]
pub(crate) fn op_stream_end<'s, 'i>(
    scope: &mut v8::PinScope<'s, 'i>,
    state: Rc<RefCell<OpState>>,
    #[smi] stream: u32,
    error: v8::Local<'s, v8::Value>,
) -> bool {
    let removed = state.borrow_mut().borrow_mut::<Streams>().open.remove(&stream);
    let Some(Open { exchange, sender, length, is_over, .. }) = removed else { return true };
    let short = length.filter(|length| length.left > 0 && !sender.is_closed());
    let failure = if is_over {
        None
    } else if !error.is_null_or_undefined() {
        Some(from_exception(scope, error))
    } else {
        short.map(|Length { whole, left }| {
            Diagnostic::new(format!("it ended {left} bytes before its Content-Length of {whole}"))
        })
    };
    let last = match failure {
        None => Chunk::End,
        Some(failure) => {
            let mut state = state.borrow_mut();
            let exchanges = state.borrow_mut::<Exchanges>();
            let context = exchanges.context(Some(exchange));
            about!(error, HANDLER, context, "a response's stream failed: {failure}");
            exchanges.report("a response's stream", &context, &failure);
            Chunk::Failed
        }
    };
    if !is_over {
        end(sender, last);
    }
    let mut state = state.borrow_mut();
    state.borrow_mut::<Exchanges>().input(exchange, Input::StreamEnded).unwrap_or(true)
}

pub(super) fn give(state: &mut OpState, id: f64, answer: Answer, done: bool) -> Result<(), OpError> {
    state
        .borrow_mut::<Exchanges>()
        .input(exchange_id(id), Input::Answer { answer: Box::new(answer), done })?;
    Ok(())
}

/// Reads a head; `headers` has a line for each name and each value.
pub(super) fn head(status: u16, reason: &str, headers: &str) -> Result<Answer, OpError> {
    let status = StatusCode::from_u16(status).map_err(|_| OpError::Header(format!("status {status}")))?;
    let mut answer = Answer::empty(status);
    if !reason.is_empty()
        && let Ok(reason) = ReasonPhrase::try_from(reason.as_bytes())
    {
        answer.extensions.insert(reason);
    }
    let mut lines = headers.split_terminator('\n');
    while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
        let invalid = || OpError::Header(format!("{name}: {value}"));
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
        // Framing is the connection's business (RFC 9112 section 6).
        if [CONNECTION, TRANSFER_ENCODING, UPGRADE].contains(&header) || header == "keep-alive" {
            continue;
        }
        // JavaScript's byte strings: one byte to each UTF-16 unit.
        let mut bytes: Vec<u8> =
            value.chars().map(|c| u8::try_from(c).map_err(|_| invalid())).collect::<Result<_, _>>()?;
        if header == LOCATION {
            bytes = escaped(&bytes).into_bytes();
        }
        answer.headers.append(header, HeaderValue::from_bytes(&bytes).map_err(|_| invalid())?);
    }
    Ok(answer)
}

/// An address in ASCII. Bytes beyond it are UTF-8, or else characters one by one, as browsers read them; escapes stay as
/// they are.
fn escaped(address: &[u8]) -> String {
    const NOT_OF_ADDRESSES: &AsciiSet = &CONTROLS.add(b' ');
    let one_by_one = || address.iter().copied().map(char::from).collect();
    let text = std::str::from_utf8(address).map_or_else(|_| one_by_one(), str::to_owned);
    utf8_percent_encode(text.trim(), NOT_OF_ADDRESSES).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_ascii_and_not_escaped_twice() {
        for (given, meant) in [
            (&b"/plain?a=b&c=%20#d"[..], "/plain?a=b&c=%20#d"),
            ("/caf\u{e9}".as_bytes(), "/caf%C3%A9"),
            (b"/caf\xe9", "/caf%C3%A9"),
            (b"/caf%C3%A9", "/caf%C3%A9"),
            ("/\u{65e5}\u{672c}?q=\u{e9}".as_bytes(), "/%E6%97%A5%E6%9C%AC?q=%C3%A9"),
            (b" /a b ", "/a%20b"),
            (b"http://example.org/100%", "http://example.org/100%"),
        ] {
            assert_eq!(escaped(given), meant);
        }
    }

    #[test]
    fn a_length_stands_there_once_and_as_a_number() {
        let length = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_LENGTH, HeaderValue::from_static(value));
            }
            length_of(&headers)
        };
        assert_eq!(length(&["12"]), Some(12));
        assert_eq!(length(&["12", "12"]), Some(12));
        for bad in
            [&[][..], &[""], &["-1"], &["+1"], &["1", "2"], &["1, 1"], &["0x1"], &["99999999999999999999"]]
        {
            assert_eq!(length(bad), None, "{bad:?}");
        }
    }
}
