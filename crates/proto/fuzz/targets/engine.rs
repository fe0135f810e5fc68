//! Arbitrary inputs of handlers, clients and networks: a line ends once, numbers leave no gap, nothing is left.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use liveline_proto::websocket::Unfinished;
use liveline_proto::{
    Action, Announcement, Attachment, Caller, CloseCode, Engine, Event, ExchangeId, Frame, JoinOptions,
    Limits, LineId, Listening, Message, Opening, Origins, Outgoing, Overflow, OwnerId, Payloads, Priority,
    QueuedFrame, Take, Token, TransportKind, Visitor,
};

const CONNECT: &str = r#"{".wq":{"type":"message","eventID":"E"},"ping":"connect"}"#;
const SAYS: [&str; 4] = [
    CONNECT,
    "\"hello\"",
    r#"{"message":1,".wq":{"type":"room:message","eventID":"e"}}"#,
    r#"{"message":1,".wq":{"type":"q-1:0:message","eventID":"e"}}"#,
];
const CLASSES: [Priority; 4] = [Priority::Control, Priority::State, Priority::Delta, Priority::Message];
const OVERFLOWS: [Overflow; 3] = [Overflow::Close, Overflow::DropOldest, Overflow::DropNewest];

/// Each input is three bytes: the kind, the line, and a parameter.
pub(crate) fn check(data: &[u8]) {
    let Some((first, inputs)) = data.split_first() else { return };
    let mut world = World::new(OVERFLOWS[usize::from(first % 3)]);
    for input in inputs.chunks_exact(3) {
        world.step(input[0], input[1], input[2]);
        world.settle();
    }
    world.end();
}

/// The model of a line.
#[derive(Default)]
struct Known {
    is_opened: bool,
    is_closed: bool,
}

/// The model of a connection.
struct Connection {
    attachment: Attachment,
    /// The number that its next frame has, if that is known.
    next: Option<u64>,
    /// The number of the next frame of its client.
    says: u64,
}

struct World {
    engine: Engine,
    now: Instant,
    lines: Vec<LineId>,
    known: HashMap<LineId, Known>,
    connections: Vec<Connection>,
    tokens: Vec<Token>,
    told: Vec<(LineId, usize)>,
    is_over: u64,
}

impl World {
    fn new(overflow: Overflow) -> World {
        let now = Instant::now();
        let limits = Limits {
            join_window: Duration::from_secs(30),
            close_grace: Duration::from_secs(5),
            resume_window: Duration::from_secs(30),
            ping_interval: Duration::from_secs(10),
            ping_timeout: Duration::from_secs(25),
            queue_bytes: 1500,
            all_queues_bytes: 40_000,
            channel_queue_bytes: 4000,
            overflow,
            lines_per_session: 5,
            lines_per_address: 8,
            unfinished: Unfinished::new(1 << 20),
            origins: Origins::default(),
        };
        World {
            engine: Engine::new(limits, now),
            now,
            lines: Vec::new(),
            known: HashMap::new(),
            connections: Vec::new(),
            tokens: Vec::new(),
            told: Vec::new(),
            is_over: 0,
        }
    }

    fn step(&mut self, what: u8, which: u8, how: u8) {
        let length = usize::from(how);
        let visitor = Visitor {
            session: (which & 64 != 0).then(|| "ann".into()),
            address: [127, 0, 0, 1 + which / 128].into(),
        };
        if what.is_multiple_of(20) {
            let (token, exchange) = (self.fresh(), ExchangeId(self.lines.len() as u64));
            let owner = OwnerId(u32::from(how % 2));
            if let Ok(line) = self.engine.open(Opening { owner, exchange, visitor, token }) {
                self.lines.push(line);
                self.known.insert(line, Known::default());
            }
            return;
        }
        let fresh = self.fresh();
        let engine = &mut self.engine;
        let Some(line) = pick(&self.lines, which) else { return };
        let room = "room".parse().expect("a name");
        match what % 20 {
            1 => {
                let carriers = [
                    TransportKind::Socket,
                    TransportKind::Resumable(fresh),
                    TransportKind::Events,
                    TransportKind::Raw,
                ];
                let transport = carriers[length % 4];
                let Some(token) = pick(&self.tokens, which) else { return };
                if let Ok(attachment) = engine.join(token, transport, Caller::from(&visitor)) {
                    self.connections.push(Connection { attachment, next: Some(1), says: 1 });
                }
            }
            2 => {
                let Some(token) = pick(&self.tokens, which) else { return };
                if let Ok(attachment) =
                    engine.resume(token, fresh, u64::from(how % 32), Caller::from(&visitor))
                {
                    self.connections.push(Connection {
                        attachment,
                        next: Some(u64::from(how % 32) + 1),
                        says: 1,
                    });
                }
            }
            3 => {
                if let Some(attachment) = engine.attach(line, TransportKind::Events) {
                    self.connections.push(Connection { attachment, next: None, says: 1 });
                }
            }
            4 | 5 => {
                let parcel = QueuedFrame::new(CLASSES[length % 4], "x".repeat(length * 2));
                engine.send(line, parcel);
            }
            6 => engine.complete(line),
            7 => engine.finish(line, CloseCode::Navigated.into()),
            8 => engine.cut(line, CloseCode::Restart.into()),
            9 => engine.refreshed(line),
            10 => {
                let announcement = (how & 2 != 0).then_some(Announcement { joins: None, leaves: None });
                let entry = JoinOptions { decides: how & 1 != 0, announcement, ..JoinOptions::default() };
                engine.enter(line, room, entry);
            }
            11 => engine.leave(line, &room),
            12 => {
                let to = [Listening::Client, Listening::Channel, Listening::Presence][length % 3];
                engine.listen(line, &room, to);
            }
            13 => {
                let message = Message { kind: "message", event_id: "e", size: length };
                engine.relay(line, &room, message, Payloads::Same(None));
            }
            14 => engine.disown(OwnerId(u32::from(how % 2)), CloseCode::IsolateLost),
            15 => {
                self.now += Duration::from_millis(u64::from(how) * 100);
                engine.at(self.now).tick();
                assert!(engine.next_deadline().is_none_or(|at| at > self.now), "what is due is done");
            }
            16 => {
                if let Some((line, size)) = self.told.pop() {
                    engine.acknowledge(line, size);
                }
            }
            _ => self.at_connection(what, which, how),
        }
    }

