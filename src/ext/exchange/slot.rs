//! The data of one exchange, dropped when it ends.

use std::time::{Duration, Instant};

use deno_core::v8;
use hyper::body::Body as _;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode, Uri};
use tokio::sync::oneshot;

use crate::ext::actor::End;
use crate::ext::port::EarlyMessages;
use crate::ext::session::ExchangeSession;
use crate::ext::{Show, Shown};
use crate::http::{Answer, Audience, CookiePlace, FileBody, Head, ReceivedBody, StallTimeout};
use crate::lines::Hub;
use crate::trust::Requester;
use liveline_compiler::Diagnostic;
use liveline_proto::{Exchange, ExchangeId, LineId};

/// A request that is passed to the isolate.
#[derive(Debug)]
pub(crate) struct Call {
    pub parts: Parts,
    pub body: ReceivedBody,
    pub requester: Requester,
    /// The page of the answer, and how to use it.
    pub shown: Shown,
}

/// A request for which an exchange was created.
pub(crate) struct Begun {
    pub id: ExchangeId,
    /// Whether its client can join a line.
    pub can_join: bool,
}

/// A request whose first turn did not answer it.
pub(crate) struct Unanswered {
    /// Method and address of the request, for the log.
    pub method: Method,
    pub uri: Uri,
    /// If the sender is dropped, the answer was lost.
    pub answer: oneshot::Receiver<Answer>,
}

/// The data of one exchange.
pub(in crate::ext) struct Slot {
    pub(super) id: ExchangeId,
    pub(super) exchange: Exchange<Box<Answer>>,
    pub client: Audience,
    pub request: Head,
    pub body: RequestBody,
    pub requester: Requester,
    pub(super) shown: Shown,
    pub session: ExchangeSession,
    /// Data that few exchanges have.
    pub rare: Option<Box<Rare>>,
    pub(super) line: LineState,
    /// Its `Exchange` of `exchange.js`; `None` if the exchange ends with its first turn.
    pub(super) object: Option<v8::Global<v8::Object>>,
    /// JavaScript waits for the end.
    pub(super) is_followed: bool,
    pub(super) reply: Reply,
}

// An open line keeps the slot of its exchange, so slots must be small.
const _: () = assert!(size_of::<Slot>() <= 200);

/// The request body and how much of it the handler has read.
pub(in crate::ext) struct RequestBody {
    /// The unread rest, if any. `None` while a chunk is being read.
    pub left: Option<Box<ReceivedBody>>,
    /// Bytes read so far.
    pub read: usize,
}

/// Why a body could not be read.
#[derive(Debug, Clone)]
pub(in crate::ext) enum BodyFault {
    /// It ended early, or its chunks are malformed.
    Broken,
    /// The client sent it too slowly.
    Late,
    TooLarge,
    /// The budget of all request bodies is used up.
    Crowded,
    /// It was received, but is not valid form data or JSON, or is a form beyond a limit: status and text of
    /// the answer.
    Content(StatusCode, String),
}

impl BodyFault {
    /// The answer if the handler sends none.
    pub(super) fn answer(self, max_body: usize) -> Answer {
        let (status, text) = match self {
            BodyFault::TooLarge => return Answer::too_large(max_body),
            BodyFault::Crowded => return Answer::too_busy(),
            BodyFault::Content(status, text) => return Answer::text(status, text),
            BodyFault::Broken => (StatusCode::BAD_REQUEST, "The request's body could not be read.\n"),
            BodyFault::Late => (StatusCode::REQUEST_TIMEOUT, "The request's body did not come in time.\n"),
        };
        Answer::text(status, text).last()
    }
}

/// The state of the exchange's line.
#[derive(Default)]
pub(super) struct LineState {
    /// The queue of the line was congested after the last frame.
    pub is_congested: bool,
    /// The client has joined.
    pub has_joined: bool,
}

/// An action on a line.
pub(super) type OnLine = Box<dyn FnOnce(&Hub, LineId)>;

/// Why the handler failed.
pub(super) struct Failure {
    pub cause: Cause,
    pub diagnostic: Diagnostic,
}

/// The cause of a failure, which decides the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The handler threw an error, or was stopped.
    Handler,
    /// It sent a request to a client that receives a single answer.
    Unreachable,
    /// An upstream line that the handler relays was lost.
    UpstreamLost,
}

/// Data that few exchanges have, boxed to keep [`Slot`] small.
#[derive(Default)]
pub(in crate::ext) struct Rare {
    /// A state that is held back, for a client that receives a single answer.
    pub(super) held: Option<HeldState>,
    /// Messages that its client sent before a listener was added.
    pub early: Option<EarlyMessages>,
    /// The end of a pipe that its client gets, whose messages the exchange does not receive.
    pub end: Option<End>,
    /// Set-Cookie headers for the answer.
    pub cookies: Vec<(CookiePlace, HeaderValue)>,
    /// Static files that handlers opened and have not read to the end. They close with the exchange.
    pub files: Vec<Option<FileBody>>,
    /// Remaining time for which the client may stall the reader of the request body.
    pub stall_timeout: Option<StallTimeout>,
    /// Set if the request body was not received correctly.
    pub fault: Option<BodyFault>,
    /// Actions to run when the line opens.
    pub(super) waiting: Vec<OnLine>,
    /// Why the handler failed, until the answer or the close of the line says so.
    pub(super) failure: Option<Failure>,
}

