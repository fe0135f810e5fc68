//! What happens to a line, step by step.

use std::time::{Duration, Instant};

use crate::*;

mod resume;
mod slow;
mod wakes;

struct World {
    engine: Engine,
    now: Instant,
}

const TOKEN: Token = Token([9; 16]);
const CONNECT: &str = r#"{".wq":{"type":"message","eventID":"E"},"ping":"connect"}"#;

fn visitor() -> Visitor {
    Visitor { session: None, address: [127, 0, 0, 1].into() }
}

/// A visitor whose lines no other session may join.
fn of_session(session: &str) -> Visitor {
    Visitor { session: Some(session.into()), ..visitor() }
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
        transport: TransportKind,
        caller: Caller<'_>,
    ) -> Result<Attachment, JoinError> {
        self.engine.join(token, transport, caller)
    }

    fn empty(limits: Limits) -> World {
        let now = Instant::now();
        World { engine: Engine::new(limits, now), now }
    }

    fn new() -> (World, LineId) {
        World::of(visitor())
    }

    fn of(visitor: Visitor) -> (World, LineId) {
        let mut world = World::empty(limits());
        let id = world.open_for(TOKEN, visitor);
        (world, id)
    }

    /// A line that nobody has joined.
    fn open_for(&mut self, token: Token, visitor: Visitor) -> LineId {
        self.engine.open(Opening { owner: OwnerId(1), exchange: ExchangeId(2), visitor, token }).unwrap()
    }

    fn open() -> (World, LineId) {
        let (mut world, id) = World::new();
        world.join(TOKEN, TransportKind::Socket, Caller::from(&visitor())).unwrap();
        world.engine.receive(world.engine.attachment(id), CONNECT);
        assert_eq!(world.written(id).len(), 1);
        (world, id)
    }

    /// A raw socket that its handler accepted.
    fn raw() -> (World, LineId) {
        let (mut world, id) = World::new();
        world.engine.attach(id, TransportKind::Raw);
        world.engine.accept(id);
        (world, id)
    }

    fn send(&mut self, id: LineId, text: &str) {
        self.engine.send(id, QueuedFrame::new(Priority::Message, text));
    }

    fn written(&mut self, id: LineId) -> Vec<String> {
        let mut frames = Vec::new();
        while self.engine.take(self.engine.attachment(id), 100, &mut frames) == Take::Some {}
        frames.iter().map(text_of).collect()
    }

    fn dispatched(&mut self) -> Vec<String> {
        let events = self.engine.actions().filter_map(|action| match action {
            Action::Dispatch { event: Event::Closed(close), .. } => {
                Some(format!("closed {}", close.code.number()))
            }
            Action::Dispatch { event: Event::Message { kind, .. }, .. } => Some(kind),
            Action::Dispatch { event: Event::Reply { request, .. }, .. } => Some(request),
            Action::Dispatch {
                event: Event::Relay { kind, .. } | Event::ChannelMessage { kind, .. },
                ..
            } => Some(kind),
            Action::Dispatch { event: Event::Drained { stale }, .. } => Some(format!("drained {stale}")),
            Action::Dispatch { event: Event::Data { .. }, .. } => Some("data".to_owned()),
            Action::Dispatch { event: Event::Opened, .. }
            | Action::Wake(_)
            | Action::WakeAll(_)
            | Action::Ended(_) => None,
        });
        events.collect()
    }
}

#[test]
fn joining_unknown_token_is_refused() {
    let (mut world, _) = World::new();
    assert_eq!(
        world.join(Token([0; 16]), TransportKind::Socket, Caller::from(&visitor())),
        Err(JoinError::Unknown)
    );
}

