//! What happens to a line, step by step.

use super::*;
use crate::{FRAME_COST, Priority};

mod resume;
mod slow;

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

/// A visitor whose lines nobody else may join.
fn of_session(session: &str) -> Visitor {
    Visitor { session: Some(session.to_owned()), ..visitor() }
}

fn limits() -> Limits {
    Limits { queue_bytes: 1000, ..Limits::default() }
}

fn text_of(outgoing: &Outgoing) -> String {
    match outgoing {
        Outgoing::Frame(frame) => frame.as_str().to_owned(),
        Outgoing::Numbered(number, frame) => format!("{number} {}", frame.as_str()),
        Outgoing::Control(text) => text.clone(),
        Outgoing::Ping => "ping".to_owned(),
    }
}

impl World {
    fn join(
        &mut self,
        token: Token,
        carrier: Transport,
        visitor: &Visitor,
        from: (Option<&str>, Option<&str>),
    ) -> Result<Attachment, JoinError> {
        self.engine.join(token, carrier, visitor, from, self.now, &mut self.actions)
    }

    fn empty(limits: Limits) -> World {
        let now = Instant::now();
        World { engine: Engine::new(limits, now), now, actions: Vec::new() }
    }

    fn new() -> (World, LineId) {
        World::of(visitor())
    }

    fn of(visitor: Visitor) -> (World, LineId) {
        let mut world = World::empty(limits());
        let opening = Opening { owner: OwnerId(1), exchange: ExchangeId(2), visitor, token: TOKEN };
        let id = world.engine.open(opening, world.now).unwrap();
        (world, id)
    }

    fn open() -> (World, LineId) {
        let (mut world, id) = World::new();
        world.join(TOKEN, Transport::Socket, &visitor(), (None, None)).unwrap();
        world.engine.receive(world.engine.seat_now(id), CONNECT, world.now, &mut world.actions);
        assert_eq!(world.written(id).len(), 1);
        (world, id)
    }

    /// A raw socket that its handler hears.
    fn raw() -> (World, LineId) {
        let (mut world, id) = World::new();
        world.engine.attach(id, Transport::Raw, world.now, &mut world.actions);
        world.engine.accept(id, world.now, &mut world.actions);
        (world, id)
    }

    fn send(&mut self, id: LineId, text: &str) {
        self.engine.send(id, QueuedFrame::new(Priority::Message, text), self.now, &mut self.actions);
    }

    fn written(&mut self, id: LineId) -> Vec<String> {
        let mut frames = Vec::new();
        while self.engine.take(self.engine.seat_now(id), 100, self.now, &mut frames) == Take::Some {}
        frames.iter().map(text_of).collect()
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
            Action::Tell { event: Event::Drained { stale }, .. } => Some(format!("drained {stale}")),
            Action::Tell { event: Event::Data { .. }, .. } => Some("data".to_owned()),
            Action::Tell { event: Event::Opened, .. } | Action::Wake(_) | Action::Over(_) => None,
        });
        events.collect()
    }
}

#[test]
fn joining_unknown_token_is_refused() {
    let (mut world, _) = World::new();
    assert_eq!(
        world.join(Token([0; 16]), Transport::Socket, &visitor(), (None, None)),
        Err(JoinError::Unknown)
    );
}

#[test]
fn sending_after_the_end_is_told_so_for_a_while() {
    let (mut world, id) = World::of(of_session("ann"));
    world.join(TOKEN, Transport::Events, &of_session("ann"), (None, None)).unwrap();
    world.engine.socket_closed(
        world.engine.seat_now(id),
        CloseCode::Abnormal.into(),
        world.now,
        &mut world.actions,
    );
    let stranger = of_session("bob");
    let mut sender = |visitor: &Visitor, origin| world.engine.sender(TOKEN, visitor, (origin, Some("here")));
    assert_eq!(sender(&of_session("ann"), None), Err(JoinError::Ended));
    assert_eq!(sender(&of_session("ann"), Some("http://there")), Err(JoinError::Unknown));
    assert_eq!(sender(&stranger, None), Err(JoinError::Unknown));
    assert_eq!(
        world.join(TOKEN, Transport::Events, &of_session("ann"), (None, None)),
        Err(JoinError::Unknown)
    );
    let later = world.engine.next_deadline().unwrap();
    world.engine.tick(later, &mut world.actions);
    assert_eq!(world.engine.sender(TOKEN, &of_session("ann"), (None, None)), Err(JoinError::Unknown));
    world.engine.tick(later + Duration::from_secs(60), &mut world.actions);
    assert_eq!(world.engine.next_deadline(), None);
}

