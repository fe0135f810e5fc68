//! Random histories of actors, checked against rules that always hold.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::tests::id;
use super::*;
use crate::OwnerId;

/// One step of a history. Numbers choose among what there is.
#[derive(Debug, Clone)]
enum Step {
    Send(u8),
    /// An event for one instance.
    Bound(u8),
    Take(u8),
    Message(u8),
    Started(u8),
    StartFailed(u8),
    Finish(u8),
    Write(u8),
    Commit(u8),
    Durable(u8),
    Output(u8),
    CloseGate(u8),
    OpenGate(u8),
    Hold(u8, bool),
    Unhold(u8),
    Accept(u8),
    Close(u8),
    Reset(u8),
    SetAlarm(u8, Option<u16>),
    AlarmEnds(u8, bool),
    Stopped(u8),
    Reload(u8),
    Crash(u8),
    Wait(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let n = 0u8..8;
    let step = prop_oneof![
        12 => n.clone().prop_map(Step::Send),
        3 => n.clone().prop_map(Step::Bound),
        14 => n.clone().prop_map(Step::Take),
        4 => n.clone().prop_map(Step::Message),
        12 => n.clone().prop_map(Step::Started),
        1 => n.clone().prop_map(Step::StartFailed),
        12 => n.clone().prop_map(Step::Finish),
        4 => n.clone().prop_map(Step::Write),
        5 => n.clone().prop_map(Step::Commit),
        5 => n.clone().prop_map(Step::Durable),
        6 => n.clone().prop_map(Step::Output),
        2 => n.clone().prop_map(Step::CloseGate),
        4 => n.clone().prop_map(Step::OpenGate),
        1 => (n.clone(), any::<bool>()).prop_map(|(n, work)| Step::Hold(n, work)),
        3 => n.clone().prop_map(Step::Unhold),
        3 => n.clone().prop_map(Step::Accept),
        2 => n.clone().prop_map(Step::Close),
        1 => n.clone().prop_map(Step::Reset),
        3 => (n.clone(), proptest::option::weighted(0.8, 0u16..20_000)).prop_map(|(n, at)| Step::SetAlarm(n, at)),
        6 => (n.clone(), any::<bool>()).prop_map(|(n, threw)| Step::AlarmEnds(n, threw)),
        8 => n.clone().prop_map(Step::Stopped),
        1 => n.clone().prop_map(Step::Reload),
        1 => n.prop_map(Step::Crash),
        5 => prop_oneof![0u32..200, 0u32..100_000].prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 0..300)
}

/// What the isolates and the disk know.
#[derive(Default)]
struct Model {
    /// Instances between their start and their end, with their actor.
    instances: BTreeMap<Instance, Known>,
    /// What was sent to each actor and was not delivered or refused, in order.
    sent: HashMap<ActorId, VecDeque<u64>>,
    /// The alarm in each actor's file: set and not ended.
    alarms: HashMap<ActorId, i64>,
    /// Those that were delivered since they were set, or are given up.
    delivered: BTreeSet<(ActorId, i64)>,
    sockets: HashMap<SocketId, ActorId>,
    /// Sockets whose client has closed, by the event that says so, until that is handled.
    closing: HashMap<u64, SocketId>,
    owners: Vec<OwnerId>,
    count: u64,
    tickets: u64,
}

struct Known {
    actor: ActorId,
    owner: OwnerId,
    started: bool,
    stopping: bool,
    /// The engine has announced an event.
    ready: bool,
    /// Each with its content.
    running: Vec<(EventId, u64)>,
    alarm: Option<EventId>,
    gates: Vec<GateId>,
    holds: Vec<Hold>,
    written: bool,
    committed: u64,
    durable: u64,
    /// Outputs that have not left, each with the commit it needs.
    held: VecDeque<(u64, Option<u64>)>,
}

struct History {
    actors: Actors<u64, (Instance, u64), &'static str>,
    model: Model,
    start: Instant,
    millis: u64,
}

impl History {
    fn new() -> History {
        let start = Instant::now();
        let limits = ActorLimits { mailbox: 20, alive: 6, ..ActorLimits::default() };
        let mut actors = Actors::new(limits, Now { at: start, unix: 0 });
        let owners = vec![OwnerId(0), OwnerId(1)];
        actors.set_owners(owners.clone());
        let model = Model { owners, ..Model::default() };
        History { actors, model, start, millis: 0 }
    }

