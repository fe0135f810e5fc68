//! What a store keeps of topics.

use std::sync::Arc;

use super::state::{Closed, Fork, Lifetime, Topic};
use super::{Content, Message, Millis, Position, ProducerState, TopicName, Topics};

/// Something that a store has to keep.
#[derive(Debug, Clone)]
pub enum Change {
    /// The epoch of the positions among all topics.
    Hub {
        /// The epoch.
        epoch: u64,
    },
    /// A topic was created, or has changed.
    Head(Box<TopicHead>),
    /// A message was added. Its topic may be one that the store does not know.
    Append(Arc<Message>),
    /// Messages were dropped.
    Trim {
        /// Their topic.
        topic: TopicName,
        /// The first offset that is kept.
        base: u64,
        /// The shared offset behind the newest message that was dropped.
        dropped_shared: u64,
        /// The id's offset of the retained message, which is kept.
        retained: Option<u64>,
    },
    /// A producer has published.
    Producer {
        /// The topic.
        topic: TopicName,
        /// The producer.
        id: Box<str>,
        /// What is known of it.
        state: ProducerState,
    },
    /// A topic was removed.
    Remove {
        /// The topic.
        topic: TopicName,
    },
}

/// A topic without its messages.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct TopicHead {
    /// Its name.
    pub name: TopicName,
    /// The media type of its data.
    pub media_type: Box<str>,
    /// The epoch of its positions.
    pub epoch: u64,
    /// The first offset that is kept.
    pub base: u64,
    /// The shared offset behind the newest message that was dropped.
    pub dropped_shared: u64,
    /// No message may follow.
    pub closed: Option<Closed>,
    /// The last sequence that a writer has named.
    pub sequence: Option<Box<str>>,
    /// How long it exists.
    pub lifetime: Lifetime,
    /// Someone has created it.
    pub is_created: bool,
    /// When it was used.
    pub used_at: Millis,
    /// The topic that it continues.
    pub fork: Option<Fork>,
    /// It was deleted, but topics that continue it exist.
    pub is_deleted: bool,
    /// The id's offset of the retained message.
    pub retained: Option<u64>,
}

/// A topic as a store has kept it.
#[derive(Debug)]
pub struct Kept {
    /// The topic.
    pub head: TopicHead,
    /// Its messages in their order. The retained one may be before those that are kept.
    pub messages: Vec<KeptMessage>,
    /// Its producers.
    pub producers: Vec<(Box<str>, ProducerState)>,
}

/// A message as a store has kept it.
#[derive(Debug, Clone)]
pub struct KeptMessage {
    /// The offset of its id.
    pub offset: u64,
    /// The offset of its shared id.
    pub shared: u64,
    /// The name of its event.
    pub event: Option<Box<str>>,
    /// Its key.
    pub key: Option<Box<str>>,
    /// Its data.
    pub data: bytes::Bytes,
    /// It is retained.
    pub is_retained: bool,
    /// It is the last of those that were published together.
    pub ends_batch: bool,
    /// Which subscribers receive it.
    pub filter: Option<super::Filter>,
}

impl TopicHead {
    pub(super) fn of(topic: &Topic) -> TopicHead {
        TopicHead {
            name: topic.name.clone(),
            media_type: topic.media_type.clone(),
            epoch: topic.log.epoch(),
            base: topic.log.base(),
            dropped_shared: topic.log.dropped_shared,
            closed: topic.closed.clone(),
            sequence: topic.sequence.clone(),
            lifetime: topic.lifetime.clone(),
            is_created: topic.is_created,
            used_at: topic.used_at,
            fork: topic.fork.clone(),
            is_deleted: topic.is_deleted,
            retained: topic.retained.as_ref().map(|message| message.id.offset),
        }
    }
}

impl Topics {
    /// Continues with what a store has kept. To be called before anything else.
    pub fn restore(&mut self, epoch: Option<u64>, kept: Vec<Kept>) {
        if let Some(epoch) = epoch {
            self.shared.epoch = epoch;
        }
        for Kept { head, messages, producers } in kept {
            self.restore_one(head, messages, producers);
        }
        let sources: Vec<_> =
            self.topics.iter().filter_map(|(_, topic)| Some(topic.fork.as_ref()?.source.clone())).collect();
        for source in sources {
            if let Some(&key) = self.by_name.get(&source) {
                self.topics[key].forks += 1;
            }
        }
        let keys: Vec<usize> = self.topics.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.trim(key);
            self.arm(key);
        }
    }

    fn restore_one(
        &mut self,
        head: TopicHead,
        messages: Vec<KeptMessage>,
        producers: Vec<(Box<str>, ProducerState)>,
    ) {
        let settings = if head.is_created { self.stream_settings } else { self.settings };
        self.last_epoch = self.last_epoch.max(head.epoch);
        let mut topic = Topic::new(head.name.clone(), &head.media_type, head.epoch, settings, self.now);
        topic.log = super::log::Log::beginning_at(head.epoch, head.base, head.dropped_shared);
        self.shared.offset = self.shared.offset.max(head.dropped_shared);
        for kept in messages {
            self.shared.offset = self.shared.offset.max(kept.shared);
            let message = Arc::new(Message {
                topic: head.name.clone(),
                id: Position { epoch: head.epoch, offset: kept.offset },
                shared_id: Position { epoch: self.shared.epoch, offset: kept.shared },
                event: kept.event,
                key: kept.key,
                data: kept.data,
                content: Content::of(&head.media_type),
                is_retained: kept.is_retained,
                ends_batch: kept.ends_batch,
                filter: kept.filter,
                origin: None,
                bytes_before: topic.log.bytes_ever(),
                encoded: Default::default(),
            });
            if Some(kept.offset) == head.retained || (message.is_retained && kept.offset > head.base) {
                topic.retained = Some(message.clone());
            }
            if let Some(key) = &message.key {
                let limits = (settings.keep.messages, settings.key_lifetime);
                topic.keys.insert(key, message.id, self.now, limits);
            }
            if kept.offset == topic.log.next() + 1 {
                self.bytes += message.cost();
                topic.log.push(message);
            }
        }
        topic.producers.0.extend(producers);
        topic.closed = head.closed;
        topic.sequence = head.sequence;
        topic.lifetime = head.lifetime;
        topic.is_created = head.is_created;
        topic.used_at = head.used_at;
        topic.fork = head.fork;
        topic.is_deleted = head.is_deleted;
        let key = self.topics.insert(topic);
        self.by_name.insert(head.name, key);
    }
}
