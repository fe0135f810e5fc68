//! Topics: named sequences of messages with subscribers, which may continue where they were.
//!
//! | type | what it is |
//! |---|---|
//! | [`Topics`] | all topics and subscribers: publishing, following, reading |
//! | [`Message`] | a message, whose bytes are made once for each [`Encoding`] |
//! | [`Position`] | a place in a topic, the id of the message before it |
//! | [`Subscribe`], [`Delivery`] | what a subscriber wants, and what it receives |
//! | [`Create`], [`Publication`] | what a topic begins as, and what is added |
//! | [`Change`] | what a store has to keep, so that topics survive a restart |
//!
//! Like the engine of lines it does no I/O and has no clock: the time is set by [`Topics::at`], and what has to happen
//! outside comes back as [`TopicAction`]s.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;

use slab::Slab;

use self::state::Topic;
use self::subscription::Subscription;

mod create;
mod error;
mod filter;
mod lifecycle;
mod log;
mod members;
mod message;
mod name;
mod position;
mod presence;
mod producer;
#[cfg(test)]
mod properties;
mod publish;
mod rate;
mod state;
mod store;
mod subscribe;
mod subscription;
#[cfg(test)]
mod tests;

pub use self::create::{Create, Created, ForkRequest};
pub use self::error::TopicError;
pub use self::filter::{Filter, FilterMode, Metadata};
pub use self::log::Keep;
pub use self::message::{Content, Encoding, Message};
pub use self::name::{InvalidName, Pattern, TopicName};
pub use self::position::{From, InvalidPosition, Position};
pub use self::presence::{PresenceChange, PresenceKind, PresenceTimes};
pub use self::producer::{Producer, ProducerState};
pub use self::publish::{Publication, Published, json_entries};
pub use self::rate::Rate;
pub use self::state::{Closed, Fork, Info, Lifetime, Settings};
pub use self::store::{Change, Kept, KeptMessage, TopicHead};
pub use self::subscription::{Budget, Delivery, End, Gap, Slow, SubscriberId, Taken};

/// A time in milliseconds since 1970.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
pub struct Millis(pub u64);

impl Millis {
    /// A later time.
    pub fn plus(self, milliseconds: u64) -> Millis {
        Millis(self.0.saturating_add(milliseconds))
    }
}

/// The limits of all topics together.
#[derive(Debug, Clone, Copy)]
pub struct TopicLimits {
    /// Topics.
    pub topics: usize,
    /// Subscribers.
    pub subscribers: usize,
    /// Bytes of all messages that are kept.
    pub bytes: usize,
    /// Bytes of one message.
    pub message: usize,
    /// Producers of one topic.
    pub producers: usize,
}

impl Default for TopicLimits {
    fn default() -> TopicLimits {
        TopicLimits {
            topics: 10_000,
            subscribers: 100_000,
            bytes: 256 << 20,
            message: 8 << 20,
            producers: 1000,
        }
    }
}

/// What the driver has to do.
#[derive(Debug)]
pub enum TopicAction {
    /// The subscriber has something to take.
    Wake(SubscriberId),
    /// The store has to keep this. Only with [`Topics::keep_changes`].
    Store(Change),
}

/// What a subscriber wants.
#[derive(Debug, Clone)]
pub struct Subscribe {
    /// The topics.
    pub to: Target,
    /// Where it begins. Positions of several topics are [`Message::shared_id`]s.
    pub from: From,
    /// What is known of it, for filters.
    pub metadata: Metadata,
    /// The connection whose own messages it does not receive.
    pub origin: Option<u64>,
    /// What becomes of it over its budget.
    pub slow: Slow,
    /// How far it may be behind in a topic.
    pub budget: Budget,
    /// It receives the values that topics retain first.
    pub wants_retained: bool,
}

impl Subscribe {
    /// A subscriber of one topic, from now on.
    pub fn to(topic: TopicName) -> Subscribe {
        Subscribe {
            to: Target::Topic(topic),
            from: From::Now,
            metadata: Metadata::new(),
            origin: None,
            slow: Slow::DropOldest,
            budget: Budget { messages: u64::MAX, bytes: u64::MAX },
            wants_retained: true,
        }
    }
}

/// What a subscriber follows.
#[derive(Debug, Clone)]
pub enum Target {
    /// One topic.
    Topic(TopicName),
    /// All topics that one of the patterns matches, also later ones.
    Patterns(Vec<Pattern>),
}

/// Messages of a topic.
#[derive(Debug)]
pub struct Read {
    /// The messages.
    pub messages: Vec<Arc<Message>>,
    /// The position before them.
    pub start: Position,
    /// The position behind them.
    pub next: Position,
    /// There are no more for now.
    pub is_up_to_date: bool,
    /// There are no more, and none will follow.
    pub is_at_end: bool,
    /// What is known of the topic.
    pub info: Info,
}

