//! Random histories of a line of `liveline.v1`: its handler, its client, and the network between them, which loses
//! frames and breaks without notice. Time is simulated.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::*;

const CONNECT: &str = r#"{".wq":{"type":"message","eventID":"E"},"ping":"connect"}"#;
const LONGEST: usize = 300;

/// Bytes of vital frames, which may wait beyond the budget: `opened` and `response.done`.
const VITAL: usize = 600;

#[derive(Debug, Clone)]
enum Step {
    /// The handler sends a message of this length.
    Message(usize),
    /// The handler's state changes: it sends a delta, or the whole state.
    Change(usize),
    State(usize),
    /// The handler processes its events.
    Handle,
    Complete,
    /// The host cuts the line.
    Cut,
    /// The client sends a message.
    ClientMessage,
    /// The host writes about this many bytes.
    Write(usize),
    /// This many frames reach the client.
    Read(usize),
    /// This many frames reach the host.
    Arrive(usize),
    /// The connection breaks and loses all frames on it. The flag: whether the host notices.
    Lose(bool),
    /// The client connects, again if it has a connection.
    Connect,
    /// The host notices all connections that broke.
    Notice,
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..LONGEST).prop_map(Step::Message),
        8 => (0..LONGEST).prop_map(Step::Change),
        2 => (0..LONGEST).prop_map(Step::State),
        6 => Just(Step::Handle),
        1 => prop::bool::weighted(0.05).prop_map(|end| if end { Step::Complete } else { Step::Handle }),
        1 => prop::bool::weighted(0.05).prop_map(|end| if end { Step::Cut } else { Step::Handle }),
        6 => Just(Step::ClientMessage),
        12 => (1usize..2000).prop_map(Step::Write),
        12 => (1usize..20).prop_map(Step::Read),
        8 => (1usize..20).prop_map(Step::Arrive),
        3 => any::<bool>().prop_map(Step::Lose),
        6 => Just(Step::Connect),
        1 => Just(Step::Notice),
        2 => (0u64..20).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..300)
}

enum Down {
    Text(String),
    Ping,
    Close(Close),
    /// The host has dropped the connection.
    Dropped,
}

enum Up {
    Text(String),
    Pong,
    Close(Close),
}

/// A connection. A broken one carries nothing, even if a side has not noticed.
struct Link {
    attachment: Attachment,
    down: VecDeque<Down>,
    up: VecDeque<Up>,
    is_broken: bool,
    is_welcomed: bool,
}

/// The state of the handler.
#[derive(Default)]
struct Handler {
    mailbox: VecDeque<Event>,
    serial: u64,
    version: u64,
    /// Frames that the engine accepted: all of them until the line ends.
    accepted: u64,
    messages: u64,
    heard: u64,
    opened: u32,
    is_finished: bool,
    is_closed: bool,
}

/// The state of the client.
#[derive(Default)]
struct Client {
    token: Option<Token>,
    is_connected: bool,
    /// The number of the last frame that it has, and of the last one that it sent.
    last: u64,
    said: u64,
    unconfirmed: u32,
    /// Frames that it may have to send again.
    kept: VecDeque<(u64, String)>,
    may_jump: bool,
    losses: u32,
    serial: u64,
    version: u64,
    seen: u64,
    messages: u64,
    is_done: bool,
    end: Option<Option<CloseCode>>,
}

struct Sim {
    engine: Engine,
    limits: Limits,
    now: Instant,
    id: LineId,
    handler: Handler,
    client: Client,
    /// The newest connection, until the host notices that it is gone.
    link: Option<Link>,
    /// Broken connections that the host has not noticed.
    ghosts: Vec<Attachment>,
    expected: Stats,
}

