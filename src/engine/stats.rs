//! What the engine has to tell about itself, for those who watch from outside.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Close, ExchangeId, LineId, OwnerId};

/// How things stand, and what has happened since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Lines whose client has yet to come or to speak.
    pub joining: u64,
    pub open: u64,
    /// Lines that wait for their client to come back.
    pub away: u64,
    /// Bytes that wait to be written.
    pub queued_bytes: u64,
    pub channels: u64,
    /// Members of channels; who is in two counts twice.
    pub members: u64,

    pub opened: u64,
    pub resumed: u64,
    pub frames_in: u64,
    pub bytes_in: u64,
    pub frames_out: u64,
    pub bytes_out: u64,
    /// Frames that a full queue did not take, and those that a newer state made needless.
    pub dropped: u64,
    pub coalesced: u64,
    pub pings: u64,
    /// Lines that ended, by close code.
    pub closed: BTreeMap<u16, u64>,
}

/// A line's life, told at its end.
#[derive(Debug)]
pub struct Obituary {
    pub line: LineId,
    pub owner: OwnerId,
    pub exchange: ExchangeId,
    pub close: Close,
    pub lasted: Duration,
    pub frames_in: u32,
    pub frames_out: u32,
}
