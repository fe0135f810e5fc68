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

use self::name::MAX_PATTERNS;
use self::state::Topic;
use self::subscription::{Many, Source, Subscription};

mod create;
mod error;
mod filter;
mod log;
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

    /// The names of topics that begin so.
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
    pub fn ensure(&mut self, name: &TopicName) -> Result<(), TopicError> {
        self.existing_or_new(name).map(drop)
    }

    /// Sets how a topic behaves, and creates it if there is none.
    pub fn configure(&mut self, name: &TopicName, settings: Settings) -> Result<(), TopicError> {
        let key = self.existing_or_new(name)?;
        let topic = &mut self.topics[key];
        let settings = if topic.is_created && topic.settings.keep.refuses {
            Settings { keep: topic.settings.keep, ..settings }
        } else {
            settings
        };
        topic.settings = settings;
        self.trim(key);
        self.arm(key);
        Ok(())
    }

    /// The settings of topics that have none of their own.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    // -- reading -------------------------------------------------------------------------------------------------

    /// Reads messages of about `bytes` bytes, of one at least.
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

    // -- subscribers ---------------------------------------------------------------------------------------------

    /// A subscriber, which has something to take if it does not begin at the end. A topic that does not exist is created.
    /// Where messages are missing since the position at which it continues, it receives a [`Gap`] first.
    pub fn subscribe(&mut self, subscribe: Subscribe) -> Result<SubscriberId, TopicError> {
        if self.subscriptions.len() >= self.limits.subscribers {
            return Err(TopicError::TooMany { what: "subscribers", limit: self.limits.subscribers });
        }
        let Subscribe { to, from, metadata, origin, slow, budget, wants_retained } = subscribe;
        self.next_serial = self.next_serial.wrapping_add(1);
        let id = SubscriberId { index: self.subscriptions.vacant_key() as u32, serial: self.next_serial };
        let mut subscription = Subscription {
            serial: id.serial,
            source: Source::One { topic: usize::MAX, offset: 0 },
            metadata,
            origin,
            slow,
            budget,
            first: Default::default(),
            is_ready: true,
            ended: None,
        };
        match to {
            Target::Topic(name) => {
                let key = self.existing_or_new(&name)?;
                let offset = match self.begin(key, from) {
                    Ok(offset) => offset,
                    Err(error) => {
                        subscription.first.push_back(Delivery::Gap(self.gap(key, from, &error)));
                        self.topics[key].log.base()
                    }
                };
                subscription.source = Source::One { topic: key, offset };
                self.topics[key].subscribers.insert(id);
                if wants_retained {
                    self.retained(key, offset, &mut subscription);
                }
                self.used(key);
                self.arm(key);
            }
            Target::Patterns(mut patterns) => {
                patterns.truncate(MAX_PATTERNS);
                let names: Vec<_> = patterns.iter().filter_map(Pattern::exact).collect();
                for name in names {
                    self.existing_or_new(&name)?;
                }
                subscription.source = Source::Many(Box::new(Many { patterns, ..Many::default() }));
                self.join_all(id, from, wants_retained, &mut subscription);
                self.matchers.insert(id);
            }
        }
        let key = self.subscriptions.insert(subscription);
        debug_assert_eq!(key, id.index());
        Ok(id)
    }

    /// A subscriber with patterns begins in every topic that they match.
    fn join_all(
        &mut self,
        id: SubscriberId,
        from: From,
        wants_retained: bool,
        subscription: &mut Subscription,
    ) {
        let Source::Many(many) = &subscription.source else { return };
        let matches = |topic: &Topic| many.patterns.iter().any(|pattern| pattern.matches(&topic.name));
        let keys: Vec<(usize, bool)> = self
            .topics
            .iter()
            .filter(|(_, topic)| !topic.is_deleted && matches(topic))
            .map(|(key, topic)| (key, many.matches_only(topic)))
            .collect();
        let after = match from {
            From::After(position)
                if position.epoch == self.shared.epoch || position == Position::default() =>
            {
                Some(position.offset)
            }
            _ => None,
        };
        let is_unknown =
            matches!(from, From::After(_)) && after.is_none_or(|after| after > self.shared.offset);
        let mut has_gap = is_unknown;
        // Messages of topics that were removed are not kept either.
        has_gap |= after.is_some_and(|after| after < self.removed_shared);
        for (key, matches_only) in keys {
            let topic = &mut self.topics[key];
            topic.subscribers.insert(id);
            topic.matching += usize::from(matches_only);
            let offset = match (from, after) {
                (From::Start, _) => topic.log.base(),
                (From::Now, _) => topic.log.next(),
                (From::Last(messages), _) => topic.log.next().saturating_sub(messages).max(topic.log.base()),
                (From::After(_), Some(after)) if !is_unknown => {
                    has_gap |= after < topic.log.dropped_shared && !topic.settings.is_latest;
                    topic.log.after_shared(after)
                }
                (From::After(_), _) => topic.log.base(),
            };
            if wants_retained {
                self.retained(key, offset, subscription);
            }
            let Source::Many(many) = &mut subscription.source else { return };
            many.offsets.insert(key, offset);
            many.note(key, &self.topics[key], offset);
        }
        if has_gap {
            let Source::Many(many) = &subscription.source else { return };
            let next = many.ready.keys().next().map_or(self.shared.offset, |first| first - 1);
            let next = Position { offset: next, ..self.shared };
            subscription.first.push_front(Delivery::Gap(Gap { missed: None, next }));
        }
    }

    /// The retained value of a topic comes first, unless the subscriber will receive it or has received it.
    fn retained(&self, key: usize, offset: u64, subscription: &mut Subscription) {
        let topic = &self.topics[key];
        let Some(retained) = &topic.retained else { return };
        let comes = retained.id.offset > offset;
        let is_new = offset == topic.log.next() || comes;
        if !comes && is_new && subscription.admits(retained) {
            subscription.first.push_back(Delivery::Message(retained.clone()));
        }
    }

    fn gap(&self, key: usize, from: From, error: &TopicError) -> Gap {
        let topic = &self.topics[key];
        let missed = match (from, error) {
            (From::After(position), TopicError::Gone { oldest }) if position.epoch == oldest.epoch => {
                Some(oldest.offset - position.offset)
            }
            _ => None,
        };
        Gap { missed, next: topic.oldest() }
    }

    /// Moves messages of about `bytes` bytes into `into`.
    pub fn take(&mut self, id: SubscriberId, bytes: usize, into: &mut Vec<Delivery>) -> Taken {
        let Some(subscription) =
            self.subscriptions.get_mut(id.index()).filter(|known| known.serial == id.serial)
        else {
            return Taken::Ended(End::Deleted);
        };
        let before = into.len();
        let taken = subscription.take(&self.topics, bytes, into);
        for delivery in &into[before..] {
            match delivery {
                Delivery::Gap(gap) => self.missed += gap.missed.unwrap_or_default(),
                Delivery::Message(_) => self.delivered += 1,
            }
        }
        taken
    }

    /// The position that a subscriber of one topic has reached.
    pub fn position(&self, id: SubscriberId) -> Option<Position> {
        let known = self.subscriptions.get(id.index()).filter(|known| known.serial == id.serial)?;
        match known.source {
            Source::One { topic, offset } if known.ended != Some(End::Deleted) => {
                Some(Position { epoch: self.topics.get(topic)?.log.epoch(), offset })
            }
            _ => None,
        }
    }

    /// A subscriber is gone.
    pub fn unsubscribe(&mut self, id: SubscriberId) {
        if self.subscriptions.get(id.index()).is_none_or(|known| known.serial != id.serial) {
            return;
        }
        let known = self.subscriptions.remove(id.index());
        self.matchers.remove(&id);
        let (keys, many): (Vec<usize>, _) = match known.source {
            Source::One { topic, .. } => (vec![topic], None),
            Source::Many(many) => (many.offsets.keys().copied().collect(), Some(many)),
        };
        for key in keys {
            let Some(topic) = self.topics.get_mut(key) else { continue };
            if topic.subscribers.remove(&id) {
                topic.matching -= usize::from(many.as_ref().is_some_and(|many| many.matches_only(topic)));
                self.used(key);
                self.arm(key);
            }
        }
    }

    // -- presence ------------------------------------------------------------------------------------------------

    /// A connection enters a topic for a member. Subscribers of [`TopicName::of_presence`] are informed.
    pub fn enter(
        &mut self,
        name: &TopicName,
        connection: u64,
        member: &str,
        data: bytes::Bytes,
        times: Option<PresenceTimes>,
    ) -> Result<(), TopicError> {
        let key = self.existing_or_new(name)?;
        let times = times.unwrap_or(self.topics[key].settings.presence);
        let changes = self.topics[key].presence.enter(connection, member, data, times, self.now);
        self.announce(name, changes);
        self.arm(key);
        Ok(())
    }

    /// A connection gave a sign of life. Returns whether it is present.
    pub fn alive(&mut self, name: &TopicName, connection: u64) -> bool {
        let Some(&key) = self.by_name.get(name) else { return false };
        let is_known = self.topics[key].presence.alive(connection, self.now);
        self.arm(key);
        is_known
    }

    /// A connection leaves a topic on purpose, or was lost.
    pub fn leave(&mut self, name: &TopicName, connection: u64, is_lost: bool) {
        let Some(&key) = self.by_name.get(name) else { return };
        let presence = &mut self.topics[key].presence;
        let change = match is_lost {
            true => presence.lost(connection, self.now),
            false => presence.leave(connection),
        };
        self.announce(name, change);
        self.used(key);
        self.arm(key);
    }

    /// Who is present, with JSON about each.
    pub fn members(&self, name: &TopicName) -> Vec<(Arc<str>, bytes::Bytes)> {
        let Some(&key) = self.by_name.get(name) else { return Vec::new() };
        let members = self.topics[key].presence.members();
        members.map(|(member, data)| (member.clone(), data.clone())).collect()
    }

    fn announce(&mut self, name: &TopicName, changes: impl IntoIterator<Item = PresenceChange>) {
        let topic = name.of_presence();
        for change in changes {
            if !self.by_name.contains_key(&topic) {
                // Nobody follows it.
                return;
            }
            let data = serde_json::from_slice::<&serde_json::value::RawValue>(&change.data).ok();
            let text = serde_json::json!({ "type": change.kind.name(), "id": &*change.member });
            let mut text = text.to_string();
            if let Some(data) = data {
                text.pop();
                text.push_str(",\"data\":");
                text.push_str(data.get());
                text.push('}');
            }
            // A full hub loses the notice, not the change.
            let _ = self.publish(&topic, Publication::of(text.into()));
        }
    }

    // -- time ----------------------------------------------------------------------------------------------------

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

    /// Sets the deadline of a topic. One that is too early is moved when it comes.
    fn arm(&mut self, key: usize) {
        let topic = &mut self.topics[key];
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

    // -- topics --------------------------------------------------------------------------------------------------

    /// The topic of a name, if its time is not over.
    fn existing(&mut self, name: &TopicName) -> Result<usize, TopicError> {
        let &key = self.by_name.get(name).ok_or(TopicError::Unknown)?;
        let topic = &self.topics[key];
        if topic.is_deleted {
            return Err(TopicError::Deleted);
        }
        if topic.expires_at().is_some_and(|at| at <= self.now) {
            self.delete_key(key);
            return Err(if self.by_name.contains_key(name) {
                TopicError::Deleted
            } else {
                TopicError::Unknown
            });
        }
        Ok(key)
    }

    fn existing_or_new(&mut self, name: &TopicName) -> Result<usize, TopicError> {
        match self.existing(name) {
            Err(TopicError::Unknown) => self.insert(name.clone(), "application/json", None, self.settings),
            found => found,
        }
    }

    /// A new topic, which subscribers whose patterns match it follow from its beginning.
    fn insert(
        &mut self,
        name: TopicName,
        media_type: &str,
        epoch: Option<u64>,
        settings: Settings,
    ) -> Result<usize, TopicError> {
        if self.topics.len() >= self.limits.topics && !self.evict() {
            return Err(TopicError::TooMany { what: "topics", limit: self.limits.topics });
        }
        let epoch = epoch.unwrap_or_else(|| {
            self.last_epoch = self.now.0.max(self.last_epoch + 1);
            self.last_epoch
        });
        let topic = Topic::new(name.clone(), media_type, epoch, settings, self.now);
        let key = self.topics.insert(topic);
        self.by_name.insert(name.clone(), key);
        for id in self.matchers.clone() {
            let Source::Many(many) = &mut self.subscriptions[id.index()].source else { continue };
            if many.patterns.iter().any(|pattern| pattern.matches(&name)) {
                many.offsets.insert(key, 0);
                let topic = &mut self.topics[key];
                topic.subscribers.insert(id);
                topic.matching += usize::from(many.matches_only(topic));
            }
        }
        self.arm(key);
        Ok(key)
    }

    /// Removes a topic that nobody uses, one that was not used for long if possible.
    fn evict(&mut self) -> bool {
        const LOOKED_AT: usize = 64;
        let unused = |key: usize| {
            let topic = &self.topics[key];
            !topic.is_created && topic.is_unused()
        };
        let found = self.deadlines.iter().take(LOOKED_AT).map(|(_, key)| *key).find(|key| unused(*key));
        if let Some(key) = found {
            self.delete_key(key);
        }
        found.is_some()
    }

    /// Deletes a topic. While others continue it, its name stays in use.
    pub fn delete(&mut self, name: &TopicName) -> Result<(), TopicError> {
        let key = self.existing(name)?;
        self.delete_key(key);
        Ok(())
    }

    fn delete_key(&mut self, key: usize) {
        let mut next = Some(key);
        while let Some(key) = next.take() {
            let topic = &mut self.topics[key];
            self.bytes -= topic.log.bytes();
            topic.matching = 0;
            if let Some(newest) = topic.log.newest().filter(|newest| !newest.topic.is_of_presence()) {
                self.removed_shared = self.removed_shared.max(newest.shared_id.offset);
            }
            for id in std::mem::take(&mut topic.subscribers) {
                let known = &mut self.subscriptions[id.index()];
                if let Source::Many(many) = &mut known.source {
                    many.remove(key);
                    continue;
                }
                known.ended = Some(End::Deleted);
                if !std::mem::replace(&mut known.is_ready, true) {
                    self.actions.push(TopicAction::Wake(id));
                }
            }
            let topic = &mut self.topics[key];
            let name = topic.name.clone();
            if topic.forks > 0 {
                topic.is_deleted = true;
                topic.retained = None;
                topic.log =
                    log::Log::beginning_at(topic.log.epoch(), topic.log.next(), topic.log.dropped_shared);
                self.change_head(key);
                return;
            }
            if let Some(armed) = topic.armed {
                self.deadlines.remove(&(armed, key));
            }
            let topic = self.topics.remove(key);
            self.by_name.remove(&name);
            self.change(Change::Remove { topic: name });
            if let Some(fork) = topic.fork
                && let Some(&source) = self.by_name.get(&fork.source)
            {
                let source_topic = &mut self.topics[source];
                source_topic.forks -= 1;
                // The last topic that continued a deleted one is gone.
                next = (source_topic.is_deleted && source_topic.forks == 0).then_some(source);
            }
        }
    }

    fn change(&mut self, change: Change) {
        if self.keeps_changes {
            self.actions.push(TopicAction::Store(change));
        }
    }

    fn change_head(&mut self, key: usize) {
        if self.keeps_changes && !self.topics[key].name.is_of_presence() {
            let head = TopicHead::of(&self.topics[key]);
            self.actions.push(TopicAction::Store(Change::Head(Box::new(head))));
        }
    }
}