#[test]
fn joining_foreign_visitor_leaves_the_token() {
    let (mut world, id) = World::of(of_session("ann"));
    let stranger = of_session("bob");
    assert_eq!(world.join(TOKEN, Transport::Socket, &stranger, (None, None)), Err(JoinError::Visitor));
    assert_eq!(
        world.join(TOKEN, Transport::Socket, &of_session("ann"), (Some("http://evil"), Some("me"))),
        Err(JoinError::Origin)
    );
    assert_eq!(
        world.join(TOKEN, Transport::Socket, &of_session("ann"), (None, None)),
        Ok(world.engine.seat_now(id))
    );
}

#[test]
fn joined_second_join_is_refused() {
    let (mut world, _) = World::new();
    world.join(TOKEN, Transport::Socket, &visitor(), (None, None)).unwrap();
    assert_eq!(world.join(TOKEN, Transport::Socket, &visitor(), (None, None)), Err(JoinError::Unknown));
}

#[test]
fn joined_by_events_the_token_sends_and_joins_no_more() {
    let (mut world, id) = World::new();
    assert_eq!(world.engine.sender(TOKEN, &visitor(), (None, None)), Err(JoinError::Unknown));
    world.join(TOKEN, Transport::Events, &visitor(), (None, None)).unwrap();
    assert_eq!(world.engine.sender(TOKEN, &visitor(), (None, None)), Ok(world.engine.seat_now(id)));
    let again = world.join(TOKEN, Transport::Socket, &visitor(), (None, None));
    assert_eq!(again, Err(JoinError::Unknown));
    world.engine.socket_closed(
        world.engine.seat_now(id),
        CloseCode::Abnormal.into(),
        world.now,
        &mut world.actions,
    );
    assert_eq!(world.engine.sender(TOKEN, &visitor(), (None, None)), Err(JoinError::Ended));
}

#[test]
fn attached_writes_at_once() {
    let (mut world, id) = World::new();
    world.send(id, "one");
    world.engine.attach(id, Transport::Events, world.now, &mut world.actions);
    assert_eq!(world.written(id), ["one"]);
}

#[test]
fn joining_window_over_tells_and_removes() {
    let (mut world, _) = World::new();
    let at = world.engine.next_deadline().unwrap();
    world.engine.tick(at, &mut world.actions);
    assert_eq!(world.told(), ["closed 1001"]);
    assert!(world.engine.is_empty());
    assert_eq!(world.join(TOKEN, Transport::Socket, &visitor(), (None, None)), Err(JoinError::Unknown));
}

#[test]
fn handshake_frames_wait_for_the_ping() {
    let (mut world, id) = World::new();
    world.send(id, "one");
    world.join(TOKEN, Transport::Socket, &visitor(), (None, None)).unwrap();
    assert!(world.written(id).is_empty());
    world.engine.receive(world.engine.seat_now(id), CONNECT, world.now, &mut world.actions);
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
        world.engine.take(world.engine.seat_now(id), 9, world.now, &mut Vec::new()),
        Take::Idle,
        "the close was given out"
    );
    world.engine.socket_closed(
        world.engine.seat_now(id),
        CloseCode::Done.into(),
        world.now,
        &mut world.actions,
    );
    assert!(world.told().is_empty(), "the handler knows that it finished");
    assert!(world.engine.is_empty());
}

#[test]
fn open_finish_unread_is_removed_after_the_grace() {
    let (mut world, id) = World::open();
    world.engine.finish(id, CloseCode::Done.into(), world.now, &mut world.actions);
    let at = world.engine.next_deadline().unwrap();
    world.engine.tick(at, &mut world.actions);
    assert_eq!(world.engine.take(world.engine.seat_now(id), 9, world.now, &mut Vec::new()), Take::Gone);
}

#[test]
fn open_overfull_queue_closes_too_slow() {
    let (mut world, id) = World::open();
    for _ in 0..11 {
        world.send(id, &"x".repeat(100));
    }
    assert_eq!(world.told(), ["closed 1013"]);
    assert_eq!(
        world.engine.take(world.engine.seat_now(id), 9, world.now, &mut Vec::new()),
        Take::Close(CloseCode::TooSlow.into())
    );
}

