//! Gauges and counters of all lines, and the summary of one.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::line::Counters;
use crate::{Close, CloseCode, ExchangeId, LineId, OwnerId};

/// Gauges, then counters since the start of the process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Lines that no client has joined yet.
    pub joining: u64,
    /// Lines with a connection.
    pub open: u64,
    /// Lines whose client lost its connection and may resume.
    pub away: u64,
    /// Bytes that wait to be written, [`FRAME_COST`](crate::FRAME_COST) for each frame included.
    pub queued_bytes: u64,
    /// Bytes of channels' messages among them. A message that waits for many lines counts once.
    pub channel_queued_bytes: u64,
    /// Channels with members.
    pub channels: u64,
    /// Members of all channels.
    pub members: u64,
    /// Lines opened.
    pub opened: u64,
    /// How often a client resumed a line.
    pub resumed: u64,
    /// Frames received.
    pub frames_in: u64,
    /// Bytes of their payload.
    pub bytes_in: u64,
    /// Frames sent.
    pub frames_out: u64,
    /// Bytes of their payload.
    pub bytes_out: u64,
    /// Messages dropped because the client was too slow, or away for too long.
    pub dropped: u64,
    /// States and changes not sent because a later full state replaced them.
    pub coalesced: u64,
    /// Pings sent.
    pub pings: u64,
    /// Lines that ended, by close code.
    pub closed: BTreeMap<u16, u64>,
}

/// A line that ended, for the log.
#[derive(Debug)]
pub struct LineSummary {
    /// The line.
    pub line: LineId,
    /// Who received its events.
    pub owner: OwnerId,
    /// The exchange that it carried.
    pub exchange: ExchangeId,
    /// How it ended.
    pub close: Close,
    /// From its opening to its end.
    pub lasted: Duration,
    /// Frames received.
    pub frames_in: u32,
    /// Frames sent.
    pub frames_out: u32,
}

/// How many codes have a counter. A client may close with any code; codes of [`CloseCode`] always have one.
const MAX_CODES: usize = 64;

impl Stats {
    /// Takes over what happened to a line's frames.
    pub(super) fn count(&mut self, counters: &mut Counters) {
        self.dropped += u64::from(std::mem::take(&mut counters.dropped));
        self.coalesced += u64::from(std::mem::take(&mut counters.coalesced));
    }

    /// A line ended.
    pub(crate) fn closed(&mut self, code: CloseCode) {
        let is_known = !matches!(code, CloseCode::Other(_));
        let code = code.number();
        if is_known || self.closed.len() < MAX_CODES || self.closed.contains_key(&code) {
            *self.closed.entry(code).or_default() += 1;
        }
    }
}