    fn instance(&self, n: u8, wanted: impl Fn(&Known) -> bool) -> Option<Instance> {
        let fitting: Vec<_> =
            self.model.instances.iter().filter(|(_, it)| wanted(it)).map(|(it, _)| *it).collect();
        fitting.get(usize::from(n) % fitting.len().max(1)).copied()
    }

    fn known(&mut self, instance: Instance) -> &mut Known {
        self.model.instances.get_mut(&instance).expect("a known instance")
    }

    fn step(&mut self, step: Step) {
        let live = |it: &Known| !it.stopping;
        match step {
            Step::Send(n) => {
                self.model.count += 1;
                let (actor, content) = (id(n), self.model.count);
                if self.actors.send(&actor, content).is_ok() {
                    self.model.sent.entry(actor).or_default().push_back(content);
                }
            }
            Step::Bound(n) => {
                if let Some(instance) = self.instance(n, live) {
                    self.model.count += 1;
                    let (actor, content) = (self.known(instance).actor.clone(), self.model.count);
                    if self.actors.send_to(instance, content).is_ok() {
                        self.model.sent.entry(actor).or_default().push_back(content);
                    }
                }
            }
            Step::Take(n) => {
                if let Some(instance) = self.instance(n, |it| it.ready) {
                    self.take(instance);
                }
            }
            Step::Message(n) => {
                let Some((socket, actor)) = self.socket(n) else { return };
                self.model.count += 1;
                let content = self.model.count;
                if self.actors.socket_message(socket, Some("text"), false, content).is_ok() {
                    self.model.sent.entry(actor).or_default().push_back(content);
                }
            }
            Step::Started(n) => {
                if let Some(instance) = self.instance(n, |it| !it.started && !it.stopping) {
                    self.known(instance).started = true;
                    self.actors.started(instance);
                }
            }
            Step::StartFailed(n) => {
                if let Some(instance) = self.instance(n, |it| !it.started && !it.stopping) {
                    self.actors.start_failed(instance, "thrown");
                    self.ended(instance);
                }
            }
            Step::Finish(n) => {
                if let Some(instance) = self.instance(n, |it| live(it) && !it.running.is_empty()) {
                    let running = &mut self.known(instance).running;
                    let (event, content) = running.remove(usize::from(n) % running.len());
                    self.actors.finished(instance, event);
                    self.handled(content);
                }
            }
            Step::Write(n) => {
                if let Some(instance) = self.instance(n, live) {
                    self.known(instance).written = true;
                    self.actors.written(instance);
                }
            }
            Step::Commit(n) => {
                if let Some(instance) = self.instance(n, |it| live(it) && it.written) {
                    self.model.tickets += 1;
                    let ticket = self.model.tickets;
                    let known = self.known(instance);
                    (known.written, known.committed) = (false, ticket);
                    for (_, needs) in &mut known.held {
                        needs.get_or_insert(ticket);
                    }
                    self.actors.committed(instance, ticket);
                }
            }
            Step::Durable(n) => {
                if let Some(instance) = self.instance(n, |it| live(it) && it.committed > it.durable) {
                    let known = self.known(instance);
                    known.durable = known.committed;
                    let ticket = known.durable;
                    self.actors.durable(instance, ticket);
                }
            }
            Step::Output(n) => {
                if let Some(instance) = self.instance(n, live) {
                    self.model.count += 1;
                    let output = self.model.count;
                    let known = self.known(instance);
                    let needs = if known.written { None } else { Some(known.committed) };
                    known.held.push_back((output, needs));
                    self.actors.output(instance, (instance, output));
                }
            }
            Step::CloseGate(n) => {
                if let Some(instance) = self.instance(n, live) {
                    let id = self.actors.close_gate(instance).expect("it is live");
                    self.known(instance).gates.push(id);
                }
            }
            Step::OpenGate(n) => {
                if let Some(instance) = self.instance(n, |it| live(it) && !it.gates.is_empty()) {
                    let gate = self.known(instance).gates.pop().expect("there is one");
                    self.actors.open_gate(instance, gate);
                }
            }
            Step::Hold(n, work) => {
                if let Some(instance) = self.instance(n, live) {
                    let hold = if work { Hold::Work } else { Hold::Timer };
                    self.known(instance).holds.push(hold);
                    self.actors.hold(instance, hold);
                }
            }
            Step::Unhold(n) => {
                if let Some(instance) = self.instance(n, |it| live(it) && !it.holds.is_empty()) {
                    let hold = self.known(instance).holds.pop().expect("there is one");
                    self.actors.unhold(instance, hold);
                }
            }
            Step::Accept(n) => {
                if let Some(instance) = self.instance(n, live) {
                    self.model.count += 1;
                    let socket = SocketId(self.model.count);
                    self.actors.accept_socket(instance, socket, &[n.to_string()]).expect("a socket");
                    let actor = self.known(instance).actor.clone();
                    self.model.sockets.insert(socket, actor);
                }
            }
            Step::Close(n) => {
                let Some((socket, actor)) = self.socket(n) else { return };
                if self.model.closing.values().any(|other| *other == socket) {
                    return;
                }
                self.model.count += 1;
                let content = self.model.count;
                self.model.closing.insert(content, socket);
                match self.actors.socket_closed(socket, content) {
                    Ok(()) => self.model.sent.entry(actor).or_default().push_back(content),
                    Err(_) => self.handled(content),
                }
            }
            Step::Reset(n) => {
                if let Some(instance) = self.instance(n, live) {
                    self.actors.reset(instance, "abort");
                }
            }
            Step::SetAlarm(n, after) => {
                let due = after.map(|after| self.millis as i64 + i64::from(after));
                self.actors.set_alarm(&id(n), due);
                self.model.delivered.retain(|(actor, _)| *actor != id(n));
                match due {
                    Some(due) => drop(self.model.alarms.insert(id(n), due)),
                    None => drop(self.model.alarms.remove(&id(n))),
                }
            }
            Step::AlarmEnds(n, threw) => {
                if let Some(instance) = self.instance(n, |it| live(it) && it.alarm.is_some()) {
                    let known = self.known(instance);
                    let actor = known.actor.clone();
                    let event = known.alarm.take().expect("it runs");
                    match self.actors.alarm_finished(instance, event, threw) {
                        AlarmEnd::Over | AlarmEnd::GivenUp => drop(self.model.alarms.remove(&actor)),
                        AlarmEnd::Repeated(at) => assert!(at > self.millis as i64),
                        AlarmEnd::Replaced => {}
                    }
                }
            }
            Step::Stopped(n) => {
                if let Some(instance) = self.instance(n, |it| it.stopping) {
                    self.ended(instance);
                    self.actors.stopped(instance);
                }
            }
            Step::Reload(n) => {
                let first = self.model.owners[0].0 + 2;
                self.model.owners = (0..=u32::from(n % 2)).map(|more| OwnerId(first + more)).collect();
                self.actors.set_owners(self.model.owners.clone());
            }
            Step::Crash(n) => {
                let owners: Vec<_> = self.model.instances.values().map(|it| it.owner).collect();
                let Some(owner) = owners.get(usize::from(n) % owners.len().max(1)).copied() else { return };
                if self.model.owners.contains(&owner) {
                    let next = self.model.owners.iter().map(|it| it.0).max().unwrap_or(0) + 2;
                    self.model.owners = vec![OwnerId(next)];
                    self.actors.set_owners(self.model.owners.clone());
                    self.carry_out();
                }
                let gone: Vec<_> = self
                    .model
                    .instances
                    .iter()
                    .filter(|(_, it)| it.owner == owner)
                    .map(|(it, _)| *it)
                    .collect();
                gone.into_iter().for_each(|instance| self.ended(instance));
                self.actors.owner_gone(owner);
            }
            Step::Wait(millis) => self.wait(u64::from(millis)),
        }
    }