#[test]
fn joining_overfull_queue_tells_the_code_to_who_joins() {
    for carrier in [Transport::Socket, Transport::Resumable(Token([1; 16])), Transport::Events] {
        let (mut world, id) = World::new();
        for _ in 0..3 {
            world.send(id, &"x".repeat(400));
        }
        assert_eq!(world.told(), ["closed 1013"]);

        let seat = world.join(TOKEN, carrier, &visitor(), (None, None)).expect("it is joined once");
        assert_eq!(
            world.engine.take(seat, 1 << 20, world.now, &mut Vec::new()),
            Take::Close(CloseCode::TooSlow.into())
        );
        world.engine.receive(seat, CONNECT, world.now, &mut world.actions);
        world.engine.socket_closed(seat, CloseCode::TooSlow.into(), world.now, &mut world.actions);
        assert_eq!(world.told(), [""; 0], "its owner was told before");
        assert!(world.engine.is_empty());
    }
}

#[test]
fn joining_cut_is_forgotten_after_the_window() {
    let (mut world, id) = World::new();
    world.engine.cut(id, CloseCode::IsolateLost.into(), world.now, &mut world.actions);
    assert_eq!(world.told(), ["closed 1011"]);
    assert!(!world.engine.is_empty());

    world.now += limits().join_window;
    world.engine.tick(world.now, &mut world.actions);
    assert_eq!(world.told(), [""; 0]);
    assert!(world.engine.is_empty());
}

#[test]
fn joining_when_the_server_stops_is_forgotten_at_once() {
    let (mut world, _) = World::new();
    world.engine.cut_all(CloseCode::Restart, world.now, &mut world.actions);
    assert_eq!(world.told(), ["closed 1012"]);
    assert!(world.engine.is_empty());
}

#[test]
fn open_done_is_told_once_and_messages_go_on() {
    let (mut world, id) = World::open();
    world.engine.done(id, world.now, &mut world.actions);
    world.engine.done(id, world.now, &mut world.actions);
    world.send(id, "later");
    world.engine.complete(id, world.now, &mut world.actions);
    let written = world.written(id);
    assert_eq!(written.len(), 2, "{written:?}");
    assert!(written[0].contains("response.done") && written[1] == "later", "{written:?}");
}

#[test]
fn open_garbage_closes_unsupported() {
    let (mut world, id) = World::open();
    world.engine.receive(world.engine.seat_now(id), "garbage", world.now, &mut world.actions);
    assert_eq!(world.told(), ["closed 1003"]);
}

