//! Modules whose top-level await does not end: when that is reported, and which file waits.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// After this time the files of modules that wait are watched; after the next it is logged.
const FIRST: Duration = Duration::from_millis(100);
/// Each time is this many times the one before.
const GROWTH: u32 = 10;

/// When to check whether a handler's modules still wait: after 100 ms, 1 s, 10 s and so on, and at last after `limit`.
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

    /// The wait is over, and the modules still wait. Returns how long they have waited in all, if that is less than the
    /// limit.
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
    /// The files of its modules with a top-level await, with the line of the first await in each. Imported files come
    /// before the files that import them. Empty if the modules have run, and their application is not set up yet.
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
            [] => write!(f, "{handler} is not ready after {since:?}"),
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
