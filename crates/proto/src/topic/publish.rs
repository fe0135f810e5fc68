//! Adding messages to a topic.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::message::{Encoded, MESSAGE_COST};
use super::producer::Check;
use super::state::is_same_type;
use super::subscription::Source;
use super::{
    Change, Closed, End, Filter, Message, Position, Producer, Slow, TopicAction, TopicError, TopicName,
    Topics,
};

/// What is added to a topic.
#[derive(Debug, Clone, Default)]
pub struct Publication<'a> {
    /// The data of the messages, in the topic's media type.
    pub entries: Vec<Bytes>,
    /// The name of their event.
    pub event: Option<&'a str>,
    /// Distinguishes the publication from others: a second one with the key is a duplicate.
    pub key: Option<&'a str>,
    /// Who publishes, where the publications are numbered.
    pub producer: Option<Producer>,
    /// A sequence that has to be behind the last one, compared byte by byte.
    pub sequence: Option<&'a str>,
    /// The message is kept for later subscribers.
    pub retains: bool,
    /// Which subscribers receive it; all if `None`.
    pub filter: Option<Filter>,
    /// The connection that it came from.
    pub origin: Option<u64>,
    /// Whose rate it counts for.
    pub publisher: Option<&'a str>,
    /// The media type that the caller expects the topic to have.
    pub media_type: Option<&'a str>,
    /// No message may follow.
    pub closes: bool,
    /// The topic has to exist.
    pub must_exist: bool,
}

impl Publication<'_> {
    /// One message.
    pub fn of(data: Bytes) -> Publication<'static> {
        Publication { entries: vec![data], ..Publication::default() }
    }
}

/// What was added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The id of the last message: the first time's if it is a duplicate. The end of the topic if that is not known.
    pub id: Position,
    /// It was published before.
    pub is_duplicate: bool,
    /// The newest sequence number of the producer.
    pub highest: Option<u64>,
    /// How many subscribers receive it.
    pub subscribers: usize,
    /// No message may follow.
    pub is_closed: bool,
}

/// The messages of a JSON text: those of an array, or the one.
///
/// # Errors
///
/// [`TopicError::NotJson`] if the text is not JSON.
pub fn json_entries(text: &Bytes) -> Result<Vec<Bytes>, TopicError> {
    let not_json = |error: serde_json::Error| TopicError::NotJson(error.to_string());
    let is_array = text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let entries: Vec<&RawValue> = match is_array {
        true => serde_json::from_slice(text).map_err(not_json)?,
        false => vec![serde_json::from_slice(text).map_err(not_json)?],
    };
    Ok(entries.into_iter().map(|entry| text.slice_ref(entry.get().as_bytes())).collect())
}

