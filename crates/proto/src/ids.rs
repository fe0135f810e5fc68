//! Identifiers. Each is a type of its own, so that the compiler keeps them apart.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// An exchange of an isolate. It fits the 53 bits that a JavaScript number holds exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExchangeId(pub u64);

impl ExchangeId {
    /// How many low bits are the index in the isolate's table; the others count the isolate's exchanges.
    pub const PLACE_BITS: u32 = 20;

    /// Its name in the log, unique in the process: `<isolate>-<count>`.
    pub fn of(self, owner: OwnerId) -> impl fmt::Display {
        fmt::from_fn(move |f| write!(f, "{}-{}", owner.0, self.0 >> Self::PLACE_BITS))
    }
}

/// A live line. Unique in the process: ids are not reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineId(pub(crate) u64);

impl LineId {
    /// The line with this serial number, at this index in the table of lines.
    pub(crate) fn new(serial: u64, index: usize) -> LineId {
        LineId(serial << INDEX_BITS | index as u64)
    }

    /// Its index in the table of lines. Lines that are over leave theirs to others.
    pub fn index(self) -> usize {
        (self.0 & ((1 << INDEX_BITS) - 1)) as usize
    }
}

/// How many low bits of a [`LineId`] are the index; the others are the serial number.
const INDEX_BITS: u32 = 24;

impl fmt::Display for LineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line-{}", self.0 >> INDEX_BITS)
    }
}

/// A member of a channel, as the other members know it. Unique in the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberId(pub u64);

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "member-{}", self.0)
    }
}

impl FromStr for MemberId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix("member-").unwrap_or(text).parse().map(MemberId)
    }
}

/// The name of a channel, with which the types of its messages begin: `<channel>:<type>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId(Arc<str>);

/// Bytes. Every message of a channel carries its name.
const MAX_CHANNEL_NAME: usize = 256;

impl ChannelId {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ChannelId {
    type Err = InvalidChannel;

    fn from_str(name: &str) -> Result<Self, InvalidChannel> {
        // The first would make types that only the host may send, the second types that belong to another channel.
        let misread = name.starts_with("response.") || name.ends_with(':');
        if name.is_empty() || name.len() > MAX_CHANNEL_NAME || misread {
            return Err(InvalidChannel);
        }
        Ok(ChannelId(name.into()))
    }
}

/// A map by channel can be searched with a part of a message's type.
impl Borrow<str> for ChannelId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The text cannot name a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a channel's name is a string of 1 to {MAX_CHANNEL_NAME} bytes that does not end with `:` or begin with `response.`"
)]
pub struct InvalidChannel;

/// The receiver of a line's events: an isolate's mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OwnerId(pub u32);

/// The right to join one line, once: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token(pub [u8; 16]);

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A token is all that a client needs to join a line, so logs must not show it.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let digits = text.as_bytes();
        if digits.len() != 32 {
            return Err(InvalidToken);
        }
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |b: u8| char::from(b).to_digit(16).ok_or(InvalidToken);
            *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
        }
        Ok(Token(bytes))
    }
}

/// The text is not 32 hexadecimal digits.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a line token")]
pub struct InvalidToken;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_text_round_trips() {
        let token = Token([0, 1, 2, 0xff, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xa5]);
        assert_eq!(token.to_string().parse(), Ok(token));
    }

    #[test]
    fn token_bad_text_is_refused() {
        for text in ["", "00", &"g".repeat(32), &"é".repeat(16)] {
            assert_eq!(text.parse::<Token>(), Err(InvalidToken));
        }
    }

    #[test]
    fn channel_bad_name_is_refused() {
        for name in ["", "room:", ":", "response.x", &"x".repeat(257)] {
            assert_eq!(name.parse::<ChannelId>(), Err(InvalidChannel));
        }
        for name in ["room", "room:7", " ", "\u{e4}"] {
            assert_eq!(name.parse::<ChannelId>().unwrap().as_str(), name);
        }
    }
}
