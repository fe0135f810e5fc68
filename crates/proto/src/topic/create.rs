//! Creating topics: on their own, or as continuations of others.

use std::sync::Arc;

use bytes::Bytes;

use super::publish::Publication;
use super::state::{Fork, Lifetime, is_same_type};
use super::{Content, Info, Message, Position, Producer, TopicError, TopicName, Topics};

/// What a topic begins as.
#[derive(Debug, Clone, Default)]
pub struct Create<'a> {
    /// The media type of its data.
    pub media_type: Option<&'a str>,
    /// How long it exists.
    pub lifetime: Option<Lifetime>,
    /// Its first messages, as [`json_entries`](super::json_entries) returns them where it is JSON.
    pub entries: Vec<Bytes>,
    /// No message may follow.
    pub is_closed: bool,
    /// The topic that it continues.
    pub fork: Option<ForkRequest>,
    /// Who creates it.
    pub producer: Option<Producer>,
}

/// Where a topic is to continue another one.
#[derive(Debug, Clone)]
pub struct ForkRequest {
    /// The other topic.
    pub source: TopicName,
    /// The position up to which it has the other's messages; all if `None`.
    pub at: Option<Position>,
    /// Bytes of the message behind that, or messages of the batch there, that it has, too.
    pub sub_offset: u64,
}

/// A topic that was created, or existed.
#[derive(Debug, Clone)]
pub struct Created {
    /// It did not exist before.
    pub is_new: bool,
    /// What is known of it.
    pub info: Info,
}

/// What a topic that continues another one has from there.
struct Inherited {
    fork: Fork,
    key: usize,
    epoch: u64,
    base: u64,
    dropped_shared: u64,
    messages: Vec<Arc<Message>>,
    /// The part of the message at the fork.
    part: Option<(Arc<Message>, Bytes)>,
}

impl Topics {
    /// Creates a topic, or checks that it exists with the same properties.
    ///
    /// # Errors
    ///
    /// - [`TopicError::Exists`]: a topic of this name has another media type, lifetime, state or source, or was deleted
    ///   while other topics continue it; or the source of a new topic was deleted.
    /// - [`TopicError::Unknown`]: the source does not exist.
    /// - [`TopicError::Gone`], [`TopicError::Beyond`]: [`ForkRequest::at`] is no position that the source keeps.
    /// - [`TopicError::SubOffset`]: the message or batch of the source at the fork is shorter than
    ///   [`ForkRequest::sub_offset`].
    /// - [`TopicError::MediaType`]: the source has another media type than the one given.
    /// - [`TopicError::TooLarge`]: the first messages have more bytes together than
    ///   [`TopicLimits::message`](super::TopicLimits::message).
    /// - [`TopicError::TooMany`]: there are [`TopicLimits::topics`](super::TopicLimits::topics) topics, and none can be
    ///   removed to make room.
    /// - The errors of [`Topics::publish`] for the first messages. The topic does not exist then.
    pub fn create(&mut self, name: &TopicName, create: Create<'_>) -> Result<Created, TopicError> {
        let existing = match self.existing(name) {
            Ok(key) => Some(key),
            Err(TopicError::Unknown) => None,
            Err(TopicError::Deleted) => {
                return Err(TopicError::Exists("life: it was deleted, and others continue it"));
            }
            Err(error) => return Err(error),
        };
        let inherited = match (&create.fork, existing) {
            (None, _) => None,
            (Some(request), None) => Some(self.inherit(request)?),
            // The request is compared with what the topic was created as.
            (Some(_), Some(_)) => None,
        };
        let source = inherited.as_ref().map(|inherited| &self.topics[inherited.key]);
        let media_type: Box<str> = match (create.media_type, source) {
            (Some(received), Some(source)) if !is_same_type(received, &source.media_type) => {
                return Err(TopicError::MediaType {
                    expected: source.media_type.clone(),
                    received: received.into(),
                });
            }
            (Some(media_type), _) => media_type.into(),
            (None, Some(source)) => source.media_type.clone(),
            (None, None) => "application/octet-stream".into(),
        };
        let inherited_lifetime = source.map(|source| source.lifetime.clone());
        if let Some(key) = existing {
            self.compare(key, &create, &media_type)?;
            return Ok(Created { is_new: false, info: self.topics[key].info() });
        }
        if create.entries.iter().map(Bytes::len).sum::<usize>() > self.limits.message {
            return Err(TopicError::TooLarge { limit: self.limits.message });
        }
        let epoch = inherited.as_ref().map(|inherited| inherited.epoch);
        // A source that is continued is not removed to make room.
        let source = inherited.as_ref().map(|inherited| inherited.key);
        source.inspect(|source| self.topics[*source].forks += 1);
        let inserted = self.insert(name.clone(), &media_type, epoch, self.stream_settings);
        let key = inserted.inspect_err(|_| {
            source.inspect(|source| self.topics[*source].forks -= 1);
        })?;
        let topic = &mut self.topics[key];
        topic.is_created = true;
        topic.lifetime = create.lifetime.or(inherited_lifetime).unwrap_or(Lifetime::Unlimited);
        if let Some(inherited) = inherited {
            self.adopt(key, inherited);
        }
        self.change_head(key);
        if !create.entries.is_empty() || create.is_closed {
            let publication = Publication {
                entries: create.entries,
                closes: create.is_closed,
                producer: create.producer,
                ..Publication::default()
            };
            if let Err(error) = self.publish(name, publication) {
                self.delete_key(key);
                return Err(error);
            }
        }
        self.used(key);
        self.arm(key);
        Ok(Created { is_new: true, info: self.topics[key].info() })
    }

