//! The deadlines of all lines, coarse and cheap.
//!
//! A line stands in one bucket at a time. One that gets more time stays where it is: when its bucket comes, whoever
//! asks looks at the line and files it again. So that most of what moves deadlines, which is traffic, costs nothing here.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::LineId;

/// How late a deadline may be noticed.
const TICK: Duration = Duration::from_millis(50);

/// The bucket in which a line stands, counted in ticks; 0 is none.
pub(crate) type Filed = u64;

#[derive(Debug)]
pub(crate) struct Deadlines {
    origin: Instant,
    buckets: BTreeMap<Filed, Vec<LineId>>,
}

impl Deadlines {
    pub(super) fn new(origin: Instant) -> Deadlines {
        Deadlines { origin, buckets: BTreeMap::new() }
    }

    /// Makes sure that `line` is looked at when `at` has passed. `filed` is where it stands.
    pub(super) fn file(&mut self, line: LineId, at: Instant, filed: &mut Filed) {
        let tick = self.tick_of(at);
        if *filed != 0 && *filed <= tick {
            return;
        }
        *filed = tick;
        self.buckets.entry(tick).or_default().push(line);
    }

    /// When there is something to look at. Lines that stand there may have gone or moved.
    pub(super) fn next(&self) -> Option<Instant> {
        self.buckets.first_key_value().map(|(tick, _)| time_of(self.origin, *tick))
    }

    /// The first bucket whose time has come, and its lines. A line that stands elsewhere now is none of it.
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