#[test]
fn sending_after_the_end_has_an_error_of_its_own_for_a_while() {
    let (mut world, id) = World::of(of_session("ann"));
    world.join(TOKEN, TransportKind::Events, Caller::from(&of_session("ann"))).unwrap();
    world.engine.disconnected(world.engine.attachment(id), CloseCode::Abnormal.into());
    let stranger = of_session("bob");
    let mut sender = |visitor: &Visitor, origin| {
        world.engine.sender(TOKEN, Caller { visitor, origin, host: Some("here") })
    };
    assert_eq!(sender(&of_session("ann"), None), Err(JoinError::Ended));
    assert_eq!(sender(&of_session("ann"), Some("http://there")), Err(JoinError::Unknown));
    assert_eq!(sender(&stranger, None), Err(JoinError::Unknown));
    assert_eq!(
        world.join(TOKEN, TransportKind::Events, Caller::from(&of_session("ann"))),
        Err(JoinError::Unknown)
    );
    let later = world.engine.next_deadline().unwrap();
    world.engine.at(later).tick();
    assert_eq!(world.engine.sender(TOKEN, Caller::from(&of_session("ann"))), Err(JoinError::Unknown));
    world.engine.at(later + Duration::from_secs(60)).tick();
    assert_eq!(world.engine.next_deadline(), None);
}

#[test]
fn joining_foreign_visitor_leaves_the_token() {
    let (mut world, id) = World::of(of_session("ann"));
    let (ann, stranger) = (of_session("ann"), of_session("bob"));
    let evil = Caller { visitor: &ann, origin: Some("http://evil"), host: Some("me") };
    assert_eq!(world.join(TOKEN, TransportKind::Socket, Caller::from(&stranger)), Err(JoinError::Visitor));
    assert_eq!(world.join(TOKEN, TransportKind::Socket, evil), Err(JoinError::Origin));
    assert_eq!(
        world.join(TOKEN, TransportKind::Socket, Caller::from(&of_session("ann"))),
        Ok(world.engine.attachment(id))
    );
}

#[test]
fn joined_second_join_is_refused() {
    let (mut world, _) = World::new();
    world.join(TOKEN, TransportKind::Socket, Caller::from(&visitor())).unwrap();
    assert_eq!(world.join(TOKEN, TransportKind::Socket, Caller::from(&visitor())), Err(JoinError::Unknown));
}

#[test]
fn joined_by_events_the_token_sends_and_no_longer_joins() {
    let (mut world, id) = World::new();
    assert_eq!(world.engine.sender(TOKEN, Caller::from(&visitor())), Err(JoinError::Unknown));
    world.join(TOKEN, TransportKind::Events, Caller::from(&visitor())).unwrap();
    assert_eq!(world.engine.sender(TOKEN, Caller::from(&visitor())), Ok(world.engine.attachment(id)));
    let again = world.join(TOKEN, TransportKind::Socket, Caller::from(&visitor()));
    assert_eq!(again, Err(JoinError::Unknown));
    world.engine.disconnected(world.engine.attachment(id), CloseCode::Abnormal.into());
    assert_eq!(world.engine.sender(TOKEN, Caller::from(&visitor())), Err(JoinError::Ended));
}

#[test]
fn attached_writes_at_once() {
    let (mut world, id) = World::new();
    world.send(id, "one");
    world.engine.attach(id, TransportKind::Events);
    assert_eq!(world.written(id), ["one"]);
}

#[test]
fn joining_window_over_dispatches_and_removes() {
    let (mut world, _) = World::new();
    let at = world.engine.next_deadline().unwrap();
    world.engine.at(at).tick();
    assert_eq!(world.dispatched(), ["closed 1001"]);
    assert!(world.engine.is_empty());
    assert_eq!(world.join(TOKEN, TransportKind::Socket, Caller::from(&visitor())), Err(JoinError::Unknown));
}

#[test]
fn handshake_frames_wait_for_the_ping() {
    let (mut world, id) = World::new();
    world.send(id, "one");
    world.join(TOKEN, TransportKind::Socket, Caller::from(&visitor())).unwrap();
    assert!(world.written(id).is_empty());
    world.engine.receive(world.engine.attachment(id), CONNECT);
    let written = world.written(id);
    assert!(written[0].contains("E:0:message"), "the ping's answer comes first: {written:?}");
    assert_eq!(written[1], "one");
}

