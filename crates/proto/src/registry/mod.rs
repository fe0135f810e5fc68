//! All live lines of the process.
//!
//! | module | inputs of the engine |
//! |---|---|
//! | here | opening, joining and resuming a line; time; statistics |
//! | `handler` | what a line's handler sends, and how it ends the line |
//! | `connection` | what a line's connection receives and writes |
//! | `channels` | members of channels and their messages |

use std::time::Instant;

use slab::Slab;

use self::deadlines::Deadlines;
use self::queued::Queued;
use self::quota::LineQuota;
use self::recently_closed::RecentlyClosed;
use self::tokens::Tokens;
use crate::channel::Channels;
use crate::line::{Budget, Context, Line, LineState, Outcome};
use crate::{
    Action, Attachment, Caller, Close, CloseCode, Event, ExchangeId, LineId, OwnerId, QueuedFrame, Token,
    TransportKind, Visitor,
};

mod channels;
mod connection;
mod deadlines;
mod handler;
mod limits;
mod queued;
mod quota;
mod recently_closed;
mod stats;
mod tokens;

pub(crate) use self::deadlines::Filed;
pub use self::limits::{Limits, Overflow};
pub use self::quota::network;
pub use self::stats::{LineSummary, Stats};

/// Without lines, room for at most this many is kept.
const KEPT_CAPACITY: usize = 1024;

/// How often one line can expire at one time: a ping, a loss, the end of the time to resume.
const MAX_EXPIRATIONS: usize = 4;

/// What is known when a line is opened.
#[derive(Debug)]
pub struct Opening {
    /// Who receives the line's events.
    pub owner: OwnerId,
    /// The exchange that goes live.
    pub exchange: ExchangeId,
    /// Who made the request. No other client may join.
    pub visitor: Visitor,
    /// Fresh random bits, which name the line to its client.
    pub token: Token,
}

/// Why a connection may not join a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// The token was never issued, was used before, or came too late.
    #[error("no such line, or it was joined already")]
    Unknown,
    /// The line was the visitor's and ended less than [`Limits::close_grace`] ago.
    #[error("the line has just ended")]
    Ended,
    /// [`Limits::origins`] does not allow the page's origin.
    #[error("this page's origin may not join lines of this server")]
    Origin,
    /// The caller is not the visitor who made the request.
    #[error("the line belongs to another visitor")]
    Visitor,
}

/// The visitor has as many lines as one may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many live lines are open for this visitor")]
pub struct TooManyLines;

/// All lines and channels: a state machine without I/O and without a clock.
///
/// A driver sets the time with [`Engine::at`], calls an input, and then carries out the [`actions`](Engine::actions)
/// that the input led to.
#[derive(Debug)]
pub struct Engine {
    limits: Limits,
    /// The time of the input that runs.
    now: Instant,
    /// What the inputs since the last [`Engine::actions`] led to. Its capacity is kept.
    actions: Vec<Action>,
    lines: Slab<(LineId, Line)>,
    tokens: Tokens,
    deadlines: Deadlines,
    channels: Channels,
    quota: LineQuota,
    queued: Queued,
    /// Lines that are over and have still to leave their channels.
    departing: Vec<LineId>,
    recently_closed: RecentlyClosed,
    /// Serial number of the next line.
    next_line: u64,
    stats: Stats,
}

impl Engine {
    /// An engine without lines. No later call of [`Engine::at`] may set a time before `now`.
    pub fn new(limits: Limits, now: Instant) -> Engine {
        Engine {
            quota: LineQuota::new(limits.lines_per_session, limits.lines_per_address),
            queued: Queued::new(limits.all_queues_bytes),
            limits,
            now,
            actions: Vec::new(),
            lines: Slab::new(),
            tokens: Tokens::default(),
            deadlines: Deadlines::new(now),
            channels: Channels::default(),
            departing: Vec::new(),
            recently_closed: RecentlyClosed::default(),
            next_line: 0,
            stats: Stats::default(),
        }
    }

    /// Sets the time at which the inputs that follow happen.
    pub fn at(&mut self, now: Instant) -> &mut Engine {
        self.now = now;
        self
    }

