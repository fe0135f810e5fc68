//! Actors step by step.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::OwnerId;

type Done = Effect<&'static str, &'static str, &'static str>;

/// Actors on a virtual clock.
struct World {
    actors: Actors<&'static str, &'static str, &'static str>,
    start: Instant,
    millis: u64,
    /// What instances have taken.
    taken: Vec<(Instance, Taken<&'static str>)>,
}

impl World {
    fn new() -> World {
        World::with(ActorLimits::default())
    }

    fn with(limits: ActorLimits) -> World {
        let start = Instant::now();
        let mut actors = Actors::new(limits, Now { at: start, unix: 0 });
        actors.set_owners(vec![OwnerId(1)]);
        World { actors, start, millis: 0, taken: Vec::new() }
    }

    /// Lets time pass, and stops at every deadline in between.
    fn wait(&mut self, millis: u64) {
        let end = self.millis + millis;
        while let Some(next) = self.actors.next_deadline()
            && next <= self.start + Duration::from_millis(end)
        {
            let next = next.saturating_duration_since(self.start).as_millis() as u64;
            self.set(next.max(self.millis));
            self.actors.expire();
        }
        self.set(end);
        self.actors.expire();
    }

    fn set(&mut self, millis: u64) {
        self.millis = millis;
        let at = self.start + Duration::from_millis(millis);
        self.actors.at(Now { at, unix: millis as i64 });
    }

    /// What the driver has to do. Instances take the events that wait for them.
    fn done(&mut self) -> Vec<Done> {
        let mut done = Vec::new();
        loop {
            let effects: Vec<_> = self.actors.effects().collect();
            if effects.is_empty() {
                return done;
            }
            for effect in effects {
                match effect {
                    Effect::Ready { instance, .. } => {
                        self.taken.extend(self.actors.take(instance).map(|taken| (instance, taken)));
                    }
                    other => done.push(other),
                }
            }
        }
    }

    fn send(&mut self, content: &'static str) {
        self.actors.send(&id(1), content).expect("a place in the mailbox");
    }

    /// Starts the actor with an event, which has ended.
    fn running(&mut self) -> Instance {
        let instance = self.started("first");
        let events = self.delivered();
        for (event, _) in events {
            self.actors.finished(instance, event);
        }
        instance
    }

    /// Sends an event, and the constructor returns.
    fn started(&mut self, content: &'static str) -> Instance {
        self.send(content);
        let instance = self.start_of();
        self.actors.started(instance);
        instance
    }

    fn start_of(&mut self) -> Instance {
        let done = self.done();
        let start = done.iter().find_map(|it| match it {
            Effect::Start { instance, .. } => Some(*instance),
            _ => None,
        });
        start.unwrap_or_else(|| panic!("a start, not {done:?}"))
    }

    fn delivered(&mut self) -> Vec<(EventId, &'static str)> {
        self.done();
        let event = |(_, taken)| match taken {
            Taken::Event(event, content) => (event, content),
            alarm => panic!("an event, not {alarm:?}"),
        };
        self.taken.drain(..).map(event).collect()
    }

    /// The alarm that an instance has taken: the instance, the event, for when it was set, and how often it has failed.
    fn alarm(&mut self) -> Option<(Instance, EventId, i64, u32)> {
        self.done();
        self.taken.drain(..).find_map(|(instance, taken)| match taken {
            Taken::Alarm { event, due, retries } => Some((instance, event, due, retries)),
            Taken::Event(..) => None,
        })
    }

    fn contents(&mut self) -> Vec<&'static str> {
        self.delivered().into_iter().map(|(_, content)| content).collect()
    }

    /// The instances that have to stop. They do.
    fn stops(&mut self) -> Vec<Stop<&'static str>> {
        let mut stops = Vec::new();
        for effect in self.done() {
            if let Effect::Stop { instance, why, .. } = effect {
                self.actors.stopped(instance);
                stops.push(why);
            }
        }
        stops
    }
}

pub(super) fn id(number: u8) -> ActorId {
    ActorId::new("Room", [number; 32])
}

#[test]
fn ids_are_hexadecimal() {
    let text = format!("{}a5", "0f".repeat(31));
    assert_eq!(ActorId::parse("Room", &text).unwrap().hex(), text);
    for text in ["", "0f", &"g".repeat(64), &"\u{e9}".repeat(32)] {
        assert_eq!(ActorId::parse("Room", text), Err(InvalidActorId));
    }
}

