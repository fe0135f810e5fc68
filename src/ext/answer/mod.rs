//! The answers of handlers. Half of `runtime-js/answer/answer.js`.

mod head;
mod streams;

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use deno_core::{JsBuffer, OpState, op2, v8};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RANGE};
use hyper::{Method, StatusCode};
use tokio::sync::mpsc;

pub(in crate::ext) use head::head;
pub(crate) use streams::Streams;

use self::head::length_of;
use self::streams::{Length, Open, end, is_of_events};
use super::exchange::{Current, ExchangeState, Phase};
use super::log::about;
use super::{OpError, from_exception};
use crate::http::{Answer, AnswerBody, Chunk, JSON, Nature, TEXT, spare};
use crate::metrics::HANDLER;
use liveline_compiler::Diagnostic;
use liveline_proto::Input;

/// Kinds of `op_answer_data`, as `answer/answer.js` numbers them.
const KIND_JSON: u32 = 1;
const KIND_TEXT: u32 = 2;
/// The text of a Response, which does not count as a state.
const KIND_OWN_TEXT: u32 = 3;

/// Sends the most common answer: 200 with nothing, JSON or text, and no other headers.
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

/// What happened to the answer of a handler that has returned, numbered as in `answer/answer.js`.
enum Outcome {
    /// The exchange was answered before, or has ended.
    Refused,
    /// Nothing follows the answer.
    Last,
    /// The exchange stays open, so the data of the answer may still change.
    Kept,
}

/// Like `op_answer_data`, for a handler that has returned and sends nothing more. Returns an [`Outcome`].
#[op2(fast)]
#[smi]
pub(crate) fn op_answer_plain(state: &mut OpState, id: f64, #[smi] kind: u32, #[string] body: &str) -> u32 {
    answer_last(&mut state.exchange(id), plain(kind, body))
}

/// Like `op_answer`, for a handler that has returned and sends nothing more. Returns an [`Outcome`]. `can_be_part`: the
/// answer is refused if its request asks for ranges of bytes, which `answer/ranges.js` cuts.
#[op2(fast)]
#[smi]
pub(crate) fn op_answer_whole(
    state: &mut OpState,
    id: f64,
    #[smi] status: u16,
    #[string] reason: &str,
    #[string] headers: &str,
    #[string] body: &str,
    is_state: bool,
    can_be_part: bool,
) -> Result<u32, OpError> {
    let Ok(slot) = state.exchange(id).slot() else { return Ok(Outcome::Refused as u32) };
    let request = slot.request.parts();
    if can_be_part && request.headers.contains_key(RANGE) {
        return Ok(Outcome::Refused as u32);
    }
    let is_head = request.method == Method::HEAD;
    let mut answer = head_of(state, status, reason, headers, is_state)?;
    fill(&mut answer, body.as_bytes(), is_head);
    Ok(answer_last(&mut state.exchange(id), answer))
}

/// The head of an answer, which may be a state.
fn head_of(
    state: &OpState,
    status: u16,
    reason: &str,
    headers: &str,
    is_state: bool,
) -> Result<Answer, OpError> {
    let mut answer = head(state, status, reason, headers)?;
    if is_state {
        answer.nature = Nature::State;
    }
    Ok(answer)
}

/// Gives the last answer of a handler that has returned. Returns an [`Outcome`].
fn answer_last(exchange: &mut Current<'_>, answer: Answer) -> u32 {
    if exchange.input(Input::Answer { answer: spare::boxed_answer(answer), done: true }).is_err() {
        return Outcome::Refused as u32;
    }
    let _ = exchange.input(Input::Returned);
    if exchange.phase() >= Phase::Complete { Outcome::Last as u32 } else { Outcome::Kept as u32 }
}

/// Sends an answer with its own head and a text, which may be a state.
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
    let answer = head_of(state, status, reason, headers, is_state)?;
    answer_with(state, id, answer, body.as_bytes(), done)
}

/// Like `op_answer`, with bytes.
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
    let answer = head(state, status, reason, headers)?;
    answer_with(state, id, answer, body, done)
}

fn answer_with(
    state: &mut OpState,
    id: f64,
    mut answer: Answer,
    body: &[u8],
    done: bool,
) -> Result<(), OpError> {
    let is_head = state.exchange(id).slot()?.request.parts().method == Method::HEAD;
    fill(&mut answer, body, is_head);
    give(state, id, answer, done)
}

/// Gives an answer its body. `is_head`: its request has the method HEAD.
fn fill(answer: &mut Answer, body: &[u8], is_head: bool) {
    // Keeps the `Content-Length` of the handler only for HEAD, where no body is sent. Else the connection
    // sets it.
    if !is_head || !body.is_empty() || length_of(&answer.headers).is_none() {
        answer.headers.remove(CONTENT_LENGTH);
    }
    if !body.is_empty() {
        answer.body = AnswerBody::Data(Bytes::copy_from_slice(body));
    }
}

/// Sends an answer whose body is a static file that JavaScript has not read from.
#[op2(fast)]
pub(crate) fn op_answer_file(
    state: &mut OpState,
    id: f64,
    #[smi] status: u16,
    #[string] headers: &str,
    #[smi] file: u32,
    done: bool,
) -> Result<(), OpError> {
    let mut answer = head(state, status, "", headers)?;
    if let Some(body) = state.exchange(id).slot()?.take_file(file) {
        answer.body = AnswerBody::file(body);
    }
    give(state, id, answer, done)
}

/// Sends an answer whose body JavaScript writes in chunks. Returns the number of the stream.
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
    let mut answer = head(state, status, reason, headers)?;
    let length = length_of(&answer.headers);
    // Replaces the header by a single, valid number.
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

/// Writes a chunk; resolves when the next one may be written. False: the client disconnected.
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

/// Resolves when the body is no longer read: it has ended, or the client disconnected.
#[op2]
pub(crate) async fn op_stream_gone(state: Rc<RefCell<OpState>>, #[smi] stream: u32) {
    let sender = state.borrow().borrow::<Streams>().sender(stream);
    if let Some(sender) = sender {
        sender.closed().await;
    }
}

/// Ends the body; `error`: why it failed, if it did. Reentrant: reading an error may run its getters.
#[op2(fast, reentrant)]
pub(crate) fn op_stream_end<'s, 'i>(
    scope: &mut v8::PinScope<'s, 'i>,
    state: Rc<RefCell<OpState>>,
    #[smi] stream: u32,
    error: v8::Local<'s, v8::Value>,
) {
    let removed = state.borrow_mut().borrow_mut::<Streams>().remove(stream);
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

/// Passes an answer to the exchange.
pub(super) fn give(state: &mut OpState, id: f64, answer: Answer, done: bool) -> Result<(), OpError> {
    state.exchange(id).input(Input::Answer { answer: spare::boxed_answer(answer), done })?;
    Ok(())
}
