//! What all lines together are and did.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Close, CloseCode, ExchangeId, LineId, OwnerId};

/// Gauges as they stand, then counters since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Lines whose client has not come yet.
    pub joining: u64,
    /// Lines with a connection.
    pub open: u64,
    /// Lines whose client lost its connection and may come again.
    pub away: u64,
    /// Bytes that wait to be written, a fixed cost for each frame included.
    pub queued_bytes: u64,
    /// Those of them that channels account for: what all lines of a channel wait for, counted once.
    pub channel_queued_bytes: u64,
    pub channels: u64,
    /// Members of all channels.
    pub members: u64,
    pub opened: u64,
    /// Times that a client came again.
    pub resumed: u64,
    pub frames_in: u64,
    /// Bytes of payload.
    pub bytes_in: u64,
    pub frames_out: u64,
    pub bytes_out: u64,
    /// Messages that were not sent because the client was too slow, or away for too long.
    pub dropped: u64,
    /// States and changes that a full state made superfluous.
    pub coalesced: u64,
    pub pings: u64,
    /// Lines that ended, by their code.
    pub closed: BTreeMap<u16, u64>,
}

/// What is to be said of a line at its end.
#[derive(Debug)]
pub struct LineSummary {
    pub line: LineId,
    pub owner: OwnerId,
    pub exchange: ExchangeId,
    pub close: Close,
    pub lasted: Duration,
    pub frames_in: u32,
    pub frames_out: u32,
}

/// A client may close with any code, and must not make a counter for each. Those that mean something here always count.
const MAX_CODES: usize = 64;

impl Stats {
    /// A line ended.
    pub(crate) fn closed(&mut self, code: CloseCode) {
        let is_known = !matches!(code, CloseCode::Other(_));
        let code = code.number();
        if is_known || self.closed.len() < MAX_CODES || self.closed.contains_key(&code) {
            *self.closed.entry(code).or_default() += 1;
        }
    }
}