#[test]
fn events_wait_for_the_constructor_and_come_in_order() {
    let mut world = World::new();
    world.send("a");
    world.send("b");
    let instance = world.start_of();
    assert_eq!(world.actors.stats().queued, 2);
    world.actors.started(instance);
    world.send("c");
    assert_eq!(world.contents(), ["a", "b", "c"]);
    assert_eq!(world.actors.stats().alive, 1);
}

#[test]
fn a_constructor_that_throws_fails_the_events_that_wait() {
    let mut world = World::new();
    world.send("a");
    let instance = world.start_of();
    assert!(!world.actors.start_failed(instance, "no table"), "no alarm waited");
    assert_eq!(world.done(), [Effect::Refuse { content: "a", why: Refused::NotStarted("no table") }]);
    assert_eq!((world.actors.stats().alive, world.actors.stats().hibernating), (0, 0));
    assert_ne!(world.started("b"), instance);
    assert_eq!(world.contents(), ["b"]);
}

#[test]
fn gates_hold_events_back() {
    let mut world = World::new();
    let instance = world.running();
    let storage = world.actors.close_gate(instance).unwrap();
    let block = world.actors.close_gate(instance).unwrap();
    world.send("a");
    world.actors.open_gate(instance, storage);
    assert_eq!(world.contents(), [""; 0]);
    world.actors.open_gate(instance, block);
    assert_eq!(world.contents(), ["a"]);
}

#[test]
fn an_instance_that_blocks_for_too_long_is_reset() {
    let mut world = World::new();
    let instance = world.running();
    world.actors.close_gate(instance).unwrap();
    world.send("a");
    world.wait(29_999);
    assert_eq!(world.done(), []);
    world.wait(1);
    let done = world.done();
    assert!(
        matches!(
            &done[..],
            [Effect::Stop { why: Stop::Blocked, .. }, Effect::Refuse { content: "a", why: Refused::Blocked }]
        ),
        "{done:?}"
    );
    world.send("b");
    assert_eq!(world.done(), [], "the old instance has not stopped");
    world.actors.stopped(instance);
    let next = world.start_of();
    assert!(next > instance);
    world.actors.open_gate(instance, GateId(0));
    world.actors.started(next);
    assert_eq!(world.contents(), ["b"]);
}

#[test]
fn outputs_wait_for_the_writes_before_them() {
    let mut world = World::new();
    let instance = world.running();
    let leaving = |world: &mut World| {
        let done = world.done();
        done.into_iter()
            .map(|it| match it {
                Effect::Leave(output) => output,
                other => panic!("an output, not {other:?}"),
            })
            .collect::<Vec<_>>()
    };
    world.actors.output(instance, "free");
    assert_eq!(leaving(&mut world), ["free"]);
    world.actors.written(instance);
    world.actors.output(instance, "a");
    world.actors.committed(instance, 5);
    world.actors.output(instance, "b");
    world.actors.written(instance);
    world.actors.output(instance, "c");
    world.actors.durable(instance, 4);
    assert_eq!(leaving(&mut world), [""; 0]);
    world.actors.durable(instance, 5);
    assert_eq!(leaving(&mut world), ["a", "b"]);
    world.actors.durable(instance, 6);
    assert_eq!(leaving(&mut world), [""; 0], "its write is in no commit yet");
    world.actors.committed(instance, 7);
    assert!(!world.actors.may_leave(instance));
    world.actors.durable(instance, 7);
    assert_eq!(leaving(&mut world), ["c"]);
    assert!(world.actors.may_leave(instance));
}

#[test]
fn a_reset_discards_and_refuses_what_waits() {
    let mut world = World::new();
    let instance = world.started("runs");
    let (event, _) = world.delivered()[0];
    world.actors.written(instance);
    world.actors.output(instance, "held");
    world.actors.close_gate(instance);
    world.send("waits");
    world.actors.reset(instance, "disk full");
    let why = Refused::Reset("disk full");
    assert_eq!(
        world.done(),
        [
            Effect::Stop { owner: OwnerId(1), instance, why: Stop::Reset("disk full") },
            Effect::Abandon { event, why: why.clone() },
            Effect::Discard("held", why.clone()),
            Effect::Refuse { content: "waits", why },
        ]
    );
    world.actors.output(instance, "late");
    assert_eq!(world.done(), [Effect::Discard("late", Refused::Gone)]);
}

