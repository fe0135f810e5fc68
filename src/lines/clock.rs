//! The engine's time: it stands still while the process does not run.
//!
//! A process that was stopped, or had no processor for a while, finds deadlines that have passed, beside frames that
//! arrived meanwhile and were not read. A client that sent them in time must not be taken for dead. So when the clock is
//! read later than was planned, the time since the last reading does not count, and some time is added to read the
//! frames that wait.

use std::time::{Duration, Instant};

/// How much later than planned the clock may be read.
const LATE: Duration = Duration::from_millis(250);

/// How much time is added at most, to read the frames that wait.
const GRACE: Duration = Duration::from_secs(5);

/// Time is added at most once in this time, so that deadlines also pass on a machine that is always late.
const GRACE_EVERY: Duration = GRACE.saturating_mul(10);

/// Translates real time into the engine's.
#[derive(Debug)]
pub(super) struct Clock {
    /// How far real time is ahead of the engine's.
    lost: Duration,
    /// When the clock was read last, in real time.
    read_last: Instant,
    /// When time was added last, in real time.
    graced: Option<Instant>,
    /// How much time is added.
    grace: Duration,
    /// The engine's time begins here.
    origin: Instant,
}

impl Clock {
    /// A clock that begins now. A client may be silent for `ping_timeout`.
    pub(super) fn new(now: Instant, ping_timeout: Duration) -> Clock {
        Clock {
            lost: Duration::ZERO,
            read_last: now,
            graced: None,
            grace: GRACE.min(ping_timeout),
            origin: now,
        }
    }

    /// The engine's time now. `planned`: when the clock should have been read at the latest, in the engine's time.
    pub(super) fn read(&mut self, now: Instant, planned: Option<Instant>) -> Instant {
        if planned.is_some_and(|planned| now > self.real(planned) + LATE) {
            let gap = now.saturating_duration_since(self.read_last);
            self.lost += gap;
            if self.graced.is_none_or(|graced| now.duration_since(graced) >= GRACE_EVERY) {
                self.graced = Some(now);
                self.lost += self.grace.min(self.engine(now).saturating_duration_since(self.origin));
            }
            tracing::debug!("nothing ran for {} ms, which count for no line", gap.as_millis());
        }
        self.read_last = now;
        self.engine(now)
    }

    /// The real time at which it is `time` for the engine.
    pub(super) fn real(&self, time: Instant) -> Instant {
        time + self.lost
    }

    fn engine(&self, now: Instant) -> Instant {
        now.checked_sub(self.lost).unwrap_or(self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn time_passes_while_the_clock_is_read_in_time() {
        let start = Instant::now();
        let mut clock = Clock::new(start, 60 * SECOND);
        for second in 1..100 {
            let now = start + second * SECOND;
            assert_eq!(clock.read(now, Some(now - LATE)), now);
            assert_eq!(clock.read(now, None), now);
        }
    }

    #[test]
    fn a_gap_does_not_count() {
        let start = Instant::now();
        let mut clock = Clock::new(start, 3 * SECOND);
        assert_eq!(clock.read(start + 20 * SECOND, None), start + 20 * SECOND);

        // The clock should have been read after 25 seconds, and is read after 100.
        let planned = start + 25 * SECOND;
        let now = clock.read(start + 100 * SECOND, Some(planned));

        assert_eq!(now, start + 17 * SECOND, "the last reading, less the grace");
        assert_eq!(clock.real(now), start + 100 * SECOND);
        assert_eq!(clock.read(start + 101 * SECOND, Some(planned)), start + 18 * SECOND);
    }

    #[test]
    fn deadlines_pass_on_a_machine_that_is_always_late() {
        let start = Instant::now();
        let mut clock = Clock::new(start, 60 * SECOND);
        let mut engine = start;
        let mut now = start;
        for _ in 0..1000 {
            // Half of the time nothing runs.
            now += SECOND;
            engine = clock.read(now, Some(engine + SECOND / 10));
            now += SECOND;
            engine = clock.read(now, Some(engine + 2 * SECOND));
        }
        let passed = engine - start;
        assert!(passed > 700 * SECOND && passed < 1000 * SECOND, "{passed:?}");
    }

    #[test]
    fn time_does_not_begin_before_its_beginning() {
        let start = Instant::now();
        let mut clock = Clock::new(start, 60 * SECOND);
        assert_eq!(clock.read(start + 9 * SECOND, Some(start)), start);
    }
}
