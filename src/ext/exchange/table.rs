//! The exchanges of one isolate. Half of `runtime-js/exchange.js`.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deno_core::{OpState, op2, v8};
use hyper::body::{Body as _, Incoming};
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode, Uri, header};
use slab::Slab;
use tokio::sync::oneshot;

use super::early::EarlyMessages;
use super::log::{Context, about};
use super::session::ExchangeSession;
use super::websocket::SocketLine;
use super::{BodyLimits, OpError, Sessions, Shared, Show, Shown, Site, from_exception};
use crate::dev::Dev;
use crate::http::{
    Answer, Audience, CookiePlace, FileBody, Head, Html, LINE_HEADER, LINE_PATH, LineStream, Nature,
    StallTimeout, as_stream, first_state, prefers_html, status_of_stream,
};
use crate::lines::Hub;
use crate::metrics::{HANDLER, RequestId};
use crate::trust::{Requester, Trust};
use liveline_compiler::Diagnostic;
use liveline_proto::{
    Close, CloseCode, Effect, Exchange, ExchangeError, ExchangeId, Input, LineId, OwnerId, Token, Visitor,
};

/// How much a client learns of a handler's errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Message, place and source line.
    Development,
    /// That there was one.
    Production,
}

/// A request on its way into the isolate.
#[derive(Debug)]
pub(crate) struct Call {
    pub parts: Parts,
    pub body: Incoming,
    pub requester: Requester,
    /// The page that the answer is for.
    pub shown: Shown,
}

/// The requests that JavaScript may still refer to.
pub(crate) struct Exchanges {
    slots: Slab<Slot>,
    next: u64,
    /// Exchanges whose answer may be decided when the running turn ends.
    touched: Vec<ExchangeId>,
    /// Exchanges that ended while their handlers still run.
    outlived: Vec<ExchangeId>,
    /// What the exchange that has just begun was answered, before anybody could wait for it.
    answered: Option<Answer>,
    /// How many of the messages of raw sockets that came together were begun.
    heard: u32,
    pub(super) hub: Hub,
    pub(super) sessions: Sessions,
    pub(super) shared: Shared,
    /// The number of the code that the isolate runs: the same for all isolates of a generation.
    pub(super) code: u64,
    pub(super) trust: Arc<Trust>,
    pub(super) site: Option<Box<dyn Site>>,
    owner: OwnerId,
    mode: Mode,
    pub(super) bodies: BodyLimits,
    /// What open pages are told, in `dev`.
    dev: Option<Arc<Dev>>,
}

/// One request and what belongs to it.
pub(super) struct Slot {
    id: ExchangeId,
    exchange: Exchange<Box<Answer>>,
    pub client: Audience,
    /// It fails because it asked a client that cannot be asked.
    unreachable: bool,
    /// It fails because a line to another server was lost, and why that was.
    lost: Option<Box<str>>,
    pub request: Head,
    /// What is left of the body, if anything. Taken while a chunk is being read.
    pub body: Option<Box<Incoming>>,
    /// Bytes of the body read so far.
    pub body_read: usize,
    /// What is left of the patience with a client that keeps the body's reader waiting.
    pub body_patience: Option<Box<StallTimeout>>,
    /// The body did not come as it should have.
    pub body_fault: Option<Box<BodyFault>>,
    pub requester: Requester,
    shown: Shown,
    pub session: ExchangeSession,
    /// Set-Cookie headers for the answer.
    pub cookies: Vec<(CookiePlace, HeaderValue)>,
    /// Static files that handlers asked for and nobody has read to the end. They close with the exchange.
    pub files: Vec<Option<FileBody>>,
    /// What few exchanges have.
    pub rare: Option<Box<Rare>>,
    /// What waits for the line to exist.
    on_line: Vec<OnLine>,
    /// The client is behind with what was sent last.
    is_congested: bool,
    reply: Reply,
    failure: Option<Box<Diagnostic>>,
}

// A line keeps it for as long as it lives.
const _: () = assert!(size_of::<Slot>() <= 312);