#[test]
fn what_came_by_kept_sockets_is_for_the_instance_after_a_reset() {
    let mut world = World::new();
    let instance = world.running();
    world.actors.accept_socket(instance, SocketId(7), &[]).unwrap();
    world.actors.close_gate(instance);
    world.send("call");
    world.actors.socket_message(SocketId(7), None, false, "message").unwrap();
    world.actors.socket_closed(SocketId(7), "closed").unwrap();
    world.actors.reset(instance, "no more");
    let why = Refused::Reset("no more");
    assert_eq!(
        world.done(),
        [
            Effect::Stop { owner: OwnerId(1), instance, why: Stop::Reset("no more") },
            Effect::Refuse { content: "call", why },
        ]
    );
    world.actors.stopped(instance);
    let second = world.start_of();
    world.actors.started(second);
    assert_eq!(world.contents(), ["message", "closed"]);
}

/// Otherwise a class whose constructor ends its instance would start again and again.
#[test]
fn what_an_instance_that_has_done_nothing_leaves_is_refused() {
    let mut world = World::new();
    let instance = world.running();
    world.actors.accept_socket(instance, SocketId(7), &[]).unwrap();
    world.wait(10_000);
    assert_eq!(world.stops(), [Stop::Hibernates]);
    world.actors.socket_message(SocketId(7), None, false, "message").unwrap();
    let second = world.start_of();
    world.actors.close_gate(second);
    world.actors.started(second);
    world.actors.reset(second, "no table");
    let why = Refused::Reset("no table");
    assert_eq!(
        world.done(),
        [
            Effect::Stop { owner: OwnerId(1), instance: second, why: Stop::Reset("no table") },
            Effect::Refuse { content: "message", why },
        ]
    );
    world.actors.stopped(second);
    assert_eq!(world.done(), []);
}

#[test]
fn an_idle_instance_is_evicted_and_one_that_works_is_not() {
    let mut world = World::new();
    let instance = world.running();
    world.actors.hold(instance, Hold::Work);
    world.wait(500_000);
    assert_eq!(world.stops(), []);
    world.actors.unhold(instance, Hold::Work);
    world.wait(69_999);
    assert_eq!(world.stops(), []);
    world.wait(1);
    assert_eq!(world.stops(), [Stop::Evicted]);
    assert_eq!((world.actors.stats().alive, world.actors.stats().hibernating), (0, 0));
    assert_eq!(world.actors.next_deadline(), None);
}

#[test]
fn sockets_survive_hibernation_with_tags_and_attachments() {
    let mut world = World::new();
    let instance = world.running();
    let tags = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
    world.actors.accept_socket(instance, SocketId(7), &tags(&["b", "a", "b"])).unwrap();
    world.actors.accept_socket(instance, SocketId(3), &tags(&["a"])).unwrap();
    world.actors.attach(SocketId(7), Bytes::from_static(b"seven"));
    world.wait(9_999);
    assert_eq!(world.stops(), []);
    world.wait(1);
    assert_eq!(world.stops(), [Stop::Hibernates]);
    assert_eq!(world.actors.stats().hibernating, 1);
    assert_eq!(world.actors.sockets(instance, None), []);

    world.actors.socket_message(SocketId(3), Some("hello"), false, "hello").unwrap();
    let next = world.start_of();
    assert_eq!(world.actors.sockets(next, None), [SocketId(7), SocketId(3)]);
    assert_eq!(world.actors.sockets(next, Some("b")), [SocketId(7)]);
    assert_eq!(world.actors.sockets(next, Some("x")), []);
    assert_eq!(
        world.actors.tags(SocketId(7)).unwrap().iter().map(|tag| &**tag).collect::<Vec<_>>(),
        ["b", "a"]
    );
    assert_eq!(world.actors.attachment(SocketId(7)).unwrap(), "seven");
    world.actors.started(next);
    let (event, _) = world.delivered()[0];
    world.actors.finished(next, event);
    world.actors.hold(next, Hold::Timer);
    world.wait(69_999);
    assert_eq!(world.stops(), [], "it has a timer");
    world.wait(1);
    assert_eq!(world.stops(), [Stop::Hibernates]);
}

#[test]
fn a_closed_socket_is_kept_until_that_is_handled() {
    let mut world = World::new();
    let instance = world.running();
    world.actors.accept_socket(instance, SocketId(1), &[]).unwrap();
    world.actors.socket_closed(SocketId(1), "closed").unwrap();
    let (event, _) = world.delivered()[0];
    assert_eq!(world.actors.sockets(instance, None), [SocketId(1)]);
    world.actors.finished(instance, event);
    assert_eq!(world.actors.sockets(instance, None), []);
    let rejected = world.actors.socket_message(SocketId(1), None, false, "late").unwrap_err();
    assert_eq!(rejected.why, Refused::Gone);
    world.wait(70_000);
    assert_eq!(world.stops(), [Stop::Evicted]);
}

