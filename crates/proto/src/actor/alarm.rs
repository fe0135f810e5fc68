//! When the alarms of all actors are due.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::{ActorId, ActorLimits, EventId};

/// What becomes of an alarm whose handler has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmEnd {
    /// It is over. The driver deletes it from the actor's file.
    Over,
    /// Its handler has thrown too often. The driver logs that and deletes it from the actor's file.
    GivenUp,
    /// It stays in the file, and its handler runs again at this time, in milliseconds since 1970.
    Repeated(i64),
    /// The handler has set or deleted the alarm, which counts instead.
    Replaced,
}

#[derive(Debug, Default)]
pub(super) struct Alarms {
    all: HashMap<Arc<ActorId>, Alarm>,
    /// Those that are not delivered, by the time at which they will be.
    waiting: BTreeSet<(i64, Arc<ActorId>)>,
}

#[derive(Debug)]
struct Alarm {
    /// For when the actor has set it.
    due: i64,
    /// How often its handler has thrown.
    thrown: u32,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It is delivered at this time.
    Waiting(i64),
    /// It waits in the actor's mailbox, or its handler runs.
    Delivered(EventId),
    /// It was set while the handler of the one before runs, and waits for the end of that.
    Held,
}

impl Alarms {
    /// Sets or deletes an actor's alarm. `runs`: the handler of the one before runs.
    pub(super) fn set(&mut self, actor: &Arc<ActorId>, due: Option<i64>, runs: bool) {
        self.remove(actor);
        let Some(due) = due else { return };
        let alarm = Alarm { due, thrown: 0, phase: Phase::Held };
        match runs {
            true => drop(self.all.insert(actor.clone(), alarm)),
            false => self.wait(actor, alarm, due),
        }
    }

    pub(super) fn has(&self, actor: &ActorId) -> bool {
        self.all.contains_key(actor)
    }

    fn wait(&mut self, actor: &Arc<ActorId>, mut alarm: Alarm, at: i64) {
        alarm.phase = Phase::Waiting(at);
        self.waiting.insert((at, actor.clone()));
        self.all.insert(actor.clone(), alarm);
    }

    fn remove(&mut self, actor: &Arc<ActorId>) -> Option<Alarm> {
        let alarm = self.all.remove(actor)?;
        if let Phase::Waiting(at) = alarm.phase {
            self.waiting.remove(&(at, actor.clone()));
        }
        Some(alarm)
    }

    /// The next actor whose alarm has come.
    pub(super) fn pop(&mut self, unix: i64, event: EventId) -> Option<Arc<ActorId>> {
        let (at, _) = self.waiting.first()?;
        if *at > unix {
            return None;
        }
        let (_, actor) = self.waiting.pop_first()?;
        self.all.get_mut(&actor)?.phase = Phase::Delivered(event);
        Some(actor)
    }

    /// The time for which the alarm of an event was set, and how often its handler has thrown. None where it was set
    /// again meanwhile.
    pub(super) fn delivered(&self, actor: &Arc<ActorId>, event: EventId) -> Option<(i64, u32)> {
        let alarm = self.all.get(actor)?;
        (alarm.phase == Phase::Delivered(event)).then_some((alarm.due, alarm.thrown))
    }

    pub(super) fn end(
        &mut self,
        actor: &Arc<ActorId>,
        event: EventId,
        threw: bool,
        unix: i64,
        limits: &ActorLimits,
    ) -> AlarmEnd {
        let is_current = self.delivered(actor, event).is_some();
        let Some(mut alarm) = self.remove(actor) else { return AlarmEnd::Replaced };
        if !is_current {
            let at = alarm.due;
            self.wait(actor, alarm, at);
            return AlarmEnd::Replaced;
        }
        if !threw {
            return AlarmEnd::Over;
        }
        if alarm.thrown >= limits.alarm_retries {
            return AlarmEnd::GivenUp;
        }
        let at = unix + delay(alarm.thrown, limits);
        alarm.thrown += 1;
        self.wait(actor, alarm, at);
        AlarmEnd::Repeated(at)
    }

    /// The event did not end: its instance was reset, or never started for a reason that may pass.
    pub(super) fn interrupted(
        &mut self,
        actor: &Arc<ActorId>,
        event: EventId,
        unix: i64,
        limits: &ActorLimits,
    ) {
        if let Some((_, thrown)) = self.delivered(actor, event)
            && let Some(alarm) = self.remove(actor)
        {
            self.wait(actor, alarm, unix + delay(thrown, limits));
        }
    }

    pub(super) fn next(&self) -> Option<i64> {
        self.waiting.first().map(|(at, _)| *at)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn due(&self) -> usize {
        self.all.len() - self.waiting.len()
    }
}

fn delay(thrown: u32, limits: &ActorLimits) -> i64 {
    let delay = limits.alarm_delay * 2u32.saturating_pow(thrown.min(limits.alarm_retries).min(16));
    i64::try_from(delay.as_millis()).unwrap_or(i64::MAX / 2)
}
