//! Exclusive use of the engine, and what follows from it.

use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::{Hub, LineEvent, MAX_UNFLUSHED, State};
use liveline_proto::{Action, Engine};

/// Of the turns for frames that wait for the same flush, each one in this many reads the clock.
const CLOCK_EVERY: usize = 8;

/// When the frames of a turn are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flush {
    /// When the turn ends.
    Now,
    /// With the next [`Hub::flush`].
    Later,
    /// By the caller, which is a socket that is being written.
    Never,
}

/// Exclusive use of the engine, at one moment. Its methods are the engine's inputs.
///
/// When it is dropped, what the inputs led to is carried out: the timer is set, the engine is unlocked, events are
/// dispatched, and frames are written if the turn flushes. It must be dropped before the hub is used again, so it does
/// not belong into the head of a `match` or an `if let` whose body does that.
#[must_use]
#[clippy::has_significant_drop]
pub(crate) struct Turn<'a> {
    hub: &'a Hub,
    // Fields are dropped in this order: the engine is unlocked before events are dispatched.
    state: MutexGuard<'a, State>,
    after: Option<AfterTurn<'a>>,
}

impl Deref for Turn<'_> {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.state.engine
    }
}

impl DerefMut for Turn<'_> {
    fn deref_mut(&mut self) -> &mut Engine {
        &mut self.state.engine
    }
}

impl<'a> Turn<'a> {
    /// Unlocks the engine. Events are dispatched and frames written when the result is dropped, so that the caller can do
    /// something before that.
    pub(in crate::lines) fn unlock(mut self) -> Option<AfterTurn<'a>> {
        self.sort_out();
        self.after.take()
    }

    /// Keeps what the engine asked for until it is unlocked, and sets the timer.
    fn sort_out(&mut self) {
        let Some(after) = &mut self.after else { return };
        let State { engine, unwritten, outbound, armed, .. } = &mut *self.state;
        let next = engine.next_deadline();
        if next.is_some_and(|next| armed.is_none_or(|armed| next < armed)) {
            *armed = next;
            self.hub.0.deadline_moved.notify_one();
        }
        for action in engine.actions() {
            match action {
                Action::Wake(line) => {
                    if unwritten.last() != Some(&line) {
                        unwritten.push(line);
                    }
                }
                Action::WakeAll(mut lines) => match unwritten.is_empty() {
                    true => *unwritten = lines,
                    false => unwritten.append(&mut lines),
                },
                Action::Dispatch { owner, exchange, line, event } => {
                    outbound.events.push((owner, LineEvent { exchange, line, event }));
                }
                Action::Ended(summary) => outbound.ended.push(summary),
            }
        }
        if !unwritten.is_empty() {
            self.hub.0.has_unwritten.store(true, Ordering::Release);
        }
        after.has_outbound = !outbound.events.is_empty() || !outbound.ended.is_empty();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.sort_out();
    }
}

/// What is left to do when the engine is unlocked.
pub(in crate::lines) struct AfterTurn<'a> {
    hub: &'a Hub,
    has_outbound: bool,
    flushes: bool,
}

impl Drop for AfterTurn<'_> {
    fn drop(&mut self) {
        if self.has_outbound {
            self.hub.dispatch();
        }
        if self.flushes {
            self.hub.flush();
        }
    }
}

/// The engine, to be asked something. It must be dropped before the hub is used again.
pub(crate) struct Reading<'a>(MutexGuard<'a, State>);

impl Deref for Reading<'_> {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.0.engine
    }
}

impl Hub {
    /// A turn whose frames are written when it ends.
    pub(crate) fn turn(&self) -> Turn<'_> {
        self.begin(Flush::Now)
    }

    /// A turn whose frames are written with the next [`Hub::flush`]. The turns that handlers cause are such: what one run
    /// of JavaScript sends leaves together.
    pub(crate) fn deferred_turn(&self) -> Turn<'_> {
        self.begin(Flush::Later)
    }

    /// A turn for one frame of a handler. A frame that follows others of the same turn of the handler needs no exact time.
    pub(super) fn frame_turn(&self) -> Turn<'_> {
        self.begin_if_due(Flush::Later, |state| {
            state.unwritten.is_empty() || state.unflushed.is_multiple_of(CLOCK_EVERY)
        })
    }

    pub(super) fn begin(&self, flush: Flush) -> Turn<'_> {
        self.begin_if_due(flush, |_| true)
    }

    /// Begins a turn, at the time of the one before unless the clock is due to be read.
    fn begin_if_due(&self, flush: Flush, is_due: impl FnOnce(&State) -> bool) -> Turn<'_> {
        let mut state = self.lock();
        let is_due = is_due(&state);
        let State { engine, clock, armed, unflushed, .. } = &mut *state;
        if is_due {
            engine.at(clock.read(Instant::now(), *armed));
        }
        let mut flushes = flush == Flush::Now;
        if flush != Flush::Never {
            *unflushed += 1;
            if *unflushed > MAX_UNFLUSHED {
                *unflushed = 0;
                flushes = true;
            }
        }
        Turn { hub: self, state, after: Some(AfterTurn { hub: self, has_outbound: false, flushes }) }
    }

    /// The engine's queries.
    pub(crate) fn engine(&self) -> Reading<'_> {
        Reading(self.lock())
    }
}
