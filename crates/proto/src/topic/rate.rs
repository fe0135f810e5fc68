//! Limits of rates: token buckets.

use std::collections::HashMap;

use super::Millis;

/// How many messages may come in a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Messages in a second, over a longer time.
    pub per_second: f64,
    /// Messages at once.
    pub burst: f64,
}

impl Rate {
    /// A rate with bursts of one second's messages, of one message at least.
    pub fn per_second(per_second: f64) -> Rate {
        Rate { per_second, burst: per_second.max(1.0) }
    }
}

/// What is left of a rate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    tokens: f64,
    at: Millis,
}

impl Bucket {
    fn full(rate: Rate, now: Millis) -> Bucket {
        Bucket { tokens: rate.burst, at: now }
    }

    fn refill(&mut self, rate: Rate, now: Millis) {
        let passed = now.0.saturating_sub(self.at.0) as f64 / 1000.0;
        self.tokens = (self.tokens + passed * rate.per_second).min(rate.burst);
        self.at = now;
    }

    /// Takes `messages` tokens, or returns after how many milliseconds there would be enough.
    fn take(&mut self, messages: usize, rate: Rate, now: Millis) -> Result<(), u64> {
        self.refill(rate, now);
        // A batch over the burst is allowed when the bucket is full, and leaves it in debt.
        let need = (messages as f64).min(rate.burst);
        if self.tokens >= need {
            self.tokens -= messages as f64;
            return Ok(());
        }
        Err(((need - self.tokens) / rate.per_second.max(f64::MIN_POSITIVE) * 1000.0).ceil() as u64)
    }
}

/// The buckets of one topic: one for all, and one for each publisher.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    all: Option<Bucket>,
    publishers: HashMap<Box<str>, Bucket>,
}

/// After this many publishers, those whose buckets are full are removed.
const MAX_PUBLISHERS: usize = 1024;

impl Buckets {
    /// Counts messages of a publisher, or returns after how many milliseconds they would be allowed.
    pub(super) fn take(
        &mut self,
        messages: usize,
        publisher: Option<&str>,
        (all, each): (Option<Rate>, Option<Rate>),
        now: Millis,
    ) -> Result<(), u64> {
        if let (Some(rate), Some(publisher)) = (each, publisher) {
            if !self.publishers.contains_key(publisher) {
                self.make_room(rate, now)?;
                self.publishers.insert(publisher.into(), Bucket::full(rate, now));
            }
            let bucket = self.publishers.get_mut(publisher).expect("it was inserted");
            bucket.take(messages, rate, now)?;
        }
        let Some(rate) = all else { return Ok(()) };
        self.all.get_or_insert_with(|| Bucket::full(rate, now)).take(messages, rate, now)
    }

    fn make_room(&mut self, rate: Rate, now: Millis) -> Result<(), u64> {
        if self.publishers.len() < MAX_PUBLISHERS {
            return Ok(());
        }
        self.publishers.retain(|_, bucket| {
            bucket.refill(rate, now);
            bucket.tokens < rate.burst
        });
        if self.publishers.len() < MAX_PUBLISHERS { Ok(()) } else { Err(1000) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_allows_its_burst_and_then_its_pace() {
        let (mut buckets, rate) = (Buckets::default(), Rate::per_second(10.0));
        let mut take = |at| buckets.take(1, Some("a"), (None, Some(rate)), Millis(at));
        for _ in 0..10 {
            assert_eq!(take(0), Ok(()));
        }
        assert_eq!(take(0), Err(100));
        assert_eq!(take(100), Ok(()));
        assert_eq!(take(100), Err(100));
    }

    #[test]
    fn rate_is_for_each_publisher() {
        let (mut buckets, rate) = (Buckets::default(), Rate::per_second(1.0));
        for publisher in ["a", "b"] {
            assert_eq!(buckets.take(1, Some(publisher), (None, Some(rate)), Millis(0)), Ok(()));
            assert!(buckets.take(1, Some(publisher), (None, Some(rate)), Millis(0)).is_err());
        }
    }

    #[test]
    fn rate_with_many_publishers_stays_bounded() {
        let (mut buckets, rate) = (Buckets::default(), Rate::per_second(1.0));
        let mut refused = 0;
        for n in 0..5000 {
            let publisher = n.to_string();
            refused += usize::from(buckets.take(1, Some(&publisher), (None, Some(rate)), Millis(0)).is_err());
        }
        assert_eq!(refused, 5000 - MAX_PUBLISHERS);
        assert_eq!(buckets.take(1, Some("later"), (None, Some(rate)), Millis(2000)), Ok(()));
        assert_eq!(buckets.publishers.len(), 1);
    }
}
