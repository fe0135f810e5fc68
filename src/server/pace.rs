//! How long a connection may take for what is its client's to do. Times are arguments, and nothing in here waits.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use crate::config::Limits;
use crate::http::StallTimeout;

/// The clocks of one connection.
pub(super) struct Pace {
    head: Duration,
    idle: Duration,
    phase: Cell<Phase>,
    /// While an answer waits for its client to read on.
    write: RefCell<StallTimeout>,
}

#[derive(Clone, Copy)]
enum Phase {
    /// Between requests, since then.
    Idle(Instant),
    /// A head is on its way, since then.
    Head(Instant),
    /// It is the host's turn. What it waits for a body is the body's reader's business.
    Answering,
}

/// What a client took too long for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Late {
    /// Its next request did not begin.
    Idle,
    /// A head did not come to its end.
    Head,
    /// An answer was not read.
    Reading,
}

impl Pace {
    /// The clocks of a connection whose first head may come since then.
    pub(super) fn new(limits: &Limits, since: Instant) -> Pace {
        Pace {
            head: limits.header_read,
            idle: limits.keep_alive,
            phase: Cell::new(Phase::Head(since)),
            write: RefCell::new(StallTimeout::new(limits.write)),
        }
    }

    /// Bytes came.
    pub(super) fn read(&self) {
        if let Phase::Idle(_) = self.phase.get() {
            self.phase.set(Phase::Head(Instant::now()));
        }
    }

    /// A whole head came.
    pub(super) fn asked(&self) {
        self.phase.set(Phase::Answering);
    }

    /// The answer is complete, but for what its client still has to read.
    pub(super) fn answered(&self) {
        self.phase.set(Phase::Idle(Instant::now()));
    }

    /// The client took so many bytes of an answer; `None`: it takes no more for now.
    pub(super) fn wrote(&self, bytes: Option<usize>) {
        let mut write = self.write.borrow_mut();
        match bytes {
            None => drop(write.wait(Instant::now())),
            // Whoever reads as fast as it is written to needs no clock.
            Some(bytes) if write.is_waiting() => write.moved(bytes, Instant::now()),
            Some(_) => {}
        }
    }

    /// What the client is late with, or when to look again. No limit that begins to count meanwhile is missed.
    pub(super) fn look(&self, now: Instant) -> Result<Instant, Late> {
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

    fn pace(since: Instant) -> Pace {
        let write = RefCell::new(StallTimeout::new(5 * SECOND));
        Pace { head: 2 * SECOND, idle: 10 * SECOND, phase: Cell::new(Phase::Head(since)), write }
    }

    #[test]
    fn a_head_has_one_limit_however_often_bytes_come() {
        let start = Instant::now();
        let pace = pace(start);

        pace.read();
        assert_eq!(pace.look(start + SECOND), Ok(start + 2 * SECOND));
        pace.read();
        assert_eq!(pace.look(start + 2 * SECOND), Err(Late::Head));
    }

    #[test]
    fn the_host_may_take_its_time_to_answer() {
        let start = Instant::now();
        let pace = pace(start);

        pace.asked();
        pace.read();
        assert_eq!(pace.look(start + 100 * SECOND), Ok(start + 102 * SECOND));
    }

    #[test]
    fn between_requests_another_limit_counts_and_no_look_is_too_late_for_a_head() {
        let start = Instant::now();
        let pace = pace(start);
        pace.asked();
        pace.answered();

        // A head may begin right after the look, and then has two seconds.
        let next = pace.look(start + SECOND).expect("it is early");
        assert_eq!(next, start + 3 * SECOND);
        assert_eq!(pace.look(Instant::now() + 10 * SECOND), Err(Late::Idle));
        pace.read();
        assert_eq!(pace.look(Instant::now() + 2 * SECOND), Err(Late::Head));
    }

    #[test]
    fn an_answer_that_is_not_read_counts_before_anything_else() {
        let start = Instant::now();
        let pace = pace(start);
        pace.asked();
        pace.wrote(Some(100_000));
        pace.wrote(None);
        pace.answered();

        assert_eq!(pace.look(Instant::now() + 6 * SECOND), Err(Late::Reading));
        pace.wrote(Some(100_000));
        assert!(pace.look(Instant::now() + 6 * SECOND).is_ok());
    }
}
