//! Random histories of lines in channels, against a simple model: it announces every member that joins or leaves to
//! every other at once, in a frame each.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::*;

const CONNECT: &str = r#"{".wq":{"type":"message","eventID":"E"},"ping":"connect"}"#;
const HELLO: &str = r#"{"message":1,".wq":{"type":"room:message","eventID":"e"}}"#;
const CHANNELS: [&str; 2] = ["room", "room:7"];
const SESSIONS: [Option<&str>; 4] = [None, None, Some("A"), Some("B")];

/// One step; the first number is a line, the second a channel.
#[derive(Debug, Clone)]
enum Step {
    /// A line of a session; some never get a client.
    Open(usize, bool),
    Enter(usize, usize),
    Leave(usize, usize),
    /// It leaves and enters so often that the channel collects the changes.
    Churn(usize, usize),
    Message(usize, usize),
    Post(usize),
    Complete(usize),
    Disconnect(usize),
    Cut(usize),
    /// After a second, when all changes are announced.
    Read(usize),
    /// In milliseconds.
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let line = 0usize..8;
    let both = (line.clone(), 0..CHANNELS.len());
    let step = prop_oneof![
        4 => (0..SESSIONS.len(), prop::bool::weighted(0.8)).prop_map(|(it, joined)| Step::Open(it, joined)),
        8 => both.clone().prop_map(|(line, channel)| Step::Enter(line, channel)),
        3 => both.clone().prop_map(|(line, channel)| Step::Leave(line, channel)),
        3 => both.clone().prop_map(|(line, channel)| Step::Churn(line, channel)),
        10 => both.prop_map(|(line, channel)| Step::Message(line, channel)),
        1 => (0..CHANNELS.len()).prop_map(Step::Post),
        1 => line.clone().prop_map(Step::Complete),
        1 => line.clone().prop_map(Step::Disconnect),
        1 => line.clone().prop_map(Step::Cut),
        4 => line.prop_map(Step::Read),
        3 => (0u64..30).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..120)
}

/// The model of one line.
struct Known {
    id: LineId,
    session: Option<&'static str>,
    joined: bool,
    over: bool,
    said: u32,
    /// Channels in the order in which it entered them, in which it leaves them in the end.
    entered: Vec<usize>,
    /// What its client has still to read.
    expected: Vec<Expected>,
}

/// A frame of a channel.
struct Expected {
    channel: usize,
    /// Its type and id.
    name: String,
    tells_of_member: bool,
    /// The line left the channel, perhaps before this was announced.
    may_be_missing: bool,
}

/// The members of each channel: their lines, by the member's number.
#[derive(Default)]
struct Model {
    channels: [BTreeMap<u64, BTreeSet<usize>>; 2],
    next_member: u64,
}

impl Model {
    fn member(&self, channel: usize, line: usize) -> Option<u64> {
        self.channels[channel].iter().find(|(_, lines)| lines.contains(&line)).map(|(member, _)| *member)
    }

    /// Adds a frame of a type and an id to what the other members expect.
    fn announce(&self, channel: usize, member: u64, frame: (&str, &str), known: &mut [Known]) {
        let tells_of_member = frame.1.starts_with("joins-") || frame.1.starts_with("leaves-");
        for (_, lines) in self.channels[channel].iter().filter(|(other, _)| **other != member) {
            for line in lines {
                let name = format!("{}:{} {}", CHANNELS[channel], frame.0, frame.1);
                let expected = Expected { channel, name, tells_of_member, may_be_missing: false };
                known[*line].expected.push(expected);
            }
        }
    }

    fn enter(&mut self, channel: usize, line: usize, known: &mut [Known]) {
        if self.member(channel, line).is_some() || known[line].over {
            return;
        }
        known[line].entered.push(channel);
        let session = known[line].session;
        let same = |lines: &BTreeSet<usize>| {
            session.is_some() && lines.iter().any(|it| known[*it].session == session)
        };
        if let Some(lines) = self.channels[channel].values_mut().find(|lines| same(lines)) {
            lines.insert(line);
            return;
        }
        let member = self.next_member;
        self.next_member += 1;
        self.channels[channel].insert(member, BTreeSet::from([line]));
        self.announce(channel, member, ("message", &format!("joins-{member}")), known);
    }

    fn leave(&mut self, channel: usize, line: usize, known: &mut [Known]) {
        let Some(member) = self.member(channel, line) else { return };
        let lines = self.channels[channel].get_mut(&member).unwrap();
        lines.remove(&line);
        known[line].entered.retain(|entered| *entered != channel);
        // Frames that were sent later are expected later.
        let of_channel = known[line].expected.iter_mut().filter(|expected| expected.channel == channel);
        for expected in of_channel.rev().take_while(|expected| expected.tells_of_member) {
            expected.may_be_missing = true;
        }
        if lines.is_empty() {
            self.channels[channel].remove(&member);
            self.announce(channel, member, ("message", &format!("leaves-{member}")), known);
        }
    }

