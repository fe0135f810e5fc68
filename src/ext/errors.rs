//! The errors that ops throw. Half of `runtime-js/errors/errors.js`, which registers the classes named here.

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::{OpState, op2, v8};
use deno_error::JsError;

use super::log::{about, current_exchange};
use super::memory::NoRoom;
use super::{Exchanges, from_exception};
use crate::metrics::HANDLER;
use liveline_proto::actor::{InvalidActorId, SocketError};
use liveline_proto::multipart::FormError;
use liveline_proto::topic::TopicError;
use liveline_proto::{ExchangeError, InvalidChannel};
use liveline_store::SessionError;
use liveline_store::actor::StorageError;

/// Why an op failed.
#[derive(Debug, thiserror::Error, JsError)]
pub(crate) enum OpError {
    #[class("DOMExceptionInvalidStateError")]
    #[error("{0}")]
    ExchangeError(#[from] ExchangeError),
    #[class(type)]
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    #[class(type)]
    #[error("enterChannel(): {0}")]
    Channel(#[from] InvalidChannel),
    #[class(type)]
    #[error(transparent)]
    ActorId(#[from] InvalidActorId),
    #[class(generic)]
    #[error(transparent)]
    ActorSocket(#[from] SocketError),
    #[class(type)]
    #[error("`{0}` is no member of a channel")]
    Member(String),
    #[class(type)]
    #[error("the client did not offer the subprotocol `{0}`")]
    Protocol(String),
    #[class(type)]
    #[error("invalid response header: {0}")]
    Header(String),
    #[class(type)]
    #[error("the body is longer than its Content-Length of {0}")]
    LongBody(u64),
    #[class("DOMExceptionInvalidStateError")]
    #[error("{0} can only be set before the answer is sent")]
    HeadersSent(&'static str),
    #[class(type)]
    #[error("{0}")]
    Route(String),
    #[class(generic)]
    #[error("{0}")]
    Page(String),
    #[class(generic)]
    #[error("no folder is being served yet")]
    NoSite,
    #[class("DOMExceptionNetworkError")]
    #[error("the request's body could not be read: {0}")]
    RequestBody(String),
    #[class("DOMExceptionQuotaExceededError")]
    #[error("the request's body is larger than the limit of {0} bytes")]
    RequestTooLarge(usize),
    #[class("DOMExceptionQuotaExceededError")]
    #[error("the bodies of all requests have the {0} bytes that they may take (see --max-bodies)")]
    BodiesFull(usize),
    #[class("DOMExceptionQuotaExceededError")]
    #[error("{0}")]
    NoRoom(#[from] NoRoom),
    #[class(range)]
    #[error("{0}")]
    Buffer(NoRoom),
    #[class(range)]
    #[error("a shared state may have {0} bytes as JSON")]
    SharedTooLong(usize),
    #[class(generic)]
    #[error("a password could not be checked: {0}")]
    Password(String),
    #[class(type)]
    #[error("{0}")]
    Form(FormError),
    #[class("DOMExceptionQuotaExceededError")]
    #[error("{0}")]
    FormTooLarge(FormError),
    #[class("DOMExceptionQuotaExceededError")]
    #[error("{0}")]
    SessionFull(SessionError),
    #[class(generic)]
    #[error("{0}")]
    SessionStore(SessionError),
    #[class(range)]
    #[error("{0}")]
    ActorLimit(String),
    #[class(generic)]
    #[error("{0}")]
    ActorStorage(StorageError),
    #[class("DOMExceptionNetworkError")]
    #[error("{0} cannot be dialled: {1}")]
    Dial(String, String),
    #[class("DOMExceptionQuotaExceededError")]
    #[error("more than {0} bytes wait for the other side to read")]
    Unsent(usize),
    #[class(type)]
    #[error("{0}")]
    TopicData(TopicError),
    #[class("DOMExceptionQuotaExceededError")]
    #[error("{0}")]
    TopicLimit(TopicError),
    #[class("DOMExceptionInvalidStateError")]
    #[error("{0}")]
    TopicState(TopicError),
    #[class(type)]
    #[error("{0}")]
    TopicOption(String),
    #[class(generic)]
    #[error("the topics could not be stored: {0}")]
    TopicStore(String),
    #[class(generic)]
    #[error("the file could not be read: {0}")]
    File(#[from] std::io::Error),
}

impl From<FormError> for OpError {
    fn from(error: FormError) -> Self {
        match error {
            FormError::Malformed(_) => OpError::Form(error),
            FormError::Parts(_) | FormError::Head => OpError::FormTooLarge(error),
        }
    }
}

impl From<StorageError> for OpError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Limit(message) => OpError::ActorLimit(message),
            error => OpError::ActorStorage(error),
        }
    }
}

impl From<TopicError> for OpError {
    fn from(error: TopicError) -> Self {
        match error {
            TopicError::Name(_) | TopicError::NotJson(_) | TopicError::Empty => OpError::TopicData(error),
            TopicError::TooLarge { .. }
            | TopicError::Full
            | TopicError::TooMany { .. }
            | TopicError::Rate { .. } => OpError::TopicLimit(error),
            error => OpError::TopicState(error),
        }
    }
}

impl From<SessionError> for OpError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Full => OpError::SessionFull(error),
            SessionError::Store(_) => OpError::SessionStore(error),
        }
    }
}

/// Logs an error that no handler caught and that ends no exchange. Reentrant: reading an error may run its
/// getters.
#[op2(fast, reentrant)]
pub(crate) fn op_log_error<'s, 'i>(
    scope: &mut v8::PinScope<'s, 'i>,
    state: Rc<RefCell<OpState>>,
    #[string] what: String,
    error: v8::Local<'s, v8::Value>,
) {
    let diagnostic = from_exception(scope, error);
    let exchange = current_exchange(scope);
    let mut state = state.borrow_mut();
    let exchanges = state.borrow_mut::<Exchanges>();
    let context = exchanges.context(exchange);
    about!(error, HANDLER, context, "{what}: {diagnostic}");
    exchanges.report(&what, &context, &diagnostic);
}
