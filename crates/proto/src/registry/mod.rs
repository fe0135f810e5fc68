//! All live lines of the process.

use std::time::{Duration, Instant};

use std::collections::HashMap;

use slab::Slab;

use self::deadlines::Deadlines;
use self::quota::LineQuota;
use self::recently_closed::RecentlyClosed;
use crate::channel::{self, Channels, Relay, RelayDecision, may_say};
use crate::line::{InboundMessage, Line, LineState, Outcome, is_reserved};
use crate::{
    Attachment, ChannelId, Close, CloseCode, Event, ExchangeId, JoinOptions, LineId, Listening, Message,
    Origins, Outgoing, OwnerId, Payloads, Presence, QueuedFrame, Take, Token, Transport, Visitor,
};
use crate::{FRAME_COST, Frame, envelope};

mod deadlines;
mod quota;
mod recently_closed;
mod stats;

pub(crate) use self::deadlines::Filed;
pub use self::quota::network;
pub use self::stats::{LineSummary, Stats};

/// What a stranger may use up.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long a client has to join its line.
    pub join_window: Duration,
    /// How long a client has to read the rest of a finished line, and then to answer the close frame.
    pub close_grace: Duration,
    /// How long a line waits for a client that lost its connection and can come again.
    pub resume_window: Duration,
    /// After so long without a sign of life a client is asked for one. Zero: never.
    pub ping_interval: Duration,
    /// After so long without one it is gone.
    pub ping_timeout: Duration,
    /// Bytes that may wait in each direction of a line.
    pub queue_bytes: usize,
    /// Bytes that may wait for all lines of a channel in sum, before those with more than their share are too slow.
    pub channel_queue_bytes: usize,
    /// What happens to messages for a client that reads too slowly.
    pub overflow: Overflow,
    /// Lines that one session may have at a time; 0 for any number.
    pub lines_per_session: usize,
    /// The same for the address that they were opened from.
    pub lines_per_address: usize,
    /// Pages that may join from a browser, besides the server's own.
    pub origins: Origins,
}

/// The limits of the command line without options, but no heartbeats.
impl Default for Limits {
    fn default() -> Limits {
        Limits {
            join_window: Duration::from_secs(30),
            close_grace: Duration::from_secs(5),
            resume_window: Duration::from_secs(30),
            ping_interval: Duration::ZERO,
            ping_timeout: Duration::from_secs(60),
            queue_bytes: 1 << 20,
            channel_queue_bytes: 128 << 20,
            overflow: Overflow::Close,
            lines_per_session: 1000,
            lines_per_address: 1000,
            origins: Origins::default(),
        }
    }
}

/// Room for so many lines is kept when there are none.
const MANY: usize = 1024;

/// What each line of a channel may always have queued, however much waits for the others: twice what a client that can
/// come again leaves unconfirmed, of small messages.
const MIN_SHARE: usize = 64 * FRAME_COST;

/// What happens when more messages wait for a client than its queue may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// The line closes with 1013.
    Close,
    /// The oldest messages that wait are dropped.
    DropOldest,
    /// The new message is dropped.
    DropNewest,
}

/// What is known when a line is opened.
#[derive(Debug)]
pub struct Opening {
    pub owner: OwnerId,
    pub exchange: ExchangeId,
    pub visitor: Visitor,
    /// Fresh random bits.
    pub token: Token,
}

/// What the driver has to do.
#[derive(Debug)]
pub enum Action {
    /// The line's socket should ask [`Engine::take`] and [`Engine::may_read`] again.
    Wake(LineId),
    /// Put the event into the owner's mailbox.
    Tell { owner: OwnerId, exchange: ExchangeId, line: LineId, event: Event },
    /// The line is over. Nobody has to do anything; it may be noted.
    Over(LineSummary),
}

/// Why a socket may not join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// Never given out, joined before, or too late.
    #[error("no such line, or it was joined already")]
    Unknown,
    /// It was the visitor's, until a moment ago.
    #[error("the line has just ended")]
    Ended,
    #[error("this page's origin may not join lines of this server")]
    Origin,
    #[error("the line belongs to another visitor")]
    Visitor,
}

/// The visitor has as many lines as one may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many live lines are open for this visitor")]
pub struct TooManyLines;

