//! One live line: from the moment its token is issued until it is over.
//!
//! ```text
//!  Joining ──join──▶ Handshake ──client listens──▶ Open ──finished and written──▶ Closing ──▶ (removed)
//!     │                  │ ▲                       │ ▲                               │
//!     │                  │ └──── resumes ──────────┤ │                               │
//!     │                  └──────▶ Away ◀── lost ───┘ └── (from Away, too)            │
//!     └── window over ────────── window over ──────────── client does not read ──────┴──▶ (removed)
//! ```
//!
//! Only lines of the subprotocol `liveline.v1` can be away and resume; every other line ends with its connection.
//!
//! | module | part of the line |
//! |---|---|
//! | here | its lifecycle, and what is sent to its client |
//! | `inbound` | what its client sends |
//! | `transport` | what carries it, with the data of each kind |
//! | `resume` | the state of `liveline.v1` |
//! | `flow` | what waits in both directions, and what becomes of it when it is too much |
//! | `outbox` | the frames that wait for the client |
//! | `heartbeat` | pings |

use std::time::Instant;

pub(crate) use self::flow::Budget;
use self::flow::{Enqueued, Flow};
use self::heartbeat::Heartbeat;
use self::transport::{PendingEnd, Transport};
use crate::registry::{Filed, network};
use crate::{
    Attachment, Close, CloseCode, ExchangeId, Limits, LineId, Outgoing, Overflow, OwnerId, Take, Token,
    Visitor, envelope,
};

mod flow;
mod heartbeat;
mod inbound;
mod outbox;
mod resume;
mod transport;

pub use self::outbox::{FRAME_COST, Priority, QueuedFrame};
pub use self::transport::TransportKind;

#[derive(Debug)]
pub(crate) struct Line {
    pub owner: OwnerId,
    pub exchange: ExchangeId,
    pub visitor: Visitor,
    /// The bucket of [`Deadlines`](crate::registry) in which the line is filed.
    pub filed: Filed,
    pub counters: Counters,
    pub began: Instant,
    stage: Stage,
    transport: Transport,
    flow: Flow,
    heartbeat: Option<Heartbeat>,
    /// How the line ends once its outbox is written; set by the handler or the host. Boxed: most lines are not ending.
    ending: Option<Box<Close>>,
    /// `response.done` was sent.
    is_done: bool,
    /// Number of the last event id of the host.
    last_event: u32,
    /// How many connections the line has had.
    attachments: u32,
}

// Thousands of lines are idle at a time.
const _: () = assert!(size_of::<Line>() <= 304);

/// What happened to a line's frames.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Since the registry last took it, as the next two.
    pub dropped: u32,
    pub coalesced: u32,
    pub pings: u32,
    /// Since the line began, as the next.
    pub frames_in: u32,
    pub frames_out: u32,
}

#[derive(Debug)]
enum Stage {
    /// The token is issued; no client has joined. `is_cut`: the line ended meanwhile. Its owner was informed; its client is
    /// sent the code when it joins.
    Joining { until: Instant, is_cut: bool },
    /// A connection is here, but its client does not listen yet.
    Handshake { until: Instant },
    /// Both sides send. A finished line has `until` to be read to its end.
    Open { until: Option<Instant> },
    /// The connection was lost; the client may resume. `listens`: the line was open.
    Away { until: Instant, listens: bool },
    /// The close frame is the last thing to write; then the client has `until` to answer it.
    Closing { is_written: bool, until: Instant },
}

/// The stage of a line, as statistics count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineState {
    Joining,
    Open,
    Away,
}

/// When an input happens, and the limits that hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub now: Instant,
    pub limits: &'a Limits,
}

impl Context<'_> {
    /// Until when a client has to read what is left, and then to answer the close frame.
    fn grace_end(self) -> Instant {
        self.now + self.limits.close_grace
    }
}

/// What the registry does with the line after an input.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Nothing.
    Keep,
    /// The connection has something to write, or may read again.
    Wake,
    /// Dispatch [`Event::Opened`](crate::Event::Opened), and let the connection write.
    Opened,
    /// Dispatch [`Event::Drained`](crate::Event::Drained).
    Drained { stale: bool },
    /// Dispatch [`Event::Closed`](crate::Event::Closed), and let the connection write the close frame.
    Cut(Close),
    /// Remove the line. With a close, dispatch it: the owner did not end the line itself.
    Remove(Option<Close>),
}