    /// What the driver has to do because of the inputs since the last call, in order.
    pub fn actions(&mut self) -> std::vec::Drain<'_, Action> {
        self.actions.drain(..)
    }

    /// The limits that all lines share.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The network of the client whose request opened a line, as [`network`] gives it; 0 for a line that is over.
    pub fn network(&self, id: LineId) -> u64 {
        self.line(id).map_or(0, Line::network)
    }

    // -- opening and joining -------------------------------------------------------------------------------------

    /// Opens a line for an exchange that goes live. Its client has [`Limits::join_window`] to join.
    ///
    /// # Errors
    ///
    /// [`TooManyLines`] if the visitor's session has [`Limits::lines_per_session`] lines, or the network of the
    /// visitor's address [`Limits::lines_per_address`].
    pub fn open(&mut self, opening: Opening) -> Result<LineId, TooManyLines> {
        let Opening { owner, exchange, visitor, token } = opening;
        if !self.quota.admit(&visitor) {
            return Err(TooManyLines);
        }
        let entry = self.lines.vacant_entry();
        let id = LineId::new(self.next_line, entry.key());
        self.next_line += 1;
        let until = self.now + self.limits.join_window;
        let mut line = Line::new(owner, exchange, visitor, token, (self.now, until));
        self.deadlines.file(id, until, &mut line.filed);
        entry.insert((id, line));
        self.tokens.insert(token, id.index());
        self.stats.opened += 1;
        Ok(id)
    }

    /// A client joins the line that the token names.
    ///
    /// # Errors
    ///
    /// After an error the line is as it was.
    ///
    /// - [`JoinError::Unknown`]: the token names no line, or one that was joined already.
    /// - [`JoinError::Origin`]: [`Limits::origins`] does not allow the origin of the caller's page.
    /// - [`JoinError::Visitor`]: the caller is not the visitor whose request opened the line.
    pub fn join(
        &mut self,
        token: Token,
        transport: TransportKind,
        caller: Caller<'_>,
    ) -> Result<Attachment, JoinError> {
        let (id, line) = self.claim(token, caller)?;
        if !line.is_joinable() {
            return Err(JoinError::Unknown);
        }
        self.connect(id, |line, cx| Some(line.join(id, transport, cx)))
    }

    /// A client resumes its line after a loss. `token` is the one of the last welcome that the client received, `fresh`
    /// the one of the welcome that it receives now, `after` the number of the last frame that it has.
    ///
    /// # Errors
    ///
    /// After an error the line is as it was.
    ///
    /// - [`JoinError::Unknown`]: the token names no line, or one whose frames are not numbered, or the line has sent no
    ///   frame with the number `after`.
    /// - [`JoinError::Origin`], [`JoinError::Visitor`]: as for [`Engine::join`].
    pub fn resume(
        &mut self,
        token: Token,
        fresh: Token,
        after: u64,
        caller: Caller<'_>,
    ) -> Result<Attachment, JoinError> {
        let (id, line) = self.claim(token, caller)?;
        if !line.is_resumable() {
            return Err(JoinError::Unknown);
        }
        let attachment = self.connect(id, |line, cx| line.resume(id, (token, fresh), after, cx))?;
        self.stats.resumed += 1;
        Ok(attachment)
    }

    /// The HTTP answer itself carries the line. `None`: another connection joined it meanwhile.
    pub fn attach(&mut self, id: LineId, transport: TransportKind) -> Option<Attachment> {
        self.line(id).filter(|line| line.is_joinable())?;
        self.connect(id, |line, cx| Some(line.attach(id, transport, cx))).ok()
    }

    /// Who receives the events of a line; `None` of one that is over.
    pub fn owner(&self, id: LineId) -> Option<OwnerId> {
        self.line(id).map(|line| line.owner)
    }

    /// Runs an input that gives a line a new connection.
    fn connect(
        &mut self,
        id: LineId,
        input: impl FnOnce(&mut Line, Context<'_>) -> Option<(Attachment, Outcome)>,
    ) -> Result<Attachment, JoinError> {
        let mut attachment = Err(JoinError::Unknown);
        self.with(id, |line, cx| match input(line, cx) {
            Some((connected, outcome)) => {
                attachment = Ok(connected);
                outcome
            }
            None => Outcome::Keep,
        });
        attachment
    }

    /// The connection of a client that receives events and sends by POST, with the same token.
    ///
    /// # Errors
    ///
    /// - [`JoinError::Ended`]: the line ended less than [`Limits::close_grace`] ago.
    /// - [`JoinError::Unknown`]: the token names no line, or one whose client did not join with
    ///   [`TransportKind::Events`] and this token.
    /// - [`JoinError::Origin`], [`JoinError::Visitor`]: as for [`Engine::join`].
    pub fn sender(&mut self, token: Token, caller: Caller<'_>) -> Result<Attachment, JoinError> {
        if self.recently_closed.visitor(&token).is_some_and(|known| known.is_same(caller.visitor))
            && self.allows(caller.origin, caller.host)
        {
            return Err(JoinError::Ended);
        }
        let (id, line) = self.claim(token, caller)?;
        if line.sender_token() == Some(token) { Ok(line.attachment(id)) } else { Err(JoinError::Unknown) }
    }

    /// Checks whether a client may use a token. The token can still be used afterwards.
    ///
    /// # Errors
    ///
    /// - [`JoinError::Unknown`]: the token names no line.
    /// - [`JoinError::Origin`], [`JoinError::Visitor`]: as for [`Engine::join`].
    pub fn expects(&mut self, token: Token, caller: Caller<'_>) -> Result<(), JoinError> {
        self.claim(token, caller).map(drop)
    }

    /// Whether pages of an origin may use lines. `host` is the origin that the request was for, or `HOST:PORT` alone.
    pub fn allows(&self, origin: Option<&str>, host: Option<&str>) -> bool {
        self.limits.origins.allow(origin, host)
    }

    fn claim(&mut self, token: Token, caller: Caller<'_>) -> Result<(LineId, &mut Line), JoinError> {
        let id = self.tokens.line(token, &self.lines).ok_or(JoinError::Unknown)?;
        if !self.allows(caller.origin, caller.host) {
            return Err(JoinError::Origin);
        }
        let line = self.line_mut(id).ok_or(JoinError::Unknown)?;
        if line.visitor.is_same(caller.visitor) { Ok((id, line)) } else { Err(JoinError::Visitor) }
    }

    // -- time, and all lines together ----------------------------------------------------------------------------

    /// The earliest time at which [`Engine::tick`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        [self.deadlines.next(), self.recently_closed.deadline(), self.channels.next_announcement()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Time has passed: ends lines whose time is over, sends pings and collected announcements.
    pub fn tick(&mut self) {
        self.recently_closed.expire(self.now);
        let (mut expired, most) = (0, MAX_EXPIRATIONS * self.lines.len());
        while let Some((filed, due)) = self.deadlines.due(self.now) {
            for id in due {
                expired += usize::from(self.check_deadline(id, filed));
                debug_assert!(expired <= most, "{id} has a deadline that has passed, and goes on");
            }
        }
        while let Some(outcome) = self.channels.announce_due(self.now) {
            self.carry_out(outcome);
        }
    }

    /// The time of the bucket has come in which a line was filed. Returns whether the line's deadline has passed.
    fn check_deadline(&mut self, id: LineId, bucket: Filed) -> bool {
        let Engine { lines, limits, deadlines, now, .. } = self;
        let Some((_, line)) =
            lines.get_mut(id.index()).filter(|(known, line)| *known == id && line.filed == bucket)
        else {
            return false;
        };
        line.filed = 0;
        match line.deadline(limits) {
            Some(at) if at <= *now => {
                self.with(id, |line, cx| line.expired(cx));
                return true;
            }
            Some(at) => deadlines.file(id, at, &mut line.filed),
            None => {}
        }
        false
    }

    /// Gauges and counters of all lines.
    pub fn stats(&self) -> Stats {
        let mut stats = self.stats.clone();
        for (_, (_, line)) in &self.lines {
            match line.state() {
                LineState::Joining => stats.joining += 1,
                LineState::Open => stats.open += 1,
                LineState::Away => stats.away += 1,
            }
            stats.queued_bytes += line.queued_bytes() as u64;
        }
        (stats.channels, stats.members) = self.channels.count();
        stats.channel_queued_bytes = self.channels.queued();
        stats
    }

    /// Whether there are no lines, in any stage, and no channels.
    pub fn is_empty(&self) -> bool {
        debug_assert!(!self.lines.is_empty() || self.tokens.is_empty(), "every token names a line");
        debug_assert!(!self.lines.is_empty() || self.quota.is_empty(), "every counted visitor has a line");
        debug_assert!(
            !self.lines.is_empty() || self.queued.is_empty(),
            "every counted byte waits for a line"
        );
        self.lines.is_empty() && self.channels.is_empty()
    }

    // -- one line ------------------------------------------------------------------------------------------------

    fn line(&self, id: LineId) -> Option<&Line> {
        self.lines.get(id.index()).filter(|(known, _)| *known == id).map(|(_, line)| line)
    }

    fn line_mut(&mut self, id: LineId) -> Option<&mut Line> {
        self.lines.get_mut(id.index()).filter(|(known, _)| *known == id).map(|(_, line)| line)
    }

    /// Runs one input on one line, and what follows from it for other lines.
    fn with(&mut self, id: LineId, input: impl FnOnce(&mut Line, Context<'_>) -> Outcome) {
        self.apply(id, input);
        self.depart();
    }

    /// Runs one input on one line, and what follows from it for that line: deadlines, tokens, actions.
    fn apply(&mut self, id: LineId, input: impl FnOnce(&mut Line, Context<'_>) -> Outcome) {
        let Engine { lines, limits, tokens, queued, now, .. } = self;
        let Some((_, line)) = lines.get_mut(id.index()).filter(|(known, _)| *known == id) else { return };
        let (before, held) = (line.tokens(), line.own_bytes());
        let outcome = input(line, Context { now: *now, limits });
        queued.changed(|| line.network(), held, line.own_bytes());
        if line.tokens() != before {
            before.into_iter().flatten().for_each(|token| tokens.remove(token, id.index()));
            line.tokens().into_iter().flatten().for_each(|token| tokens.insert(token, id.index()));
        }
        self.conclude(id, outcome);
    }

    /// Enqueues a frame on one line. `budget` is how many bytes may wait for its client. Returns whether the line is to be
    /// woken, which is left to the caller.
    fn enqueue(&mut self, id: LineId, frame: QueuedFrame, budget: impl FnOnce(&Limits) -> usize) -> bool {
        let Engine { lines, limits, queued, stats, now, .. } = self;
        let Some((_, line)) = lines.get_mut(id.index()).filter(|(known, _)| *known == id) else {
            return false;
        };
        let (held, own, whole) = (line.own_bytes(), frame.own_cost(), budget(limits));
        let budget = match own {
            // A channel's message.
            0 => Budget::Whole(whole),
            own => queued.budget(|| line.network(), (held, own), whole),
        };
        let outcome = line.send(frame, budget, Context { now: *now, limits });
        if own > 0 || held > 0 {
            queued.changed(|| line.network(), held, line.own_bytes());
        }
        match outcome {
            // A frame changes neither tokens nor deadlines unless it is too much.
            Outcome::Wake | Outcome::Keep => {
                stats.count(&mut line.counters);
                matches!(outcome, Outcome::Wake)
            }
            _ => {
                self.conclude(id, outcome);
                false
            }
        }
    }

    /// Carries out what follows from an input for its line.
    fn conclude(&mut self, id: LineId, outcome: Outcome) {
        let Engine { lines, limits, deadlines, stats, actions, .. } = self;
        let Some((_, line)) = lines.get_mut(id.index()).filter(|(known, _)| *known == id) else { return };
        if let Some(at) = line.deadline(limits) {
            deadlines.file(id, at, &mut line.filed);
        }
        stats.count(&mut line.counters);
        let (owner, exchange) = (line.owner, line.exchange);
        if (line.is_ending() || matches!(outcome, Outcome::Remove(_))) && self.channels.contains(id) {
            self.departing.push(id);
        }
        let dispatch = |event| Action::Dispatch { owner, exchange, line: id, event };
        match outcome {
            Outcome::Keep => {}
            Outcome::Wake => actions.push(Action::Wake(id)),
            Outcome::Opened => actions.extend([dispatch(Event::Opened), Action::Wake(id)]),
            Outcome::Drained { stale } => actions.push(dispatch(Event::Drained { stale })),
            Outcome::Cut(close) => actions.extend([dispatch(Event::Closed(close)), Action::Wake(id)]),
            Outcome::Remove(close) => {
                self.remove(id, close.as_ref());
                self.actions.extend(close.map(|close| dispatch(Event::Closed(close))));
                self.actions.push(Action::Wake(id));
            }
        }
    }

    /// Drops a line. `close` is how it ended if its owner did not end it.
    fn remove(&mut self, id: LineId, close: Option<&Close>) {
        let (_, line) = self.lines.remove(id.index());
        self.queued.changed(|| line.network(), line.own_bytes(), 0);
        line.tokens().into_iter().flatten().for_each(|token| self.tokens.remove(token, id.index()));
        self.quota.leave(&line.visitor);
        let close = close.or(line.ending()).cloned().unwrap_or_else(|| CloseCode::Abnormal.into());
        self.stats.closed(close.code);
        self.actions.push(Action::Ended(LineSummary {
            line: id,
            owner: line.owner,
            exchange: line.exchange,
            close,
            lasted: self.now.saturating_duration_since(line.began),
            frames_in: line.counters.frames_in,
            frames_out: line.counters.frames_out,
        }));
        if let Some(token) = line.sender_token() {
            self.recently_closed.remember(token, line.visitor, self.now + self.limits.close_grace);
        }
        if self.lines.is_empty() && self.lines.capacity() > KEPT_CAPACITY {
            self.lines.shrink_to_fit();
            self.tokens.shrink_to_fit();
        }
    }
}

#[cfg(test)]
impl Engine {
    /// The connection of a line, or the number before that of its first one.
    pub(crate) fn attachment(&self, id: LineId) -> Attachment {
        self.line(id).map_or(Attachment { line: id, number: 0 }, |line| line.attachment(id))
    }

    /// For how many lines there is room.
    pub(crate) fn capacity(&self) -> usize {
        self.lines.capacity()
    }

    /// Bytes that all lines of a channel have queued together.
    pub(crate) fn queued_in(&self, channel: &crate::ChannelId) -> usize {
        self.channels.queued_in(channel)
    }

    /// Bytes that a line keeps for its client.
    pub(crate) fn kept_bytes(&self, id: LineId) -> usize {
        self.line(id).map_or(0, Line::kept_bytes)
    }
}

#[cfg(test)]
mod tests;