#[test]
fn automatic_responses_start_nothing() {
    let mut world = World::new();
    let instance = world.running();
    world.actors.accept_socket(instance, SocketId(1), &[]).unwrap();
    let pair = |request: &str, response: &str| {
        Some(AutoResponse { request: request.into(), response: response.into() })
    };
    world.actors.set_auto_response(instance, pair("ping", "pong"));
    assert_eq!(world.actors.auto_response(instance), pair("ping", "pong").as_ref());
    world.wait(10_000);
    assert_eq!(world.stops(), [Stop::Hibernates]);
    world.wait(500);
    assert_eq!(world.actors.socket_message(SocketId(1), Some("ping"), false, "ping"), Ok(Some("ping")));
    assert_eq!(world.done(), [Effect::Answer { socket: SocketId(1), text: "pong".into() }]);
    assert_eq!(world.actors.answered(SocketId(1)), Some(10_500));
    assert_eq!(world.actors.socket_message(SocketId(1), Some("pong"), false, "pong"), Ok(None));
}

#[test]
fn limits_of_sockets() {
    let mut world = World::with(ActorLimits { sockets: 2, ..ActorLimits::default() });
    let instance = world.running();
    let mut accept =
        |socket: u64, tags: Vec<String>| world.actors.accept_socket(instance, SocketId(socket), &tags);
    assert!(matches!(accept(1, vec!["t".to_owned(); 11]), Err(SocketError::Tags { .. })));
    assert!(matches!(accept(1, vec!["t".repeat(257)]), Err(SocketError::Tag { .. })));
    assert_eq!(accept(1, vec!["t".repeat(256)]), Ok(()));
    assert_eq!(accept(1, vec![]), Err(SocketError::Accepted));
    assert_eq!(accept(2, vec![]), Ok(()));
    assert_eq!(accept(3, vec![]), Err(SocketError::Sockets(2)));
    assert_eq!(world.actors.socket_count(&id(1)), 2);
}

#[test]
fn an_alarm_starts_its_actor_and_is_repeated_six_times() {
    let mut world = World::new();
    world.actors.set_alarm(&id(1), Some(1000));
    world.wait(999);
    assert_eq!(world.done(), []);
    world.wait(1);
    let instance = world.start_of();
    world.actors.started(instance);
    let mut gaps = Vec::new();
    for retry in 0..7 {
        let (_, event, due, retries) = world.alarm().expect("an alarm");
        assert_eq!((due, retries), (1000, retry));
        assert_eq!(world.actors.stats().alarms_due, 1);
        match world.actors.alarm_finished(instance, event, true) {
            AlarmEnd::Repeated(at) => gaps.push(at - world.millis as i64),
            end => assert_eq!((end, retry), (AlarmEnd::GivenUp, 6)),
        }
        world.wait(*gaps.last().unwrap() as u64);
    }
    assert_eq!(gaps, [2000, 4000, 8000, 16_000, 32_000, 64_000]);
    assert_eq!(world.actors.stats().alarms, 0);
}

#[test]
fn an_alarm_that_is_set_by_its_handler_counts() {
    let mut world = World::new();
    world.actors.set_alarm(&id(1), Some(0));
    world.wait(0);
    let instance = world.start_of();
    world.actors.started(instance);
    let (_, event, ..) = world.alarm().expect("an alarm");
    world.actors.set_alarm(&id(1), Some(5000));
    assert_eq!(world.actors.alarm_finished(instance, event, true), AlarmEnd::Replaced);
    world.wait(4999);
    assert_eq!(world.done(), []);
    world.wait(1);
    let (_, event, due, retries) = world.alarm().expect("the next alarm");
    assert_eq!((due, retries), (5000, 0));
    assert_eq!(world.actors.alarm_finished(instance, event, false), AlarmEnd::Over);
    world.wait(70_000);
    assert_eq!(world.stops(), [Stop::Evicted]);
}

#[test]
fn an_alarm_survives_a_reset() {
    let mut world = World::new();
    let instance = world.running();
    world.actors.set_alarm(&id(1), Some(0));
    world.wait(0);
    assert!(world.alarm().is_some());
    world.actors.reset(instance, "abort");
    assert_eq!(world.stops().len(), 1);
    world.wait(2000);
    let next = world.start_of();
    world.actors.started(next);
    assert_eq!(world.alarm().expect("again").3, 1);
}