    fn end(&mut self, line: usize, known: &mut [Known]) {
        if !std::mem::replace(&mut known[line].over, true) {
            for channel in known[line].entered.clone() {
                self.leave(channel, line, known);
            }
        }
    }
}

/// Types and ids of all frames that a line's client reads now, and of what is listed in them.
fn read(engine: &mut Engine, id: LineId) -> Vec<String> {
    let mut frames = Vec::new();
    while engine.take(engine.attachment(id), 1000, &mut frames) == Take::Some {}
    let names = frames.iter().flat_map(|outgoing| {
        let Outgoing::Frame(frame) = outgoing else { panic!("nothing else is sent") };
        let envelope: serde_json::Value = serde_json::from_str(frame.as_str()).unwrap();
        let name = |key: &str| envelope[".wq"][key].as_str().unwrap().to_owned();
        match name("type").strip_suffix(":joins-leaves") {
            Some(channel) => {
                let listed = envelope["message"]["events"].as_array().expect("few happened");
                let count = |key: &str| envelope["message"][key].as_u64().unwrap();
                assert_eq!(count("joins") + count("leaves"), listed.len() as u64);
                let id = |event: &serde_json::Value| event["eventID"].as_str().unwrap().to_owned();
                listed.iter().map(|event| format!("{channel}:message {}", id(event))).collect()
            }
            None => vec![format!("{} {}", name("type"), name("eventID"))],
        }
    });
    names.filter(|name| !name.starts_with("E:0:message") && !name.starts_with("response.done")).collect()
}

/// Whether `names` are what was expected of one channel, in order.
fn is_expected(names: &[String], expected: &[Expected], channel: usize) -> bool {
    let prefix = format!("{}:message ", CHANNELS[channel]);
    let news = format!("{}:news ", CHANNELS[channel]);
    let mut names =
        names.iter().filter(|name| name.starts_with(&prefix) || name.starts_with(&news)).peekable();
    for expected in expected.iter().filter(|expected| expected.channel == channel) {
        match names.peek() {
            Some(name) if **name == expected.name => drop(names.next()),
            _ if expected.may_be_missing => {}
            _ => return false,
        }
    }
    names.next().is_none()
}

/// A line of a session, whose client joins or not.
fn open(engine: &mut Engine, number: usize, session: Option<&str>, joined: bool) -> LineId {
    let visitor = Visitor { session: session.map(Box::from), address: [127, 0, 0, 1].into() };
    let (owner, exchange, token) = (OwnerId(0), ExchangeId(number as u64), Token([number as u8; 16]));
    let id = engine.open(Opening { owner, exchange, visitor: visitor.clone(), token }).unwrap();
    if joined {
        engine.join(token, TransportKind::Socket, Caller::from(&visitor)).unwrap();
        engine.receive(engine.attachment(id), CONNECT);
    }
    id
}

fn entry() -> JoinOptions {
    JoinOptions { announcement: Some(Announcement { joins: None, leaves: None }), ..JoinOptions::default() }
}

fn engine(queue_bytes: usize) -> Engine {
    // No line ends because time passes.
    let (join_window, close_grace) = (Duration::from_secs(9999), Duration::from_secs(9999));
    Engine::new(Limits { queue_bytes, join_window, close_grace, ..Limits::default() }, Instant::now())
}

