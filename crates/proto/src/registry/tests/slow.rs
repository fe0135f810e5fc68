//! Queues of clients that do not read or do not join, quotas, and statistics.

use super::resume::{Pair, welcome};
use super::*;

/// A message that counts for a quarter of the queue.
fn message(letter: &str) -> String {
    letter.repeat(250 - FRAME_COST)
}

/// A line without numbers, with a policy for overflow.
fn plain(overflow: Overflow) -> (World, LineId) {
    let (mut world, id) = World::open();
    world.engine.limits.overflow = overflow;
    (world, id)
}

fn first_letters(frames: &[String]) -> String {
    frames.iter().filter_map(|frame| frame.rsplit(' ').next()?.chars().next()).collect()
}

#[test]
fn full_close_has_its_code() {
    let (mut world, id) = plain(Overflow::Close);
    "abcde".chars().for_each(|letter| world.send(id, &message(&letter.to_string())));
    assert_eq!(world.dispatched(), ["closed 1013"]);
}

/// Only the close frame is left to write; the bytes count no more.
#[test]
fn cut_drops_the_frames_that_wait() {
    for (mut world, id) in [World::new(), plain(Overflow::Close)] {
        world.send(id, "frame");
        world.engine.cut(id, CloseCode::TooSlow.into());
        assert_eq!(world.engine.queued_bytes(id), 0);
    }
}

#[test]
fn full_drop_oldest() {
    let (mut world, id) = plain(Overflow::DropOldest);
    "abcdef".chars().for_each(|letter| world.send(id, &message(&letter.to_string())));
    assert_eq!(first_letters(&world.written(id)), "cdef");
    assert_eq!(world.engine.stats().dropped, 2);
}

#[test]
fn full_drop_newest() {
    let (mut world, id) = plain(Overflow::DropNewest);
    "abcdef".chars().for_each(|letter| world.send(id, &message(&letter.to_string())));
    assert_eq!(first_letters(&world.written(id)), "abcd");
    assert_eq!(world.engine.stats().dropped, 2);
}

#[test]
fn full_state_takes_the_place_of_messages() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let (mut world, id) = plain(overflow);
        "abcd".chars().for_each(|letter| world.send(id, &message(&letter.to_string())));
        world.engine.send(id, QueuedFrame::new(Priority::State, message("S")));
        assert_eq!(first_letters(&world.written(id)), "bcdS");
    }
}

#[test]
fn changes_for_a_slow_client_become_one_state() {
    let mut pair = Pair::open(limits());
    pair.send(Priority::Message, "message");
    "abcdef".chars().for_each(|letter| pair.send(Priority::Delta, &message(&letter.to_string())));
    assert_eq!(pair.taken(), ["2 message"], "half of the queue is not for changes");
    assert_eq!(pair.world.dispatched(), ["drained true"]);
    pair.send(Priority::Delta, "still of a state that the client does not have");
    assert_eq!(pair.world.engine.stats().coalesced, 7);
    pair.world.engine.refreshed(pair.id);
    pair.send(Priority::State, "state");
    pair.send(Priority::Delta, "change");
    assert_eq!(pair.taken(), ["3 state", "4 change"]);
    assert_eq!(pair.world.engine.stats().dropped, 0);
}

/// The other half is for frames that no later state replaces.
#[test]
fn changes_may_use_half_of_the_queue() {
    let half = limits().queue_bytes / 2;
    for (excess, wanted) in [(0, 1), (1, 0)] {
        let mut pair = Pair::open(limits());
        pair.send(Priority::Message, "m");
        let used = FRAME_COST + "m".len();
        pair.send(Priority::Delta, &"d".repeat(half - used - FRAME_COST + excess));
        assert_eq!(pair.taken().len(), 1 + wanted, "{excess} bytes over half of the queue");
        assert_eq!(pair.world.engine.stats().coalesced, excess as u64);
    }
}

#[test]
fn full_vital_frames_stay() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let (mut world, id) = plain(overflow);
        world.engine.receive(world.engine.attachment(id), CONNECT);
        "abcdef".chars().for_each(|letter| world.send(id, &message(&letter.to_string())));
        world.engine.complete(id);
        let written = world.written(id);
        assert!(written[0].contains("E:0:message") && written[4].contains("response.done"), "{written:?}");
    }
}