#[test]
fn a_reload_moves_what_is_quiet_and_waits_for_what_is_not() {
    let mut world = World::new();
    let instance = world.running();
    world.actors.accept_socket(instance, SocketId(1), &[]).unwrap();
    world.actors.set_owners(vec![OwnerId(2)]);
    let stop = Effect::Stop { owner: OwnerId(1), instance, why: Stop::Moved };
    assert_eq!(world.done(), [stop]);
    world.send("while it moves");
    assert_eq!(world.done(), []);
    world.actors.stopped(instance);
    let done = world.done();
    let [Effect::Start { owner: OwnerId(2), instance: next, .. }] = done[..] else {
        panic!("{done:?}");
    };
    assert_eq!((world.actors.instances_of(OwnerId(1)), world.actors.instances_of(OwnerId(2))), (0, 1));
    assert_eq!(world.actors.sockets(next, None), [SocketId(1)]);

    world.actors.started(next);
    let (event, _) = world.delivered()[0];
    world.actors.hold(next, Hold::Work);
    world.actors.set_owners(vec![OwnerId(3)]);
    world.actors.finished(next, event);
    world.send("to the old generation");
    let (event, content) = world.delivered()[0];
    assert_eq!(content, "to the old generation");
    world.actors.finished(next, event);
    world.wait(1_000_000);
    assert_eq!(world.stops(), []);
    world.actors.unhold(next, Hold::Work);
    assert_eq!(world.stops(), [Stop::Moved]);
}

#[test]
fn a_busy_actor_moves_when_new_events_have_waited_for_those_that_run() {
    let mut world = World::new();
    let instance = world.started("first");
    let (first, _) = world.delivered()[0];
    world.actors.set_owners(vec![OwnerId(2)]);
    world.send("second");
    assert_eq!(world.contents(), [""; 0]);
    world.wait(100);
    let (second, _) = world.delivered()[0];
    world.actors.finished(instance, first);
    world.wait(1000);
    world.send("third");
    assert_eq!(world.contents(), [""; 0]);
    world.actors.finished(instance, second);
    assert_eq!(world.stops(), [Stop::Moved]);
    let next = world.start_of();
    world.actors.started(next);
    assert_eq!(world.contents(), ["third"]);
}

#[test]
fn the_end_of_an_isolate_abandons_what_ran_there() {
    let mut world = World::new();
    let instance = world.started("runs");
    let (event, _) = world.delivered()[0];
    world.actors.close_gate(instance);
    world.send("waits");
    world.actors.set_owners(vec![OwnerId(2)]);
    world.actors.owner_gone(OwnerId(1));
    let done = world.done();
    assert_eq!(done[0], Effect::Abandon { event, why: Refused::Gone });
    let next = done.iter().find_map(|it| match it {
        Effect::Start { owner: OwnerId(2), instance, .. } => Some(*instance),
        _ => None,
    });
    world.actors.started(next.expect("a start"));
    assert_eq!(world.contents(), ["waits"]);
}

#[test]
fn mailboxes_and_instances_are_limited() {
    let mut world = World::with(ActorLimits { mailbox: 2, alive: 2, ..ActorLimits::default() });
    world.send("a");
    world.send("b");
    assert_eq!(world.actors.send(&id(1), "c"), Err(Rejected { content: "c", why: Refused::MailboxFull }));
    let instance = world.start_of();
    world.actors.send(&id(2), "d").unwrap();
    assert_eq!(world.actors.send(&id(3), "e"), Err(Rejected { content: "e", why: Refused::TooMany }));
    world.done();
    world.actors.started(instance);
    for (event, _) in world.delivered() {
        world.actors.finished(instance, event);
    }
    world.actors.send(&id(3), "e").unwrap();
    let done = world.done();
    assert!(matches!(&done[..], [Effect::Stop { why: Stop::Evicted, .. }, Effect::Start { .. }]), "{done:?}");
    world.actors.set_owners(vec![]);
    assert!(matches!(world.actors.send(&id(9), "f"), Err(Rejected { why: Refused::NoOwner, .. })));
}

