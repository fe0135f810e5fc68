//! The exchanges of one isolate, from the arrival of a request to its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use deno_core::v8;
use hyper::StatusCode;
use slab::Slab;
use tokio::sync::oneshot;

use super::ended::{Ended, Phase};
use super::slot::{Begun, BodyFault, Call, Cause, Failure, Reply, Slot, Unanswered};
use crate::dev::Dev;
use crate::ext::log::{Context, about};
use crate::ext::session::ExchangeSession;
use crate::ext::{Actors, BodyLimits, OpError, Running, Sessions, Shared, Show, Site, Stores};
use crate::http::{Answer, Audience};
use crate::lines::Hub;
use crate::metrics::{HANDLER, RequestId};
use crate::topics::{PageHub, TopicHub};
use crate::trust::Trust;
use liveline_compiler::Diagnostic;
use liveline_proto::{Close, CloseCode, ExchangeError, ExchangeId, Input, LineId, OwnerId, QueuedFrame};

/// Whether the host runs as `dev` or as `serve`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// `dev`: clients receive errors of handlers with message, place and source line.
    Development,
    /// `serve`: clients receive only that an error occurred.
    Production,
}

/// The exchanges that JavaScript may still refer to.
pub(crate) struct Exchanges {
    pub(super) slots: Slots,
    pub(super) turn: Turn,
    pub(in crate::ext) host: Host,
}

/// Services of the process that the exchanges of all isolates use.
pub(crate) struct Services {
    pub hub: Hub,
    pub sessions: Sessions,
    pub shared: Shared,
    pub actors: Actors,
    pub topics: TopicHub,
    pub pages: PageHub,
    pub trust: Arc<Trust>,
    pub mode: Mode,
    pub bodies: BodyLimits,
}

/// What the exchanges of an isolate use: the services of the process, and those of the served folder.
pub(in crate::ext) struct Host {
    pub hub: Hub,
    pub sessions: Sessions,
    pub shared: Shared,
    pub actors: Actors,
    /// The stores of Workers; None where the code is only checked.
    pub stores: Option<Stores>,
    pub topics: TopicHub,
    pub pages: PageHub,
    pub trust: Arc<Trust>,
    pub bodies: BodyLimits,
    pub site: Option<Box<dyn Site>>,
    /// The number of the generation whose code the isolate runs; the same for all isolates of that
    /// generation.
    pub code: u64,
    pub(super) owner: OwnerId,
    pub(super) mode: Mode,
    /// Whether headers of requests and answers are UTF-8, as in Workers, and not byte strings.
    pub has_utf8_headers: bool,
    /// Reports failures to open pages, in `dev`.
    dev: Option<Arc<Dev>>,
}

impl Host {
    /// The served folder, once its handlers are loading.
    pub(in crate::ext) fn site(&self) -> Result<&dyn Site, OpError> {
        self.site.as_deref().ok_or(OpError::NoSite)
    }
}

/// Collected during a turn.
#[derive(Default)]
pub(super) struct Turn {
    /// Exchanges whose answer may be decided at the end of the turn.
    touched: Vec<ExchangeId>,
    ended: Vec<Ended>,
    /// The answer of the exchange that began in this turn, if it was sent before a task could wait for it.
    pub answered: Option<Answer>,
    /// Another turn follows at once, and the frames of both are flushed together.
    is_followed: bool,
}

/// Slots, by exchange number.
#[derive(Default)]
pub(super) struct Slots {
    slab: Slab<Slot>,
    next: u64,
}

/// Bits of an exchange's number that index its slot; the other bits are a sequence number, so that numbers
/// are not reused.
const SLOT_BITS: u32 = ExchangeId::PLACE_BITS;

impl Slots {
    fn insert(&mut self, slot: impl FnOnce(ExchangeId) -> Slot) -> ExchangeId {
        let entry = self.slab.vacant_entry();
        // The sequence repeats after 2^33 requests, long after the last use of the same number.
        let id = ExchangeId((self.next << SLOT_BITS | entry.key() as u64) & ((1 << 53) - 1));
        self.next += 1;
        entry.insert(slot(id));
        id
    }