#[test]
fn open_complete_writes_done_then_closes() {
    let (mut world, id) = World::open();
    world.send(id, "last");
    world.engine.complete(id);
    let written = world.written(id);
    assert!(written[0] == "last" && written[1].contains("response.done"));
    assert_eq!(
        world.engine.take(world.engine.attachment(id), 9, &mut Vec::new()),
        Take::Idle,
        "the close was given out"
    );
    world.engine.disconnected(world.engine.attachment(id), CloseCode::Done.into());
    assert!(world.dispatched().is_empty(), "the handler knows that it finished");
    assert!(world.engine.is_empty());
}

#[test]
fn open_finish_unread_is_removed_after_the_grace() {
    let (mut world, id) = World::open();
    world.engine.finish(id, CloseCode::Done.into());
    let at = world.engine.next_deadline().unwrap();
    world.engine.at(at).tick();
    assert_eq!(world.engine.take(world.engine.attachment(id), 9, &mut Vec::new()), Take::Gone);
}

#[test]
fn open_overfull_queue_closes_too_slow() {
    let (mut world, id) = World::open();
    for _ in 0..11 {
        world.send(id, &"x".repeat(100));
    }
    assert_eq!(world.dispatched(), ["closed 1013"]);
    assert_eq!(
        world.engine.take(world.engine.attachment(id), 9, &mut Vec::new()),
        Take::Close(CloseCode::TooSlow.into())
    );
}

#[test]
fn joining_overfull_queue_sends_the_code_to_a_client_that_joins() {
    for transport in [TransportKind::Socket, TransportKind::Resumable(Token([1; 16])), TransportKind::Events]
    {
        let (mut world, id) = World::new();
        for _ in 0..3 {
            world.send(id, &"x".repeat(400));
        }
        assert_eq!(world.dispatched(), ["closed 1013"]);

        let attachment = world.join(TOKEN, transport, Caller::from(&visitor())).expect("it is joined once");
        assert_eq!(
            world.engine.take(attachment, 1 << 20, &mut Vec::new()),
            Take::Close(CloseCode::TooSlow.into())
        );
        world.engine.receive(attachment, CONNECT);
        world.engine.disconnected(attachment, CloseCode::TooSlow.into());
        assert_eq!(world.dispatched(), [""; 0], "its owner was told before");
        assert!(world.engine.is_empty());
    }
}

#[test]
fn joining_queues_of_one_visitor_have_a_sum() {
    let limits = Limits { queue_bytes: 1 << 20, all_queues_bytes: 210_000, ..Limits::default() };
    let mut world = World::empty(limits);
    let state = || QueuedFrame::new(Priority::State, "x".repeat(50_000).as_str());
    let lines: Vec<LineId> = (1..=4).map(|number| world.open_for(Token([number; 16]), visitor())).collect();
    for line in &lines {
        world.engine.send(*line, state());
    }
    assert_eq!(world.dispatched(), ["closed 1013"], "half of the limit has room for the states of three");

    let other = Visitor { address: [127, 0, 0, 2].into(), ..visitor() };
    let other = world.open_for(Token([9; 16]), other);
    world.engine.send(other, state());
    assert_eq!(world.dispatched(), [""; 0], "another visitor has what is left");

    world.engine.cut(lines[0], CloseCode::Done.into());
    world.engine.send(lines[1], QueuedFrame::new(Priority::Message, "x".repeat(1000).as_str()));
    assert_eq!(world.dispatched(), ["closed 1000"], "there is room again");
}