#[test]
fn an_event_holds_back_those_that_came_with_it() {
    let mut world = World::new();
    let instance = world.running();
    world.send("a");
    world.send("b");
    let ready = Effect::Ready { owner: OwnerId(1), instance };
    assert_eq!(world.actors.effects().collect::<Vec<_>>(), [ready]);
    let taken = world.actors.take(instance);
    assert!(matches!(taken, Some(Taken::Event(_, "a"))), "{taken:?}");
    let gate = world.actors.close_gate(instance).unwrap();
    assert_eq!(world.contents(), [""; 0], "it was announced before the gate was closed");
    world.actors.open_gate(instance, gate);
    assert_eq!(world.contents(), ["b"]);
}

#[test]
fn an_event_of_one_instance_ends_with_it() {
    let mut world = World::new();
    let instance = world.running();
    world.actors.close_gate(instance);
    world.actors.send_to(instance, "bound").unwrap();
    world.actors.set_owners(vec![OwnerId(2)]);
    world.send("waits");
    world.actors.owner_gone(OwnerId(1));
    let done = world.done();
    assert_eq!(done[0], Effect::Refuse { content: "bound", why: Refused::Gone });
    let Effect::Start { instance: next, .. } = done[1] else { panic!("{done:?}") };
    world.actors.started(next);
    assert_eq!(world.contents(), ["waits"]);
    let late = world.actors.send_to(instance, "late");
    assert_eq!(late, Err(Rejected { content: "late", why: Refused::Gone }));
}

#[test]
fn an_instance_moves_when_its_own_events_are_over() {
    let mut world = World::new();
    let instance = world.started("first");
    let (first, _) = world.delivered()[0];
    world.actors.set_owners(vec![OwnerId(2)]);
    world.actors.send_to(instance, "own").unwrap();
    let (own, content) = world.delivered()[0];
    assert_eq!(content, "own", "it does not wait for the move");
    world.actors.finished(instance, first);
    assert_eq!(world.stops(), []);
    world.actors.finished(instance, own);
    assert_eq!(world.stops(), [Stop::Moved]);
}

#[test]
fn a_facet_runs_beside_its_parent_until_it_is_reset() {
    let mut world = World::new();
    let parent = world.running();
    let facet = world.actors.start_facet(parent, id(2)).expect("a facet");
    assert_eq!(world.actors.start_facet(parent, id(2)), None, "it runs");
    world.actors.send_to(facet, "call").unwrap();
    assert_eq!(world.contents(), [""; 0], "its constructor has not returned");
    world.actors.started(facet);
    let (event, _) = world.delivered()[0];
    world.actors.finished(facet, event);
    world.wait(1_000_000);
    assert_eq!(world.stops(), [Stop::Evicted], "its parent");
    world.actors.reset(facet, "parent");
    assert_eq!(world.stops(), [Stop::Reset("parent")]);
    assert_eq!(world.actors.stats().alive, 0);
    assert_eq!(world.actors.start_facet(parent, id(2)), None, "its parent has ended");
}

#[test]
fn an_alarm_that_is_loaded_counts_less_than_one_that_is_known() {
    let mut world = World::new();
    world.actors.set_alarm(&id(1), Some(1000));
    world.actors.load_alarm(&id(1), 10);
    world.actors.load_alarm(&id(2), 2000);
    world.wait(999);
    assert_eq!(world.done(), []);
    assert_eq!(world.actors.stats().alarms, 2);
}

#[test]
fn names_are_kept_and_not_compared() {
    let named = id(1).named(Some("lobby".into()));
    assert_eq!(named, id(1));
    let mut world = World::new();
    world.actors.send(&named, "a").unwrap();
    assert_eq!(world.actors.owner_of(&id(1)), Some(OwnerId(1)));
    let Effect::Start { actor, .. } = &world.done()[0] else { panic!("a start") };
    assert_eq!(actor.name().map(|name| &**name), Some("lobby"));
}

#[test]
fn when_the_process_stops_idle_instances_stop_and_busy_ones_end_their_work() {
    let mut world = World::new();
    world.running();
    world.actors.send(&id(2), "runs").unwrap();
    let busy = world.start_of();
    world.actors.started(busy);
    let (event, _) = world.delivered()[0];
    world.actors.set_alarm(&id(3), Some(0));
    world.actors.wind_down();
    world.wait(0);
    assert_eq!(world.stops(), [Stop::Evicted]);
    world.actors.finished(busy, event);
    world.wait(0);
    assert_eq!(world.stops(), [Stop::Evicted]);
    world.send("late");
    let late = world.start_of();
    world.actors.started(late);
    assert_eq!(world.contents(), ["late"]);
    assert_eq!(world.actors.next_deadline(), None, "the alarm is left to the next process");
}
