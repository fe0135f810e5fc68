//! How a line ends: close codes and reasons.

use std::borrow::Cow;

/// The close codes of a live line: those of RFC 6455 section 7.4.1 where one fits, 4000 and up for the rest.
///
/// After a code marked "Reconnect" a client may send its request again; after the others it should not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseCode {
    /// 1000: the handler finished, or one side closed the port.
    Done,
    /// 1001: the client left, or no client joined in time.
    GoingAway,
    /// 1003: a binary frame, or text that is not JSON.
    Unsupported,
    /// 1006: the connection broke without a close frame. Never sent.
    Abnormal,
    /// 1008: the client broke a rule, such as sending faster than its handler acknowledges.
    Policy,
    /// 1009: a frame over the size limit.
    TooBig,
    /// 1011: the isolate that ran the handler was lost. Reconnect.
    IsolateLost,
    /// 1012: the server restarts. Reconnect.
    Restart,
    /// 1013: the client read too slowly and its queue outgrew [`Limits::queue_bytes`](crate::Limits::queue_bytes), or too
    /// many messages of clients have begun and not ended. Reconnect.
    TooSlow,
    /// 4001: the user navigated away and the handler did not object.
    Navigated,
    /// 4002: the handler threw.
    HandlerFailed,
    /// 4003: the connection to another server, whose messages the handler relayed, was lost. Reconnect.
    UpstreamLost,
    /// Any other code, as the client sent it.
    Other(u16),
}

impl CloseCode {
    /// The number on the wire.
    pub fn number(self) -> u16 {
        match self {
            Self::Done => 1000,
            Self::GoingAway => 1001,
            Self::Unsupported => 1003,
            Self::Abnormal => 1006,
            Self::Policy => 1008,
            Self::TooBig => 1009,
            Self::IsolateLost => 1011,
            Self::Restart => 1012,
            Self::TooSlow => 1013,
            Self::Navigated => 4001,
            Self::HandlerFailed => 4002,
            Self::UpstreamLost => 4003,
            Self::Other(number) => number,
        }
    }

    /// The reason where none was given.
    pub fn default_reason(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::GoingAway => "going away",
            Self::Unsupported => "frames must be JSON text",
            Self::Abnormal => "connection lost",
            Self::Policy => "too many messages waiting for the handler",
            Self::TooBig => "frame too large",
            Self::IsolateLost => "the handler's isolate was lost",
            Self::Restart => "server restarting",
            Self::Navigated => "navigated away",
            Self::HandlerFailed => "the handler failed",
            Self::UpstreamLost => "the upstream was lost",
            Self::TooSlow => "client too slow",
            Self::Other(_) => "",
        }
    }
}

impl From<u16> for CloseCode {
    fn from(number: u16) -> Self {
        match number {
            1000 => Self::Done,
            1001 => Self::GoingAway,
            1003 => Self::Unsupported,
            1006 => Self::Abnormal,
            1008 => Self::Policy,
            1009 => Self::TooBig,
            1011 => Self::IsolateLost,
            1012 => Self::Restart,
            1013 => Self::TooSlow,
            4001 => Self::Navigated,
            4002 => Self::HandlerFailed,
            4003 => Self::UpstreamLost,
            other => Self::Other(other),
        }
    }
}

/// A code and its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// The code.
    pub code: CloseCode,
    /// At most 123 bytes, which is what a close frame holds (RFC 6455 section 5.5).
    pub reason: Cow<'static, str>,
}

impl Close {
    /// A close with a reason of its own, cut to what a close frame holds.
    pub fn because(code: CloseCode, mut reason: String) -> Close {
        reason.truncate(reason.floor_char_boundary(123));
        Close { code, reason: reason.into() }
    }
}

impl From<CloseCode> for Close {
    fn from(code: CloseCode) -> Self {
        Close { code, reason: code.default_reason().into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_round_trips() {
        for number in
            [1000, 1001, 1003, 1006, 1008, 1009, 1011, 1012, 1013, 3000, 4001, 4002, 4003, 4008, 4999]
        {
            assert_eq!(CloseCode::from(number).number(), number);
        }
    }

    #[test]
    fn because_long_reason_is_cut_between_characters() {
        let close = Close::because(CloseCode::Done, "ä".repeat(100));
        assert_eq!(close.reason.len(), 122);
    }
}
