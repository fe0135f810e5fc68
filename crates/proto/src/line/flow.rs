//! What waits in both directions of a line, and what becomes of it when it is too much.

use super::Counters;
use super::outbox::{Outbox, Priority, QueuedFrame};
use crate::Overflow;

/// The queues of a line.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// Frames for the client.
    pub outbox: Outbox,
    /// Bytes that the client sent and the owner has not acknowledged.
    in_flight: usize,
    freshness: Freshness,
    /// The owner waits for [`Event::Drained`](crate::Event::Drained).
    is_awaited: bool,
}

/// Whether the client's copies of states are those of the handler, once all that waits has arrived.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Freshness {
    #[default]
    Fresh,
    /// Changes were dropped.
    Stale,
    /// Changes were dropped, and the owner was asked for the states in full.
    Requested,
}

/// How many bytes may wait for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Budget {
    /// What a line may have by itself.
    Whole(usize),
    /// What it may have while all lines together have used up theirs.
    Rest(usize),
}

impl Budget {
    pub(super) fn bytes(self) -> usize {
        match self {
            Budget::Whole(bytes) | Budget::Rest(bytes) => bytes,
        }
    }

    fn half(self) -> Budget {
        match self {
            Budget::Whole(bytes) => Budget::Whole(bytes / 2),
            Budget::Rest(bytes) => Budget::Rest(bytes / 2),
        }
    }
}

/// What became of a frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Enqueued {
    Queued,
    Dropped,
    /// There is no room for it, and nothing may be dropped: [`Overflow::Close`].
    Full,
}

impl Flow {
    /// Enqueues a frame if it fits into `budget`. Changes may use half of that; the other half is for frames that no later
    /// state replaces.
    pub(super) fn enqueue(
        &mut self,
        frame: QueuedFrame,
        budget: Budget,
        overflow: Overflow,
        counters: &mut Counters,
    ) -> Enqueued {
        let (priority, cost) = (frame.priority, frame.cost());
        if priority == Priority::Delta && self.freshness != Freshness::Fresh {
            counters.coalesced += 1;
            return Enqueued::Dropped;
        }
        if matches!(priority, Priority::Delta | Priority::State) && !self.outbox.fits(cost, budget.half()) {
            // A full state replaces all of these.
            counters.coalesced += self.outbox.drop_new(&[Priority::Delta, Priority::State]) as u32;
            self.freshness = Freshness::Stale;
            if priority == Priority::Delta {
                counters.coalesced += 1;
                return Enqueued::Dropped;
            }
        }
        if priority != Priority::Control && !self.outbox.fits(cost, budget) {
            let drops_oldest = match overflow {
                Overflow::Close => return Enqueued::Full,
                Overflow::DropNewest => priority == Priority::State,
                Overflow::DropOldest => true,
            };
            while drops_oldest && !self.outbox.fits(cost, budget) && self.outbox.drop_oldest_message() {
                counters.dropped += 1;
            }
            // Only control frames and numbered frames are left; the client may have received the numbered ones.
            if !self.outbox.fits(cost, budget) {
                if priority == Priority::State {
                    // Stale since above: the owner is asked for the state when there is room.
                    counters.coalesced += 1;
                } else {
                    counters.dropped += 1;
                }
                return Enqueued::Dropped;
            }
        }
        self.outbox.push(frame);
        Enqueued::Queued
    }

    /// Drops all frames except control frames, because too many wait for a client that is away. Returns the number of the
    /// last frame before them.
    pub(super) fn drop_all_but_control(&mut self, counters: &mut Counters) -> u64 {
        counters.dropped += self.outbox.drop_all_but_control() as u32;
        self.freshness = Freshness::Stale;
        self.outbox.acknowledged()
    }

    /// The client misses frames that were dropped.
    pub(super) fn mark_stale(&mut self) {
        self.freshness = Freshness::Stale;
    }

    /// The owner sends the states in full from here on.
    pub(super) fn refreshed(&mut self) {
        if self.freshness == Freshness::Requested {
            self.freshness = Freshness::Fresh;
        }
    }

    /// Whether more than half of `budget` waits to be written or acknowledged.
    pub(super) fn is_congested(&self, budget: Budget) -> bool {
        self.outbox.bytes() > budget.half().bytes()
    }

    /// The owner waits for [`Event::Drained`](crate::Event::Drained).
    pub(super) fn await_drained(&mut self) {
        self.is_awaited = true;
    }

    /// Whether the owner has to be informed once there is room.
    pub(super) fn owes_drained(&self) -> bool {
        self.is_awaited || self.freshness == Freshness::Stale
    }

    /// There is room again. Returns whether the client needs the states in full.
    pub(super) fn drained(&mut self) -> bool {
        self.is_awaited = false;
        let is_stale = self.freshness == Freshness::Stale;
        if is_stale {
            self.freshness = Freshness::Requested;
        }
        is_stale
    }

    /// `size` bytes of the client's messages were dispatched.
    pub(super) fn dispatched(&mut self, size: usize) {
        self.in_flight += size;
    }

    /// The owner handled `size` bytes.
    pub(super) fn acknowledge(&mut self, size: usize) {
        self.in_flight = self.in_flight.saturating_sub(size);
    }

    /// Bytes of the client's messages that the owner has not acknowledged.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }
}
