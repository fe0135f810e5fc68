//! Sockets that pass between isolates, clients and actors.
//!
//! A [`Pipe`] joins two ends. An end is in an isolate's JavaScript, belongs to an actor that may hibernate, is the
//! line of a client, or is not attached yet; then messages wait for it. The isolate of an actor receives a client's
//! messages directly, wherever the request was answered.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::directory::{Actors, Content, Mail, Refused, Rejected, State};
use crate::lines::{Hub, LineEvent};
use liveline_proto::actor::{ActorId, Instance as ActorInstance, SocketError, SocketId};
use liveline_proto::{Close, CloseCode, Event, ExchangeId, FRAME_COST, Frame, LineId, Priority, QueuedFrame};

/// One end of a pipe: the number of the pipe, and in the lowest bit the side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct End(pub u64);

impl End {
    fn pipe(self) -> u64 {
        self.0 >> 1
    }

    fn side(self) -> usize {
        (self.0 & 1) as usize
    }

    /// The other end of the pipe.
    pub(super) fn far(self) -> End {
        End(self.0 ^ 1)
    }
}

/// What passes through a pipe.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    Message(Frame),
    /// The last item. Not clean if the connection was lost.
    Close(Close),
}

/// The line of a client that an item came from, and the bytes to acknowledge when it is handled.
type Credit = (LineId, usize);

/// How many bytes may wait for an end that is not attached yet. A client is not read before so many wait, because what
/// waits is not acknowledged.
const MAX_WAITING: usize = 4 << 20;

/// How long an end that is not attached has its messages after the other end has closed.
const UNATTACHED: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct Sockets {
    pipes: HashMap<u64, Pipe>,
    next: u64,
    /// Pipes of which one end has closed and the other one is not attached, and since when, the oldest first.
    half_closed: VecDeque<(Instant, u64)>,
    /// How many sockets each actor has that it cannot hibernate with.
    accepted: HashMap<Arc<ActorId>, usize>,
}

struct Pipe {
    sides: [Side; 2],
}

enum Side {
    /// Nothing is attached: what comes waits, at most until a close.
    Open {
        waiting: VecDeque<(Item, Option<Credit>)>,
        bytes: usize,
    },
    /// JavaScript of an isolate. `actor` is the one that accepted it, for the limits of its sockets.
    Isolate {
        number: u32,
        actor: Option<Arc<ActorId>>,
        rate: Rate,
        max: u32,
    },
    /// The socket belongs to an actor, in whatever isolate that runs. The engine has its tags and what is attached.
    Actor {
        actor: Arc<ActorId>,
        rate: Rate,
        max: u32,
    },
    /// The line of a client.
    Line(LineId),
    Closed,
}

impl Sockets {
    /// An actor has lost a socket that it could not hibernate with.
    fn left(&mut self, actor: &Arc<ActorId>) {
        if let Some(count) = self.accepted.get_mut(actor) {
            *count -= 1;
            if *count == 0 {
                self.accepted.remove(actor);
            }
        }
    }
}

impl Side {
    fn open() -> Side {
        Side::Open { waiting: VecDeque::new(), bytes: 0 }
    }

    /// Whether nobody has the end.
    fn is_idle(&self) -> bool {
        matches!(self, Side::Open { .. } | Side::Closed)
    }
}

/// Limits of the sockets of an actor; 0 for none.
#[derive(Debug, Clone, Copy)]
pub(super) struct SocketLimits {
    /// Messages per second that one may send.
    pub rate: u32,
    /// How many the actor may have.
    pub max: u32,
}

/// Counts the messages of one second.
#[derive(Default)]
pub(super) struct Rate {
    /// Messages per second; 0 for no limit.
    limit: u32,
    began: Option<Instant>,
    count: u32,
}

impl Rate {
    pub(super) fn new(limit: u32) -> Rate {
        Rate { limit, began: None, count: 0 }
    }

