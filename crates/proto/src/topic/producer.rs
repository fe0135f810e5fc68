//! Duplicates of publications: numbered producers, and keys.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::{Millis, Position};

/// Who publishes, and the number of the publication.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Producer {
    /// Its name, the same when it starts again.
    pub id: Box<str>,
    /// Counts its starts.
    pub epoch: u64,
    /// Counts its publications since the start, from 0.
    pub sequence: u64,
}

/// What is known of a producer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ProducerState {
    /// The newest epoch.
    pub epoch: u64,
    /// The newest sequence number.
    pub sequence: u64,
    /// The positions behind its newest publications.
    pub ids: VecDeque<Position>,
    /// When it published.
    pub at: Millis,
}

/// How many positions of a producer are kept, for duplicates.
const KEPT_IDS: usize = 16;

/// How long a producer is known that publishes nothing.
const PRODUCER_LIFETIME: u64 = 7 * 24 * 3600 * 1000;

/// A publication by what is known of its producer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Check {
    New,
    /// It was published before.
    Duplicate {
        highest: u64,
        id: Option<Position>,
    },
    /// A later start of the producer has published.
    Stale {
        epoch: u64,
    },
    /// Publications are missing before it.
    Missing {
        expected: u64,
    },
    /// A new epoch does not begin with 0.
    BadStart,
}

/// The producers of a topic.
#[derive(Debug, Clone, Default)]
pub(super) struct Producers(pub(super) HashMap<Box<str>, ProducerState>);

impl Producers {
    pub(super) fn check(&self, producer: &Producer) -> Check {
        let Some(known) = self.0.get(&producer.id) else {
            return match producer.sequence {
                0 => Check::New,
                _ => Check::Missing { expected: 0 },
            };
        };
        if producer.epoch < known.epoch {
            return Check::Stale { epoch: known.epoch };
        }
        if producer.epoch > known.epoch {
            return if producer.sequence == 0 { Check::New } else { Check::BadStart };
        }
        if producer.sequence <= known.sequence {
            let back = usize::try_from(known.sequence - producer.sequence).ok();
            let id = back.and_then(|back| known.ids.iter().rev().nth(back)).copied();
            return Check::Duplicate { highest: known.sequence, id };
        }
        if producer.sequence > known.sequence + 1 {
            return Check::Missing { expected: known.sequence + 1 };
        }
        Check::New
    }

    /// Whether there is no room for another producer, also after those are removed that published long ago.
    pub(super) fn is_full(&mut self, id: &str, most: usize, now: Millis) -> bool {
        if self.0.len() < most || self.0.contains_key(id) {
            return false;
        }
        self.0.retain(|_, known| known.at.0 + PRODUCER_LIFETIME > now.0);
        self.0.len() >= most
    }

    /// A publication of the producer was added.
    pub(super) fn accept(&mut self, producer: &Producer, id: Position, now: Millis) {
        let fresh = ProducerState { epoch: producer.epoch, sequence: 0, ids: VecDeque::new(), at: now };
        let known = self.0.entry(producer.id.clone()).or_insert(fresh);
        if known.epoch != producer.epoch {
            known.ids.clear();
        }
        (known.epoch, known.sequence, known.at) = (producer.epoch, producer.sequence, now);
        known.ids.push_back(id);
        if known.ids.len() > KEPT_IDS {
            known.ids.pop_front();
        }
    }
}

/// The newest keys of a topic's messages. As many are kept as there are messages kept at most, and for a limited time.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    known: HashMap<Arc<str>, Position>,
    order: VecDeque<(Millis, Arc<str>)>,
}

impl Keys {
    pub(super) fn find(&self, key: &str) -> Option<Position> {
        self.known.get(key).copied()
    }

    pub(super) fn insert(&mut self, key: &str, id: Position, now: Millis, (most, lifetime): (usize, u64)) {
        let key: Arc<str> = key.into();
        self.known.insert(key.clone(), id);
        self.order.push_back((now, key));
        while let Some((at, _)) = self.order.front()
            && (self.order.len() > most || at.0 + lifetime <= now.0)
        {
            let (_, oldest) = self.order.pop_front().expect("the loop's condition has seen it");
            self.known.remove(&oldest);
        }
    }

    /// The keys with the positions of their messages.
    #[cfg(test)]
    pub(super) fn all(&self) -> std::collections::HashSet<&str> {
        self.known.keys().map(|key| &**key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn producer(epoch: u64, sequence: u64) -> Producer {
        Producer { id: "a".into(), epoch, sequence }
    }

    fn at(offset: u64) -> Position {
        Position { epoch: 1, offset }
    }

    #[test]
    fn producer_sequences() {
        let mut producers = Producers::default();
        assert_eq!(producers.check(&producer(0, 1)), Check::Missing { expected: 0 });
        for n in 0..20 {
            assert_eq!(producers.check(&producer(0, n)), Check::New);
            producers.accept(&producer(0, n), at(n + 1), Millis(0));
        }
        assert_eq!(producers.check(&producer(0, 18)), Check::Duplicate { highest: 19, id: Some(at(19)) });
        assert_eq!(producers.check(&producer(0, 0)), Check::Duplicate { highest: 19, id: None });
        assert_eq!(producers.check(&producer(0, 21)), Check::Missing { expected: 20 });
        assert_eq!(producers.check(&producer(2, 1)), Check::BadStart);
        assert_eq!(producers.check(&producer(2, 0)), Check::New);
        producers.accept(&producer(2, 0), at(21), Millis(0));
        assert_eq!(producers.check(&producer(0, 20)), Check::Stale { epoch: 2 });
        assert_eq!(producers.check(&producer(2, 0)), Check::Duplicate { highest: 0, id: Some(at(21)) });
    }

    #[test]
    fn producers_that_are_silent_make_room() {
        let mut producers = Producers::default();
        producers.accept(&producer(0, 0), at(1), Millis(0));
        assert!(!producers.is_full("a", 1, Millis(0)));
        assert!(producers.is_full("b", 1, Millis(0)));
        assert!(!producers.is_full("b", 1, Millis(PRODUCER_LIFETIME)));
    }

    #[test]
    fn keys_are_forgotten_in_their_order() {
        let mut keys = Keys::default();
        for n in 0..5u64 {
            keys.insert(&n.to_string(), at(n), Millis(n), (3, 1000));
        }
        assert_eq!(keys.all(), ["2", "3", "4"].into());
        keys.insert("5", at(5), Millis(1003), (3, 1000));
        assert_eq!(keys.all(), ["4", "5"].into());
    }
}