    pub(super) fn get(&mut self, id: ExchangeId) -> Option<&mut Slot> {
        self.slab.get_mut(key(id)).filter(|slot| slot.id == id)
    }

    fn remove(&mut self, id: ExchangeId) -> Option<Slot> {
        self.get(id)?;
        self.slab.try_remove(key(id))
    }
}

fn key(id: ExchangeId) -> usize {
    (id.0 & ((1 << SLOT_BITS) - 1)) as usize
}

impl Exchanges {
    pub(crate) fn new(owner: OwnerId, services: Services) -> Exchanges {
        let Services { hub, sessions, shared, actors, topics, pages, trust, mode, bodies } = services;
        let host = Host {
            hub,
            sessions,
            shared,
            actors,
            stores: None,
            topics,
            pages,
            trust,
            bodies,
            site: None,
            code: 0,
            owner,
            mode,
            has_utf8_headers: false,
            dev: None,
        };
        Exchanges { slots: Slots::default(), turn: Turn::default(), host }
    }

    /// The table of the actors that the isolate runs, which receives their mail from now on.
    pub(in crate::ext) fn running(&self) -> Running {
        Running::new(self.host.actors.clone(), self.host.owner)
    }

    /// Sets the stores that Workers use.
    pub(crate) fn use_stores(&mut self, stores: Stores) {
        self.host.stores = Some(stores);
    }

    /// Sets whether headers are UTF-8.
    pub(crate) fn use_utf8_headers(&mut self, has_utf8_headers: bool) {
        self.host.has_utf8_headers = has_utf8_headers;
    }

    /// Reports failures to open pages from now on.
    pub(crate) fn report_to(&mut self, dev: Option<Arc<Dev>>) {
        self.host.dev = dev;
    }

    /// Reports an error, which was already logged, to open pages.
    pub(in crate::ext) fn report(&self, about: &str, context: &Context, diagnostic: &Diagnostic) {
        if let Some(dev) = &self.host.dev {
            let request = context.method.as_ref().zip(context.path.as_deref());
            let request = request.map(|(method, path)| (method.as_str(), path));
            dev.failed(about, request, diagnostic.to_report());
        }
    }

    /// Sets the served folder once its handlers load, and the number of the generation.
    pub(crate) fn set_site(&mut self, site: Box<dyn Site>, code: u64) {
        self.host.site = Some(site);
        self.host.code = code;
    }

    /// The first address that the host listens on.
    #[cfg_attr(not(feature = "node"), expect(dead_code, reason = "there is no Node's half there"))]
    pub(crate) fn listening(&self) -> Option<SocketAddr> {
        self.host.trust.listening.first().copied()
    }

    /// The hub of the process.
    pub(crate) fn hub(&self) -> Hub {
        self.host.hub.clone()
    }

    /// The isolate as the owner of lines.
    pub(crate) fn owner(&self) -> OwnerId {
        self.host.owner
    }

    // -- from the request to its answer ---------------------------------------------------------------------

    /// Creates the exchange of a request. After its first turn, the answer is in
    /// [`answered`](Exchanges::answered) or comes from [`wait`](Exchanges::wait).
    pub(crate) fn begin(&mut self, call: Call) -> Begun {
        let session = ExchangeSession::of(self.host.sessions.of(&call.parts.headers));
        // A browser that receives the page also receives the script that joins the line.
        let in_page = call.shown.show == Show::Page && call.shown.page.is_some();
        let client = if in_page { Audience::Live } else { Audience::of(&call.parts) };
        let id = self.slots.insert(|id| Slot::new(id, call, client, session));
        self.turn.touched.push(id);
        Begun { id, can_join: !matches!(client, Audience::Plain | Audience::Socket) }
    }

    /// Stores the exchange's object of `exchange.js`, which its first turn has returned. Not stored if the
    /// turn has completed the exchange and JavaScript does not wait for the end.
    pub(crate) fn attach(&mut self, id: ExchangeId, object: impl FnOnce() -> v8::Global<v8::Object>) {
        if let Some(slot) = self.slots.get(id) {
            if slot.is_followed || !slot.exchange.is_complete() {
                slot.object = Some(object());
            }
        } else if let Some(ended) = self.turn.ended.iter_mut().find(|ended| ended.id == id) {
            ended.object = Some(object());
        }
    }

