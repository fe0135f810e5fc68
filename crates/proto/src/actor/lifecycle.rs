//! How an actor gets an instance, and how the instance stops.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::engine::State;
use super::instance::{Drain, Kind, Live};
use super::{ActorId, Actors, AlarmEnd, Effect, EventId, Instance, Refused, Stop, Taken};
use crate::OwnerId;

impl<E, O, R: Clone> Actors<E, O, R> {
    /// Does what an input has made possible for an actor: starts it, announces events, notices that nothing runs.
    pub(super) fn advance(&mut self, index: usize) {
        let actor = &mut self.actors[index];
        match &mut actor.state {
            State::Hibernating if !actor.mailbox.is_empty() => self.start(index),
            State::Hibernating | State::Stopping { .. } => {}
            State::Starting(_) => self.file_deadline(index),
            State::Active(live) | State::Idle { live, .. } => {
                if live.drain != Drain::No && live.is_quiet() {
                    self.stop(index, Stop::Moved);
                    return;
                }
                if live.accepts() && !live.announced && !actor.mailbox.is_empty() {
                    live.announced = true;
                    self.effects.push(Effect::Ready { owner: live.owner, instance: live.id });
                }
                self.notice_idleness(index);
                self.file_deadline(index);
            }
        }
    }

    fn start(&mut self, index: usize) {
        let actor = &mut self.actors[index];
        if self.owners.is_empty() {
            self.refuse_waiting(index, &Refused::NoOwner, false, |_| true);
            self.settle_without_instance(index);
            return;
        }
        let owner = self.owners[actor.id.spread() % self.owners.len()];
        let actor = actor.id.clone();
        let instance = self.instantiate(index, owner);
        self.effects.push(Effect::Start { actor, owner, instance });
    }

    /// Makes an instance of a hibernating actor.
    pub(super) fn instantiate(&mut self, index: usize, owner: OwnerId) -> Instance {
        let instance = Instance::new(self.next_instance, index);
        self.next_instance += 1;
        self.actors[index].state = State::Starting(Live::new(instance, owner));
        self.stats.hibernating -= 1;
        self.stats.alive += 1;
        *self.instances.entry(owner).or_default() += 1;
        instance
    }

    /// The next event of an actor that has an instance and accepts events.
    pub(super) fn next_event(&mut self, index: usize) -> Option<Taken<E>> {
        let actor = &mut self.actors[index];
        let live = actor.state.live_mut()?;
        while live.accepts()
            && let Some(queued) = actor.mailbox.pop_front()
        {
            let event = queued.event;
            self.stats.queued -= 1;
            if queued.kind == Kind::Bound {
                live.bound -= 1;
            }
            let taken = match queued.content {
                Some(content) => Taken::Event(event, content),
                None => match self.alarms.delivered(&actor.id, event) {
                    Some((due, retries)) => Taken::Alarm { event, due, retries },
                    // It was set to another time while it waited.
                    None => continue,
                },
            };
            live.running.push((event, queued.kind));
            live.has_taken = true;
            return Some(taken);
        }
        None
    }

    /// Makes an active instance idle or an idle one active, as it is.
    fn notice_idleness(&mut self, index: usize) {
        let now = self.now.at;
        let actor = &mut self.actors[index];
        let is_idle = actor.mailbox.is_empty() && actor.state.live().is_some_and(Live::is_quiet);
        let state = std::mem::replace(&mut actor.state, State::Hibernating);
        actor.state = match state {
            State::Active(live) if is_idle => State::Idle { live, since: now },
            State::Idle { live, .. } if !is_idle => State::Active(live),
            other => other,
        };
    }

    /// When the actor has to be looked at, whatever else happens.
    fn deadline(&self, index: usize) -> Option<Instant> {
        let actor = &self.actors[index];
        let idle = match &actor.state {
            State::Idle { live, since } => Some(*since + self.idle_limit(live, actor.sockets.len())),
            _ => None,
        };
        actor.state.live().and_then(Live::deadline).into_iter().chain(idle).min()
    }

    fn idle_limit(&self, live: &Live<O>, sockets: usize) -> Duration {
        if self.winds_down {
            return Duration::ZERO;
        }
        match sockets > 0 && !live.has_timers() {
            true => self.limits.hibernate_after.min(self.limits.evict_after),
            false => self.limits.evict_after,
        }
    }

    /// Files when the actor has to be looked at, unless it is filed for an earlier time: that is corrected then, so
    /// that an event changes nothing here.
    fn file_deadline(&mut self, index: usize) {
        let Some(deadline) = self.deadline(index) else { return };
        let actor = &mut self.actors[index];
        match actor.filed {
            Some(filed) if filed <= deadline => return,
            Some(filed) => drop(self.deadlines.remove(&(filed, index))),
            None => {}
        }
        actor.filed = Some(deadline);
        self.deadlines.insert((deadline, index));
    }

