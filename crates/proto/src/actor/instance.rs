//! One instance: its gates, what runs in it, and why it may not stop.

use std::time::Instant;

use super::output::OutputGate;
use super::{EventId, Instance, SocketId};
use crate::OwnerId;

/// A closed gate of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateId(pub u64);

/// Why an instance without running events does not stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// It has a socket that cannot hibernate, or `waitUntil` runs. It neither stops nor moves.
    Work,
    /// It has a timer. It does not hibernate early, but it is evicted and moves.
    Timer,
}

/// What ends with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    /// It is for one instance.
    Bound,
    Alarm,
    /// A message of a socket that the actor keeps.
    Message {
        is_paced: bool,
    },
    /// The socket has closed; the actor keeps it until it has handled that.
    Closed(SocketId),
}

#[derive(Debug)]
pub(super) struct Live<O> {
    pub id: Instance,
    pub owner: OwnerId,
    gates: Vec<ClosedGate>,
    next_gate: u64,
    pub running: Vec<(EventId, Kind)>,
    work: usize,
    timers: usize,
    /// How many events wait that are for this instance alone.
    pub bound: usize,
    /// Whether it has taken an event.
    pub has_taken: bool,
    /// Whether the driver knows that an event waits.
    pub announced: bool,
    pub outputs: OutputGate<O>,
    pub drain: Drain,
}

#[derive(Debug)]
struct ClosedGate {
    id: GateId,
    /// When the instance is reset if the gate is still closed.
    until: Instant,
}

/// Whether the instance should move to the newest generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drain {
    /// It belongs to the newest generation.
    No,
    /// New events wait until this time for those that run.
    Until(Instant),
    /// It did not become quiet. At this time new events wait again.
    Again(Instant),
}

impl Kind {
    /// Whether it came by a socket that the actor keeps whatever becomes of its instance.
    pub(super) fn is_of_socket(self) -> bool {
        matches!(self, Kind::Message { .. } | Kind::Closed(_))
    }

    /// Whether it may exceed the limit of a mailbox: a client that sends too much is not read, and a socket closes once.
    pub(super) fn is_exempt(self) -> bool {
        matches!(self, Kind::Message { is_paced: true } | Kind::Closed(_))
    }
}

impl<O> Live<O> {
    pub(super) fn new(id: Instance, owner: OwnerId) -> Live<O> {
        Live {
            id,
            owner,
            gates: Vec::new(),
            next_gate: 0,
            running: Vec::new(),
            work: 0,
            timers: 0,
            bound: 0,
            has_taken: false,
            announced: false,
            outputs: OutputGate::default(),
            drain: Drain::No,
        }
    }

    pub(super) fn close_gate(&mut self, until: Instant) -> GateId {
        let id = GateId(self.next_gate);
        self.next_gate += 1;
        self.gates.push(ClosedGate { id, until });
        id
    }

    pub(super) fn open_gate(&mut self, id: GateId) {
        self.gates.retain(|gate| gate.id != id);
    }

    pub(super) fn hold(&mut self, hold: Hold) {
        *self.count_of(hold) += 1;
    }

    pub(super) fn unhold(&mut self, hold: Hold) {
        let count = self.count_of(hold);
        *count = count.saturating_sub(1);
    }

    fn count_of(&mut self, hold: Hold) -> &mut usize {
        match hold {
            Hold::Work => &mut self.work,
            Hold::Timer => &mut self.timers,
        }
    }

    pub(super) fn has_timers(&self) -> bool {
        self.timers > 0
    }

    pub(super) fn has_work(&self) -> bool {
        self.work > 0
    }

    /// Whether events may be delivered now.
    pub(super) fn accepts(&self) -> bool {
        let drains = matches!(self.drain, Drain::Until(_)) && !self.has_work() && self.bound == 0;
        self.gates.is_empty() && !drains
    }

    /// Whether nothing of it would be lost if it stopped now.
    pub(super) fn is_quiet(&self) -> bool {
        self.running.is_empty()
            && self.work == 0
            && self.bound == 0
            && self.gates.is_empty()
            && self.outputs.is_open()
            && self.outputs.len() == 0
    }

    /// Whether it has blocked the delivery of events for too long.
    pub(super) fn is_stuck(&self, now: Instant) -> bool {
        self.gates.iter().any(|gate| gate.until <= now)
    }

    /// When it has to be looked at, whatever else happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let drain = match self.drain {
            Drain::No => None,
            Drain::Until(at) | Drain::Again(at) => Some(at),
        };
        self.gates.iter().map(|gate| gate.until).chain(drain).min()
    }
}
