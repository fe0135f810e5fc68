//! The deadlines of all lines, coarse and cheap.
//!
//! Each line is filed in the bucket of one tick. A line that gets more time stays in its bucket; when that is due, its
//! deadline is checked and the line is filed again. Traffic, which moves most deadlines, costs nothing here.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::LineId;

/// The width of a bucket: deadlines are noticed at most this late.
const TICK: Duration = Duration::from_millis(50);

/// The bucket in which a line is filed, counted in ticks from the engine's start; 0: none.
pub(crate) type Filed = u64;

/// The lines by the tick at which their deadline is checked.
#[derive(Debug)]
pub(crate) struct Deadlines {
    origin: Instant,
    buckets: BTreeMap<Filed, Vec<LineId>>,
}

impl Deadlines {
    pub(super) fn new(origin: Instant) -> Deadlines {
        Deadlines { origin, buckets: BTreeMap::new() }
    }

    /// Files a line so that it is checked when `at` has passed. `filed` is its bucket now.
    pub(super) fn file(&mut self, line: LineId, at: Instant, filed: &mut Filed) {
        let tick = self.tick_of(at);
        if *filed != 0 && *filed <= tick {
            return;
        }
        *filed = tick;
        self.buckets.entry(tick).or_default().push(line);
    }

    /// When the next bucket is due. Its lines may have ended or been filed elsewhere.
    pub(super) fn next(&self) -> Option<Instant> {
        self.buckets.first_key_value().map(|(tick, _)| time_of(self.origin, *tick))
    }

    /// The first bucket whose time has come, and its lines. The caller skips lines that are filed in another bucket now.
    pub(super) fn due(&mut self, now: Instant) -> Option<(Filed, Vec<LineId>)> {
        let first = self.buckets.first_entry()?;
        if time_of(self.origin, *first.key()) > now {
            return None;
        }
        Some(first.remove_entry())
    }

    /// The tick at or after `at`, at least 1.
    fn tick_of(&self, at: Instant) -> Filed {
        let since = at.saturating_duration_since(self.origin);
        (since.as_nanos().div_ceil(TICK.as_nanos()) as Filed).max(1)
    }
}

fn time_of(origin: Instant, tick: Filed) -> Instant {
    origin + TICK * u32::try_from(tick).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_comes_in_order_and_never_early() {
        let origin = Instant::now();
        let mut wheel = Deadlines::new(origin);
        let (mut one, mut two) = (0, 0);
        wheel.file(LineId(1), origin + Duration::from_millis(120), &mut one);
        wheel.file(LineId(2), origin + Duration::from_millis(10), &mut two);
        assert_eq!(wheel.next(), Some(origin + TICK));
        assert_eq!(wheel.due(origin + Duration::from_millis(49)), None);
        assert_eq!(wheel.due(origin + Duration::from_millis(50)), Some((1, vec![LineId(2)])));
        assert_eq!(wheel.due(origin + Duration::from_millis(149)), None);
        assert_eq!(wheel.due(origin + Duration::from_millis(150)), Some((3, vec![LineId(1)])));
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn file_later_stays_and_earlier_moves() {
        let origin = Instant::now();
        let mut wheel = Deadlines::new(origin);
        let mut filed = 0;
        wheel.file(LineId(1), origin + TICK * 4, &mut filed);
        wheel.file(LineId(1), origin + TICK * 9, &mut filed);
        assert_eq!((filed, wheel.buckets.len()), (4, 1));
        wheel.file(LineId(1), origin + TICK * 2, &mut filed);
        assert_eq!((filed, wheel.next()), (2, Some(origin + TICK * 2)));
    }
}
