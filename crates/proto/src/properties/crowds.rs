//! Thousands of lines in one channel, in virtual time: what they are told, and what waits for them.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::Value;

use crate::*;

const CONNECT: &str = r#"{".wq":{"type":"message","eventID":"E"},"ping":"connect"}"#;

/// Lines in a room, and what each has read.
struct Crowd {
    engine: Engine,
    now: Instant,
    lines: Vec<LineId>,
    read: Vec<Read>,
}

/// What one client has read of the room.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Read {
    frames: u64,
    joins: u64,
    leaves: u64,
}

fn room() -> ChannelId {
    "room".parse().unwrap()
}

impl Crowd {
    fn new(limits: Limits) -> Crowd {
        let now = Instant::now();
        let limits = Limits { lines_per_address: usize::MAX, ..limits };
        Crowd { engine: Engine::new(limits, now), now, lines: Vec::new(), read: Vec::new() }
    }

    /// One more visitor, whose client listens, in the room.
    fn enter(&mut self) {
        let engine = &mut self.engine;
        let number = self.lines.len();
        let visitor = Visitor { session: None, address: [127, 0, 0, 1].into() };
        let token = Token((number as u128).to_be_bytes());
        let (owner, exchange) = (OwnerId(0), ExchangeId(number as u64));
        let opening = Opening { owner, exchange, visitor: visitor.clone(), token };
        let line = engine.open(opening).unwrap();
        let announcement = Some(Announcement { joins: None, leaves: None });
        engine.enter(line, room(), JoinOptions { announcement, ..JoinOptions::default() });
        engine.join(token, TransportKind::Socket, Caller::from(&visitor)).unwrap();
        engine.receive(engine.attachment(line), CONNECT);
        self.lines.push(line);
        self.read.push(Read::default());
        self.settle();
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.engine.at(self.now).tick();
        self.settle();
    }

    fn settle(&mut self) {
        self.engine.actions();
    }

    /// The client reads all that it was sent.
    fn read(&mut self, line: usize) {
        let (id, mut frames) = (self.lines[line], Vec::new());
        while self.engine.take(self.engine.attachment(id), 1 << 20, &mut frames) == Take::Some {}
        for outgoing in frames {
            let Outgoing::Frame(frame) = outgoing else { panic!("nothing else is sent") };
            let envelope: Value = serde_json::from_str(frame.as_str()).unwrap();
            let kind = envelope[".wq"]["type"].as_str().unwrap();
            let event_id = envelope[".wq"]["eventID"].as_str().unwrap();
            let (joins, leaves) = match kind {
                "room:joins-leaves" => {
                    let count = |key: &str| envelope["message"][key].as_u64().unwrap();
                    (count("joins"), count("leaves"))
                }
                "room:message" => {
                    (u64::from(event_id.starts_with("joins-")), u64::from(event_id.starts_with("leaves-")))
                }
                _ => continue,
            };
            let read = &mut self.read[line];
            *read = Read { frames: read.frames + 1, joins: read.joins + joins, leaves: read.leaves + leaves };
        }
    }

    fn read_all(&mut self) {
        (0..self.lines.len()).for_each(|line| self.read(line));
    }

    fn close(&mut self, line: usize) {
        let seat = self.engine.attachment(self.lines[line]);
        self.engine.disconnected(seat, CloseCode::Abnormal.into());
        self.settle();
    }

    fn frames(&self) -> u64 {
        self.read.iter().map(|read| read.frames).sum()
    }
}

/// Told one by one it would be 50 million frames, and as many again when they leave.
#[test]
fn ten_thousand_members_come_and_go_in_few_frames() {
    const MEMBERS: usize = 10_000;
    let mut crowd = Crowd::new(Limits::default());
    // 5000 come in a second.
    for number in 0..MEMBERS {
        crowd.enter();
        if number % 5 == 0 {
            crowd.wait(Duration::from_millis(1));
        }
    }
    crowd.wait(Duration::from_secs(1));
    crowd.read_all();
    for (number, read) in crowd.read.iter().enumerate() {
        let later = (MEMBERS - 1 - number) as u64;
        assert_eq!((read.joins, read.leaves), (later, 0), "line {number} knows who came after it");
    }
    let told = crowd.frames();
    // Two seconds, 50,000 frames each, and what is told at once while they are few.
    assert!(told < 110_000, "{told} frames");

    for line in 0..MEMBERS / 2 {
        crowd.close(line);
        if line % 5 == 0 {
            crowd.wait(Duration::from_millis(1));
        }
    }
    crowd.wait(Duration::from_secs(1));
    crowd.read_all();
    assert_eq!(
        crowd.read[MEMBERS - 1],
        Read { leaves: MEMBERS as u64 / 2, joins: 0, ..crowd.read[MEMBERS - 1] }
    );
    assert!(crowd.frames() - told < 110_000, "{} frames", crowd.frames() - told);
    assert_eq!(crowd.engine.queued_in(&room()), 0);
}