impl Sim {
    fn new(limits: Limits) -> Sim {
        let now = Instant::now();
        let mut engine = Engine::new(limits.clone(), now);
        let (owner, exchange) = (OwnerId(0), ExchangeId(0));
        let id = engine.open(Opening { owner, exchange, visitor: visitor(), token: token(0) }).unwrap();
        let attachment = engine.attachment(id);
        let mut sim = Sim {
            engine,
            limits,
            now,
            id,
            handler: Handler::default(),
            client: Client::default(),
            link: None,
            ghosts: vec![attachment],
            expected: Stats { opened: 1, ..Stats::default() },
        };
        let transport = TransportKind::Resumable(token(1));
        let attachment = sim.engine.join(token(0), transport, Caller::from(&visitor())).expect("it is new");
        sim.connected(attachment);
        sim
    }

    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Message(length) => {
                self.handler.messages += u64::from(self.send(Priority::Message, "m", 0, length));
            }
            Step::Change(length) => {
                self.handler.version += 1;
                self.send(Priority::Delta, "d", self.handler.version, length);
            }
            Step::State(length) => {
                self.handler.version += 1;
                self.send(Priority::State, "s", self.handler.version, length);
            }
            Step::Handle => self.handle()?,
            Step::Complete => {
                self.handler.is_finished = !self.handler.is_closed;
                self.engine.complete(self.id);
            }
            Step::Cut => self.engine.cut(self.id, CloseCode::Restart.into()),
            Step::ClientMessage => self.client_message(),
            Step::Write(bytes) => {
                self.write(bytes);
            }
            Step::Read(frames) => {
                for _ in 0..frames {
                    self.read()?;
                }
            }
            Step::Arrive(frames) => {
                for _ in 0..frames {
                    self.arrive();
                }
            }
            Step::Lose(is_noticed) => {
                self.client.is_connected = false;
                if let Some(link) = &mut self.link {
                    link.is_broken = true;
                    self.ghosts.push(link.attachment);
                }
                if is_noticed {
                    self.notice()?;
                }
            }
            Step::Connect => self.connect()?,
            Step::Notice => self.notice()?,
            Step::Wait(seconds) => {
                self.now += Duration::from_secs(seconds);
                self.engine.at(self.now).tick();
                prop_assert!(self.engine.next_deadline().is_none_or(|at| at > self.now));
            }
        }
        self.sort_out()?;
        let kept = self.engine.kept_bytes(self.id);
        let budget = self.limits.queue_bytes;
        prop_assert!(kept <= budget + LONGEST + 200 + VITAL, "{kept} bytes wait with a budget of {budget}");
        Ok(())
    }

    /// The engine's actions go to the handler's mailbox.
    fn sort_out(&mut self) -> Result<(), TestCaseError> {
        for action in self.engine.actions() {
            let Action::Dispatch { event, .. } = action else { continue };
            prop_assert!(!self.handler.is_closed, "nothing follows the end: {event:?}");
            if let Event::Closed(_) = event {
                prop_assert!(!self.handler.is_finished, "a handler that finished is not told");
                self.handler.is_closed = true;
            }
            self.handler.mailbox.push_back(event);
        }
        Ok(())
    }

    // -- the handler -----------------------------------------------------------------------------------------

    fn send(&mut self, priority: Priority, kind: &str, version: u64, length: usize) -> bool {
        let is_over = self.handler.is_closed || self.handler.is_finished;
        self.handler.serial += 1;
        let text = format!("{kind} {} {version} {}", self.handler.serial, "x".repeat(length));
        self.engine.send(self.id, QueuedFrame::new(priority, text));
        self.handler.accepted += u64::from(!is_over);
        !is_over
    }

    fn handle(&mut self) -> Result<(), TestCaseError> {
        while let Some(event) = self.handler.mailbox.pop_front() {
            match event {
                Event::Opened => {
                    self.handler.opened += 1;
                    prop_assert_eq!(self.handler.opened, 1, "a line opens once");
                }
                Event::Message { payload, size, .. } => {
                    self.handler.heard += 1;
                    let said = payload.map(|payload| payload.get().to_owned());
                    prop_assert_eq!(said, Some(self.handler.heard.to_string()), "in order, each once");
                    self.engine.acknowledge(self.id, size);
                }
                Event::Drained { stale: true } => {
                    self.engine.refreshed(self.id);
                    self.send(Priority::State, "s", self.handler.version, 10);
                }
                Event::Drained { stale: false } | Event::Closed(_) => {}
                other => prop_assert!(false, "nobody said {other:?}"),
            }
            self.sort_out()?;
        }
        Ok(())
    }

    // -- the host's end of the connection ------------------------------------------------------------------------

    /// Returns whether there was something.
    fn write(&mut self, bytes: usize) -> bool {
        let Some(link) = &mut self.link else { return false };
        let mut out = Vec::new();
        let take = self.engine.take(link.attachment, bytes, &mut out);
        self.expected.frames_out += out.len() as u64;
        self.expected.bytes_out += out.iter().map(Outgoing::payload_len).sum::<usize>() as u64;
        let mut frames: VecDeque<_> = out
            .into_iter()
            .map(|outgoing| match outgoing {
                Outgoing::Numbered(number, frame) => Down::Text(format!("{number} {}", frame.as_str())),
                Outgoing::Control(text) => Down::Text(text),
                Outgoing::Frame(_) => unreachable!("all frames have numbers"),
                Outgoing::Ping => {
                    self.expected.pings += 1;
                    Down::Ping
                }
            })
            .collect();
        match &take {
            Take::Idle => self.engine.written(link.attachment),
            Take::Some | Take::Last => {}
            Take::Close(close) => frames.push_back(Down::Close(close.clone())),
            Take::Gone => frames.push_back(Down::Dropped),
        }
        if !link.is_broken {
            link.down.append(&mut frames);
        }
        !matches!(take, Take::Idle | Take::Gone)
    }

    /// Returns whether there was something.
    fn arrive(&mut self) -> bool {
        let Some(link) = self.link.as_mut().filter(|link| !link.is_broken) else { return false };
        if !self.engine.may_read(link.attachment) {
            return false;
        }
        let Some(up) = link.up.pop_front() else { return false };
        match up {
            Up::Text(text) => {
                if self.engine.is_current(link.attachment) {
                    self.expected.frames_in += 1;
                    self.expected.bytes_in += text.len() as u64;
                }
                self.engine.receive(link.attachment, &text);
            }
            Up::Pong => self.engine.alive(link.attachment),
            Up::Close(close) => self.engine.disconnected(link.attachment, close),
        }
        true
    }

    /// The host notices connections that are gone, some of which were replaced long ago.
    fn notice(&mut self) -> Result<(), TestCaseError> {
        for attachment in std::mem::take(&mut self.ghosts) {
            self.engine.disconnected(attachment, CloseCode::Abnormal.into());
            self.engine.receive(attachment, "99 \"late\"");
            let take = self.engine.take(attachment, 1, &mut Vec::new());
            prop_assert_eq!(take, Take::Gone);
        }
        Ok(())
    }

    // -- the client ------------------------------------------------------------------------------------------------

    fn connect(&mut self) -> Result<(), TestCaseError> {
        if self.client.end.is_some() {
            return Ok(());
        }
        // The first token is valid until a welcome has another.
        let known = self.client.token.unwrap_or(token(0));
        if let Some(old) = self.link.take() {
            self.ghosts.push(old.attachment);
        }
        let fresh = token(self.expected.resumed + 2);
        match self.engine.resume(known, fresh, self.client.last, Caller::from(&visitor())) {
            Ok(attachment) => {
                self.expected.resumed += 1;
                self.connected(attachment);
            }
            Err(error) => {
                prop_assert_eq!(error, JoinError::Unknown);
                prop_assert!(self.engine.is_empty(), "a line that lives takes its client back");
                self.client.is_connected = false;
                self.client.end = Some(None);
            }
        }
        Ok(())
    }

    fn connected(&mut self, attachment: Attachment) {
        let (down, up) = Default::default();
        self.link = Some(Link { attachment, down, up, is_broken: false, is_welcomed: false });
        self.client.is_connected = true;
    }

    fn client_message(&mut self) {
        if self.client.said == 0 || self.client.end.is_some() {
            return;
        }
        let number = self.client.said;
        self.send_up(format!(r#"{{"message":{number},".wq":{{"type":"message","eventID":"e"}}}}"#));
    }

    /// A frame of the client, which is sent now or after the next welcome.
    fn send_up(&mut self, envelope: String) {
        self.client.said += 1;
        let text = format!("{} {envelope}", self.client.said);
        self.client.kept.push_back((self.client.said, text.clone()));
        self.up(Up::Text(text));
    }

    fn up(&mut self, up: Up) {
        if let Some(link) = self.link.as_mut().filter(|link| link.is_welcomed && self.client.is_connected) {
            link.up.push_back(up);
        }
    }

    /// Returns whether there was something.
    fn read(&mut self) -> Result<bool, TestCaseError> {
        let Some(link) = self.link.as_mut().filter(|_| self.client.is_connected) else { return Ok(false) };
        let Some(down) = link.down.pop_front() else { return Ok(false) };
        match down {
            Down::Ping => self.up(Up::Pong),
            Down::Dropped => {
                self.client.is_connected = false;
                link.is_broken = true;
            }
            Down::Close(close) => {
                self.client.end = Some(Some(close.code));
                self.up(Up::Close(close));
            }
            Down::Text(text) => {
                if let Some(welcome) = text.strip_prefix('w') {
                    prop_assert!(!std::mem::replace(&mut link.is_welcomed, true), "once, and first");
                    self.welcomed(serde_json::from_str(welcome).unwrap())?;
                } else if let Some(number) = text.strip_prefix('a') {
                    self.acknowledged(number.parse().unwrap())?;
                } else {
                    prop_assert!(link.is_welcomed);
                    self.take_in(&text)?;
                }
            }
        }
        Ok(true)
    }

    fn welcomed(&mut self, welcome: Welcome) -> Result<(), TestCaseError> {
        self.client.token = Some(welcome.token.parse().unwrap());
        self.client.may_jump = welcome.lost;
        self.client.losses += u32::from(welcome.lost);
        self.acknowledged(welcome.received)?;
        self.up(Up::Text(format!("a{}", self.client.last)));
        for (_, text) in self.client.kept.clone() {
            self.up(Up::Text(text));
        }
        if self.client.said == 0 {
            self.send_up(CONNECT.to_owned());
        }
        Ok(())
    }

    fn acknowledged(&mut self, number: u64) -> Result<(), TestCaseError> {
        prop_assert!(number <= self.client.said, "the host has what was never said");
        self.client.kept.retain(|(kept, _)| *kept > number);
        Ok(())
    }

    fn take_in(&mut self, text: &str) -> Result<(), TestCaseError> {
        let client = &mut self.client;
        let (number, frame) = text.split_once(' ').unwrap();
        let number: u64 = number.parse().unwrap();
        let is_next = number == client.last + 1 || (client.may_jump && number > client.last);
        prop_assert!(is_next, "{number} after {}", client.last);
        (client.last, client.may_jump) = (number, false);
        client.unconfirmed += 1;
        prop_assert!(!client.is_done, "nothing follows what is done");
        if frame.starts_with('{') {
            client.is_done = frame.contains("response.done");
            prop_assert!(client.is_done || frame.contains("isOpen"));
        } else {
            let mut words = frame.split(' ');
            let (kind, mut number) =
                (words.next().unwrap(), || words.next().unwrap().parse::<u64>().unwrap());
            let (serial, version) = (number(), number());
            prop_assert!(serial > client.serial, "in order, each once");
            client.serial = serial;
            client.seen += 1;
            match kind {
                "m" => client.messages += 1,
                "s" => client.version = version,
                _ => {
                    prop_assert_eq!(client.version + 1, version, "a change of what the client does not have");
                    client.version = version;
                }
            }
        }
        if client.unconfirmed >= 8 {
            client.unconfirmed = 0;
            let confirms = format!("a{}", client.last);
            self.up(Up::Text(confirms));
        }
        Ok(())
    }

    // -- the end -----------------------------------------------------------------------------------------------------

    /// From here on nothing breaks, until neither side has anything to send.
    fn calm_down(&mut self) -> Result<(), TestCaseError> {
        loop {
            let mut is_moving = self.client.end.is_none() && !self.client.is_connected;
            if is_moving || self.link.as_ref().is_some_and(|link| link.is_broken) {
                self.connect()?;
            }
            self.step(Step::Handle)?;
            while self.write(1000) {
                is_moving = true;
            }
            while self.read()? {
                is_moving = true;
            }
            // It has been a second.
            let confirms = std::mem::take(&mut self.client.unconfirmed) > 0;
            if confirms {
                self.up(Up::Text(format!("a{}", self.client.last)));
            }
            while self.arrive() {
                is_moving = true;
            }
            self.sort_out()?;
            if !is_moving && self.handler.mailbox.is_empty() {
                return Ok(());
            }
        }
    }

    fn check_all_arrived(&self) -> Result<(), TestCaseError> {
        let Sim { handler, client, .. } = self;
        let stats = self.engine.stats();
        let accounted = client.seen + stats.dropped + stats.coalesced;
        prop_assert_eq!(client.version, handler.version, "the client has the state");
        prop_assert_eq!(handler.heard + 1, client.said, "the handler has heard everything");
        // Frames that were outrun may have arrived before.
        prop_assert!(accounted == handler.accepted || (client.losses > 0 && accounted >= handler.accepted));
        if self.limits.overflow == Overflow::Close && client.losses == 0 {
            prop_assert_eq!(client.messages, handler.messages, "no message is missing");
        }
        Ok(())
    }

    fn check_nothing_is_left(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..4 {
            self.now += Duration::from_secs(61);
            self.engine.at(self.now).tick();
        }
        self.sort_out()?;
        prop_assert!(self.engine.is_empty() && self.engine.next_deadline().is_none());
        prop_assert!(self.handler.is_finished != self.handler.is_closed, "it ended once");
        let mut stats = self.engine.stats();
        prop_assert_eq!(stats.closed.values().sum::<u64>(), 1);
        let (dropped, coalesced, closed) =
            (stats.dropped, stats.coalesced, std::mem::take(&mut stats.closed));
        let expected = Stats { dropped, coalesced, ..self.expected.clone() };
        prop_assert_eq!(stats, expected, "and how it ended: {:?}", closed);
        Ok(())
    }
}

fn visitor() -> Visitor {
    Visitor { session: None, address: [127, 0, 0, 1].into() }
}

fn token(number: u64) -> Token {
    Token(u128::from(number).to_be_bytes())
}

proptest! {
    #[test]
    fn resume_any_history_loses_and_repeats_nothing(
        steps in steps(),
        queue_bytes in 500usize..4000,
        overflow in prop::sample::select(vec![Overflow::Close, Overflow::DropOldest, Overflow::DropNewest]),
    ) {
        let (ping_interval, ping_timeout) = (Duration::from_secs(10), Duration::from_secs(25));
        let limits = Limits { queue_bytes, overflow, ping_interval, ping_timeout, ..Limits::default() };
        let mut sim = Sim::new(limits);
        for step in steps {
            sim.step(step)?;
        }
        sim.calm_down()?;
        let Sim { handler, client, .. } = &sim;
        if client.end.is_none() {
            prop_assert!(!handler.is_closed && !handler.is_finished, "both know of the end");
            sim.check_all_arrived()?;
            sim.step(Step::Complete)?;
            sim.calm_down()?;
            prop_assert_eq!(sim.client.end, Some(Some(CloseCode::Done)));
            prop_assert!(sim.client.is_done && sim.engine.is_empty());
        }
        sim.check_nothing_is_left()?;
    }
}
