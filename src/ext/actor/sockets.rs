//! Sockets that pass between isolates, clients and actors.
//!
//! A [`Pipe`] joins two ends. An end is in an isolate's JavaScript, belongs to an actor that may hibernate, is the
//! line of a client, or is not attached yet; then messages wait for it. The isolate of an actor receives a client's
//! messages directly, wherever the request was answered.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::directory::{Actor, Actors, Mail, State};
use crate::lines::LineEvent;
use liveline_proto::{Close, CloseCode, Event, ExchangeId, Frame, LineId, Priority, QueuedFrame};

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

/// How many bytes may wait for an end that is not attached yet.
const MAX_WAITING: usize = 4 << 20;

#[derive(Default)]
pub(super) struct Sockets {
    pipes: HashMap<u64, Pipe>,
    next: u64,
    /// The sockets that an actor accepted to hibernate with.
    hibernating: HashMap<Actor, Accepted>,
}

struct Pipe {
    sides: [Side; 2],
}

enum Side {
    /// Nothing is attached: what comes waits.
    Open {
        waiting: VecDeque<Item>,
        bytes: usize,
    },
    /// JavaScript of an isolate. `actor` is the one that accepted it, for the limits of its sockets.
    Isolate {
        number: u32,
        actor: Option<Actor>,
        rate: Rate,
    },
    /// The socket belongs to an actor, in whatever isolate that runs.
    Actor(Box<Held>),
    /// The line of a client.
    Line(LineId),
    Closed,
}

impl Side {
    fn open() -> Side {
        Side::Open { waiting: VecDeque::new(), bytes: 0 }
    }
}

/// A socket that an actor may hibernate with.
struct Held {
    actor: Actor,
    tags: Vec<String>,
    attachment: Option<Arc<[u8]>>,
    /// When the last automatic answer was sent, in milliseconds since 1970.
    answered: Option<f64>,
    rate: Rate,
}

