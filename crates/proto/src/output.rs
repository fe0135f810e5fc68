//! What the engine asks its driver to do, and what a connection writes.

use crate::{Close, Event, ExchangeId, Frame, LineId, LineSummary, OwnerId};

/// What the driver has to do.
#[derive(Debug)]
pub enum Action {
    /// The line's connection should call [`Engine::take`](crate::Engine::take) and
    /// [`Engine::may_read`](crate::Engine::may_read) again.
    Wake(LineId),
    /// The same for all of these lines.
    WakeAll(Vec<LineId>),
    /// Put the event into the owner's mailbox.
    Dispatch {
        /// Whose mailbox.
        owner: OwnerId,
        /// The exchange that the line belongs to.
        exchange: ExchangeId,
        /// The line.
        line: LineId,
        /// What happened on it.
        event: Event,
    },
    /// The line is over. The driver may log it.
    Ended(LineSummary),
}

/// One connection of a line. A line that resumes has several, one after the other; only the last one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attachment {
    /// The line that the connection carries.
    pub line: LineId,
    /// Counts the line's connections from 1.
    pub(crate) number: u32,
}

/// What a connection should write next.
#[derive(Debug, PartialEq, Eq)]
pub enum Take {
    /// Nothing for now.
    Idle,
    /// What was returned in the list. When it is written, call again.
    Some,
    /// What was returned in the list. When it is written, nothing is left and nothing waits for that.
    Last,
    /// This close frame; then wait for the client's.
    Close(Close),
    /// The connection does not carry a line any more: drop it.
    Gone,
}

/// One thing for a connection to write.
#[derive(Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// A frame.
    Frame(Frame),
    /// A frame of `liveline.v1` and its number.
    Numbered(u64, Frame),
    /// A frame of the subprotocol itself: a welcome or an acknowledgement.
    Control(String),
    /// A ping.
    Ping,
}

impl Outgoing {
    /// Bytes of payload.
    pub fn payload_len(&self) -> usize {
        match self {
            Outgoing::Frame(frame) | Outgoing::Numbered(_, frame) => frame.len(),
            Outgoing::Control(text) => text.len(),
            Outgoing::Ping => 0,
        }
    }
}
