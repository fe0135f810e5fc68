//! Subscribers: where each is in the topics that it follows, and what becomes of one that is slow.
//!
//! A subscriber has no queue. It has a position in each topic, and takes messages from there when its connection can
//! write; what it may be behind is limited by what the topics keep, and by its budget.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use slab::Slab;

use super::state::Topic;
use super::{Message, Metadata, Pattern, Position};

/// A subscriber. Ids are not reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriberId {
    pub(super) index: u32,
    pub(super) serial: u32,
}

impl SubscriberId {
    /// Its index in a table of subscribers.
    pub fn index(self) -> usize {
        self.index as usize
    }
}

/// What becomes of a subscriber that is over its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slow {
    /// It misses the oldest messages, and is informed.
    DropOldest,
    /// It receives the newest message only.
    Latest,
    /// It is removed.
    Close,
}

/// How far a subscriber may be behind in a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Messages.
    pub messages: u64,
    /// Bytes.
    pub bytes: u64,
}

/// What a subscriber receives.
#[derive(Debug, Clone)]
pub enum Delivery {
    /// A message.
    Message(Arc<Message>),
    /// Messages are missing before what follows.
    Gap(Gap),
}

/// Messages that a subscriber does not receive, because they are not kept any more or it was too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// How many, if that is known.
    pub missed: Option<u64>,
    /// The position from which on it receives messages.
    pub next: Position,
}

/// What [`Topics::take`](super::Topics::take) returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// The subscriber has everything. It is woken when there is more.
    All,
    /// There is more.
    Some,
    /// It has everything, and nothing follows.
    Ended(End),
}

/// Why nothing follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The topic was closed.
    Closed,
    /// The topic was deleted, or the subscriber.
    Deleted,
    /// The subscriber was too slow.
    Slow,
}

#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) serial: u32,
    pub(super) source: Source,
    pub(super) metadata: Metadata,
    pub(super) origin: Option<u64>,
    pub(super) slow: Slow,
    pub(super) budget: Budget,
    /// What it receives before the messages of its topics.
    pub(super) first: VecDeque<Delivery>,
    /// It was woken, and has not taken everything since.
    pub(super) is_ready: bool,
    pub(super) ended: Option<End>,
}

#[derive(Debug)]
pub(super) enum Source {
    One { topic: usize, offset: u64 },
    Many(Box<Many>),
}

/// Positions in several topics, whose messages are taken in the order in which they were published.
#[derive(Debug, Default)]
pub(super) struct Many {
    pub(super) patterns: Vec<Pattern>,
    /// The offset in each topic.
    pub(super) offsets: HashMap<usize, u64>,
    /// The topics with messages to take, by the shared offset of the first.
    pub(super) ready: BTreeMap<u64, usize>,
}

impl Many {
    /// There are messages from `offset` on, which the subscriber has not taken.
    pub(super) fn note(&mut self, key: usize, topic: &Topic, offset: u64) {
        if let Some(message) = topic.log.get(offset.max(topic.log.base())) {
            self.ready.insert(message.shared_id.offset, key);
        }
    }

    /// It follows a topic, but not by its name: a pattern with a wildcard matches.
    pub(super) fn matches_only(&self, topic: &Topic) -> bool {
        !self.patterns.iter().any(|pattern| pattern.is(&topic.name))
    }

    pub(super) fn remove(&mut self, key: usize) {
        self.offsets.remove(&key);
        self.ready.retain(|_, known| *known != key);
    }
}

impl Subscription {
    pub(super) fn admits(&self, message: &Message) -> bool {
        let is_own = message.origin.is_some() && message.origin == self.origin;
        !is_own && message.filter.as_ref().is_none_or(|filter| filter.admits(&self.metadata))
    }

    /// Moves messages of about `bytes` bytes into `into`.
    pub(super) fn take(&mut self, topics: &Slab<Topic>, bytes: usize, into: &mut Vec<Delivery>) -> Taken {
        if let Some(end @ (End::Deleted | End::Slow)) = self.ended {
            return Taken::Ended(end);
        }
        let mut left = bytes;
        while let Some(first) = self.first.pop_front() {
            if let Delivery::Message(message) = &first {
                left = left.saturating_sub(message.cost());
            }
            into.push(first);
        }
        loop {
            let (key, mut offset) = match &mut self.source {
                Source::One { topic, offset } => (*topic, *offset),
                Source::Many(many) => match many.ready.pop_first() {
                    None => break,
                    Some((_, key)) => (key, many.offsets[&key]),
                },
            };
            let Some(topic) = topics.get(key) else { break };
            let shares = matches!(self.source, Source::Many(_));
            let before = offset;
            let gap = self.skip(topic, &mut offset, shares);
            if offset != before
                && let Source::Many(many) = &mut self.source
            {
                // Messages of other topics may come before the one to which it was skipped.
                many.offsets.insert(key, offset);
                many.note(key, topic, offset);
                let first = many.ready.keys().next().copied();
                into.extend(gap.map(|gap| {
                    let next = first.map_or(gap.next, |first| Position { offset: first - 1, ..gap.next });
                    Delivery::Gap(Gap { next, ..gap })
                }));
                continue;
            }
            into.extend(gap.map(Delivery::Gap));
            while left > 0
                && let Some(message) = topic.log.get(offset)
            {
                offset += 1;
                if self.admits(message) {
                    left = left.saturating_sub(message.cost());
                    into.push(Delivery::Message(message.clone()));
                }
                if shares {
                    break;
                }
            }
            match &mut self.source {
                Source::One { offset: known, .. } => {
                    *known = offset;
                    if offset < topic.log.next() {
                        return Taken::Some;
                    }
                    self.is_ready = false;
                    if self.ended.is_none() && topic.closed.is_some() {
                        self.ended = Some(End::Closed);
                    }
                    break;
                }
                Source::Many(many) => {
                    many.offsets.insert(key, offset);
                    many.note(key, topic, offset);
                    if left == 0 && !many.ready.is_empty() {
                        return Taken::Some;
                    }
                }
            }
        }
        self.is_ready = false;
        self.ended.map_or(Taken::All, Taken::Ended)
    }

    /// Skips messages that are not kept any more, or that are too many.
    fn skip(&self, topic: &Topic, offset: &mut u64, shares: bool) -> Option<Gap> {
        let log = &topic.log;
        let from = *offset;
        *offset = from.max(log.base());
        let (messages, bytes) = log.behind(*offset);
        let is_over = messages > self.budget.messages || bytes > self.budget.bytes;
        match self.slow {
            _ if messages == 0 => {}
            Slow::Latest => {
                let admitted = (*offset..log.next())
                    .rev()
                    .find(|at| log.get(*at).is_some_and(|message| self.admits(message)));
                *offset = admitted.unwrap_or(log.next());
            }
            Slow::DropOldest if is_over => {
                let kept = (self.budget.messages / 2).max(1);
                *offset = (*offset).max(log.next().saturating_sub(kept));
                while *offset + 1 < log.next() && log.behind(*offset).1 > self.budget.bytes / 2 {
                    *offset += 1;
                }
            }
            Slow::DropOldest | Slow::Close => {}
        }
        let missed = *offset - from;
        if missed == 0 || topic.settings.is_latest || self.slow == Slow::Latest {
            return None;
        }
        let next = match log.get(*offset) {
            Some(message) if shares => Position { offset: message.shared_id.offset - 1, ..message.shared_id },
            _ => Position { offset: *offset, epoch: log.epoch() },
        };
        Some(Gap { missed: Some(missed), next })
    }
}