/// The sockets of one actor, in the order in which it accepted them.
#[derive(Default)]
struct Accepted {
    ends: Vec<End>,
    /// A message and the answer that the host sends to it.
    automatic: Option<(String, Frame)>,
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
    pub(super) fn carry_out(self, actors: &Actors) {
        let hub = actors.hub();
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

/// The close that an end gets whose other end is gone.
fn lost() -> Close {
    Close::because(CloseCode::Abnormal, "the other end of the WebSocket is gone".to_owned())
}

impl State {
    /// Makes a pipe whose ends are not attached. Returns the first; the second is [`End::far`].
    pub(super) fn open_pipe(&mut self) -> End {
        let pipe = self.sockets.next;
        self.sockets.next += 1;
        self.sockets.pipes.insert(pipe, Pipe { sides: [Side::open(), Side::open()] });
        End(pipe << 1)
    }

    fn side(&mut self, end: End) -> Option<&mut Side> {
        self.sockets.pipes.get_mut(&end.pipe()).map(|pipe| &mut pipe.sides[end.side()])
    }

    fn held(&mut self, end: End) -> Option<&mut Held> {
        match self.side(end)? {
            Side::Actor(held) => Some(held),
            _ => None,
        }
    }

    /// Attaches an end. What waited for it is delivered.
    fn attach(&mut self, end: End, side: Side, on_lines: &mut OnLines) {
        let Some(current) = self.side(end) else { return };
        let before = std::mem::replace(current, side);
        match before {
            Side::Open { waiting, .. } => {
                waiting.into_iter().for_each(|item| self.deliver(end, item, None, on_lines));
            }
            Side::Closed => {
                if let Some(side) = self.side(end) {
                    *side = Side::Closed;
                }
            }
            _ => {}
        }
    }

    /// JavaScript of an isolate has the end from now on.
    pub(super) fn attach_isolate(
        &mut self,
        end: End,
        number: u32,
        actor: Option<Actor>,
        rate: u32,
        on_lines: &mut OnLines,
    ) {
        self.attach(end, Side::Isolate { number, actor, rate: Rate::new(rate) }, on_lines);
    }

    /// The end is the socket of an actor from now on, which may hibernate.
    pub(super) fn attach_actor(
        &mut self,
        end: End,
        actor: Actor,
        tags: Vec<String>,
        rate: u32,
        on_lines: &mut OnLines,
    ) {
        self.sockets.hibernating.entry(actor.clone()).or_default().ends.push(end);
        let held = Held { actor, tags, attachment: None, answered: None, rate: Rate::new(rate) };
        self.attach(end, Side::Actor(Box::new(held)), on_lines);
    }

    /// The client of a line has the end from now on.
    pub(super) fn attach_line(&mut self, end: End, line: LineId, on_lines: &mut OnLines) {
        if self.side(end).is_none() {
            on_lines.0.push((line, LineInput::Finish(lost())));
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
    fn deliver(&mut self, end: End, item: Item, credit: Option<(LineId, usize)>, on_lines: &mut OnLines) {
        let is_close = matches!(item, Item::Close(_));
        let Some(side) = self.side(end) else { return };
        let acknowledge = |on_lines: &mut OnLines| {
            if let Some((line, size)) = credit {
                on_lines.0.push((line, LineInput::Acknowledge(size)));
            }
        };
        match side {
            Side::Open { waiting, bytes } => {
                *bytes += if let Item::Message(frame) = &item { frame.len() } else { 0 };
                if *bytes <= MAX_WAITING {
                    waiting.push_back(item);
                }
                acknowledge(on_lines);
                return;
            }
            Side::Isolate { number, rate, .. } => {
                let number = *number;
                if credit.is_some() && !is_close && !rate.admits() {
                    acknowledge(on_lines);
                    self.refuse_message(end, on_lines);
                } else {
                    self.to_isolate(number, Mail::Socket { end, actor: None, item, credit });
                }
            }
            Side::Actor(held) => {
                let actor = held.actor.clone();
                if !is_close && !held.rate.admits() {
                    acknowledge(on_lines);
                    return self.refuse_message(end, on_lines);
                }
                if let Some(answer) = self.automatic(end, &actor, &item) {
                    acknowledge(on_lines);
                    return self.deliver(end.far(), Item::Message(answer), None, on_lines);
                }
                let mail = Mail::Socket { end, actor: Some(actor.clone()), item, credit };
                if self.to_actor(actor, None, mail).is_err() {
                    acknowledge(on_lines);
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
            Side::Closed => acknowledge(on_lines),
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

    /// The answer of the host to a message, if the actor has set one.
    fn automatic(&mut self, end: End, actor: &Actor, item: &Item) -> Option<Frame> {
        let Item::Message(Frame::Text(text)) = item else { return None };
        let automatic = self.sockets.hibernating.get(actor)?.automatic.as_ref();
        let answer = automatic.filter(|(request, _)| request == &**text)?.1.clone();
        self.held(end)?.answered = Some(now());
        Some(answer)
    }

    /// Nothing more is delivered to an end. The pipe goes when both ends have ended; the record of an actor's socket
    /// stays until the actor has received the end.
    fn ended(&mut self, end: End) {
        let Some(pipe) = self.sockets.pipes.get_mut(&end.pipe()) else { return };
        if !matches!(pipe.sides[end.side()], Side::Actor(_)) {
            pipe.sides[end.side()] = Side::Closed;
        }
        if pipe.sides.iter().all(|side| matches!(side, Side::Closed)) {
            self.sockets.pipes.remove(&end.pipe());
        }
    }

    /// An actor has received the end of one of its sockets.
    pub(super) fn forget(&mut self, end: End) {
        if let Some(Side::Actor(held)) = self.side(end) {
            let actor = held.actor.clone();
            if let Some(accepted) = self.sockets.hibernating.get_mut(&actor) {
                accepted.ends.retain(|known| *known != end);
                if accepted.ends.is_empty() && accepted.automatic.is_none() {
                    self.sockets.hibernating.remove(&actor);
                }
            }
        }
        if let Some(side) = self.side(end) {
            *side = Side::Closed;
        }
        self.ended(end);
    }

    /// An isolate has ended: closes what it had. Returns the lines of clients to close.
    pub(super) fn isolate_ended(&mut self, isolate: u32) -> Vec<LineId> {
        let mut lines = Vec::new();
        self.sockets.pipes.retain(|_, pipe| {
            let is_of = |side: &Side| matches!(side, Side::Isolate { number, .. } if *number == isolate);
            if !pipe.sides.iter().any(is_of) {
                return true;
            }
            for side in &pipe.sides {
                if let Side::Line(line) = side {
                    lines.push(*line);
                }
            }
            false
        });
        lines
    }

    /// How many actors have sockets and do not run.
    pub(super) fn hibernating(&self) -> usize {
        let actors = self.sockets.hibernating.iter();
        actors.filter(|(actor, accepted)| !accepted.ends.is_empty() && !self.is_home(actor)).count()
    }

    // -- the sockets of an actor ---------------------------------------------------------------------------------------

    /// The open sockets of an actor that it may hibernate with, those with a tag if one is given.
    pub(super) fn sockets_of(&mut self, actor: &Actor, tag: Option<&str>) -> Vec<End> {
        let ends =
            self.sockets.hibernating.get(actor).map(|accepted| accepted.ends.clone()).unwrap_or_default();
        let mut found = ends;
        found.retain(|end| {
            self.held(*end).is_some_and(|held| tag.is_none_or(|tag| held.tags.iter().any(|own| own == tag)))
        });
        found
    }

    /// How many sockets the actor at the other end of a pipe has.
    pub(super) fn neighbours(&mut self, end: End) -> usize {
        let actor = match self.side(end.far()) {
            Some(Side::Actor(held)) => Some(held.actor.clone()),
            Some(Side::Isolate { actor, .. }) => actor.clone(),
            _ => None,
        };
        actor.map_or(0, |actor| self.count_of(&actor))
    }

    /// How many sockets of any kind an actor has.
    pub(super) fn count_of(&self, actor: &Actor) -> usize {
        let hibernating = self.sockets.hibernating.get(actor).map_or(0, |accepted| accepted.ends.len());
        let sides = self.sockets.pipes.values().flat_map(|pipe| &pipe.sides);
        let accepted = sides
            .filter(|side| matches!(side, Side::Isolate { actor: Some(owner), .. } if owner == actor))
            .count();
        hibernating + accepted
    }

    pub(super) fn tags(&mut self, end: End) -> Option<Vec<String>> {
        Some(self.held(end)?.tags.clone())
    }

    pub(super) fn attachment(&mut self, end: End) -> Option<Arc<[u8]>> {
        self.held(end)?.attachment.clone()
    }

    pub(super) fn set_attachment(&mut self, end: End, attachment: Option<Arc<[u8]>>) {
        if let Some(held) = self.held(end) {
            held.attachment = attachment;
        }
    }

    /// When the last automatic answer was sent to a socket.
    pub(super) fn answered(&mut self, end: End) -> Option<f64> {
        self.held(end)?.answered
    }

    pub(super) fn set_automatic(&mut self, actor: &Actor, automatic: Option<(String, String)>) {
        let accepted = self.sockets.hibernating.entry(actor.clone()).or_default();
        accepted.automatic = automatic.map(|(request, answer)| (request, answer.into()));
    }

    pub(super) fn automatic_of(&self, actor: &Actor) -> Option<(String, String)> {
        let (request, answer) = self.sockets.hibernating.get(actor)?.automatic.as_ref()?;
        Some((request.clone(), answer.as_str().to_owned()))
    }
}

impl Actors {
    /// The client of a line has an end of a pipe from now on.
    pub(in crate::ext) fn attach_line(&self, end: End, line: LineId) {
        let mut on_lines = OnLines::default();
        self.lock().attach_line(end, line, &mut on_lines);
        on_lines.carry_out(self);
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
        let mut on_lines = OnLines::default();
        let mut state = self.lock();
        state.deliver(end.far(), item, credit, &mut on_lines);
        if is_close {
            state.ended(end);
        }
        drop(state);
        if !on_lines.0.is_empty() {
            let actors = self.clone();
            self.hub().runtime().spawn(async move {
                on_lines.carry_out(&actors);
                actors.hub().flush();
            });
        }
    }
}

/// The number by which a line names its end of a pipe to its owner.
pub(in crate::ext) fn exchange_of(end: End) -> ExchangeId {
    ExchangeId(end.0)
}

fn end_of(exchange: ExchangeId) -> End {
    End(exchange.0)
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0., |since| since.as_millis() as f64)
}