#[test]
fn joining_cut_is_removed_after_the_window() {
    let (mut world, id) = World::new();
    world.engine.cut(id, CloseCode::IsolateLost.into());
    assert_eq!(world.dispatched(), ["closed 1011"]);
    assert!(!world.engine.is_empty());

    world.now += limits().join_window;
    world.engine.at(world.now).tick();
    assert_eq!(world.dispatched(), [""; 0]);
    assert!(world.engine.is_empty());
}

#[test]
fn joining_when_the_server_stops_is_removed_at_once() {
    let (mut world, _) = World::new();
    world.engine.cut_all(CloseCode::Restart);
    assert_eq!(world.dispatched(), ["closed 1012"]);
    assert!(world.engine.is_empty());
}

#[test]
fn open_done_is_sent_once_and_messages_go_on() {
    let (mut world, id) = World::open();
    world.engine.done(id);
    world.engine.done(id);
    world.send(id, "later");
    world.engine.complete(id);
    let written = world.written(id);
    assert_eq!(written.len(), 2, "{written:?}");
    assert!(written[0].contains("response.done") && written[1] == "later", "{written:?}");
}

#[test]
fn open_garbage_closes_unsupported() {
    let (mut world, id) = World::open();
    world.engine.receive(world.engine.attachment(id), "garbage");
    assert_eq!(world.dispatched(), ["closed 1003"]);
}

