//! All live lines of the process.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::channels::{self, Channels, Passage, Relay, may_say};
use super::ended::Ended;
use super::line::{Line, Outcome, Said, is_reserved};
use super::{
    Carrier, ChannelId, Close, CloseCode, Entry, Event, ExchangeId, LineId, Listening, Message, Obituary,
    Origins, OwnerId, Presence, Stats, Take, Token, Visitor, Wording,
};
use crate::wire::{self, Frame};

/// What a stranger may use up.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long a client has to join its line.
    pub join_window: Duration,
    /// How long a client has to read the rest of a finished line, and then to answer the close frame.
    pub close_grace: Duration,
    /// Bytes that may wait in each direction of a line.
    pub queue_bytes: usize,
    /// Pages that may join from a browser, besides the server's own.
    pub origins: Origins,
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
    /// The line is over; for the log.
    Bury(Obituary),
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

/// The registry of lines. See the module's invariant: time comes in as an argument, work goes out as actions.
#[derive(Debug)]
pub struct Engine {
    limits: Limits,
    lines: HashMap<LineId, Line>,
    tokens: HashMap<Token, LineId>,
    deadlines: BTreeSet<(Instant, LineId)>,
    channels: Channels,
    /// Lines that are over and have still to leave their channels.
    departing: Vec<LineId>,
    ended: Ended,
    /// What has happened; how things stand is counted when asked.
    history: Stats,
    next: u64,
}

impl Engine {
    pub fn new(limits: Limits) -> Engine {
        let (lines, tokens, deadlines, channels, departing, ended, history) = Default::default();
        Engine { limits, lines, tokens, deadlines, channels, departing, ended, history, next: 0 }
    }

    /// A line for an exchange that goes live. Its client may join until the window is over.
    pub fn open(&mut self, opening: Opening, now: Instant) -> LineId {
        let Opening { owner, exchange, visitor, token } = opening;
        let id = LineId(self.next);
        self.next += 1;
        let until = now + self.limits.join_window;
        self.lines.insert(id, Line::new(owner, exchange, visitor, token, (now, until)));
        self.history.opened += 1;
        self.tokens.insert(token, id);
        self.deadlines.insert((until, id));
        id
    }

    /// A client comes with a token. Only the right visitor joins; any other attempt leaves the line as it was.
    pub fn join(
        &mut self,
        token: Token,
        carrier: Carrier,
        visitor: &Visitor,
        (origin, host): (Option<&str>, Option<&str>),
    ) -> Result<LineId, JoinError> {
        let (id, line) = self.claim(token, visitor, (origin, host))?;
        if !line.is_joinable() {
            return Err(JoinError::Unknown);
        }
        line.join(carrier);
        if line.token().is_none() {
            self.tokens.remove(&token);
        }
        Ok(id)
    }

    /// The line that a client who listens to its events sends to.
    pub fn sender(
        &mut self,
        token: Token,
        visitor: &Visitor,
        (origin, host): (Option<&str>, Option<&str>),
    ) -> Result<LineId, JoinError> {
        if self.ended.visitor(&token).is_some_and(|known| known.is_same(visitor))
            && self.limits.origins.allow(origin, host)
        {
            return Err(JoinError::Ended);
        }
        let (id, line) = self.claim(token, visitor, (origin, host))?;
        if line.is_joinable() { Err(JoinError::Unknown) } else { Ok(id) }
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
        let line = self.lines.get_mut(&id).ok_or(JoinError::Unknown)?;
        if line.visitor.is_same(visitor) { Ok((id, line)) } else { Err(JoinError::Visitor) }
    }

    /// The HTTP answer carries the line, unless somebody joined it meanwhile.
    pub fn attach(&mut self, id: LineId, now: Instant, actions: &mut Vec<Action>) -> bool {
        let attached = self.lines.get(&id).is_some_and(Line::is_joinable);
        self.with(id, now, actions, |line, limits| line.attach(now, limits));
        attached
    }