#[test]
fn full_before_the_client_listened_it_still_opens() {
    let (mut world, id) = World::new();
    world.join(TOKEN, TransportKind::Socket, Caller::from(&visitor())).unwrap();
    "abcd".chars().for_each(|letter| world.send(id, &message(&letter.to_string())));
    world.engine.receive(world.engine.attachment(id), CONNECT);
    assert_eq!(world.written(id).len(), 5);
    assert!(world.dispatched().is_empty());
}

#[test]
fn unread_answers_do_not_pile_up() {
    let (mut world, id) = World::open();
    for _ in 0..10 {
        world.engine.receive(world.engine.attachment(id), CONNECT);
    }
    assert_eq!(world.dispatched(), ["closed 1008"]);
}

/// A client that reads everything and acknowledges nothing.
#[test]
fn unacknowledged_frames_stay_within_the_queue() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let mut pair = Pair::open(limits());
        pair.world.engine.limits.overflow = overflow;
        for _ in 0..20 {
            pair.send(Priority::Message, &message("m"));
            pair.send(Priority::State, &message("S"));
            pair.taken();
            // The handler sends the state in full.
            if pair.world.dispatched().contains(&"drained true".to_owned()) {
                pair.world.engine.refreshed(pair.id);
                pair.send(Priority::State, &message("S"));
            }
            let kept = pair.world.engine.kept_bytes(pair.id);
            assert!(kept <= 1000, "{kept} bytes");
        }
        assert!(pair.taken().is_empty() && pair.world.dispatched().is_empty());
        pair.raw("a5");
        let actions: Vec<Action> = pair.world.engine.actions().collect();
        assert!(matches!(actions[..], [Action::Wake(_)]));
        assert!(pair.taken().is_empty());
        assert_eq!(pair.world.dispatched(), ["drained true"], "now there is room");
    }
}

#[test]
fn congested_until_the_client_acknowledges() {
    let mut pair = Pair::open(limits());
    "ab".chars().for_each(|letter| pair.send(Priority::Message, &message(&letter.to_string())));
    assert!(!pair.world.engine.wait_if_congested(pair.id));
    pair.send(Priority::Message, &message("c"));
    assert!(pair.world.engine.wait_if_congested(pair.id));
    assert_eq!(first_letters(&pair.taken()), "abc");
    assert!(pair.world.dispatched().is_empty(), "who sends on now would fill the queue");
    pair.raw("a2");
    pair.taken();
    assert_eq!(pair.world.dispatched(), ["drained false"]);
}

#[test]
fn frames_on_their_way_are_not_dropped() {
    let mut pair = Pair::open(Limits { overflow: Overflow::DropOldest, ..limits() });
    pair.send(Priority::Message, &message("a"));
    pair.send(Priority::Message, &message("b"));
    pair.taken();
    pair.lose();
    pair.resumes(1, 1).unwrap();
    "cdef".chars().for_each(|letter| pair.send(Priority::Message, &message(&letter.to_string())));
    let taken = pair.taken();
    assert_eq!((&taken[0], first_letters(&taken[1..])), (&welcome(2, 1, false), "abef".into()));
}

/// The queue of the listener's client is full with the frame of the same message.
#[test]
fn full_by_a_message_its_handler_does_not_receive_it() {
    let (mut world, a) = World::open();
    let b = second(&mut world, Token([8; 16]));
    enter(&mut world, a, JoinOptions::default());
    enter(&mut world, b, JoinOptions::default());
    world.engine.listen(b, &"room:7".parse().unwrap(), Listening::Channel);
    "abcd".chars().for_each(|letter| world.send(b, &message(&letter.to_string())));
    receives(&mut world, a, "room:7:message");
    assert_eq!(world.dispatched(), ["closed 1013"], "nothing follows the end");
    (0..20).for_each(|_| receives(&mut world, a, "room:7:message"));
    assert!(world.engine.may_read(world.engine.attachment(a)), "nor is it waited for");
}