#[test]
fn open_reserved_type_is_not_told() {
    let (mut world, id) = World::open();
    for kind in ["response.done", "x.mutate", "close"] {
        let text = format!(r#"{{"message":[],".wq":{{"type":"{kind}","eventID":"e"}}}}"#);
        world.engine.receive(world.engine.seat_now(id), &text, world.now, &mut world.actions);
    }
    assert!(world.told().is_empty());
}

#[test]
fn open_unheard_messages_stop_reading() {
    let (mut world, id) = World::open();
    let text = format!("\"{}\"", "x".repeat(600));
    world.engine.receive(world.engine.seat_now(id), &text, world.now, &mut world.actions);
    assert!(world.engine.may_read(world.engine.seat_now(id)));
    world.engine.receive(world.engine.seat_now(id), &text, world.now, &mut world.actions);
    assert!(!world.engine.may_read(world.engine.seat_now(id)));
    world.engine.heard(id, FRAME_COST + text.len(), world.now, &mut world.actions);
    assert!(world.engine.may_read(world.engine.seat_now(id)));
}

#[test]
fn raw_is_not_read_until_its_handler_accepts() {
    let (mut world, id) = World::new();
    world.engine.attach(id, Transport::Raw, world.now, &mut world.actions);
    assert!(!world.engine.may_read(world.engine.seat_now(id)));
    world.engine.accept(id, world.now, &mut world.actions);
    assert!(world.engine.may_read(world.engine.seat_now(id)));
}

#[test]
fn raw_that_breaks_the_rules_is_cut_when_its_messages_are_heard() {
    let (mut world, id) = World::raw();
    let seat = world.engine.seat_now(id);
    world.engine.receive_raw(seat, "one".into(), world.now, &mut world.actions);
    world.engine.cut_at(seat, CloseCode::Policy.into(), world.now, &mut world.actions);
    assert_eq!(world.told(), ["data"]);
    world.send(id, "answer");
    assert_eq!(world.written(id), ["answer"]);
    world.engine.heard(id, FRAME_COST + 3, world.now, &mut world.actions);
    assert_eq!(world.told(), ["closed 1008"]);
    let take = world.engine.take(seat, 100, world.now, &mut Vec::new());
    assert_eq!(take, Take::Close(CloseCode::Policy.into()));
}

#[test]
fn raw_that_breaks_the_rules_at_first_is_cut_at_once() {
    let (mut world, id) = World::raw();
    world.engine.cut_at(world.engine.seat_now(id), CloseCode::Policy.into(), world.now, &mut world.actions);
    assert_eq!(world.told(), ["closed 1008"]);
}

#[test]
fn open_socket_lost_tells() {
    let (mut world, id) = World::open();
    world.engine.socket_closed(
        world.engine.seat_now(id),
        CloseCode::Abnormal.into(),
        world.now,
        &mut world.actions,
    );
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
    assert_eq!(world.engine.take(world.engine.seat_now(id), 9, world.now, &mut Vec::new()), Take::Idle);
    world.engine.disown(OwnerId(1), CloseCode::IsolateLost, world.now, &mut world.actions);
    assert_eq!(
        world.engine.take(world.engine.seat_now(id), 9, world.now, &mut Vec::new()),
        Take::Close(CloseCode::IsolateLost.into())
    );
}

/// A second line in the same world, open.
fn second(world: &mut World, token: Token) -> LineId {
    let other = Visitor { session: Some("bob".to_owned()), ..visitor() };
    let opening = Opening { owner: OwnerId(1), exchange: ExchangeId(3), visitor: other.clone(), token };
    let id = world.engine.open(opening, world.now).unwrap();
    world.join(token, Transport::Socket, &other, (None, None)).unwrap();
    world.engine.receive(world.engine.seat_now(id), CONNECT, world.now, &mut world.actions);
    world.written(id);
    id
}

fn enter(world: &mut World, id: LineId, entry: JoinOptions) {
    world.engine.enter(id, "room:7".parse().unwrap(), entry, world.now, &mut world.actions);
}

fn says(world: &mut World, id: LineId, kind: &str) {
    let text = format!(r#"{{"message":1,".wq":{{"type":"{kind}","eventID":"e"}}}}"#);
    world.engine.receive(world.engine.seat_now(id), &text, world.now, &mut world.actions);
}

#[test]
fn entered_message_is_relayed_and_told_to_nobody() {
    let (mut world, a) = World::open();
    let b = second(&mut world, Token([8; 16]));
    enter(&mut world, a, JoinOptions::default());
    enter(&mut world, b, JoinOptions::default());
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
    enter(&mut world, id, JoinOptions { decides: true, ..JoinOptions::default() });
    for _ in 0..8 {
        says(&mut world, id, "room:7:message");
    }
    assert_eq!(world.told(), ["message"; 8]);
    assert!(!world.engine.may_read(world.engine.seat_now(id)));
}

#[test]
fn ending_leaves_its_channels() {
    let (mut world, a) = World::open();
    let b = second(&mut world, Token([8; 16]));
    enter(&mut world, a, JoinOptions::default());
    let announcement = channel::Announcement { joins: None, leaves: None };
    enter(&mut world, b, JoinOptions { announcement: Some(announcement), ..JoinOptions::default() });
    assert_eq!(world.written(a).len(), 1);
    world.engine.complete(b, world.now, &mut world.actions);
    world.engine.socket_closed(
        world.engine.seat_now(b),
        CloseCode::Done.into(),
        world.now,
        &mut world.actions,
    );
    assert_eq!(world.written(a).len(), 1, "it left once");
    enter(&mut world, b, JoinOptions::default());
    assert_eq!(world.engine.channel_size(&"room:7".parse().unwrap()), 1);
}

#[test]
fn finished_disowned_keeps_its_own_end() {
    let (mut world, id) = World::open();
    world.engine.finish(id, CloseCode::Navigated.into(), world.now, &mut world.actions);
    world.engine.disown(OwnerId(1), CloseCode::IsolateLost, world.now, &mut world.actions);
    assert_eq!(
        world.engine.take(world.engine.seat_now(id), 9, world.now, &mut Vec::new()),
        Take::Close(CloseCode::Navigated.into())
    );
}
