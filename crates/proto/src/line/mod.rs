//! One live line: from the moment its address is given out until it is over.
//!
//! ```text
//!  Joining ──join──▶ Handshake ──client listens──▶ Open ──finished and written──▶ Closing ──▶ (removed)
//!     │                  │ ▲                       │ ▲                               │
//!     │                  │ └──── comes again ──────┤ │                               │
//!     │                  └──────▶ Away ◀── lost ───┘ └── (from Away, too)            │
//!     └── window over ────────── window over ──────────── client does not read ──────┴──▶ (removed)
//! ```
//!
//! Only lines of the subprotocol `liveline.v1` go away and come again; of the others a lost connection is the end.

use std::sync::Arc;
use std::time::Instant;

use serde_json::value::RawValue;

use self::outbox::Outbox;
use crate::registry::Filed;
use crate::{
    ChannelId, Close, CloseCode, ExchangeId, Frame, Incoming, Limits, LineId, MemberId, Numbered, Overflow,
    OwnerId, Token, Visitor, Welcome, envelope, numbered,
};

mod outbox;

pub use self::outbox::{FRAME_COST, Priority, QueuedFrame};

/// What the handler's side hears of its line.
#[derive(Debug)]
pub enum Event {
    /// The client joined and listens.
    Opened,
    /// A client message. `size` is what the owner reports back once it was handled.
    Message { kind: String, event_id: String, payload: Payload, ports: u32, size: usize },
    /// An answer to the handler's own request.
    Reply { request: String, port: u32, kind: String, payload: Payload, size: usize },
    /// The client says something in a channel, and the handler decides who hears what. The owner answers with
    /// [`Engine::relay`](crate::Engine::relay) or not, and reports `size` back when it has decided.
    Relay {
        channel: ChannelId,
        kind: String,
        event_id: String,
        payload: Payload,
        member: MemberId,
        size: usize,
    },
    /// Something was said in a channel that the handler listens to. `size` is reported back to the line `from`.
    Overheard {
        channel: ChannelId,
        kind: String,
        event_id: String,
        payload: Payload,
        from: LineId,
        size: usize,
    },
    /// What a raw socket's client sent, as it is.
    Data { frame: Frame, size: usize },
    /// What waited for a slow client is written. `stale`: changes were dropped meanwhile, so that it needs the current
    /// states in full; the owner says with [`Engine::refreshed`](crate::Engine::refreshed) when it begins to send them.
    Drained { stale: bool },
    /// The line is gone; nothing follows.
    Closed(Close),
}

/// JSON text, shared by all who get it. `None` is `undefined`.
pub type Payload = Option<Arc<RawValue>>;

/// What a client said, as it came.
#[derive(Debug)]
pub struct InboundMessage {
    /// The type of the message, of a channel or not.
    pub kind: String,
    pub event_id: String,
    pub payload: Payload,
    pub ports: u32,
    /// What it counts for until it is handled.
    pub size: usize,
}

/// What carries a line to its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// One connection, both ways.
    Socket,
    /// The same with numbered frames, so that the client may come again with this fresh token.
    Resumable(Token),
    /// A stream of events downward; upward come requests that name the line by its token.
    Events,
    /// A socket without envelopes: the handler's own protocol.
    Raw,
}

/// One connection of a line. The one before has nothing more to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attachment {
    pub line: LineId,
    pub(crate) number: u32,
}

/// What a socket should write next.
#[derive(Debug, PartialEq, Eq)]
pub enum Take {
    /// Nothing for now.
    Idle,
    /// What was given out.
    Some,
    /// Write this close frame and wait for the other side's.
    Close(Close),
    /// The connection has no line any more: drop it.
    Gone,
}

impl Outgoing {
    /// Bytes of payload.
    pub fn payload_len(&self) -> usize {
        match self {
            Outgoing::Frame(frame) | Outgoing::Numbered(_, frame) => frame.len(),
            Outgoing::Control(text) => text.len(),
            Outgoing::Ping => 0,
        }
    }
}

