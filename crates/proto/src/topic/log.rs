//! The recent messages of a topic.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Message, Position};

/// How much of a topic is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Messages.
    pub messages: usize,
    /// Bytes, as [`Message::cost`] counts them.
    pub bytes: usize,
    /// A topic that is full refuses messages, where others drop their oldest.
    pub refuses: bool,
}

/// A ring of messages. Each has an offset; those that were dropped keep theirs.
#[derive(Debug)]
pub(super) struct Log {
    epoch: u64,
    /// The offset of the oldest message that is kept.
    base: u64,
    messages: VecDeque<Arc<Message>>,
    /// Bytes of all messages that the topic ever had.
    bytes_ever: u64,
    /// Bytes of the messages that are kept.
    bytes: usize,
    /// The shared offset behind the newest message that was dropped.
    pub(super) dropped_shared: u64,
}

impl Log {
    pub(super) fn new(epoch: u64) -> Log {
        Log { epoch, base: 0, messages: VecDeque::new(), bytes_ever: 0, bytes: 0, dropped_shared: 0 }
    }

    /// A log that continues at an offset.
    pub(super) fn beginning_at(epoch: u64, base: u64, dropped_shared: u64) -> Log {
        Log { base, dropped_shared, ..Log::new(epoch) }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn base(&self) -> u64 {
        self.base
    }

    /// The offset of the next message.
    pub(super) fn next(&self) -> u64 {
        self.base + self.messages.len() as u64
    }

    pub(super) fn tail(&self) -> Position {
        Position { epoch: self.epoch, offset: self.next() }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn bytes_ever(&self) -> u64 {
        self.bytes_ever
    }

    pub(super) fn push(&mut self, message: Arc<Message>) {
        debug_assert_eq!(message.id.offset, self.next() + 1);
        self.bytes += message.cost();
        self.bytes_ever += message.cost() as u64;
        self.messages.push_back(message);
    }

    pub(super) fn get(&self, offset: u64) -> Option<&Arc<Message>> {
        self.messages.get(usize::try_from(offset.checked_sub(self.base)?).ok()?)
    }

    pub(super) fn newest(&self) -> Option<&Arc<Message>> {
        self.messages.back()
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = &Arc<Message>> {
        self.messages.iter()
    }

    /// Messages and bytes from an offset on.
    pub(super) fn behind(&self, offset: u64) -> (u64, u64) {
        let before = self.get(offset.max(self.base)).map_or(self.bytes_ever, |message| message.bytes_before);
        (self.next().saturating_sub(offset), self.bytes_ever - before)
    }

    /// The first offset whose message has a shared offset behind `shared`.
    pub(super) fn after_shared(&self, shared: u64) -> u64 {
        self.base + self.messages.partition_point(|message| message.shared_id.offset <= shared) as u64
    }

    /// Drops the oldest messages until the others fit. Returns how many bytes were dropped.
    pub(super) fn trim(&mut self, keep: Keep) -> usize {
        let before = self.bytes;
        while self.messages.len() > keep.messages || self.bytes > keep.bytes {
            let Some(oldest) = self.messages.pop_front() else { break };
            self.base += 1;
            self.bytes -= oldest.cost();
            self.dropped_shared = oldest.shared_id.offset;
        }
        before - self.bytes
    }
}
