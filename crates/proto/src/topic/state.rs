//! One topic.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::log::{Keep, Log};
use super::presence::{Presence, PresenceTimes};
use super::producer::{Keys, Producer, Producers};
use super::rate::{Buckets, Rate};
use super::{Content, Message, Millis, Position, SubscriberId, TopicError, TopicName};

/// How a topic behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// How much is kept.
    pub keep: Keep,
    /// Only the latest message counts: it alone is kept, and every new subscriber receives it.
    pub is_latest: bool,
    /// How fast messages may come.
    pub rate: Option<Rate>,
    /// How fast the messages of one publisher may come.
    pub publisher_rate: Option<Rate>,
    /// Milliseconds after which a topic that nobody has created, follows or publishes to is removed.
    pub idle: u64,
    /// Milliseconds for which the key of a message is known.
    pub key_lifetime: u64,
    /// How long members stay without a sign of life.
    pub presence: PresenceTimes,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            keep: Keep { messages: 1000, bytes: 1 << 20, refuses: false },
            is_latest: false,
            rate: None,
            publisher_rate: None,
            idle: 3_600_000,
            key_lifetime: 600_000,
            presence: PresenceTimes { grace: 2000, expiry: None },
        }
    }
}

impl Settings {
    /// What is kept, of `latest` topics one message.
    pub(super) fn kept(&self) -> Keep {
        match self.is_latest {
            true => Keep { messages: 1, ..self.keep },
            false => self.keep,
        }
    }
}

/// How long a topic exists.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Lifetime {
    /// Until it is deleted.
    Unlimited,
    /// For this many milliseconds after it was last read or written.
    Sliding(u64),
    /// Until a time.
    Until(Millis),
}

/// Where a topic continues another one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Fork {
    /// The other topic.
    pub source: TopicName,
    /// The first offset that it does not have from there.
    pub offset: u64,
    /// Bytes of the message at the offset that it has, or messages of the batch there.
    pub sub_offset: u64,
}

/// No message may follow.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Closed {
    /// The producer that closed the topic.
    pub by: Option<Producer>,
}

/// What is known of a topic without its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The media type of its data.
    pub media_type: Box<str>,
    /// What its data is.
    pub content: Content,
    /// The position behind the newest message.
    pub tail: Position,
    /// The position before the oldest message that is kept.
    pub oldest: Position,
    /// No message may follow.
    pub is_closed: bool,
    /// How long it exists.
    pub lifetime: Lifetime,
    /// How many subscribers it has.
    pub subscribers: usize,
}

#[derive(Debug)]
pub(super) struct Topic {
    pub(super) name: TopicName,
    pub(super) media_type: Box<str>,
    pub(super) content: Content,
    pub(super) settings: Settings,
    pub(super) log: Log,
    pub(super) retained: Option<Arc<Message>>,
    pub(super) producers: Producers,
    pub(super) keys: Keys,
    pub(super) buckets: Buckets,
    pub(super) presence: Presence,
    pub(super) closed: Option<Closed>,
    /// The last sequence that a writer has named.
    pub(super) sequence: Option<Box<str>>,
    pub(super) lifetime: Lifetime,
    /// Someone has created it, so that it is not removed when nobody uses it.
    pub(super) is_created: bool,
    /// Code has set how it behaves.
    pub(super) is_configured: bool,
    pub(super) used_at: Millis,
    pub(super) fork: Option<Fork>,
    /// How many topics continue this one.
    pub(super) forks: usize,
    /// It was deleted, but topics that continue it exist.
    pub(super) is_deleted: bool,
    pub(super) subscribers: BTreeSet<SubscriberId>,
    /// How many of them follow it because a pattern with a wildcard matches its name.
    pub(super) matching: usize,
    /// The deadline that is in the list of the hub.
    pub(super) armed: Option<Millis>,
    /// The time under which it is in the hub's list of blank topics.
    pub(super) blank_since: Option<Millis>,
}

impl Topic {
    pub(super) fn new(
        name: TopicName,
        media_type: &str,
        epoch: u64,
        settings: Settings,
        now: Millis,
    ) -> Topic {
        Topic {
            name,
            content: Content::of(media_type),
            media_type: media_type.into(),
            settings,
            log: Log::new(epoch),
            retained: None,
            producers: Producers::default(),
            keys: Keys::default(),
            buckets: Buckets::default(),
            presence: Presence::default(),
            closed: None,
            sequence: None,
            lifetime: Lifetime::Unlimited,
            is_created: false,
            is_configured: false,
            used_at: now,
            fork: None,
            forks: 0,
            is_deleted: false,
            subscribers: BTreeSet::new(),
            matching: 0,
            armed: None,
            blank_since: None,
        }
    }

    pub(super) fn info(&self) -> Info {
        Info {
            media_type: self.media_type.clone(),
            content: self.content,
            tail: self.log.tail(),
            oldest: self.oldest(),
            is_closed: self.closed.is_some(),
            lifetime: self.lifetime.clone(),
            subscribers: self.subscribers.len(),
        }
    }

    pub(super) fn oldest(&self) -> Position {
        Position { offset: self.log.base(), ..self.log.tail() }
    }

    /// When it is removed, if nothing happens before.
    pub(super) fn expires_at(&self) -> Option<Millis> {
        match self.lifetime {
            Lifetime::Sliding(time) => Some(self.used_at.plus(time)),
            Lifetime::Until(at) => Some(at),
            Lifetime::Unlimited if self.is_created || self.is_deleted || !self.is_unused() => None,
            Lifetime::Unlimited => Some(self.used_at.plus(self.settings.idle)),
        }
    }

    /// Nobody follows it by its name.
    pub(super) fn is_unused(&self) -> bool {
        self.subscribers.len() == self.matching && self.presence.is_empty() && self.forks == 0
    }

    /// Nobody follows it, and nobody has created it, configured it or published to it.
    pub(super) fn is_blank(&self) -> bool {
        let is_written = self.log.next() > 0 || self.closed.is_some();
        !is_written && !self.is_created && !self.is_configured && self.fork.is_none() && self.is_unused()
    }

    /// The offset that a position stands for, if its messages are kept.
    pub(super) fn offset_of(&self, position: Position) -> Result<u64, TopicError> {
        if position == Position::default() {
            // The beginning of any topic.
            return self.kept(0);
        }
        if position.epoch != self.log.epoch() {
            return Err(TopicError::Gone { oldest: self.oldest() });
        }
        self.kept(position.offset)
    }

    fn kept(&self, offset: u64) -> Result<u64, TopicError> {
        if offset > self.log.next() {
            return Err(TopicError::Beyond);
        }
        // A topic of which only the latest counts has no gaps.
        if offset < self.log.base() && !self.settings.is_latest {
            return Err(TopicError::Gone { oldest: self.oldest() });
        }
        Ok(offset.max(self.log.base()))
    }
}

/// The essence of a media type, for comparisons.
pub(super) fn is_same_type(one: &str, other: &str) -> bool {
    let essence = |text: &str| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence(one) == essence(other)
}