    /// The object that [`Exchanges::attach`] stored.
    pub(crate) fn object(&mut self, id: ExchangeId) -> Option<v8::Global<v8::Object>> {
        self.slots.get(id)?.object.clone()
    }

    /// The same object, in a scope.
    pub(crate) fn object_in<'s>(
        &mut self,
        scope: &mut v8::PinScope<'s, '_, ()>,
        id: ExchangeId,
    ) -> Option<v8::Local<'s, v8::Object>> {
        let object = self.slots.get(id)?.object.as_ref()?;
        Some(v8::Local::new(scope, object))
    }

    /// The answer of the exchange that has just begun, if its first turn sent one, as with most handlers.
    pub(crate) fn answered(&mut self) -> Option<Answer> {
        self.turn.answered.take()
    }

    /// Waits for the answer of an exchange that its first turn did not answer. `None` if the exchange has
    /// ended.
    pub(crate) fn wait(&mut self, id: ExchangeId) -> Option<Unanswered> {
        let slot = self.slot(id)?;
        let (reply, answer) = oneshot::channel();
        slot.reply = Reply::There(reply);
        slot.note_state();
        let head = slot.request.parts();
        let (method, uri) = (head.method.clone(), head.uri.clone());
        Some(Unanswered { method, uri, answer })
    }

    /// When a client that receives a single answer has waited long enough for a later state.
    pub(crate) fn settles_at(&mut self, id: ExchangeId) -> Option<Instant> {
        self.slot(id)?.settles_at()
    }

    /// The client has joined the exchange's line.
    pub(crate) fn joined(&mut self, id: ExchangeId) {
        if let Some(slot) = self.slot(id) {
            slot.line.has_joined = true;
        }
    }

    /// The phase of an exchange.
    pub(in crate::ext) fn phase(&mut self, id: ExchangeId) -> Phase {
        let Some(slot) = self.slots.get(id) else {
            // An end that is not normal was passed to JavaScript, or is still in `ended`.
            let is_failure = self.turn.ended.iter().any(|ended| ended.id == id && !ended.is_complete);
            return if is_failure { Phase::Over } else { Phase::Complete };
        };
        match &slot.exchange {
            exchange if exchange.is_complete() => Phase::Complete,
            _ if slot.line.has_joined => Phase::Joined,
            exchange if exchange.has_sent() => Phase::Live,
            _ => Phase::Waiting,
        }
    }

    /// Registers that JavaScript waits for the end. Returns false if the exchange has ended or is complete.
    pub(super) fn follow(&mut self, id: ExchangeId) -> bool {
        match self.slots.get(id).filter(|slot| !slot.exchange.is_complete()) {
            Some(slot) => {
                slot.is_followed = true;
                true
            }
            None => false,
        }
    }

    /// Whether the exchange exists and has not ended.
    pub(crate) fn knows(&mut self, id: ExchangeId) -> bool {
        self.slots.get(id).is_some()
    }

    /// Whether there are no exchanges.
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.slab.is_empty()
    }

    /// Decides the answers of the turn that has just ended. Returns the exchanges that ended in it and whose
    /// end JavaScript must receive.
    pub(crate) fn turn_ended(&mut self) -> Vec<Ended> {
        let mut touched = std::mem::take(&mut self.turn.touched);
        for id in touched.drain(..) {
            let _ = self.input(id, Input::TurnEnded);
        }
        // The allocation is reused in the next turn.
        self.turn.touched = touched;
        std::mem::take(&mut self.turn.ended)
    }

    /// Sets whether frames that turns send on lines wait for the end of a later turn.
    pub(crate) fn hold_back(&mut self, holds_back: bool) {
        self.turn.is_followed = holds_back;
    }

    /// Flushes the frames that the turn sent on lines, unless another turn follows.
    pub(crate) fn flush(&self) {
        if !self.turn.is_followed {
            self.host.hub.flush();
        }
    }

    // -- its end --------------------------------------------------------------------------------------------

    /// Passes an input to an exchange and carries out the effect. If the input ends the exchange, the end is
    /// normal.
    pub(in crate::ext) fn input(
        &mut self,
        id: ExchangeId,
        input: Input<Box<Answer>>,
    ) -> Result<(), ExchangeError> {
        self.input_or_close(id, input, None)
    }

    /// Like `input`; `close` is the reason of the end if the input does not complete the exchange.
    fn input_or_close(
        &mut self,
        id: ExchangeId,
        input: Input<Box<Answer>>,
        close: Option<Close>,
    ) -> Result<(), ExchangeError> {
        let slot = self.slots.get(id).ok_or(ExchangeError::Ended)?;
        let turn_ended = matches!(input, Input::TurnEnded);
        let effect = slot.exchange.handle(input)?;
        slot.note_state();
        self.carry_out(id, effect);
        let Some(slot) = self.slots.get(id) else { return Ok(()) };
        if slot.exchange.is_ended() {
            let is_complete = close.is_none() && slot.exchange.is_complete();
            self.forget(id, close.unwrap_or(CloseCode::Done.into()), is_complete);
        } else if !turn_ended && !slot.exchange.is_answered() && self.turn.touched.last() != Some(&id) {
            self.turn.touched.push(id);
        }
        Ok(())
    }

    /// Sends a frame on the line of an exchange, or keeps it until the exchange has a line.
    pub(in crate::ext) fn send(&mut self, id: ExchangeId, frame: QueuedFrame) -> Result<(), ExchangeError> {
        let Some(slot) = self.slots.get(id) else { return Err(ExchangeError::Ended) };
        match slot.exchange.line() {
            Some(line) => {
                slot.line.is_congested = self.host.hub.send(line, frame);
                Ok(())
            }
            None => self.input(id, Input::Message(frame)),
        }
    }

    /// The only function that removes an exchange. JavaScript receives the end when the turn is over, unless
    /// the exchange is complete and JavaScript does not wait for it.
    fn forget(&mut self, id: ExchangeId, close: Close, is_complete: bool) {
        let Some(slot) = self.slots.remove(id) else { return };
        if slot.is_followed || !is_complete {
            self.turn.ended.push(Ended { id, object: slot.object, close, is_complete });
        }
    }

    /// Ends an exchange from outside: its line was closed, its client disconnected, or its time is up.
    pub(crate) fn end(&mut self, id: ExchangeId, close: Close) {
        let _ = self.input_or_close(id, Input::Gone, Some(close));
    }

    /// The isolate is abandoned: sends 500 for unanswered requests. The hub closes the lines.
    pub(crate) fn give_up(&mut self) {
        let all: Vec<_> = self.slots.slab.iter().map(|(_, slot)| slot.id).collect();
        for id in all {
            self.reply(id, Answer::internal_error(None, false));
            self.end(id, CloseCode::IsolateLost.into());
        }
    }

    /// The client has waited long enough for the last state: sends the state that is held back, if any.
    pub(crate) fn settle(&mut self, id: ExchangeId) {
        let _ = self.input_or_close(id, Input::Settle, Some(CloseCode::Done.into()));
    }

    /// The handler closed its line: nothing more is sent, and a request without an answer receives an empty
    /// one.
    pub(in crate::ext) fn close(&mut self, id: ExchangeId) {
        // Frames that this turn has sent still decide the answer.
        let _ = self.input(id, Input::TurnEnded);
        if let Some(line) = self.line(id) {
            self.host.hub.deferred_turn().finish(line, CloseCode::Done.into());
        }
        self.settle(id);
        if self.slot(id).is_some_and(|slot| !slot.exchange.is_answered()) {
            self.reply(id, Answer::empty(StatusCode::OK));
        }
        self.end(id, CloseCode::Done.into());
    }

    /// Ends the exchange; its line closes after all queued frames are sent.
    pub(in crate::ext) fn finish(&mut self, id: ExchangeId, close: Close) {
        if let Some(line) = self.line(id) {
            self.host.hub.deferred_turn().finish(line, close.clone());
        }
        self.end(id, close);
    }

    /// Fails an exchange whose handler was stopped by the watchdog or for its memory use.
    pub(crate) fn stop(&mut self, id: ExchangeId, diagnostic: Diagnostic) {
        let close = Close::because(CloseCode::HandlerFailed, diagnostic.message.clone());
        self.fail(id, Cause::Handler, diagnostic, close);
    }

    /// The handler failed. Sends 500 or closes the line, and logs the failure once.
    pub(super) fn fail(&mut self, id: ExchangeId, cause: Cause, diagnostic: Diagnostic, close: Close) {
        let context = self.context(Some(id));
        let (Some(method), Some(path)) = (&context.method, &context.path) else {
            about!(error, HANDLER, context, "after the end of the exchange: {diagnostic}");
            self.report("after the end of an exchange", &context, &diagnostic);
            return;
        };
        let slot = self.slot(id).expect("it has a method and a path");
        if slot.rare.as_ref().is_some_and(|rare| rare.fault.is_some()) {
            // Logged at debug level, so that clients with bad bodies cannot fill the log.
            about!(debug, HANDLER, context, "{method} {path}: {diagnostic}");
        } else {
            about!(error, HANDLER, context, "{method} {path}: {diagnostic}");
            let about = if context.line.is_some() { "a live line" } else { "a request" };
            self.report(about, &context, &diagnostic);
        }
        self.fail_quietly(id, Failure { cause, diagnostic }, close);
    }

    /// An upstream line that the handler relays was lost. Sends 502 or closes the line.
    pub(super) fn lose_upstream(&mut self, id: ExchangeId, reason: String) {
        let context = self.context(Some(id));
        let (Some(method), Some(path)) = (&context.method, &context.path) else { return };
        about!(warn, HANDLER, context, "{method} {path}: {reason}");
        let failure = Failure { cause: Cause::UpstreamLost, diagnostic: Diagnostic::new(reason) };
        self.fail_quietly(id, failure, CloseCode::UpstreamLost.into());
    }

    fn fail_quietly(&mut self, id: ExchangeId, failure: Failure, close: Close) {
        if let Some(slot) = self.slot(id) {
            slot.rare.get_or_insert_default().failure = Some(failure);
        }
        let _ = self.input_or_close(id, Input::Failed, Some(close));
    }

    // -- for ops --------------------------------------------------------------------------------------------

    /// Whether the HTTP answer, with all its headers, was sent.
    pub(in crate::ext) fn is_answered(&mut self, id: ExchangeId) -> bool {
        self.slot(id).is_none_or(|slot| slot.exchange.is_answered())
    }

    pub(in crate::ext) fn slot(&mut self, id: ExchangeId) -> Option<&mut Slot> {
        self.slots.get(id)
    }

    /// The fields of an exchange for the log; only its name if it has ended.
    pub(in crate::ext) fn context(&mut self, id: Option<ExchangeId>) -> Context {
        let exchange = id.map(|id| id.of(self.host.owner).to_string());
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

    /// Whether the queue of the line was congested after the last frame.
    pub(in crate::ext) fn is_congested(&mut self, id: ExchangeId) -> bool {
        self.slot(id).is_some_and(|slot| slot.line.is_congested)
    }

    pub(in crate::ext) fn line(&mut self, id: ExchangeId) -> Option<LineId> {
        self.slot(id)?.exchange.line()
    }

    /// Runs `act` on the line of the exchange: now, or when the line opens. Dropped if no line opens.
    pub(in crate::ext) fn on_line(&mut self, id: ExchangeId, act: impl FnOnce(&Hub, LineId) + 'static) {
        match self.line(id) {
            Some(line) => act(&self.host.hub, line),
            None => {
                if let Some(slot) = self.slot(id) {
                    slot.rare.get_or_insert_default().waiting.push(Box::new(act));
                }
            }
        }
    }

    /// Records that the request body is malformed or beyond a limit, unless it has a fault already.
    pub(in crate::ext) fn ill_body(&mut self, id: ExchangeId, is_too_large: bool, text: &str) {
        let status = if is_too_large { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST };
        if let Some(slot) = self.slot(id) {
            let fault = &mut slot.rare.get_or_insert_default().fault;
            fault.get_or_insert_with(|| BodyFault::Content(status, text.to_owned()));
        }
    }
}