/// Counters of all topics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TopicStats {
    /// Topics.
    pub topics: usize,
    /// Subscribers.
    pub subscribers: usize,
    /// Bytes of the messages that are kept.
    pub bytes: usize,
    /// Messages that were published.
    pub published: u64,
    /// Messages that subscribers have taken.
    pub delivered: u64,
    /// Messages that subscribers missed.
    pub missed: u64,
}

/// All topics of a process.
#[derive(Debug)]
pub struct Topics {
    limits: TopicLimits,
    /// The settings of topics that have none of their own.
    settings: Settings,
    /// The settings of topics that were created as streams.
    stream_settings: Settings,
    now: Millis,
    topics: Slab<Topic>,
    by_name: HashMap<TopicName, usize>,
    subscriptions: Slab<Subscription>,
    /// Subscribers with patterns.
    matchers: BTreeSet<SubscriberId>,
    next_serial: u32,
    /// The newest epoch of a topic.
    last_epoch: u64,
    /// The position behind the newest message of all topics.
    shared: Position,
    /// The newest message of topics that were removed, among the messages of all topics.
    removed_shared: u64,
    deadlines: BTreeSet<(Millis, usize)>,
    /// Topics that were blank when they were last left, by when that was.
    blank: BTreeSet<(Millis, usize)>,
    bytes: usize,
    published: u64,
    delivered: u64,
    missed: u64,
    keeps_changes: bool,
    /// The store is too far behind, so that nothing more is published.
    is_store_full: bool,
    actions: Vec<TopicAction>,
}

impl Topics {
    /// No topics yet.
    pub fn new(limits: TopicLimits, settings: Settings, now: Millis) -> Topics {
        let keep = Keep { messages: usize::MAX, bytes: limits.bytes / 4, refuses: true };
        Topics {
            limits,
            settings,
            stream_settings: Settings { keep, ..settings },
            now,
            topics: Slab::new(),
            by_name: HashMap::new(),
            subscriptions: Slab::new(),
            matchers: BTreeSet::new(),
            next_serial: 0,
            last_epoch: now.0,
            shared: Position { epoch: now.0, offset: 0 },
            removed_shared: 0,
            deadlines: BTreeSet::new(),
            blank: BTreeSet::new(),
            bytes: 0,
            published: 0,
            delivered: 0,
            missed: 0,
            keeps_changes: false,
            is_store_full: false,
            actions: Vec::new(),
        }
    }

    /// The time of what follows. It does not go back.
    pub fn at(&mut self, now: Millis) {
        self.now = self.now.max(now);
    }

    /// Changes are returned as [`TopicAction::Store`] from now on.
    pub fn keep_changes(&mut self) {
        self.keeps_changes = true;
        self.change(Change::Hub { epoch: self.shared.epoch });
    }

    /// Whether the store is too far behind. Until it is not, publications are refused.
    pub fn set_store_full(&mut self, is_full: bool) {
        self.is_store_full = is_full;
    }