/// Times of a state that is held back because a later one may follow.
pub(super) struct HeldState {
    /// Time of the first state.
    since: Instant,
    /// Time from which no handler ran and no promise was waited for.
    returned: Option<Instant>,
}

/// How long the host waits for a later state after the handler has returned, if the client receives a single
/// answer.
const AFTER_RETURN: Duration = Duration::from_secs(1);
/// Like `AFTER_RETURN`, but while a handler runs or a promise is waited for.
const WHILE_RUNNING: Duration = Duration::from_secs(3);

/// The destination of the answer.
pub(super) enum Reply {
    /// To the caller of [`Exchanges::begin`], within the first turn: stored for [`Exchanges::answered`].
    ///
    /// [`Exchanges::begin`]: super::Exchanges::begin
    /// [`Exchanges::answered`]: super::Exchanges::answered
    Here,
    /// To a task that waits for the answer.
    There(oneshot::Sender<Answer>),
    /// The answer was sent.
    Given,
}

impl Slot {
    /// A slot for a request that has just arrived.
    pub(super) fn new(id: ExchangeId, call: Call, client: Audience, session: ExchangeSession) -> Slot {
        let Call { parts, body, requester, shown } = call;
        let left = (!body.is_end_stream()).then(|| Box::new(body));
        Slot {
            id,
            exchange: Exchange::new(client.reach()),
            client,
            request: Head::new(parts),
            body: RequestBody { left, read: 0 },
            requester,
            shown,
            session,
            rare: None,
            line: LineState::default(),
            object: None,
            is_followed: false,
            reply: Reply::Here,
        }
    }

    /// The line is open and may be idle for long: frees the memory that an idle line does not need.
    pub(super) fn settle_down(&mut self) {
        self.request.fold();
        self.body.left.take_if(|body| body.is_end_stream());
    }

    /// Records when a waiting client could first receive a state, and when no handler runs any more.
    pub(super) fn note_state(&mut self) {
        if !matches!(self.reply, Reply::There(_)) {
            return;
        }
        let Some(is_running) = self.exchange.holds_state() else { return };
        let held = &mut self.rare.get_or_insert_default().held;
        let held = held.get_or_insert_with(|| HeldState { since: Instant::now(), returned: None });
        if !is_running && held.returned.is_none() {
            held.returned = Some(Instant::now());
        }
    }

    /// When a client that receives a single answer has waited long enough for a later state. The client may
    /// set the time itself (`Prefer: wait`, RFC 7240 section 4.3).
    pub(super) fn settles_at(&mut self) -> Option<Instant> {
        let HeldState { since, returned } = self.rare.as_ref()?.held.as_ref()?;
        let (since, returned) = (*since, *returned);
        if let Some(wait) = preferred_wait(&self.request.parts().headers) {
            return Some(since + wait);
        }
        let at_most = since + WHILE_RUNNING;
        Some(returned.map_or(at_most, |returned| at_most.min(returned.max(since) + AFTER_RETURN)))
    }

    /// Removes and returns the body of a file, if it was not removed before.
    pub(in crate::ext) fn take_file(&mut self, file: u32) -> Option<FileBody> {
        self.rare.as_mut()?.files.get_mut(file as usize).and_then(Option::take)
    }

    /// Keeps the rest of a file's body that was removed.
    pub(in crate::ext) fn keep_file(&mut self, file: u32, body: FileBody) {
        if let Some(place) = self.rare.as_mut().and_then(|rare| rare.files.get_mut(file as usize)) {
            *place = Some(body);
        }
    }

    /// Whether the client can join a line.
    pub(in crate::ext) fn can_join(&self) -> bool {
        !matches!(self.client, Audience::Plain | Audience::Socket)
    }

    /// The page in which the answer is shown, if any.
    pub(super) fn page(&self) -> Option<Shown> {
        Some(self.shown).filter(|shown| shown.show != Show::Data)
    }
}

/// The time that a client prefers to wait, in whole seconds.
fn preferred_wait(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let preferences = values.flat_map(|value| value.split([',', ';']));
    let wait =
        preferences.filter_map(|preference| preference.split_once('=')).find_map(|(name, value)| {
            let is_wait = name.trim().eq_ignore_ascii_case("wait");
            is_wait.then(|| value.trim().trim_matches('"').parse::<u32>().ok()).flatten()
        })?;
    Some(Duration::from_secs(wait.into()))
}