    fn socket(&self, n: u8) -> Option<(SocketId, ActorId)> {
        let mut sockets: Vec<_> = self.model.sockets.iter().map(|(id, actor)| (*id, actor.clone())).collect();
        sockets.sort();
        sockets.get(usize::from(n) % sockets.len().max(1)).cloned()
    }

    /// An event is over: a socket whose end it was is not kept any more.
    fn handled(&mut self, content: u64) {
        if let Some(socket) = self.model.closing.remove(&content) {
            self.model.sockets.remove(&socket);
        }
    }

    /// An instance takes an event that was announced.
    fn take(&mut self, instance: Instance) {
        self.known(instance).ready = false;
        let taken = self.actors.take(instance);
        let known = self.model.instances.get_mut(&instance).expect("a known instance");
        match taken {
            None => {}
            Some(Taken::Event(event, content)) => {
                assert!(!known.stopping && known.gates.is_empty(), "the input gate is open");
                known.running.push((event, content));
                let sent = self.model.sent.get_mut(&known.actor).and_then(VecDeque::pop_front);
                assert_eq!(sent, Some(content), "events come in order");
            }
            Some(Taken::Alarm { event, due, .. }) => {
                assert!(!known.stopping && known.gates.is_empty(), "the input gate is open");
                assert!(due <= self.millis as i64);
                assert_eq!(self.model.alarms.get(&known.actor), Some(&due));
                assert!(known.alarm.replace(event).is_none(), "one alarm at a time");
                self.model.delivered.insert((known.actor.clone(), due));
            }
        }
    }