impl Topics {
    /// Publishes messages, and creates the topic if there is none. A publication that was published before, by its key
    /// or by its producer's number, is no error: see [`Published::is_duplicate`].
    ///
    /// # Errors
    ///
    /// No message is added then, but a topic that did not exist may have been created.
    ///
    /// - [`TopicError::Full`]: the store is too far behind ([`Topics::set_store_full`]); or the topic refuses messages
    ///   over its [`Keep::bytes`](super::Keep::bytes); or all topics would have more than
    ///   [`TopicLimits::bytes`](super::TopicLimits::bytes) bytes, and no topic and no message can be removed to make
    ///   room.
    /// - [`TopicError::Unknown`]: there is no such topic, and [`Publication::must_exist`] is set.
    /// - [`TopicError::Deleted`], [`TopicError::TooMany`]: the topic cannot be created, as for [`Topics::ensure`].
    /// - [`TopicError::TooLarge`]: the messages have more bytes together than
    ///   [`TopicLimits::message`](super::TopicLimits::message), the key or the name of the event has more than 256
    ///   bytes, or the sequence or the producer's id more than 1,024.
    /// - [`TopicError::Empty`]: there are no messages, and the publication does not close the topic.
    /// - [`TopicError::MediaType`]: the topic has another media type than [`Publication::media_type`].
    /// - [`TopicError::Closed`]: no message may follow.
    /// - [`TopicError::StaleProducer`], [`TopicError::MissingPublications`], [`TopicError::ProducerStart`]: the epoch
    ///   or the sequence number of the producer is not the next one.
    /// - [`TopicError::TooMany`]: [`TopicLimits::producers`](super::TopicLimits::producers) other producers have
    ///   published to the topic within seven days.
    /// - [`TopicError::Sequence`]: [`Publication::sequence`] is not after the last one.
    /// - [`TopicError::Rate`]: messages of the topic or of the publisher come faster than [`Settings`](super::Settings)
    ///   allow.
    pub fn publish(
        &mut self,
        name: &TopicName,
        publication: Publication<'_>,
    ) -> Result<Published, TopicError> {
        // What presence announces is not stored.
        if self.is_store_full && !name.is_of_presence() {
            return Err(TopicError::Full);
        }
        let key = match publication.must_exist {
            true => self.existing(name)?,
            false => self.existing_or_new(name)?,
        };
        self.check_size(&publication)?;
        let topic = &mut self.topics[key];
        if let Some(received) = publication.media_type.filter(|_| !publication.entries.is_empty())
            && !is_same_type(&topic.media_type, received)
        {
            return Err(TopicError::MediaType {
                expected: topic.media_type.clone(),
                received: received.into(),
            });
        }
        let tail = topic.log.tail();
        let mut published = Published {
            id: tail,
            is_duplicate: false,
            highest: publication.producer.as_ref().map(|producer| producer.sequence),
            subscribers: 0,
            is_closed: topic.closed.is_some(),
        };
        if let Some(id) = publication.key.and_then(|key| topic.keys.find(key)) {
            return Ok(Published { id, is_duplicate: true, ..published });
        }
        if let Some(producer) = &publication.producer {
            match topic.producers.check(producer) {
                Check::New => {}
                Check::Duplicate { highest, id } => {
                    published.id = id.unwrap_or(tail);
                    return Ok(Published { is_duplicate: true, highest: Some(highest), ..published });
                }
                Check::Stale { epoch } => return Err(TopicError::StaleProducer { epoch }),
                _ if topic.closed.is_some() => return Err(TopicError::Closed { tail }),
                Check::Missing { expected } => {
                    return Err(TopicError::MissingPublications { expected, received: producer.sequence });
                }
                Check::BadStart => return Err(TopicError::ProducerStart),
            }
            if topic.producers.is_full(&producer.id, self.limits.producers, self.now) {
                return Err(TopicError::TooMany { what: "producers", limit: self.limits.producers });
            }
        }
        if topic.closed.is_some() {
            // To close a closed topic changes nothing.
            let repeats =
                publication.closes && publication.entries.is_empty() && publication.producer.is_none();
            return if repeats { Ok(published) } else { Err(TopicError::Closed { tail }) };
        }
        if let (Some(sequence), Some(last)) = (publication.sequence, &topic.sequence)
            && sequence.as_bytes() <= last.as_bytes()
        {
            return Err(TopicError::Sequence(last.clone()));
        }
        let rates = (topic.settings.rate, topic.settings.publisher_rate);
        let messages = publication.entries.len();
        topic
            .buckets
            .take(messages, publication.publisher, rates, self.now)
            .map_err(|retry_after| TopicError::Rate { retry_after })?;
        self.make_room(key, &publication)?;
        published.subscribers = self.push(key, &publication);
        published.id = self.topics[key].log.tail();
        published.is_closed = publication.closes;
        self.accept(key, publication, published.id);
        Ok(published)
    }

    fn check_size(&self, publication: &Publication<'_>) -> Result<(), TopicError> {
        let limit = self.limits.message;
        let is_large = publication.entries.iter().map(Bytes::len).sum::<usize>() > limit
            || publication.key.is_some_and(|key| key.len() > 256)
            || publication.event.is_some_and(|event| event.len() > 256)
            || publication.sequence.is_some_and(|sequence| sequence.len() > 1024)
            || publication.producer.as_ref().is_some_and(|producer| producer.id.len() > 1024);
        match is_large {
            true => Err(TopicError::TooLarge { limit }),
            false if publication.entries.is_empty() && !publication.closes => Err(TopicError::Empty),
            false => Ok(()),
        }
    }

    /// There is room for the messages, for which others may be dropped.
    fn make_room(&mut self, key: usize, publication: &Publication<'_>) -> Result<(), TopicError> {
        let need: usize = publication.entries.iter().map(|entry| entry.len() + MESSAGE_COST).sum();
        let (keep, held) = (self.topics[key].settings.keep, self.topics[key].log.bytes());
        if keep.refuses && held + need > keep.bytes {
            return Err(TopicError::Full);
        }
        while self.bytes + need > self.limits.bytes {
            if !self.evict_other(key) {
                let room = self.bytes - held + need;
                return if keep.refuses || room > self.limits.bytes {
                    Err(TopicError::Full)
                } else {
                    let bytes = self.limits.bytes - room;
                    self.drop_oldest(key, super::Keep { bytes, messages: usize::MAX, refuses: false });
                    Ok(())
                };
            }
        }
        Ok(())
    }