/// The registry of lines. See the module's invariant: time comes in as an argument, work goes out as actions.
#[derive(Debug)]
pub struct Engine {
    limits: Limits,
    lines: Slab<(LineId, Line)>,
    tokens: HashMap<Token, LineId>,
    wheel: Deadlines,
    channels: Channels,
    crowd: LineQuota,
    /// Lines that are over and have still to leave their channels.
    departing: Vec<LineId>,
    ended: RecentlyClosed,
    next: u64,
    stats: Stats,
}

impl Engine {
    /// An engine without lines. `now` is the earliest time that it will hear of.
    pub fn new(limits: Limits, now: Instant) -> Engine {
        let crowd = LineQuota::new(limits.lines_per_session, limits.lines_per_address);
        let (lines, tokens, channels, departing, ended) = Default::default();
        let stats = Stats::default();
        Engine {
            limits,
            lines,
            tokens,
            wheel: Deadlines::new(now),
            channels,
            crowd,
            departing,
            ended,
            next: 0,
            stats,
        }
    }

    /// A line for an exchange that goes live. Its client may join until the window is over.
    pub fn open(&mut self, opening: Opening, now: Instant) -> Result<LineId, TooManyLines> {
        let Opening { owner, exchange, visitor, token } = opening;
        if !self.crowd.admit(&visitor) {
            return Err(TooManyLines);
        }
        let entry = self.lines.vacant_entry();
        let id = LineId::new(self.next, entry.key());
        self.next += 1;
        let until = now + self.limits.join_window;
        let mut line = Line::new(owner, exchange, visitor, token, (now, until));
        self.wheel.file(id, until, &mut line.filed);
        entry.insert((id, line));
        self.tokens.insert(token, id);
        self.stats.opened += 1;
        Ok(id)
    }

    /// A client comes with a token. Only the right visitor joins; any other attempt leaves the line as it was.
    pub fn join(
        &mut self,
        token: Token,
        carrier: Transport,
        visitor: &Visitor,
        (origin, host): (Option<&str>, Option<&str>),
        now: Instant,
        actions: &mut Vec<Action>,
    ) -> Result<Attachment, JoinError> {
        let (id, line) = self.claim(token, visitor, (origin, host))?;
        if !line.is_joinable() {
            return Err(JoinError::Unknown);
        }
        self.seat(id, now, actions, |line, limits| Some(line.join(id, carrier, now, limits)))
    }

    /// A client comes again after a loss, with the token of its last welcome and the number of the last frame it has.
    pub fn resume(
        &mut self,
        (token, fresh): (Token, Token),
        after: u64,
        visitor: &Visitor,
        (origin, host): (Option<&str>, Option<&str>),
        now: Instant,
        actions: &mut Vec<Action>,
    ) -> Result<Attachment, JoinError> {
        let (id, line) = self.claim(token, visitor, (origin, host))?;
        if !line.is_resumable() {
            return Err(JoinError::Unknown);
        }
        let seat =
            self.seat(id, now, actions, |line, limits| line.resume(id, (token, fresh), after, now, limits))?;
        self.stats.resumed += 1;
        Ok(seat)
    }

    /// Runs what gives a line a new connection.
    fn seat(
        &mut self,
        id: LineId,
        now: Instant,
        actions: &mut Vec<Action>,
        sit: impl FnOnce(&mut Line, &Limits) -> Option<(Attachment, Outcome)>,
    ) -> Result<Attachment, JoinError> {
        let mut seat = Err(JoinError::Unknown);
        self.with(id, now, actions, |line, limits| match sit(line, limits) {
            Some((taken, outcome)) => {
                seat = Ok(taken);
                outcome
            }
            None => Outcome::Keep,
        });
        seat
    }

    /// The line that a client who listens to its events sends to.
    pub fn sender(
        &mut self,
        token: Token,
        visitor: &Visitor,
        (origin, host): (Option<&str>, Option<&str>),
    ) -> Result<Attachment, JoinError> {
        if self.ended.visitor(&token).is_some_and(|known| known.is_same(visitor))
            && self.limits.origins.allow(origin, host)
        {
            return Err(JoinError::Ended);
        }
        let (id, line) = self.claim(token, visitor, (origin, host))?;
        if line.sender_token() == Some(token) { Ok(line.current_seat(id)) } else { Err(JoinError::Unknown) }
    }

    /// Whether a client may come with a token.
    pub fn expects(
        &mut self,
        token: Token,
        visitor: &Visitor,
        from: (Option<&str>, Option<&str>),
    ) -> Result<(), JoinError> {
        self.claim(token, visitor, from).map(drop)
    }