    /// Counts a message. False if it exceeds the limit.
    fn admits(&mut self) -> bool {
        if self.limit == 0 {
            return true;
        }
        let now = Instant::now();
        if self.began.is_none_or(|began| now - began >= Duration::from_secs(1)) {
            (self.began, self.count) = (Some(now), 0);
        }
        self.count += 1;
        self.count <= self.limit
    }
}

/// What is left to do on lines when the state is unlocked: the hub must not be called before.
#[derive(Default)]
pub(super) struct OnLines(Vec<(LineId, LineInput)>);

enum LineInput {
    Send(Frame),
    Finish(Close),
    Accept,
    Acknowledge(usize),
}

impl OnLines {
    /// What came from a line is handled, or dropped.
    pub(super) fn acknowledge(&mut self, credit: Option<Credit>) {
        if let Some((line, size)) = credit {
            self.0.push((line, LineInput::Acknowledge(size)));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn append(&mut self, mut other: OnLines) {
        self.0.append(&mut other.0);
    }

    pub(super) fn carry_out(self, hub: &Hub) {
        for (line, input) in self.0 {
            match input {
                LineInput::Send(frame) => {
                    hub.send(line, QueuedFrame::new(Priority::Message, frame));
                }
                LineInput::Finish(close) => hub.deferred_turn().finish(line, close),
                LineInput::Accept => hub.deferred_turn().accept(line),
                LineInput::Acknowledge(size) => hub.deferred_turn().acknowledge(line, size),
            }
        }
    }
}

/// Why both ends of a pipe close when more waits for an unattached end than [`MAX_WAITING`].
const TOO_MUCH_WAITS: &str = "too much waits for a WebSocket that nobody has accepted";

/// The close that an end gets whose other end is gone.
fn gone() -> Close {
    Close::because(CloseCode::Abnormal, "the other end of the WebSocket is gone".to_owned())
}

impl State {
    /// Makes a pipe whose ends are not attached. Returns the first; the second is [`End::far`].
    pub(super) fn open_pipe(&mut self) -> End {
        self.drop_unattached(Instant::now());
        let pipe = self.sockets.next;
        self.sockets.next += 1;
        self.sockets.pipes.insert(pipe, Pipe { sides: [Side::open(), Side::open()] });
        End(pipe << 1)
    }

    fn side(&mut self, end: End) -> Option<&mut Side> {
        self.sockets.pipes.get_mut(&end.pipe()).map(|pipe| &mut pipe.sides[end.side()])
    }

    /// Attaches an end. What waited for it is delivered.
    fn attach(&mut self, end: End, side: Side, on_lines: &mut OnLines) {
        let Some(current) = self.side(end) else { return };
        let before = std::mem::replace(current, side);
        match before {
            Side::Open { waiting, .. } => {
                waiting.into_iter().for_each(|(item, credit)| self.deliver(end, item, credit, on_lines));
            }
            Side::Closed => self.close_side(end),
            _ => {}
        }
    }

    /// Nothing is attached to an end any more.
    fn close_side(&mut self, end: End) {
        let Some(side) = self.side(end) else { return };
        if let Side::Isolate { actor: Some(actor), .. } = std::mem::replace(side, Side::Closed) {
            self.sockets.left(&actor);
        }
    }

    /// JavaScript of an isolate has the end from now on.
    pub(super) fn attach_isolate(
        &mut self,
        end: End,
        number: u32,
        actor: Option<Arc<ActorId>>,
        limits: SocketLimits,
        on_lines: &mut OnLines,
    ) {
        if self.side(end).is_none() {
            return;
        }
        if let Some(actor) = &actor {
            *self.sockets.accepted.entry(actor.clone()).or_default() += 1;
        }
        let side = Side::Isolate { number, actor, rate: Rate::new(limits.rate), max: limits.max };
        self.attach(end, side, on_lines);
    }

    /// The end is the socket of an actor from now on, which may hibernate.
    pub(super) fn attach_actor(
        &mut self,
        end: End,
        (instance, actor): (ActorInstance, Arc<ActorId>),
        tags: &[String],
        limits: SocketLimits,
        on_lines: &mut OnLines,
    ) -> Result<(), SocketError> {
        self.engine.accept_socket(instance, SocketId(end.0), tags)?;
        let side = Side::Actor { actor, rate: Rate::new(limits.rate), max: limits.max };
        if self.side(end).is_none() {
            let _ = self.enqueue(end, Item::Close(gone()), None);
        }
        self.attach(end, side, on_lines);
        Ok(())
    }

    /// The client of a line has the end from now on.
    pub(super) fn attach_line(&mut self, end: End, line: LineId, on_lines: &mut OnLines) {
        if self.side(end).is_none() {
            on_lines.0.push((line, LineInput::Finish(gone())));
            return;
        }
        on_lines.0.push((line, LineInput::Accept));
        self.attach(end, Side::Line(line), on_lines);
    }

    /// Sends an item from an end to the other one.
    pub(super) fn send(&mut self, from: End, item: Item, on_lines: &mut OnLines) {
        self.deliver(from.far(), item, None, on_lines);
    }

    /// Delivers an item to an end.
    fn deliver(&mut self, end: End, item: Item, credit: Option<Credit>, on_lines: &mut OnLines) {
        let is_close = matches!(item, Item::Close(_));
        let Some(side) = self.side(end) else { return };
        match side {
            Side::Open { waiting, bytes } => {
                if matches!(waiting.back(), Some((Item::Close(_), _))) {
                    return on_lines.acknowledge(credit);
                }
                *bytes += if let Item::Message(frame) = &item { FRAME_COST + frame.len() } else { 0 };
                if *bytes <= MAX_WAITING {
                    waiting.push_back((item, credit));
                    return;
                }
                let close = Item::Close(Close::because(CloseCode::TooSlow, TOO_MUCH_WAITS.to_owned()));
                let dropped = std::mem::take(waiting);
                waiting.push_back((close.clone(), None));
                dropped.into_iter().for_each(|(_, credit)| on_lines.acknowledge(credit));
                on_lines.acknowledge(credit);
                return self.deliver(end.far(), close, None, on_lines);
            }
            Side::Isolate { number, rate, .. } => {
                let number = *number;
                if credit.is_some() && !is_close && !rate.admits() {
                    on_lines.acknowledge(credit);
                    self.refuse_message(end, on_lines);
                } else {
                    self.mail(number, Mail::Socket { end, item, credit });
                }
            }
            Side::Actor { rate, .. } => {
                if !is_close && !rate.admits() {
                    on_lines.acknowledge(credit);
                    return self.refuse_message(end, on_lines);
                }
                match self.enqueue(end, item, credit) {
                    Ok(Some(Content::Socket { credit, .. })) => on_lines.acknowledge(credit),
                    Ok(_) => {}
                    Err(rejected) => self.refuse(rejected.content, rejected.why, on_lines),
                }
            }
            Side::Line(line) => {
                let line = *line;
                match item {
                    Item::Message(frame) => on_lines.0.push((line, LineInput::Send(frame))),
                    Item::Close(close) => {
                        on_lines.0.push((line, LineInput::Finish(close.clone())));
                        // The engine answers the client's close frame itself.
                        self.deliver(end.far(), Item::Close(close), None, on_lines);
                    }
                }
            }
            Side::Closed => on_lines.acknowledge(credit),
        }
        if is_close {
            self.ended(end);
        }
    }

    /// A message exceeded the rate that the application set: its sender receives an error in its place.
    fn refuse_message(&mut self, end: End, on_lines: &mut OnLines) {
        const ERROR: &str = r#"{"error":"Rate limit exceeded: MESSAGE_RATE_LIMIT messages a second"}"#;
        self.deliver(end.far(), Item::Message(ERROR.into()), None, on_lines);
    }

    /// A message to an actor is not handled: its socket closes, so that the client does not take the message for handled.
    pub(super) fn hang_up(&mut self, end: End, why: &Refused, on_lines: &mut OnLines) {
        let (code, reason) = match why {
            Refused::MailboxFull | Refused::TooMany => (CloseCode::TooSlow, "the object has too much to do"),
            _ => (CloseCode::IsolateLost, "the object did not handle a message"),
        };
        let close = Close::because(code, reason.to_owned());
        self.deliver(end.far(), Item::Close(close), None, on_lines);
    }

    /// Passes an item of a socket to the engine. Returns a message that the host answers itself.
    fn enqueue(&mut self, end: End, item: Item, credit: Option<Credit>) -> Result<Option<Content>, Rejected> {
        let socket = SocketId(end.0);
        let text = match &item {
            Item::Message(Frame::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let is_close = matches!(item, Item::Close(_));
        // A client is not read while too much of it waits.
        let is_paced = credit.is_some();
        let content = Content::Socket { end, item, credit };
        match is_close {
            true => self.engine.socket_closed(socket, content).map(|()| None),
            false => self.engine.socket_message(socket, text.as_deref(), is_paced, content),
        }
    }

    /// The host's answer to a message that came to an end.
    pub(super) fn answer(&mut self, end: End, text: &str, on_lines: &mut OnLines) {
        self.deliver(end.far(), Item::Message(text.into()), None, on_lines);
    }

    /// Nothing more is delivered to an end. The pipe goes when both ends have ended.
    fn ended(&mut self, end: End) {
        self.close_side(end);
        match self.side(end.far()) {
            Some(Side::Closed) => _ = self.sockets.pipes.remove(&end.pipe()),
            Some(Side::Open { .. }) => self.sockets.half_closed.push_back((Instant::now(), end.pipe())),
            _ => {}
        }
    }

    /// Removes pipes whose other end nobody has attached for too long.
    fn drop_unattached(&mut self, now: Instant) {
        let Sockets { pipes, half_closed, .. } = &mut self.sockets;
        while let Some((_, number)) = half_closed.pop_front_if(|(since, _)| now - *since >= UNATTACHED) {
            if pipes.get(&number).is_some_and(|pipe| pipe.sides.iter().all(Side::is_idle)) {
                pipes.remove(&number);
            }
        }
    }

    /// An isolate has ended: closes what it had. Returns the lines of clients to close.
    pub(super) fn isolate_ended(&mut self, isolate: u32) -> Vec<LineId> {
        let mut lines = Vec::new();
        let is_of = |side: &Side| matches!(side, Side::Isolate { number, .. } if *number == isolate);
        let lost = self.sockets.pipes.extract_if(|_, pipe| pipe.sides.iter().any(is_of));
        let lost: Vec<_> = lost.collect();
        for (number, pipe) in lost {
            for (index, side) in pipe.sides.into_iter().enumerate() {
                match side {
                    Side::Line(line) => lines.push(line),
                    Side::Actor { .. } => {
                        // Where it is refused the actor has forgotten the socket.
                        let _ = self.enqueue(End(number << 1 | index as u64), Item::Close(gone()), None);
                    }
                    Side::Isolate { actor: Some(actor), .. } => self.sockets.left(&actor),
                    _ => {}
                }
            }
        }
        lines
    }

    /// Whether the actor at the other end of a pipe has more sockets than it may.
    pub(super) fn is_crowded(&mut self, end: End) -> bool {
        let (actor, max) = match self.side(end.far()) {
            Some(Side::Actor { actor, max, .. } | Side::Isolate { actor: Some(actor), max, .. }) => {
                (actor.clone(), *max)
            }
            _ => return false,
        };
        let accepted = self.sockets.accepted.get(&actor).copied().unwrap_or_default();
        max > 0 && self.engine.socket_count(&actor) + accepted > max as usize
    }
}

impl Actors {
    /// The client of a line has an end of a pipe from now on.
    pub(in crate::ext) fn attach_line(&self, end: End, line: LineId) {
        self.with(|state, on_lines| state.attach_line(end, line, on_lines));
    }

    /// An event of a line whose far end is in a pipe. The hub dispatches now, so what is to be done on lines is left to
    /// a task.
    pub(super) fn line_event(&self, event: LineEvent) {
        let end = end_of(event.exchange);
        let (item, credit) = match event.event {
            Event::Data { frame, size } => (Item::Message(frame), Some((event.line, size))),
            Event::Closed(close) => (Item::Close(close), None),
            _ => return,
        };
        let is_close = matches!(item, Item::Close(_));
        self.with_deferred(|state, on_lines| {
            state.deliver(end.far(), item, credit, on_lines);
            if is_close {
                state.ended(end);
            }
        });
    }
}

/// The number by which a line names its end of a pipe to its owner.
pub(in crate::ext) fn exchange_of(end: End) -> ExchangeId {
    ExchangeId(end.0)
}

fn end_of(exchange: ExchangeId) -> End {
    End(exchange.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use liveline_proto::{Engine, Limits, Opening, OwnerId, Token, Visitor};

    /// What waits for an end.
    fn waiting(state: &mut State, end: End) -> &VecDeque<(Item, Option<Credit>)> {
        match state.side(end) {
            Some(Side::Open { waiting, .. }) => waiting,
            _ => panic!("nothing is attached to it"),
        }
    }

    /// Some line.
    fn line() -> LineId {
        let visitor = Visitor { session: None, address: [127, 0, 0, 1].into() };
        let token = Token([0; 16]);
        let opening = Opening { owner: OwnerId(1), exchange: ExchangeId(1), visitor, token };
        Engine::new(Limits::default(), Instant::now()).open(opening).expect("the first line")
    }

    fn message(bytes: usize) -> Item {
        Item::Message(Frame::Binary(vec![0; bytes].into()))
    }

    #[test]
    fn too_much_for_an_unattached_end_closes_it() {
        let (mut state, mut on_lines) = (State::new(Default::default()), OnLines::default());
        let end = state.open_pipe();
        state.send(end, message(MAX_WAITING / 2), &mut on_lines);
        assert_eq!(waiting(&mut state, end.far()).len(), 1);

        state.send(end, message(MAX_WAITING), &mut on_lines);
        state.send(end, message(1), &mut on_lines);
        state.send(end, Item::Close(gone()), &mut on_lines);

        for end in [end, end.far()] {
            let left: Vec<_> = waiting(&mut state, end).iter().map(|(item, _)| item).collect();
            let [Item::Close(close)] = left[..] else { panic!("not a close alone: {left:?}") };
            assert_eq!(close.code, CloseCode::TooSlow);
        }
    }

    #[test]
    fn a_client_is_acknowledged_when_its_message_is_received_or_dropped() {
        let (mut state, mut on_lines) = (State::new(Default::default()), OnLines::default());
        let line = line();
        let end = state.open_pipe();
        state.deliver(end.far(), message(9), Some((line, 9)), &mut on_lines);
        assert!(on_lines.is_empty());

        state.deliver(end.far(), message(MAX_WAITING), Some((line, MAX_WAITING)), &mut on_lines);

        let acknowledged = on_lines.0.iter().map(|(_, input)| match input {
            LineInput::Acknowledge(size) => *size,
            _ => 0,
        });
        assert_eq!(acknowledged.collect::<Vec<_>>(), [9, MAX_WAITING]);
    }

    #[test]
    fn an_end_that_nobody_attaches_goes_some_time_after_the_other() {
        let (mut state, mut on_lines) = (State::new(Default::default()), OnLines::default());
        let end = state.open_pipe();
        state.attach_isolate(end, 1, None, SocketLimits { rate: 0, max: 0 }, &mut on_lines);
        state.send(end, message(9), &mut on_lines);
        state.send(end, Item::Close(gone()), &mut on_lines);
        state.ended(end);
        assert_eq!(waiting(&mut state, end.far()).len(), 2, "whoever attaches it gets these");

        state.drop_unattached(Instant::now() + UNATTACHED);

        assert!(state.side(end.far()).is_none());
    }
}