impl Line {
    /// A line that `began` now and may be joined `until` then.
    pub(crate) fn new(
        owner: OwnerId,
        exchange: ExchangeId,
        visitor: Visitor,
        token: Token,
        (began, until): (Instant, Instant),
    ) -> Line {
        Line {
            owner,
            exchange,
            visitor,
            filed: 0,
            counters: Counters::default(),
            began,
            stage: Stage::Joining { until, is_cut: false },
            transport: Transport::Unjoined { token, reception: Default::default() },
            flow: Flow::default(),
            heartbeat: None,
            ending: None,
            is_done: false,
            last_event: 0,
            attachments: 0,
        }
    }

    // -- what it is ----------------------------------------------------------------------------------------------

    /// The tokens that name this line.
    pub(crate) fn tokens(&self) -> [Option<Token>; 2] {
        self.transport.tokens()
    }

    /// The token with which the client of an event stream sends.
    pub(crate) fn sender_token(&self) -> Option<Token> {
        match self.transport {
            Transport::Events { token } => Some(token),
            _ => None,
        }
    }

    /// Its connection now.
    pub(crate) fn attachment(&self, id: LineId) -> Attachment {
        Attachment { line: id, number: self.attachments }
    }

    /// Whether this is its connection now.
    pub(crate) fn is_attached(&self, attachment: Attachment) -> bool {
        self.attachments == attachment.number && !matches!(self.stage, Stage::Away { .. })
    }

    /// How the handler or the host ends it.
    pub(crate) fn ending(&self) -> Option<&Close> {
        self.ending.as_deref()
    }

    /// Whether it is a socket without envelopes.
    pub(crate) fn is_raw(&self) -> bool {
        matches!(self.transport, Transport::Raw(_))
    }

