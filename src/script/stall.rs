//! Modules whose top-level await does not end: how long that goes untold, and which file waits.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// When modules wait, what they are made of is worth watching after this time, and worth a line after the next.
const FIRST: Duration = Duration::from_millis(100);
/// Each time is so many times the one before.
const GROWTH: u32 = 10;

/// When to look at a handler's modules that still wait: after 100 ms, 1 s, 10 s and so on, and after `limit` at last.
pub(super) struct Schedule {
    passed: Duration,
    next: Duration,
    limit: Duration,
}

impl Schedule {
    pub(super) fn until(limit: Duration) -> Schedule {
        Schedule { passed: Duration::ZERO, next: FIRST, limit }
    }

    /// How long to wait now; None once the limit has passed.
    pub(super) fn wait(&self) -> Option<Duration> {
        let wait = self.next.min(self.limit).saturating_sub(self.passed);
        (!wait.is_zero()).then_some(wait)
    }

    /// The wait is over, and nothing has happened. Returns how long it was in all, if that is less than the limit.
    pub(super) fn has_waited(&mut self) -> Option<Duration> {
        self.passed = self.next.min(self.limit);
        if self.passed == self.limit {
            return None;
        }
        self.next = self.next.saturating_mul(GROWTH);
        Some(self.passed)
    }
}

/// A handler that cannot be loaded yet.
pub(crate) struct Stall {
    pub handler: PathBuf,
    /// The files with a top-level await that it is made of, with the line of the first one in each. What is imported
    /// stands before what imports it.
    pub awaits: Vec<(PathBuf, usize)>,
    pub since: Duration,
}

impl Stall {
    /// Whether it has lasted long enough for a line in the log.
    pub(crate) fn is_worth_a_line(&self) -> bool {
        self.since > FIRST
    }
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stall { handler, awaits, since } = self;
        let handler = handler.display();
        let place = |(file, line): &(PathBuf, usize)| format!("{}:{line}", file.display());
        match awaits.as_slice() {
            [] => write!(f, "{handler}: a top-level await has not ended after {since:?}"),
            [only] => write!(f, "{}: this top-level await has not ended after {since:?}", place(only)),
            several => {
                let places: Vec<_> = several.iter().map(place).collect();
                write!(
                    f,
                    "one of these top-level awaits has not ended after {since:?}: {}",
                    places.join(", ")
                )
            }
        }?;
        if awaits.iter().all(|(file, _)| *file != self.handler) && !awaits.is_empty() {
            write!(f, "; {handler} waits for it")?;
        }
        Ok(())
    }
}