    fn claim(
        &mut self,
        token: Token,
        visitor: &Visitor,
        (origin, host): (Option<&str>, Option<&str>),
    ) -> Result<(LineId, &mut Line), JoinError> {
        let id = *self.tokens.get(&token).ok_or(JoinError::Unknown)?;
        if !self.limits.origins.allow(origin, host) {
            return Err(JoinError::Origin);
        }
        let line = self.line_mut(id).ok_or(JoinError::Unknown)?;
        if line.visitor.is_same(visitor) { Ok((id, line)) } else { Err(JoinError::Visitor) }
    }

    /// The HTTP answer carries the line, unless somebody joined it meanwhile.
    pub fn attach(
        &mut self,
        id: LineId,
        carrier: Transport,
        now: Instant,
        actions: &mut Vec<Action>,
    ) -> Option<Attachment> {
        self.line(id).filter(|line| line.is_joinable())?;
        self.seat(id, now, actions, |line, limits| Some(line.attach(id, carrier, now, limits))).ok()
    }

    /// The handler's side sends a frame.
    pub fn send(&mut self, id: LineId, parcel: QueuedFrame, now: Instant, actions: &mut Vec<Action>) {
        self.with(id, now, actions, |line, limits| line.send(parcel, limits.queue_bytes, now, limits));
    }

    /// The owner of a raw line hears its client from now on.
    pub fn accept(&mut self, id: LineId, now: Instant, actions: &mut Vec<Action>) {
        self.with(id, now, actions, |line, _| line.accept());
    }

    /// Bytes that may wait in each direction of a line.
    pub fn queue_bytes(&self) -> usize {
        self.limits.queue_bytes
    }

    /// How many bytes wait to be written.
    pub fn waiting(&self, id: LineId) -> usize {
        self.line(id).map_or(0, Line::waiting)
    }

    /// Whether pages of an origin may use lines.
    pub fn allows(&self, (origin, host): (Option<&str>, Option<&str>)) -> bool {
        self.limits.origins.allow(origin, host)
    }

    /// Whether a handler that sends on this line had better wait until it hears [`Event::Drained`], or of its end.
    pub fn is_congested(&self, id: LineId) -> bool {
        self.line(id).is_none_or(|line| line.is_congested(&self.limits))
    }

    /// The same, and if so, it will.
    pub fn waits(&mut self, id: LineId) -> bool {
        let waits = self.is_congested(id);
        if let Some(line) = self.line_mut(id).filter(|_| waits) {
            line.is_awaited();
        }
        waits
    }

    /// The handler's side sends the states in full from here on, as [`Event::Drained`] asked for.
    pub fn refreshed(&mut self, id: LineId) {
        if let Some(line) = self.line_mut(id) {
            line.refreshed();
        }
    }

    /// The handler's side is finished: write what waits, then close.
    pub fn finish(&mut self, id: LineId, close: Close, now: Instant, actions: &mut Vec<Action>) {
        self.with(id, now, actions, |line, limits| line.finish(close, now, limits));
    }

    /// The response had its last frame; the client is told so, and the line stays.
    pub fn done(&mut self, id: LineId, now: Instant, actions: &mut Vec<Action>) {
        self.with(id, now, actions, |line, _| line.done());
    }

    /// The handler has said all: the client is told so, then the line closes normally.
    pub fn complete(&mut self, id: LineId, now: Instant, actions: &mut Vec<Action>) {
        self.with(id, now, actions, |line, limits| line.complete(now, limits));
    }

    /// The host ends the line at once.
    pub fn cut(&mut self, id: LineId, close: Close, now: Instant, actions: &mut Vec<Action>) {
        self.with(id, now, actions, |line, limits| line.cut(close, now, limits));
    }

    /// The host ends every line at once.
    pub fn cut_all(&mut self, code: CloseCode, now: Instant, actions: &mut Vec<Action>) {
        self.cut_those(|_| true, code, now, actions);
    }

    /// An owner is gone: its lines end at once, but for those that it had finished.
    pub fn disown(&mut self, owner: OwnerId, code: CloseCode, now: Instant, actions: &mut Vec<Action>) {
        self.cut_those(|line| line.owner == owner && !line.is_ending(), code, now, actions);
    }