    /// An input of a connection, which may be gone.
    fn at_connection(&mut self, what: u8, which: u8, how: u8) {
        let World { engine, connections, .. } = self;
        let Some(at) = usize::from(which).checked_rem(connections.len()) else { return };
        let connection = &mut connections[at];
        let attachment = connection.attachment;
        let said = SAYS[usize::from(how % 4)];
        match (what % 20, how / 4 % 8) {
            (17, 0) => engine.receive(attachment, said),
            (17, 1) => {
                // It acknowledges a frame that it may not have.
                connection.next = None;
                engine.receive(attachment, &format!("a{}", how / 32));
            }
            (17, 2) => engine.receive(attachment, "{"),
            (17, 3) => engine.receive_raw(attachment, Frame::from(said)),
            (17, _) => {
                engine.receive(attachment, &format!("{} {said}", connection.says));
                connection.says += 1;
            }
            (18, 0) => engine.disconnected(attachment, CloseCode::Abnormal.into()),
            (18, 1) => engine.disconnected(attachment, CloseCode::from(1000 + u16::from(how)).into()),
            (18, 2) => engine.alive(attachment),
            (18, 3) => engine.reject(attachment, CloseCode::TooBig.into()),
            _ => {
                let mut out = Vec::new();
                let take = engine.take(attachment, usize::from(how) * 8, &mut out);
                if take == Take::Idle {
                    engine.written(attachment);
                }
                out.iter().for_each(|outgoing| connection.took(outgoing));
            }
        }
    }

    fn fresh(&mut self) -> Token {
        let token = Token((self.tokens.len() as u128).to_be_bytes());
        self.tokens.push(token);
        token
    }

    fn settle(&mut self) {
        for action in self.engine.actions() {
            match action {
                Action::Wake(_) | Action::WakeAll(_) => {}
                Action::Ended(_) => self.is_over += 1,
                Action::Dispatch { line, event, .. } => {
                    let known = self.known.get_mut(&line).expect("it was opened");
                    assert!(!known.is_closed, "nothing follows the end: {event:?}");
                    match event {
                        Event::Opened => assert!(!std::mem::replace(&mut known.is_opened, true)),
                        Event::Closed(_) => known.is_closed = true,
                        Event::Message { size, .. } | Event::Relay { size, .. } => {
                            self.told.push((line, size));
                        }
                        _ => {}
                    }
                }
            }
        }
        let stats = self.engine.stats();
        assert_eq!(stats.closed.values().sum::<u64>(), self.is_over);
        assert_eq!(stats.joining + stats.open + stats.away, stats.opened - self.is_over);
        assert!(stats.members <= stats.opened - self.is_over);
    }

    /// The server stops, and time passes.
    fn end(mut self) {
        self.engine.cut_all(CloseCode::Restart);
        for _ in 0..4 {
            self.now += Duration::from_secs(61);
            self.engine.at(self.now).tick();
        }
        self.settle();
        assert!(self.engine.is_empty() && self.engine.next_deadline().is_none(), "nothing is left");
    }
}

impl Connection {
    fn took(&mut self, outgoing: &Outgoing) {
        match outgoing {
            Outgoing::Control(text) if text.starts_with('w') && text.contains("\"lost\":true") => {
                self.next = None;
            }
            Outgoing::Numbered(number, _) => {
                assert!(self.next.is_none_or(|next| next == *number), "a gap before {number}");
                self.next = Some(number + 1);
            }
            _ => {}
        }
    }
}

fn pick<T: Copy>(from: &[T], which: u8) -> Option<T> {
    usize::from(which % 64).checked_rem(from.len()).map(|at| from[at])
}