    /// Whether a topic that exists is what a request would create.
    fn compare(&self, key: usize, create: &Create<'_>, media_type: &str) -> Result<(), TopicError> {
        let topic = &self.topics[key];
        if (create.media_type.is_some() || create.fork.is_none())
            && !is_same_type(&topic.media_type, media_type)
        {
            return Err(TopicError::Exists("media type"));
        }
        let lifetime = create.lifetime.clone().unwrap_or(Lifetime::Unlimited);
        if lifetime != topic.lifetime && !(create.lifetime.is_none() && create.fork.is_some()) {
            return Err(TopicError::Exists("lifetime"));
        }
        if create.is_closed != topic.closed.is_some() {
            return Err(TopicError::Exists("state: open or closed"));
        }
        let is_same_fork = match (&create.fork, &topic.fork) {
            (None, None) => true,
            (Some(request), Some(fork)) => {
                request.source == fork.source
                    && request.at.is_none_or(|at| at.offset == fork.offset)
                    && request.sub_offset == fork.sub_offset
            }
            _ => false,
        };
        if is_same_fork { Ok(()) } else { Err(TopicError::Exists("source")) }
    }

    fn inherit(&mut self, request: &ForkRequest) -> Result<Inherited, TopicError> {
        let key = match self.existing(&request.source) {
            Err(TopicError::Deleted) => return Err(TopicError::Exists("source: it was deleted")),
            found => found?,
        };
        let topic = &self.topics[key];
        let log = &topic.log;
        let offset = match request.at {
            None => log.next(),
            Some(at) if at != Position::default() && at.epoch != log.epoch() => {
                return Err(TopicError::Beyond);
            }
            Some(at) => topic.offset_of(at)?,
        };
        let count = usize::try_from(offset - log.base()).unwrap_or(usize::MAX);
        let mut messages: Vec<_> = log.messages().take(count).cloned().collect();
        let (mut part, mut left) = (None, request.sub_offset);
        if left > 0 && topic.content == Content::Json {
            let mut at = offset;
            while left > 0 {
                let message = log.get(at).ok_or(TopicError::SubOffset)?;
                (at, left) = (at + 1, left - 1);
                messages.push(message.clone());
                if message.ends_batch && left > 0 {
                    return Err(TopicError::SubOffset);
                }
            }
        } else if left > 0 {
            let message = log.get(offset).ok_or(TopicError::SubOffset)?;
            let length = usize::try_from(left).ok().filter(|left| *left <= message.data.len());
            part = Some((message.clone(), message.data.slice(..length.ok_or(TopicError::SubOffset)?)));
        }
        Ok(Inherited {
            fork: Fork { source: request.source.clone(), offset, sub_offset: request.sub_offset },
            key,
            epoch: log.epoch(),
            base: log.base(),
            dropped_shared: log.dropped_shared,
            messages,
            part,
        })
    }

    /// A new topic has the messages that it inherits. Their data is shared with the source.
    fn adopt(&mut self, key: usize, inherited: Inherited) {
        let Inherited { fork, key: _, epoch, base, dropped_shared, messages, part } = inherited;
        let topic = &mut self.topics[key];
        topic.fork = Some(fork);
        topic.log = super::log::Log::beginning_at(epoch, base, dropped_shared);
        let whole = messages.into_iter().map(|message| {
            let data = message.data.clone();
            (message, data)
        });
        for (message, data) in whole.chain(part) {
            let copy = message.copied(&topic.name, data, topic.log.bytes_ever());
            self.bytes += copy.cost();
            if self.keeps_changes {
                self.actions.push(super::TopicAction::Store(super::Change::Append(copy.clone())));
            }
            topic.log.push(copy);
        }
        // Subscribers whose patterns match the topic receive what is published from here on.
        let next = topic.log.next();
        for id in topic.subscribers.clone() {
            if let super::subscription::Source::Many(many) = &mut self.subscriptions[id.index()].source {
                many.offsets.insert(key, next);
            }
        }
    }
}
