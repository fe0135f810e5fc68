//! All actors of the process.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use slab::Slab;

use super::alarm::Alarms;
use super::instance::{Drain, Kind, Live};
use super::socket::{Socket, Sockets};
use super::{ActorId, ActorLimits, ActorStats, AlarmEnd, EventId, GateId, Hold, Instance, SocketId};
use crate::OwnerId;

/// The time of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// For intervals.
    pub at: Instant,
    /// For alarms: milliseconds since 1970.
    pub unix: i64,
}

/// What the driver has to do. Effects for one owner have to reach it in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect<E, O, R> {
    /// Call the constructor of the actor's class, with storage under the instance's token. Then call
    /// [`Actors::started`] or [`Actors::start_failed`].
    Start {
        /// Whose instance it is.
        actor: Arc<ActorId>,
        /// The isolate.
        owner: OwnerId,
        /// The new instance.
        instance: Instance,
    },
    /// An event waits for the instance: call [`Actors::take`] when the first turn of the one before is over.
    Ready {
        /// The isolate.
        owner: OwnerId,
        /// The instance.
        instance: Instance,
    },
    /// Drop the instance and close its storage, without a commit. Then call [`Actors::stopped`].
    Stop {
        /// The isolate.
        owner: OwnerId,
        /// The instance.
        instance: Instance,
        /// Why.
        why: Stop<R>,
    },
    /// The output may leave.
    Leave(O),
    /// The output depends on writes that were lost: it must not leave, and who waits for it gets an error.
    Discard(O, Refused<R>),
    /// The event will not be delivered: its sender gets an error.
    Refuse {
        /// What was sent.
        content: E,
        /// Why.
        why: Refused<R>,
    },
    /// The event was taken by an instance that ended before the event did: its sender gets an error.
    Abandon {
        /// Names the event.
        event: EventId,
        /// Why.
        why: Refused<R>,
    },
    /// Send a text message on the socket.
    Answer {
        /// The socket.
        socket: SocketId,
        /// The text.
        text: Arc<str>,
    },
    /// An alarm's handler has failed too often, without an instance that could delete it. It stays in the file, and
    /// the next process repeats it. To be logged.
    AlarmGivenUp {
        /// Whose alarm it was.
        actor: Arc<ActorId>,
    },
}

/// An event that an instance handles now. When it has ended call [`Actors::finished`], or for an alarm
/// [`Actors::alarm_finished`].
#[derive(Debug, PartialEq, Eq)]
pub enum Taken<E> {
    /// What was sent.
    Event(EventId, E),
    /// The alarm is due. Ask the actor's file whether that is so; run the alarm's handler; or call
    /// [`Actors::set_alarm`] with what the file has, and [`Actors::finished`].
    Alarm {
        /// Names the event.
        event: EventId,
        /// For when it was set, in milliseconds since 1970.
        due: i64,
        /// How often its handler has thrown before.
        retries: u32,
    },
}

/// Why an instance stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop<R> {
    /// It was idle; its sockets are kept.
    Hibernates,
    /// It was idle.
    Evicted,
    /// A newer generation runs its class: the next event starts an instance there.
    Moved,
    /// It has blocked the delivery of events for longer than [`ActorLimits::block`].
    Blocked,
    /// It cannot go on: `abort()`, or a failed write.
    Reset(R),
}

/// Why an event is not handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused<R> {
    /// As many events of the actor wait as [`ActorLimits::mailbox`] allows.
    MailboxFull,
    /// As many instances exist as [`ActorLimits::alive`] allows, and none of them is idle.
    TooMany,
    /// No isolate runs classes of actors.
    NoOwner,
    /// The constructor has thrown.
    NotStarted(R),
    /// The instance has blocked the delivery of events for too long.
    Blocked,
    /// The instance was reset.
    Reset(R),
    /// The instance that the event was for has ended, or its isolate.
    Gone,
}

/// An event that was not accepted.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejected<E, R> {
    /// What was sent.
    pub content: E,
    /// Why it is not accepted.
    pub why: Refused<R>,
}

