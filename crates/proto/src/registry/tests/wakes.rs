//! The actions of inputs: a connection is woken for every frame, and an owner receives every event once.

use super::resume::Pair;
use super::*;

/// The actions since the last call, in short.
fn actions(world: &mut World) -> Vec<&'static str> {
    let name = |action| match action {
        Action::Wake(_) => "wake",
        Action::WakeAll(_) => "wake all",
        Action::Ended(_) => "ended",
        Action::Dispatch { event, .. } => match event {
            Event::Opened => "opened",
            Event::Drained { .. } => "drained",
            Event::Closed(_) => "closed",
            _ => "message",
        },
    };
    world.engine.actions().map(name).collect()
}

#[test]
fn frames_wake_an_open_line() {
    let (mut world, id) = World::open();
    actions(&mut world);
    world.send(id, "frame");
    assert_eq!(actions(&mut world), ["wake"]);
    world.engine.receive(world.engine.attachment(id), CONNECT);
    assert_eq!(actions(&mut world), ["wake"], "the answer to a further ping");
    world.engine.done(id);
    assert_eq!(actions(&mut world), ["wake"]);
    world.engine.finish(id, CloseCode::Done.into());
    assert_eq!(actions(&mut world), ["wake"]);
    world.send(id, "late");
    assert!(actions(&mut world).is_empty());
}

#[test]
fn frames_before_the_client_listens_wake_it_when_it_does() {
    let (mut world, id) = World::new();
    world.send(id, "frame");
    let attachment = world.join(TOKEN, TransportKind::Socket, Caller::from(&visitor())).unwrap();
    world.send(id, "frame");
    assert!(actions(&mut world).is_empty());
    world.engine.receive(attachment, CONNECT);
    assert_eq!(actions(&mut world), ["opened", "wake"]);
}

#[test]
fn a_message_opens_a_line_as_well_as_a_ping() {
    let (mut world, id) = World::new();
    let attachment = world.join(TOKEN, TransportKind::Socket, Caller::from(&visitor())).unwrap();
    world.engine.receive(attachment, "1");
    assert_eq!(actions(&mut world), ["opened", "wake", "message"]);
    world.engine.receive(attachment, "2");
    assert_eq!(actions(&mut world), ["message"]);
    world.engine.acknowledge(id, 2 * (FRAME_COST + 1));
    assert!(actions(&mut world).is_empty(), "it was read all the time");
}

#[test]
fn a_welcome_wakes_the_connection() {
    let mut pair = Pair::joined(limits());
    assert_eq!(actions(&mut pair.world), ["wake"]);
    pair.taken();
    pair.lose();
    actions(&mut pair.world);
    pair.resumes(1, 0).unwrap();
    assert_eq!(actions(&mut pair.world), ["wake"]);
}

#[test]
fn a_ping_wakes_the_connection() {
    let limits = Limits { ping_interval: Duration::from_secs(25), ..limits() };
    let mut pair = Pair::open(limits);
    pair.wait(Duration::from_secs(25));
    assert_eq!(actions(&mut pair.world), ["wake"]);
}

#[test]
fn messages_of_a_raw_client_are_signs_of_life() {
    let interval = Duration::from_secs(25);
    let mut world = World::empty(Limits { ping_interval: interval, ..limits() });
    let (owner, exchange) = (OwnerId(1), ExchangeId(2));
    let id = world.engine.open(Opening { owner, exchange, visitor: visitor(), token: TOKEN }).unwrap();
    let attachment = world.engine.attach(id, TransportKind::Raw).unwrap();
    world.engine.accept(id);
    for _ in 0..10 {
        world.now += interval;
        world.engine.at(world.now).tick();
        world.engine.receive_raw(attachment, "still here".into());
    }
    assert!(!world.dispatched().contains(&"closed 1006".to_owned()));
}

#[test]
fn drained_is_dispatched_once() {
    let mut pair = Pair::open(limits());
    pair.send(Priority::Message, &"x".repeat(600));
    assert!(pair.world.engine.wait_if_congested(pair.id));
    pair.taken();
    pair.raw("a2");
    pair.taken();
    assert_eq!(pair.world.dispatched(), ["drained false"]);
    pair.send(Priority::Message, "small");
    pair.taken();
    assert!(pair.world.dispatched().is_empty());
}

#[test]
fn a_finished_line_that_is_not_read_can_be_resumed_if_its_client_can() {
    let mut pair = Pair::open(limits());
    pair.send(Priority::Message, "last");
    pair.world.engine.complete(pair.id);
    pair.wait(limits().close_grace);
    pair.resumes(1, 1).unwrap();
    let taken = pair.taken();
    assert_eq!(taken[1], "2 last");
    assert!(taken[2].contains("response.done"), "{taken:?}");
}

#[test]
fn the_host_never_uses_an_event_id_twice() {
    let (mut world, id) = World::open();
    world.engine.receive(world.engine.attachment(id), CONNECT);
    world.engine.done(id);
    let written = world.written(id);
    assert!(written[0].contains("opened-h2") && written[1].contains("response.done-h3"), "{written:?}");
}
