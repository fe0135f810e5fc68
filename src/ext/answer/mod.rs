//! The answers of handlers. Half of `runtime-js/answer/answer.js`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use bytes::Bytes;
use deno_core::{JsBuffer, OpState, op2, v8};
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION,
    TRANSFER_ENCODING, UPGRADE,
};
use hyper::{Method, StatusCode, ext::ReasonPhrase};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tokio::sync::mpsc;

use crate::ext::exchange::{ExchangeState, Phase};
use crate::ext::log::about;
use crate::ext::{OpError, from_exception};
use crate::http::{Answer, AnswerBody, Chunk, JSON, Nature, TEXT};
use crate::metrics::HANDLER;
use liveline_compiler::Diagnostic;
use liveline_proto::{ExchangeId, Input};

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

/// What became of the answer of a handler that has returned, as `answer/answer.js` numbers it.
enum Taken {
    /// The exchange was answered before, or is over.
    Refused,
    /// Nothing follows the answer.
    Last,
    /// Something keeps the exchange, so the answer's data may still change.
    Kept,
}

/// The same for a handler that sends nothing more, and has returned. Returns a [`Taken`].
#[op2(fast)]
#[smi]
pub(crate) fn op_answer_plain(state: &mut OpState, id: f64, #[smi] kind: u32, #[string] body: &str) -> u32 {
    let mut exchange = state.exchange(id);
    let answer = Input::Answer { answer: Box::new(plain(kind, body)), done: true };
    if exchange.input(answer).is_err() {
        return Taken::Refused as u32;
    }
    let _ = exchange.input(Input::Returned);
    if exchange.phase() >= Phase::Complete { Taken::Last as u32 } else { Taken::Kept as u32 }
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
    if let Some(body) = state.exchange(id).slot()?.take_file(file) {
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
    let mut current = state.exchange(id);
    current.input(Input::StreamBegan)?;
    let exchange = current.id;
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
    Ok(state.exchange(id).slot()?.request.parts().method == Method::HEAD)
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

/// The body is complete, or failed with `error`. Reentrant: reading an error may run its getters.
#[op2(fast, reentrant)]
pub(crate) fn op_stream_end<'s, 'i>(
    scope: &mut v8::PinScope<'s, 'i>,
    state: Rc<RefCell<OpState>>,
    #[smi] stream: u32,
    error: v8::Local<'s, v8::Value>,
) {
    let removed = state.borrow_mut().borrow_mut::<Streams>().open.remove(&stream);
    let Some(Open { exchange, sender, length, is_over, .. }) = removed else { return };
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
            let exchanges = state.exchanges();
            let context = exchanges.context(Some(exchange));
            about!(error, HANDLER, context, "a response's stream failed: {failure}");
            exchanges.report("a response's stream", &context, &failure);
            Chunk::Failed
        }
    };
    if !is_over {
        end(sender, last);
    }
    let _ = state.borrow_mut().exchanges().input(exchange, Input::StreamEnded);
}

pub(super) fn give(state: &mut OpState, id: f64, answer: Answer, done: bool) -> Result<(), OpError> {
    state.exchange(id).input(Input::Answer { answer: Box::new(answer), done })?;
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
    use crate::ext::*;

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
