//! One live line: from the moment its address is given out until its socket is gone.
//!
//! ```text
//!  Joining ──join──▶ Handshake ──client listens──▶ Open ──finished and written──▶ Closing ──▶ (removed)
//!     └─────────────────┴── window over ─────────────┴── client does not read ───────┴─────▶ (removed)
//! ```

use std::sync::Arc;
use std::time::Instant;

use serde_json::value::RawValue;

use super::outbox::{FRAME_COST, Full, Outbox};
use super::{ChannelId, Close, CloseCode, ExchangeId, Limits, LineId, MemberId, OwnerId, Token, Visitor};
use crate::wire::{self, Frame, Incoming};

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
    /// [`Engine::relay`](super::Engine::relay) or not, and reports `size` back when it has decided.
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
    /// The line is gone; nothing follows.
    Closed(Close),
}

/// JSON text, shared by all who get it. `None` is `undefined`.
pub type Payload = Option<Arc<RawValue>>;

/// What a client said, as it came.
#[derive(Debug)]
pub(super) struct Said {
    pub kind: String,
    pub event_id: String,
    pub payload: Payload,
    pub ports: u32,
    /// What it counts for until it is handled.
    pub size: usize,
}

/// What carries a line to its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// One connection, both ways.
    Socket,
    /// A stream of events downward; upward come requests that name the line by its token.
    Events,
}

/// What a socket should write next.
#[derive(Debug, PartialEq, Eq)]
pub enum Take {
    /// Nothing for now.
    Idle,
    /// The frames given out.
    Frames,
    /// Write this close frame and wait for the other side's.
    Close(Close),
    /// The line is gone: drop the socket.
    Gone,
}

#[derive(Debug)]
pub(super) struct Line {
    pub owner: OwnerId,
    pub exchange: ExchangeId,
    pub visitor: Visitor,
    /// What still names the line to its visitor: until a socket takes it, or for as long as its client sends by POST.
    token: Option<Token>,
    stage: Stage,
    outbox: Outbox,
    /// How the line ends once its outbox is written; set by the handler's side.
    ending: Option<Close>,
    /// Bytes the client sent and the handler has not consumed.
    unheard: usize,
    next_event: u32,
    pub began: Instant,
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
    /// The close frame is the last thing to write; then the client has `until` to answer it.
    Closing { unwritten: Option<Close>, until: Instant },
}

/// What the registry does with the line after an input.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Nothing more.
    Keep,
    /// The socket has something to write.
    Wake,
    /// The line opened; let the socket write.
    Opened,
    /// The line is cut: tell the owner and let the socket write.
    Cut(Close),
    /// Forget the line; tell the owner if it still cares.
    Remove(Option<Close>),
}