    /// What has to be done since the last call.
    pub fn actions(&mut self) -> std::vec::Drain<'_, TopicAction> {
        self.actions.drain(..)
    }

    /// The counters.
    pub fn stats(&self) -> TopicStats {
        TopicStats {
            topics: self.topics.len(),
            subscribers: self.subscriptions.len(),
            bytes: self.bytes,
            published: self.published,
            delivered: self.delivered,
            missed: self.missed,
        }
    }

    /// What is known of a topic.
    ///
    /// # Errors
    ///
    /// - [`TopicError::Unknown`]: there is no such topic.
    /// - [`TopicError::Deleted`]: it was deleted, and other topics continue it.
    pub fn info(&mut self, name: &TopicName) -> Result<Info, TopicError> {
        let key = self.existing(name)?;
        Ok(self.topics[key].info())
    }

    /// The newest message of a topic: the retained one, or the last one that is kept.
    pub fn latest(&mut self, name: &TopicName) -> Option<Arc<Message>> {
        let key = self.existing(name).ok()?;
        let topic = &self.topics[key];
        topic.log.newest().or(topic.retained.as_ref()).cloned()
    }

    /// The position of a message among those of all topics, if it is kept. `id` is its position in its topic.
    pub fn shared_id(&mut self, name: &TopicName, id: Position) -> Option<Position> {
        let key = self.existing(name).ok()?;
        let message = self.topics[key].log.get(id.offset.checked_sub(1)?)?;
        (message.id == id).then_some(message.shared_id)
    }

    /// The names of topics that begin with this text.
    pub fn names(&self, beginning: &str) -> Vec<TopicName> {
        self.by_name.keys().filter(|name| name.as_str().starts_with(beginning)).cloned().collect()
    }

    /// Whether there is a topic of this name.
    pub fn exists(&mut self, name: &TopicName) -> bool {
        self.existing(name).is_ok()
    }

    /// Removes a topic that nobody has created and nobody has used for so many milliseconds. Returns whether it is gone.
    pub fn remove_unused(&mut self, name: &TopicName, idle: u64) -> bool {
        let Ok(key) = self.existing(name) else { return true };
        let topic = &self.topics[key];
        let is_unused = !topic.is_created && topic.is_unused() && topic.used_at.plus(idle) <= self.now;
        if is_unused {
            self.delete_key(key);
        }
        is_unused
    }

    /// Creates a topic with the usual settings if there is none.
    ///
    /// # Errors
    ///
    /// - [`TopicError::Deleted`]: a topic of this name was deleted, and other topics continue it.
    /// - [`TopicError::TooMany`]: there are [`TopicLimits::topics`] topics, and none can be removed to make room.
    pub fn ensure(&mut self, name: &TopicName) -> Result<(), TopicError> {
        self.existing_or_new(name).map(drop)
    }

    /// Sets how a topic behaves, and creates it if there is none.
    ///
    /// # Errors
    ///
    /// As [`Topics::ensure`].
    pub fn configure(&mut self, name: &TopicName, settings: Settings) -> Result<(), TopicError> {
        let key = self.existing_or_new(name)?;
        let topic = &mut self.topics[key];
        let settings = if topic.is_created && topic.settings.keep.refuses {
            Settings { keep: topic.settings.keep, ..settings }
        } else {
            settings
        };
        topic.settings = settings;
        topic.is_configured = true;
        self.trim(key);
        self.arm(key);
        Ok(())
    }

    /// The settings of topics that have none of their own.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Reads messages of about `bytes` bytes, and one at least if there is one.
    ///
    /// # Errors
    ///
    /// - [`TopicError::Unknown`], [`TopicError::Deleted`]: as for [`Topics::info`].
    /// - [`TopicError::Gone`]: the messages after the position are not kept any more, or the position is of an earlier
    ///   topic of this name.
    /// - [`TopicError::Beyond`]: the position is after the newest message.
    pub fn read(&mut self, name: &TopicName, from: From, bytes: usize) -> Result<Read, TopicError> {
        let key = self.existing(name)?;
        let topic = &self.topics[key];
        let start = self.begin(key, from)?;
        let (mut offset, mut left, mut messages) = (start, bytes, Vec::new());
        while left > 0
            && let Some(message) = topic.log.get(offset)
        {
            offset += 1;
            left = left.saturating_sub(message.cost());
            messages.push(message.clone());
        }
        let is_up_to_date = offset == topic.log.next();
        let epoch = topic.log.epoch();
        let read = Read {
            messages,
            start: Position { epoch, offset: start },
            next: Position { epoch, offset },
            is_up_to_date,
            is_at_end: is_up_to_date && topic.closed.is_some(),
            info: topic.info(),
        };
        self.used(key);
        Ok(read)
    }

    fn begin(&self, key: usize, from: From) -> Result<u64, TopicError> {
        let topic = &self.topics[key];
        match from {
            From::Start => Ok(topic.log.base()),
            From::Now => Ok(topic.log.next()),
            From::Last(messages) => Ok(topic.log.next().saturating_sub(messages).max(topic.log.base())),
            From::After(position) => topic.offset_of(position),
        }
    }

    /// When [`Topics::tick`] has something to do.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Removes topics and members whose time is over.
    pub fn tick(&mut self) {
        while let Some(&(at, key)) = self.deadlines.first()
            && at <= self.now
        {
            self.deadlines.pop_first();
            let Some(topic) = self.topics.get_mut(key) else { continue };
            topic.armed = None;
            let changes = topic.presence.tick(self.now);
            let name = topic.name.clone();
            self.announce(&name, changes);
            if self.topics[key].expires_at().is_some_and(|at| at <= self.now) {
                self.delete_key(key);
            } else {
                self.arm(key);
            }
        }
    }

    /// The topic was used, which may postpone its end.
    fn used(&mut self, key: usize) {
        self.topics[key].used_at = self.now;
    }

    /// Lists a topic by its deadline, and by the time since when it is blank. A deadline that is too early is moved when
    /// it comes.
    fn arm(&mut self, key: usize) {
        let topic = &mut self.topics[key];
        let blank_since = topic.is_blank().then_some(topic.used_at);
        if blank_since != topic.blank_since {
            if let Some(before) = std::mem::replace(&mut topic.blank_since, blank_since) {
                self.blank.remove(&(before, key));
            }
            self.blank.extend(blank_since.map(|since| (since, key)));
        }
        let at = [topic.expires_at(), topic.presence.next_deadline()].into_iter().flatten().min();
        let Some(at) = at else { return };
        if topic.armed.is_some_and(|armed| armed <= at) {
            return;
        }
        if let Some(armed) = topic.armed.replace(at) {
            self.deadlines.remove(&(armed, key));
        }
        self.deadlines.insert((at, key));
    }
}
