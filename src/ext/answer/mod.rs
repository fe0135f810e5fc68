//! The answers of handlers. Half of `runtime-js/answer/answer.js`.

mod head;
mod streams;

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use deno_core::{JsBuffer, OpState, op2, v8};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::{Method, StatusCode};
use tokio::sync::mpsc;

pub(in crate::ext) use head::head;
pub(crate) use streams::Streams;

use self::head::length_of;
use self::streams::{Length, Open, end, is_of_events};
use super::exchange::{ExchangeState, Phase};
use super::log::about;
use super::{OpError, from_exception};
use crate::http::{Answer, AnswerBody, Chunk, JSON, Nature, TEXT};
use crate::metrics::HANDLER;
use liveline_compiler::Diagnostic;
use liveline_proto::Input;

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

pub(super) fn give(state: &mut OpState, id: f64, answer: Answer, done: bool) -> Result<(), OpError> {
    state.exchange(id).input(Input::Answer { answer: Box::new(answer), done })?;
    Ok(())
}