    fn ended(&mut self, instance: Instance) {
        let known = self.model.instances.remove(&instance).expect("it was there");
        known.running.into_iter().for_each(|(_, content)| self.handled(content));
    }

    fn wait(&mut self, millis: u64) {
        let end = self.millis + millis;
        loop {
            let next = self.actors.next_deadline();
            let next = next.map(|at| at.saturating_duration_since(self.start).as_millis() as u64);
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.millis = next.max(self.millis);
            self.expire();
        }
        self.millis = end;
        self.expire();
    }

    fn expire(&mut self) {
        let at = self.start + Duration::from_millis(self.millis);
        self.actors.at(Now { at, unix: self.millis as i64 });
        self.actors.expire();
        let next = self.actors.next_deadline();
        assert!(next.is_none_or(|next| next > at), "a deadline that has come is over");
        self.carry_out();
    }

    /// Checks each effect against what is known.
    fn carry_out(&mut self) {
        let effects: Vec<_> = self.actors.effects().collect();
        for effect in effects {
            match effect {
                Effect::Start { actor, owner, instance } => {
                    let known = Known {
                        actor: (*actor).clone(),
                        owner,
                        started: false,
                        stopping: false,
                        ready: false,
                        running: Vec::new(),
                        alarm: None,
                        gates: Vec::new(),
                        holds: Vec::new(),
                        written: false,
                        committed: 0,
                        durable: 0,
                        held: VecDeque::new(),
                    };
                    assert!(
                        self.model.owners.contains(&owner),
                        "only the newest generation starts instances"
                    );
                    let others: Vec<_> =
                        self.model.instances.values().filter(|it| it.actor == *actor).collect();
                    assert!(others.is_empty(), "an actor has one instance");
                    let last = self.model.instances.keys().next_back().copied();
                    assert!(
                        last.is_none_or(|last| last.token() >> 24 < instance.token() >> 24),
                        "tokens grow"
                    );
                    self.model.instances.insert(instance, known);
                }
                Effect::Ready { owner, instance } => {
                    let known =
                        self.model.instances.get_mut(&instance).expect("an instance that was started");
                    assert!(known.started && !known.stopping && known.owner == owner);
                    assert!(!known.ready, "one event is announced at a time");
                    known.ready = true;
                }
                Effect::Stop { instance, why, .. } => {
                    let known =
                        self.model.instances.get_mut(&instance).expect("an instance that was started");
                    assert!(!known.stopping);
                    known.stopping = true;
                    if !matches!(why, Stop::Blocked | Stop::Reset(_)) {
                        assert!(
                            known.running.is_empty()
                                && known.gates.is_empty()
                                && !known.holds.contains(&Hold::Work)
                        );
                        assert!(known.held.is_empty() && !known.written && known.committed == known.durable);
                    }
                    match why {
                        Stop::Hibernates => {
                            assert!(self.model.sockets.values().any(|actor| *actor == known.actor))
                        }
                        Stop::Evicted => {
                            assert!(self.model.sockets.values().all(|actor| *actor != known.actor))
                        }
                        Stop::Moved => assert!(!self.model.owners.contains(&known.owner)),
                        Stop::Blocked | Stop::Reset(_) => {}
                    }
                }
                Effect::Leave((instance, output)) => {
                    let known =
                        self.model.instances.get_mut(&instance).expect("an instance that was started");
                    let (first, needs) = known.held.pop_front().expect("an output");
                    assert_eq!(first, output, "outputs leave in order");
                    assert!(
                        needs.is_some_and(|needs| needs <= known.durable),
                        "after the writes before them"
                    );
                }
                Effect::Discard((instance, output), _) => {
                    if let Some(known) = self.model.instances.get_mut(&instance) {
                        assert!(known.stopping);
                        known.held.retain(|(other, _)| *other != output);
                    }
                }
                Effect::Refuse { content, .. } => {
                    let sent = self.model.sent.values_mut().find(|sent| sent.contains(&content));
                    sent.expect("it was sent").retain(|other| *other != content);
                    self.handled(content);
                }
                Effect::Abandon { event, .. } => {
                    let running = self.model.instances.values_mut().flat_map(|known| {
                        known.running.extract_if(.., |(other, _)| *other == event).collect::<Vec<_>>()
                    });
                    let contents: Vec<_> = running.map(|(_, content)| content).collect();
                    contents.into_iter().for_each(|content| self.handled(content));
                }
                Effect::AlarmGivenUp { actor } => drop(self.model.alarms.remove(&*actor)),
                Effect::Answer { .. } => panic!("no automatic response was set"),
            }
        }
        let stats = self.actors.stats();
        assert_eq!(stats.alive, self.model.instances.len());
        for actor in self.model.sockets.values() {
            let kept = self.model.sockets.values().filter(|other| *other == actor).count();
            assert_eq!(self.actors.socket_count(actor), kept);
        }
        assert!(stats.queued >= self.model.sent.values().map(VecDeque::len).sum::<usize>());
    }