    /// A deadline of the actor may have come.
    pub(super) fn look_at(&mut self, index: usize) {
        let now = self.now.at;
        let (drain, drain_again) = (self.limits.drain, self.limits.drain_again);
        let Some(live) = self.actors[index].state.live_mut() else { return };
        if live.is_stuck(now) {
            self.stop(index, Stop::Blocked);
            return;
        }
        live.drain = match live.drain {
            Drain::Until(at) if at <= now => Drain::Again(now + drain_again),
            Drain::Again(at) if at <= now => Drain::Until(now + drain),
            other => other,
        };
        if let State::Idle { live, since } = &self.actors[index].state
            && *since + self.idle_limit(live, self.actors[index].sockets.len()) <= now
        {
            self.stop_idle(index);
            return;
        }
        self.advance(index);
    }

    /// Stops an instance of which nothing runs.
    pub(super) fn stop_idle(&mut self, index: usize) {
        let why = if self.actors[index].sockets.len() > 0 { Stop::Hibernates } else { Stop::Evicted };
        self.stop(index, why);
    }

    pub(super) fn stop(&mut self, index: usize, why: Stop<R>) {
        let actor = &mut self.actors[index];
        let state = std::mem::replace(&mut actor.state, State::Hibernating);
        let (State::Starting(live) | State::Active(live) | State::Idle { live, .. }) = state else {
            actor.state = state;
            return;
        };
        let (instance, owner) = (live.id, live.owner);
        actor.state = State::Stopping { instance, owner };
        self.stopping += 1;
        let refused = match &why {
            Stop::Reset(reason) => Some(Refused::Reset(reason.clone())),
            Stop::Blocked => Some(Refused::Blocked),
            Stop::Hibernates | Stop::Evicted | Stop::Moved => None,
        };
        self.effects.push(Effect::Stop { owner, instance, why });
        if let Some(refused) = refused {
            // An instance that ends before its first event would be started again and again by the same messages.
            let keeps_socket_events = live.has_taken;
            self.abandon(index, live, &refused);
            self.refuse_waiting(index, &refused, false, |kind| !(keeps_socket_events && kind.is_of_socket()));
        }
    }

    /// The instance ends with what runs in it.
    pub(super) fn abandon(&mut self, index: usize, live: Live<O>, why: &Refused<R>) {
        let id = self.actors[index].id.clone();
        for (event, kind) in live.running {
            match kind {
                Kind::Alarm => self.alarm_failed(&id, event),
                Kind::Closed(socket) => self.forget_socket(socket),
                Kind::Plain | Kind::Bound | Kind::Message { .. } => {}
            }
            self.effects.push(Effect::Abandon { event, why: why.clone() });
        }
        self.effects.extend(live.outputs.into_held().map(|output| Effect::Discard(output, why.clone())));
    }

    fn alarm_failed(&mut self, id: &Arc<ActorId>, event: EventId) {
        if self.alarms.end(id, event, true, self.now.unix, &self.limits) == AlarmEnd::GivenUp {
            self.effects.push(Effect::AlarmGivenUp { actor: id.clone() });
        }
    }

    /// Refuses the events that wait and of which `is_refused` is true. An alarm is repeated; `failed` counts that as one of
    /// its repetitions.
    pub(super) fn refuse_waiting(
        &mut self,
        index: usize,
        why: &Refused<R>,
        failed: bool,
        is_refused: impl Fn(Kind) -> bool,
    ) {
        let id = self.actors[index].id.clone();
        let waiting = std::mem::take(&mut self.actors[index].mailbox);
        let (refused, others): (VecDeque<_>, _) =
            waiting.into_iter().partition(|queued| is_refused(queued.kind));
        self.actors[index].mailbox = others;
        for queued in refused {
            self.stats.queued -= 1;
            if let Kind::Closed(socket) = queued.kind {
                self.forget_socket(socket);
            }
            match queued.content {
                Some(content) => {
                    self.effects.push(Effect::Refuse { content, why: why.clone() });
                }
                None if failed => self.alarm_failed(&id, queued.event),
                None => self.alarms.interrupted(&id, queued.event, self.now.unix, &self.limits),
            }
        }
    }

    /// The actor's instance is gone, and its state says so.
    pub(super) fn without_instance(&mut self, index: usize, owner: OwnerId) {
        self.stats.alive -= 1;
        self.stats.hibernating += 1;
        if let Some(count) = self.instances.get_mut(&owner) {
            *count -= 1;
            if *count == 0 {
                self.instances.remove(&owner);
            }
        }
        self.settle_without_instance(index);
    }

    fn settle_without_instance(&mut self, index: usize) {
        match self.actors[index].mailbox.is_empty() {
            true => self.remove_if_absent(index),
            false => self.advance(index),
        }
    }

    /// Removes an actor that has neither an instance nor sockets nor events.
    pub(super) fn remove_if_absent(&mut self, index: usize) {
        let actor = &self.actors[index];
        let is_absent =
            matches!(actor.state, State::Hibernating) && actor.mailbox.is_empty() && actor.sockets.len() == 0;
        if !is_absent {
            return;
        }
        self.stats.hibernating -= 1;
        let actor = self.actors.remove(index);
        self.by_id.remove(&actor.id);
        if let Some(filed) = actor.filed {
            self.deadlines.remove(&(filed, index));
        }
    }
}