    /// The handler's side sends a frame.
    pub fn send(&mut self, id: LineId, frame: Frame, now: Instant, actions: &mut Vec<Action>) {
        self.with(id, now, actions, |line, limits| line.send(frame, now, limits));
    }

    /// The handler's side is finished: write what waits, then close.
    pub fn finish(&mut self, id: LineId, close: Close, now: Instant, actions: &mut Vec<Action>) {
        self.with(id, now, actions, |line, limits| line.finish(close, now, limits));
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
        for id in self.lines.keys().copied().collect::<Vec<_>>() {
            self.cut(id, code.into(), now, actions);
        }
    }

    /// An owner is gone: its lines end at once, but for those that it had finished.
    pub fn disown(&mut self, owner: OwnerId, code: CloseCode, now: Instant, actions: &mut Vec<Action>) {
        let unfinished = self.lines.iter().filter(|(_, line)| line.owner == owner && !line.is_ending());
        for id in unfinished.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.cut(id, code.into(), now, actions);
        }
    }

    /// A text frame came from the client.
    pub fn receive(&mut self, id: LineId, text: &str, now: Instant, actions: &mut Vec<Action>) {
        let mut said = None;
        if let Some(line) = self.lines.get_mut(&id) {
            line.frames_in += 1;
            self.history.frames_in += 1;
            self.history.bytes_in += text.len() as u64;
        }
        self.with(id, now, actions, |line, limits| {
            let outcome;
            (outcome, said) = line.receive(text, now, limits);
            outcome
        });
        if let Some(said) = said {
            self.said(id, said, now, actions);
        }
    }

    /// The owner handled `size` bytes of the client's messages.
    pub fn heard(&mut self, id: LineId, size: usize, now: Instant, actions: &mut Vec<Action>) {
        self.apply(id, now, actions, |line, limits| line.heard(size, limits));
    }

    /// The socket is gone, `close` says how.
    pub fn socket_closed(&mut self, id: LineId, close: Close, now: Instant, actions: &mut Vec<Action>) {
        self.with(id, now, actions, |line, _| line.socket_closed(close));
    }

    /// What the socket should write next, about `bytes` of it, into `into`.
    pub fn take(&mut self, id: LineId, bytes: usize, now: Instant, into: &mut Vec<Frame>) -> Take {
        let Some(line) = self.lines.get_mut(&id) else { return Take::Gone };
        let before = line.deadline();
        let taken = into.len();
        let take = line.take(bytes, now, &self.limits, into);
        line.frames_out += (into.len() - taken) as u32;
        self.history.frames_out += (into.len() - taken) as u64;
        self.history.bytes_out += into[taken..].iter().map(|frame| frame.len() as u64).sum::<u64>();
        let after = line.deadline();
        self.reschedule(id, before, after);
        take
    }

    /// Whether the socket should read now. Of a line that is gone nobody is behind.
    pub fn may_read(&self, id: LineId) -> bool {
        self.lines.get(&id).is_none_or(|line| line.may_read(&self.limits))
    }

    /// Whether the line lives, in any stage.
    pub fn contains(&self, id: LineId) -> bool {
        self.lines.contains_key(&id)
    }

    /// The earliest time at which [`Engine::tick`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        let line = self.deadlines.first().map(|(at, _)| *at);
        line.into_iter().chain(self.ended.deadline()).min()
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.ended.forget(now);
        while let Some(&(at, id)) = self.deadlines.first()
            && at <= now
        {
            self.with(id, now, actions, |line, _| line.expired());
        }
    }

    /// How things stand, and what has happened since the start.
    pub fn stats(&self) -> Stats {
        let mut stats = self.history.clone();
        for line in self.lines.values() {
            stats.open += u64::from(line.is_open());
            stats.joining += u64::from(!line.is_open() && !line.is_ending());
            stats.queued_bytes += line.queued() as u64;
        }
        let (channels, members) = self.channels.totals();
        (stats.channels, stats.members) = (channels as u64, members as u64);
        stats
    }

    /// The `count` channels with the most members, the largest first.
    pub fn largest_channels(&self, count: usize) -> Vec<(ChannelId, usize)> {
        self.channels.largest(count)
    }

    /// Whether there are no lines, in any stage.
    pub fn is_empty(&self) -> bool {
        debug_assert!(!self.lines.is_empty() || self.tokens.is_empty(), "every token means a line");
        self.lines.is_empty() && self.channels.is_empty()
    }

    // -- channels ------------------------------------------------------------------------------------------------

    /// The line's handler lets its client into a channel. A client that is in it already stays as it is.
    pub fn enter(
        &mut self,
        id: LineId,
        channel: ChannelId,
        entry: Entry,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let Some(line) = self.lines.get(&id).filter(|line| !line.is_ending()) else { return };
        let outcome = self.channels.enter(channel, id, line.visitor.session.as_deref(), entry);
        self.spread(outcome, now, actions);
    }

    /// The line leaves a channel.
    pub fn leave(&mut self, id: LineId, channel: &ChannelId, now: Instant, actions: &mut Vec<Action>) {
        let outcome = self.channels.leave(channel, id);
        self.spread(outcome, now, actions);
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
        wording: Wording,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let outcome = self.channels.relay(channel, id, message, wording);
        self.spread(outcome, now, actions);
    }

    /// A handler speaks to every client in a channel.
    pub fn post(&mut self, channel: &ChannelId, frame: &Frame, now: Instant, actions: &mut Vec<Action>) {
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

    /// A client said something: to the others in a channel, to its handler, or in answer to a question.
    fn said(&mut self, id: LineId, said: Said, now: Instant, actions: &mut Vec<Action>) {
        let Said { kind, event_id, payload, ports, size } = said;
        if let Some((channel, subtype)) = self.channels.addressed(id, &kind) {
            if is_reserved(&kind) || !may_say(subtype) {
                return;
            }
            let Some(Passage { member, relay, heard }) = self.channels.passage(&channel, id, subtype) else {
                return;
            };
            let message = Message { kind: subtype, event_id: &event_id, size };
            match relay {
                Relay::Refused => {}
                Relay::Free => {
                    self.relay(id, &channel, message, Wording::Same(payload.clone()), now, actions);
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
        } else if let Some((request, port, kind)) = wire::reply_address(&kind) {
            let (request, kind) = (request.to_owned(), kind.to_owned());
            return self.tell(id, Event::Reply { request, port, kind, payload, size }, size, actions);
        }
        if !is_reserved(&kind) {
            self.tell(id, Event::Message { kind, event_id, payload, ports, size }, size, actions);
        }
    }

    /// Tells a line's owner what its client said, which counts until it is handled.
    fn tell(&mut self, id: LineId, event: Event, size: usize, actions: &mut Vec<Action>) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        line.told(size);
        actions.push(Action::Tell { owner: line.owner, exchange: line.exchange, line: id, event });
    }

    /// Carries out what follows from an input of a channel.
    fn spread(&mut self, outcome: channels::Outcome, now: Instant, actions: &mut Vec<Action>) {
        self.pass_on(outcome, now, actions);
        self.depart(now, actions);
    }

    fn pass_on(&mut self, outcome: channels::Outcome, now: Instant, actions: &mut Vec<Action>) {
        for (id, frame) in outcome.frames {
            self.apply(id, now, actions, |line, limits| line.send(frame, now, limits));
        }
        for (id, event) in outcome.events {
            // Whoever speaks waits for those who listen.
            if let Event::Overheard { from, size, .. } = &event
                && let Some(line) = self.lines.get_mut(from)
            {
                line.told(*size);
            }
            self.tell(id, event, 0, actions);
        }
    }

    /// Lines that are over leave their channels. Telling the others may be the end of the next line.
    fn depart(&mut self, now: Instant, actions: &mut Vec<Action>) {
        while let Some(id) = self.departing.pop() {
            for outcome in self.channels.leave_all(id) {
                self.pass_on(outcome, now, actions);
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
        let Some(line) = self.lines.get_mut(&id) else { return };
        let before = line.deadline();
        let outcome = input(line, &self.limits);
        let after = line.deadline();
        let (owner, exchange) = (line.owner, line.exchange);
        if (line.is_ending() || matches!(outcome, Outcome::Remove(_))) && self.channels.contains(id) {
            self.departing.push(id);
        }
        let tell = |event| Action::Tell { owner, exchange, line: id, event };
        match outcome {
            Outcome::Keep => {}
            Outcome::Wake => actions.push(Action::Wake(id)),
            Outcome::Opened => actions.extend([tell(Event::Opened), Action::Wake(id)]),
            Outcome::Cut(close) => actions.extend([tell(Event::Closed(close)), Action::Wake(id)]),
            Outcome::Remove(close) => {
                if let Some(token) = line.token() {
                    self.tokens.remove(&token);
                    if !line.is_joinable() {
                        self.ended.remember(token, line.visitor.clone(), now + self.limits.close_grace);
                    }
                }
                let known = line.ending().or(close.as_ref()).cloned();
                let obituary = Obituary {
                    line: id,
                    owner,
                    exchange,
                    close: known.unwrap_or_else(|| CloseCode::Abnormal.into()),
                    lasted: now.saturating_duration_since(line.began),
                    frames_in: line.frames_in,
                    frames_out: line.frames_out,
                };
                *self.history.closed.entry(obituary.close.code.number()).or_default() += 1;
                actions.push(Action::Bury(obituary));
                self.lines.remove(&id);
                actions.extend(close.map(|close| tell(Event::Closed(close))));
                actions.push(Action::Wake(id));
                return self.reschedule(id, before, None);
            }
        }
        self.reschedule(id, before, after);
    }

    fn reschedule(&mut self, id: LineId, before: Option<Instant>, after: Option<Instant>) {
        if before == after {
            return;
        }
        if let Some(at) = before {
            self.deadlines.remove(&(at, id));
        }
        if let Some(at) = after {
            self.deadlines.insert((at, id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::outbox::FRAME_COST;
    use super::*;

    struct World {
        engine: Engine,
        now: Instant,
        actions: Vec<Action>,
    }

    const TOKEN: Token = Token([9; 16]);
    const CONNECT: &str = r#"{".wq":{"type":"message","eventID":"E"},"ping":"connect"}"#;

    fn visitor() -> Visitor {
        Visitor { session: None, address: [127, 0, 0, 1].into() }
    }

    impl World {
        fn new() -> (World, LineId) {
            let limits = Limits {
                join_window: Duration::from_secs(30),
                close_grace: Duration::from_secs(5),
                queue_bytes: 1000,
                origins: Origins::default(),
            };
            let mut world = World { engine: Engine::new(limits), now: Instant::now(), actions: Vec::new() };
            let opening =
                Opening { owner: OwnerId(1), exchange: ExchangeId(2), visitor: visitor(), token: TOKEN };
            let id = world.engine.open(opening, world.now);
            (world, id)
        }

        fn open() -> (World, LineId) {
            let (mut world, id) = World::new();
            world.engine.join(TOKEN, Carrier::Socket, &visitor(), (None, None)).unwrap();
            world.engine.receive(id, CONNECT, world.now, &mut world.actions);
            assert_eq!(world.written(id).len(), 1);
            (world, id)
        }

        fn send(&mut self, id: LineId, text: &str) {
            self.engine.send(id, text.into(), self.now, &mut self.actions);
        }

        fn written(&mut self, id: LineId) -> Vec<String> {
            let mut frames = Vec::new();
            while self.engine.take(id, 100, self.now, &mut frames) == Take::Frames {}
            frames.iter().map(|frame| frame.as_str().to_owned()).collect()
        }

        fn told(&mut self) -> Vec<String> {
            let events = self.actions.drain(..).filter_map(|action| match action {
                Action::Tell { event: Event::Closed(close), .. } => {
                    Some(format!("closed {}", close.code.number()))
                }
                Action::Tell { event: Event::Message { kind, .. }, .. } => Some(kind),
                Action::Tell { event: Event::Reply { request, .. }, .. } => Some(request),
                Action::Tell { event: Event::Relay { kind, .. } | Event::Overheard { kind, .. }, .. } => {
                    Some(kind)
                }
                Action::Tell { event: Event::Opened, .. } | Action::Wake(_) | Action::Bury(_) => None,
            });
            events.collect()
        }
    }

    #[test]
    fn joining_unknown_token_is_refused() {
        let (mut world, _) = World::new();
        assert_eq!(
            world.engine.join(Token([0; 16]), Carrier::Socket, &visitor(), (None, None)),
            Err(JoinError::Unknown)
        );
    }

    #[test]
    fn sending_after_the_end_is_told_so_for_a_while() {
        let (mut world, id) = World::new();
        world.engine.join(TOKEN, Carrier::Events, &visitor(), (None, None)).unwrap();
        world.engine.socket_closed(id, CloseCode::Abnormal.into(), world.now, &mut world.actions);
        let stranger = Visitor { session: None, address: [10, 0, 0, 1].into() };
        let mut sender =
            |visitor: &Visitor, origin| world.engine.sender(TOKEN, visitor, (origin, Some("here")));
        assert_eq!(sender(&visitor(), None), Err(JoinError::Ended));
        assert_eq!(sender(&visitor(), Some("http://there")), Err(JoinError::Unknown));
        assert_eq!(sender(&stranger, None), Err(JoinError::Unknown));
        assert_eq!(
            world.engine.join(TOKEN, Carrier::Events, &visitor(), (None, None)),
            Err(JoinError::Unknown)
        );
        let later = world.engine.next_deadline().unwrap();
        world.engine.tick(later, &mut world.actions);
        assert_eq!(world.engine.sender(TOKEN, &visitor(), (None, None)), Err(JoinError::Unknown));
        assert_eq!(world.engine.next_deadline(), None);
    }

    #[test]
    fn joining_foreign_visitor_leaves_the_token() {
        let (mut world, id) = World::new();
        let stranger = Visitor { session: None, address: [10, 0, 0, 1].into() };
        assert_eq!(
            world.engine.join(TOKEN, Carrier::Socket, &stranger, (None, None)),
            Err(JoinError::Visitor)
        );
        assert_eq!(
            world.engine.join(TOKEN, Carrier::Socket, &visitor(), (Some("http://evil"), Some("me"))),
            Err(JoinError::Origin)
        );
        assert_eq!(world.engine.join(TOKEN, Carrier::Socket, &visitor(), (None, None)), Ok(id));
    }

    #[test]
    fn joined_second_join_is_refused() {
        let (mut world, _) = World::new();
        world.engine.join(TOKEN, Carrier::Socket, &visitor(), (None, None)).unwrap();
        assert_eq!(
            world.engine.join(TOKEN, Carrier::Socket, &visitor(), (None, None)),
            Err(JoinError::Unknown)
        );
    }

    #[test]
    fn joined_by_events_the_token_sends_and_joins_no_more() {
        let (mut world, id) = World::new();
        assert_eq!(world.engine.sender(TOKEN, &visitor(), (None, None)), Err(JoinError::Unknown));
        world.engine.join(TOKEN, Carrier::Events, &visitor(), (None, None)).unwrap();
        assert_eq!(world.engine.sender(TOKEN, &visitor(), (None, None)), Ok(id));
        let again = world.engine.join(TOKEN, Carrier::Socket, &visitor(), (None, None));
        assert_eq!(again, Err(JoinError::Unknown));
        world.engine.socket_closed(id, CloseCode::Abnormal.into(), world.now, &mut world.actions);
        assert_eq!(world.engine.sender(TOKEN, &visitor(), (None, None)), Err(JoinError::Ended));
    }

    #[test]
    fn attached_writes_at_once() {
        let (mut world, id) = World::new();
        world.send(id, "one");
        world.engine.attach(id, world.now, &mut world.actions);
        assert_eq!(world.written(id), ["one"]);
    }

    #[test]
    fn joining_window_over_tells_and_removes() {
        let (mut world, _) = World::new();
        let at = world.engine.next_deadline().unwrap();
        world.engine.tick(at, &mut world.actions);
        assert_eq!(world.told(), ["closed 1001"]);
        assert!(world.engine.is_empty());
        assert_eq!(
            world.engine.join(TOKEN, Carrier::Socket, &visitor(), (None, None)),
            Err(JoinError::Unknown)
        );
    }

    #[test]
    fn handshake_frames_wait_for_the_ping() {
        let (mut world, id) = World::new();
        world.send(id, "one");
        world.engine.join(TOKEN, Carrier::Socket, &visitor(), (None, None)).unwrap();
        assert!(world.written(id).is_empty());
        world.engine.receive(id, CONNECT, world.now, &mut world.actions);
        let written = world.written(id);
        assert!(written[0].contains("E:0:message"), "the ping's answer comes first: {written:?}");
        assert_eq!(written[1], "one");
    }

    #[test]
    fn open_complete_writes_done_then_closes() {
        let (mut world, id) = World::open();
        world.send(id, "last");
        world.engine.complete(id, world.now, &mut world.actions);
        let written = world.written(id);
        assert!(written[0] == "last" && written[1].contains("response.done"));
        assert_eq!(
            world.engine.take(id, 9, world.now, &mut Vec::new()),
            Take::Idle,
            "the close was given out"
        );
        world.engine.socket_closed(id, CloseCode::Done.into(), world.now, &mut world.actions);
        assert!(world.told().is_empty(), "the handler knows that it finished");
        assert!(world.engine.is_empty());
    }

    #[test]
    fn open_finish_unread_is_removed_after_the_grace() {
        let (mut world, id) = World::open();
        world.engine.finish(id, CloseCode::Done.into(), world.now, &mut world.actions);
        let at = world.engine.next_deadline().unwrap();
        world.engine.tick(at, &mut world.actions);
        assert_eq!(world.engine.take(id, 9, world.now, &mut Vec::new()), Take::Gone);
    }

    #[test]
    fn open_overfull_queue_closes_too_slow() {
        let (mut world, id) = World::open();
        for _ in 0..11 {
            world.send(id, &"x".repeat(100));
        }
        assert_eq!(world.told(), ["closed 4008"]);
        assert_eq!(
            world.engine.take(id, 9, world.now, &mut Vec::new()),
            Take::Close(CloseCode::TooSlow.into())
        );
    }

    #[test]
    fn open_garbage_closes_unsupported() {
        let (mut world, id) = World::open();
        world.engine.receive(id, "garbage", world.now, &mut world.actions);
        assert_eq!(world.told(), ["closed 1003"]);
    }

    #[test]
    fn open_reserved_type_is_not_told() {
        let (mut world, id) = World::open();
        for kind in ["response.done", "x.mutate", "close"] {
            let text = format!(r#"{{"message":[],".wq":{{"type":"{kind}","eventID":"e"}}}}"#);
            world.engine.receive(id, &text, world.now, &mut world.actions);
        }
        assert!(world.told().is_empty());
    }

    #[test]
    fn open_unheard_messages_stop_reading() {
        let (mut world, id) = World::open();
        let text = format!("\"{}\"", "x".repeat(600));
        world.engine.receive(id, &text, world.now, &mut world.actions);
        assert!(world.engine.may_read(id));
        world.engine.receive(id, &text, world.now, &mut world.actions);
        assert!(!world.engine.may_read(id));
        world.engine.heard(id, FRAME_COST + text.len(), world.now, &mut world.actions);
        assert!(world.engine.may_read(id));
    }

    #[test]
    fn open_socket_lost_tells() {
        let (mut world, id) = World::open();
        world.engine.socket_closed(id, CloseCode::Abnormal.into(), world.now, &mut world.actions);
        assert_eq!(world.told(), ["closed 1006"]);
        assert!(world.engine.is_empty());
    }

    #[test]
    fn open_cut_all_tells() {
        let (mut world, _) = World::open();
        world.engine.cut_all(CloseCode::Restart, world.now, &mut world.actions);
        assert_eq!(world.told(), ["closed 1012"]);
    }

    #[test]
    fn open_disowned_by_its_owner_is_cut() {
        let (mut world, id) = World::open();
        world.engine.disown(OwnerId(2), CloseCode::IsolateLost, world.now, &mut world.actions);
        assert_eq!(world.engine.take(id, 9, world.now, &mut Vec::new()), Take::Idle);
        world.engine.disown(OwnerId(1), CloseCode::IsolateLost, world.now, &mut world.actions);
        assert_eq!(
            world.engine.take(id, 9, world.now, &mut Vec::new()),
            Take::Close(CloseCode::IsolateLost.into())
        );
    }

    /// A second line in the same world, open.
    fn second(world: &mut World, token: Token) -> LineId {
        let opening = Opening { owner: OwnerId(1), exchange: ExchangeId(3), visitor: visitor(), token };
        let id = world.engine.open(opening, world.now);
        world.engine.join(token, Carrier::Socket, &visitor(), (None, None)).unwrap();
        world.engine.receive(id, CONNECT, world.now, &mut world.actions);
        world.written(id);
        id
    }

    fn enter(world: &mut World, id: LineId, entry: Entry) {
        world.engine.enter(id, "room:7".parse().unwrap(), entry, world.now, &mut world.actions);
    }

    fn says(world: &mut World, id: LineId, kind: &str) {
        let text = format!(r#"{{"message":1,".wq":{{"type":"{kind}","eventID":"e"}}}}"#);
        world.engine.receive(id, &text, world.now, &mut world.actions);
    }

    #[test]
    fn entered_message_is_relayed_and_told_to_nobody() {
        let (mut world, a) = World::open();
        let b = second(&mut world, Token([8; 16]));
        enter(&mut world, a, Entry::default());
        enter(&mut world, b, Entry::default());
        says(&mut world, a, "room:7:message");
        assert!(world.written(b)[0].contains(r#""type":"room:7:message","eventID":"e""#));
        assert!(world.written(a).is_empty() && world.told().is_empty());
        for kind in ["room:7:response.done", "room:7:x.mutate", "room:7:leaves", "room:7:"] {
            says(&mut world, a, kind);
        }
        assert!(world.written(b).is_empty() && world.told().is_empty());
    }

    #[test]
    fn entered_decisions_count_as_unheard() {
        let (mut world, id) = World::open();
        enter(&mut world, id, Entry { decides: true, ..Entry::default() });
        for _ in 0..8 {
            says(&mut world, id, "room:7:message");
        }
        assert_eq!(world.told(), ["message"; 8]);
        assert!(!world.engine.may_read(id));
    }

    #[test]
    fn ending_leaves_its_channels() {
        let (mut world, a) = World::open();
        let b = second(&mut world, Token([8; 16]));
        enter(&mut world, a, Entry::default());
        let announcement = channels::Announcement { joins: None, leaves: None };
        enter(&mut world, b, Entry { announcement: Some(announcement), ..Entry::default() });
        assert_eq!(world.written(a).len(), 1);
        world.engine.complete(b, world.now, &mut world.actions);
        world.engine.socket_closed(b, CloseCode::Done.into(), world.now, &mut world.actions);
        assert_eq!(world.written(a).len(), 1, "it left once");
        enter(&mut world, b, Entry::default());
        assert_eq!(world.engine.channel_size(&"room:7".parse().unwrap()), 1);
    }

    #[test]
    fn finished_disowned_keeps_its_own_end() {
        let (mut world, id) = World::open();
        world.engine.finish(id, CloseCode::Navigated.into(), world.now, &mut world.actions);
        world.engine.disown(OwnerId(1), CloseCode::IsolateLost, world.now, &mut world.actions);
        assert_eq!(
            world.engine.take(id, 9, world.now, &mut Vec::new()),
            Take::Close(CloseCode::Navigated.into())
        );
    }
}