    /// All of them end before any other hears of it.
    fn cut_those(
        &mut self,
        which: impl Fn(&Line) -> bool,
        code: CloseCode,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let those = self.lines.iter().filter(|(_, (_, line))| which(line));
        let those: Vec<LineId> = those.map(|(_, (id, _))| *id).collect();
        for id in those {
            self.apply(id, now, actions, |line, limits| line.cut(code.into(), now, limits));
        }
        self.depart(now, actions);
    }

    // -- connections ---------------------------------------------------------------------------------------------

    /// A text frame came from the client.
    pub fn receive(&mut self, seat: Attachment, text: &str, now: Instant, actions: &mut Vec<Action>) {
        if !self.is_current(seat) {
            return;
        }
        self.took_in(seat.line, text.len());
        let mut said = None;
        self.with(seat.line, now, actions, |line, limits| {
            let outcome;
            (outcome, said) = line.receive(text, now, limits);
            outcome
        });
        if let Some(said) = said {
            self.said(seat.line, said, now, actions);
        }
    }

    /// A message came on a raw socket.
    pub fn receive_raw(&mut self, seat: Attachment, frame: Frame, now: Instant, actions: &mut Vec<Action>) {
        if !self.is_current(seat) {
            return;
        }
        self.took_in(seat.line, frame.len());
        if let Some(event) = self.line_mut(seat.line).and_then(|line| line.receive_raw(frame, now))
            && let Event::Data { size, .. } = event
        {
            self.tell(seat.line, event, size, actions);
        }
    }

    fn took_in(&mut self, id: LineId, bytes: usize) {
        self.stats.frames_in += 1;
        self.stats.bytes_in += bytes as u64;
        if let Some(line) = self.line_mut(id) {
            line.tally.frames_in += 1;
        }
    }

    /// The client gave a sign of life that says nothing.
    pub fn alive(&mut self, seat: Attachment, now: Instant) {
        if let Some(line) = self.line_mut(seat.line).filter(|line| line.is_at(seat)) {
            line.alive(now);
        }
    }

    /// The connection's client broke the rules.
    pub fn cut_at(&mut self, seat: Attachment, close: Close, now: Instant, actions: &mut Vec<Action>) {
        if self.is_current(seat) {
            self.with(seat.line, now, actions, |line, limits| line.break_off(close, now, limits));
        }
    }

    /// The connection is gone, `close` says how.
    pub fn socket_closed(&mut self, seat: Attachment, close: Close, now: Instant, actions: &mut Vec<Action>) {
        if self.is_current(seat) {
            self.with(seat.line, now, actions, |line, limits| line.socket_closed(close, now, limits));
        }
    }

    /// What the connection should write next, about `bytes` of it, into `into`.
    pub fn take(&mut self, seat: Attachment, bytes: usize, now: Instant, into: &mut Vec<Outgoing>) -> Take {
        let Engine { lines, limits, wheel, stats, .. } = self;
        let Some((id, line)) =
            lines.get_mut(seat.line.index()).filter(|(id, line)| *id == seat.line && line.is_at(seat))
        else {
            return Take::Gone;
        };
        let said = into.len();
        let take = line.take(bytes, now, limits, into);
        if matches!(take, Take::Close(_))
            && let Some(at) = line.deadline(limits)
        {
            wheel.file(*id, at, &mut line.filed);
        }
        stats.frames_out += (into.len() - said) as u64;
        line.tally.frames_out += (into.len() - said) as u32;
        stats.bytes_out += into[said..].iter().map(Outgoing::payload_len).sum::<usize>() as u64;
        stats.pings += u64::from(std::mem::take(&mut line.tally.pings));
        take
    }

    /// The connection has written all that it took.
    pub fn written(&mut self, seat: Attachment, now: Instant, actions: &mut Vec<Action>) {
        if self.is_current(seat) {
            self.with(seat.line, now, actions, |line, limits| line.written(limits));
        }
    }

    /// Whether the connection should read now. Of a line that is gone nobody is behind.
    pub fn may_read(&self, seat: Attachment) -> bool {
        self.line(seat.line).is_none_or(|line| line.may_read(&self.limits))
    }

    /// The owner handled `size` bytes of the client's messages.
    pub fn heard(&mut self, id: LineId, size: usize, now: Instant, actions: &mut Vec<Action>) {
        self.apply(id, now, actions, |line, limits| line.heard(size, now, limits));
    }