    fn evict_other(&mut self, key: usize) -> bool {
        // A topic that is published to is not the one that was unused for the longest time, but may be the only one.
        let created = std::mem::replace(&mut self.topics[key].is_created, true);
        let evicted = self.evict();
        self.topics[key].is_created = created;
        evicted
    }

    /// Adds the messages and wakes the subscribers. Returns how many receive them.
    fn push(&mut self, key: usize, publication: &Publication<'_>) -> usize {
        let topic = &mut self.topics[key];
        let before = topic.log.next();
        let count = publication.entries.len();
        for (n, data) in publication.entries.iter().enumerate() {
            self.shared.offset += 1;
            let message = Arc::new(Message {
                topic: topic.name.clone(),
                id: Position { offset: topic.log.next() + 1, epoch: topic.log.epoch() },
                shared_id: self.shared,
                event: publication.event.map(Box::from),
                key: publication.key.filter(|_| n + 1 == count).map(Box::from),
                data: data.clone(),
                content: topic.content,
                is_retained: publication.retains || topic.settings.is_latest,
                ends_batch: n + 1 == count,
                filter: publication.filter.clone(),
                origin: publication.origin,
                bytes_before: topic.log.bytes_ever(),
                encoded: Encoded::default(),
            });
            self.bytes += message.cost();
            if message.is_retained {
                topic.retained = Some(message.clone());
            }
            if self.keeps_changes && !topic.name.is_of_presence() {
                self.actions.push(TopicAction::Store(Change::Append(message.clone())));
            }
            topic.log.push(message);
        }
        self.published += count as u64;
        self.trim(key);
        self.wake(key, before, count, publication.closes)
    }

    fn wake(&mut self, key: usize, before: u64, count: usize, closes: bool) -> usize {
        let topic = &self.topics[key];
        let only = topic.log.newest().filter(|_| count == 1);
        let mut receivers = 0;
        for id in &topic.subscribers {
            let known = &mut self.subscriptions[id.index()];
            let is_admitted = only.is_none_or(|message| known.admits(message));
            receivers += usize::from(is_admitted && count > 0);
            match &mut known.source {
                Source::One { offset, .. } => {
                    if !is_admitted && !closes && !known.is_ready && *offset == before {
                        // It has everything before, and does not receive this.
                        *offset = before + 1;
                        continue;
                    }
                    let (messages, bytes) = topic.log.behind(*offset);
                    let is_over = messages > known.budget.messages || bytes > known.budget.bytes;
                    if known.slow == Slow::Close && is_over {
                        known.ended = Some(End::Slow);
                    }
                }
                Source::Many(many) => {
                    if many.offsets.get(&key) == Some(&before) {
                        many.note(key, topic, before);
                    }
                }
            }
            if !std::mem::replace(&mut known.is_ready, true) {
                self.actions.push(TopicAction::Wake(*id));
            }
        }
        receivers
    }

    /// Remembers what recognises duplicates.
    fn accept(&mut self, key: usize, publication: Publication<'_>, id: Position) {
        let now = self.now;
        let topic = &mut self.topics[key];
        let (most, lifetime) = (topic.settings.keep.messages, topic.settings.key_lifetime);
        if let Some(known) = publication.key {
            topic.keys.insert(known, id, now, (most, lifetime));
        }
        let changes_head = publication.closes || publication.sequence.is_some() || id.offset <= 1;
        if let Some(sequence) = publication.sequence {
            topic.sequence = Some(sequence.into());
        }
        if publication.closes {
            topic.closed = Some(Closed { by: publication.producer.clone() });
        }
        if let Some(producer) = publication.producer {
            topic.producers.accept(&producer, id, now);
            let state = topic.producers.0[&producer.id].clone();
            let change = Change::Producer { topic: topic.name.clone(), id: producer.id, state };
            self.change(change);
        }
        if changes_head {
            self.change_head(key);
        }
        self.used(key);
        self.arm(key);
    }

    /// Drops the oldest messages of a topic that has more than it keeps.
    pub(super) fn trim(&mut self, key: usize) {
        let keep = self.topics[key].settings.kept();
        if !keep.refuses {
            self.drop_oldest(key, keep);
        }
    }

    fn drop_oldest(&mut self, key: usize, keep: super::Keep) {
        let topic = &mut self.topics[key];
        let dropped = topic.log.trim(keep);
        self.bytes -= dropped;
        if dropped > 0 && self.keeps_changes && !topic.name.is_of_presence() {
            let change = Change::Trim {
                topic: topic.name.clone(),
                base: topic.log.base(),
                dropped_shared: topic.log.dropped_shared,
                retained: topic.retained.as_ref().map(|message| message.id.offset),
            };
            self.change(change);
        }
    }
}
