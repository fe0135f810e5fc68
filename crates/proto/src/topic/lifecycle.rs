//! Topics from their first message to their deletion.

use super::log::Log;
use super::state::Topic;
use super::subscription::Source;
use super::{Change, End, Settings, TopicAction, TopicError, TopicHead, TopicName, Topics};

impl Topics {
    /// The topic of a name, if its time is not over.
    pub(super) fn existing(&mut self, name: &TopicName) -> Result<usize, TopicError> {
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

    pub(super) fn existing_or_new(&mut self, name: &TopicName) -> Result<usize, TopicError> {
        match self.existing(name) {
            Err(TopicError::Unknown) => self.insert(name.clone(), "application/json", None, self.settings),
            found => found,
        }
    }

    /// A new topic, which subscribers whose patterns match it follow from its beginning.
    pub(super) fn insert(
        &mut self,
        name: TopicName,
        media_type: &str,
        epoch: Option<u64>,
        settings: Settings,
    ) -> Result<usize, TopicError> {
        if self.topics.len() >= self.limits.topics && !self.evict_blank() && !self.evict() {
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

    /// Removes a topic that nobody uses and that never held anything: a client that only reads creates it. Otherwise such
    /// a client could have the messages of others removed.
    fn evict_blank(&mut self) -> bool {
        while let Some((_, key)) = self.blank.pop_first() {
            let topic = &mut self.topics[key];
            topic.blank_since = None;
            // A topic in use is dropped from the list; `arm` lists it again when its last subscriber leaves.
            if topic.is_blank() {
                self.delete_key(key);
                return true;
            }
        }
        false
    }

    /// Removes a topic that nobody uses, one that was not used for long if possible.
    pub(super) fn evict(&mut self) -> bool {
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
    ///
    /// # Errors
    ///
    /// - [`TopicError::Unknown`]: there is no such topic.
    /// - [`TopicError::Deleted`]: it was deleted before, and other topics continue it.
    pub fn delete(&mut self, name: &TopicName) -> Result<(), TopicError> {
        let key = self.existing(name)?;
        self.delete_key(key);
        Ok(())
    }

    pub(super) fn delete_key(&mut self, key: usize) {
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
                topic.log = Log::beginning_at(topic.log.epoch(), topic.log.next(), topic.log.dropped_shared);
                self.change_head(key);
                return;
            }
            if let Some(armed) = topic.armed {
                self.deadlines.remove(&(armed, key));
            }
            if let Some(since) = topic.blank_since {
                self.blank.remove(&(since, key));
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
                self.arm(source);
            }
        }
    }

    pub(super) fn change(&mut self, change: Change) {
        if self.keeps_changes {
            self.actions.push(TopicAction::Store(change));
        }
    }

    pub(super) fn change_head(&mut self, key: usize) {
        if self.keeps_changes && !self.topics[key].name.is_of_presence() {
            let head = TopicHead::of(&self.topics[key]);
            self.actions.push(TopicAction::Store(Change::Head(Box::new(head))));
        }
    }
}