/// All actors: a state machine without I/O and without a clock. `E` is what events contain, `O` what outputs do, and `R`
/// why an instance failed; the engine looks at none of them.
///
/// A driver sets the time with [`Actors::at`], calls an input, and then carries out the [`effects`](Actors::effects).
#[derive(Debug)]
pub struct Actors<E, O, R> {
    pub(super) limits: ActorLimits,
    pub(super) now: Now,
    pub(super) effects: Vec<Effect<E, O, R>>,
    pub(super) actors: Slab<Actor<E, O>>,
    pub(super) by_id: HashMap<Arc<ActorId>, usize>,
    pub(super) sockets: HashMap<SocketId, Socket>,
    pub(super) next_place: u64,
    /// The isolates of the newest generation.
    pub(super) owners: Vec<OwnerId>,
    /// How many instances each isolate has.
    pub(super) instances: HashMap<OwnerId, usize>,
    pub(super) alarms: Alarms,
    pub(super) deadlines: BTreeSet<(Instant, usize)>,
    pub(super) next_instance: u64,
    next_event: u64,
    /// How many instances are being dropped.
    pub(super) stopping: usize,
    /// Whether instances stop as soon as they are idle.
    pub(super) winds_down: bool,
    pub(super) stats: ActorStats,
}

#[derive(Debug)]
pub(super) struct Actor<E, O> {
    pub id: Arc<ActorId>,
    pub state: State<O>,
    pub mailbox: VecDeque<Queued<E>>,
    pub sockets: Sockets,
    /// Its entry in the deadlines, which is at or before the time at which it has to be looked at.
    pub filed: Option<Instant>,
}

/// An actor without an entry in the table is absent.
#[derive(Debug)]
pub(super) enum State<O> {
    /// No instance; its sockets are kept.
    Hibernating,
    /// Its constructor runs.
    Starting(Live<O>),
    /// Something of it runs, or is held.
    Active(Live<O>),
    /// Nothing of it runs.
    Idle { live: Live<O>, since: Instant },
    /// Its instance is being dropped: evicted, hibernating, resetting or moving.
    Stopping { instance: Instance, owner: OwnerId },
}

#[derive(Debug)]
pub(super) struct Queued<E> {
    pub event: EventId,
    pub kind: Kind,
    /// None for an alarm.
    pub content: Option<E>,
}

impl<O> State<O> {
    pub(super) fn live(&self) -> Option<&Live<O>> {
        match self {
            State::Starting(live) | State::Active(live) | State::Idle { live, .. } => Some(live),
            State::Hibernating | State::Stopping { .. } => None,
        }
    }

    pub(super) fn live_mut(&mut self) -> Option<&mut Live<O>> {
        match self {
            State::Starting(live) | State::Active(live) | State::Idle { live, .. } => Some(live),
            State::Hibernating | State::Stopping { .. } => None,
        }
    }
}

impl<E, O, R: Clone> Actors<E, O, R> {
    /// No actors. No later call of [`Actors::at`] may set an earlier instant than `now`.
    pub fn new(limits: ActorLimits, now: Now) -> Actors<E, O, R> {
        Actors {
            limits,
            now,
            effects: Vec::new(),
            actors: Slab::new(),
            by_id: HashMap::new(),
            sockets: HashMap::new(),
            next_place: 0,
            owners: Vec::new(),
            instances: HashMap::new(),
            alarms: Alarms::default(),
            deadlines: BTreeSet::new(),
            next_instance: 1,
            next_event: 1,
            stopping: 0,
            winds_down: false,
            stats: ActorStats::default(),
        }
    }

    /// Sets the time of the inputs that follow.
    pub fn at(&mut self, now: Now) -> &mut Self {
        self.now = now;
        self
    }

