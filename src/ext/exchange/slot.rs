//! One request and what belongs to it, for as long as its exchange lasts.

use std::time::{Duration, Instant};

use deno_core::v8;
use hyper::body::{Body as _, Incoming};
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode, Uri};
use tokio::sync::oneshot;

use crate::ext::port::EarlyMessages;
use crate::ext::session::ExchangeSession;
use crate::ext::{Show, Shown};
use crate::http::{Answer, Audience, CookiePlace, FileBody, Head, StallTimeout};
use crate::lines::Hub;
use crate::trust::Requester;
use liveline_compiler::Diagnostic;
use liveline_proto::{Exchange, ExchangeId, LineId};

/// A request on its way into the isolate.
#[derive(Debug)]
pub(crate) struct Call {
    pub parts: Parts,
    pub body: Incoming,
    pub requester: Requester,
    /// The page that the answer is for.
    pub shown: Shown,
}

/// A request that was taken in.
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
    /// A dropped sender means that the answer was lost.
    pub answer: oneshot::Receiver<Answer>,
}

/// One request and what belongs to it.
pub(in crate::ext) struct Slot {
    pub(super) id: ExchangeId,
    pub(super) exchange: Exchange<Box<Answer>>,
    pub client: Audience,
    pub request: Head,
    pub body: RequestBody,
    pub requester: Requester,
    pub(super) shown: Shown,
    pub session: ExchangeSession,
    /// Set-Cookie headers for the answer.
    pub cookies: Vec<(CookiePlace, HeaderValue)>,
    /// Static files that handlers asked for and that are not read to their end. They close with the exchange.
    pub files: Vec<Option<FileBody>>,
    /// What few exchanges have.
    pub rare: Option<Box<Rare>>,
    pub(super) line: LineState,
    pub(super) script: Script,
    pub(super) reply: Reply,
    pub(super) failure: Option<Box<Failure>>,
}

// A line keeps it for as long as it lives.
const _: () = assert!(size_of::<Slot>() <= 312);

/// The body of a request, as far as the handler has read it.
pub(in crate::ext) struct RequestBody {
    /// What is left of it, if anything. Taken while a chunk is being read.
    pub left: Option<Box<Incoming>>,
    /// Bytes read so far.
    pub read: usize,
    /// What is left of the time for which a client may keep the body's reader waiting.
    pub stall_timeout: Option<Box<StallTimeout>>,
    /// The body did not arrive as it should have.
    pub fault: Option<Box<BodyFault>>,
}

/// Why a body has no end.
#[derive(Debug, Clone)]
pub(in crate::ext) enum BodyFault {
    /// It broke off, or its chunks cannot be read.
    Broken,
    /// It came too slowly.
    Late,
    TooLarge,
    /// All bodies together are as large as they may be.
    Crowded,
    /// It came, but it is not the form or the JSON that it was read as, or a form beyond limits; with words about it.
    Content(StatusCode, String),
}

impl BodyFault {
    /// The answer where the handler sends no other.
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

/// How the exchange's line stands.
#[derive(Default)]
pub(super) struct LineState {
    /// What waits for the line to exist.
    pub waiting: Vec<OnLine>,
    /// The client is behind with what was sent last.
    pub is_congested: bool,
    /// The client has joined.
    pub has_joined: bool,
}

/// Something to do with a line.
pub(super) type OnLine = Box<dyn FnOnce(&Hub, LineId)>;

/// The exchange as JavaScript has it.
#[derive(Default)]
pub(super) struct Script {
    /// Its `Exchange` of `exchange.js`; none where the exchange ends with its first turn.
    pub object: Option<v8::Global<v8::Object>>,
    /// Something in JavaScript waits for the end.
    pub is_followed: bool,
}

/// Why the handler failed.
pub(super) struct Failure {
    pub cause: Cause,
    pub diagnostic: Diagnostic,
}

/// What a failure comes from, which decides the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The handler threw, or was stopped.
    Handler,
    /// It asked a client that takes one answer.
    Unreachable,
    /// A line to another server was lost that the handler passes on.
    UpstreamLost,
}

/// What few exchanges have, so that the others are smaller.
#[derive(Default)]
pub(in crate::ext) struct Rare {
    /// The state that a client could have had which takes one answer.
    pub(super) held: Option<HeldState>,
    /// What its client sent before a listener came.
    pub early: Option<EarlyMessages>,
}

/// A state waits for the next, which may never come.
pub(super) struct HeldState {
    /// When there was one first.
    since: Instant,
    /// When no handler ran any more, and nothing was waited for.
    returned: Option<Instant>,
}

/// How long the host waits for a later state than the first, on behalf of a client that takes one answer.
const AFTER_RETURN: Duration = Duration::from_secs(1);
/// The same while the handler still runs, or something that it waits for.
const WHILE_RUNNING: Duration = Duration::from_secs(3);

/// Where a slot's answer goes.
pub(super) enum Reply {
    /// To the caller that took the request in and has not left it yet: to [`Exchanges::answered`].
    ///
    /// [`Exchanges::answered`]: super::Exchanges::answered
    Here,
    There(oneshot::Sender<Answer>),
    Given,
}

impl Slot {
    /// For a request that has just arrived.
    pub(super) fn new(id: ExchangeId, call: Call, client: Audience, session: ExchangeSession) -> Slot {
        let Call { parts, body, requester, shown } = call;
        let left = (!body.is_end_stream()).then(|| Box::new(body));
        Slot {
            id,
            exchange: Exchange::new(client.reach()),
            client,
            request: Head::new(parts),
            body: RequestBody { left, read: 0, stall_timeout: None, fault: None },
            requester,
            shown,
            session,
            cookies: Vec::new(),
            files: Vec::new(),
            rare: None,
            line: LineState::default(),
            script: Script::default(),
            reply: Reply::Here,
            failure: None,
        }
    }

    /// From now on there is a line, which may idle for long: keeps nothing that is not needed for that.
    pub(super) fn settle_down(&mut self) {
        self.request.fold();
        self.body.left.take_if(|body| body.is_end_stream());
    }

    /// Notes when a client that waits could have a state, and when no handler runs any more.
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

    /// When a client that takes one answer has waited long enough for a later state than it could have by now. It may
    /// set that itself (`Prefer: wait`, RFC 7240 section 4.3).
    pub(super) fn settles_at(&mut self) -> Option<Instant> {
        let HeldState { since, returned } = self.rare.as_ref()?.held.as_ref()?;
        let (since, returned) = (*since, *returned);
        if let Some(wait) = preferred_wait(&self.request.parts().headers) {
            return Some(since + wait);
        }
        let at_most = since + WHILE_RUNNING;
        Some(returned.map_or(at_most, |returned| at_most.min(returned.max(since) + AFTER_RETURN)))
    }

    /// Takes a file's bytes out, if they are still there.
    pub(in crate::ext) fn take_file(&mut self, file: u32) -> Option<FileBody> {
        self.files.get_mut(file as usize).and_then(Option::take)
    }

    /// Whether the client can join a line.
    pub(in crate::ext) fn can_join(&self) -> bool {
        !matches!(self.client, Audience::Plain | Audience::Socket)
    }

    /// The page that shows the answer, if one does.
    pub(super) fn page(&self) -> Option<Shown> {
        Some(self.shown).filter(|shown| shown.show != Show::Data)
    }
}

/// How long a client prefers to wait, in whole seconds.
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