#[test]
fn lines_that_are_cut_together_are_told_nothing() {
    const MEMBERS: usize = 10_000;
    let mut crowd = Crowd::new(Limits::default());
    (0..MEMBERS).for_each(|_| crowd.enter());
    crowd.wait(Duration::from_secs(2));
    crowd.read_all();
    let frames = crowd.frames();
    let sent = crowd.engine.stats().frames_out;

    crowd.engine.cut_all(CloseCode::Restart);

    let is_told_once = |action: &Action| matches!(action, Action::Dispatch { event: Event::Closed(_), .. });
    let actions: Vec<Action> = crowd.engine.actions().collect();
    assert_eq!(actions.iter().filter(|action| is_told_once(action)).count(), MEMBERS);
    assert!(actions.len() <= 2 * MEMBERS, "{} actions", actions.len());
    assert_eq!(crowd.engine.channel_size(&room()), 0);
    assert_eq!(crowd.engine.stats().queued_bytes, 0);
    crowd.wait(Duration::from_secs(1));
    crowd.read_all();
    assert_eq!((crowd.frames(), crowd.engine.stats().frames_out), (frames, sent));
    crowd.wait(Duration::from_secs(60));
    assert!(crowd.engine.is_empty() && crowd.engine.next_deadline().is_none());
    assert_eq!(crowd.engine.capacity(), 0, "it keeps no room for them");
}

/// Nobody reads but one: what waits for the others has a limit for all of them.
#[test]
fn what_waits_for_members_that_do_not_read_is_bounded() {
    const MEMBERS: usize = 5000;
    const BUDGET: usize = 8 << 20;
    let limits = Limits { channel_queue_bytes: BUDGET, ..Limits::default() };
    let mut crowd = Crowd::new(limits);
    (0..MEMBERS).for_each(|_| crowd.enter());
    let text =
        format!(r#"{{"message":"{}",".wq":{{"type":"room:message","eventID":"e"}}}}"#, "x".repeat(200));
    let mut most = 0;
    for _ in 0..200 {
        let speaker = crowd.engine.attachment(crowd.lines[0]);
        crowd.engine.receive(speaker, &text);
        crowd.wait(Duration::from_millis(10));
        crowd.read(0);
        crowd.read(1);
        most = most.max(crowd.engine.queued_in(&room()));
    }
    assert!(most > BUDGET && most < 2 * BUDGET, "{most} bytes");
    // Whoever reads is still there, while most of the others were too slow.
    for reader in [0, 1] {
        let members = crowd.engine.members(&room(), Some(crowd.lines[reader]));
        assert!(members.iter().any(|member| member.is_self), "reader {reader}");
        assert!(members.len() < MEMBERS / 10, "{} members", members.len());
    }
    crowd.engine.cut_all(CloseCode::Restart);
    assert_eq!(crowd.engine.stats().queued_bytes, 0);
}

proptest! {
    /// However members come and go: each line gets few frames, and knows how many came and went since it came.
    #[test]
    fn crowds_are_told_in_few_frames(
        steps in prop::collection::vec((0u64..4, 0usize..12, any::<prop::sample::Index>()), 1..120),
    ) {
        let mut crowd = Crowd::new(Limits::default());
        let (start, mut model) = (crowd.now, Vec::<(bool, Read)>::new());
        for (wait, many, which) in steps {
            if many == 0 {
                let present: Vec<_> = (0..model.len()).filter(|line| model[*line].0).collect();
                if !present.is_empty() {
                    let line = present[which.index(present.len())];
                    crowd.read(line);
                    crowd.close(line);
                    model[line].0 = false;
                    model.iter_mut().for_each(|(_, read)| read.leaves += 1);
                }
            } else {
                for _ in 0..many / 4 {
                    crowd.enter();
                    model.iter_mut().for_each(|(_, read)| read.joins += 1);
                    model.push((true, Read::default()));
                }
            }
            crowd.wait(Duration::from_millis(wait));
        }
        crowd.wait(Duration::from_secs(1));
        crowd.read_all();
        // One in 5 ms, eight at once, one at the end.
        let most = (crowd.now - start - Duration::from_secs(1)).as_millis() as u64 / 5 + 10;
        for (read, (is_present, known)) in crowd.read.iter().zip(&model) {
            prop_assert!(read.frames <= most, "{} frames, not {}", read.frames, most);
            if *is_present {
                prop_assert_eq!((read.joins, read.leaves), (known.joins, known.leaves));
            }
        }
    }
}