impl Line {
    pub fn new(
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
            token: Some(token),
            stage: Stage::Joining { until },
            outbox: Outbox::default(),
            ending: None,
            unheard: 0,
            next_event: 0,
            began,
            frames_in: 0,
            frames_out: 0,
        }
    }

    /// The token that still means this line.
    pub fn token(&self) -> Option<Token> {
        self.token
    }

    /// Whether nobody joined yet.
    pub fn is_joinable(&self) -> bool {
        matches!(self.stage, Stage::Joining { .. })
    }

    /// Whether the client listens.
    pub fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open { .. })
    }

    /// Bytes that wait to be written.
    pub fn queued(&self) -> usize {
        self.outbox.bytes()
    }

    /// How the line ends, where that is decided.
    pub fn ending(&self) -> Option<&Close> {
        self.ending.as_ref()
    }

    /// When the line wants [`Line::expired`] called.
    pub fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Joining { until } | Stage::Handshake { until } | Stage::Closing { until, .. } => {
                Some(until)
            }
            Stage::Open { until } => until,
        }
    }

    /// The client is here. A socket spends the token.
    pub fn join(&mut self, carrier: Carrier) {
        if let Stage::Joining { until } = self.stage {
            self.stage = Stage::Handshake { until };
        }
        if carrier == Carrier::Socket {
            self.token = None;
        }
    }

    /// The answer itself carries the line, so its client listens already.
    pub fn attach(&mut self, now: Instant, limits: &Limits) -> Outcome {
        let Stage::Joining { .. } = self.stage else { return Outcome::Keep };
        self.stage = Stage::Open { until: self.ending.is_some().then(|| now + limits.close_grace) };
        Outcome::Opened
    }

    /// The handler's side sends.
    pub fn send(&mut self, frame: Frame, now: Instant, limits: &Limits) -> Outcome {
        if self.is_ending() {
            return Outcome::Keep;
        }
        match self.outbox.push(frame, limits.queue_bytes) {
            Ok(()) => self.wake_if_open(),
            Err(Full) => self.cut(CloseCode::TooSlow.into(), now, limits),
        }
    }

    /// The handler has said all: tell the client, then close normally.
    pub fn complete(&mut self, now: Instant, limits: &Limits) -> Outcome {
        if !self.is_ending() {
            // Without this frame the client could not tell the end from a loss, so it has no budget.
            let done = wire::response_done(&self.event_id("response.done"));
            let _ = self.outbox.push(done, usize::MAX);
        }
        self.finish(CloseCode::Done.into(), now, limits)
    }

    /// The handler's side is finished: write what waits, then close. Later inputs from the client are not told.
    pub fn finish(&mut self, close: Close, now: Instant, limits: &Limits) -> Outcome {
        if self.is_ending() {
            return Outcome::Keep;
        }
        self.ending = Some(close);
        if let Stage::Open { until } = &mut self.stage {
            *until = Some(now + limits.close_grace);
        }
        self.wake_if_open()
    }

    /// Ends the line from the host's side at once: what waits is dropped, the owner hears of it.
    pub fn cut(&mut self, close: Close, now: Instant, limits: &Limits) -> Outcome {
        let told = self.ending.is_some();
        match self.stage {
            Stage::Closing { .. } => Outcome::Keep,
            // What waits is on its way, and has its time limit.
            Stage::Open { .. } if told => Outcome::Keep,
            Stage::Joining { .. } => Outcome::Remove((!told).then_some(close)),
            Stage::Handshake { .. } | Stage::Open { .. } => {
                self.outbox = Outbox::default();
                self.ending = Some(close.clone());
                self.stage =
                    Stage::Closing { unwritten: Some(close.clone()), until: now + limits.close_grace };
                if told { Outcome::Wake } else { Outcome::Cut(close) }
            }
        }
    }

    /// A text frame came from the client. What it says to the handler comes back beside the outcome.
    pub fn receive(&mut self, text: &str, now: Instant, limits: &Limits) -> (Outcome, Option<Said>) {
        if matches!(self.stage, Stage::Closing { .. } | Stage::Joining { .. }) {
            return (Outcome::Keep, None);
        }
        let Ok(incoming) = wire::decode(text) else {
            return (self.cut(CloseCode::Unsupported.into(), now, limits), None);
        };
        let opens = matches!(self.stage, Stage::Handshake { .. });
        if opens {
            // A client that speaks is a client that listens, ping or not.
            self.stage = Stage::Open { until: self.ending.is_some().then(|| now + limits.close_grace) };
        }
        let said = match incoming {
            Incoming::Connect { event_id } => {
                let opened = wire::opened(&event_id, &self.event_id("opened"));
                let outcome = match self.outbox.push_front(opened, limits.queue_bytes) {
                    Ok(()) if opens => Outcome::Opened,
                    Ok(()) => Outcome::Wake,
                    Err(Full) => self.cut(CloseCode::Policy.into(), now, limits),
                };
                return (outcome, None);
            }
            Incoming::Disconnect => None,
            Incoming::Message { kind, event_id, payload, ports } => Some(Said {
                kind: kind.into_owned(),
                event_id: event_id.into_owned(),
                payload: payload.map(|payload| payload.to_owned().into()),
                ports,
                size: FRAME_COST + text.len(),
            }),
        };
        let outcome = if opens { Outcome::Opened } else { Outcome::Keep };
        (outcome, said.filter(|_| self.ending.is_none()))
    }

    /// The owner is told `size` bytes of what the client said.
    pub fn told(&mut self, size: usize) {
        self.unheard += size;
    }

    /// The owner handled `size` bytes of client messages. Says whether the socket may read again.
    pub fn heard(&mut self, size: usize, limits: &Limits) -> Outcome {
        let was_over = self.unheard > limits.queue_bytes;
        self.unheard = self.unheard.saturating_sub(size);
        if was_over && self.may_read(limits) { Outcome::Wake } else { Outcome::Keep }
    }

    /// Whether the socket should read: not while the handler is too far behind.
    pub fn may_read(&self, limits: &Limits) -> bool {
        self.unheard <= limits.queue_bytes
    }

    /// Gives out what should be written next, about `bytes` of it.
    pub fn take(&mut self, bytes: usize, now: Instant, limits: &Limits, into: &mut Vec<Frame>) -> Take {
        match self.stage {
            Stage::Joining { .. } | Stage::Handshake { .. } => Take::Idle,
            Stage::Open { .. } if !self.outbox.is_empty() => {
                self.outbox.take(bytes, into);
                Take::Frames
            }
            Stage::Open { .. } => match &self.ending {
                None => Take::Idle,
                Some(close) => {
                    let close = close.clone();
                    self.stage = Stage::Closing { unwritten: None, until: now + limits.close_grace };
                    Take::Close(close)
                }
            },
            Stage::Closing { ref mut unwritten, .. } => unwritten.take().map_or(Take::Idle, Take::Close),
        }
    }

    /// The socket is gone.
    pub fn socket_closed(&mut self, close: Close) -> Outcome {
        Outcome::Remove(self.ending.is_none().then_some(close))
    }

    /// The deadline of the current stage has passed.
    pub fn expired(&mut self) -> Outcome {
        let close = Close { code: CloseCode::GoingAway, reason: "nobody joined in time".into() };
        Outcome::Remove(self.ending.is_none().then_some(close))
    }

    /// Whether its end is decided.
    pub fn is_ending(&self) -> bool {
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

/// Types that only the host may send: a client that could raise them in a handler could fake the host.
pub(super) fn is_reserved(kind: &str) -> bool {
    kind.starts_with("response.") || kind.ends_with(".mutate") || matches!(kind, "open" | "close" | "error")
}