/// One thing for a socket to write.
#[derive(Debug, PartialEq, Eq)]
pub enum Outgoing {
    Frame(Frame),
    /// A frame with its number.
    Numbered(u64, Frame),
    /// A frame of the subprotocol itself.
    Control(String),
    /// A sign of life is wanted.
    Ping,
}

#[derive(Debug)]
pub(crate) struct Line {
    pub owner: OwnerId,
    pub exchange: ExchangeId,
    pub visitor: Visitor,
    /// Where the wheel has filed it.
    pub filed: Filed,
    /// What still names the line to its visitor: until a socket takes it, or for as long as its client sends by POST.
    token: Option<Token>,
    stage: Stage,
    outbox: Outbox,
    /// How the line ends once its outbox is written; set by the handler's side. Boxed: most lines do not end.
    ending: Option<Box<Close>>,
    /// Bytes the client sent and the handler has not consumed.
    unheard: usize,
    next_event: u32,
    /// How many connections it has had.
    seats: u32,
    carrier: Option<Transport>,
    /// The owner of a raw line hears its client.
    is_accepted: bool,
    /// A raw line's client broke the rules after messages that the owner has still to hear.
    broken: Option<Box<Close>>,
    freshness: Freshness,
    /// The client was sent `response.done`.
    is_done: bool,
    /// It ended before its client came, who has still to be told the code. Its owner was.
    is_cut: bool,
    /// Its owner waits until nothing else does.
    is_awaited: bool,
    pulse: Option<Heartbeat>,
    resume: Option<Box<Resume>>,
    pub tally: Counters,
    pub began: Instant,
}

// Thousands of them idle.
const _: () = assert!(size_of::<Line>() <= 328);

/// What happened to a line's frames: since somebody asked, or since it began.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub dropped: u32,
    pub coalesced: u32,
    pub pings: u32,
    /// Since it began.
    pub frames_in: u32,
    pub frames_out: u32,
}

#[derive(Debug)]
enum Stage {
    /// The address is given out; nobody came yet.
    Joining { until: Instant },
    /// A socket is here, but its client does not listen yet.
    Handshake { until: Instant },
    /// Both sides talk. A finished line has `until` to be read to its end.
    Open { until: Option<Instant> },
    /// The connection was lost; the client may come again. `listens`: it was open.
    Away { until: Instant, listens: bool },
    /// The close frame is the last thing to write; then the client has `until` to answer it.
    Closing { is_written: bool, until: Instant },
}

/// Whether the client's copies of states are what the handler's are, once all that waits has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Freshness {
    Fresh,
    /// Changes were dropped.
    Stale,
    /// And the owner was asked for the states in full.
    Asked,
}

/// Signs of life of an open line's client.
#[derive(Debug)]
struct Heartbeat {
    /// When the client was heard last.
    heard: Instant,
    /// When to ask for the next sign.
    next: Instant,
    is_due: bool,
}

/// What a client needs that comes again.
#[derive(Debug)]
struct Resume {
    /// Names the line to its visitor, as the newest welcome said.
    token: Token,
    /// The one before, until the client shows that it has the newest.
    before: Option<Token>,
    /// The number of the last frame that came from the client, and the last that it was told of.
    received: u64,
    told: u64,
    /// The welcome has still to be said on this connection.
    welcome: bool,
    /// Frames after this number are gone that the client never got. Who has a later one was told so.
    lost: Option<u64>,
}

/// So many frames may come before the client is told that they did.
const ACK_EVERY: u64 = 16;

/// What the registry does with the line after an input.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Nothing more.
    Keep,
    /// The socket has something to write.
    Wake,
    /// The line opened; let the socket write.
    Opened,
    /// What waited is written; tell the owner.
    Drained { stale: bool },
    /// The line is cut: tell the owner and let the socket write.
    Cut(Close),
    /// Forget the line; tell the owner if it still cares.
    Remove(Option<Close>),
}

