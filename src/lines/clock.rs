//! The engine's time: it stands still while the process does not run.
//!
//! A process that was stopped, or had no processor for a while, finds deadlines that are over, and beside them what came
//! meanwhile and nobody has read. Whoever spoke in time must not be given up. So when somebody looks later than was
//! planned, the time since the last look does not count, and a moment more is given to read what waits.

use std::time::{Duration, Instant};

/// How late a look may come.
const LATE: Duration = Duration::from_millis(250);

/// How much time is given to read what waits, at most.
const GRACE: Duration = Duration::from_secs(5);

/// How often that is given: of so much time once, so that a machine that is always late gets on.
const GRACE_EVERY: Duration = GRACE.saturating_mul(10);

#[derive(Debug)]
pub(super) struct Clock {
    /// What real time is ahead of the engine's.
    lost: Duration,
    /// When somebody looked last, in real time.
    seen: Instant,
    /// When grace was given last, in real time.
    graced: Option<Instant>,
    grace: Duration,
    /// The engine's time begins here.
    origin: Instant,
}

impl Clock {
    /// A clock that begins now. A client may be silent for `patience`.
    pub(super) fn new(now: Instant, patience: Duration) -> Clock {
        Clock { lost: Duration::ZERO, seen: now, graced: None, grace: GRACE.min(patience), origin: now }
    }

    /// The engine's time now. `planned` is when somebody should have looked at the latest, in the engine's time.
    pub(super) fn look(&mut self, now: Instant, planned: Option<Instant>) -> Instant {
        if planned.is_some_and(|planned| now > self.real(planned) + LATE) {
            let gap = now.saturating_duration_since(self.seen);
            self.lost += gap;
            if self.graced.is_none_or(|graced| now.duration_since(graced) >= GRACE_EVERY) {
                self.graced = Some(now);
                self.lost += self.grace.min(self.engine(now).saturating_duration_since(self.origin));
            }
            tracing::debug!("nothing ran for {} ms, which count for no line", gap.as_millis());
        }
        self.seen = now;
        self.engine(now)
    }

    /// When it is `time` for the engine.
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
    fn time_passes_as_long_as_somebody_looks() {
        let start = Instant::now();
        let mut clock = Clock::new(start, 60 * SECOND);
        for second in 1..100 {
            let now = start + second * SECOND;
            assert_eq!(clock.look(now, Some(now - LATE)), now);
            assert_eq!(clock.look(now, None), now);
        }
    }

    #[test]
    fn what_nobody_saw_does_not_count() {
        let start = Instant::now();
        let mut clock = Clock::new(start, 3 * SECOND);
        assert_eq!(clock.look(start + 20 * SECOND, None), start + 20 * SECOND);

        // Somebody should have looked after 25 seconds, and looks after 100.
        let planned = start + 25 * SECOND;
        let now = clock.look(start + 100 * SECOND, Some(planned));

        assert_eq!(now, start + 17 * SECOND, "the last look, less the grace");
        assert_eq!(clock.real(now), start + 100 * SECOND);
        assert_eq!(clock.look(start + 101 * SECOND, Some(planned)), start + 18 * SECOND);
    }

    #[test]
    fn a_machine_that_is_always_late_gets_on() {
        let start = Instant::now();
        let mut clock = Clock::new(start, 60 * SECOND);
        let mut engine = start;
        let mut now = start;
        for _ in 0..1000 {
            // Half of the time nothing runs.
            now += SECOND;
            engine = clock.look(now, Some(engine + SECOND / 10));
            now += SECOND;
            engine = clock.look(now, Some(engine + 2 * SECOND));
        }
        let passed = engine - start;
        assert!(passed > 700 * SECOND && passed < 1000 * SECOND, "{passed:?}");
    }

    #[test]
    fn time_does_not_begin_before_its_beginning() {
        let start = Instant::now();
        let mut clock = Clock::new(start, 60 * SECOND);
        assert_eq!(clock.look(start + 9 * SECOND, Some(start)), start);
    }
}
