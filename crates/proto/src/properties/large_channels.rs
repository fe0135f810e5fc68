//! Thousands of lines in one channel, in virtual time: the announcements that they receive, and the bytes that wait.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::Value;

use crate::*;

const CONNECT: &str = r#"{".wq":{"type":"message","eventID":"E"},"ping":"connect"}"#;

/// Lines in a channel, and what each has read.
struct LargeChannel {
    engine: Engine,
    now: Instant,
    lines: Vec<LineId>,
    read: Vec<Read>,
}

/// What one client has read of the channel.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Read {
    frames: u64,
    joins: u64,
    leaves: u64,
}

fn room() -> ChannelId {
    "room".parse().unwrap()
}

impl LargeChannel {
    fn new(limits: Limits) -> LargeChannel {
        let now = Instant::now();
        let limits = Limits { lines_per_address: usize::MAX, ..limits };
        LargeChannel { engine: Engine::new(limits, now), now, lines: Vec::new(), read: Vec::new() }
    }

    /// One more visitor, whose client listens, enters the channel.
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
        let attachment = self.engine.attachment(self.lines[line]);
        self.engine.disconnected(attachment, CloseCode::Abnormal.into());
        self.settle();
    }

    fn frames(&self) -> u64 {
        self.read.iter().map(|read| read.frames).sum()
    }
}

/// Announced one by one it would be 50 million frames, and as many again when they leave.
#[test]
fn ten_thousand_members_come_and_go_in_few_frames() {
    const MEMBERS: usize = 10_000;
    let mut channel = LargeChannel::new(Limits::default());
    // 5000 come in a second.
    for number in 0..MEMBERS {
        channel.enter();
        if number % 5 == 0 {
            channel.wait(Duration::from_millis(1));
        }
    }
    channel.wait(Duration::from_secs(1));
    channel.read_all();
    for (number, read) in channel.read.iter().enumerate() {
        let later = (MEMBERS - 1 - number) as u64;
        assert_eq!((read.joins, read.leaves), (later, 0), "line {number} knows who came after it");
    }
    let told = channel.frames();
    // Two seconds with 50,000 frames each, and those that are sent at once while the members are few.
    assert!(told < 110_000, "{told} frames");

    for line in 0..MEMBERS / 2 {
        channel.close(line);
        if line % 5 == 0 {
            channel.wait(Duration::from_millis(1));
        }
    }
    channel.wait(Duration::from_secs(1));
    channel.read_all();
    assert_eq!(
        channel.read[MEMBERS - 1],
        Read { leaves: MEMBERS as u64 / 2, joins: 0, ..channel.read[MEMBERS - 1] }
    );
    assert!(channel.frames() - told < 110_000, "{} frames", channel.frames() - told);
    assert_eq!(channel.engine.queued_in(&room()), 0);
}

#[test]
fn lines_that_are_cut_together_receive_no_announcements() {
    const MEMBERS: usize = 10_000;
    let mut channel = LargeChannel::new(Limits::default());
    (0..MEMBERS).for_each(|_| channel.enter());
    channel.wait(Duration::from_secs(2));
    channel.read_all();
    let frames = channel.frames();
    let sent = channel.engine.stats().frames_out;

    channel.engine.cut_all(CloseCode::Restart);

    let is_dispatched_once =
        |action: &Action| matches!(action, Action::Dispatch { event: Event::Closed(_), .. });
    let actions: Vec<Action> = channel.engine.actions().collect();
    assert_eq!(actions.iter().filter(|action| is_dispatched_once(action)).count(), MEMBERS);
    assert!(actions.len() <= 2 * MEMBERS, "{} actions", actions.len());
    assert_eq!(channel.engine.channel_size(&room()), 0);
    assert_eq!(channel.engine.stats().queued_bytes, 0);
    channel.wait(Duration::from_secs(1));
    channel.read_all();
    assert_eq!((channel.frames(), channel.engine.stats().frames_out), (frames, sent));
    channel.wait(Duration::from_secs(60));
    assert!(channel.engine.is_empty() && channel.engine.next_deadline().is_none());
    assert_eq!(channel.engine.capacity(), 0, "it keeps no room for them");
}

/// Only one client reads: the bytes that wait for the others have a limit for all of them together.
#[test]
fn bytes_for_members_that_do_not_read_are_bounded() {
    const MEMBERS: usize = 5000;
    const BUDGET: usize = 8 << 20;
    let limits = Limits { channel_queue_bytes: BUDGET, ..Limits::default() };
    let mut channel = LargeChannel::new(limits);
    (0..MEMBERS).for_each(|_| channel.enter());
    let text =
        format!(r#"{{"message":"{}",".wq":{{"type":"room:message","eventID":"e"}}}}"#, "x".repeat(200));
    let mut most = 0;
    for _ in 0..200 {
        let speaker = channel.engine.attachment(channel.lines[0]);
        channel.engine.receive(speaker, &text);
        channel.wait(Duration::from_millis(10));
        channel.read(0);
        channel.read(1);
        most = most.max(channel.engine.queued_in(&room()));
    }
    assert!(most > BUDGET && most < 2 * BUDGET, "{most} bytes");
    // The client that reads is still there; most of the others were too slow.
    for reader in [0, 1] {
        let members = channel.engine.members(&room(), Some(channel.lines[reader]));
        assert!(members.iter().any(|member| member.is_self), "reader {reader}");
        assert!(members.len() < MEMBERS / 10, "{} members", members.len());
    }
    channel.engine.cut_all(CloseCode::Restart);
    assert_eq!(channel.engine.stats().queued_bytes, 0);
}

proptest! {
    /// However members join and leave: each line receives few frames, which add up to the changes since it entered.
    #[test]
    fn large_channels_announce_in_few_frames(
        steps in prop::collection::vec((0u64..4, 0usize..12, any::<prop::sample::Index>()), 1..120),
    ) {
        let mut channel = LargeChannel::new(Limits::default());
        let (start, mut model) = (channel.now, Vec::<(bool, Read)>::new());
        for (wait, many, which) in steps {
            if many == 0 {
                let present: Vec<_> = (0..model.len()).filter(|line| model[*line].0).collect();
                if !present.is_empty() {
                    let line = present[which.index(present.len())];
                    channel.read(line);
                    channel.close(line);
                    model[line].0 = false;
                    model.iter_mut().for_each(|(_, read)| read.leaves += 1);
                }
            } else {
                for _ in 0..many / 4 {
                    channel.enter();
                    model.iter_mut().for_each(|(_, read)| read.joins += 1);
                    model.push((true, Read::default()));
                }
            }
            channel.wait(Duration::from_millis(wait));
        }
        channel.wait(Duration::from_secs(1));
        channel.read_all();
        // One in 5 ms, eight at once, one at the end.
        let most = (channel.now - start - Duration::from_secs(1)).as_millis() as u64 / 5 + 10;
        for (read, (is_present, known)) in channel.read.iter().zip(&model) {
            prop_assert!(read.frames <= most, "{} frames, not {}", read.frames, most);
            if *is_present {
                prop_assert_eq!((read.joins, read.leaves), (known.joins, known.leaves));
            }
        }
    }
}