#[test]
fn open_reserved_type_is_not_dispatched() {
    let (mut world, id) = World::open();
    for kind in ["response.done", "x.mutate", "close"] {
        let text = format!(r#"{{"message":[],".wq":{{"type":"{kind}","eventID":"e"}}}}"#);
        world.engine.receive(world.engine.attachment(id), &text);
    }
    assert!(world.dispatched().is_empty());
}

#[test]
fn open_unacknowledged_messages_stop_reading() {
    let (mut world, id) = World::open();
    let text = format!("\"{}\"", "x".repeat(600));
    world.engine.receive(world.engine.attachment(id), &text);
    assert!(world.engine.may_read(world.engine.attachment(id)));
    world.engine.receive(world.engine.attachment(id), &text);
    assert!(!world.engine.may_read(world.engine.attachment(id)));
    world.engine.acknowledge(id, FRAME_COST + text.len());
    assert!(world.engine.may_read(world.engine.attachment(id)));
}

#[test]
fn raw_is_not_read_until_its_handler_accepts() {
    let (mut world, id) = World::new();
    world.engine.attach(id, TransportKind::Raw);
    assert!(!world.engine.may_read(world.engine.attachment(id)));
    world.engine.accept(id);
    assert!(world.engine.may_read(world.engine.attachment(id)));
}

#[test]
fn raw_that_breaks_a_rule_is_cut_when_its_messages_are_acknowledged() {
    let (mut world, id) = World::raw();
    let attachment = world.engine.attachment(id);
    world.engine.receive_raw(attachment, "one".into());
    world.engine.reject(attachment, CloseCode::Policy.into());
    assert_eq!(world.dispatched(), ["data"]);
    world.send(id, "answer");
    assert_eq!(world.written(id), ["answer"]);
    world.engine.acknowledge(id, FRAME_COST + 3);
    assert_eq!(world.dispatched(), ["closed 1008"]);
    let take = world.engine.take(attachment, 100, &mut Vec::new());
    assert_eq!(take, Take::Close(CloseCode::Policy.into()));
}

#[test]
fn raw_that_breaks_a_rule_ends_after_the_last_of_its_messages() {
    let (mut world, id) = World::raw();
    let attachment = world.engine.attachment(id);
    world.engine.receive_raw(attachment, "one".into());
    world.engine.receive_raw(attachment, "two".into());
    world.engine.reject(attachment, CloseCode::Policy.into());
    assert_eq!(world.dispatched(), ["data", "data"]);
    world.engine.acknowledge(id, FRAME_COST + 3);
    assert!(world.dispatched().is_empty(), "the second message is not handled yet");
    world.send(id, "answer");
    assert_eq!(world.written(id), ["answer"]);
    world.engine.acknowledge(id, FRAME_COST + 3);
    assert_eq!(world.dispatched(), ["closed 1008"]);
}

#[test]
fn raw_that_breaks_a_rule_at_first_is_cut_at_once() {
    let (mut world, id) = World::raw();
    world.engine.reject(world.engine.attachment(id), CloseCode::Policy.into());
    assert_eq!(world.dispatched(), ["closed 1008"]);
}

#[test]
fn raw_that_closes_gets_the_answers_to_its_messages_before_the_close_frame() {
    let (mut world, id) = World::raw();
    let attachment = world.engine.attachment(id);
    world.engine.receive_raw(attachment, "one".into());
    assert!(world.engine.close_received(attachment, CloseCode::Done.into()));
    assert_eq!(world.dispatched(), ["data"]);
    assert_eq!(world.engine.take(attachment, 100, &mut Vec::new()), Take::Idle);
    world.send(id, "answer");
    world.engine.acknowledge(id, FRAME_COST + 3);
    assert_eq!(world.dispatched(), ["closed 1000"]);
    let mut written = Vec::new();
    assert_eq!(world.engine.take(attachment, 100, &mut written), Take::Some);
    assert_eq!(written.iter().map(text_of).collect::<Vec<_>>(), ["answer"]);
    let take = world.engine.take(attachment, 100, &mut Vec::new());
    assert_eq!(take, Take::Close(CloseCode::Done.into()));
}

#[test]
fn raw_that_closes_without_messages_is_answered_at_once() {
    let (mut world, id) = World::raw();
    let attachment = world.engine.attachment(id);
    assert!(world.engine.close_received(attachment, CloseCode::Done.into()));
    assert_eq!(world.dispatched(), ["closed 1000"]);
    let take = world.engine.take(attachment, 100, &mut Vec::new());
    assert_eq!(take, Take::Close(CloseCode::Done.into()));
}

#[test]
fn raw_that_answers_the_close_of_its_handler_is_over() {
    let (mut world, id) = World::raw();
    let attachment = world.engine.attachment(id);
    world.engine.finish(id, CloseCode::Done.into());
    assert!(!world.engine.close_received(attachment, CloseCode::Done.into()));
    world.engine.disconnected(attachment, CloseCode::Done.into());
    assert!(world.dispatched().is_empty());
}

#[test]
fn raw_that_closes_waits_for_its_handler_only_so_long() {
    let (mut world, id) = World::raw();
    let attachment = world.engine.attachment(id);
    world.engine.receive_raw(attachment, "one".into());
    assert!(world.engine.close_received(attachment, CloseCode::Other(4001).into()));
    assert_eq!(world.dispatched(), ["data"]);
    let at = world.now + world.engine.limits().close_grace;
    world.engine.at(at).tick();
    assert_eq!(world.dispatched(), ["closed 4001"]);
    assert_eq!(world.engine.take(attachment, 100, &mut Vec::new()), Take::Gone);
}

#[test]
fn raw_that_closes_and_disconnects_ends_with_its_close() {
    let (mut world, id) = World::raw();
    let attachment = world.engine.attachment(id);
    world.engine.receive_raw(attachment, "one".into());
    assert!(world.engine.close_received(attachment, CloseCode::Other(4001).into()));
    world.engine.disconnected(attachment, CloseCode::Abnormal.into());
    assert_eq!(world.dispatched(), ["data", "closed 4001"]);
}

#[test]
fn open_socket_lost_dispatches() {
    let (mut world, id) = World::open();
    world.engine.disconnected(world.engine.attachment(id), CloseCode::Abnormal.into());
    assert_eq!(world.dispatched(), ["closed 1006"]);
    assert!(world.engine.is_empty());
}

#[test]
fn open_cut_all_dispatches() {
    let (mut world, _) = World::open();
    world.engine.cut_all(CloseCode::Restart);
    assert_eq!(world.dispatched(), ["closed 1012"]);
}

#[test]
fn open_disowned_by_its_owner_is_cut() {
    let (mut world, id) = World::open();
    world.engine.disown(OwnerId(2), CloseCode::IsolateLost);
    assert_eq!(world.engine.take(world.engine.attachment(id), 9, &mut Vec::new()), Take::Idle);
    world.engine.disown(OwnerId(1), CloseCode::IsolateLost);
    assert_eq!(
        world.engine.take(world.engine.attachment(id), 9, &mut Vec::new()),
        Take::Close(CloseCode::IsolateLost.into())
    );
}

/// A second line in the same world, open.
fn second(world: &mut World, token: Token) -> LineId {
    let other = Visitor { session: Some("bob".into()), ..visitor() };
    let opening = Opening { owner: OwnerId(1), exchange: ExchangeId(3), visitor: other.clone(), token };
    let id = world.engine.open(opening).unwrap();
    world.join(token, TransportKind::Socket, Caller::from(&other)).unwrap();
    world.engine.receive(world.engine.attachment(id), CONNECT);
    world.written(id);
    id
}

fn enter(world: &mut World, id: LineId, entry: JoinOptions) {
    world.engine.enter(id, "room:7".parse().unwrap(), entry);
}

fn receives(world: &mut World, id: LineId, kind: &str) {
    let text = format!(r#"{{"message":1,".wq":{{"type":"{kind}","eventID":"e"}}}}"#);
    world.engine.receive(world.engine.attachment(id), &text);
}

#[test]
fn entered_message_is_relayed_and_not_dispatched() {
    let (mut world, a) = World::open();
    let b = second(&mut world, Token([8; 16]));
    enter(&mut world, a, JoinOptions::default());
    enter(&mut world, b, JoinOptions::default());
    receives(&mut world, a, "room:7:message");
    assert!(world.written(b)[0].contains(r#""type":"room:7:message","eventID":"e""#));
    assert!(world.written(a).is_empty() && world.dispatched().is_empty());
    for kind in ["room:7:response.done", "room:7:x.mutate", "room:7:leaves", "room:7:"] {
        receives(&mut world, a, kind);
    }
    assert!(world.written(b).is_empty() && world.dispatched().is_empty());
}

#[test]
fn entered_decisions_count_as_in_flight() {
    let (mut world, id) = World::open();
    enter(&mut world, id, JoinOptions { decides: true, ..JoinOptions::default() });
    for _ in 0..8 {
        receives(&mut world, id, "room:7:message");
    }
    assert_eq!(world.dispatched(), ["message"; 8]);
    assert!(!world.engine.may_read(world.engine.attachment(id)));
}

#[test]
fn ending_leaves_its_channels() {
    let (mut world, a) = World::open();
    let b = second(&mut world, Token([8; 16]));
    enter(&mut world, a, JoinOptions::default());
    let announcement = channel::Announcement { joins: None, leaves: None };
    enter(&mut world, b, JoinOptions { announcement: Some(announcement), ..JoinOptions::default() });
    assert_eq!(world.written(a).len(), 1);
    world.engine.complete(b);
    world.engine.disconnected(world.engine.attachment(b), CloseCode::Done.into());
    assert_eq!(world.written(a).len(), 1, "it left once");
    enter(&mut world, b, JoinOptions::default());
    assert_eq!(world.engine.channel_size(&"room:7".parse().unwrap()), 1);
}

#[test]
fn finished_disowned_keeps_its_own_end() {
    let (mut world, id) = World::open();
    world.engine.finish(id, CloseCode::Navigated.into());
    world.engine.disown(OwnerId(1), CloseCode::IsolateLost);
    assert_eq!(
        world.engine.take(world.engine.attachment(id), 9, &mut Vec::new()),
        Take::Close(CloseCode::Navigated.into())
    );
}
