//! What a client may use up, and what happens when it wants more.

use std::time::Duration;

use crate::websocket::Unfinished;
use crate::{FRAME_COST, Origins};

/// What a client may use up.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long a client has to join its line.
    pub join_window: Duration,
    /// How long a client has to read the rest of a finished line, and then to answer the close frame.
    pub close_grace: Duration,
    /// How long a line waits for its client to resume after the connection was lost.
    pub resume_window: Duration,
    /// A client that sent nothing for this long gets a ping. Zero: no pings.
    pub ping_interval: Duration,
    /// A client that sent nothing for this long is taken for dead.
    pub ping_timeout: Duration,
    /// Bytes that may wait in each direction of a line, [`FRAME_COST`] for each frame included.
    pub queue_bytes: usize,
    /// Bytes that may wait for the clients of all lines together, and half of that for those of one network, besides 16 KiB
    /// of each line and channels' messages; 0 for any number. While it is used up, no line may have more
    /// than those 16 KiB.
    pub all_queues_bytes: usize,
    /// Bytes that may wait for all lines of a channel together. While more wait, each line may only have an equal share
    /// of this many queued.
    pub channel_queue_bytes: usize,
    /// What happens to messages for a client that reads too slowly.
    pub overflow: Overflow,
    /// Lines that one session may have at a time; 0 for any number.
    pub lines_per_session: usize,
    /// Lines that one address may have opened at a time; 0 for any number.
    pub lines_per_address: usize,
    /// The budget of all messages of clients whose ends have not come.
    pub unfinished: Unfinished,
    /// Origins whose pages may join lines, besides the server's own.
    pub origins: Origins,
}

/// The limits of the command line without options, but no heartbeats.
impl Default for Limits {
    fn default() -> Limits {
        Limits {
            join_window: Duration::from_secs(30),
            close_grace: Duration::from_secs(5),
            resume_window: Duration::from_secs(30),
            ping_interval: Duration::ZERO,
            ping_timeout: Duration::from_secs(60),
            queue_bytes: 1 << 20,
            all_queues_bytes: 512 << 20,
            channel_queue_bytes: 128 << 20,
            overflow: Overflow::Close,
            lines_per_session: 1000,
            lines_per_address: 1000,
            unfinished: Unfinished::new(256 << 20),
            origins: Origins::default(),
        }
    }
}

/// Bytes that each line of a channel may have queued however much waits for the others: 64 small messages, twice what a
/// resumable client leaves unacknowledged.
const MIN_SHARE: usize = 64 * FRAME_COST;

impl Limits {
    /// Bytes that one of a channel's `lines` may have queued while the channel's sum is over its limit.
    pub(super) fn channel_share(&self, lines: usize) -> usize {
        (self.channel_queue_bytes / lines.max(1)).max(MIN_SHARE).min(self.queue_bytes)
    }
}

/// What happens when more messages wait for a client than its queue may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// The line closes with 1013.
    Close,
    /// The oldest messages that wait are dropped.
    DropOldest,
    /// The new message is dropped.
    DropNewest,
}