    /// Whether the connection carries its line now.
    pub fn is_current(&self, seat: Attachment) -> bool {
        self.line(seat.line).is_some_and(|line| line.is_at(seat))
    }

    // -- time, and what all lines are --------------------------------------------------------------------------

    /// The earliest time at which [`Engine::tick`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        [self.wheel.next(), self.ended.deadline(), self.channels.next_announcement()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.ended.forget(now);
        while let Some((filed, due)) = self.wheel.due(now) {
            for id in due {
                self.look_at(id, filed, now, actions);
            }
        }
        while let Some(outcome) = self.channels.announce_due(now) {
            self.pass_on(outcome, now, actions);
            self.depart(now, actions);
        }
    }

    /// A line's bucket has come.
    fn look_at(&mut self, id: LineId, bucket: u64, now: Instant, actions: &mut Vec<Action>) {
        let Engine { lines, limits, wheel, .. } = self;
        let Some((_, line)) =
            lines.get_mut(id.index()).filter(|(known, line)| *known == id && line.filed == bucket)
        else {
            return;
        };
        line.filed = 0;
        match line.deadline(limits) {
            Some(at) if at <= now => self.with(id, now, actions, |line, limits| line.expired(now, limits)),
            Some(at) => wheel.file(id, at, &mut line.filed),
            None => {}
        }
    }

    /// What all lines together are and did.
    pub fn stats(&self) -> Stats {
        let mut stats = self.stats.clone();
        for (_, (_, line)) in &self.lines {
            match line.standing() {
                LineState::Joining => stats.joining += 1,
                LineState::Open => stats.open += 1,
                LineState::Away => stats.away += 1,
            }
            stats.queued_bytes += line.waiting() as u64;
        }
        (stats.channels, stats.members) = self.channels.count();
        stats.channel_queued_bytes = self.channels.queued();
        stats
    }

    /// The `count` channels with the most members, the largest first.
    pub fn largest_channels(&self, count: usize) -> Vec<(ChannelId, usize)> {
        self.channels.largest(count)
    }

    /// Whether there are no lines, in any stage.
    pub fn is_empty(&self) -> bool {
        debug_assert!(!self.lines.is_empty() || self.tokens.is_empty(), "every token means a line");
        debug_assert!(!self.lines.is_empty() || self.crowd.is_empty(), "everybody who counts has a line");
        self.lines.is_empty() && self.channels.is_empty()
    }

    /// The connection of a line, or what would be its next.
    #[cfg(test)]
    pub(crate) fn seat_now(&self, id: LineId) -> Attachment {
        self.line(id).map_or(Attachment { line: id, number: 0 }, |line| line.current_seat(id))
    }

    /// For how many lines there is room.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.lines.capacity()
    }

    /// Bytes that all lines of a channel have queued in sum.
    #[cfg(test)]
    pub(crate) fn queued_in(&self, channel: &ChannelId) -> usize {
        self.channels.queued_in(channel)
    }

    /// Bytes that a line keeps for its client.
    #[cfg(test)]
    pub(crate) fn kept(&self, id: LineId) -> usize {
        self.line(id).map_or(0, Line::kept)
    }

    fn line(&self, id: LineId) -> Option<&Line> {
        self.lines.get(id.index()).filter(|(known, _)| *known == id).map(|(_, line)| line)
    }

    fn line_mut(&mut self, id: LineId) -> Option<&mut Line> {
        self.lines.get_mut(id.index()).filter(|(known, _)| *known == id).map(|(_, line)| line)
    }

    // -- channels ------------------------------------------------------------------------------------------------

    /// The line's handler lets its client into a channel. A client that is in it already stays as it is.
    pub fn enter(
        &mut self,
        id: LineId,
        channel: ChannelId,
        entry: JoinOptions,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let Some((_, line)) =
            self.lines.get(id.index()).filter(|(known, line)| *known == id && !line.is_ending())
        else {
            return;
        };
        self.channels.enter(channel, id, line.visitor.session.as_deref(), entry);
        self.depart(now, actions);
    }

    /// The line leaves a channel.
    pub fn leave(&mut self, id: LineId, channel: &ChannelId, now: Instant, actions: &mut Vec<Action>) {
        self.channels.leave(channel, id);
        self.depart(now, actions);
    }

    /// The line's handler listens from now on.
    pub fn listen(&mut self, id: LineId, channel: &ChannelId, to: Listening) {
        self.channels.listen(channel, id, to);
    }

    /// The line's handler has decided what the others hear of its client's message.
    pub fn relay(
        &mut self,
        id: LineId,
        channel: &ChannelId,
        message: Message,
        wording: Payloads,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        self.settle(channel, now, actions);
        let outcome = self.channels.relay(channel, id, message, wording);
        self.spread(outcome, now, actions);
    }

    /// A handler speaks to every client in a channel.
    pub fn post(&mut self, channel: &ChannelId, frame: &Frame, now: Instant, actions: &mut Vec<Action>) {
        self.settle(channel, now, actions);
        let outcome = self.channels.post(channel, frame);
        self.spread(outcome, now, actions);
    }

    /// Who is in a channel, as `line` sees them.
    pub fn members(&self, channel: &ChannelId, line: Option<LineId>) -> Vec<Presence> {
        self.channels.members(channel, line)
    }

    /// How many members a channel has.
    pub fn channel_size(&self, channel: &ChannelId) -> usize {
        self.channels.size(channel)
    }

    /// A client said this before its handler had let it into the channel that it is addressed to.
    pub fn repeat(&mut self, id: LineId, said: InboundMessage, now: Instant, actions: &mut Vec<Action>) {
        self.said(id, said, now, actions);
        self.depart(now, actions);
    }

    /// A client said something: to the others in a channel, to its handler, or in answer to a question.
    fn said(&mut self, id: LineId, said: InboundMessage, now: Instant, actions: &mut Vec<Action>) {
        let InboundMessage { kind, event_id, payload, ports, size } = said;
        if let Some((channel, subtype)) = self.channels.addressed(id, &kind) {
            if is_reserved(&kind) || !may_say(subtype) {
                return;
            }
            let Some(RelayDecision { member, relay, heard }) = self.channels.passage(&channel, id, subtype)
            else {
                return;
            };
            let message = Message { kind: subtype, event_id: &event_id, size };
            match relay {
                Relay::ExchangeError => {}
                Relay::Free => {
                    self.relay(id, &channel, message, Payloads::Same(payload.clone()), now, actions);
                }
                Relay::Asked => {
                    let (kind, event_id, payload) = (subtype.to_owned(), event_id.clone(), payload.clone());
                    let event = Event::Relay { channel, kind, event_id, payload, member, size };
                    self.tell(id, event, size, actions);
                }
            }
            if !heard {
                return;
            }
        } else if let Some((request, port, kind)) = envelope::reply_address(&kind) {
            let (request, kind) = (request.to_owned(), kind.to_owned());
            return self.tell(id, Event::Reply { request, port, kind, payload, size }, size, actions);
        }
        if !is_reserved(&kind) {
            self.tell(id, Event::Message { kind, event_id, payload, ports, size }, size, actions);
        }
    }

    /// Tells a line's owner what its client said, which counts until it is handled. What it said to others may have been
    /// the end of its line.
    fn tell(&mut self, id: LineId, event: Event, size: usize, actions: &mut Vec<Action>) {
        let Some(line) = self.line_mut(id).filter(|line| !line.is_ending()) else { return };
        line.told(size);
        actions.push(Action::Tell { owner: line.owner, exchange: line.exchange, line: id, event });
    }

    /// Carries out what follows from an input of a channel.
    fn spread(&mut self, outcome: channel::Outcome, now: Instant, actions: &mut Vec<Action>) {
        self.pass_on(outcome, now, actions);
        self.depart(now, actions);
    }

    /// Who is in a channel hears of all changes before something else is said there.
    fn settle(&mut self, channel: &ChannelId, now: Instant, actions: &mut Vec<Action>) {
        if let Some(outcome) = self.channels.settle(channel, now) {
            self.spread(outcome, now, actions);
        }
    }

    fn pass_on(&mut self, outcome: channel::Outcome, now: Instant, actions: &mut Vec<Action>) {
        let Limits { queue_bytes, channel_queue_bytes, .. } = self.limits;
        let share = (channel_queue_bytes / outcome.seats.max(1)).max(MIN_SHARE).min(queue_bytes);
        for (id, frame) in outcome.frames {
            let is_over = frame.account().bytes() > channel_queue_bytes;
            let budget = if is_over { share } else { queue_bytes };
            self.apply(id, now, actions, |line, limits| line.send(frame.into_parcel(), budget, now, limits));
        }
        for (id, event) in outcome.events {
            // What was said may have been too much for who listens.
            if self.line(id).is_none_or(Line::is_ending) {
                continue;
            }
            // Whoever speaks waits for those who listen.
            if let Event::Overheard { from, size, .. } = &event
                && let Some(line) = self.line_mut(*from)
            {
                line.told(*size);
            }
            self.tell(id, event, 0, actions);
        }
    }

    /// Lines that are over leave their channels, and the others are told of all changes that they may be told of now.
    /// That may be the end of the next line.
    fn depart(&mut self, now: Instant, actions: &mut Vec<Action>) {
        loop {
            while let Some(id) = self.departing.pop() {
                self.channels.leave_all(id);
            }
            match self.channels.announce(now) {
                Some(outcome) => self.pass_on(outcome, now, actions),
                None => return,
            }
        }
    }

    // -- one line ------------------------------------------------------------------------------------------------

    /// Runs one input on one line, and what follows from it for others.
    fn with(
        &mut self,
        id: LineId,
        now: Instant,
        actions: &mut Vec<Action>,
        input: impl FnOnce(&mut Line, &Limits) -> Outcome,
    ) {
        self.apply(id, now, actions, input);
        self.depart(now, actions);
    }

    /// Runs one input on one line and settles what follows from it: deadlines, tokens, actions.
    fn apply(
        &mut self,
        id: LineId,
        now: Instant,
        actions: &mut Vec<Action>,
        input: impl FnOnce(&mut Line, &Limits) -> Outcome,
    ) {
        let Engine { lines, limits, tokens, wheel, stats, .. } = self;
        let Some((_, line)) = lines.get_mut(id.index()).filter(|(known, _)| *known == id) else { return };
        let before = line.tokens();
        let outcome = input(line, limits);
        if line.tokens() != before {
            for token in before.iter().flatten() {
                tokens.remove(token);
            }
            tokens.extend(line.tokens().into_iter().flatten().map(|token| (token, id)));
        }
        if let Some(at) = line.deadline(limits) {
            wheel.file(id, at, &mut line.filed);
        }
        stats.dropped += u64::from(std::mem::take(&mut line.tally.dropped));
        stats.coalesced += u64::from(std::mem::take(&mut line.tally.coalesced));
        let (owner, exchange) = (line.owner, line.exchange);
        if (line.is_ending() || matches!(outcome, Outcome::Remove(_))) && self.channels.contains(id) {
            self.departing.push(id);
        }
        let tell = |event| Action::Tell { owner, exchange, line: id, event };
        match outcome {
            Outcome::Keep => {}
            Outcome::Wake => actions.push(Action::Wake(id)),
            Outcome::Opened => actions.extend([tell(Event::Opened), Action::Wake(id)]),
            Outcome::Drained { stale } => actions.push(tell(Event::Drained { stale })),
            Outcome::Cut(close) => actions.extend([tell(Event::Closed(close)), Action::Wake(id)]),
            Outcome::Remove(close) => {
                self.remove(id, close.as_ref(), now, actions);
                actions.extend(close.map(|close| tell(Event::Closed(close))));
                actions.push(Action::Wake(id));
            }
        }
    }

    /// Forgets a line. `close` is how it ended if its owner did not end it.
    fn remove(&mut self, id: LineId, close: Option<&Close>, now: Instant, actions: &mut Vec<Action>) {
        let (_, line) = self.lines.remove(id.index());
        for token in line.tokens().iter().flatten() {
            self.tokens.remove(token);
        }
        self.crowd.leave(&line.visitor);
        let close = close.or(line.ending()).cloned().unwrap_or_else(|| CloseCode::Abnormal.into());
        self.stats.closed(close.code);
        actions.push(Action::Over(LineSummary {
            line: id,
            owner: line.owner,
            exchange: line.exchange,
            close,
            lasted: now.saturating_duration_since(line.began),
            frames_in: line.tally.frames_in,
            frames_out: line.tally.frames_out,
        }));
        if let Some(token) = line.sender_token() {
            self.ended.remember(token, line.visitor, now + self.limits.close_grace);
        }
        if self.lines.is_empty() && self.lines.capacity() > MANY {
            // What many needed is not kept for a few.
            self.lines.shrink_to_fit();
            self.tokens.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests;