    /// What the inputs since the last call have led to, in order.
    pub fn effects(&mut self) -> std::vec::Drain<'_, Effect<E, O, R>> {
        self.effects.drain(..)
    }

    /// Counters.
    pub fn stats(&self) -> ActorStats {
        ActorStats { alarms: self.alarms.len(), alarms_due: self.alarms.due(), ..self.stats }
    }

    /// The isolates of the newest generation. Instances in others move when they are quiet: the driver stops them, and
    /// their next event starts an instance here.
    pub fn set_owners(&mut self, owners: Vec<OwnerId>) {
        self.owners = owners;
        let until = self.now.at + self.limits.drain;
        let indexes: Vec<_> = self.actors.iter().map(|(index, _)| index).collect();
        for index in indexes {
            let Some(live) = self.actors[index].state.live_mut() else { continue };
            live.drain = match self.owners.contains(&live.owner) {
                true => Drain::No,
                false => Drain::Until(until),
            };
            self.advance(index);
        }
    }

    /// The process stops: from now on an instance stops as soon as it is idle, and no alarm is delivered.
    pub fn wind_down(&mut self) {
        self.winds_down = true;
        let indexes: Vec<_> = self.actors.iter().map(|(index, _)| index).collect();
        for index in indexes {
            self.advance(index);
        }
    }

    /// An isolate has ended with all that ran in it. Events that wait are delivered elsewhere.
    pub fn owner_gone(&mut self, owner: OwnerId) {
        self.owners.retain(|other| *other != owner);
        let indexes: Vec<_> = self.actors.iter().map(|(index, _)| index).collect();
        for index in indexes {
            match &self.actors[index].state {
                State::Stopping { owner: of, instance } if *of == owner => {
                    let instance = *instance;
                    self.stopped(instance);
                }
                state if state.live().is_some_and(|live| live.owner == owner) => {
                    let state = std::mem::replace(&mut self.actors[index].state, State::Hibernating);
                    if let State::Starting(live) | State::Active(live) | State::Idle { live, .. } = state {
                        self.abandon(index, live, &Refused::Gone);
                    }
                    self.refuse_waiting(index, &Refused::Gone, false, |kind| kind == Kind::Bound);
                    self.without_instance(index, owner);
                }
                _ => {}
            }
        }
    }

    /// How many instances an isolate has.
    pub fn instances_of(&self, owner: OwnerId) -> usize {
        self.instances.get(&owner).copied().unwrap_or(0)
    }

    /// Whether no isolate runs actors.
    pub fn has_no_owner(&self) -> bool {
        self.owners.is_empty()
    }

    /// The isolate that runs an actor, if any does.
    pub fn owner_of(&self, id: &ActorId) -> Option<OwnerId> {
        let actor = &self.actors[*self.by_id.get(id)?];
        actor.state.live().map(|live| live.owner)
    }

    /// Sends an event to an actor, which is started if need be.
    ///
    /// # Errors
    ///
    /// The content and why it is not accepted:
    ///
    /// - [`Refused::MailboxFull`]: [`ActorLimits::mailbox`] events of the actor wait already.
    /// - [`Refused::NoOwner`]: the actor has no instance, and no isolate can start one.
    /// - [`Refused::TooMany`]: the actor has no instance, [`ActorLimits::alive`] instances exist, and none of them is
    ///   idle.
    pub fn send(&mut self, id: &ActorId, content: E) -> Result<(), Rejected<E, R>> {
        let index = match self.by_id.get(id) {
            Some(index) => *index,
            None => self.insert(Arc::new(id.clone())),
        };
        self.enqueue(index, Kind::Plain, Some(content)).map_err(rejected)
    }

    /// Sends an event to one instance. If the instance ends before it has taken the event, the engine returns
    /// [`Effect::Refuse`].
    ///
    /// # Errors
    ///
    /// The content and why it is not accepted:
    ///
    /// - [`Refused::Gone`]: the instance has ended.
    /// - [`Refused::MailboxFull`]: [`ActorLimits::mailbox`] events of the actor wait already.
    pub fn send_to(&mut self, instance: Instance, content: E) -> Result<(), Rejected<E, R>> {
        match self.live(instance) {
            Some(_) => self.enqueue(instance.index(), Kind::Bound, Some(content)).map_err(rejected),
            None => Err(Rejected { content, why: Refused::Gone }),
        }
    }

    /// Starts a facet of an instance: an actor in the same isolate, whose driver has to reset it when its parent ends.
    /// The driver calls its constructor, as for [`Effect::Start`]. None where it runs already, or its parent does not.
    pub fn start_facet(&mut self, parent: Instance, id: ActorId) -> Option<Instance> {
        let owner = self.live(parent)?.owner;
        if let Some(index) = self.by_id.get(&id)
            && !matches!(self.actors[*index].state, State::Hibernating)
        {
            return None;
        }
        let index = self.by_id.get(&id).copied();
        let index = index.unwrap_or_else(|| self.insert(Arc::new(id)));
        let instance = self.instantiate(index, owner);
        // It neither stops nor moves by itself.
        self.hold(instance, Hold::Work);
        Some(instance)
    }

    /// The next event of an instance, which handles it now. None where there is none, or a gate is closed.
    pub fn take(&mut self, instance: Instance) -> Option<Taken<E>> {
        let live = self.live(instance)?;
        live.announced = false;
        if !matches!(self.actors[instance.index()].state, State::Active(_) | State::Idle { .. }) {
            return None;
        }
        let taken = self.next_event(instance.index());
        self.advance(instance.index());
        taken
    }

    /// The constructor has returned.
    pub fn started(&mut self, instance: Instance) {
        let Some(actor) = self.actors.get_mut(instance.index()) else { return };
        if let State::Starting(live) = &actor.state
            && live.id == instance
            && let State::Starting(live) = std::mem::replace(&mut actor.state, State::Hibernating)
        {
            actor.state = State::Active(live);
            self.advance(instance.index());
        }
    }

    /// The constructor has thrown, or the class is unknown; the driver has dropped what there was. The events that
    /// wait are refused. Returns whether an alarm was among them, whose failure nobody is waiting for.
    pub fn start_failed(&mut self, instance: Instance, why: R) -> bool {
        let index = instance.index();
        let Some(actor) = self.actors.get_mut(index) else { return false };
        if !matches!(&actor.state, State::Starting(live) if live.id == instance) {
            return false;
        }
        let State::Starting(live) = std::mem::replace(&mut actor.state, State::Hibernating) else {
            return false;
        };
        let has_alarm = actor.mailbox.iter().any(|queued| queued.kind == Kind::Alarm);
        let owner = live.owner;
        let why = Refused::NotStarted(why);
        self.abandon(index, live, &why);
        self.refuse_waiting(index, &why, true, |_| true);
        self.without_instance(index, owner);
        has_alarm
    }

    /// The handler of an event has ended.
    pub fn finished(&mut self, instance: Instance, event: EventId) {
        let Some(live) = self.live(instance) else { return };
        let Some(place) = live.running.iter().position(|(other, _)| *other == event) else { return };
        let (_, kind) = live.running.remove(place);
        let index = instance.index();
        match kind {
            Kind::Plain | Kind::Bound | Kind::Message { .. } => {}
            Kind::Closed(socket) => self.forget_socket(socket),
            Kind::Alarm => {
                let id = self.actors[index].id.clone();
                self.alarms.end(&id, event, false, self.now.unix, &self.limits);
            }
        }
        self.advance(index);
    }

    /// The handler of an alarm has returned, or thrown. What it has stored is committed.
    pub fn alarm_finished(&mut self, instance: Instance, event: EventId, threw: bool) -> AlarmEnd {
        let Some(live) = self.live(instance) else { return AlarmEnd::Replaced };
        let Some(place) = live.running.iter().position(|running| *running == (event, Kind::Alarm)) else {
            return AlarmEnd::Replaced;
        };
        live.running.remove(place);
        let id = self.actors[instance.index()].id.clone();
        let end = self.alarms.end(&id, event, threw, self.now.unix, &self.limits);
        self.advance(instance.index());
        end
    }

    /// An alarm that the index of alarms has; one that is known already stays as it is.
    pub fn load_alarm(&mut self, id: &ActorId, due: i64) {
        if !self.alarms.has(id) {
            self.set_alarm(id, Some(due));
        }
    }

    /// The actor's alarm, in milliseconds since 1970, once it is committed.
    pub fn set_alarm(&mut self, id: &ActorId, due: Option<i64>) {
        let (id, runs) = match self.by_id.get(id) {
            Some(index) => {
                let actor = &self.actors[*index];
                let mut running = actor.state.live().into_iter().flat_map(|live| &live.running);
                (actor.id.clone(), running.any(|(_, kind)| *kind == Kind::Alarm))
            }
            None => (Arc::new(id.clone()), false),
        };
        self.alarms.set(&id, due, runs);
    }

    /// Closes the input gate: no event is delivered until [`Actors::open_gate`]. After [`ActorLimits::block`] the
    /// instance is reset.
    pub fn close_gate(&mut self, instance: Instance) -> Option<GateId> {
        let until = self.now.at + self.limits.block;
        let id = self.live(instance)?.close_gate(until);
        self.advance(instance.index());
        Some(id)
    }

    /// Opens a gate that was closed.
    pub fn open_gate(&mut self, instance: Instance, gate: GateId) {
        if let Some(live) = self.live(instance) {
            live.open_gate(gate);
            self.advance(instance.index());
        }
    }

    /// Something of the instance goes on without a running event.
    pub fn hold(&mut self, instance: Instance, hold: Hold) {
        if let Some(live) = self.live(instance) {
            live.hold(hold);
            self.advance(instance.index());
        }
    }

    /// It has ended.
    pub fn unhold(&mut self, instance: Instance, hold: Hold) {
        if let Some(live) = self.live(instance) {
            live.unhold(hold);
            self.advance(instance.index());
        }
    }

    /// Something leaves the instance: an answer, a frame, a result, a request. It waits for all writes before it.
    /// Outputs of an instance that has stopped are dropped.
    pub fn output(&mut self, instance: Instance, output: O) {
        let Some(live) = self.live(instance) else {
            self.effects.push(Effect::Discard(output, Refused::Gone));
            return;
        };
        match live.outputs.pass(output) {
            Some(output) => self.effects.push(Effect::Leave(output)),
            None => self.advance(instance.index()),
        }
    }

    /// Whether an output would leave at once.
    pub fn may_leave(&self, instance: Instance) -> bool {
        let live = self.actors.get(instance.index()).and_then(|actor| actor.state.live());
        live.is_some_and(|live| live.id == instance && live.outputs.is_open())
    }

    /// The instance has written to its storage.
    pub fn written(&mut self, instance: Instance) {
        if let Some(live) = self.live(instance) {
            live.outputs.write();
            self.advance(instance.index());
        }
    }

    /// All that the instance has written is in this commit or in those before it.
    pub fn committed(&mut self, instance: Instance, ticket: u64) {
        if let Some(live) = self.live(instance) {
            live.outputs.commit(ticket);
            self.advance(instance.index());
        }
    }

    /// The commit and those before it are on the disk.
    pub fn durable(&mut self, instance: Instance, ticket: u64) {
        let index = instance.index();
        let Some(State::Starting(live) | State::Active(live) | State::Idle { live, .. }) =
            self.actors.get_mut(index).map(|actor| &mut actor.state)
        else {
            return;
        };
        if live.id == instance {
            let effects = &mut self.effects;
            live.outputs.confirm(ticket, |output| effects.push(Effect::Leave(output)));
            self.advance(index);
        }
    }

    /// The instance cannot go on: `abort()`, a write that failed, a `blockConcurrencyWhile` that has thrown. What runs is
    /// abandoned, outputs that wait are discarded, and events that wait are refused, except for what came by sockets that
    /// the actor keeps: that starts a new instance, as later events do. If the instance has not taken any event, that is
    /// refused as well.
    pub fn reset(&mut self, instance: Instance, why: R) {
        if self.live(instance).is_some() {
            self.stop(instance.index(), Stop::Reset(why));
        }
    }

    /// The driver has dropped the instance and closed its storage.
    pub fn stopped(&mut self, instance: Instance) {
        let Some(actor) = self.actors.get_mut(instance.index()) else { return };
        if let State::Stopping { instance: stopping, owner } = actor.state
            && stopping == instance
        {
            actor.state = State::Hibernating;
            self.stopping -= 1;
            self.without_instance(instance.index(), owner);
        }
    }

    /// Does what is due at this time.
    pub fn expire(&mut self) {
        while let Some((at, index)) = self.deadlines.first().copied()
            && at <= self.now.at
        {
            self.deadlines.pop_first();
            self.actors[index].filed = None;
            self.look_at(index);
        }
        while !self.winds_down
            && let Some(id) = self.alarms.pop(self.now.unix, EventId(self.next_event))
        {
            let event = EventId(self.next_event);
            let index = match self.by_id.get(&id) {
                Some(index) => *index,
                None => self.insert(id.clone()),
            };
            if self.enqueue(index, Kind::Alarm, None).is_err() {
                self.next_event += 1;
                self.alarms.interrupted(&id, event, self.now.unix, &self.limits);
            }
        }
    }

    /// When [`Actors::expire`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        let alarm = self.alarms.next().filter(|_| !self.winds_down).map(|due| {
            let wait = u64::try_from(due.saturating_sub(self.now.unix)).unwrap_or(0);
            // A day at most, because the clock of alarms may be set.
            self.now.at + Duration::from_millis(wait.min(24 * 60 * 60 * 1000))
        });
        self.deadlines.first().map(|(at, _)| *at).into_iter().chain(alarm).min()
    }

    pub(super) fn live(&mut self, instance: Instance) -> Option<&mut Live<O>> {
        let live = self.actors.get_mut(instance.index())?.state.live_mut()?;
        (live.id == instance).then_some(live)
    }

    fn insert(&mut self, id: Arc<ActorId>) -> usize {
        let actor = Actor {
            id: id.clone(),
            state: State::Hibernating,
            mailbox: VecDeque::new(),
            sockets: Sockets::default(),
            filed: None,
        };
        self.stats.hibernating += 1;
        let index = self.actors.insert(actor);
        self.by_id.insert(id, index);
        index
    }

    /// Makes room for one more instance.
    fn may_start(&mut self) -> Result<(), Refused<R>> {
        if self.owners.is_empty() {
            return Err(Refused::NoOwner);
        }
        if self.stats.alive - self.stopping < self.limits.alive {
            return Ok(());
        }
        let idle = self.actors.iter().filter_map(|(index, actor)| match actor.state {
            State::Idle { since, .. } => Some((since, index)),
            _ => None,
        });
        let (_, oldest) = idle.min().ok_or(Refused::TooMany)?;
        self.stop_idle(oldest);
        Ok(())
    }

    pub(super) fn enqueue(
        &mut self,
        index: usize,
        kind: Kind,
        content: Option<E>,
    ) -> Result<(), (Option<E>, Refused<R>)> {
        if let Err(why) = self.admit(index, kind) {
            self.remove_if_absent(index);
            return Err((content, why));
        }
        let event = EventId(self.next_event);
        self.next_event += 1;
        self.stats.queued += 1;
        let actor = &mut self.actors[index];
        actor.mailbox.push_back(Queued { event, kind, content });
        if let (Kind::Bound, Some(live)) = (kind, actor.state.live_mut()) {
            live.bound += 1;
        }
        self.advance(index);
        Ok(())
    }

    fn admit(&mut self, index: usize, kind: Kind) -> Result<(), Refused<R>> {
        let actor = &self.actors[index];
        if actor.mailbox.len() >= self.limits.mailbox && !kind.is_exempt() {
            return Err(Refused::MailboxFull);
        }
        match actor.state {
            State::Hibernating => self.may_start(),
            _ => Ok(()),
        }
    }
}

/// The error for the sender of an event that was not enqueued.
pub(super) fn rejected<E, R>((content, why): (Option<E>, Refused<R>)) -> Rejected<E, R> {
    Rejected { content: content.expect("only alarms have no content, and nobody sends them"), why }
}
