//! Positions in a topic, which are the ids of its messages.

use std::fmt;
use std::str::FromStr;

/// A place between two messages. The id of a message is the position behind it, so that a client which received the
/// message continues from there. As text, positions of one topic sort in their order.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
pub struct Position {
    /// Distinguishes topics that had the same name one after the other.
    pub epoch: u64,
    /// How many messages the topic had before.
    pub offset: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}.{:010x}", self.epoch, self.offset)
    }
}

/// A text that is no position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no position: an id of a message, -1 for the beginning, or now")]
pub struct InvalidPosition(pub String);

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Position, InvalidPosition> {
        let number = |digits: &str| {
            let are_hex = (1..=16).contains(&digits.len())
                && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
            are_hex.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
        };
        // Clients of Durable Streams may write the beginning of a stream with an underscore.
        let parsed = text
            .split_once(['.', '_'])
            .and_then(|(epoch, offset)| Some(Position { epoch: number(epoch)?, offset: number(offset)? }));
        parsed.ok_or_else(|| InvalidPosition(text.chars().take(64).collect()))
    }
}

/// Where a reader begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// With the oldest message that is kept.
    Start,
    /// With the next message.
    Now,
    /// With this many of the newest messages.
    Last(u64),
    /// Behind the message with this id.
    After(Position),
}

impl FromStr for From {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<From, InvalidPosition> {
        match text {
            "-1" => Ok(From::Start),
            "now" => Ok(From::Now),
            text => text.parse().map(From::After),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_text_sorts_as_the_position() {
        let texts: Vec<_> =
            [0, 1, 15, 16, 255, 1 << 30].map(|offset| Position { epoch: 7, offset }.to_string()).into();
        assert!(texts.is_sorted(), "{texts:?}");
        for text in texts {
            assert_eq!(text.parse::<Position>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn position_refuses_other_texts() {
        for bad in
            ["", ".", "1", "1.", ".1", "1.2.3", "1,2", "g.1", "1.+1", "a b.1", "00000000000000001.1", "A.1"]
        {
            assert!(bad.parse::<From>().is_err(), "{bad:?}");
        }
    }
}