impl Line {
    /// A line that began now and may be joined until then.
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
            token: Some(token),
            stage: Stage::Joining { until },
            outbox: Outbox::default(),
            ending: None,
            unheard: 0,
            next_event: 0,
            seats: 0,
            carrier: None,
            is_accepted: false,
            broken: None,
            freshness: Freshness::Fresh,
            is_done: false,
            is_cut: false,
            is_awaited: false,
            pulse: None,
            resume: None,
            tally: Counters::default(),
            began,
        }
    }

    /// The tokens that mean this line.
    pub(crate) fn tokens(&self) -> [Option<Token>; 3] {
        let resume = self.resume.as_deref();
        [self.token, resume.map(|resume| resume.token), resume.and_then(|resume| resume.before)]
    }

    /// Its connection now.
    pub(crate) fn current_seat(&self, id: LineId) -> Attachment {
        Attachment { line: id, number: self.seats }
    }

    /// How the handler's side or the host ends it.
    pub(crate) fn ending(&self) -> Option<&Close> {
        self.ending.as_deref()
    }

    /// The token by which a client that listens to events sends.
    pub(crate) fn sender_token(&self) -> Option<Token> {
        self.token.filter(|_| !self.is_joinable())
    }

    /// Whether nobody joined yet.
    pub(crate) fn is_joinable(&self) -> bool {
        matches!(self.stage, Stage::Joining { .. })
    }

    /// Whether a client that comes again may have it.
    pub(crate) fn is_resumable(&self) -> bool {
        self.resume.is_some()
    }

    /// Where the line stands, for statistics.
    pub(crate) fn standing(&self) -> LineState {
        match self.stage {
            Stage::Joining { .. } => LineState::Joining,
            Stage::Away { .. } => LineState::Away,
            Stage::Handshake { .. } | Stage::Open { .. } | Stage::Closing { .. } => LineState::Open,
        }
    }

    /// Bytes that wait to be written.
    pub(crate) fn waiting(&self) -> usize {
        self.outbox.waiting()
    }

    /// Bytes of all its frames, those that may have arrived included.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        self.outbox.bytes()
    }

    /// Whether `seat` is its connection now.
    pub(crate) fn is_at(&self, seat: Attachment) -> bool {
        self.seats == seat.number && !matches!(self.stage, Stage::Away { .. })
    }

    /// When the line wants [`Line::expired`] called.
    pub(crate) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        match self.stage {
            Stage::Joining { until }
            | Stage::Handshake { until }
            | Stage::Away { until, .. }
            | Stage::Closing { until, .. } => Some(until),
            Stage::Open { until: Some(until) } => Some(until),
            Stage::Open { until: None } => {
                let pulse = self.pulse.as_ref()?;
                Some(if self.is_heard() {
                    pulse.next.min(pulse.heard + limits.ping_timeout)
                } else {
                    pulse.next
                })
            }
        }
    }

    /// The client is here. A socket spends the token.
    pub(crate) fn join(
        &mut self,
        id: LineId,
        carrier: Transport,
        now: Instant,
        limits: &Limits,
    ) -> (Attachment, Outcome) {
        if let Stage::Joining { until } = self.stage {
            self.stage = Stage::Handshake { until };
        }
        self.carrier = Some(carrier);
        let before = if carrier == Transport::Events { None } else { self.token.take() };
        if let Transport::Resumable(token) = carrier {
            self.outbox.keep();
            self.resume =
                Some(Box::new(Resume { token, before, received: 0, told: 0, welcome: true, lost: None }));
        }
        let seat = self.sit(id, now, limits);
        if self.is_cut {
            return (seat, self.tell_code(now, limits));
        }
        (seat, if self.resume.is_some() { Outcome::Wake } else { Outcome::Keep })
    }

    /// The client is here, and the close frame is all that it gets.
    fn tell_code(&mut self, now: Instant, limits: &Limits) -> Outcome {
        self.stage = Stage::Closing { is_written: false, until: now + limits.close_grace };
        Outcome::Wake
    }

    /// The answer itself carries the line, so its client listens already.
    pub(crate) fn attach(
        &mut self,
        id: LineId,
        carrier: Transport,
        now: Instant,
        limits: &Limits,
    ) -> (Attachment, Outcome) {
        self.carrier = Some(carrier);
        if carrier != Transport::Events {
            self.token = None;
        }
        self.stage = Stage::Open { until: self.ending.is_some().then(|| now + limits.close_grace) };
        let seat = self.sit(id, now, limits);
        let outcome = if self.is_cut { self.tell_code(now, limits) } else { Outcome::Opened };
        (seat, outcome)
    }

    /// The client comes again: it has everything up to `after`. It may be sooner here than the loss of its last
    /// connection was noticed; that one has nothing more to say.
    pub(crate) fn resume(
        &mut self,
        id: LineId,
        (presented, fresh): (Token, Token),
        after: u64,
        now: Instant,
        limits: &Limits,
    ) -> Option<(Attachment, Outcome)> {
        let resume = self.resume.as_mut()?;
        let Ok(is_complete) = self.outbox.rewind(after) else { return None };
        if is_complete {
            resume.lost = resume.lost.filter(|number| after <= *number);
        } else if resume.lost.is_none() {
            resume.lost = Some(self.outbox.acknowledged());
            self.freshness = Freshness::Stale;
        }
        // Whoever comes with the one before does not have the newest, or another connection does: it stays.
        if presented == resume.token {
            resume.before = Some(presented);
            resume.token = fresh;
        }
        resume.welcome = true;
        resume.told = resume.received;
        let grace = || now + limits.close_grace;
        self.stage = match &self.stage {
            Stage::Away { listens: false, .. } | Stage::Handshake { .. } | Stage::Joining { .. } => {
                Stage::Handshake { until: now + limits.join_window }
            }
            _ => Stage::Open { until: self.ending.is_some().then(grace) },
        };
        Some((self.sit(id, now, limits), Outcome::Wake))
    }

    fn sit(&mut self, id: LineId, now: Instant, limits: &Limits) -> Attachment {
        self.seats += 1;
        if !limits.ping_interval.is_zero() {
            self.pulse = Some(Heartbeat { heard: now, next: now + limits.ping_interval, is_due: false });
        }
        self.current_seat(id)
    }

    /// Whether its client gives signs of life. Who listens to events cannot.
    fn is_heard(&self) -> bool {
        self.carrier != Some(Transport::Events)
    }

    /// The handler's side, or another's client, sends. `budget` is how many bytes may wait for the client.
    pub(crate) fn send(
        &mut self,
        parcel: QueuedFrame,
        budget: usize,
        now: Instant,
        limits: &Limits,
    ) -> Outcome {
        if self.is_ending() {
            return Outcome::Keep;
        }
        if parcel.class == Priority::Delta {
            if self.freshness != Freshness::Fresh {
                self.tally.coalesced += 1;
                return Outcome::Keep;
            }
            // The other half is for what cannot be made up for.
            if !self.outbox.fits(parcel.cost(), budget / 2) {
                self.coalesce();
                self.tally.coalesced += 1;
                return Outcome::Keep;
            }
        } else if parcel.class == Priority::State && !self.outbox.fits(parcel.cost(), budget / 2) {
            self.coalesce();
        }
        if parcel.class != Priority::Vital && !self.outbox.fits(parcel.cost(), budget) {
            if matches!(self.stage, Stage::Away { .. }) {
                self.outrun();
                self.tally.dropped += 1;
                return Outcome::Keep;
            }
            let drops_others = match limits.overflow {
                Overflow::Close => return self.cut(CloseCode::TooSlow.into(), now, limits),
                Overflow::DropNewest => parcel.class == Priority::State,
                Overflow::DropOldest => true,
            };
            while drops_others
                && !self.outbox.fits(parcel.cost(), budget)
                && self.outbox.drop_oldest_message()
            {
                self.tally.dropped += 1;
            }
            // What is left is vital, or may have arrived.
            if !self.outbox.fits(parcel.cost(), budget) {
                self.forgo(parcel.class);
                return Outcome::Keep;
            }
        }
        self.outbox.push(parcel);
        self.wake_if_open()
    }

    /// A frame is not sent at all. That of a state is made up for as soon as there is room.
    fn forgo(&mut self, class: Priority) {
        if class == Priority::State {
            self.tally.coalesced += 1;
            self.freshness = Freshness::Stale;
        } else {
            self.tally.dropped += 1;
        }
    }

    /// Whether so much waits, to be written or to be confirmed, that the handler had better wait, too.
    pub(crate) fn is_congested(&self, limits: &Limits) -> bool {
        self.outbox.bytes() > limits.queue_bytes / 2
    }

    /// The handler waits for [`Event::Drained`].
    pub(crate) fn is_awaited(&mut self) {
        self.is_awaited = true;
    }

    /// Drops what a full state makes superfluous, and remembers that one is owed.
    fn coalesce(&mut self) {
        self.tally.coalesced += self.outbox.drop_new(&[Priority::Delta, Priority::State]) as u32;
        self.freshness = Freshness::Stale;
    }

    /// Nobody reads for too long: what waits is forgotten, and the client will be told so.
    fn outrun(&mut self) {
        self.tally.dropped += self.outbox.outrun() as u32;
        self.freshness = Freshness::Stale;
        if let Some(resume) = &mut self.resume {
            resume.lost = Some(self.outbox.acknowledged());
        }
    }

    /// The owner sends the states in full from here on.
    pub(crate) fn refreshed(&mut self) {
        if self.freshness == Freshness::Asked {
            self.freshness = Freshness::Fresh;
        }
    }

    /// No further state follows; messages and changes of the last state may. Sent once, and never on a raw line.
    pub(crate) fn done(&mut self) -> Outcome {
        if self.is_ending() || self.is_done || self.carrier == Some(Transport::Raw) {
            return Outcome::Keep;
        }
        self.is_done = true;
        let done = envelope::response_done(&self.event_id("response.done"));
        self.outbox.push(QueuedFrame::new(Priority::Vital, done));
        self.wake_if_open()
    }

    /// The handler has said all: tell the client, then close normally.
    pub(crate) fn complete(&mut self, now: Instant, limits: &Limits) -> Outcome {
        // Without this frame the client could not tell the end from a loss.
        self.done();
        self.finish(CloseCode::Done.into(), now, limits)
    }

    /// The handler's side is finished: write what waits, then close. Later inputs from the client are not told.
    pub(crate) fn finish(&mut self, close: Close, now: Instant, limits: &Limits) -> Outcome {
        if self.is_ending() {
            return Outcome::Keep;
        }
        self.ending = Some(Box::new(close));
        if let Stage::Open { until } = &mut self.stage {
            *until = Some(now + limits.close_grace);
        }
        self.wake_if_open()
    }

    /// Ends the line from the host's side at once: what waits is dropped, the owner hears of it.
    pub(crate) fn cut(&mut self, close: Close, now: Instant, limits: &Limits) -> Outcome {
        let told = self.ending.is_some();
        match self.stage {
            Stage::Closing { .. } => Outcome::Keep,
            // What waits is on its way, and has its time limit.
            Stage::Open { .. } if told => Outcome::Keep,
            // Its client has the address and comes to learn the code, unless nobody will be here to tell it.
            Stage::Joining { .. } if !told && close.code != CloseCode::Restart => {
                self.outbox.clear();
                self.ending = Some(Box::new(close.clone()));
                self.is_cut = true;
                Outcome::Cut(close)
            }
            Stage::Joining { .. } | Stage::Away { .. } => Outcome::Remove((!told).then_some(close)),
            Stage::Handshake { .. } | Stage::Open { .. } => {
                self.outbox.clear();
                self.ending = Some(Box::new(close.clone()));
                self.stage = Stage::Closing { is_written: false, until: now + limits.close_grace };
                if told { Outcome::Wake } else { Outcome::Cut(close) }
            }
        }
    }

    /// The client broke the rules. A raw one gets the answers to what it said before.
    pub(crate) fn break_off(&mut self, close: Close, now: Instant, limits: &Limits) -> Outcome {
        if self.carrier == Some(Transport::Raw) && self.unheard > 0 && !self.is_ending() {
            self.broken = Some(Box::new(close));
            return Outcome::Keep;
        }
        self.cut(close, now, limits)
    }

    /// The client gave a sign of life.
    pub(crate) fn alive(&mut self, now: Instant) {
        if let Some(pulse) = &mut self.pulse {
            pulse.heard = now;
        }
    }

    /// A text frame came from the client. What it says to the handler comes back beside the outcome.
    pub(crate) fn receive(
        &mut self,
        text: &str,
        now: Instant,
        limits: &Limits,
    ) -> (Outcome, Option<InboundMessage>) {
        if matches!(self.stage, Stage::Closing { .. } | Stage::Joining { .. } | Stage::Away { .. }) {
            return (Outcome::Keep, None);
        }
        self.alive(now);
        let text = match self.unpack(text) {
            Ok(Some(envelope)) => envelope,
            // There may be room now for what waits for it.
            Ok(None) if self.is_awaited || self.freshness == Freshness::Stale => {
                return (Outcome::Wake, None);
            }
            Ok(None) => return (Outcome::Keep, None),
            Err(Unpacked::ExchangeError) => {
                return (self.cut(CloseCode::Unsupported.into(), now, limits), None);
            }
            Err(Unpacked::Gap) => return (self.lost(now, limits), None),
        };
        let Ok(incoming) = envelope::decode(text) else {
            return (self.cut(CloseCode::Unsupported.into(), now, limits), None);
        };
        let opens = matches!(self.stage, Stage::Handshake { .. });
        if opens {
            // A client that speaks is a client that listens, ping or not.
            self.stage = Stage::Open { until: self.ending.is_some().then(|| now + limits.close_grace) };
        }
        let said = match incoming {
            Incoming::Connect { event_id } => {
                let opened = envelope::opened(&event_id, &self.event_id("opened"));
                // The first is always answered; a client that sends many has to read the answers.
                if !opens && !self.outbox.fits(FRAME_COST + opened.len(), limits.queue_bytes) {
                    return (self.cut(CloseCode::Policy.into(), now, limits), None);
                }
                self.outbox.push_first(QueuedFrame::new(Priority::Vital, opened));
                return (if opens { Outcome::Opened } else { Outcome::Wake }, None);
            }
            Incoming::Disconnect => None,
            Incoming::Message { kind, event_id, payload, ports } => Some(InboundMessage {
                kind: kind.into_owned(),
                event_id: event_id.into_owned(),
                payload: payload.map(|payload| payload.to_owned().into()),
                ports,
                size: FRAME_COST + text.len(),
            }),
        };
        let outcome = match opens {
            true => Outcome::Opened,
            false if self.owes_ack() => Outcome::Wake,
            false => Outcome::Keep,
        };
        (outcome, said.filter(|_| self.ending.is_none()))
    }

    /// The envelope in a frame; none if there is nothing new in it.
    fn unpack<'a>(&mut self, text: &'a str) -> Result<Option<&'a str>, Unpacked> {
        let Some(resume) = &mut self.resume else { return Ok(Some(text)) };
        // Whoever speaks on a connection has read its welcome.
        if !resume.welcome {
            (resume.before, resume.lost) = (None, None);
        }
        match Numbered::read(text).map_err(|_| Unpacked::ExchangeError)? {
            Numbered::Ack(number) => {
                self.outbox.acknowledge(number).map_err(|_| Unpacked::ExchangeError)?;
                Ok(None)
            }
            Numbered::Frame(number, _) if number <= resume.received => Ok(None),
            Numbered::Frame(number, envelope) if number == resume.received + 1 => {
                resume.received = number;
                Ok(Some(envelope))
            }
            Numbered::Frame(..) => Err(Unpacked::Gap),
        }
    }

    fn owes_ack(&self) -> bool {
        self.resume.as_ref().is_some_and(|resume| resume.received - resume.told >= ACK_EVERY)
    }

    /// What a raw socket's client sent.
    pub(crate) fn receive_raw(&mut self, frame: Frame, now: Instant) -> Option<Event> {
        self.alive(now);
        let takes = matches!(self.stage, Stage::Open { .. }) && self.ending.is_none();
        takes.then(|| Event::Data { size: FRAME_COST + frame.len(), frame })
    }

    /// The owner is told `size` bytes of what the client said.
    pub(crate) fn told(&mut self, size: usize) {
        self.unheard += size;
    }

    /// The owner handled `size` bytes of client messages. Says whether the socket may read again.
    pub(crate) fn heard(&mut self, size: usize, now: Instant, limits: &Limits) -> Outcome {
        let was_over = self.unheard > limits.queue_bytes;
        self.unheard = self.unheard.saturating_sub(size);
        if self.unheard == 0
            && let Some(close) = self.broken.take()
        {
            return self.cut(*close, now, limits);
        }
        if was_over && self.may_read(limits) { Outcome::Wake } else { Outcome::Keep }
    }

    /// The owner hears a raw line's client from now on.
    pub(crate) fn accept(&mut self) -> Outcome {
        self.is_accepted = true;
        self.wake_if_open()
    }

    /// Whether the socket should read: not while the handler is too far behind, or does not listen yet.
    pub(crate) fn may_read(&self, limits: &Limits) -> bool {
        self.unheard <= limits.queue_bytes && (self.is_accepted || self.carrier != Some(Transport::Raw))
    }

    /// Gives out what should be written next, about `bytes` of it.
    pub(crate) fn take(
        &mut self,
        bytes: usize,
        now: Instant,
        limits: &Limits,
        into: &mut Vec<Outgoing>,
    ) -> Take {
        let said = into.len();
        self.take_controls(limits, into);
        match self.stage {
            Stage::Open { .. } if self.outbox.has_more() => self.outbox.take(bytes, into),
            Stage::Open { .. } if into.len() == said => {
                if let Some(close) = self.ending.clone() {
                    self.stage = Stage::Closing { is_written: true, until: now + limits.close_grace };
                    return Take::Close(*close);
                }
            }
            Stage::Closing { ref mut is_written, .. } => {
                if !std::mem::replace(is_written, true)
                    && let Some(close) = self.ending.clone()
                {
                    return Take::Close(*close);
                }
            }
            _ => {}
        }
        if into.len() > said { Take::Some } else { Take::Idle }
    }

    fn take_controls(&mut self, limits: &Limits, into: &mut Vec<Outgoing>) {
        if matches!(self.stage, Stage::Joining { .. } | Stage::Away { .. } | Stage::Closing { .. }) {
            return;
        }
        let is_due = self.pulse.as_mut().is_some_and(|pulse| std::mem::take(&mut pulse.is_due));
        let owes_ack = self.owes_ack();
        if let Some(resume) = &mut self.resume {
            if std::mem::take(&mut resume.welcome) {
                let welcome = Welcome {
                    token: resume.token.to_string(),
                    window: limits.resume_window.as_millis() as u64,
                    ping: self.pulse.as_ref().map(|_| limits.ping_interval.as_millis() as u64),
                    received: resume.received,
                    lost: resume.lost.is_some(),
                };
                resume.told = resume.received;
                into.push(Outgoing::Control(welcome.text()));
            } else if owes_ack || is_due {
                resume.told = resume.received;
                into.push(Outgoing::Control(numbered::ack(resume.received)));
            }
        }
        if is_due {
            self.tally.pings += 1;
            into.push(Outgoing::Ping);
        }
    }

    /// The socket has written what it took. Says so to an owner who waits for that, once there is room.
    pub(crate) fn written(&mut self, limits: &Limits) -> Outcome {
        let stale = self.freshness == Freshness::Stale;
        let is_drained = !self.outbox.has_more() && matches!(self.stage, Stage::Open { .. });
        let is_waited_for = stale || self.is_awaited;
        if !is_drained || self.is_ending() || !is_waited_for || self.is_congested(limits) {
            return Outcome::Keep;
        }
        self.is_awaited = false;
        if stale {
            self.freshness = Freshness::Asked;
        }
        Outcome::Drained { stale }
    }

    /// The connection is gone.
    pub(crate) fn socket_closed(&mut self, close: Close, now: Instant, limits: &Limits) -> Outcome {
        if close.code == CloseCode::Abnormal && self.resume.is_some() {
            return self.lost(now, limits);
        }
        Outcome::Remove(self.ending.is_none().then_some(close))
    }

    /// The connection broke, or is not to be trusted any more.
    fn lost(&mut self, now: Instant, limits: &Limits) -> Outcome {
        if self.resume.is_none() {
            return Outcome::Remove(self.ending.is_none().then(|| CloseCode::Abnormal.into()));
        }
        let listens = match self.stage {
            Stage::Away { .. } => return Outcome::Keep,
            Stage::Handshake { .. } => false,
            _ => true,
        };
        self.stage = Stage::Away { until: now + limits.resume_window, listens };
        Outcome::Wake
    }

    /// The deadline of the current stage has passed.
    pub(crate) fn expired(&mut self, now: Instant, limits: &Limits) -> Outcome {
        let code = match &mut self.stage {
            Stage::Away { .. } => CloseCode::Abnormal,
            Stage::Open { until: None } => {
                let is_read = self.may_read(limits);
                let is_dead = is_read
                    && self.is_heard()
                    && self.pulse.as_ref().is_some_and(|pulse| pulse.heard + limits.ping_timeout <= now);
                if is_dead {
                    return self.lost(now, limits);
                }
                let Some(pulse) = &mut self.pulse else { return Outcome::Keep };
                let quiet_until = pulse.heard + limits.ping_interval;
                if !is_read {
                    // It may be full of life, but nobody looks.
                    pulse.heard = now;
                }
                // Who was heard lately need not be asked, but who does not see pings has to hear something.
                let counts_on_it = self.carrier == Some(Transport::Events) || self.resume.is_some();
                pulse.is_due = counts_on_it || quiet_until <= now;
                pulse.next = if pulse.is_due { now + limits.ping_interval } else { quiet_until };
                return if pulse.is_due { Outcome::Wake } else { Outcome::Keep };
            }
            // It may only be out of reach.
            Stage::Open { .. } | Stage::Closing { .. } if self.resume.is_some() => {
                return self.lost(now, limits);
            }
            _ => CloseCode::GoingAway,
        };
        let reason =
            if code == CloseCode::Abnormal { code.default_reason() } else { "nobody joined in time" };
        let close = Close { code, reason: reason.into() };
        Outcome::Remove(self.ending.is_none().then_some(close))
    }

    /// Whether its end is decided.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.is_some() || matches!(self.stage, Stage::Closing { .. })
    }

    fn wake_if_open(&self) -> Outcome {
        if matches!(self.stage, Stage::Open { .. }) { Outcome::Wake } else { Outcome::Keep }
    }

    fn event_id(&mut self, kind: &str) -> String {
        self.next_event += 1;
        format!("{kind}-h{}", self.next_event)
    }
}

/// Where a line stands, as statistics count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineState {
    Joining,
    Open,
    Away,
}

/// Why a numbered frame was not taken.
enum Unpacked {
    /// It is none.
    ExchangeError,
    /// One before it is missing.
    Gap,
}

/// Types that only the host may send: a client that could raise them in a handler could fake the host.
pub(crate) fn is_reserved(kind: &str) -> bool {
    kind.starts_with("response.") || kind.ends_with(".mutate") || matches!(kind, "open" | "close" | "error")
}