/// Why a body has no end.
#[derive(Debug, Clone)]
pub(super) enum BodyFault {
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
    /// The answer where the handler does not say anything else.
    fn answer(self, max_body: usize) -> Answer {
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

/// How long the host waits for a later state than the first, on behalf of a client that takes one answer.
const AFTER_RETURN: Duration = Duration::from_secs(1);
/// The same while the handler still runs, or something that it waits for.
const WHILE_RUNNING: Duration = Duration::from_secs(3);

/// What few exchanges have, so that the others are smaller.
#[derive(Default)]
pub(super) struct Rare {
    /// The state that a client could have had which takes one answer.
    held: Option<HeldState>,
    /// What its client sent and nobody listens for yet.
    pub early: Option<EarlyMessages>,
}

/// A state waits for the next, which may never come.
struct HeldState {
    /// When there was one first.
    since: Instant,
    /// When no handler ran any more, and nothing was waited for.
    returned: Option<Instant>,
}

/// Where a slot's answer goes.
enum Reply {
    /// To whoever took the request in and has not left it yet: to [`Exchanges::answered`].
    Here,
    There(oneshot::Sender<Answer>),
    Given,
}

/// A request that was taken in.
pub(crate) struct Begun {
    pub id: ExchangeId,
    /// Whether its client can join a line.
    pub can_join: bool,
}

/// A request whose first turn did not answer it.
pub(crate) struct Unanswered {
    /// What was asked, for the log.
    pub method: Method,
    pub uri: Uri,
    /// A dropped sender means that the answer was lost.
    pub answer: oneshot::Receiver<Answer>,
}

/// Something to do with a line.
type OnLine = Box<dyn FnOnce(&Hub, LineId)>;

impl Slot {
    /// From now on there is a line, which may idle for long: keeps nothing that is not needed for that.
    fn settle_down(&mut self) {
        self.request.fold();
        self.body.take_if(|body| body.is_end_stream());
    }

    /// Notes when somebody who waits could have a state, and when no handler runs any more.
    fn note_state(&mut self) {
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

    /// Takes a file's bytes out, unless somebody has.
    pub(super) fn take_file(&mut self, file: u32) -> Option<FileBody> {
        self.files.get_mut(file as usize).and_then(Option::take)
    }
}

/// Bits of an exchange's number that name its slot; the rest is a sequence, so that a number is not used again.
const SLOT_BITS: u32 = ExchangeId::PLACE_BITS;

impl Exchanges {
    pub(crate) fn new(
        hub: Hub,
        owner: OwnerId,
        sessions: Sessions,
        shared: Shared,
        trust: Arc<Trust>,
        mode: Mode,
        bodies: BodyLimits,
    ) -> Exchanges {
        let (slots, touched, outlived) = Default::default();
        let (answered, site) = (None, None);
        Exchanges {
            slots,
            next: 0,
            touched,
            outlived,
            answered,
            heard: 0,
            hub,
            sessions,
            shared,
            code: 0,
            trust,
            site,
            owner,
            mode,
            bodies,
            dev: None,
        }
    }

    /// From now on open pages are told what fails.
    pub(crate) fn report_to(&mut self, dev: Option<Arc<Dev>>) {
        self.dev = dev;
    }

    /// Tells open pages of an error that was logged.
    pub(super) fn report(&self, about: &str, context: &Context, diagnostic: &Diagnostic) {
        if let Some(dev) = &self.dev {
            let request = context.method.as_ref().zip(context.path.as_deref());
            let request = request.map(|(method, path)| (method.as_str(), path));
            dev.failed(about, request, diagnostic.to_report());
        }
    }

    /// The folder to serve, known once its handlers load, and the number of their code.
    pub(crate) fn set_site(&mut self, site: Box<dyn Site>, code: u64) {
        self.site = Some(site);
        self.code = code;
    }

    /// Takes a request in. After its first turn, its answer is [there](Exchanges::answered) or has to be
    /// [waited](Exchanges::wait) for.
    pub(crate) fn begin(&mut self, call: Call) -> Begun {
        let Call { parts, body, requester, shown } = call;
        let session = self.sessions.of(&parts.headers);
        // Whoever wants the page gets its script, too.
        let in_page = shown.show == Show::Page && shown.page.is_some();
        let client = if in_page { Audience::Live } else { Audience::of(&parts) };
        let entry = self.slots.vacant_entry();
        // 2^33 requests later the numbers come round, long after the last use of this one.
        let id = ExchangeId((self.next << SLOT_BITS | entry.key() as u64) & ((1 << 53) - 1));
        self.next += 1;
        entry.insert(Slot {
            id,
            exchange: Exchange::new(client.reach()),
            client,
            unreachable: false,
            lost: None,
            request: Head::new(parts),
            body: (!body.is_end_stream()).then(|| Box::new(body)),
            body_read: 0,
            body_patience: None,
            body_fault: None,
            requester,
            shown,
            session: ExchangeSession::of(session),
            cookies: Vec::new(),
            files: Vec::new(),
            rare: None,
            on_line: Vec::new(),
            is_congested: false,
            reply: Reply::Here,
            failure: None,
        });
        self.touched.push(id);
        Begun { id, can_join: !matches!(client, Audience::Plain | Audience::Socket) }
    }

    /// The answer of the exchange that has just begun, where its first turn gave one. Most handlers have.
    pub(crate) fn answered(&mut self) -> Option<Answer> {
        self.answered.take()
    }

    /// Its answer is still to come. None: it never will.
    pub(crate) fn wait(&mut self, id: ExchangeId) -> Option<Unanswered> {
        let slot = self.slot(id)?;
        let (reply, answer) = oneshot::channel();
        slot.reply = Reply::There(reply);
        slot.note_state();
        let head = slot.request.parts();
        let (method, uri) = (head.method.clone(), head.uri.clone());
        Some(Unanswered { method, uri, answer })
    }

    /// When a client that takes one answer has waited long enough for a later state than it could have by now. It may say
    /// itself how long that is (`Prefer: wait`, RFC 7240 section 4.3).
    pub(crate) fn settles_at(&mut self, id: ExchangeId) -> Option<Instant> {
        let slot = self.slot(id)?;
        let HeldState { since, returned } = slot.rare.as_ref()?.held.as_ref()?;
        let (since, returned) = (*since, *returned);
        if let Some(wait) = wanted_wait(&slot.request.parts().headers) {
            return Some(since + wait);
        }
        let at_most = since + WHILE_RUNNING;
        Some(returned.map_or(at_most, |returned| at_most.min(returned.max(since) + AFTER_RETURN)))
    }

    /// Whether the request's client can join a line.
    pub(super) fn can_join(&mut self, id: ExchangeId) -> bool {
        self.slot(id).is_some_and(|slot| !matches!(slot.client, Audience::Plain | Audience::Socket))
    }

    /// The lines of the process.
    pub(crate) fn hub(&self) -> Hub {
        self.hub.clone()
    }

    /// Whether an exchange has not ended.
    pub(crate) fn knows(&self, id: ExchangeId) -> bool {
        self.slots.get(slot_of(id)).is_some_and(|slot| slot.id == id)
    }

    /// How many messages of raw sockets the last turn has begun, also if it was stopped.
    pub(crate) fn take_heard(&mut self) -> usize {
        std::mem::take(&mut self.heard) as usize
    }

    /// Whether no request is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    fn all(&self) -> Vec<ExchangeId> {
        self.slots.iter().map(|(_, slot)| slot.id).collect()
    }

    /// Decides the answers of the turn that just ended. Returns exchanges that this ended while their handlers still
    /// run, which have to be told.
    pub(crate) fn turn_ended(&mut self) -> Vec<ExchangeId> {
        let mut touched = std::mem::take(&mut self.touched);
        for id in touched.drain(..) {
            let _ = self.input(id, Input::TurnEnded);
        }
        // Its memory serves the next turn.
        self.touched = touched;
        std::mem::take(&mut self.outlived)
    }

    /// The isolate is given up: unanswered requests get 500. What becomes of its lines is the hub's business.
    pub(crate) fn give_up(&mut self) {
        for id in self.all() {
            self.reply(id, Answer::internal_error(None, false));
            self.gone(id);
        }
    }

    /// The client waited long enough for a last state: it gets the one that is held. Says whether there was one.
    pub(crate) fn settle(&mut self, id: ExchangeId) -> bool {
        let waited = self.slot(id).is_some();
        let _ = self.input(id, Input::Settle);
        waited && self.slot(id).is_none()
    }

    /// The requester left, time ran out, or the line is gone: nobody waits for this exchange any more.
    pub(crate) fn gone(&mut self, id: ExchangeId) {
        let _ = self.input(id, Input::Gone);
    }

    /// The handler closed its line: nothing more is said, and a request without an answer gets an empty one.
    pub(super) fn close(&mut self, id: ExchangeId) {
        if self.settle(id) {
            return;
        }
        if self.slot(id).is_some_and(|slot| !slot.exchange.is_answered()) {
            self.reply(id, Answer::empty(StatusCode::OK));
        }
        self.gone(id);
    }

    /// The handler failed. Answers 500 or closes the line; says so once in the log.
    pub(crate) fn fail(&mut self, id: ExchangeId, diagnostic: Diagnostic) {
        let context = self.context(Some(id));
        let (Some(method), Some(path)) = (&context.method, &context.path) else {
            about!(error, HANDLER, context, "after the end of the exchange: {diagnostic}");
            self.report("after the end of an exchange", &context, &diagnostic);
            return;
        };
        let is_clients_doing = self.slot(id).is_some_and(|slot| slot.body_fault.is_some());
        if is_clients_doing {
            // A stranger must not be able to fill the log.
            about!(debug, HANDLER, context, "{method} {path}: {diagnostic}");
        } else {
            about!(error, HANDLER, context, "{method} {path}: {diagnostic}");
            let about = if context.line.is_some() { "a live line" } else { "a request" };
            self.report(about, &context, &diagnostic);
        }
        let slot = self.slot(id).expect("it has a method and a path");
        slot.failure = Some(Box::new(diagnostic));
        let _ = self.input(id, Input::Failed);
    }

    /// A line to another server was lost, and with it what the handler passes on. Answers 502 or closes the line.
    fn lost(&mut self, id: ExchangeId, reason: String) {
        let context = self.context(Some(id));
        let (Some(method), Some(path)) = (&context.method, &context.path) else { return };
        about!(warn, HANDLER, context, "{method} {path}: {reason}");
        let slot = self.slot(id).expect("it has a method and a path");
        slot.lost = Some(reason.into());
        let _ = self.input(id, Input::Failed);
    }

    /// Gives one input to an exchange and carries out what follows. Says whether the exchange is complete.
    pub(super) fn input(&mut self, id: ExchangeId, input: Input<Box<Answer>>) -> Result<bool, ExchangeError> {
        let slot = self.slot(id).ok_or(ExchangeError::Ended)?;
        let turn_ended = matches!(input, Input::TurnEnded);
        let effect = slot.exchange.handle(input)?;
        slot.note_state();
        self.carry_out(id, effect);
        let Some(slot) = self.slot(id) else { return Ok(true) };
        let complete = slot.exchange.is_complete();
        if slot.exchange.is_ended() {
            self.slots.remove(slot_of(id));
            if turn_ended && !complete {
                self.outlived.push(id);
            }
        } else if !turn_ended && !slot.exchange.is_answered() && self.touched.last() != Some(&id) {
            self.touched.push(id);
        }
        Ok(complete)
    }

    fn carry_out(&mut self, id: ExchangeId, effect: Effect<Box<Answer>>) {
        let max_body = self.bodies.size;
        match effect {
            Effect::None => {}
            Effect::Answer(answer) => {
                let client = self.slot(id).map(|slot| slot.client);
                let answer = match client {
                    Some(Audience::Stream(format)) => as_stream(*answer, format),
                    _ => *answer,
                };
                self.reply(id, answer);
            }
            Effect::Open { first, queued } => {
                let slot = self.slot(id).expect("the effect came from this slot");
                let (session, address) = (slot.session.id.clone(), slot.requester.address);
                let client = slot.client;
                let on_line = std::mem::take(&mut slot.on_line);
                let visitor = Visitor { session: session.map(|id| self.sessions.name(&id)), address };
                let (line, token) = match self.hub.open(self.owner, id, visitor) {
                    Ok(opened) => opened,
                    Err(error) => {
                        tracing::debug!("a line for exchange {} was refused: {error}", id.0);
                        self.reply(id, Answer::too_many_lines());
                        self.outlived.push(id);
                        return self.gone(id);
                    }
                };
                for parcel in queued {
                    self.hub.send(line, parcel);
                }
                for act in on_line {
                    act(&self.hub, line);
                }
                let mut answer = first.map_or_else(|| self.accepted(id), |first| *first);
                if answer.status == StatusCode::SWITCHING_PROTOCOLS {
                    answer.extensions.insert(SocketLine(line));
                } else {
                    let address = add_line_headers(&mut answer.headers, token);
                    answer.insert_line(&address);
                }
                if let Audience::Stream(format) = client
                    && let Some(first) = first_state(&answer, format)
                {
                    answer.status = status_of_stream(answer.status);
                    answer.extensions.insert(LineStream { line, format, first });
                }
                self.reply(id, answer);
                let slot = self.slot(id).expect("a reply leaves the slot");
                slot.settle_down();
                let effect = slot.exchange.opened(line);
                self.carry_out(id, effect);
            }
            Effect::Send(line, parcel) => {
                let is_congested = self.hub.send(line, parcel);
                if let Some(slot) = self.slot(id) {
                    slot.is_congested = is_congested;
                }
            }
            Effect::Done(line) => self.hub.done(line),
            Effect::Finish(line) => self.hub.complete(line),
            Effect::FailAnswer => {
                let slot = self.slot(id).expect("the effect came from this slot");
                let headers = &slot.request.parts().headers;
                let (html, json) = (prefers_html(headers), Answer::prefers_json(headers));
                let body_fault = slot.body_fault.take();
                let unreachable = slot.unreachable;
                let lost = slot.lost.take();
                let failure = slot.failure.take().filter(|_| self.mode == Mode::Development);
                let answer = if let Some(fault) = body_fault {
                    (*fault).answer(max_body)
                } else if unreachable {
                    Answer::needs_live_client()
                } else if lost.is_some() {
                    Answer::text(StatusCode::BAD_GATEWAY, "The upstream was lost before it answered.\n")
                } else if let Some(failure) = failure.as_deref().filter(|_| html) {
                    Answer::error_page(failure)
                } else {
                    let mut answer = Answer::internal_error(failure.as_deref(), json);
                    // For a page that asks; people get no less from it.
                    let page = failure.map(|failure| Html { text: failure.to_html(), line_at: None });
                    answer.document = page.map(Box::new);
                    answer
                };
                self.reply(id, answer);
            }
            Effect::FailLine(line) => {
                let (failure, lost) =
                    self.slot(id).map(|slot| (slot.failure.take(), slot.lost.take())).unwrap_or_default();
                let code = if lost.is_some() { CloseCode::UpstreamLost } else { CloseCode::HandlerFailed };
                let told = lost.map(String::from).or(failure.map(|diagnostic| diagnostic.message));
                let close = match told.filter(|_| self.mode == Mode::Development) {
                    Some(reason) => Close::because(code, reason),
                    None => code.into(),
                };
                self.hub.finish(line, close);
            }
        }
    }

    /// The answer while there is no state to answer with, in the page if one is wanted.
    fn accepted(&mut self, id: ExchangeId) -> Answer {
        let mut accepted = Answer::empty(StatusCode::ACCEPTED);
        accepted.nature = Nature::State;
        let shown = self.slot(id).map(|slot| slot.shown).filter(|shown| shown.show != Show::Data);
        let page = shown.and_then(|shown| shown.page);
        match page.zip(self.site.as_ref()).map(|(page, site)| site.blank_page(page)) {
            Some(Ok([before, after])) => {
                let line_at = Some(before.len());
                let text = before + &*after;
                if shown.is_some_and(|shown| shown.show == Show::Both) {
                    accepted.document = Some(Box::new(Html { text, line_at }));
                    return accepted;
                }
                accepted.with_page(text, line_at)
            }
            Some(Err(error)) => {
                tracing::error!("{error}");
                accepted
            }
            None => accepted,
        }
    }

    fn reply(&mut self, id: ExchangeId, mut answer: Answer) {
        let Some(slot) = self.slot(id) else { return };
        let reply = std::mem::replace(&mut slot.reply, Reply::Given);
        if matches!(reply, Reply::Given) {
            return;
        }
        for (_, cookie) in std::mem::take(&mut slot.cookies) {
            answer.headers.append(header::SET_COOKIE, cookie);
        }
        let session = slot.session.id.clone().filter(|_| slot.session.sets_cookie);
        let said = slot.requester.is_secure;
        // Where another request has renewed it meanwhile, that one's answer tells its client.
        if let Some(session) = session.filter(|id| !self.sessions.is_over(id)) {
            let cookie = self.sessions.cookie(&session, self.trust.is_secure(said));
            answer.headers.append(header::SET_COOKIE, cookie);
        }
        match reply {
            Reply::Here => self.answered = Some(answer),
            // Nobody waits where the client left in the same turn.
            Reply::There(reply) => drop(reply.send(answer)),
            Reply::Given => {}
        }
    }

    /// Whether HTTP's answer, and with it every header, has left.
    pub(super) fn is_answered(&mut self, id: ExchangeId) -> bool {
        self.slot(id).is_none_or(|slot| slot.exchange.is_answered())
    }

    pub(super) fn slot(&mut self, id: ExchangeId) -> Option<&mut Slot> {
        self.slots.get_mut(slot_of(id)).filter(|slot| slot.id == id)
    }

    /// The slot of an op's argument.
    pub(super) fn known(&mut self, id: f64) -> Result<&mut Slot, ExchangeError> {
        self.slot(exchange_id(id)).ok_or(ExchangeError::Ended)
    }

    /// What the log says of an exchange; of one that has ended only its name.
    pub(super) fn context(&mut self, id: Option<ExchangeId>) -> Context {
        let exchange = id.map(|id| id.of(self.owner).to_string());
        let Some(slot) = id.and_then(|id| self.slot(id)) else {
            return Context { exchange, ..Context::default() };
        };
        let line = slot.exchange.line();
        let head = slot.request.parts();
        Context {
            exchange,
            method: Some(head.method.clone()),
            path: Some(head.uri.path().to_owned()),
            request: RequestId::of(&head.headers).map(|id| id.to_string()),
            line,
        }
    }

    /// Whether the client is behind with what was sent last.
    pub(super) fn is_congested(&mut self, id: ExchangeId) -> bool {
        self.slot(id).is_some_and(|slot| slot.is_congested)
    }

    pub(super) fn line(&mut self, id: ExchangeId) -> Option<LineId> {
        self.slot(id)?.exchange.line()
    }

    /// Does something with the exchange's line: now, or when it opens, if ever.
    pub(super) fn on_line(&mut self, id: ExchangeId, act: impl FnOnce(&Hub, LineId) + 'static) {
        match self.line(id) {
            Some(line) => act(&self.hub, line),
            None => {
                if let Some(slot) = self.slot(id) {
                    slot.on_line.push(Box::new(act));
                }
            }
        }
    }

    /// Parts of one form.
    pub(super) fn form_parts(&self) -> usize {
        self.bodies.form_parts
    }

    /// The request's body is not what it was read as. What is known to be wrong with it already comes first.
    pub(super) fn ill_body(&mut self, id: f64, is_too_large: bool, text: &str) {
        let status = if is_too_large { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST };
        if let Ok(slot) = self.known(id) {
            slot.body_fault.get_or_insert_with(|| Box::new(BodyFault::Content(status, text.to_owned())));
        }
    }
}

/// How long a client prefers to wait, in whole seconds.
fn wanted_wait(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let preferences = values.flat_map(|value| value.split([',', ';']));
    let wait =
        preferences.filter_map(|preference| preference.split_once('=')).find_map(|(name, value)| {
            let is_wait = name.trim().eq_ignore_ascii_case("wait");
            is_wait.then(|| value.trim().trim_matches('"').parse::<u32>().ok()).flatten()
        })?;
    Some(Duration::from_secs(wait.into()))
}

fn slot_of(id: ExchangeId) -> usize {
    (id.0 & ((1 << SLOT_BITS) - 1)) as usize
}

pub(super) fn exchange_id(id: f64) -> ExchangeId {
    ExchangeId(id as u64)
}

/// Says where the line can be joined. Returns what today's header says.
fn add_line_headers(headers: &mut HeaderMap, token: Token) -> String {
    let value = |text: &str| text.parse().expect("a token is hexadecimal");
    let path = LINE_PATH.trim_start_matches('/');
    let address = format!("socket:///{path}{token}?v=2");
    headers.insert(LINE_HEADER, value(&address));
    headers.insert("x-background-messaging-port", value(&format!("ws:{path}{token}")));
    // The address is for one visitor, once.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    address
}

/// One more handler runs for the exchange.
#[op2(fast)]
pub(crate) fn op_exchange_started(state: &mut OpState, id: f64) -> Result<(), OpError> {
    state.borrow_mut::<Exchanges>().input(exchange_id(id), Input::Started)?;
    Ok(())
}

/// A handler has returned. Says whether that completes the exchange.
#[op2(fast)]
pub(crate) fn op_exchange_returned(state: &mut OpState, id: f64) -> bool {
    state.borrow_mut::<Exchanges>().input(exchange_id(id), Input::Returned).unwrap_or(true)
}

/// Something more keeps the exchange open.
#[op2(fast)]
pub(crate) fn op_exchange_hold(state: &mut OpState, id: f64) -> Result<(), OpError> {
    state.borrow_mut::<Exchanges>().input(exchange_id(id), Input::Hold)?;
    Ok(())
}

/// One hold is over. Says whether that completes the exchange.
#[op2(fast)]
pub(crate) fn op_exchange_release(state: &mut OpState, id: f64) -> bool {
    state.borrow_mut::<Exchanges>().input(exchange_id(id), Input::Release).unwrap_or(true)
}

/// The response had its last state. Says whether that completes the exchange.
#[op2(fast)]
pub(crate) fn op_exchange_done(state: &mut OpState, id: f64) -> bool {
    state.borrow_mut::<Exchanges>().input(exchange_id(id), Input::Done).unwrap_or(true)
}

/// Whether HTTP has its answer already, or can no longer get one.
#[op2(fast)]
pub(crate) fn op_exchange_answered(state: &mut OpState, id: f64) -> bool {
    state.borrow_mut::<Exchanges>().is_answered(exchange_id(id))
}

/// The handler failed with `error`. Reentrant: reading an error may run its getters.
#[op2(fast, reentrant)]
pub(crate) fn op_exchange_fail<'s, 'i>(
    scope: &mut v8::PinScope<'s, 'i>,
    state: Rc<RefCell<OpState>>,
    id: f64,
    error: v8::Local<'s, v8::Value>,
) {
    let diagnostic = from_exception(scope, error);
    state.borrow_mut().borrow_mut::<Exchanges>().fail(exchange_id(id), diagnostic);
}

/// The line that the handler passes on was lost.
#[op2(fast)]
pub(crate) fn op_exchange_lost(state: &mut OpState, id: f64, #[string] reason: String) {
    state.borrow_mut::<Exchanges>().lost(exchange_id(id), reason);
}

/// The handler fails because it asked a client that cannot be asked.
#[op2(fast)]
pub(crate) fn op_exchange_unreachable(state: &mut OpState, id: f64) {
    if let Some(slot) = state.borrow_mut::<Exchanges>().slot(exchange_id(id)) {
        slot.unreachable = true;
    }
}

/// The user navigated away and the handler did not object.
#[op2(fast)]
pub(crate) fn op_exchange_navigated(state: &mut OpState, id: f64) {
    let exchanges = state.borrow_mut::<Exchanges>();
    let id = exchange_id(id);
    if let Some(line) = exchanges.line(id) {
        exchanges.hub.finish(line, CloseCode::Navigated);
    }
    exchanges.gone(id);
}

/// One more of the messages that came together is being delivered: so many are now.
#[op2(fast)]
pub(crate) fn op_messages_heard(state: &mut OpState, #[smi] count: u32) {
    state.borrow_mut::<Exchanges>().heard = count;
}
