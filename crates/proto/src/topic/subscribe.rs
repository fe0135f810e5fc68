//! Following topics: subscribing, taking what is due, unsubscribing.

use super::name::MAX_PATTERNS;
use super::state::Topic;
use super::subscription::{Many, Source, Subscription};
use super::{
    Delivery, End, From, Gap, Pattern, Position, Subscribe, SubscriberId, Taken, Target, TopicError, Topics,
};

impl Topics {
    /// Adds a subscriber, which has something to take unless it begins at the end. A topic that does not exist is
    /// created. If messages are missing after the position at which the subscriber continues, it receives a [`Gap`]
    /// first.
    ///
    /// # Errors
    ///
    /// - [`TopicError::TooMany`]: there are [`TopicLimits::subscribers`](super::TopicLimits::subscribers) subscribers,
    ///   or a topic cannot be created because there are [`TopicLimits::topics`](super::TopicLimits::topics) topics.
    /// - [`TopicError::Deleted`]: a topic of this name was deleted, and other topics continue it.
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
}
