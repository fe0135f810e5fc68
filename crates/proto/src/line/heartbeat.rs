//! Pings, and clients that do not answer them.

use std::time::Instant;

use super::Context;
use crate::Limits;

/// The heartbeat of a connection.
#[derive(Debug)]
pub(super) struct Heartbeat {
    /// When the client last sent anything.
    seen: Instant,
    /// When to look again whether a ping is due.
    next: Instant,
    /// A ping has to be written.
    is_due: bool,
}

impl Heartbeat {
    /// The heartbeat of a new connection; none if pings are off.
    pub(super) fn new(cx: Context<'_>) -> Option<Heartbeat> {
        let interval = cx.limits.ping_interval;
        (!interval.is_zero()).then(|| Heartbeat { seen: cx.now, next: cx.now + interval, is_due: false })
    }

    /// The client sent something.
    pub(super) fn alive(&mut self, now: Instant) {
        self.seen = now;
    }

    /// When to look again. `answers`: the client answers pings, so it can be dead.
    pub(super) fn deadline(&self, answers: bool, limits: &Limits) -> Instant {
        if answers { self.next.min(self.seen + limits.ping_timeout) } else { self.next }
    }

    /// Whether the client sent nothing for [`Limits::ping_timeout`].
    pub(super) fn is_dead(&self, cx: Context<'_>) -> bool {
        self.seen + cx.limits.ping_timeout <= cx.now
    }

    /// The deadline has come. Returns whether a ping is due: if the client was silent for an interval, or always if it
    /// `expects_traffic`. What the client sends while its connection is not read cannot be seen, so that time does not
    /// count against it.
    pub(super) fn beat(&mut self, is_read: bool, expects_traffic: bool, cx: Context<'_>) -> bool {
        let silent_until = self.seen + cx.limits.ping_interval;
        if !is_read {
            self.seen = cx.now;
        }
        self.is_due = expects_traffic || silent_until <= cx.now;
        self.next = if self.is_due { cx.now + cx.limits.ping_interval } else { silent_until };
        self.is_due
    }

    /// Whether a ping has to be written now; true once.
    pub(super) fn take_due(&mut self) -> bool {
        std::mem::take(&mut self.is_due)
    }
}