    /// Everything that runs ends well, for long enough that each alarm is delivered and each event handled.
    fn settle(&mut self) {
        for _ in 0..400 {
            let all: Vec<_> = self.model.instances.keys().copied().collect();
            for instance in all {
                let known = self.known(instance);
                if known.stopping {
                    self.ended(instance);
                    self.actors.stopped(instance);
                    self.carry_out();
                    continue;
                }
                for n in 0..6 {
                    for step in
                        [Step::Started(n), Step::OpenGate(n), Step::Unhold(n), Step::Take(n), Step::Finish(n)]
                    {
                        self.step(step);
                        self.carry_out();
                    }
                    for step in [Step::Commit(n), Step::Durable(n), Step::AlarmEnds(n, false)] {
                        self.step(step);
                        self.carry_out();
                    }
                }
            }
            if self.model.instances.is_empty() && self.model.alarms.is_empty() {
                break;
            }
            self.wait(5000);
        }
    }
}

proptest! {
    #[test]
    fn actors_any_history_keeps_one_owner_order_gates_and_alarms(steps in steps()) {
        let mut history = History::new();
        for step in steps {
            history.step(step);
            history.carry_out();
        }
        history.settle();
        prop_assert!(history.model.sent.values().all(VecDeque::is_empty), "every event was delivered or refused");
        prop_assert!(history.model.alarms.is_empty(), "every alarm was delivered: {:?}", history.model.alarms);
        prop_assert!(history.model.instances.is_empty(), "idle instances stop");
        let stats = history.actors.stats();
        prop_assert_eq!((stats.alive, stats.queued, stats.alarms), (0, 0, 0));
        let hibernating: BTreeSet<_> = history.model.sockets.values().collect();
        prop_assert_eq!(stats.hibernating, hibernating.len());
    }
}