proptest! {
    #[test]
    fn channels_any_history_reaches_members_and_no_other_line(steps in steps()) {
        let mut engine = engine(1 << 20);
        let mut now = Instant::now();
        let (mut model, mut known) = (Model::default(), Vec::<Known>::new());
        let channels = CHANNELS.map(|name| name.parse::<ChannelId>().unwrap());
        let mut storms = 0;

        for step in steps {
            let at = |line: usize, known: &[Known]| (!known.is_empty()).then(|| line % known.len());
            match step {
                Step::Open(session, joined) => {
                    let session = SESSIONS[session];
                    let id = open(&mut engine, known.len(), session, joined);
                    let (entered, expected) = Default::default();
                    known.push(Known { id, session, joined, over: false, said: 0, entered, expected });
                }
                Step::Enter(line, channel) => if let Some(line) = at(line, &known) {
                    engine.enter(known[line].id, channels[channel].clone(), entry());
                    model.enter(channel, line, &mut known);
                },
                Step::Leave(line, channel) => if let Some(line) = at(line, &known) {
                    engine.leave(known[line].id, &channels[channel]);
                    model.leave(channel, line, &mut known);
                },
                Step::Churn(line, channel) => if let Some(line) = at(line, &known) {
                    storms += 1;
                    if storms % 2 == 0 {
                        // Few changes, so that an announcement lists them.
                        now += Duration::from_secs(1);
                        engine.at(now).tick();
                    }
                    for _ in 0..5 {
                        engine.leave(known[line].id, &channels[channel]);
                        model.leave(channel, line, &mut known);
                        engine.enter(known[line].id, channels[channel].clone(), entry());
                        model.enter(channel, line, &mut known);
                    }
                },
                Step::Message(line, channel) => if let Some(line) = at(line, &known) {
                    known[line].said += 1;
                    let kind = format!("{}:message", CHANNELS[channel]);
                    let event_id = format!("{line}-{}", known[line].said);
                    let text = format!(r#"{{"message":1,".wq":{{"type":"{kind}","eventID":"{event_id}"}}}}"#);
                    engine.receive(engine.attachment(known[line].id), &text);
                    if let Some(member) = model.member(channel, line).filter(|_| known[line].joined) {
                        model.announce(channel, member, ("message", &event_id), &mut known);
                    }
                },
                Step::Post(channel) => {
                    let kind = format!("{}:news", CHANNELS[channel]);
                    let envelope = Envelope { kind: &kind, event_id: "n", ..Default::default() };
                    engine.post(&channels[channel], &envelope.encode(None));
                    model.announce(channel, u64::MAX, ("news", "n"), &mut known);
                }
                Step::Complete(line) => if let Some(line) = at(line, &known) {
                    engine.complete(known[line].id);
                    model.end(line, &mut known);
                },
                Step::Disconnect(line) => if let Some(line) = at(line, &known) {
                    engine.disconnected(engine.attachment(known[line].id), CloseCode::Abnormal.into());
                    known[line].expected.clear();
                    model.end(line, &mut known);
                },
                Step::Cut(line) => if let Some(line) = at(line, &known) {
                    if !known[line].over {
                        known[line].expected.clear();
                    }
                    engine.cut(known[line].id, CloseCode::Restart.into());
                    model.end(line, &mut known);
                },
                Step::Read(line) => if let Some(line) = at(line, &known)
                    && known[line].joined
                {
                    now += Duration::from_secs(1);
                    engine.at(now).tick();
                    let expected = std::mem::take(&mut known[line].expected);
                    let names = read(&mut engine, known[line].id);
                    for channel in 0..CHANNELS.len() {
                        let wanted: Vec<_> = expected.iter().map(|expected| &expected.name).collect();
                        prop_assert!(is_expected(&names, &expected, channel), "{:?}, not {:?}", names, wanted);
                    }
                },
                Step::Wait(milliseconds) => {
                    now += Duration::from_millis(milliseconds);
                    engine.at(now).tick();
                }
            }
            for (channel, members) in channels.iter().zip(&model.channels) {
                prop_assert_eq!(engine.channel_size(channel), members.len());
            }
        }

        for line in &known {
            engine.disconnected(engine.attachment(line.id), CloseCode::Abnormal.into());
        }
        prop_assert!(engine.is_empty(), "nothing is left when all lines are gone");
    }

    /// Members that are too slow are cut. That is announced to the others, some of which are then too slow, too.
    #[test]
    fn channels_with_slow_members_leave_nothing_behind(
        sessions in prop::collection::vec(0..SESSIONS.len(), 1..20),
        said in 1usize..20,
    ) {
        let mut engine = engine(700);
        let mut now = Instant::now();
        let room: ChannelId = "room".parse().unwrap();
        let lines: Vec<_> = sessions.iter().enumerate().map(|(number, session)| {
            let id = open(&mut engine, number, SESSIONS[*session], true);
            engine.enter(id, room.clone(), entry());
            id
        }).collect();

        for _ in 0..said {
            engine.receive(engine.attachment(lines[0]), HELLO);
            now += Duration::from_millis(3);
            engine.at(now).tick();
            // Only the first line is read.
            for name in read(&mut engine, lines[0]) {
                prop_assert!(name.starts_with("room:message"), "{}", name);
            }
        }
        let told: Vec<_> = engine.actions().filter_map(|action| match action {
            Action::Dispatch { line, event: Event::Closed(_), .. } => Some(line),
            _ => None,
        }).collect();
        prop_assert_eq!(told.iter().collect::<BTreeSet<_>>().len(), told.len(), "a line ends once");
        for line in lines {
            engine.disconnected(engine.attachment(line), CloseCode::Abnormal.into());
        }
        prop_assert!(engine.is_empty());
    }
}