    /// Whether its end is decided.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.is_some() || matches!(self.stage, Stage::Closing { .. })
    }

    /// Whether no client has joined yet.
    pub(crate) fn is_joinable(&self) -> bool {
        matches!(self.stage, Stage::Joining { .. })
    }

    /// Whether its client can resume it.
    pub(crate) fn is_resumable(&self) -> bool {
        self.transport.resume().is_some()
    }

    pub(crate) fn state(&self) -> LineState {
        match self.stage {
            Stage::Joining { .. } => LineState::Joining,
            Stage::Away { .. } => LineState::Away,
            Stage::Handshake { .. } | Stage::Open { .. } | Stage::Closing { .. } => LineState::Open,
        }
    }

    /// Bytes that wait to be written.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.flow.outbox.waiting()
    }

    /// Bytes of its frames without channels' messages, those that may have arrived included.
    pub(crate) fn own_bytes(&self) -> usize {
        self.flow.outbox.own_bytes()
    }

    /// The network of the client whose request opened it.
    pub(crate) fn network(&self) -> u64 {
        network(self.visitor.address)
    }

    /// Bytes of all its frames, those that may have arrived included.
    #[cfg(test)]
    pub(crate) fn kept_bytes(&self) -> usize {
        self.flow.outbox.bytes()
    }

    /// When the line wants [`Line::expired`] called.
    pub(crate) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        match self.stage {
            Stage::Joining { until, .. }
            | Stage::Handshake { until }
            | Stage::Away { until, .. }
            | Stage::Closing { until, .. }
            | Stage::Open { until: Some(until) } => Some(until),
            Stage::Open { until: None } => {
                let heartbeat = self.heartbeat.as_ref()?;
                Some(heartbeat.deadline(self.transport.answers_pings(), limits))
            }
        }
    }

    // -- its connections -----------------------------------------------------------------------------------------

    /// A client joins with the line's token.
    pub(crate) fn join(
        &mut self,
        id: LineId,
        transport: TransportKind,
        cx: Context<'_>,
    ) -> (Attachment, Outcome) {
        let mut is_cut = false;
        if let Stage::Joining { until, is_cut: cut } = self.stage {
            is_cut = cut;
            self.stage = Stage::Handshake { until };
        }
        self.transport.join(transport);
        if self.is_resumable() {
            self.flow.outbox.keep();
        }
        let attachment = self.connect(id, cx);
        if is_cut {
            return (attachment, self.send_code(cx));
        }
        (attachment, if self.is_resumable() { Outcome::Wake } else { Outcome::Keep })
    }

    /// The HTTP answer itself carries the line, so its client listens already.
    pub(crate) fn attach(
        &mut self,
        id: LineId,
        transport: TransportKind,
        cx: Context<'_>,
    ) -> (Attachment, Outcome) {
        let is_cut = matches!(self.stage, Stage::Joining { is_cut: true, .. });
        self.transport.join(transport);
        self.open(cx);
        let attachment = self.connect(id, cx);
        (attachment, if is_cut { self.send_code(cx) } else { Outcome::Opened })
    }

    /// The client resumes and has everything up to the frame `after`. The loss of its last connection may not have been
    /// noticed yet; that connection is ignored from now on. `None`: the client claims a frame that was never sent.
    pub(crate) fn resume(
        &mut self,
        id: LineId,
        (presented, fresh): (Token, Token),
        after: u64,
        cx: Context<'_>,
    ) -> Option<(Attachment, Outcome)> {
        let resume = self.transport.resume_mut()?;
        let is_complete = self.flow.outbox.rewind(after).ok()?;
        if is_complete {
            resume.kept_after(after);
        } else if !resume.has_lost() {
            resume.lost_after(self.flow.outbox.acknowledged());
            self.flow.mark_stale();
        }
        resume.reconnect(presented, fresh);
        match &self.stage {
            Stage::Away { listens: false, .. } | Stage::Handshake { .. } => {
                self.stage = Stage::Handshake { until: cx.now + cx.limits.join_window };
            }
            _ => self.open(cx),
        }
        Some((self.connect(id, cx), Outcome::Wake))
    }

    fn connect(&mut self, id: LineId, cx: Context<'_>) -> Attachment {
        self.attachments += 1;
        self.heartbeat = Heartbeat::new(cx);
        self.attachment(id)
    }

    /// Both sides send from now on. If the line is finished, the client has a moment to read the rest.
    fn open(&mut self, cx: Context<'_>) {
        self.stage = Stage::Open { until: self.ending.is_some().then(|| cx.grace_end()) };
    }

    /// The close frame is all that the client gets.
    fn send_code(&mut self, cx: Context<'_>) -> Outcome {
        self.stage = Stage::Closing { is_written: false, until: cx.grace_end() };
        Outcome::Wake
    }

    /// The connection is gone.
    pub(crate) fn disconnected(&mut self, close: Close, cx: Context<'_>) -> Outcome {
        if close.code == CloseCode::Abnormal && self.is_resumable() {
            return self.lost(cx);
        }
        let close = self.take_pending_end().unwrap_or(close);
        Outcome::Remove(self.ending.is_none().then_some(close))
    }

    /// The connection broke, or is not used any more because a frame is missing.
    fn lost(&mut self, cx: Context<'_>) -> Outcome {
        if !self.is_resumable() {
            return Outcome::Remove(self.ending.is_none().then(|| CloseCode::Abnormal.into()));
        }
        let listens = match self.stage {
            Stage::Away { .. } => return Outcome::Keep,
            Stage::Handshake { .. } => false,
            _ => true,
        };
        self.stage = Stage::Away { until: cx.now + cx.limits.resume_window, listens };
        Outcome::Wake
    }

    /// The deadline of the current stage has passed.
    pub(crate) fn expired(&mut self, cx: Context<'_>) -> Outcome {
        let close = match self.stage {
            Stage::Open { until: None } => return self.beat(cx),
            Stage::Open { .. } if self.is_raw() => {
                self.take_pending_end().unwrap_or_else(|| CloseCode::GoingAway.into())
            }
            // The client may only be out of reach.
            Stage::Open { .. } | Stage::Closing { .. } if self.is_resumable() => return self.lost(cx),
            Stage::Away { .. } => CloseCode::Abnormal.into(),
            _ => Close { code: CloseCode::GoingAway, reason: "nobody joined in time".into() },
        };
        Outcome::Remove(self.ending.is_none().then_some(close))
    }

    /// Looks whether a ping is due, or the client is dead.
    fn beat(&mut self, cx: Context<'_>) -> Outcome {
        let (is_read, expects_traffic) = (self.may_read(cx.limits), self.transport.expects_traffic());
        let Some(heartbeat) = &mut self.heartbeat else { return Outcome::Keep };
        if is_read && self.transport.answers_pings() && heartbeat.is_dead(cx) {
            return self.lost(cx);
        }
        if heartbeat.beat(is_read, expects_traffic, cx) { Outcome::Wake } else { Outcome::Keep }
    }

    // -- what is sent to the client ------------------------------------------------------------------------------

    /// The handler, or another member of a channel, sends.
    pub(crate) fn send(&mut self, frame: QueuedFrame, budget: Budget, cx: Context<'_>) -> Outcome {
        if self.is_ending() {
            return Outcome::Keep;
        }
        let is_away = matches!(self.stage, Stage::Away { .. });
        // A client that is away is not too slow: it resumes without what was too much.
        let overflow = if is_away { Overflow::Close } else { cx.limits.overflow };
        match self.flow.enqueue(frame, budget, overflow, &mut self.counters) {
            Enqueued::Queued => self.wake_if_open(),
            Enqueued::Dropped => Outcome::Keep,
            Enqueued::Full if is_away => {
                let last = self.flow.drop_all_but_control(&mut self.counters);
                if let Some(resume) = self.transport.resume_mut() {
                    resume.lost_after(last);
                }
                self.counters.dropped += 1;
                Outcome::Keep
            }
            Enqueued::Full => self.cut(CloseCode::TooSlow.into(), cx),
        }
    }

    /// Whether so much of `budget` waits, to be written or to be acknowledged, that the handler should wait, too.
    pub(crate) fn is_congested(&self, budget: Budget) -> bool {
        self.flow.is_congested(budget)
    }

    /// The handler waits for [`Event::Drained`](crate::Event::Drained).
    pub(crate) fn await_drained(&mut self) {
        self.flow.await_drained();
    }

    /// The owner sends the states in full from here on.
    pub(crate) fn refreshed(&mut self) {
        self.flow.refreshed();
    }

    /// No further state follows; messages and changes of the last state may. Sent once, and never on a raw line.
    pub(crate) fn done(&mut self) -> Outcome {
        if self.is_ending() || self.is_done || matches!(self.transport, Transport::Raw(_)) {
            return Outcome::Keep;
        }
        self.is_done = true;
        let done = envelope::response_done(&self.event_id("response.done"));
        self.flow.outbox.push(QueuedFrame::new(Priority::Control, done));
        self.wake_if_open()
    }

    /// Sends `response.done`, without which the end would look like a loss to the client, and closes with 1000.
    pub(crate) fn complete(&mut self, cx: Context<'_>) -> Outcome {
        self.done();
        self.finish(CloseCode::Done.into(), cx)
    }

    /// Writes what waits, then closes. Later messages of the client are not dispatched.
    pub(crate) fn finish(&mut self, close: Close, cx: Context<'_>) -> Outcome {
        if self.is_ending() {
            return Outcome::Keep;
        }
        self.ending = Some(Box::new(close));
        if let Stage::Open { until } = &mut self.stage {
            *until = Some(cx.grace_end());
        }
        self.wake_if_open()
    }

    /// Ends the line at once: what waits is dropped, and the owner is informed unless it ended the line itself.
    pub(crate) fn cut(&mut self, close: Close, cx: Context<'_>) -> Outcome {
        let is_finished = self.ending.is_some();
        match &mut self.stage {
            Stage::Closing { .. } => Outcome::Keep,
            // What waits is being written, and has its time limit.
            Stage::Open { .. } if is_finished => Outcome::Keep,
            // The client has the token and gets the code when it joins, unless this process will be gone by then.
            Stage::Joining { is_cut, .. } if !is_finished && close.code != CloseCode::Restart => {
                *is_cut = true;
                self.flow.outbox.clear();
                self.ending = Some(Box::new(close.clone()));
                Outcome::Cut(close)
            }
            Stage::Joining { .. } | Stage::Away { .. } => Outcome::Remove((!is_finished).then_some(close)),
            Stage::Handshake { .. } | Stage::Open { .. } => {
                self.flow.outbox.clear();
                self.ending = Some(Box::new(close.clone()));
                let wake = self.send_code(cx);
                if is_finished { wake } else { Outcome::Cut(close) }
            }
        }
    }

    /// The client broke a rule. A raw client first gets the answers to its earlier messages.
    pub(crate) fn reject(&mut self, close: Close, cx: Context<'_>) -> Outcome {
        let has_earlier = self.flow.in_flight() > 0 && !self.is_ending();
        if let Transport::Raw(raw) = &mut self.transport
            && has_earlier
        {
            raw.pending_end = Some(Box::new(PendingEnd::Violation(close)));
            return Outcome::Keep;
        }
        self.cut(close, cx)
    }

    /// The client of a raw line sent its close frame. The handler may still answer the messages before it, for as long as
    /// a client has to answer a close frame; then the line ends.
    pub(crate) fn close_received(&mut self, close: Close, cx: Context<'_>) -> Outcome {
        if self.flow.in_flight() > 0
            && let Transport::Raw(raw) = &mut self.transport
        {
            raw.pending_end = Some(Box::new(PendingEnd::Closed(close)));
            if let Stage::Open { until } = &mut self.stage {
                *until = Some(cx.grace_end());
            }
            return Outcome::Keep;
        }
        self.end_for_client(close, cx)
    }

    /// Writes what waits, then the answer to the client's close frame.
    fn end_for_client(&mut self, close: Close, cx: Context<'_>) -> Outcome {
        match self.finish(close.clone(), cx) {
            Outcome::Wake => Outcome::Cut(close),
            outcome => outcome,
        }
    }

    /// How the client ended its raw line, if the handler has not acknowledged what came before.
    fn take_pending_end(&mut self) -> Option<Close> {
        let Transport::Raw(raw) = &mut self.transport else { return None };
        raw.pending_end.take().map(|end| match *end {
            PendingEnd::Violation(close) | PendingEnd::Closed(close) => close,
        })
    }

    /// Moves what should be written next into `into`, about `bytes` of payload.
    pub(crate) fn take(&mut self, bytes: usize, into: &mut Vec<Outgoing>, cx: Context<'_>) -> Take {
        let before = into.len();
        self.take_controls(into, cx.limits);
        match &mut self.stage {
            Stage::Open { .. } if self.flow.outbox.has_more() => self.flow.outbox.take(bytes, into),
            Stage::Open { .. } if into.len() == before => {
                if let Some(close) = self.ending.as_deref().cloned() {
                    self.stage = Stage::Closing { is_written: true, until: cx.grace_end() };
                    return Take::Close(close);
                }
            }
            Stage::Closing { is_written, .. } => {
                if !std::mem::replace(is_written, true)
                    && let Some(close) = self.ending.as_deref().cloned()
                {
                    return Take::Close(close);
                }
            }
            _ => {}
        }
        match into.len() > before {
            false => Take::Idle,
            // The close frame or `Event::Drained` follows.
            true if self.flow.outbox.has_more() || self.flow.owes_drained() || self.is_ending() => Take::Some,
            true => Take::Last,
        }
    }

    /// Welcomes, acknowledgements and pings.
    fn take_controls(&mut self, into: &mut Vec<Outgoing>, limits: &Limits) {
        if matches!(self.stage, Stage::Joining { .. } | Stage::Away { .. } | Stage::Closing { .. }) {
            return;
        }
        let is_ping_due = self.heartbeat.as_mut().is_some_and(Heartbeat::take_due);
        if let Some(resume) = self.transport.resume_mut() {
            into.extend(resume.take_control(self.heartbeat.is_some(), is_ping_due, limits));
        }
        if is_ping_due {
            self.counters.pings += 1;
            into.push(Outgoing::Ping);
        }
    }

    /// The connection has written what it took.
    pub(crate) fn written(&mut self, limits: &Limits) -> Outcome {
        let is_drained = !self.flow.outbox.has_more() && matches!(self.stage, Stage::Open { .. });
        if !is_drained
            || self.is_ending()
            || !self.flow.owes_drained()
            || self.is_congested(Budget::Whole(limits.queue_bytes))
        {
            return Outcome::Keep;
        }
        Outcome::Drained { stale: self.flow.drained() }
    }

    fn wake_if_open(&self) -> Outcome {
        if matches!(self.stage, Stage::Open { .. }) { Outcome::Wake } else { Outcome::Keep }
    }

    fn event_id(&mut self, kind: &str) -> String {
        self.last_event += 1;
        format!("{kind}-h{}", self.last_event)
    }
}

/// Types that only the host may send: with them a client could pass for the host in its handler.
pub(crate) fn is_reserved(kind: &str) -> bool {
    kind.starts_with("response.") || kind.ends_with(".mutate") || matches!(kind, "open" | "close" | "error")
}
