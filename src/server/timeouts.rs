//! How long a client may keep its connection waiting. Times are arguments, and nothing in here waits.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use crate::config::ConnectionLimits;
use crate::http::StallTimeout;

/// The timeouts of one connection.
pub(super) struct ConnectionTimeouts {
    /// For a request's head, from its first byte to its last.
    head: Duration,
    /// For the first byte of the next request.
    idle: Duration,
    phase: Cell<Phase>,
    /// For a client that does not read its answer.
    write: RefCell<StallTimeout>,
}

/// What the connection waits for, and since when.
#[derive(Clone, Copy)]
enum Phase {
    /// The first byte of a request.
    Idle(Instant),
    /// The rest of a head.
    Head(Instant),
    /// The host's answer. The reader of the request's body has a timeout of its own.
    Answering,
}

/// Which timeout of a client passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Late {
    /// No request began.
    Idle,
    /// A head is not complete.
    Head,
    /// An answer is not read.
    Reading,
}

impl ConnectionTimeouts {
    /// Those of a connection whose first head may begin at `now`.
    pub(super) fn new(limits: &ConnectionLimits, now: Instant) -> ConnectionTimeouts {
        ConnectionTimeouts {
            head: limits.header_read,
            idle: limits.keep_alive,
            phase: Cell::new(Phase::Head(now)),
            write: RefCell::new(StallTimeout::new(limits.write)),
        }
    }

    /// Bytes of the client arrived. `now` is only called where a timeout begins with them.
    pub(super) fn received(&self, now: impl FnOnce() -> Instant) {
        if let Phase::Idle(_) = self.phase.get() {
            self.phase.set(Phase::Head(now()));
        }
    }

    /// A head is complete: the host answers.
    pub(super) fn head_complete(&self) {
        self.phase.set(Phase::Answering);
    }

    /// The answer is complete, but for what its client still has to read.
    pub(super) fn answered(&self, now: Instant) {
        self.phase.set(Phase::Idle(now));
    }

    /// When the last answer was complete, if no request has begun since.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        match self.phase.get() {
            Phase::Idle(since) => Some(since),
            Phase::Head(_) | Phase::Answering => None,
        }
    }

    /// The system took so many bytes of an answer; `None`: it takes no more until the client reads. `now` is only called
    /// where that changes a timeout.
    pub(super) fn sent(&self, bytes: Option<usize>, now: impl FnOnce() -> Instant) {
        let mut write = self.write.borrow_mut();
        match bytes {
            None => drop(write.wait(now())),
            Some(bytes) if write.is_waiting() => write.moved(bytes, now()),
            Some(_) => {}
        }
    }

    /// Which timeout has passed, or when to check again. The next check comes before any timeout can pass that begins
    /// until then.
    pub(super) fn check(&self, now: Instant) -> Result<Instant, Late> {
        let reading = self.write.borrow().deadline().map(|deadline| (deadline, Late::Reading));
        let due = reading.or(match self.phase.get() {
            Phase::Idle(since) => Some((since + self.idle, Late::Idle)),
            Phase::Head(since) => Some((since + self.head, Late::Head)),
            Phase::Answering => None,
        });
        let next = now + self.head.min(self.idle).min(self.write.borrow().limit());
        match due {
            Some((deadline, late)) if deadline <= now => Err(late),
            Some((deadline, _)) => Ok(deadline.min(next)),
            None => Ok(next),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn timeouts(since: Instant) -> ConnectionTimeouts {
        let write = RefCell::new(StallTimeout::new(5 * SECOND));
        let phase = Cell::new(Phase::Head(since));
        ConnectionTimeouts { head: 2 * SECOND, idle: 10 * SECOND, phase, write }
    }

    #[test]
    fn a_head_has_one_limit_however_often_bytes_come() {
        let start = Instant::now();
        let timeouts = timeouts(start);

        timeouts.received(|| start + SECOND);
        assert_eq!(timeouts.check(start + SECOND), Ok(start + 2 * SECOND));
        timeouts.received(|| start + 2 * SECOND);
        assert_eq!(timeouts.check(start + 2 * SECOND), Err(Late::Head));
    }

    #[test]
    fn the_host_may_take_its_time_to_answer() {
        let start = Instant::now();
        let timeouts = timeouts(start);

        timeouts.head_complete();
        timeouts.received(|| start + SECOND);
        assert_eq!(timeouts.check(start + 100 * SECOND), Ok(start + 102 * SECOND));
    }

    #[test]
    fn between_requests_another_limit_counts_and_no_check_is_too_late_for_a_head() {
        let start = Instant::now();
        let timeouts = timeouts(start);
        timeouts.head_complete();
        timeouts.answered(start);

        // A head may begin right after the check, and then has two seconds.
        assert_eq!(timeouts.check(start + SECOND), Ok(start + 3 * SECOND));
        assert_eq!(timeouts.check(start + 10 * SECOND), Err(Late::Idle));
        timeouts.received(|| start + SECOND);
        assert_eq!(timeouts.check(start + 3 * SECOND), Err(Late::Head));
    }

    #[test]
    fn an_answer_that_is_not_read_counts_before_anything_else() {
        let start = Instant::now();
        let timeouts = timeouts(start);
        timeouts.head_complete();
        timeouts.sent(Some(100_000), || start);
        timeouts.sent(None, || start);
        timeouts.answered(start);

        assert_eq!(timeouts.check(start + 5 * SECOND), Err(Late::Reading));
        timeouts.sent(Some(100_000), || start + 5 * SECOND);
        assert!(timeouts.check(start + 6 * SECOND).is_ok());
    }
}
