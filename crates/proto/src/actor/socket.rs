//! Sockets that an actor keeps while it hibernates.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{ActorLimits, SocketId};

/// A message that is answered without JavaScript, and the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoResponse {
    /// The text of the message.
    pub request: Arc<str>,
    /// The text of the answer.
    pub response: Arc<str>,
}

/// Why a socket cannot be kept as requested.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SocketError {
    /// Too many sockets.
    #[error("only {0} websockets can be accepted on a single Durable Object instance")]
    Sockets(usize),
    /// Too many tags.
    #[error("a Hibernatable WebSocket cannot have more than {limit} tags. {count} tags were provided.")]
    Tags {
        /// How many it may have.
        limit: usize,
        /// How many were given.
        count: usize,
    },
    /// A tag is too long.
    #[error("\"{tag}\" is longer than the max tag length ({limit} characters).")]
    Tag {
        /// Its greatest length in UTF-16 units.
        limit: usize,
        /// The tag.
        tag: String,
    },
    /// The actor keeps the socket already.
    #[error("the WebSocket was accepted before")]
    Accepted,
    /// There is no such instance.
    #[error("the object that accepts the WebSocket has ended")]
    Gone,
}

/// The sockets of one actor.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    /// In the order in which they were accepted.
    order: BTreeSet<(u64, SocketId)>,
    by_tag: HashMap<Arc<str>, BTreeSet<(u64, SocketId)>>,
    pub auto_response: Option<AutoResponse>,
}

/// A socket that is kept.
#[derive(Debug)]
pub(super) struct Socket {
    /// The index of its actor.
    pub actor: usize,
    place: u64,
    pub tags: Vec<Arc<str>>,
    pub attachment: Option<Bytes>,
    /// When a message of it was answered automatically the last time, in milliseconds since 1970.
    pub answered: Option<i64>,
}

impl Socket {
    pub(super) fn new(
        actor: usize,
        place: u64,
        tags: &[String],
        limits: &ActorLimits,
    ) -> Result<Socket, SocketError> {
        if tags.len() > limits.tags {
            return Err(SocketError::Tags { limit: limits.tags, count: tags.len() });
        }
        let mut kept: Vec<Arc<str>> = Vec::with_capacity(tags.len());
        for tag in tags {
            if tag.encode_utf16().count() > limits.tag_length {
                return Err(SocketError::Tag { limit: limits.tag_length, tag: tag.clone() });
            }
            if !kept.iter().any(|other| **other == **tag) {
                kept.push(tag.as_str().into());
            }
        }
        Ok(Socket { actor, place, tags: kept, attachment: None, answered: None })
    }
}

impl Sockets {
    pub(super) fn insert(&mut self, id: SocketId, socket: &Socket) {
        self.order.insert((socket.place, id));
        for tag in &socket.tags {
            self.by_tag.entry(tag.clone()).or_default().insert((socket.place, id));
        }
    }

    pub(super) fn remove(&mut self, id: SocketId, socket: &Socket) {
        self.order.remove(&(socket.place, id));
        for tag in &socket.tags {
            if let Some(sockets) = self.by_tag.get_mut(tag) {
                sockets.remove(&(socket.place, id));
                if sockets.is_empty() {
                    self.by_tag.remove(tag);
                }
            }
        }
    }

    pub(super) fn list(&self, tag: Option<&str>) -> Vec<SocketId> {
        let list = match tag {
            None => Some(&self.order),
            Some(tag) => self.by_tag.get(tag),
        };
        list.into_iter().flatten().map(|(_, id)| *id).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }
}