/// The client of the sender is not read while a handler that listens to the channel is behind.
#[test]
fn a_sender_waits_for_the_listeners_of_its_channel() {
    let (mut world, a) = World::open();
    let b = second(&mut world, Token([8; 16]));
    enter(&mut world, a, JoinOptions::default());
    enter(&mut world, b, JoinOptions::default());
    world.engine.listen(b, &"room:7".parse().unwrap(), Listening::Channel);
    world.engine.actions();
    let (mut messages, mut overheard) = (0, 0);
    while world.engine.may_read(world.engine.attachment(a)) {
        receives(&mut world, a, "room:7:message");
        messages += 1;
        assert!(messages < 100, "the sender is read although {overheard} bytes wait for the listener");
        world.written(b);
        for action in world.engine.actions() {
            if let Action::Dispatch { event: Event::ChannelMessage { from, size, .. }, .. } = action {
                assert_eq!(from, a);
                overheard += size;
            }
        }
    }
    assert!(overheard > limits().queue_bytes);
    world.engine.acknowledge(a, overheard);
    assert!(world.engine.may_read(world.engine.attachment(a)));
    assert!(matches!(world.engine.actions().next(), Some(Action::Wake(line)) if line == a));
}

// -- quotas --------------------------------------------------------------------------------------------------

#[test]
fn too_many_lines_are_refused_until_one_is_over() {
    let limits = Limits { lines_per_session: 1, lines_per_address: 2, ..limits() };
    let World { mut engine, .. } = World::empty(limits);
    let open = |engine: &mut Engine, session: Option<&str>, token: u8| {
        let visitor = Visitor { session: session.map(Box::from), address: [127, 0, 0, 1].into() };
        let (owner, exchange) = (OwnerId(1), ExchangeId(u64::from(token)));
        engine.open(Opening { owner, exchange, visitor, token: Token([token; 16]) })
    };
    let ann = open(&mut engine, Some("ann"), 1).unwrap();
    assert_eq!(open(&mut engine, Some("ann"), 2), Err(TooManyLines));
    open(&mut engine, None, 3).unwrap();
    assert_eq!(open(&mut engine, Some("bob"), 4), Err(TooManyLines));
    engine.cut(ann, CloseCode::Restart.into());
    open(&mut engine, Some("bob"), 5).unwrap();
    assert_eq!(engine.stats().opened, 3);
}

// -- statistics ----------------------------------------------------------------------------------------------

#[test]
fn stats_add_up() {
    let mut pair = Pair::open(limits());
    let joining =
        Opening { owner: OwnerId(1), exchange: ExchangeId(3), visitor: visitor(), token: Token([7; 16]) };
    pair.world.engine.open(joining).unwrap();
    let plain = second(&mut pair.world, Token([8; 16]));
    enter(&mut pair.world, plain, JoinOptions::default());
    let before = pair.world.engine.stats();
    pair.send(Priority::Message, "12345");
    let stats = pair.world.engine.stats();
    assert_eq!((stats.joining, stats.open, stats.away), (1, 2, 0));
    assert_eq!((stats.channels, stats.members, stats.queued_bytes), (1, 1, FRAME_COST as u64 + 5));
    pair.taken();
    pair.receives("\"hello\"");
    pair.lose();
    pair.resumes(1, 1).unwrap();
    assert_eq!(pair.taken()[1], "2 12345");
    pair.lose();
    let stats = pair.world.engine.stats();
    assert_eq!((stats.joining, stats.open, stats.away), (1, 1, 1));
    assert_eq!((stats.opened, stats.resumed, stats.queued_bytes), (3, 1, 0));
    assert_eq!((stats.frames_in - before.frames_in, stats.bytes_in - before.bytes_in), (1, 9));
    assert_eq!(stats.frames_out - before.frames_out, 3, "the same twice, and a welcome");
    let engine = &mut pair.world.engine;
    engine.disconnected(engine.attachment(plain), CloseCode::Abnormal.into());
    pair.wait(Duration::from_secs(31));
    let stats = pair.world.engine.stats();
    assert_eq!((stats.joining, stats.open, stats.away, stats.members), (0, 0, 0, 0));
    assert_eq!(stats.closed, [(1001, 1), (1006, 2)].into());
    assert!(pair.world.engine.is_empty());
}
